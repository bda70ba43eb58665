"""A word of a shell script → the pieces of which the shell makes it."""

from collections.abc import Callable, Iterator

from tree_sitter import Node

from rootfs_builder.needs.importers import syntax
from rootfs_builder.needs.importers.shell.script import Part, Step, Word

_MOST_DEPTH = 80
KINDS = frozenset((
    "word", "string", "raw_string", "ansi_c_string", "concatenation", "simple_expansion",
    "expansion", "command_substitution", "number", "translated_string",
))  # fmt: skip

_PLAIN = frozenset((
    "word", "number", "extglob_pattern", "regex", "test_operator", "variable_name",
))  # fmt: skip

Body = Callable[[list[Node], int], tuple[Step, ...]]


def read(node: Node, depth: int, body: Body) -> Word:
    """A word; `body` reads the steps of what runs in it."""
    return tuple(_joined(_Reader(body).parts(node, depth + 1, quoted=False)))


def _run_in(node: Node) -> list[Node]:
    """What runs in a substitution; the grammar knows none in backquotes within backquotes."""
    text = node.text or b""
    if not text.startswith(b"`") or b"\\`" not in text:
        return node.named_children
    return [syntax.parse("bash", text[1:-1].replace(b"\\`", b"`").replace(b"\\\\", b"\\"))]


def _joined(parts: Iterator[Part]) -> Iterator[Part]:
    """Pieces of text that stand beside each other as one."""
    last: Part | None = None
    for part in parts:
        both = last is not None and last.kind == part.kind == "text"
        if both and last is not None and last.quoted == part.quoted:
            last = Part("text", last.text + part.text, quoted=part.quoted)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last


class _Reader:
    def __init__(self, body: Body) -> None:
        self._body = body

    def parts(self, node: Node, depth: int, *, quoted: bool) -> Iterator[Part]:
        kind = node.type
        if depth > _MOST_DEPTH:
            yield Part("unknown", steps=self._body([node], depth))
        elif kind in _PLAIN:
            yield Part("text", _unescaped(syntax.text(node)), quoted=quoted)
        elif kind == "raw_string":
            yield Part("text", syntax.text(node)[1:-1])
        elif kind == "string":
            yield from self._string(node, depth)
        elif kind in ("concatenation", "command_name", "translated_string"):
            for child in node.children:
                if child.is_named:
                    yield from self.parts(child, depth + 1, quoted=quoted)
        elif kind in ("simple_expansion", "expansion"):
            yield self._put_in(node, depth, quoted=quoted)
        elif kind == "command_substitution":
            steps = self._body(_run_in(node), depth + 1)
            yield Part("run", steps=steps, quoted=quoted)
        else:  # runs something perhaps: arithmetic, the file of a process
            yield Part("unknown", steps=self._body(node.named_children, depth + 1))

    def _string(self, node: Node, depth: int) -> Iterator[Part]:
        """What is between quotes; blanks between two variables are in no node."""
        text, start = node.text or b"", node.start_byte
        at = start + 1
        for child in node.named_children:
            if child.type == "string_content":
                continue
            yield Part("text", _quoted(text[at - start : child.start_byte - start]))
            yield from self.parts(child, depth + 1, quoted=True)
            at = child.end_byte
        yield Part("text", _quoted(text[at - start : -1]))

    def _put_in(self, node: Node, depth: int, *, quoted: bool) -> Part:
        """$NAME and ${NAME…}."""
        if node.type == "expansion":
            return self._expansion(node, depth, quoted=quoted)
        name = next((syntax.text(one) for one in node.named_children), "")
        return Part("variable", name, quoted=quoted)

    def _expansion(self, node: Node, depth: int, *, quoted: bool) -> Part:
        """`${NAME}`, `${NAME:-word}`, `${NAME%pattern}`; others are unknown."""
        name, operator, words = "", "", list[Node]()
        for child in node.children:
            if child.type in ("${", "}"):
                continue
            if not name and child.type in ("!", "#", "*"):
                return Part("unknown")
            if not name and child.type == "subscript":
                inner = child.child_by_field_name("name")
                name = syntax.text(inner) if inner is not None else ""
            elif not name:
                name = syntax.text(child)
            elif not operator and not child.is_named:
                operator = child.type
            else:
                words.append(child)
        if operator and operator.lstrip(":") not in ("-", "=", "+", "?", "%", "%%", "#", "##"):
            return Part("unknown")
        found = tuple(part for one in words for part in self.parts(one, depth + 1, quoted=True))
        return Part("variable", name, operator, (found,) if operator else (), quoted=quoted)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    found, at = [], 0
    while at < len(text):
        at += text[at] == "\\" and at + 1 < len(text)
        found.append("" if text[at] == "\n" and text[at - 1] == "\\" else text[at])
        at += 1
    return "".join(found)


def _quoted(text: bytes) -> str:
    shown = text.decode("utf-8", "surrogateescape")
    for one in ('"', "$", "`", "\\"):
        shown = shown.replace(f"\\{one}", one)
    return shown.replace("\\\n", "")
