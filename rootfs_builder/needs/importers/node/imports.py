"""The text of a module for Node.js → what it imports, and the files that it names by its place."""

import re
from collections.abc import Iterator

from msgspec import Struct
from tree_sitter import Node

from rootfs_builder.needs.importers import command_calls, syntax
from rootfs_builder.needs.importers.command_calls import How
from rootfs_builder.needs.importers.commands import TEXT, UNKNOWN

VERSION = 8  # of what is remembered
_JOINING = frozenset(("join", "resolve"))
_RUNS = dict.fromkeys(("exec", "execSync"), How.LINE) | dict.fromkeys(
    ("execFile", "execFileSync", "spawn", "spawnSync"), How.PROGRAM
)
# What runs a line by a shell, whatever the line: not the `exec` of an expression. TypeScript's
# compiler calls `(0, child_process_1.exec)(…)`.
_RUNNER = re.compile(
    r"(?:\(0, ?)?"
    r"(?:(?:\w*child_?[pP]rocess\w*|cp|require\(['\"](?:node:)?child_process['\"]\))\.)?"
    r"exec(?:Sync)?\)?"
)
_PROGRAM = re.compile(r"[a-z][\w.+-]{1,40}")
_HERE = frozenset(("__dirname", "import.meta.dirname"))
_QUERY = r"""
(import_statement) @import
(export_statement source: (_)) @import
(call_expression function: (import)) @call
(call_expression function: (identifier) @_f (#match? @_f "^(CALLED)$")) @call
(call_expression function: (member_expression property: (property_identifier) @_f)
    (#match? @_f "^(CALLED)$")) @call
(call_expression function: (parenthesized_expression) @_f (#match? @_f "[.](CALLED)[)]$")) @call
(call_expression function: [(identifier) (member_expression)] @_f
    (#match? @_f "([cC]md|[cC]ommand|[eE]xec|[rR]un|[sS]hell|[sS]pawn)[A-Za-z]*$")
    arguments: (arguments . (string) . [(array) (identifier)])) @passed
(new_expression constructor: (identifier) @_f (#eq? @_f "URL")) @new
(binary_expression left: (_) @_f
    (#any-of? @_f "__dirname" "import.meta.dirname")) @joined
((string) @program (#match? @program "^.(/usr)?/s?bin/[A-Za-z0-9_.+-]+.$"))
((string) @command (#match? @command "^.[a-z][a-zA-Z0-9_.+-]+ ([^ ]* )*--?[a-zA-Z0-9]"))
((template_string) @command (#match? @command "^.[a-z][a-zA-Z0-9_.+-]+ ([^ ]* )*--?[a-zA-Z0-9]"))
(template_string . (template_substitution) @_f
    (#match? @_f "^..\\s*(__dirname|import[.]meta[.]dirname)\\s*.$")) @template
(try_statement body: (_) @tried)
"""


class Request(Struct, frozen=True, array_like=True):
    """A module that is imported, or a `file` beside; `guarded` if the text is ready without it.

    One that ends with `/*` is any module of a directory: only the running program knows which.
    `runs` says how it is a command that is run, instead.
    """

    text: str
    line: int
    file: bool = False
    guarded: bool = False
    runs: How | None = None


def find(text: bytes, language: str = "javascript") -> tuple[Request, ...]:
    """The requests of a text, each once."""
    root = syntax.parse(language, text)
    runs = b"child_process" in text
    made = {*_made(root, language)} if b"createRequire(" in text else set[str]()
    called = "|".join(("require", *_JOINING, *_RUNS, "fork", *map(re.escape, sorted(made))))
    found: dict[tuple[str, bool, How | None], Request] = {}
    tried = 0  # where the last block ends that may fail
    for kind, node in syntax.captures(language, _QUERY.replace("CALLED", called), root):
        if kind == "tried":
            tried = max(tried, node.end_byte)
            continue
        guarded = node.start_byte < tried
        for request in _requests(kind, node, {"require", *made}, guarded=guarded):
            if not runs and (request.text == UNKNOWN or request.runs is How.PERHAPS):
                continue  # a function of its own that is called exec, or a text about another tool
            key = request.text, request.file, request.runs
            known = found.setdefault(key, request)
            if known.guarded and not request.guarded:
                found[key] = request
    return tuple(found.values())


def _made(root: Node, language: str) -> Iterator[str]:
    """The names of what createRequire(…) gives."""
    for _, node in syntax.captures(language, "(variable_declarator) @made", root):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is not None and value is not None and "createRequire(" in syntax.text(value):
            yield syntax.text(name)


