"""Texts of any language → the libraries that they open, by SONAMEs that they quote.

A foreign function interface is given a name as dlopen(3) is: `ffi_lib ['libcurl', 'libcurl.so.4']`.
"""

import re
from collections.abc import Iterable, Iterator

from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, Library
from rootfs_builder.needs.general import settings, unlinked
from rootfs_builder.needs.importers.commands import Commands
from rootfs_builder.paths import decode, name, printable

_INTERFACE = re.compile(rb"dlopen|ffi|fiddle", re.IGNORECASE)
_COMPUTED = re.compile(rb"\b(?:dlopen|ffi_lib|ffi\.load)[ (]+[@$]?[a-z_]")
_SONAME = rb"lib[\w.+-]+\.so(?:\.\d[\d.]*)?"
_QUOTED = re.compile(rb"""(?P<quote>["'])(?P<soname>""" + _SONAME + rb""")(?P=quote)""")
_LIST = re.compile(rb"(?:%w|\bqw ?)[(\[{|/](?P<words>[^)\]}|/]*)")  # Ruby's, Perl's
_FILLED_IN = re.compile(rb"""/(?P<stem>lib[\w+-]+)\.(?:#\{\w+\}|so)["']""")  # Ruby's, by its path


def of(paths: Iterable[str], commands: Commands, context: Context) -> Iterator[Library]:
    """The libraries that some texts open; one that is not there may be for another system.

    For a name that is computed those that the text's package requires for that.
    """
    none: tuple[str, ...] = ()
    for path in sorted(paths):
        for soname in context.files.fact(path, "opened v5", tuple[str, ...], _sonames, none):
            if soname:
                shown = f"{printable(name(path))} opens {printable(soname)}"
                yield Library(soname, Clue(shown, (path,)), optional=True)
            elif (owner := commands.owner(path)) is not None:
                yield from unlinked.of(owner, context, of_others=True)


def _sonames(data: bytes) -> tuple[str, ...]:
    """What is quoted outside of comments, and "" for a computed name.

    Nothing in a text that calls no such interface.
    """
    code = settings.without_comments(data) if _INTERFACE.search(data) else b""
    found = [hit["soname"] for hit in _QUOTED.finditer(code)]
    words = (word for hit in _LIST.finditer(code) for word in hit["words"].split())
    found += (word for word in words if re.fullmatch(_SONAME, word))
    found += [b""] if _COMPUTED.search(code) else []
    found += (hit["stem"] + b".so" for hit in _FILLED_IN.finditer(code))
    return tuple(dict.fromkeys(map(decode, found)))
