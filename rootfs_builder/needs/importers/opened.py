"""Texts of any language → the libraries that they open, by SONAMEs that they quote.

A foreign function interface is given a name as dlopen(3) is: `ffi_lib ['libcurl', 'libcurl.so.4']`.
"""

import re
from collections.abc import Iterable, Iterator

from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Library
from rootfs_builder.needs.general import settings
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.paths import decode, name, printable

_INTERFACE = re.compile(rb"dlopen|ffi|fiddle", re.IGNORECASE)
_QUOTED = re.compile(rb"""(?P<quote>["'])(?P<soname>lib[\w.+-]+\.so\.\d[\d.]*)(?P=quote)""")
_FILLED_IN = re.compile(rb"""/(?P<stem>lib[\w+-]+)\.(?:#\{\w+\}|so)["']""")  # Ruby's, by its path


def of(paths: Iterable[str], files: ImageFiles) -> Iterator[Library]:
    """The libraries that some texts open; one that is not there may be for another system."""
    none: tuple[str, ...] = ()
    for path in sorted(paths):
        for soname in files.fact(path, "opened v2", tuple[str, ...], _sonames, none):
            shown = f"{printable(name(path))} opens {printable(soname)}"
            yield Library(soname, Clue(shown, (path,)), optional=True)


def _sonames(data: bytes) -> tuple[str, ...]:
    """What is quoted outside of comments; nothing in a text that calls no such interface."""
    code = settings.without_comments(data) if _INTERFACE.search(data) else b""
    found = [hit["soname"] for hit in _QUOTED.finditer(code)]
    found += (hit["stem"] + b".so" for hit in _FILLED_IN.finditer(code))
    return tuple(dict.fromkeys(map(decode, found)))
