"""The first 64 bytes of an ELF file → `Header`: what kind of file it is, and for which machine."""

import struct
from typing import Protocol

from msgspec import Struct

from rootfs_builder import platforms
from rootfs_builder.errors import ElfError
from rootfs_builder.platforms import Machine

MAGIC = b"\x7fELF"
_BLOCK = 14  # as a power of two: 16 KiB


class Buffer(Protocol):
    """Bytes by position; slices past the end are short, as those of `bytes` are."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


class Blocks:
    """The same bytes, read in blocks: what a loader wants of a file stands close together."""

    def __init__(self, data: Buffer) -> None:
        self._data = data
        self._blocks: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, part: slice) -> bytes:
        number = part.start >> _BLOCK
        if (part.stop - 1) >> _BLOCK != number:
            return self._data[part]
        start = number << _BLOCK
        if number not in self._blocks:
            self._blocks[number] = self._data[start : start + (1 << _BLOCK)]
        return self._blocks[number][part.start - start : part.stop - start]


class Header(Struct, frozen=True, array_like=True):
    """The ELF header, read in the byte order that it declares itself."""

    bits: int
    little: bool
    ident: bytes  # its first 16 bytes, as they are
    type: int
    machine: int
    version: int
    entry: int
    flags: int
    program_headers: tuple[int, int, int]  # file offset, size of one, count

    @property
    def order(self) -> str:
        """The byte order as `struct` spells it."""
        return "<" if self.little else ">"

    @property
    def platform(self) -> Machine:
        """What is known of the machine that it is for."""
        return platforms.of(self.machine, self.bits, little=self.little)


def header(data: Buffer) -> Header:
    """Read the ELF header.

    A class or byte order that does not exist is left to the caller: `bits` is 0, or little endian.

    Raises:
        ElfError: in glibc's words, `file too short` or `invalid ELF header` (elf/dl-load.c).
    """
    head = data[0:64]
    if len(head) < 64:  # of a 32-bit file 52 would do, but it could hold no program header then
        raise ElfError("file too short")
    if head[:4] != MAGIC:
        raise ElfError("invalid ELF header")
    order = ">" if head[5] == 2 else "<"
    type_, machine, version = struct.unpack_from(order + "HHI", head, 16)
    if head[4] == 2:
        entry, phoff = struct.unpack_from(order + "QQ", head, 24)
        flags, _, phentsize, phnum = struct.unpack_from(order + "IHHH", head, 48)
    else:
        entry, phoff = struct.unpack_from(order + "II", head, 24)
        flags, _, phentsize, phnum = struct.unpack_from(order + "IHHH", head, 36)
    return Header(
        bits={1: 32, 2: 64}.get(head[4], 0),
        little=order == "<",
        ident=head[:16],
        type=type_,
        machine=machine,
        version=version,
        entry=entry,
        flags=flags,
        program_headers=(phoff, phentsize, phnum),
    )
