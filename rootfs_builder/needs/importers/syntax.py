"""Text → its syntax tree, by the tree-sitter grammar of a language. No code of a text is run."""

import warnings
from collections.abc import Iterator
from functools import cache
from importlib import import_module

from tree_sitter import Language, Node, Parser, Query, QueryCursor

_ENTRY = {"php": "language_php", "typescript": "language_typescript"}  # others have one language


@cache
def _parser(language: str) -> Parser:
    module = import_module(f"tree_sitter_{language}")
    with warnings.catch_warnings():  # of a grammar that gives its address as a number
        warnings.simplefilter("ignore", DeprecationWarning)
        return Parser(Language(getattr(module, _ENTRY.get(language, "language"))()))


def parse(language: str, text: bytes) -> Node:
    """The root of a text's syntax tree; what cannot be read is in nodes of type ERROR."""
    return _parser(language).parse(text).root_node


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, in the order of the text."""
    todo = [node]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(reversed(node.children))


def text(node: Node) -> str:
    """The text of a node."""
    return (node.text or b"").decode("utf-8", "surrogateescape")


def line(node: Node) -> int:
    """The line on which a node begins, from 1."""
    return node.start_point[0] + 1


@cache
def _query(language: str, pattern: str) -> Query:
    known = _parser(language).language
    if known is None:  # pragma: no cover - every parser here has one
        raise ValueError(language)
    return Query(known, pattern)


def captures(language: str, pattern: str, node: Node) -> list[tuple[str, Node]]:
    """The nodes below one that a query of tree-sitter names, in the order of the text.

    It looks at all nodes without making a Python object of each, as `walk` does.
    """
    found = QueryCursor(_query(language, pattern)).captures(node)
    every = ((name, one) for name, nodes in found.items() for one in nodes)
    return sorted(every, key=lambda one: (one[1].start_byte, -one[1].end_byte, one[0]))
