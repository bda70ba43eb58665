"""The notes of an ELF file → the libraries that it says it may open by itself.

A note's padding follows its segment's alignment, 4 or 8, and linkers have mixed both in one
segment. The 16 bytes before a text of ours are the same either way, so they are looked for, and
what other notes there are does not matter. Source: UAPI.12, "dlopen() Metadata for ELF Files".
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from rootfs_builder.elf import Buffer
from rootfs_builder.errors import ElfError

Priority = Literal["required", "recommended", "suggested"]
_Soname = Annotated[str, Meta(pattern=r"\A[^\0]+\Z")]

_OWNER = b"FDO\0"
_TYPE = 0x407C0C0A
_ALIGNMENT = 4
_MALFORMED = (ValueError, RecursionError)  # no JSON, no UTF-8, no entry; nested too deep
_MAX_BYTES = 1 << 20  # of one file's notes, together


class Note(Struct, frozen=True):
    """A library of which the first soname that exists is opened, and what for."""

    sonames: Annotated[tuple[_Soname, ...], Meta(min_length=1)] = msgspec.field(name="soname")
    feature: str = ""
    description: str = ""
    priority: Priority = "recommended"


def read(data: Buffer, ranges: tuple[tuple[int, int], ...], *, order: str) -> tuple[Note, ...]:
    """The entries of all notes, as they stand in the file.

    Args:
        data: the file.
        ranges: file offset and size of its note segments, `ElfFile.notes`.
        order: its byte order as `struct` spells it, `Header.order`.

    An entry that keeps not to the specification is left out, and so is what follows the first
    mebibyte of notes.

    Raises:
        ElfError: a range ends after the file.
    """
    room = _MAX_BYTES
    notes: list[Note] = []
    for offset, size in ranges:
        if offset + size > len(data):
            raise ElfError("a segment of its notes ends after the file")
        segment = data[offset : offset + min(size, room)]
        room -= len(segment)
        for text in _texts(segment, order):
            notes += _entries(text)
    return tuple(notes)


def _texts(segment: bytes, order: str) -> Iterator[bytes]:
    """What the notes of our kind say. A note is: length of owner, of text, kind; owner; text."""
    length = re.escape(struct.pack(order + "I", len(_OWNER)))
    kind = re.escape(struct.pack(order + "I", _TYPE) + _OWNER)
    for head in re.finditer(length + b"(.{4})" + kind, segment, re.DOTALL):
        (size,) = struct.unpack(order + "I", head[1])
        text = segment[head.end() : head.end() + size]
        if len(text) == size and head.start() % _ALIGNMENT == 0:
            yield text.partition(b"\0")[0]


def _entries(text: bytes) -> list[Note]:
    notes = []
    with suppress(*_MALFORMED):
        for entry in msgspec.json.decode(text, type=list[msgspec.Raw]):
            with suppress(*_MALFORMED):
                notes.append(msgspec.json.decode(entry, type=Note))
    return notes
