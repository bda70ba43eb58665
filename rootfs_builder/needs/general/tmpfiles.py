"""The directories that systemd makes for a package when a machine starts: its tmpfiles.d.

Source: tmpfiles.d(5).
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from rootfs_builder.needs.finder import Context
from rootfs_builder.needs.general import settings
from rootfs_builder.paths import decode

_DIRECTORY = "/usr/lib/tmpfiles.d"
_FILE = re.compile(rf"{_DIRECTORY}/[^/]+\.conf")
_MADE = re.compile(
    r"(?m)^[dDqQvV][+!=~^$-]*[ \t]+(?P<path>/(?:run|var)/[\w.+@/-]+)(?=\s)"
    r"(?P<roots>[ \t]+0?[0-7][0145]{2}[ \t]+(?:root|0)\s)?"
)


class Made(Struct, frozen=True):
    """A directory that a file of tmpfiles.d names; `roots` is one in which only root writes."""

    file: str
    path: str
    roots: bool


def everybodys(context: Context) -> Iterator[str]:
    """The files of all packages."""
    return (f"{_DIRECTORY}/{one}" for one in context.files.names(_DIRECTORY))


def of(files: Iterable[str], context: Context) -> Iterator[Made]:
    """What the files among some that are of tmpfiles.d have made."""
    for one in sorted(filter(_FILE.fullmatch, files)):
        text = settings.without_comments(context.files.read(one) or b"")
        for hit in _MADE.finditer(decode(text)):
            yield Made(one, hit["path"].rstrip("/"), bool(hit["roots"]))
