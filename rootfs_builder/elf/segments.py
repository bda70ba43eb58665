"""The program headers of an ELF file → `Segment`s: what is mapped, and where.

The hard one is that pages are mapped, and not bytes: what stands before and behind a segment in its
pages of the file is in memory, too. Source: System V gABI, chapter 5; glibc elf/dl-map-segments.h.
"""

import struct

from msgspec import Struct

from rootfs_builder.elf.headers import Buffer, Header
from rootfs_builder.errors import ElfError

PAGE = 4096  # bytes: the smallest that any machine maps
_MAX_PHDR_BYTES = 65536  # the kernel's own limit, fs/binfmt_elf.c


class Segment(Struct, frozen=True):
    """A program header: where in the file something is, and at which address in memory."""

    type: int
    flags: int
    offset: int
    address: int
    size: int
    whole: bool  # in memory nothing is behind it but what the file has there

    def at(self, address: int) -> int | None:
        """The file offset of what a loader maps at an address; None if nothing."""
        at = address - (self.address & -PAGE) + (self.offset & -PAGE)
        return at if self.size and self.offset & -PAGE <= at < self.end else None

    @property
    def end(self) -> int:
        """The file offset behind what is mapped, in whole pages where no zeros follow."""
        end = (self.offset & -PAGE) + (self.address & PAGE - 1) + self.size
        return (end + PAGE - 1) & -PAGE if self.whole else end


def segments_of(data: Buffer, head: Header) -> list[Segment]:
    """Every program header, in their order.

    Raises:
        ElfError: their table is cut short, or not of the class that the file says.
    """
    offset, entry_size, count = head.program_headers
    row_size = 56 if head.bits == 64 else 32
    if not head.bits:
        raise ElfError("invalid ELF header")
    if entry_size != row_size:
        raise ElfError("ELF file's phentsize not the expected size")
    table = data[offset : offset + count * row_size]
    if len(table) < count * row_size or len(table) > _MAX_PHDR_BYTES:
        raise ElfError("cannot read file data")
    segments = []
    for fields in struct.iter_unpack(head.order + ("IIQQQQQQ" if row_size == 56 else "8I"), table):
        if row_size == 56:
            type_, flags, start, address, _, size, memory, _ = fields
        else:
            type_, start, address, _, size, memory, flags, _ = fields
        segments.append(Segment(type_, flags, start, address, size, memory <= size))
    return segments
