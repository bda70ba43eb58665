"""The headers of a sparse file in a tar → where its parts go.

GNU tar has written four forms: one of its own (type `S`), and with PAX records 0.0, 0.1 and 1.0,
the last with the map in front of the content (GNU tar, "Storing Sparse Files").
"""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from rootfs_builder.image import extents
from rootfs_builder.image.tar import BLOCK
from rootfs_builder.image.tar_fields import TarError, decimal, number

NAME = b"GNU.sparse.name"
MAP = b"GNU.sparse.map"
PLACES = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")  # many times, in turn: 0.0
_SIZE, _REAL_SIZE = b"GNU.sparse.size", b"GNU.sparse.realsize"
_MAJOR, _MINOR = b"GNU.sparse.major", b"GNU.sparse.minor"
KEYS = (NAME, MAP, _SIZE, _REAL_SIZE, _MAJOR, _MINOR)

_OLD_MAP, _OLD_MORE, _OLD_SIZE = slice(386, 482), 482, slice(483, 495)
_NEXT_MAP, _NEXT_MORE = slice(0, 504), 504
_NUMBER = 12  # bytes of one in the old form
_LARGEST = (1 << 63) - 1

Whole = Callable[[int], bytes]  # the next bytes of the tar, as a part of a header


class Holes(Struct, frozen=True):
    """A sparse file: its size, the bytes that are stored of it, and its parts as of an Extent."""

    size: int
    stored: int
    parts: bytes


def read(block: bytes, records: Mapping[bytes, bytes], stored: int, whole: Whole) -> Holes | None:
    """What the headers say of a file of which `stored` bytes follow; None if it is not sparse.

    Raises:
        TarError: the map is damaged.
    """
    size = records.get(_REAL_SIZE) or records.get(_SIZE)
    if block[156:157] == b"S":
        return _checked(_old(block, whole), number(block[_OLD_SIZE]), stored)
    if MAP in records:
        numbers = map(decimal, records[MAP].split(b",")) if records[MAP] else iter(())
        return _checked(numbers, decimal(size or b"none"), stored)
    if (records.get(_MAJOR), records.get(_MINOR)) == (b"1", b"0"):
        numbers_in_front, taken = _in_front(whole)
        return _checked(numbers_in_front, decimal(size or b"none"), stored - taken)
    return None


def _old(block: bytes, whole: Whole) -> Iterator[int]:
    """The form of its own: four parts, and blocks of 21 more as long as each says so."""
    places, more = block[_OLD_MAP], block[_OLD_MORE]
    while True:
        for at in range(0, len(places), _NUMBER):
            if places[at]:  # else there is no such part
                yield number(places[at : at + _NUMBER])
        if not more:
            return
        block = whole(BLOCK)
        places, more = block[_NEXT_MAP], block[_NEXT_MORE]


def _in_front(whole: Whole) -> tuple[Iterator[int], int]:
    """1.0: how many parts, then the parts, a line each number; the bytes that they take."""
    taken = bytearray()
    lines, wanted = 0, 1
    while lines < wanted:
        block = whole(BLOCK)
        lines += block.count(b"\n")
        taken += block
        if wanted == 1 and lines:
            wanted = 1 + 2 * decimal(bytes(taken.partition(b"\n")[0]))
    return map(decimal, bytes(taken).split(b"\n")[1:wanted]), len(taken)


def _checked(numbers: Iterator[int], size: int, stored: int) -> Holes:
    """Parts that follow each other, lie in the file, and are stored."""
    parts: list[tuple[int, int]] = []
    end = total = 0
    for at in numbers:
        length = next(numbers, -1)
        if not end <= at <= at + length <= size <= _LARGEST:
            raise TarError("a sparse map that does not fit its file")
        if length:
            parts.append((at, length))
        end, total = at + length, total + length
    if not 0 <= size <= _LARGEST:
        raise TarError("an invalid size")
    if total > stored:
        raise TarError("a sparse file with missing parts")
    return Holes(size, stored, extents.packed(parts))
