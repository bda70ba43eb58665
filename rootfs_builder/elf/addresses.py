"""Code for x86-64 → the addresses of data that it computes from its own, and where.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, LEA.
"""

import re
from collections.abc import Iterator

from rootfs_builder.elf.headers import Buffer, header
from rootfs_builder.elf.segments import Segment, segments_of

_LEA = re.compile(rb"(?s)[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](?=(.{4}))")
_LOADED, _EXECUTED = 1, 1  # PT_LOAD, PF_X


def segments(data: Buffer) -> tuple[list[Segment], list[Segment]]:
    """What a loader maps: the segments that have code, and all; old linkers make one of both.

    Raises:
        ElfError: the file is not an ELF file, or its program headers are cut short.
    """
    loads = [one for one in segments_of(data, header(data)) if one.type == _LOADED]
    return [one for one in loads if one.flags & _EXECUTED], loads


def taken(code: bytes, at: int) -> Iterator[tuple[re.Match[bytes], int]]:
    """Each LEA that is relative to the code, which is mapped at an address, and what it loads."""
    for hit in _LEA.finditer(code):
        yield hit, at + hit.end() + 4 + int.from_bytes(hit[1], "little", signed=True)
