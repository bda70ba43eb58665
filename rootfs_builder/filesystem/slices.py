"""A part of an open file → a Source: what an archive or a store holds, read where it lies."""

import os
from collections.abc import Hashable
from typing import BinaryIO, Self

from msgspec import Struct

from rootfs_builder.filesystem.content import Content


class Slice(Struct, frozen=True):
    """Bytes of an open file, from `offset`."""

    file: BinaryIO
    offset: int
    size: int

    @property
    def identity(self) -> Hashable:
        """See Source: in a tar, no two members begin at one place."""
        return (id(self.file), self.offset)

    def open(self) -> Content:
        """See Source."""
        return _OpenSlice(self)


class _OpenSlice:
    def __init__(self, source: Slice) -> None:
        self._source = source

    def __len__(self) -> int:
        return self._source.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._source.size)
        at = self._source.offset + start
        return os.pread(self._source.file.fileno(), max(stop - start, 0), at)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None
