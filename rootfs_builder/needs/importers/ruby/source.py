"""The text of a Ruby program, library, Gemfile or gemspec → what it requires and names."""

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from posixpath import basename

from msgspec import Struct
from tree_sitter import Node

from rootfs_builder.needs.importers import command_calls, commands, syntax
from rootfs_builder.needs.importers.command_calls import How
from rootfs_builder.needs.importers.ruby.values import Values, called
from rootfs_builder.needs.importers.walk import BELOW, HERE, MARKS

_QUERY = """
(array) @array
(assignment) @assign
(binary operator: "<<") @shift
(call) @call
(comment) @comment
(string) @string
(string_array) @words
(subshell) @shell
"""
_PATH = frozenset(("$:", "$LOAD_PATH"))
_ADDING = frozenset(("<<", "append", "concat", "insert", "prepend", "push", "unshift"))
_OBJECTS = ("", "Kernel", "Object", "Process", "self")
_OWN_REQUIRING = re.compile(r"(?:\w+_)?requires?(?:_\w+)?")  # a method of a program's own
_REQUIRING = ("autoload", "load", "require", "require_dependency", "require_relative")
_DEPENDENCIES = ("add_dependency", "add_runtime_dependency")
_COMMANDS = ("activate_bin_path", "bin_path")
_GEMS = ("gem", *_DEPENDENCIES)
_FINDING = ("find_files", "find_latest_files", "try_activate")
_RUNS = dict.fromkeys(
    ("capture2", "capture2e", "capture3", "exec", "popen", "popen3", "spawn", "system"), How.EITHER
)
_GUARDS = frozenset(
    ("conditional", "if", "if_modifier", "rescue_modifier", "unless", "unless_modifier", "case")
)
_DEFINED = ("defined?", "Object.const_defined?")
_LAZY = frozenset(("block", "do_block", "lambda", "method", "singleton_method"))


class Kind(StrEnum):
    """What a name in a source stands for."""

    FEATURE = "feature"  # `require` or `load`
    MAYBE = "maybe"  # a text that may be a feature, where features are computed
    FAMILY = "family"  # any feature below a directory is loaded
    COMPUTED = "computed"  # the name is known to the running program alone
    BESIDE = "beside"  # a file that is loaded by its path
    LIBRARY = "library"  # a directory of $LOAD_PATH
    PATH = "path"  # a path that starts from the place of the file
    FILES = "files"  # some or all files of such a directory
    GEM = "gem"  # it is activated
    COMMAND = "command"  # a program of a gem that is started: the gem, a space, its name
    REQUIRE_PATH = "require-path"  # of a gemspec
    BUNDLE = "bundle"  # a Gemfile beside says which gems there are
    PROGRAM = "program"  # a program is started
    LINE = "line"  # a command line is run by a shell
    PERHAPS = "perhaps"  # a text that seems to be a command names it


class Import(Struct, frozen=True, array_like=True):
    """One name, and on which line it stands; where it is `guarded`, the text goes on without."""

    kind: Kind
    name: str
    line: int
    guarded: bool = False


Imports = tuple[Import, ...]


def read(text: bytes) -> Imports:
    """What a text requires, none twice."""
    reader = _Reader()
    for name, node in syntax.captures("ruby", _QUERY, syntax.parse("ruby", text)):
        reader.by_name[name](node, syntax.line(node))
    found = dict[tuple[Kind, str], Import]()
    computed = [Import(Kind.COMPUTED, "", 0, guarded=True), *reader.maybe]
    for one in reader.found + (computed if reader.computes else []):
        known = found.get((one.kind, one.name))
        if known is None or (known.guarded and not one.guarded):
            found[one.kind, one.name] = one
    return tuple(found.values())


def options(words: Iterable[str], line: int = 1) -> tuple[Imports, str | None]:
    """What ruby's own options require, and the first word that is none: the script."""
    found = list[Import]()
    todo = [*words]
    while todo and todo[0].startswith("-") and len(todo[0]) > 1:
        word = todo.pop(0)
        if word == "--":
            break
        letter, value = word[1], word[2:]
        if letter in "reIC" and not value and todo:
            value = todo.pop(0)
        if letter == "r":
            found.append(Import(Kind.FEATURE, value, line))
        elif letter == "I":
            found += [Import(Kind.LIBRARY, one, line) for one in value.split(":") if one]
        elif letter == "e" or word.endswith("e"):
            code = value if letter == "e" else (todo.pop(0) if todo else "")
            found += read(code.encode("utf-8", "surrogateescape"))
            return tuple(found), None
    return tuple(found), todo[0] if todo else None


