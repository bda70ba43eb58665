"""The bytes of an ELF file → `ElfFile`: what the kernel and a dynamic loader read, and no more.

Section headers are never looked at: the kernel and the loaders do not either, and a file without
any, or with absurd ones, runs. Everything is found through program headers and the dynamic segment,
whose addresses are virtual and are turned into file offsets by the PT_LOAD segments. Every count
and offset comes from an untrusted file, so each is capped. Source: System V gABI, chapters 4 and 5;
the GNU version tables in the LSB core specification, chapter "Symbol Versioning".
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rootfs_builder.errors import ElfError

MAGIC = b"\x7fELF"
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
DF_1_NODEFLIB, DF_1_PIE = 0x800, 0x08000000
VER_FLG_WEAK = 0x2

_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29
_DT_FLAGS_1, _DT_VERDEF, _DT_VERNEED = 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFE
_DT_AUXILIARY, _DT_FILTER = 0x7FFFFFFD, 0x7FFFFFFF

_MAX_PHDR_BYTES = 65536  # the kernel's own limit, fs/binfmt_elf.c
_MAX_DYNAMIC = 1 << 16
_MAX_STRING = 1 << 16
_MAX_VERSIONS = 1 << 16
_WINDOW = 4096


class Buffer(Protocol):
    """Bytes by position; slices past the end are short, as those of `bytes` are."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Header:
    """The ELF header, read in the byte order that it declares itself."""

    bits: int
    little: bool
    osabi: int
    abi_version: int
    type: int
    machine: int
    flags: int
    program_headers: tuple[int, int, int]  # file offset, size of one, count

    @property
    def order(self) -> str:
        """The byte order as `struct` spells it."""
        return "<" if self.little else ">"


@dataclass(frozen=True, slots=True)
class VersionNeed:
    """One symbol version that must be defined by the object known as `file` (Elf_Verneed)."""

    file: bytes
    version: bytes
    weak: bool


@dataclass(frozen=True, slots=True)
class ElfFile:
    """What a loader reads of an object. Strings are bytes, exactly as they stand in the file.

    `needed`, `auxiliary` and `filter` keep the order of the dynamic segment; `rpath` is None when
    absent and b"" when empty, which is not the same to a loader. `dependencies` has all three
    kinds in order, for loaders that treat them in one pass.
    """

    header: Header
    interpreter: bytes | None
    dynamic: bool
    dependencies: tuple[tuple[str, bytes], ...] = ()
    soname: bytes | None = None
    rpath: bytes | None = None
    runpath: bytes | None = None
    flags_1: int = 0
    version_needs: tuple[VersionNeed, ...] = ()
    version_definitions: tuple[bytes, ...] = ()
    loads: bool = True
    notes: tuple[tuple[int, int], ...] = ()

    @property
    def needed(self) -> tuple[bytes, ...]:
        """The DT_NEEDED names."""
        return tuple(name for kind, name in self.dependencies if kind == "NEEDED")


def header(data: Buffer) -> Header:
    """Read the ELF header.

    Raises:
        ElfError: in glibc's words, `file too short` or `invalid ELF header` (elf/dl-load.c).
    """
    head = data[0:64]
    if head[:4] != MAGIC[: len(head)]:
        raise ElfError("invalid ELF header")
    if len(head) < 52 or (head[4] != 1 and len(head) < 64):
        raise ElfError("file too short")
    if head[4] not in (1, 2) or head[5] not in (1, 2):
        raise ElfError("invalid ELF header")
    order = "<" if head[5] == 1 else ">"
    type_, machine = struct.unpack_from(order + "HH", head, 16)
    if head[4] == 2:
        (phoff,) = struct.unpack_from(order + "Q", head, 32)
        flags, _, phentsize, phnum = struct.unpack_from(order + "IHHH", head, 48)
    else:
        (phoff,) = struct.unpack_from(order + "I", head, 28)
        flags, _, phentsize, phnum = struct.unpack_from(order + "IHHH", head, 36)
    return Header(
        bits=64 if head[4] == 2 else 32,
        little=head[5] == 1,
        osabi=head[7],
        abi_version=head[8],
        type=type_,
        machine=machine,
        flags=flags,
        program_headers=(phoff, phentsize, phnum),
    )


def read(data: Buffer) -> ElfFile:
    """Read an executable or shared object.

    Raises:
        ElfError: the file is no ELF file, is cut short, or its tables contradict each other.
    """
    head = header(data)
    segments = _segments(data, head)
    loads = tuple(s for s in segments if s.type == PT_LOAD)
    for load in loads:
        if load.offset + load.size > len(data):
            raise ElfError(
                f"file too short: a segment ends at byte {load.offset + load.size}, "
                f"the file at {len(data)}"
            )
    interpreter = None
    for segment in segments:
        if segment.type == PT_INTERP:
            interpreter = _interpreter(data, segment)
            break
    notes = tuple((s.offset, s.size) for s in segments if s.type == PT_NOTE)
    for segment in segments:
        if segment.type == PT_DYNAMIC:
            return _Dynamic(data, head, segment, loads).file(interpreter, notes)
    return ElfFile(head, interpreter, dynamic=False, loads=bool(loads), notes=notes)


@dataclass(frozen=True, slots=True)
class _Segment:
    type: int
    offset: int
    address: int
    size: int


