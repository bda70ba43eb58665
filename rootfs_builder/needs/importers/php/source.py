"""The bytes of a PHP script → the files that it includes, and those that it opens by its own place.

A path is text; one that begins with `FILE` is relative to the file in which it stands.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct
from tree_sitter import Node

from rootfs_builder.needs.importers import command_calls, syntax
from rootfs_builder.needs.importers.command_calls import Command, How

FILE = "\0file"  # no literal path has a NUL
_INCLUDES = {
    "include_expression": False,
    "include_once_expression": False,
    "require_expression": True,
    "require_once_expression": True,
}
_PATHS = frozenset(("binary_expression", "encapsed_string", "function_call_expression", "name"))
_MAY_NOT_RUN = frozenset(
    (
        "anonymous_function",
        "arrow_function",
        "else_clause",
        "function_definition",
        "if_statement",
        "method_declaration",
        "switch_statement",
        "try_statement",
        "while_statement",
    )
)
_UNCHANGED = frozenset(("realpath", "rtrim", "strval"))
_CONSTANTS = {"DIRECTORY_SEPARATOR": "/", "__FILE__": FILE, "__DIR__": f"{FILE}/.."}
_MOST_LEVELS = 20
_RUNS = dict.fromkeys(("exec", "passthru", "popen", "proc_open", "shell_exec", "system"), How.LINE)
_WORDS = (
    b"require",
    b"include",
    b"__dir__",
    b"__file__",
    b"exec",
    b"popen",
    b"system",
    b"passthru",
    b"proc_open",
    b"`",
)


class Place(NamedTuple):
    """A path; where it is `open`, only the running script knows what follows."""

    text: str
    open: bool = False


class Include(Struct, frozen=True, array_like=True):
    """A file that is included; `open` of which only the beginning is known, `certain` if always."""

    path: str
    line: int
    open: bool
    certain: bool


class Source(Struct, frozen=True, array_like=True):
    """What a script includes, the paths of what it opens by its own place, and what it runs."""

    includes: tuple[Include, ...] = ()
    files: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()


def read(data: bytes) -> Source:
    """What a text shows."""
    lower = data.lower()
    if not any(word in lower for word in _WORDS):
        return Source()
    return _Reader().read(syntax.parse("php", data))


class _Reader:
    """Walks one tree."""

    def __init__(self) -> None:
        self._names = dict[str, Place]()
        self._includes = dict[Include, None]()
        self._files = dict[str, None]()
        self._commands = dict[Command, None]()

    def read(self, root: Node) -> Source:
        """All that it shows; a node is asked before those below it."""
        todo = [(root, True)]
        while todo:
            node, certain = todo.pop()
            if node.type in _INCLUDES:
                self._include(node, certain)
                continue
            self._assign(node)
            self._run(node)
            if node.type in _PATHS and self._is_beside(node):
                continue
            certain = certain and node.type not in _MAY_NOT_RUN
            todo += [(child, certain) for child in reversed(node.named_children)]
        return Source(tuple(self._includes), tuple(self._files), tuple(self._commands))

    def _run(self, node: Node) -> None:
        if node.type == "shell_command_expression":
            self._commands[Command(command_calls.line(node), is_line=True)] = None
        elif node.type == "function_call_expression":
            for command in command_calls.of(_called(node), _arguments(node), _RUNS):
                self._commands[command] = None

    def _include(self, node: Node, certain: bool) -> None:
        place = evaluate(node.named_children[0], self._names) if node.named_children else None
        if place is not None and place.text:
            is_quiet = (
                node.parent is not None and node.parent.type == "error_suppression_expression"
            )
            sure = certain and _INCLUDES[node.type] and not is_quiet
            found = Include(place.text, syntax.line(node), place.open, sure)
            self._includes[found] = None

    def _is_beside(self, node: Node) -> bool:
        """Whether an expression is a path by the file's own place, which is kept."""
        place = evaluate(node, self._names)
        if place is None or not place.text.startswith(FILE):
            return False
        self._files[place.text] = None
        return True

    def _assign(self, node: Node) -> None:
        """Constants and variables that are paths."""
        name: Node | None = None
        value: Node | None = None
        if node.type == "assignment_expression":
            name, value = node.child_by_field_name("left"), node.child_by_field_name("right")
        elif node.type == "const_element" and len(node.named_children) > 1:
            name, value = node.named_children[:2]
        elif node.type == "function_call_expression" and _called(node) == "define":
            arguments = _arguments(node)
            if len(arguments) > 1 and (text := evaluate(arguments[0], {})) is not None:
                place = evaluate(arguments[1], self._names)
                if place is not None:
                    self._names[text.text] = place
            return
        place = evaluate(value, self._names)
        if name is not None and place is not None:
            self._names[syntax.text(name)] = place


def evaluate(node: Node | None, names: Mapping[str, Place]) -> Place | None:
    """The path, or plain text, of an expression; `names` are those that were assigned one."""
    if node is None:
        return None
    if node.type in ("parenthesized_expression", "argument") and node.named_children:
        return evaluate(node.named_children[0], names)
    if node.type in ("string", "encapsed_string"):
        return _string(node, names)
    if node.type in ("name", "variable_name"):
        text = syntax.text(node)
        constant = _CONSTANTS.get(text.upper() if text.startswith("__") else text)
        return Place(constant) if constant is not None else names.get(text)
    if node.type == "binary_expression":
        operator = node.child_by_field_name("operator")
        if operator is None or operator.type != ".":
            return None
        left = evaluate(node.child_by_field_name("left"), names)
        return left and joined(left, evaluate(node.child_by_field_name("right"), names))
    return _call(node, names) if node.type == "function_call_expression" else None


def _string(node: Node, names: Mapping[str, Place]) -> Place | None:
    """A text, with the variables in it that are known; escapes are no part of paths."""
    found: Place | None = None
    for child in node.named_children:
        inner = child.named_children[0] if child.type == "dynamic_variable_name" else child
        is_text = inner.type in ("string_content", "string_value")
        one = Place(syntax.text(inner)) if is_text else evaluate(inner, names)
        found = one if child is node.named_children[0] else found and joined(found, one)
        if found is None:
            return None
    return found or Place("")


def joined(left: Place, right: Place | None) -> Place | None:
    """Two texts, one behind the other; of a name that is not whole its directory."""
    if left.open:
        return left
    if right is None or right.text.startswith(FILE):
        directory = left.text.rpartition("/")[0]
        return Place(directory, open=True) if directory else None
    return Place(left.text + right.text, right.open)


def _call(node: Node, names: Mapping[str, Place]) -> Place | None:
    what, arguments = _called(node), _arguments(node)
    if what == "dirname" and arguments:
        place = evaluate(arguments[0], names)
        levels = int(text) if (text := _number(arguments)) else 1
        up = "/.." * min(levels, _MOST_LEVELS)
        return None if place is None else Place(place.text + up, place.open)
    return evaluate(arguments[0], names) if what in _UNCHANGED and arguments else None


def _number(arguments: list[Node]) -> str:
    text = syntax.text(arguments[1]) if len(arguments) > 1 else ""
    return text if text.isdecimal() else ""


def _called(node: Node) -> str:
    function = node.child_by_field_name("function")
    return syntax.text(function).lstrip("\\").lower() if function is not None else ""


def _arguments(node: Node) -> list[Node]:
    arguments = node.child_by_field_name("arguments")
    return list(arguments.named_children) if arguments is not None else []
