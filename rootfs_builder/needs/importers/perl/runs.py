"""A call in Perl → what it runs: one node is a command line, more are a program's words.

Source: perlfunc(1); the documentation of IPC::Run, IPC::Run3, IPC::Cmd and IPC::System::Simple.
"""

import re
from collections.abc import Collection, Iterator

from tree_sitter import Node

from rootfs_builder.needs.importers import syntax

_RUNS = frozenset(("exec", "readpipe", "system"))
_WITHOUT_SHELL = frozenset(("capturex", "runx", "systemx"))
_RUNS_ARGUMENT = re.compile(
    rb"my\s*\(?\s*\$(?P<given>\w+)\b[^;]*=\s*(?:@_|shift)[^}]*?"
    rb"(?:\b(?:system|exec)\s*\(?\s*\"?|`)\$(?P=given)[\"`);\s]",
)
_OF_PROGRAMS = re.compile(r"(?i)bin|cmd|command|exec?|prog|program|tool|util(?:ity)?")
_LISTS = ("quoted_word_list", "string_literal", "interpolated_string_literal")
_GIVEN_WORDS = frozenset(("capture", "harness", "run", "run3", "start"))


def of(name: str, arguments: list[Node], wrappers: Collection[str] = ()) -> list[Node]:
    """The words of the command that a call of a function runs, none if it runs none."""
    if name in wrappers:
        return arguments[:1]
    if name == "open":
        return _opened(arguments)
    if name in _RUNS | _WITHOUT_SHELL:
        return arguments
    if name in _GIVEN_WORDS and arguments and arguments[0].type == "anonymous_array_expression":
        return elements(arguments[0])
    return []


def wrappers(root: Node) -> Iterator[str]:
    """The functions that run what they are given: `sub x { my ($c) = @_; system($c) }`."""
    for _, one in syntax.captures("perl", "(subroutine_declaration_statement) @function", root):
        name = one.child_by_field_name("name")
        found = _RUNS_ARGUMENT.search(one.text or b"")
        if name is not None and found is not None:
            yield syntax.text(name)


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
