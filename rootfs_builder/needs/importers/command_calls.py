"""A call in a syntax tree → the command that it runs, in any language of tree-sitter's.

The grammars name the parts of a text alike. What only the running program knows is UNKNOWN.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from tree_sitter import Node

from rootfs_builder.needs.importers import syntax
from rootfs_builder.needs.importers.commands import UNKNOWN

_CONTENT = ("string_content", "string_fragment", "string_value")
_TEXTS = ("encapsed_string", "shell_command_expression", "string", "subshell", "template_string")
_AROUND = ("argument", "parenthesized_expression", "parenthesized_statements")
_JOINED = ("+", ".", "..")
_SEVERAL = ("splat_argument",)  # f(*words)


class How(StrEnum):
    """How a function is given what it runs."""

    LINE = "line"  # for a shell
    PROGRAM = "program"  # the program alone, its arguments apart
    EITHER = "either"  # a line, unless more follows
    NAMED = "named"  # no call: a text contains its path, and may start it
    PERHAPS = "perhaps"  # no call: a text looks like a command
    PASSED = "passed"  # a function of its own is called as if it ran programs, with a name and more


class Command(Struct, frozen=True, array_like=True):
    """A program, or a line for a shell."""

    text: str
    is_line: bool


def of(name: str, arguments: Sequence[Node], functions: Mapping[str, How]) -> tuple[Command, ...]:
    """What a call of a function runs: nothing, if it is none of `functions`.

    A line for a shell that is not known at all still needs the shell.
    """
    how = functions.get(name)
    if how is None or not arguments:
        return ()
    first = arguments[0]
    if first.type == "array":
        first, how = next(iter(first.named_children), first), How.PROGRAM
    text = line(first)
    is_one = len(arguments) == 1 and first.type not in _SEVERAL
    is_line = how is How.LINE or (how is How.EITHER and is_one)
    return (Command(text, is_line),) if text.strip(UNKNOWN) or is_line else ()


def line(node: Node) -> str:
    """The text of an expression."""
    if node.type in _AROUND and len(node.named_children) == 1:
        return line(node.named_children[0])
    if node.type in _TEXTS:
        return "".join(map(_piece, node.named_children))
    operator = node.children[1].type if len(node.children) > 2 else ""  # noqa: PLR2004 - left and right
    if operator in _JOINED:
        return line(node.children[0]) + line(node.children[-1])
    return UNKNOWN


def _piece(node: Node) -> str:
    return syntax.text(node) if node.type in _CONTENT else UNKNOWN
