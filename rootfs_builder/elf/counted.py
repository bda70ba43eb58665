"""A program in Rust for x86-64 → the names in its data that its code gives with their lengths.

Rust does not terminate its texts: `git` may be the beginning of any other. The code that uses one
is exact, for it loads the address and the length into two registers, or stores both. Tables of
texts are not read: most are vocabularies, such as all entities of HTML.

Source: System V ABI, AMD64, 3.2.3, the order of registers; Intel 64 and IA-32 Architectures
Software Developer's Manual, volume 2, MOV, PUSH.
"""

import re
from collections.abc import Iterator

from rootfs_builder.elf import addresses
from rootfs_builder.elf.headers import Buffer
from rootfs_builder.elf.segments import Segment

FACT = "counted names v1"  # its name among facts of files
RUST = b"/library/core/src/"  # where the source of its standard library was, in messages
_NAME = re.compile(rb"[a-z][\w.+-]{1,60}")
_BEFORE, _BEHIND = 24, 32  # bytes of code around an address in which its length is
# Of a register with an address, that with the length: of two arguments side by side, or results.
_RAX, _RCX, _RDX, _RSI, _RDI, _R8, _R9 = 0, 1, 2, 6, 7, 8, 9
_PAIRS = {_RDI: _RSI, _RSI: _RDX, _RDX: _RCX, _RCX: _R8, _R8: _R9, _RAX: _RDX}
_STORED = re.compile(  # MOV of a length to [register + displacement]
    rb"(?s)\x48\xc7(?:[\x40-\x7f]\x24?.|[\x80-\xbf]\x24?.{4})(.)\0\0\0"
)


def _length_in(register: int) -> re.Pattern[bytes]:
    """MOV of one byte to a register, or PUSH and POP of it, which is shorter."""
    extended, low = b"\x41" if register >= _R8 else b"", register & 7
    move, pop = (re.escape(extended + bytes((code + low,))) for code in (0xB8, 0x58))
    return re.compile(rb"(?s)%b(.)\0\0\0|\x6a(.)%b" % (move, pop))


_LENGTHS = {address: _length_in(length) for address, length in _PAIRS.items()}


def names(data: Buffer) -> tuple[str, ...]:
    """The names, sorted; a name has no slash.

    Raises:
        ElfError: the file is not an ELF file, or its program headers are cut short.
    """
    code, loads = addresses.segments(data)
    found = set[bytes]()
    for address, length in _in_code(data, code):
        at = next((at for at in (one.at(address) for one in loads) if at is not None), None)
        found.add(b"" if at is None else data[at : at + length])
    return tuple(sorted(one.decode() for one in found if _NAME.fullmatch(one)))


def _in_code(data: Buffer, segments: list[Segment]) -> Iterator[tuple[int, int]]:
    """Addresses in the code, each with each length that is near."""
    for one in segments:
        code = data[one.offset : one.offset + one.size]
        for hit, address in addresses.taken(code, one.address):
            end = hit.end() + 4
            register = code[hit.end() - 1] >> 3 | (code[hit.start()] & 4) << 1
            lengths = [_STORED.search(code, end, end + _BEHIND)]
            if register in _LENGTHS:
                begin = max(hit.start() - _BEFORE, 0)
                lengths += _LENGTHS[register].finditer(code, begin, end + _BEHIND)
            yield from ((address, found[found.lastindex or 0][0]) for found in lengths if found)
