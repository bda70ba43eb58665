"""ld.so.cache: bytes → entries by name, and entries → the bytes that ldconfig would write.

A cache is a sorted table for a binary search, so writing one means sorting exactly as glibc
compares (`_dl_cache_libcmp`: digit runs as numbers), descending. All fields are in the byte order
of the machine it is for. Source: glibc sysdeps/generic/dl-cache.h, elf/dl-cache.c, elf/cache.c.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from functools import cmp_to_key

from msgspec import Struct

from rootfs_builder.elf import Header
from rootfs_builder.errors import ElfError
from rootfs_builder.paths import decode

_MAGIC = b"glibc-ld.so.cache1.1"
_OLD_MAGIC = b"ld.so-1.7.0"
_EXTENSION_MAGIC = 0xEAA42174
_HWCAPS_TAG = 1
_HWCAP_NAMED = 1 << 62
_HEADER = 48
_ENTRY = 24
_OLD_HEADER, _OLD_ENTRY = 16, 12
_LONGEST = 4096  # PATH_MAX: no longer text names a file that could be opened
_MOST_LEVELS = 1 << 10  # of glibc-hwcaps; a machine has three or four
_SHARED = 32  # times its size: a cache's texts share their bytes, ldconfig's come to once or twice


class CachedLibrary(Struct, frozen=True):
    """A name, the path it leads to, the ABI it is for, the glibc-hwcaps level if any."""

    name: bytes
    path: bytes
    flags: int
    hwcap: bytes | None = None
    isa_level: int = 0


def parse(data: bytes, *, little: bool) -> tuple[CachedLibrary, ...] | None:
    """The entries in file order; None where the loader of that byte order would ignore the file.

    Entries for the hwcaps of before glibc 2.33 are left out, as loaders since 2.37 do; and those
    that name no file, as their text has no end.

    Raises:
        ElfError: entry after entry shares the same bytes, so that the texts are far more than it.
    """
    order = "<" if little else ">"
    base = 0
    if data.startswith(_OLD_MAGIC):
        (count,) = struct.unpack_from(order + "I", data.ljust(_OLD_HEADER, b"\0"), 12)
        end = _OLD_HEADER + count * _OLD_ENTRY
        if end > len(data):
            return None
        base = (end + 7) & ~7
        if not data.startswith(_MAGIC, base):
            rows = struct.iter_unpack(order + "III", data[_OLD_HEADER:end])
            strings = data[end:]
            return tuple(_bounded((_entry(strings, k, v, flags) for flags, k, v in rows), data))
    table = data[base:]
    if not table.startswith(_MAGIC) or len(table) < _HEADER:
        return None
    count, _, endian, extension = struct.unpack_from(order + "IIB3xI", table, 20)
    if endian & 3 not in (0, 2 if little else 3) or _HEADER + count * _ENTRY > len(table):
        return None
    levels = _levels(data, extension, order)
    rows = struct.iter_unpack(order + "IIIIQ", table[_HEADER : _HEADER + count * _ENTRY])
    return tuple(_bounded(_entries(rows, table, levels), data))


def _entries(
    rows: Iterable[tuple[int, int, int, int, int]], table: bytes, levels: tuple[bytes | None, ...]
) -> Iterator[CachedLibrary | None]:
    for flags, key, value, _, hwcap in rows:
        if not hwcap:
            yield _entry(table, key, value, flags)
        elif hwcap & _HWCAP_NAMED and hwcap & 0xFFFFFFFF < len(levels):
            level = levels[hwcap & 0xFFFFFFFF]
            if level is not None:
                yield _entry(table, key, value, flags, (level, hwcap >> 32 & 0x3FF))


def _entry(
    table: bytes, key: int, value: int, flags: int, level: tuple[bytes | None, int] = (None, 0)
) -> CachedLibrary | None:
    name, path = _text(table, key), _text(table, value)
    return None if name is None or path is None else CachedLibrary(name, path, flags, *level)


def _bounded(entries: Iterable[CachedLibrary | None], data: bytes) -> Iterator[CachedLibrary]:
    room = _SHARED * len(data)
    for entry in entries:
        if entry is not None:
            room -= len(entry.name) + len(entry.path)
            if room < 0:
                raise ElfError("its ld.so.cache has overlapping entries; remove or rebuild it")
            yield entry


def _text(data: bytes, offset: int) -> bytes | None:
    end = data.find(b"\0", offset, offset + _LONGEST)
    return data[offset:end] if end >= 0 else None


def _levels(data: bytes, offset: int, order: str) -> tuple[bytes | None, ...]:
    if not offset or len(data) < offset + 8:
        return ()
    magic, count = struct.unpack_from(order + "II", data, offset)
    if magic != _EXTENSION_MAGIC or len(data) < offset + 8 + count * 16:
        return ()
    for index in range(count):
        tag, _, start, size = struct.unpack_from(order + "4I", data, offset + 8 + index * 16)
        if tag == _HWCAPS_TAG and len(data) >= start + size:
            offsets = struct.unpack_from(f"{order}{size // 4}I", data, start)
            return tuple(_text(data, one) for one in offsets[:_MOST_LEVELS])
    return ()


def flags(header: Header) -> tuple[int, ...]:
    """The ABI numbers that a loader of this kind accepts, its own first (sysdeps dl-cache.h)."""
    return header.platform.abi(header.flags).cache


def usable(data: bytes | None, header: Header) -> dict[str, tuple[CachedLibrary, ...]]:
    """The entries by name, in file order, of a cache for a loader with this header."""
    entries = None if data is None else parse(data, little=header.little)
    accepted = flags(header)
    by_name: dict[str, list[CachedLibrary]] = {}
    for entry in entries or ():
        if entry.flags in accepted:
            name = decode(entry.name)
            by_name.setdefault(name, []).append(entry)
    return {name: tuple(found) for name, found in by_name.items()}


def best(entries: tuple[CachedLibrary, ...], hwcaps: tuple[str, ...]) -> CachedLibrary | None:
    """Of the entries for one name the one that is taken: that of the best level, or the plain."""
    ranked: dict[int, CachedLibrary] = {}
    for entry in entries:
        if entry.hwcap is None:
            return ranked[min(ranked)] if ranked else entry  # named levels stand before the plain
        if decode(entry.hwcap) in hwcaps:
            ranked.setdefault(hwcaps.index(decode(entry.hwcap)), entry)
    return ranked[min(ranked)] if ranked else None


def build(entries: Iterable[CachedLibrary], *, little: bool) -> bytes:
    """The cache file for these entries: the new format, without a generator string."""
    order = "<" if little else ">"
    ordered = sorted(set(entries), key=cmp_to_key(_compare), reverse=True)
    levels = sorted({entry.hwcap for entry in ordered if entry.hwcap is not None})
    strings = bytearray()
    offsets: dict[bytes, int] = {}
    start = _HEADER + len(ordered) * _ENTRY
    for entry in ordered:  # a name is mostly the tail of its path: one string serves both
        if entry.path not in offsets:
            offsets[entry.path] = start + len(strings)
            strings += entry.path + b"\0"
        if entry.path.endswith(b"/" + entry.name):
            offsets[entry.name] = offsets[entry.path] + len(entry.path) - len(entry.name)
    for text in [entry.name for entry in ordered] + levels:
        if text not in offsets:
            offsets[text] = start + len(strings)
            strings += text + b"\0"
    rows = bytearray()
    for entry in ordered:
        hwcap = 0
        if entry.hwcap is not None:
            hwcap = _HWCAP_NAMED | entry.isa_level << 32 | levels.index(entry.hwcap)
        key, value = offsets[entry.name], offsets[entry.path]
        rows += struct.pack(order + "IIIIQ", entry.flags, key, value, 0, hwcap)
    pad = -(start + len(strings)) % 4
    extension = start + len(strings) + pad if levels else 0
    header = struct.pack(
        order + "20sIIB3xI12x", _MAGIC, len(ordered), len(strings), 2 if little else 3, extension
    )
    tail = b""
    if levels:
        tail = bytes(pad) + struct.pack(
            order + "6I", _EXTENSION_MAGIC, 1, _HWCAPS_TAG, 0, extension + 24, 4 * len(levels)
        )
        tail += b"".join(struct.pack(order + "I", offsets[level]) for level in levels)
    return header + bytes(rows) + bytes(strings) + tail


def _compare(a: CachedLibrary, b: CachedLibrary) -> int:
    by_name = _libcmp(a.name, b.name)
    if by_name:
        return by_name
    if a.flags != b.flags:
        return a.flags - b.flags
    # Reversed by the caller: a named level stands before the plain entry, levels ascend, and
    # among equals the path decides, so that the bytes do not depend on the order of discovery.
    left = (a.hwcap is None, a.hwcap or b"", a.path)
    right = (b.hwcap is None, b.hwcap or b"", b.path)
    return (left < right) - (left > right)


def _libcmp(a: bytes, b: bytes) -> int:
    """_dl_cache_libcmp: digit runs compare as numbers, a digit is greater than a non-digit."""
    left, right = _pieces(a), _pieces(b)
    return (left > right) - (left < right)


def _pieces(name: bytes) -> list[tuple[int, int]]:
    return [
        (1, int(piece)) if piece.isdigit() else (0, piece[0])
        for piece in re.findall(rb"[0-9]+|[^0-9]", name)
    ]
