"""Conditions that hold for every run of a Python on Linux, or for none."""

import ast
import operator
from typing import Any

_UNKNOWN = object()
_OPERATORS = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_KNOWN = {"sys.platform": "linux", "os.name": "posix", "platform.system": "Linux"}
_NAMES = {"TYPE_CHECKING": False, "PY2": False, "PY3": True, "WINDOWS": False, "WIN32": False}
IMPORT_ERRORS = frozenset(("BaseException", "Exception", "ImportError", "ModuleNotFoundError"))


def truth(test: ast.expr, minor: int) -> bool | None:
    """Whether a condition holds in Python 3.`minor`; None: who knows."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        known = truth(test.operand, minor)
        return None if known is None else not known
    if isinstance(test, ast.BoolOp):
        each = [truth(one, minor) for one in test.values]
        decisive = isinstance(test.op, ast.Or)
        if decisive in each:
            return decisive
        return None if None in each else not decisive
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Name | ast.Attribute):
        return _NAMES.get(test.id if isinstance(test, ast.Name) else test.attr)
    if isinstance(test, ast.Call):
        return _begins(test, minor)
    return _compared(test, minor) if isinstance(test, ast.Compare) else None


def _begins(test: ast.Call, minor: int) -> bool | None:
    """`sys.platform.startswith("win")`."""
    if not isinstance(test.func, ast.Attribute) or test.func.attr != "startswith":
        return None
    known, text = _value(test.func.value, minor), _value(test.args[0], minor) if test.args else None
    return known.startswith(text) if isinstance(known, str) and isinstance(text, str) else None


def _compared(test: ast.Compare, minor: int) -> bool | None:
    if len(test.ops) != 1:
        return None
    left: Any = _value(test.left, minor)
    right: Any = _value(test.comparators[0], minor)
    if _UNKNOWN in (left, right):
        return None
    try:
        if isinstance(test.ops[0], ast.In | ast.NotIn) and isinstance(right, tuple):
            return (left in right) is isinstance(test.ops[0], ast.In)
        compare = _OPERATORS.get(type(test.ops[0]))
        return bool(compare(left, right)) if compare else None
    except TypeError:
        return None


def _value(node: ast.expr, minor: int) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Tuple | ast.List):
        each = tuple(_value(one, minor) for one in node.elts)
        return _UNKNOWN if _UNKNOWN in each else each
    version = (3, minor, 1 << 16)
    if isinstance(node, ast.Subscript) and _dotted(node.value) == "sys.version_info":
        index = _index(node.slice)
        return _UNKNOWN if index is None else version[index]
    name = _dotted(node.func if isinstance(node, ast.Call) else node)
    if name == "sys.version_info":
        return version
    parts = {"sys.version_info.major": 3, "sys.version_info.minor": minor}
    return parts.get(name, _KNOWN.get(name, _UNKNOWN))


def _index(node: ast.expr) -> slice | int | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value if node.value in (0, 1) else None
    if isinstance(node, ast.Slice) and node.lower is None and isinstance(node.upper, ast.Constant):
        return slice(node.upper.value) if isinstance(node.upper.value, int) else None
    return None


def _dotted(node: ast.expr) -> str:
    """`a.b.c` of names and attributes, "" of anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""


def catches_missing(handlers: list[ast.ExceptHandler]) -> bool:
    """Whether a `try` is ready for a module that is not there."""
    return any(one.type is None or any(map(is_import_error, _types(one.type))) for one in handlers)


def _types(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def is_import_error(node: ast.expr) -> bool:
    """Whether an exception is that of a missing module, or one that it is."""
    return _dotted(node).rpartition(".")[2] in IMPORT_ERRORS


def is_main(test: ast.expr) -> bool:
    """`__name__ == "__main__"`."""
    return isinstance(test, ast.Compare) and _dotted(test.left) == "__name__"
