"""Expressions of Ruby → the text that they are, where that is constant.

Strings, `File.join`, `File.expand_path`, `File.dirname`, `Pathname`, variables and constants of the
file. `HERE`, `SCRIPT` and `BELOW` stand for places, see `walk`.
"""

from collections.abc import Iterable, Iterator

from tree_sitter import Node

from rootfs_builder.needs.importers import syntax
from rootfs_builder.needs.importers.walk import HERE, MARKS, SCRIPT

_SAME = frozenset(
    ("Pathname", "absolute_path", "freeze", "new", "realpath", "to_s", "to_str", "cleanpath")
)
OWN_NAME = "\4"  # that of the file, without its directory: it is known where it is read
_NAMES = ("constant", "identifier", "instance_variable")
_LISTS = ("argument_list", "array", "parenthesized_statements", "string_array")


class Values:
    """Evaluates the expressions of one file."""

    def __init__(self) -> None:
        self._variables = dict[str, str]()

    def assign(self, node: Node) -> None:
        """A name of the file that is given a constant: the first one counts."""
        value = self.value(node.children[-1])
        if value is not None and node.children[0].type in _NAMES:
            self._variables.setdefault(syntax.text(node.children[0]), value)

    def texts(self, nodes: Iterable[Node]) -> Iterator[str]:
        """The texts of those expressions that are constant."""
        for node in nodes:
            value = self.value(node)
            if value is not None:
                yield value

    def listed(self, node: Node) -> Iterator[str]:
        """The constant texts of an array, or of a single expression."""
        if node.type in _LISTS:
            for one in node.named_children:
                yield from self.listed(one)
        elif node.type == "bare_string":
            yield syntax.text(node)
        else:
            yield from self.texts([node])

    def value(self, node: Node) -> str | None:
        """What an expression is, if that is constant."""
        kind = node.type
        if kind == "string":
            return self._interpolated(node)[1]
        if kind in ("identifier", "constant", "instance_variable", "global_variable", "call"):
            text = syntax.text(node) if kind != "call" else ""
            places = {"__FILE__": f"{HERE}/_", "__dir__": HERE, "$0": f"{SCRIPT}/_"}
            places["$PROGRAM_NAME"] = places["$0"]
            return places.get(text) or self._variables.get(text) or self._computed(node)
        if kind in ("parenthesized_statements", "argument_list", "interpolation"):
            inside = node.named_children
            return self.value(inside[0]) if len(inside) == 1 else None
        if kind == "binary" and node.children[1].type == "||":
            left = self.value(node.children[0])  # most often a variable of the environment
            return self.value(node.children[2]) if left is None else left
        if kind == "binary" and node.children[1].type in ("+", "/"):
            left, right = self.value(node.children[0]), self.value(node.children[2])
            slash = "/" if node.children[1].type == "/" else ""
            return None if left is None or right is None else left + slash + right
        return None

    def _computed(self, node: Node) -> str | None:
        """What a function of paths gives."""
        if node.type != "call":
            return None
        receiver, name, arguments = called(node)
        given = [self.value(one) for one in arguments]
        known = [one for one in given if one is not None]
        if len(known) < len(given):
            return None
        if receiver not in ("File", "Pathname", ""):
            before = self.value(node.children[0])
            known = known if before is None else [before, *known]
            if before is None:
                return None
        return _function(name, known)

    def beginning(self, node: Node) -> str:
        """The constant text with which an expression begins."""
        if node.type == "string":
            return self._interpolated(node)[0]
        if node.type == "binary" and node.children[1].type == "+":
            left = self.value(node.children[0])
            return self.beginning(node.children[0]) if left is None else left
        return self.value(node) or ""

    def ending(self, node: Node) -> str:
        """The constant parts with which a path ends, each behind a slash."""
        receiver, name, arguments = called(node) if node.type == "call" else ("", "", [])
        end = ""
        for one in reversed(arguments if (receiver, name) == ("File", "join") else []):
            value = self.value(one)
            if value is None:
                return end
            end = f"/{value}{end}"
        return ""

    def _interpolated(self, node: Node) -> tuple[str, str | None]:
        """How a text with expressions begins, and all of it, if that is constant."""
        whole = ""
        for part in node.named_children:
            value = self.value(part) if part.type == "interpolation" else syntax.text(part)
            if value is None:
                return whole, None
            whole += value
        return whole, whole


def called(node: Node) -> tuple[str, str, list[Node]]:
    """The receiver's text, the method's name and the arguments of a call."""
    method, given = node.child_by_field_name("method"), node.child_by_field_name("arguments")
    receiver = node.child_by_field_name("receiver")
    return (
        syntax.text(receiver) if receiver is not None else "",
        syntax.text(method) if method is not None else "",
        given.named_children if given is not None else [],
    )


def _function(name: str, given: list[str]) -> str | None:
    """What a function of paths makes of constant texts."""
    if not given:
        return None
    first, *others = given
    if name == "join":
        return "/".join(given)
    if name == "expand_path" and others and not first.startswith(("/", *MARKS)):
        return f"{others[0]}/{first}"
    if name == "basename":
        place, _, last = first.rpartition("/")
        return OWN_NAME if last == "_" and place in MARKS else last.removesuffix("".join(others))
    if name in ("dirname", "parent"):
        is_place = first in MARKS or first.endswith("/..")
        return f"{first}/.." if is_place else first.rpartition("/")[0] or "."
    return first if name in _SAME or name == "expand_path" else None
