"""A program for x86-64 → its texts that are the ends of others.

A linker keeps a text once that is the end of another: of `wdiff` and `diff` the data have the
first, and only the code knows that the second begins in it. Tables of texts are not read.
"""

import re
from collections.abc import Iterator

from rootfs_builder.elf import addresses
from rootfs_builder.elf.headers import Buffer
from rootfs_builder.elf.segments import Segment

FACT = "ends of texts v1"  # its name among facts of files
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]{2,250}(?=\0)")
_MOST = 50_000  # of one file; the most of all programs here is 15,880, of Chromium
_BEFORE = frozenset((*b"\t\n\r", *range(0x20, 0x7F)))  # bytes of a text


def texts(data: Buffer) -> tuple[bytes, ...]:
    """The texts of 2 to 250 bytes, sorted; of more than any compiler makes, 50,000.

    Raises:
        ElfError: the file is not an ELF file, or its program headers are cut short.
    """
    code, loads = addresses.segments(data)
    held = {one: data[one.offset : one.offset + one.size] for one in loads}
    found = set[bytes]()
    for text in (text for one in code for text in _in_code(one, held)):
        found.add(text)
        if len(found) == _MOST:
            break
    return tuple(sorted(found))


def _in_code(code: Segment, held: dict[Segment, bytes]) -> Iterator[bytes]:
    """What begins within a text, at an address that the code computes."""
    for _, address in addresses.taken(held[code], code.address):
        for segment, content in held.items():
            at = address - segment.address
            begins = 0 < at < len(content) and content[at - 1] in _BEFORE
            if begins and (text := _TEXT.match(content, at)):
                yield text[0]
