"""Expressions of Perl → the text that they are, where that is constant.

Strings, their concatenation, `dirname`, `catdir` and such, variables of the file. What follows from
the place of a file begins with `HERE` for the file's own directory, with `SCRIPT` for that of the
script that was started, with `BELOW` for a directory that is not known.
"""

import re
from collections.abc import Iterable, Iterator

from tree_sitter import Node

from rootfs_builder.needs.importers import syntax
from rootfs_builder.needs.importers.commands import UNKNOWN
from rootfs_builder.needs.importers.walk import BELOW, HERE, SCRIPT

_FAMILY = re.compile(rb"\b(?:use|require)\s+(\w+(?:::\w+)*)::\$")  # what follows is computed
STRINGS = ("string_literal", "interpolated_string_literal")

_CALLS = (
    "ambiguous_function_call_expression",
    "func1op_call_expression",
    "function_call_expression",
    "method_call_expression",
)
_CONFIG = ("Config", "Config::Config")
_QUOTES = "'\""
CONFIG = "\4"  # on both sides of the name of a value of Config.pm
_LISTS = ("list_expression", "parenthesized_expression", "filename")
_BIN = ("Bin", "RealBin", "FindBin::Bin", "FindBin::RealBin")
_SAME = ("abs_path", "canonpath", "fast_abs_path", "realpath", "rel2abs", "file", "dir", "path")
_JOINED = ("catdir", "catfile")


class Values:
    """Evaluates the expressions of one file; `package` is the one in which they stand."""

    def __init__(self) -> None:
        self.package = "main"
        self._variables = dict[str, str]()
        self._several = set[str]()  # that are given different constants
        self._lines = dict[str, str]()
        self._lists = dict[str, str]()

    def assign(self, node: Node) -> str:
        """A variable of the file that is given a constant: the first one counts.

        Its first word is returned if the variable is called so, as that of a program:
        `$path_tar = "tar"`, `$pdflatex = "pdflatex %O %S"`.
        """
        left, right = node.children[0], node.children[-1]
        if left.type == "variable_declaration":
            left = left.named_children[0] if len(left.named_children) == 1 else left
        if left.type == "array":
            self._lists.setdefault(_name(left), " ".join(self._elements(right)))
        if left.type == "scalar" and node.children[1].type in ("=", "||=", "//="):
            value = self.value(right)
            if value is not None and self._variables.setdefault(_name(left), value) != value:
                self._several.add(_name(left))
            elif value is None and right.type in (*STRINGS, "binary_expression"):
                self._lines.setdefault(_name(left), self.line(right))
            word = (value or "").partition(" ")[0]
            if word and _name(left).lower().endswith(word):
                return word
        return ""

    def words(self, nodes: Iterable[Node]) -> Iterator[str]:
        """The constant texts of a list of expressions."""
        for node in nodes:
            if node.type in _LISTS:
                yield from self.words(node.named_children)
            elif node.type == "quoted_word_list":
                for one in node.named_children:
                    yield from syntax.text(one).split()
            elif node.type == "autoquoted_bareword":
                yield syntax.text(node)
            else:
                value = self.value(node)
                if value is not None:
                    yield value

    def first(self, node: Node) -> str:
        """The first word of a list; empty for anything else."""
        if node.type == "quoted_word_list":
            return next(self.words([node]), "")
        return self.line(node).partition(" ")[0] if node.type == "array" else ""

    def _elements(self, node: Node) -> Iterator[str]:
        """The elements of a list, each as `line` gives it."""
        if node.type in _LISTS:
            for one in node.named_children:
                yield from self._elements(one)
        elif node.type == "quoted_word_list":
            yield from self.words([node])
        else:
            yield self.line(node)

    def value(self, node: Node) -> str | None:
        """What an expression is, if that is constant."""
        kind = node.type
        if kind == "string_literal":
            return "".join(syntax.text(one) for one in node.named_children)
        if kind == "interpolated_string_literal":
            return self._interpolated(node)[1]
        if kind == "scalar":
            return self._variable(_name(node))
        if kind == "hash_element_expression":
            return self._configured(node)
        if kind == "func0op_call_expression":
            words = {"__FILE__": f"{HERE}/_", "__PACKAGE__": self.package}
            return words.get(syntax.text(node).removesuffix("()"))
        if kind == "parenthesized_expression" and len(node.named_children) == 1:
            return self.value(node.named_children[0])
        if len(node.children) > 1 and node.children[1].type in ("||", "//"):
            left = self.value(node.children[0])  # most often a variable of the environment
            return self.value(node.children[-1]) if left is None else left
        if kind == "binary_expression" and node.children[1].type == ".":
            left, right = self.value(node.children[0]), self.value(node.children[-1])
            return None if left is None or right is None else left + right
        if kind in _CALLS:
            return self._computed(node)
        return None

    def _variable(self, name: str) -> str | None:
        if name in _BIN:
            return SCRIPT
        return f"{SCRIPT}/_" if name == "0" else self._variables.get(name)

    def _configured(self, node: Node) -> str | None:
        """A value of Config.pm, as perl was built."""
        of, key = (node.child_by_field_name(one) for one in ("hash", "key"))
        if of is None or key is None or _name(of) not in _CONFIG:
            return None
        return f"{CONFIG}{syntax.text(key).strip(_QUOTES)}{CONFIG}"

    def _computed(self, node: Node) -> str | None:
        """What a function of paths gives."""
        name, arguments = called(node)
        if name == "updir" or (name == "curdir" and not arguments):
            return ".." if name == "updir" else "."
        if name not in ("dirname", *_SAME, *_JOINED):
            return None
        flat = [
            one
            for each in arguments
            for one in (each.named_children if each.type == "list_expression" else [each])
        ]
        values = [self.value(one) for one in flat]
        known = [one for one in values if one is not None]
        if not known or len(known) < len(values):
            return None
        if name == "dirname":
            return _above(known[0])
        return "/".join(known) if name in _JOINED else known[0]

    def directories(self, nodes: Iterable[Node]) -> Iterator[str]:
        """What a list of directories is; of one that is not constant, how it ends.

        One of which nothing is known is most often that of the script, taken from $0.
        """
        for node in nodes:
            known = [*self.words([node])]
            yield from known
            if not known:
                end = self._ending(node)
                yield BELOW + end if end else SCRIPT

    def _ending(self, node: Node) -> str:
        """The constant parts with which a path ends, each behind a slash."""
        if node.type == "parenthesized_expression" and len(node.named_children) == 1:
            return self._ending(node.named_children[0])
        if node.type == "interpolated_string_literal":
            end = (node.text or b"").rpartition(b"}")[2].decode("utf-8", "replace").strip('"')
            return end[end.find("/") :] if "/" in end else ""
        name, arguments = called(node) if node.type in _CALLS else ("", [])
        end = ""
        for one in reversed(arguments if name in _JOINED else []):
            value = self.value(one)
            if value is None:
                return end
            end = f"/{value}{end}"
        return ""

    def beginning(self, node: Node) -> str:
        """The constant text with which an expression begins."""
        if node.type == "interpolated_string_literal":
            return self._interpolated(node)[0]
        if node.type == "binary_expression" and node.children[1].type == ".":
            left = self.value(node.children[0])
            if left is None:
                return self.beginning(node.children[0])
            return left + self.beginning(node.children[-1])
        return self.value(node) or ""

    def certain(self, node: Node) -> str:
        """The same, up to a variable that is given several constants."""
        kept, self._variables = (
            self._variables,
            {one: value for one, value in self._variables.items() if one not in self._several},
        )
        begin = self.beginning(node)
        self._variables = kept
        return begin

    def line(self, node: Node) -> str:
        """A command line, with UNKNOWN for what only the running program knows."""
        value = self.value(node)
        if value is not None:
            return value
        if node.type in ("command_string", "interpolated_string_literal"):
            each = _pieces(node)
            return "".join(one if isinstance(one, str) else self.line(one) for one in each)
        if node.type == "binary_expression" and node.children[1].type == ".":
            return self.line(node.children[0]) + self.line(node.children[-1])
        known = {"array": self._lists, "scalar": self._lines}.get(node.type, {})
        return known.get(_name(node), UNKNOWN)

    def _interpolated(self, node: Node) -> tuple[str, str | None]:
        """How a text with variables begins, and all of it, if that is constant."""
        whole = ""
        for piece in _pieces(node):
            value = piece if isinstance(piece, str) else self.value(piece)
            if value is None:
                return whole, None
            whole += value
        return whole, whole


