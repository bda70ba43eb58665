"""Files that the user adds → the same with absolute paths in them that lead to the image's places.

A script's first line names its interpreter by an absolute path, and Python's installers write the
path of the environment that they install into. If that moves, the line is rewritten. Source:
execve(2); pip's and uv's second line, for a path that has a space or is too long for the first.
"""

import re
from collections.abc import Callable

from rootfs_builder.filesystem.content import BytesSource, Source, read
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.loader.executable import SECOND_LINE
from rootfs_builder.paths import (
    ImagePath,
    OpenedPath,
    SourcePath,
    decode,
    encode,
    join,
    name,
    parent,
)
from rootfs_builder.plan import moves
from rootfs_builder.plan.layout import Layout

_FIRST_LINE = re.compile(rb"#![ \t]*(?P<path>/[^\s\0]+)")
_HEAD = 4096


class Interpreters:
    """The places in the image of interpreters that are in the user's trees."""

    def __init__(self, layout: Layout, sources: Sources) -> None:
        self._users = layout.users
        self._sources = sources
        self._walker = Walker(sources)

    def place(self, path: str) -> ImagePath | None:
        """The path in the image of a file that the user adds; None for any other."""
        above = self._walker.walk(OpenedPath(parent(path)))
        key = SourcePath(path) if above.errno else SourcePath(join(above.real, name(path)))
        return moves.added_path(self._users, key, self._sources)


def content(source: Source, place: Callable[[str], str | None]) -> Source:
    """A file with its first line rewritten to the `place` of its interpreter, if that moves."""
    with source.open() as opened:
        head = opened[0:_HEAD]
    found = SECOND_LINE.match(head) or _FIRST_LINE.match(head)
    moved = place(decode(found["path"])) if found else None
    if found is None or moved is None:
        return source
    start, end = found.span("path")
    data = read(source)
    return BytesSource(data[:start] + encode(moved) + data[end:])