def _segments(data: Buffer, head: Header) -> list[_Segment]:
    offset, entry_size, count = head.program_headers
    wanted = 56 if head.bits == 64 else 32
    if entry_size != wanted or not 0 < count * wanted <= _MAX_PHDR_BYTES:
        raise ElfError("invalid ELF header: no usable program headers")
    table = data[offset : offset + count * wanted]
    if len(table) < count * wanted:
        raise ElfError("file too short: its program headers are cut off")
    segments = []
    for fields in struct.iter_unpack(head.order + ("IIQQQQQQ" if wanted == 56 else "8I"), table):
        if wanted == 56:
            type_, _, start, address, _, size, _, _ = fields
        else:
            type_, start, address, _, size, _, _, _ = fields
        segments.append(_Segment(type_, start, address, size))
    return segments


def _interpreter(data: Buffer, segment: _Segment) -> bytes:
    # The kernel: 2 to 4096 bytes, the last of them NUL, else ENOEXEC (fs/binfmt_elf.c).
    text = data[segment.offset : segment.offset + min(segment.size, _WINDOW + 1)]
    if not 2 <= segment.size <= _WINDOW or len(text) < segment.size or text[-1] != 0:
        raise ElfError("its PT_INTERP is malformed")
    return text.partition(b"\0")[0]


class _Dynamic:
    """The dynamic segment of one file, its string table and its version tables."""

    def __init__(
        self, data: Buffer, head: Header, segment: _Segment, loads: tuple[_Segment, ...]
    ) -> None:
        self._data = data
        self._head = head
        self._loads = loads
        self._single: dict[int, int] = {}
        self._listed: list[tuple[int, int]] = []
        start = self._offset(segment.address)
        self._read(segment.offset if start is None else start, segment.size)
        strings = self._single.get(_DT_STRTAB)
        self._strings = None if strings is None else self._offset(strings)

    def _read(self, start: int, size: int) -> None:
        word = self._head.bits // 8
        size = min(size - size % (2 * word), _MAX_DYNAMIC * word)
        table = self._data[start : start + size]
        table = table[: len(table) - len(table) % (2 * word)]
        for tag, value in struct.iter_unpack(
            self._head.order + ("QQ" if word == 8 else "II"), table
        ):
            if tag == 0:
                return
            if tag in (_DT_NEEDED, _DT_AUXILIARY, _DT_FILTER):
                self._listed.append((tag, value))
            else:
                self._single[tag] = value

    def _offset(self, address: int) -> int | None:
        for load in self._loads:
            if load.address <= address < load.address + load.size:
                return address - load.address + load.offset
        return None

    def _string(self, index: int, base: int | None = None) -> bytes:
        start = self._strings if base is None else base
        if start is None:
            raise ElfError("its dynamic segment has no string table")
        text = self._data[start + index : start + index + 256]
        if b"\0" not in text:
            text = self._data[start + index : start + index + _MAX_STRING]
            if b"\0" not in text:
                raise ElfError("a string of its dynamic segment has no end")
        return text.partition(b"\0")[0]

    def _optional(self, tag: int) -> bytes | None:
        return self._string(self._single[tag]) if tag in self._single else None

    def file(self, interpreter: bytes | None, notes: tuple[tuple[int, int], ...]) -> ElfFile:
        kinds = {_DT_NEEDED: "NEEDED", _DT_AUXILIARY: "AUXILIARY", _DT_FILTER: "FILTER"}
        return ElfFile(
            self._head,
            interpreter,
            dynamic=True,
            dependencies=tuple((kinds[tag], self._string(value)) for tag, value in self._listed),
            soname=self._optional(_DT_SONAME),
            rpath=self._optional(_DT_RPATH),
            runpath=self._optional(_DT_RUNPATH),
            flags_1=self._single.get(_DT_FLAGS_1, 0),
            version_needs=tuple(self._needs()),
            version_definitions=tuple(self._definitions()),
            loads=bool(self._loads),
            notes=notes,
        )

    def _chain(self, tag: int, layout: str, next_field: int) -> Iterator[tuple[int, list[int]]]:
        """The linked records that start where `tag` points: (file offset, fields)."""
        address = self._single.get(tag)
        position = None if address is None else self._offset(address)
        form = struct.Struct(self._head.order + layout)
        for _ in range(_MAX_VERSIONS):
            if position is None:
                return
            record = self._data[position : position + form.size]
            if len(record) < form.size:
                raise ElfError("its version table is cut off")
            fields = list(form.unpack(record))
            yield position, fields
            if not fields[next_field]:
                return
            position += fields[next_field]

    def _needs(self) -> Iterator[VersionNeed]:
        # Elf_Verneed: version, count, file, aux, next; Elf_Vernaux: hash, flags, other, name, next.
        aux = struct.Struct(self._head.order + "IHHII")
        for position, (_, count, file, first, _) in self._chain(_DT_VERNEED, "HHIII", 4):
            at = position + first
            for _ in range(count):
                record = self._data[at : at + aux.size]
                if len(record) < aux.size:
                    raise ElfError("its version table is cut off")
                _, flags, _, name, onward = aux.unpack(record)
                weak = bool(flags & VER_FLG_WEAK)
                yield VersionNeed(self._string(file), self._string(name), weak)
                at += onward

    def _definitions(self) -> Iterator[bytes]:
        # Elf_Verdef: version, flags, ndx, count, hash, aux, next; Elf_Verdaux: name, next.
        for position, fields in self._chain(_DT_VERDEF, "HHHHIII", 6):
            at = position + fields[5]
            record = self._data[at : at + 4]
            if len(record) < 4:
                raise ElfError("its version table is cut off")
            yield self._string(struct.unpack(self._head.order + "I", record)[0])
