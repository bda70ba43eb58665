"""Code for x86-64 → the addresses that it computes from its own, as those of its data.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, LEA.
"""

import re
from collections.abc import Iterator

from rootfs_builder.elf.headers import Buffer, header
from rootfs_builder.elf.segments import Segment, segments_of

_LEA = re.compile(rb"(?s)[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](?=(.{4}))")
_LOADED, _EXECUTED = 1, 1  # PT_LOAD, PF_X


def segments(data: Buffer) -> tuple[list[Segment], list[Segment]]:
    """What a loader maps: the segments with code, and all; texts may lie in those with code, too.

    Raises:
        ElfError: the file is not an ELF file, or its program headers are cut short.
    """
    loads = [one for one in segments_of(data, header(data)) if one.type == _LOADED]
    return [one for one in loads if one.flags & _EXECUTED], loads


def taken(code: bytes, at: int) -> Iterator[tuple[re.Match[bytes], int]]:
    """Each LEA in code that is mapped at an address, and the address that it computes."""
    for hit in _LEA.finditer(code):
        yield hit, at + hit.end() + 4 + int.from_bytes(hit[1], "little", signed=True)
