"""An expression of Python → the path that it stands for, where literals and `__file__` make it.

A path is text; one that begins with `FILE` is relative to the file in which it stands, one that
begins with `PREFIX` is below the interpreter's `sys.prefix`.
"""

import ast
from collections.abc import Mapping
from typing import NamedTuple

FILE, PREFIX = "\0file", "\0prefix"  # no literal path has a NUL
_PREFIXES = frozenset(("base_prefix", "exec_prefix", "prefix"))  # of sys
_CONSTANTS = {"pardir": "..", "curdir": ".", "sep": "/"}  # of os and os.path
_UNCHANGED = frozenset(
    (
        "Path",
        "PosixPath",
        "PurePath",
        "abspath",
        "absolute",
        "as_posix",
        "fspath",
        "normpath",
        "realpath",
        "resolve",
        "str",
    )
)
_MOST_PARENTS = 20


class Place(NamedTuple):
    """A path; where it is `open`, only the running program knows what follows."""

    text: str
    open: bool = False


def evaluate(node: ast.AST | None, names: Mapping[str, Place]) -> Place | None:
    """The path, or plain text, of an expression; `names` are those that were assigned one."""
    if isinstance(node, ast.Constant):
        return Place(node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return Place(FILE) if node.id == "__file__" else names.get(node.id)
    if isinstance(node, ast.Attribute):
        return _attribute(node, names)
    if isinstance(node, ast.Subscript):
        return _subscript(node, names)
    if isinstance(node, ast.BinOp):
        return _operation(node, names)
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):  # the default is the last
        return evaluate(node.values[-1], names)
    if isinstance(node, ast.JoinedStr):
        return _text(node, names)
    return _call(node, names) if isinstance(node, ast.Call) else None


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _up(place: Place | None, levels: int = 1) -> Place | None:
    return None if place is None else Place(place.text + "/.." * levels)


def _below(place: Place | None, parts: list[Place | None]) -> Place | None:
    """A path with parts joined to it, as far as they are known."""
    for part in parts:
        if place is None or place.open:
            return place
        if part is None:
            return Place(place.text, open=True)
        rooted = part.text.startswith(("/", FILE, PREFIX))
        place = part if rooted else Place(f"{place.text}/{part.text}", part.open)
    return place


def _attribute(node: ast.Attribute, names: Mapping[str, Place]) -> Place | None:
    if node.attr == "parent":
        return _up(evaluate(node.value, names))
    owner = node.value
    if isinstance(owner, ast.Name) and owner.id == "sys" and node.attr in _PREFIXES:
        return Place(PREFIX)
    if isinstance(owner, ast.Name | ast.Attribute) and node.attr in _CONSTANTS:
        last = owner.id if isinstance(owner, ast.Name) else owner.attr
        return Place(_CONSTANTS[node.attr]) if last in ("os", "path") else None
    return None


def _subscript(node: ast.Subscript, names: Mapping[str, Place]) -> Place | None:
    """`sys.path[0]`, `sys.argv[0]`, `PATH.parents[N]`, `os.path.split(PATH)[0]`."""
    at = node.slice.value if isinstance(node.slice, ast.Constant) else None
    value = node.value
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < _MOST_PARENTS:
        return None
    if isinstance(value, ast.Attribute) and value.attr == "parents":
        return _up(evaluate(value.value, names), at + 1)
    if at == 0 and isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
        if (value.value.id, value.attr) == ("sys", "argv"):
            return Place(FILE)
        if (value.value.id, value.attr) == ("sys", "path"):
            return Place(f"{FILE}/..")
    if at == 0 and isinstance(value, ast.Call) and called(value) == "split" and value.args:
        found = evaluate(value.args[0], names)
        return _up(found) if found is not None and found.text.startswith(FILE) else None
    return None


def _operation(node: ast.BinOp, names: Mapping[str, Place]) -> Place | None:
    left = evaluate(node.left, names)
    if left is None:
        return None
    if isinstance(node.op, ast.Div):
        return _below(left, [evaluate(node.right, names)])
    if isinstance(node.op, ast.Add):
        return _added(left, evaluate(node.right, names))
    return None


def _added(left: Place, right: Place | None) -> Place | None:
    """Two texts, one behind the other; of a name that is not whole its directory."""
    if left.open:
        return left
    if right is None or right.text.startswith((FILE, PREFIX)):
        directory = left.text.rpartition("/")[0]
        return Place(directory, open=True) if directory else None
    return Place(left.text + right.text, right.open)


def _text(node: ast.JoinedStr, names: Mapping[str, Place]) -> Place | None:
    found: Place | None = None
    for value in node.values:
        part = value.value if isinstance(value, ast.FormattedValue) else value
        one = evaluate(part, names)
        found = one if value is node.values[0] else found and _added(found, one)
        if found is None:
            return None
    return found


def _call(node: ast.Call, names: Mapping[str, Place]) -> Place | None:
    what, arguments = called(node), node.args
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    if what == "dirname" and arguments:
        return _up(evaluate(arguments[0], names))
    if what == "join" and arguments and not isinstance(owner, ast.Constant):
        return _below(evaluate(arguments[0], names), [evaluate(a, names) for a in arguments[1:]])
    if what in _UNCHANGED:
        if what.endswith("Path") and len(arguments) > 1:
            first = evaluate(arguments[0], names)
            return _below(first, [evaluate(one, names) for one in arguments[1:]])
        return evaluate(arguments[0] if arguments else owner, names)
    if what == "joinpath":
        return _below(evaluate(owner, names), [evaluate(one, names) for one in arguments])
    if what == "with_name" and arguments:
        return _below(_up(evaluate(owner, names)), [evaluate(arguments[0], names)])
    return None
