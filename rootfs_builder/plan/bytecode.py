"""Plan → the same plan, whose bytecode Python takes though every file has the image's time.

A file of bytecode names the time and the size of the source that it was made from. If one of them
is another, Python compiles the source again, at each start of a container. So the image's time
takes the place of the source's, where both were right; what was stale stays stale.

Source: PEP 3147, where such files are; PEP 552, what they begin with.
"""

import struct
from collections.abc import Hashable, Mapping
from types import TracebackType
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.filesystem.content import Content, FileSource, Source
from rootfs_builder.paths import ImagePath, join, name, parent
from rootfs_builder.plan import Entry, Plan

_CACHE = "__pycache__"
_HEADER = struct.Struct("<4sIII")  # magic number, flags, the source's time in seconds, its size
_WORD = 0xFFFFFFFF
_SECOND = 10**9  # nanoseconds


def plan(full: Plan, epoch: int) -> Plan:
    """The plan of an image in which every time is `epoch`, in seconds since 1970.

    Raises:
        InputError, ChangedError: a file cannot be read, or is no longer what it was.
    """
    contents = {entry.path: entry.content for entry in full.entries}
    dated = {
        entry.path: content
        for entry in full.entries
        if (content := _dated(entry, contents, epoch)) is not None
    }
    if not dated:
        return full
    entries = (
        replace(entry, content=dated[entry.path]) if entry.path in dated else entry
        for entry in full.entries
    )
    return replace(full, entries=tuple(entries))


def _dated(entry: Entry, contents: Mapping[ImagePath, Source | None], epoch: int) -> Source | None:
    """The bytecode with the image's time; None if it is none, or not that of the source there."""
    folder, module = parent(entry.path), name(entry.path).partition(".")[0]
    if name(folder) != _CACHE or not entry.path.endswith(".pyc"):
        return None
    source = contents.get(join(parent(folder), f"{module}.py"))
    if not isinstance(source, FileSource) or not isinstance(entry.content, FileSource):
        return None
    with entry.content.open() as data:
        header = data[0 : _HEADER.size]
    made_at = source.stamp[3] // _SECOND & _WORD
    if header[4:] != _HEADER.pack(b"", 0, made_at, source.size & _WORD)[4:]:
        return None
    return Dated(entry.content, _HEADER.pack(header[:4], 0, epoch, source.size & _WORD))


class Dated(Struct, frozen=True):
    """A file with another header."""

    source: FileSource
    header: bytes

    @property
    def size(self) -> int:
        """See Source."""
        return self.source.size

    @property
    def identity(self) -> Hashable:
        """See Source."""
        return self.source.identity

    def open(self) -> Content:
        """See Source."""
        return _Content(self.source.open(), self.header)


class _Content:
    def __init__(self, content: Content, header: bytes) -> None:
        self._content, self._header = content, header

    def __len__(self) -> int:
        return len(self._content)

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(len(self))
        data = self._content[start:stop]
        first = self._header[start:stop]
        return first + data[len(first) :]

    def __enter__(self) -> Self:
        self._content.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._content.__exit__(kind, error, trace)
