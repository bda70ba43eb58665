"""The text of a Perl program or module → what it imports and names, as values to be remembered."""

from collections.abc import Callable, Iterable
from posixpath import basename

from tree_sitter import Node

from rootfs_builder.needs.importers import syntax
from rootfs_builder.needs.importers.commands import TEXT, UNKNOWN, WORD
from rootfs_builder.needs.importers.perl import loads, runs
from rootfs_builder.needs.importers.perl.imports import Import, Imports, Kind, is_module
from rootfs_builder.needs.importers.perl.values import STRINGS, Values, bare, called, here
from rootfs_builder.needs.importers.walk import MARKS

_QUERY = """
(package_statement) @package
(class_statement) @package
(role_statement) @package
(attribute name: (attribute_name) value: (attribute_value)) @attribute
(use_statement) @use
(require_expression) @require
(eval_expression) @eval
(assignment_expression) @assign
(function_call_expression) @call
(ambiguous_function_call_expression) @call
(func1op_call_expression) @call
(method_call_expression) @call
(string_literal) @string
(interpolated_string_literal) @string
(quoted_word_list) @string
(anonymous_array_expression) @array
(binary_expression) @string
(command_string) @command
(comment) @comment
(for_statement) @each
"""
_PARENTS = frozenset(("does", "extends", "implements", "isa"))  # attributes of a class
_GUARDS = frozenset(
    (
        "anonymous_subroutine_expression",
        "conditional_expression",
        "conditional_statement",
        "eval_expression",
        "logical_expression",
        "lowprec_logical_expression",
        "method_declaration_statement",
        "postfix_conditional_expression",
        "subroutine_declaration_statement",
        "try_statement",
    )
)
_MOST_WITHIN = 2  # texts of code in texts of code
_WITH_VALUE, _REST_IS_VALUE = "eEmMI", "CDFdix"  # options of perl


def read(text: bytes) -> Imports:
    """What a text imports, none twice."""
    reader = _Reader()
    root = syntax.parse("perl", text)
    reader.read(root, 0)
    if root.has_error:
        reader.found += loads.misread(text)
    found = dict[tuple[Kind, str], Import]()
    for one in reader.found:
        known = found.get((one.kind, one.name))
        if known is None or (known.guarded and not one.guarded):
            found[one.kind, one.name] = one
    return tuple(found.values())


def options(words: Iterable[str], line: int = 1) -> tuple[Imports, str | None]:
    """What perl's own options import, and the first word that is none: the script."""
    found = list[Import]()
    todo = [*words]
    while todo and todo[0].startswith("-") and len(todo[0]) > 1:
        word = todo.pop(0)
        if word == "--":
            break
        letter, value = _option(word)
        if letter and letter in "eEI" and not value and todo:
            value = todo.pop(0)
        if letter in ("m", "M"):
            name = value.lstrip("-").partition("=")[0].partition(" ")[0]
            found.append(Import(Kind.MODULE, name, line))
        elif letter == "I":
            found.append(Import(Kind.LIBRARY, value, line))
        elif letter in ("e", "E"):
            found += read(value.encode("utf-8", "surrogateescape"))
            return tuple(found), None  # what follows are its arguments, or more of its text
    return tuple(found), todo[0] if todo else None


def _option(word: str) -> tuple[str, str]:
    """The option with a value in a word of options such as -lne, and the value; ("", "")."""
    for at, letter in enumerate(word[1:], 2):
        if letter in _WITH_VALUE:
            return letter, word[at:]
        if not letter.isalnum() or letter in _REST_IS_VALUE:
            break
    return "", ""


