"""Settings that go in → the programs that they name: the user's, or what their package needs.

A setting names a program if that is its whole value: `ctags.cmd={path}/arduino-ctags`,
`python=/usr/bin/python3`. A word of every day is one if the setting is called as one for programs:
`remoteshell = ssh`.
"""

import re
from collections.abc import Iterator

from rootfs_builder.errors import InputError
from rootfs_builder.needs import undeclared, utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, Need, Text
from rootfs_builder.needs.general import settings, strings
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.packages import Package
from rootfs_builder.paths import SourcePath, decode, name, printable

_FACT = "programs that are set v2"
_MAKEFILE = re.compile(r"(?i)(?:GNU)?makefile.*|.*\.ma?k")
_SET = re.compile(
    rb"""^[ \t]*["']?(?P<key>[\w.-]+)["']?[ \t]*[=:][ \t]*"""
    rb"""["']?(?P<value>(?:[^\s"'=:]*/)?[a-z][\w.+-]*)["']?[ \t]*,?[ \t]*$""",
    re.MULTILINE,
)
_OF_PROGRAMS = re.compile(  # what a setting is called whose value is a program
    rb"(?i).*(?:binary|browser|cmd|command|compiler|editor|exec|executable|interpreter|mailer|pager"
    rb"|prog|program|shell|terminal|tool|viewer)"
)


def values(text: Text, files: ImageFiles) -> tuple[str, ...]:
    """The values in a text that may be programs; what make(1) reads is for building."""
    if _MAKEFILE.fullmatch(name(SourcePath(text.path))):
        return ()
    return files.fact(text.path, _FACT, tuple[str, ...], _values, tuple[str, ...]())


def programs(text: Text, owner: Package, context: Context) -> Iterator[Need]:
    """The programs that a text of the package `owner` sets, and that the package needs."""
    for path, real in _set(text, context):
        if _is_needed(real, owner, context):
            yield File(path, _clue(text, path), started=True)


def by_user(text: Text, context: Context) -> Iterator[Need]:
    """The programs that a text of the user's sets, for a program that starts others.

    They come if they are small.
    """
    if strings.starts(context.program.real, context.elf_files):
        for path, _ in _set(text, context):
            clue = _clue(text, path)
            small = undeclared.is_small(path, context)
            yield File(path, clue, started=True) if small else LeftOut(path, clue)


def _clue(text: Text, path: str) -> Clue:
    return Clue(f"{printable(name(text.path))} names {printable(path)}", (text.path, path))


def _set(text: Text, context: Context) -> Iterator[tuple[str, SourcePath]]:
    commands, files = context.files.commands(context.search_path), context.files
    for value in values(text, files):
        path = value if value.startswith("/") else commands.get(name(SourcePath(value)), "")
        real = files.real(path) if path in commands.values() else None
        if real is not None and files.may_execute(path):
            yield path, real


def _values(data: bytes) -> tuple[str, ...]:
    """The values that say which program they are."""
    if b"\0" in data or data.startswith(b"#!"):
        return ()
    found = _SET.finditer(settings.without_comments(data))
    return tuple(sorted({decode(hit["value"]) for hit in found if _is_program(hit)}))


def _is_program(hit: re.Match[bytes]) -> bool:
    """Whether a value is a path or no word of every day, or is set as a program."""
    value = decode(hit["value"])
    is_rare = value.startswith("/") or utilities.is_rare(name(SourcePath(value)))
    return is_rare or _OF_PROGRAMS.fullmatch(hit["key"]) is not None


def _is_needed(path: SourcePath, owner: Package, context: Context) -> bool:
    try:
        package = context.packages.of_all((path,)).packages[path]
        return package is not None and context.packages.requires(owner, package)
    except InputError:  # which others say
        return False
