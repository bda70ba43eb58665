"""The text of a Lua program or module → what it requires and reads."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct
from tree_sitter import Node

from rootfs_builder.needs.importers import command_calls, syntax
from rootfs_builder.needs.importers.command_calls import How

_QUERY = "(function_call) @call (assignment_statement) @assign"
_LOADING = ("dofile", "loadfile")
_RUNS = dict.fromkeys(("io.popen", "os.execute"), How.LINE)
_PATHS = ("package.path", "package.cpath")
_REQUIRES = re.compile(  # by their names
    r"(?:[\w.]+[._])?(?:soft|opt|try|safe|maybe)_?req(?:uire)?"
)
_GUARDS = ("function_definition", "function_declaration", "if_statement", "binary_expression")


class Kind(StrEnum):
    """What a name in a source stands for."""

    MODULE = "module"  # `require`
    FAMILY = "family"  # any module below one
    FILE = "file"  # `dofile`, `loadfile`
    TEMPLATE = "template"  # of package.path
    LINE = "line"  # a command line is run by a shell


class Import(Struct, frozen=True, array_like=True):
    """One name, and on which line it stands; where it is `guarded`, the text goes on without."""

    kind: Kind
    name: str
    line: int
    guarded: bool = False


Imports = tuple[Import, ...]


def read(text: bytes) -> Imports:
    """What a text requires, in its order."""
    return tuple(dict.fromkeys(_imports(text)))


def _imports(text: bytes) -> Iterator[Import]:
    names = dict[str, str]()
    for name, node in syntax.captures("lua", _QUERY, syntax.parse("lua", text)):
        line = syntax.line(node)
        yield from _called(node, line) if name == "call" else _assigned(node, line, names)


def _called(node: Node, line: int) -> Iterator[Import]:
    given = node.child_by_field_name("arguments")
    words = given.named_children if given is not None else []
    function = syntax.text(node.children[0])
    guarded = _is_guarded(node)
    if function in ("pcall", "xpcall") and words and syntax.text(words[0]) == "require":
        function, guarded = "require", True
        words = words[2:] if syntax.text(node.children[0]) == "xpcall" else words[1:]
    for command in command_calls.of(function, words, _RUNS):
        yield Import(Kind.LINE, command.text, line, guarded=True)
    if _REQUIRES.fullmatch(function):
        function, guarded = "require", True
    if function not in ("require", *_LOADING) or not words:
        return
    value = _value(words[0])
    if value is not None:
        kind = Kind.MODULE if function == "require" else Kind.FILE
        yield Import(kind, value, line, guarded or kind is Kind.FILE)
    elif words[0].type == "binary_expression":
        begin = _value(words[0].children[0]) or ""
        if function == "require" and begin.endswith(".") and begin.strip("."):
            yield Import(Kind.FAMILY, begin.rstrip("."), line, guarded=True)


def _assigned(node: Node, line: int, names: dict[str, str]) -> Iterator[Import]:
    """The templates of which package.path is made: what is computed is most often a place.

    `names` grows by those that have a text.
    """
    name, values = syntax.text(node.children[0]), node.children[-1].named_children
    if name not in _PATHS:
        value = _value(values[0]) if len(values) == 1 else None
        names |= {name: value} if value is not None else {}
        return
    for one in syntax.walk(node):
        if one.type in ("string", "binary_expression") and not _is_part(one):
            for template in _joined(one, names).split(";"):
                if "?" in template:
                    yield Import(Kind.TEMPLATE, template, line)


def _is_part(node: Node) -> bool:
    return node.parent is not None and node.parent.type == "binary_expression"


def _joined(node: Node, names: Mapping[str, str]) -> str:
    """What is known of a text that is put together."""
    if node.type == "binary_expression":
        return "".join(_joined(one, names) for one in node.named_children)
    return _value(node) or names.get(syntax.text(node), "")


def _value(node: Node) -> str | None:
    if node.type != "string":
        return None
    return "".join(syntax.text(one) for one in node.named_children if one.type == "string_content")


def _is_guarded(node: Node) -> bool:
    at = node.parent
    while at is not None:
        if at.type in _GUARDS:
            return True
        at = at.parent
    return False