class _Reader:
    """Reads one text; `maybe` counts if it `computes` what it requires."""

    def __init__(self) -> None:
        self.found = list[Import]()
        self.maybe = list[Import]()
        self.computes = False
        self._values = Values()
        self._ended = -1
        self.by_name: dict[str, Callable[[Node, int], None]] = {
            "array": self._array,
            "assign": self._assign,
            "call": self._call,
            "comment": self._comment,
            "shell": self._shell,
            "shift": self._shift,
            "string": self._string,
            "words": self._words,
        }

    def _keep(self, kind: Kind, name: str, line: int, *, guarded: bool = False) -> None:
        self.found.append(Import(kind, name, line, guarded))

    def _comment(self, node: Node, line: int) -> None:
        """The first line of a script has options, too."""
        text = syntax.text(node)
        if node.start_byte == 0 and text.startswith("#!"):
            words = text.split()
            at = next((i for i, one in enumerate(words) if "ruby" in basename(one)), None)
            if at is not None:
                self.found += options(words[at + 1 :], line)[0]

    def _assign(self, node: Node, line: int) -> None:
        left, right = node.children[0], node.children[-1]
        self._values.assign(node)
        if left.type == "call" and syntax.text(left).endswith(".require_paths"):
            for one in self._values.listed(right):
                self._keep(Kind.REQUIRE_PATH, one, line)

    def _shift(self, node: Node, line: int) -> None:
        if syntax.text(node.children[0]) in _PATH:
            self._add(node.children[2:], line)

    def _add(self, nodes: Iterable[Node], line: int) -> None:
        for node in nodes:
            found = [*self._values.listed(node)]
            for one in found:
                self._keep(Kind.LIBRARY, one, line)
            if not found and node.is_named:
                end = self._values.ending(node)
                if end:
                    self._keep(Kind.LIBRARY, BELOW + end, line)

    def _call(self, node: Node, line: int) -> None:
        receiver, name, arguments = called(node)
        if receiver in _PATH and name in _ADDING:
            self._add(arguments, line)
        elif receiver in ("Bundler", "Gem"):
            self._of_gems(name, arguments, line)
        elif name in _REQUIRING and receiver in _OBJECTS and arguments:
            self._required(name, node, arguments, line)
        elif name not in _REQUIRING and _OWN_REQUIRING.fullmatch(name):
            for one in filter(_is_feature, self._values.texts(arguments)):
                self._keep(Kind.FEATURE, one, line, guarded=True)
        elif name in _GEMS:
            for one in () if _is_for_old_gems(node) else [*self._values.texts(arguments[:1])]:
                guarded = _is_guarded(node)
                self._keep(Kind.GEM, one, line, guarded=guarded)
        elif name in _RUNS and receiver in (*_OBJECTS, "IO", "Open3"):
            self._run(name, arguments, line)
        if node.end_byte > self._ended and self._path(node, line):
            self._ended = node.end_byte

    def _run(self, name: str, arguments: list[Node], line: int) -> None:
        """A call that starts programs."""
        places = [one for one in self._values.texts(arguments[:1]) if one.startswith(MARKS)]
        for one in places:
            self._keep(Kind.PROGRAM, one.partition(" ")[0], line, guarded=True)
        for command in () if places else command_calls.of(name, arguments, _RUNS):
            kind = Kind.LINE if command.is_line else Kind.PROGRAM
            self._keep(kind, command.text, line, guarded=True)

    def _shell(self, node: Node, line: int) -> None:
        self._keep(Kind.LINE, command_calls.line(node), line, guarded=True)

    def _of_gems(self, name: str, arguments: list[Node], line: int) -> None:
        """A call of RubyGems or Bundler."""
        words = [*self._values.texts(arguments[:2])]
        if name in ("require", "setup"):
            self._keep(Kind.BUNDLE, "", line)
        elif name in _COMMANDS and words:
            self._keep(Kind.GEM, words[0], line, guarded=True)
            self._keep(Kind.COMMAND, " ".join(words), line, guarded=True)
        elif name in _FINDING:
            for one in words[:1]:
                self._keep(Kind.FEATURE, one, line, guarded=True)

    def _required(self, name: str, node: Node, arguments: list[Node], line: int) -> None:
        guarded = _is_guarded(node)
        if _is_of_others(node):
            return
        if name == "require_relative":
            self._relative(arguments[0], line, guarded=guarded)
        elif name == "autoload":
            for one in arguments[1:2]:
                self._loaded(one, line, guarded=True)
        else:
            value = self._values.value(arguments[0]) or ""
            if value == "bundler" or value.startswith("bundler/"):
                self._keep(Kind.BUNDLE, "", line)
            self._loaded(arguments[0], line, guarded=guarded or name == "load")

    def _loaded(self, wanted: Node, line: int, *, guarded: bool) -> None:
        value = self._values.value(wanted)
        if value is not None:
            kind = Kind.BESIDE if value.startswith(("/", *MARKS)) else Kind.FEATURE
            self._keep(kind, value, line, guarded=guarded)
            return
        begin = self._values.beginning(wanted)
        if "/" in begin and not begin.startswith(MARKS):
            self._keep(Kind.FAMILY, begin.rpartition("/")[0], line, guarded=True)
        elif wanted.type != "call":  # of a call the path stands within
            self.computes = True

    def _relative(self, wanted: Node, line: int, *, guarded: bool) -> None:
        value = self._values.value(wanted)
        begin = self._values.beginning(wanted) if value is None else ""
        if value is not None:
            self._keep(Kind.BESIDE, f"{HERE}/{value}", line, guarded=guarded)
        elif "/" in begin:
            self._keep(Kind.PATH, f"{HERE}/{begin.rpartition('/')[0]}", line, guarded=True)
        else:
            self._keep(Kind.FILES, HERE, line, guarded=True)
            self.computes = True

    def _string(self, node: Node, line: int) -> None:
        if node.end_byte <= self._ended:
            return
        if not self._path(node, line):
            value = self._values.value(node)
            text = command_calls.line(node) if value is None else value
            may_run = " -" in text or text.startswith("which ")
            command = commands.TEXT.fullmatch(text) if may_run else None
            if command is not None:
                self._keep(Kind.PERHAPS, command["word"], line, guarded=True)
            elif value is not None and _is_feature(value):
                self.maybe.append(Import(Kind.MAYBE, value, line, guarded=True))

    def _array(self, node: Node, line: int) -> None:
        """A list that may be a command: a word, then an option."""
        match [self._values.value(one) for one in node.named_children[:2]]:
            case [str(word), str(option)] if option[:1] == "-" and commands.WORD.fullmatch(word):
                self._keep(Kind.PERHAPS, word, line, guarded=True)

    def _words(self, node: Node, line: int) -> None:
        for one in filter(_is_feature, self._values.listed(node)):
            self.maybe.append(Import(Kind.MAYBE, one, line, guarded=True))

    def _path(self, node: Node, line: int) -> bool:
        value = self._values.value(node)
        if value is None or value[:1] not in MARKS or {*MARKS} & {*value[1:]}:
            return False
        parts = value.split("/")
        wild = next((i for i, one in enumerate(parts) if {*"*?[{"} & {*one}), len(parts))
        kind = Kind.PATH if wild == len(parts) else Kind.FILES
        self._keep(kind, "/".join(parts[:wild]), line, guarded=True)
        return True