def _requests(kind: str, node: Node, requiring: set[str], *, guarded: bool) -> Iterator[Request]:
    line = syntax.line(node)
    if kind == "import":
        yield from _imported(node, line, guarded=guarded)
    elif kind == "call":
        yield from _call(node, requiring, line, guarded=guarded)
    elif kind == "new":
        yield from _beside(node, line, guarded=guarded)
    elif kind == "joined":
        right = node.child_by_field_name("right")
        text = _literal(right) if right is not None else None
        if text:
            yield Request(f".{text}", line, file=True, guarded=guarded)
    elif kind == "template":
        yield from _template(node, line, guarded=guarded)
    else:
        yield from _programs(kind, node, line)


def _imported(node: Node, line: int, *, guarded: bool) -> Iterator[Request]:
    source = node.child_by_field_name("source")
    types = node.type == "import_statement" and any(one.type == "type" for one in node.children)
    text = _literal(source) if source is not None else None
    if text and not types:
        yield Request(text, line, guarded=guarded)


def _beside(node: Node, line: int, *, guarded: bool) -> Iterator[Request]:
    """`new URL('file', import.meta.url)`."""
    words = _arguments(node)
    url = syntax.text(node.child_by_field_name("constructor") or node) == "URL"
    beside = url and len(words) > 1 and syntax.text(words[1]) == "import.meta.url"
    text = _literal(words[0]) if beside else None
    if text:
        yield Request(text, line, file=True, guarded=guarded)


def _call(node: Node, requiring: set[str], line: int, *, guarded: bool) -> Iterator[Request]:
    function, words = node.child_by_field_name("function"), _arguments(node)
    if function is None or not words:
        return
    called = syntax.text(function)
    text = _literal(words[0])
    if called == "import" or called.removesuffix(".resolve") in requiring:
        if text:
            quiet = guarded or called.endswith(".resolve")
            yield Request(text, line, guarded=quiet)
        elif directory := _beginning(words[0]).rpartition("/")[0]:
            yield Request(f"{directory}/*", line, guarded=True)
    elif called.rpartition(".")[2] in _JOINING and syntax.text(words[0]) in _HERE:
        parts: list[str] = []
        for word in words[1:]:
            part = _literal(word)
            if part is None:
                break
            parts.append(part)
        if parts:
            yield Request("/".join((".", *parts)), line, file=True, guarded=guarded)
    elif called.rpartition(".")[2] == "fork" and text and text.startswith("."):
        yield Request(text, line, file=True, guarded=True)
    else:
        yield from _commands(called, words, line)


def _commands(called: str, words: list[Node], line: int) -> Iterator[Request]:
    for command in command_calls.of(called.rpartition(".")[2].rstrip(")"), words, _RUNS):
        if command.text.strip(UNKNOWN) or _RUNNER.fullmatch(called):
            runs = How.LINE if command.is_line else How.PROGRAM
            yield Request(command.text, line, runs=runs)


def _programs(kind: str, node: Node, line: int) -> Iterator[Request]:
    """A path, a command, or a name in a call of another function: `utils.execute('git', words)`."""
    if kind == "program":
        yield Request(_literal(node) or "", line, runs=How.NAMED)
    elif kind == "command":
        command = TEXT.fullmatch(command_calls.line(node))
        if command is not None:
            yield Request(command["word"], line, runs=How.PERHAPS)
    elif kind == "passed":
        function, text = node.child_by_field_name("function"), _literal(_arguments(node)[0])
        known = function is not None and syntax.text(function).rpartition(".")[2] in _RUNS
        if not known and text and _PROGRAM.fullmatch(text):
            yield Request(text, line, runs=How.PASSED)


def _template(node: Node, line: int, *, guarded: bool) -> Iterator[Request]:
    """`${__dirname}/a/b`, up to what else is put in."""
    parts = node.named_children
    if not parts or parts[0].type != "template_substitution":
        return
    if syntax.text(parts[0])[2:-1].strip() not in _HERE or parts[1:2] == []:
        return
    text = syntax.text(parts[1]) if parts[1].type == "string_fragment" else ""
    whole = text if len(parts) == len(("here", "text")) else text.rpartition("/")[0]
    if whole.startswith("/"):
        yield Request(f".{whole}", line, file=True, guarded=guarded)


def _beginning(node: Node) -> str:
    """The text with which a path of modules beside begins; empty for any other."""
    while node.type == "binary_expression":
        node = node.child_by_field_name("left") or node.children[0]
    part = node
    if node.type == "template_string" and node.named_children:
        part = node.named_children[0]
    text = syntax.text(part) if part.type == "string_fragment" else _literal(part) or ""
    return text if text.startswith((".", "/")) else ""


def _arguments(node: Node) -> list[Node]:
    words = node.child_by_field_name("arguments")
    return [] if words is None else [one for one in words.named_children if one.type != "comment"]


def _literal(node: Node) -> str | None:
    """The text of a string without anything that is put in."""
    if node.type == "template_string" and all(
        one.type == "string_fragment" for one in node.named_children
    ):
        return syntax.text(node)[1:-1]
    return syntax.text(node)[1:-1] if node.type == "string" else None
