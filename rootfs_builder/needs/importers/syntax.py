"""Text → its syntax tree, by the tree-sitter grammar of a language. No code of a text is run."""

import warnings
from collections.abc import Iterator
from functools import cache
from importlib import import_module

from tree_sitter import Language, Node, Parser

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
