"""A call in Perl → what it runs: one node is a command line, more are a program's words.

Source: perlfunc(1); the documentation of IPC::Run, IPC::Run3, IPC::Cmd and IPC::System::Simple.
"""

import re

from tree_sitter import Node

from rootfs_builder.needs.importers import syntax

_RUNS = frozenset(("exec", "readpipe", "system"))
_WITHOUT_SHELL = frozenset(("capturex", "runx", "systemx"))
_OF_PROGRAMS = re.compile(r"(?i)bin|cmd|command|exec?|prog|program|tool|util(?:ity)?")
_LISTS = ("quoted_word_list", "string_literal", "interpolated_string_literal")
_GIVEN_WORDS = frozenset(("capture", "harness", "run", "run3", "start"))


def of(name: str, arguments: list[Node]) -> list[Node]:
    """The words of the command that a call of a function runs, none if it runs none."""
    if name == "open":
        return _opened(arguments)
    if name in _RUNS | _WITHOUT_SHELL:
        return arguments
    if name in _GIVEN_WORDS and arguments and arguments[0].type == "anonymous_array_expression":
        return elements(arguments[0])
    return []


def _opened(arguments: list[Node]) -> list[Node]:
    mode = syntax.text(arguments[1]).strip("\"'") if len(arguments) > 1 else ""
    if mode in ("|-", "-|"):
        return arguments[2:]
    return arguments[1:2] if mode.startswith("|") or mode.endswith("|") else []


def tried(loop: Node) -> list[Node]:
    """The programs of which a loop takes one after the other, as its variable's name says."""
    variable = next((one for one in loop.children if one.type == "scalar"), None)
    words = syntax.text(variable).strip("$").split("_") if variable is not None else ()
    if not any(_OF_PROGRAMS.fullmatch(one) for one in words):
        return []
    return [one for one in loop.named_children if one.type in ("list_expression", *_LISTS)]


def elements(array: Node) -> list[Node]:
    """What is in an array: expressions."""
    inner = array.named_children
    return [*inner[0].named_children] if inner and inner[0].type == "list_expression" else [*inner]
