"""A text + the names of directives → the values that it gives them; no format is known.

A directive begins a line or a statement, then come blanks, `=`, `:`, `>` or `(`, and the value, in
quotes or without: `user www-data;`, `plugins = a, b`, `"plugins": ["a", "b"]`. Within a line one of
these signs, or a quote, must follow. Of a list each value counts, and of `NAME=VALUE` in one the
value. An argument may have its value behind it, or the next one is. `*` in a directive is any word:
the value of `LoadModule *` is the second. A name such as `-l` is an option, whose value may follow
without a blank. Comments say nothing, and no value goes beyond a `$`.
"""

import itertools
import re
from collections.abc import Iterator
from functools import cache

from rootfs_builder.loader.elf_files import groups
from rootfs_builder.needs.general.settings import without_comments
from rootfs_builder.needs.rules import code
from rootfs_builder.needs.rules.schema import STEM, Follow, Settings

_LINE, _ARGUMENT = r"(?P<line>(?:^|[;{}])[ \t]*+)", r"(?P<argument>\x00)"
_BEGINS = rf"(?:{_LINE}|{_ARGUMENT}|(?<=[ \t(,\"'<\[]))"
_BEFORE = r"[-!$.<\"']{0,2}"
_ASSIGNED = r"[\"']?[ \t]*+(?:\+=|=>|[=:>(])|[ \t]++(?=[\"'])"
_FOLLOWS = rf"(?:{_ASSIGNED}|(?(line)[ \t]++|(?!))|(?(argument)\x00|(?!)))"
_WORD = r"(?:\[[^\]\n]{0,200}\]|[^\s\"'=\[\x00]+)"
_VALUE = r"[^\s,;:\"'<>(){}\[\]=#$\x00|&]++"
_ITEM = rf"(?:[\w.-]++=)?+(?:\{{\d+\}})?+{_VALUE}"
_COMMA = rf"[\"']?+[ \t]*+,\s*+[\"']?+(?={_VALUE}(?![\"']?[ \t]*+[:=]))"
_OTHER = rf"[:;](?={_ITEM}(?:[:;\"'\r\n\x00]|\Z))"
_LIST = rf"[ \t]*+(?:[(\[]\s*+)?+[\"']?+(?P<list>{_ITEM}(?:(?:{_COMMA}|{_OTHER}){_ITEM})*+)"
_ITEMS = re.compile(rf"(?:[\w.-]++=)?+(?:\{{\d+\}})?+(?P<value>{_VALUE})".encode())


def found(data: bytes, settings: Settings) -> Iterator[dict[str, bytes]]:
    """Each value of each directive by the variable that it sets, and its stem by another.

    A stem is what is left of a file's path without directories, and without .so or .la.
    """
    for variable, names in settings.items():
        for value in _values(data, names):
            yield {variable: value, f"{variable}{STEM}": _stem(value)}


def _values(data: bytes, names: tuple[str, ...]) -> Iterator[bytes]:
    for hit in pattern(names).finditer(without_comments(data)):
        yield from (one["value"] for one in _ITEMS.finditer(hit["list"]))


def search(data: bytes, follow: Follow) -> list[dict[str, bytes]]:
    """The variables of each match of what a rule follows, none twice."""
    hits = groups(re.finditer(follow.text.encode(), data)) if follow.text else []
    each = itertools.chain(found(data, follow.settings), code.found(data, follow.code))
    named = (tuple(one.items()) for one in each)
    return hits + list(map(dict, dict.fromkeys(named)))


def _stem(value: bytes) -> bytes:
    return re.sub(rb"\.(?:la|so(?:\.\d+)*)\Z", b"", value.rpartition(b"/")[2])


@cache
def pattern(names: tuple[str, ...]) -> re.Pattern[bytes]:
    """What finds the values of directives: its group `list` has those of one."""
    each = "|".join(map(_directive, sorted(names, key=len, reverse=True)))
    return re.compile(rf"(?im){_BEGINS}(?:{each}){_LIST}".encode())


def _directive(name: str) -> str:
    if re.fullmatch(r"-\w", name):
        return rf"(?(argument){name}\x00?|(?!))"
    words = (_WORD if one == "*" else re.escape(one) for one in name.split())
    return _BEFORE + r"[ \t]+".join(words) + _FOLLOWS