class _Reader:
    """Reads one text, and the texts that it evaluates."""

    def __init__(self) -> None:
        self.found = list[Import]()
        self._values = Values()
        self._within = 0
        self._runners = set[str]()
        self._ended = -1  # of the outermost constant expression
        self._by_name: dict[str, Callable[[Node, int], None]] = {
            "array": self._array,
            "assign": self._assign,
            "attribute": self._attribute,
            "call": self._call,
            "command": self._command,
            "comment": self._comment,
            "each": self._each,
            "eval": self._eval,
            "package": self._declare,
            "require": self._require,
            "string": self._string,
            "use": self._use,
        }

    def read(self, root: Node, line: int) -> None:
        """Keep what a tree imports; `line` is of the text around it, 0 for none."""
        self._ended = -1
        self._runners.update(runs.wrappers(root))
        for name, node in syntax.captures("perl", _QUERY, root):
            self._by_name[name](node, line or syntax.line(node))

    def _keep(self, kind: Kind, name: str, line: int, *, guarded: bool = False) -> None:
        if kind is Kind.PLUGINS and name == "main":
            return  # a script, below which there are no modules
        self.found.append(Import(kind, name, line, guarded or self._within > 0))

    def _assign(self, node: Node, line: int) -> None:
        called = self._values.assign(node)
        if called and WORD.fullmatch(called):
            self._keep(Kind.PERHAPS, called, line, guarded=True)

    def _declare(self, node: Node, line: int) -> None:
        names = [syntax.text(one) for one in node.named_children if one.type == "package"]
        if names:
            self._values.package = names[0]
            self._keep(Kind.PACKAGE, names[0], line)

    def _attribute(self, node: Node, line: int) -> None:
        """`:isa(PARENT)` of a class, and `:does(ROLE)`: perlclass(1), Object::Pad."""
        name, value = (syntax.text(one) for one in node.named_children)
        module = value.split()[:1]
        if name in _PARENTS and module and is_module(module[0]):
            self._keep(Kind.MODULE, module[0], line)

    def _comment(self, node: Node, line: int) -> None:
        """The first line of a script has options, too."""
        text = syntax.text(node)
        if node.start_byte == 0 and text.startswith("#!") and not self._within:
            words = text.split()
            at = next((i for i, one in enumerate(words) if "perl" in basename(one)), None)
            if at is not None:
                self.found += options(words[at + 1 :], line)[0]

    def _use(self, node: Node, line: int) -> None:
        name = next((syntax.text(one) for one in node.children if one.type == "package"), "")
        if not name:
            return
        arguments = [one for one in node.named_children if one.type != "package"]
        if len(arguments) == 1 and arguments[0].type == "list_expression":
            arguments = arguments[0].named_children
        words = [*self._values.words(arguments)]
        self._keep(Kind.MODULE, name, line)
        if name == "lib":
            self._libraries(arguments, line)
            return
        inherits = name in ("base", "parent") and "-norequire" not in words
        for one in filter(is_module, words):
            if inherits:
                self._keep(Kind.MODULE, one, line)
            elif one[0].isupper():
                self._keep(Kind.MAYBE, one, line, guarded=True)

    def _require(self, node: Node, line: int) -> None:
        wanted = next(iter(node.named_children), None)
        if wanted is None:
            return
        guarded = _is_guarded(node)
        value = self._values.value(wanted)
        if wanted.type == "bareword":
            self._keep(Kind.MODULE, syntax.text(wanted), line, guarded=guarded)
        elif value is not None:
            self._keep(Kind.FILE, value, line, guarded=guarded)
        elif not self._below(wanted, line):
            self._computed(line)

    def _computed(self, line: int) -> None:
        """A name that is not known here: most often of a module below the package."""
        self._keep(Kind.FAMILY, self._values.package, line, guarded=True)

    def _each(self, node: Node, line: int) -> None:
        """One of several programs is looked for: `for my $gpg_bin ('gpg', 'gpg2')`."""
        for one in filter(WORD.fullmatch, self._values.words(runs.tried(node))):
            self._keep(Kind.PERHAPS, one, line, guarded=True)

    def _eval(self, node: Node, line: int) -> None:
        """`do FILE`, or `eval STRING`, whose text is read, too."""
        for one in node.named_children:
            if one.type == "filename" and node.children[0].type == "do":
                for value in self._values.words([one]):
                    self._keep(Kind.FILE, value, line, guarded=True)
            elif one.type in (*STRINGS, "binary_expression"):
                self._evaluated(one, line)
            elif one.type == "heredoc_token":
                text, families = here(node)
                self._code(text, line)
                for name in families:
                    self._keep(Kind.FAMILY, name, line, guarded=True)

    def _evaluated(self, node: Node, line: int) -> None:
        """A text of code: what is constant of it, and what is loaded by a computed name."""
        certain = self._values.certain(node)
        first, _, name = certain.strip().partition(" ")
        is_whole = self._values.value(node) == certain
        if not is_whole and first in ("require", "use"):
            if name.endswith("::"):
                self._keep(Kind.FAMILY, name[:-2], line, guarded=True)
            elif not name:
                self._computed(line)
        self._code(self._values.beginning(node).encode("utf-8", "surrogateescape"), line)

    def _code(self, text: bytes, line: int) -> None:
        """Read code within the text."""
        if text and self._within < _MOST_WITHIN:
            self._within += 1
            ended = self._ended
            self.read(syntax.parse("perl", text), line)
            self._within, self._ended = self._within - 1, ended

    def _call(self, node: Node, line: int) -> None:
        """A call that loads modules, that changes @INC, or that is a path."""
        name, arguments = called(node)
        if name in ("push", "unshift") and arguments and syntax.text(arguments[0]) == "@INC":
            self._libraries(arguments[1:], line)
        elif name == "import" and syntax.text(node.children[0]) == "lib":
            self._libraries(arguments, line)
        elif words := runs.of(name, arguments, self._runners):
            self._run(words, line)
        elif name == "require" and node.type == "method_call_expression":
            self._computed(line)
        elif name.startswith("connect") and arguments:
            for driver in loads.drivers(self._values.line(arguments[0])):
                self._keep(Kind.MODULE, driver, line, guarded=True)
        else:
            self._loaded(name, arguments, line)
        if node.end_byte > self._ended and self._path(node, line):
            self._ended = node.end_byte

    def _libraries(self, nodes: list[Node], line: int) -> None:
        for one in self._values.directories(nodes):
            self._keep(Kind.LIBRARY, one, line)

    def _run(self, words: list[Node], line: int) -> None:
        """A command: as one text, or as a program and its arguments."""
        listed = self._values.first(words[0])
        if len(words) == 1 and not listed:
            self._command(words[0], line)
            return
        word = listed or self._values.line(words[0])
        if UNKNOWN not in word:
            self._keep(Kind.PROGRAM, word, line)

    def _command(self, node: Node, line: int) -> None:
        text = self._values.line(node).strip(" |\t\n")
        if text.strip(UNKNOWN):
            self._keep(Kind.COMMAND, text, line)

    def _loaded(self, name: str, arguments: list[Node], line: int) -> None:
        known = loads.LOADERS | loads.INHERITING | loads.FINDERS | loads.SHARES
        words = [*self._values.words(arguments), *bare(arguments)] if name in known else []
        modules = [*filter(is_module, words)]
        if name in loads.SHARES:
            share = words[0] if words else self._values.package
            self._keep(Kind.SHARE, share, line, guarded=True)
        elif name in loads.FINDERS:
            for one in modules or [self._values.package]:
                self._keep(Kind.PLUGINS, one, line, guarded=True)
        for one in modules if name in loads.LOADERS | loads.INHERITING else ():
            self._keep(Kind.MAYBE, one, line, guarded=True)
        if name in loads.LOADERS and not words:
            self._computed(line)

    def _string(self, node: Node, line: int) -> None:
        """A constant expression that may name a module or a path."""
        if node.end_byte <= self._ended:
            return
        if node.type == "quoted_word_list":
            for one in self._values.words([node]):
                self._maybe(one, line)
            return
        value, text = self._values.value(node), self._values.line(node)
        command = TEXT.fullmatch(text.lstrip(" |"))
        if text.rstrip().endswith(" |"):  # as `open` takes it, or <>
            self._command(node, line)
        elif command is not None:
            self._keep(Kind.PERHAPS, command["word"], line, guarded=True)
        if value is None:
            self._below(node, line)
            return
        self._ended = node.end_byte
        if not self._path(node, line):
            self._maybe(value, line)

    def _array(self, node: Node, line: int) -> None:
        """A list that may be a command: a word, then an option."""
        nodes = runs.elements(node)
        words = [*self._values.words(nodes)] if [*self._values.words(nodes[:1])] else []
        match words:
            case [first, second, *_] if second.startswith("-") and WORD.fullmatch(first):
                self._keep(Kind.PERHAPS, first, line, guarded=True)

    def _maybe(self, value: str, line: int) -> None:
        name = value.strip("+").removesuffix("::")
        if "::" in name and is_module(name):
            self._keep(Kind.MAYBE, name, line, guarded=True)

    def _path(self, node: Node, line: int) -> bool:
        value = self._values.value(node)
        if value is None or value[:1] not in MARKS or {*MARKS} & {*value[1:]}:
            return False
        self._keep(Kind.PATH, value, line, guarded=True)
        return True

    def _below(self, node: Node, line: int) -> bool:
        """Whether a computed text begins as the names of all modules below one."""
        begin = self._values.beginning(node)
        name = begin.removesuffix("::")
        if "::" not in begin or not name or not is_module(name):
            return False
        self._keep(Kind.FAMILY, name if name != begin else f"{name}*", line, guarded=True)
        return True


def _is_guarded(node: Node) -> bool:
    at = node.parent
    while at is not None and at.type not in _GUARDS:
        at = at.parent
    return at is not None
