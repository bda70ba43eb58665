"""Settings of a package that go in → the programs that they name, where the package needs these.

A setting names a program if that is its whole value: `ctags.cmd={path}/arduino-ctags`,
`python=/usr/bin/python3`.
"""

import re
from collections.abc import Iterator

from rootfs_builder.errors import InputError
from rootfs_builder.needs import utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text
from rootfs_builder.needs.general import settings
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.packages import Package
from rootfs_builder.paths import SourcePath, decode, name, printable

_FACT = "programs that are set v1"
_SET = re.compile(
    rb"""^[ \t]*[\w.-]+[ \t]*[=:][ \t]*["']?(?P<value>(?:[^\s"'=:]*/)?[a-z][\w.+-]*)["']?[ \t]*$""",
    re.MULTILINE,
)


def values(text: Text, files: ImageFiles) -> tuple[str, ...]:
    """The values in a text that may be programs."""
    return files.fact(text.path, _FACT, tuple[str, ...], _values, tuple[str, ...]())


def programs(text: Text, owner: Package, context: Context) -> Iterator[Need]:
    """The programs that a text of the package `owner` sets, and that the package needs."""
    commands, files = context.files.commands(context.search_path), context.files
    for value in values(text, files):
        path = value if value.startswith("/") else commands.get(name(SourcePath(value)), "")
        real = files.real(path) if path in commands.values() else None
        if real is not None and files.may_execute(path) and _is_needed(real, owner, context):
            clue = Clue(f"{printable(name(text.path))} names {printable(path)}", (text.path, path))
            yield File(path, clue, started=True)


def _values(data: bytes) -> tuple[str, ...]:
    """The values that say which program they are: a path, or no word of every day."""
    if b"\0" in data or data.startswith(b"#!"):
        return ()
    found = _SET.finditer(settings.without_comments(data))
    values = sorted({decode(hit["value"]) for hit in found})
    return tuple(one for one in values if one[0] == "/" or utilities.is_rare(name(SourcePath(one))))


def _is_needed(path: SourcePath, owner: Package, context: Context) -> bool:
    try:
        package = context.packages.of_all((path,)).packages[path]
        return package is not None and context.packages.requires(owner, package)
    except InputError:  # which others say
        return False