def _pieces(node: Node) -> Iterator[str | Node]:
    """The constant pieces of a text, and what stands between them."""
    for content in (one for one in node.named_children if one.type == "string_content"):
        at, data, start = 0, content.text or b"", content.start_byte
        for part in content.named_children:
            if part.type != "not-interpolated":
                yield _decoded(data, at, part.start_byte - start)
                yield _escaped(part) if "escape" in part.type else part
                at = part.end_byte - start
        yield _decoded(data, at, len(data))


def bare(nodes: Iterable[Node]) -> Iterator[str]:
    """The names among arguments that are written without quotes: `inherit Base::Class 0.1`."""
    for one in nodes:
        if one.type in ("bareword", "ambiguous_function_call_expression"):
            text = syntax.text(one.children[0] if one.children else one)
            yield from [text] if "::" in text else []


def called(node: Node) -> tuple[str, list[Node]]:
    """The name of the function or method that is called, without its package, and the arguments."""
    children = node.children
    if node.type == "method_call_expression":
        at = next((i for i, one in enumerate(children) if one.type == "method"), None)
    else:
        at = 0
    if at is None:
        return "", []
    arguments = [one for one in children[at + 1 :] if one.is_named]
    if len(arguments) == 1 and arguments[0].type == "list_expression":
        arguments = arguments[0].named_children
    return syntax.text(children[at]).rpartition("::")[2].strip(" &"), arguments


def _name(node: Node) -> str:
    return syntax.text(node).lstrip("$@").strip("{}")


def _above(path: str) -> str:
    """As dirname(3), of a path that may start from a place whose directory is not known."""
    if path in (HERE, SCRIPT) or path.endswith("/.."):
        return f"{path}/.."
    return path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")


def _escaped(node: Node) -> str:
    text = syntax.text(node)
    return {"\\n": "\n", "\\t": "\t"}.get(text, text[1:])


def _decoded(data: bytes, start: int, end: int) -> str:
    return data[start:end].decode("utf-8", "surrogateescape")


def here(node: Node) -> tuple[bytes, list[str]]:
    """The text of a here-document, behind its line, and the packages below which it loads."""
    content, at = None, node
    while content is None and at.parent is not None:
        later = at.parent.named_children
        content = next(
            (
                one
                for one in later
                if one.type == "heredoc_content" and one.start_byte >= node.end_byte
            ),
            None,
        )
        at = at.parent
    if content is None:
        return b"", []
    text = b"\n".join((content.text or b"").split(b"\n")[:-1])
    families = [one.decode() for one in _FAMILY.findall(text)]
    return re.sub(rb"\\([$@\\])", rb"\1", _FAMILY.sub(b"", text)), families
