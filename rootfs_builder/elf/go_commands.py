"""A program in Go for x86-64 → the programs that it starts, as its calls of os/exec name them.

Go does not terminate its strings, so a name found in the data may be part of a longer string. The
code of a call is exact: it loads the address and the length of a constant name into two registers.
Go's function table, which stripping does not remove, says where each function begins.

Source: Go's runtime/symtab.go, pcHeader; Go internal ABI specification, amd64; Intel 64 and IA-32
Architectures Software Developer's Manual, volume 2, CALL, LEA, MOV.
"""

import re
import struct
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from rootfs_builder.elf.headers import Buffer, header
from rootfs_builder.elf.segments import Segment, segments_of

FACT = "commands of Go v1"  # its name among facts of files
_Way = tuple[re.Pattern[bytes], re.Pattern[bytes]]
# How a name comes to a function: LEA of its address, and MOV of its length, of one byte.
_FIRST: _Way = re.compile(rb"(?s)\x48\x8d\x05(.{4})"), re.compile(rb"(?s)\xbb(.)\0\0\0")
# Behind a context: an interface, which has two registers.
_SECOND: _Way = re.compile(rb"(?s)\x48\x8d\x0d(.{4})"), re.compile(rb"(?s)\xbf(.)\0\0\0")
_FUNCTIONS = {
    b"os/exec.Command": _FIRST,
    b"os/exec.CommandContext": _SECOND,
    b"os/exec.LookPath": _FIRST,
}
_TABLE = re.compile(rb"[\xf0\xf1]\xff\xff\xff\0\0\x01\x08")  # since Go 1.18
_MOST_TABLES = 8  # bytes that look like the beginning of one; a program has one
_START = 24  # where in the table the address of the first function is, 0 for a loader to write
_CALL = re.compile(rb"(?s)\xe8(?=(.{4}))")
_BEFORE = 96  # bytes of code in which arguments are made
_NAME = re.compile(rb"[\w.+/-]{2,100}")
_LOADED, _EXECUTED, _RELATIVE = 1, 1, 8  # PT_LOAD, PF_X, R_X86_64_RELATIVE


class GoCommands(Struct, frozen=True):
    """Whether a program calls os/exec, and the names and paths that are constants, in order."""

    calls: bool = False
    names: tuple[str, ...] = ()


def find(data: Buffer) -> GoCommands:
    """Read the calls from an ELF file; there are none without a function table of Go 1.18 or later.

    Raises:
        ElfError: the file is not an ELF file, or its program headers are cut short.
    """
    loads = [one for one in segments_of(data, header(data)) if one.type == _LOADED]
    functions = {
        address: _FUNCTIONS[name] for one in loads for name, address in _functions(data, one)
    }
    code = (one for one in loads if functions and one.flags & _EXECUTED)
    names = {name for one in code for name in _named(data, one, loads, functions)}
    return GoCommands(bool(functions), tuple(sorted(names)))


def _functions(data: Buffer, segment: Segment) -> Iterator[tuple[bytes, int]]:
    """The functions that start programs, and their addresses, if a segment has the table."""
    loaded = data[segment.offset : segment.offset + segment.size]
    for hit in islice(_TABLE.finditer(loaded), _MOST_TABLES):
        table = loaded[hit.start() :]
        try:
            count, _, start, names, _, _, _, rows = struct.unpack_from("<8Q", table, 8)
            at = {table.find(b"\0%b\0" % one, names) + 1 - names: one for one in _FUNCTIONS}
            for offset, row in struct.iter_unpack("<2I", table[rows : rows + count * 8]):
                (named,) = struct.unpack_from("<i", table, rows + row + 4)
                if named in at and named > 0:
                    start = start or _written(data, segment.address + hit.start() + _START)
                    yield at[named], start + offset
        except struct.error:
            continue  # eight bytes that begin none


def _written(data: Buffer, address: int) -> int:
    """What a loader adds its base to and writes to an address; 0 if nothing."""
    entry = struct.pack("<2Q", address, _RELATIVE)
    _, _, addend = data[:].partition(entry)
    return int.from_bytes(addend[:8], "little")


def _named(
    data: Buffer, code: Segment, loads: list[Segment], functions: dict[int, _Way]
) -> Iterator[str]:
    """The constant names in calls of the functions."""
    text = data[code.offset : code.offset + code.size]
    for call in _CALL.finditer(text):
        target = code.address + call.end() + 4 + int.from_bytes(call[1], "little", signed=True)
        if target not in functions:
            continue
        by, length = (
            [*one.finditer(text, max(call.start() - _BEFORE, 0), call.start())][-1:]
            for one in functions[target]
        )
        if by and length:
            address = code.address + by[0].end() + int.from_bytes(by[0][1], "little", signed=True)
            offset = next((at for at in (one.at(address) for one in loads) if at is not None), None)
            name = b"" if offset is None else data[offset : offset + length[0][1][0]]
            if _NAME.fullmatch(name):
                yield name.decode()