def _is_feature(text: str) -> bool:
    """Whether a text can be what `require` is given."""
    words = text.replace("/", "a").replace("-", "a").replace("_", "a").replace(".", "a")
    return bool(text) and words.isascii() and words.isalnum() and text[0].isalnum()


def _is_guarded(node: Node) -> bool:
    """Whether a text goes on if a call fails, or may not come there at all."""
    at = node.parent
    while at is not None:
        if at.type in _GUARDS or at.type in _LAZY:
            return True
        if at.type in ("begin", "body_statement") and any(
            one.type == "rescue" for one in at.children
        ):
            return True
        at = at.parent
    return False


def _is_for_old_gems(node: Node) -> bool:
    """Whether a gemspec says something for a RubyGems that knows no kinds of dependencies."""
    at: Node | None = node
    while at is not None and at.type != "else":
        at = at.parent
    around = at.parent if at is not None else None
    asked = around.child_by_field_name("condition") if around is not None else None
    return asked is not None and "respond_to?" in syntax.text(asked)


def _is_of_others(node: Node) -> bool:
    """Whether a call is done only where something else has been loaded already."""
    below, at = node, node.parent
    while at is not None:
        condition = at.child_by_field_name("condition")
        is_if = at.type in ("if", "if_modifier") and below.type not in ("else", "elsif")
        if is_if and condition is not None and syntax.text(condition).startswith(_DEFINED):
            return True
        below, at = at, at.parent
    return False
