"""A program for x86-64 → its texts that are the ends of others.

A linker keeps a text once that is the end of another: of `wdiff` and `diff` the data have the
first, and only the code knows that the second begins in it. Tables of texts are not read.
"""

import re

from rootfs_builder.elf import addresses
from rootfs_builder.elf.headers import Buffer

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
    parts = ((data[one.offset : one.offset + one.size], one.address) for one in code)
    wanted = {address for part in parts for _, address in addresses.taken(*part)}
    found = set[bytes]()
    for one in loads:
        held = data[one.offset : one.offset + one.size]
        for at in (address - one.address for address in wanted):
            if 0 < at < len(held) and held[at - 1] in _BEFORE and (text := _TEXT.match(held, at)):
                found.add(text[0])
                if len(found) == _MOST:
                    break
    return tuple(sorted(found))
