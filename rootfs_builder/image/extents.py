"""A file in an unpacked layer → a Source: a part of the layer's tar, with or without holes.

The zeros of a sparse file are never written down. What is read of it at once is limited, so that
who reads a file whole need not ask how large others made it.
"""

from bisect import bisect_right
from itertools import accumulate
from struct import iter_unpack, pack
from typing import Self

from msgspec import Struct

from rootfs_builder.filesystem.content import Content, Source
from rootfs_builder.image.limits import refusal
from rootfs_builder.paths import printable

PAIR = "=QQ"  # of `parts`: where bytes go in the file, and how many


class Extent(Struct, frozen=True):
    """`size` bytes of a file of the name `name`, which lie in `source` from `offset`.

    `parts` are those of a sparse file, packed, as they lie one behind the other; None where it
    has no holes. At most `most` bytes are read at once.
    """

    source: Source
    offset: int
    size: int
    name: str
    most: int
    parts: bytes | None = None

    @property
    def identity(self) -> tuple[object, int]:
        """See Source: in a tar, no two members begin at one place."""
        return (self.source.identity, self.offset)

    def open(self) -> Content:
        """See Source."""
        return _OpenExtent(self)


class _OpenExtent:
    def __init__(self, extent: Extent) -> None:
        self._extent = extent
        self._content = extent.source.open()
        parts = list(iter_unpack(PAIR, extent.parts or b""))
        self._parts = parts
        self._stored = [0, *accumulate(size for _, size in parts)]

    def __len__(self) -> int:
        return self._extent.size

    def __getitem__(self, part: slice) -> bytes:
        extent = self._extent
        start, stop, _ = part.indices(extent.size)
        if stop - start > extent.most:
            raise refusal(
                f"bytes of {printable(extent.name)}, read at once,", stop - start, extent.most
            )
        if extent.parts is None:
            return self._content[extent.offset + start : extent.offset + max(start, stop)]
        return self._with_holes(start, max(start, stop))

    def _with_holes(self, start: int, stop: int) -> bytes:
        found = bytearray(stop - start)
        first = max(bisect_right(self._parts, (start, 1 << 64)) - 1, 0)
        for number in range(first, len(self._parts)):
            at, size = self._parts[number]
            if at >= stop:
                break
            begin, end = max(at, start), min(at + size, stop)
            if begin < end:
                place = self._extent.offset + self._stored[number] - at
                found[begin - start : end - start] = self._content[place + begin : place + end]
        return bytes(found)

    def __enter__(self) -> Self:
        self._content.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._content.__exit__(*error)  # type: ignore[arg-type]


def packed(parts: list[tuple[int, int]]) -> bytes:
    """`parts` of an extent."""
    return b"".join(pack(PAIR, at, size) for at, size in parts)
