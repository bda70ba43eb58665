"""The bytes of an ELF file → `ElfFile`: what the kernel and a dynamic loader read, and no more.

Section headers are never looked at: the kernel and the loaders do not either, and a file without
any, or with absurd ones, runs. Everything is found through program headers and the dynamic segment,
whose addresses are virtual and are turned into file offsets by the PT_LOAD segments. Every count
and offset comes from an untrusted file, so each is capped. Source: System V gABI, chapters 4 and 5;
the GNU version tables in the LSB core specification, chapter "Symbol Versioning".
"""

import struct
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from rootfs_builder.elf.headers import MAGIC, Blocks, Buffer, Header, header
from rootfs_builder.elf.segments import PAGE, Segment, segments_of
from rootfs_builder.errors import ElfError

__all__ = [
    "DF_1_NODEFLIB",
    "DF_1_PIE",
    "ET_CORE",
    "ET_DYN",
    "ET_EXEC",
    "ET_REL",
    "MAGIC",
    "Buffer",
    "Dependency",
    "Dynamic",
    "ElfFile",
    "Header",
    "VersionNeed",
    "dynamic",
    "header",
    "read",
]

ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
DF_1_NODEFLIB, DF_1_PIE = 0x800, 0x08000000
VER_FLG_WEAK = 0x2

_PF_X, _PF_W = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29
_DT_FLAGS_1, _DT_VERDEF, _DT_VERNEED = 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFE
_DT_AUXILIARY, _DT_FILTER = 0x7FFFFFFD, 0x7FFFFFFF

_MAX_DYNAMIC = _MAX_STRING = _MAX_VERSIONS = 1 << 16
_MAX_STRINGS = 1 << 20  # of one file, together
_WINDOW = 4096
_MOST_TIMES = 4  # a byte of the file in segments: linkers put each into one


class VersionNeed(Struct, frozen=True, array_like=True):
    """One symbol version that must be defined by the object known as `file` (Elf_Verneed).

    `hash` is that of its record, where it is not that of the name.
    """

    file: bytes
    version: bytes
    weak: bool
    hash: int | None = None


class Dependency(StrEnum):
    """The tags of the dynamic segment that name another object, without their `DT_`."""

    NEEDED = "NEEDED"
    AUXILIARY = "AUXILIARY"
    FILTER = "FILTER"


class ElfFile(Struct, frozen=True, array_like=True):
    """What a loader reads of an object. Strings are bytes, exactly as they stand in the file.

    `needed`, `auxiliary` and `filter` keep the order of the dynamic segment; `rpath` is None when
    absent and b"" when empty, which is not the same to a loader. `dependencies` has all three
    kinds in order, for loaders that treat them in one pass. `loads` and `notes` are the PT_LOAD and
    PT_NOTE segments, each as (file offset, size in the file), and `loads` with their flags.
    `odd_definitions` are the versions that are defined with a hash that is not that of the name;
    where definitions end at a record that no loader knows, `unknown_definition` is its version.
    """

    header: Header
    interpreter: bytes | None
    dynamic: bool
    dependencies: tuple[tuple[Dependency, bytes], ...] = ()
    soname: bytes | None = None
    rpath: bytes | None = None
    runpath: bytes | None = None
    flags_1: int = 0
    version_needs: tuple[VersionNeed, ...] = ()
    version_definitions: tuple[bytes, ...] = ()
    loads: tuple[tuple[int, int, int], ...] = ()
    notes: tuple[tuple[int, int], ...] = ()
    odd_definitions: tuple[tuple[bytes, int], ...] = ()
    unknown_definition: int | None = None

    def defines(self, need: VersionNeed) -> bool:
        """Whether a version is defined, by its hash and its name (glibc elf/dl-version.c)."""
        if need.hash is not None:
            return (need.version, need.hash) in self.odd_definitions
        odd = sum(name == need.version for name, _ in self.odd_definitions)
        return self.version_definitions.count(need.version) > odd

    @property
    def needed(self) -> tuple[bytes, ...]:
        """The DT_NEEDED names."""
        return tuple(name for kind, name in self.dependencies if kind is Dependency.NEEDED)

    @property
    def data(self) -> tuple[tuple[int, int], ...]:
        """What is loaded and not executed: all, where constants stand with code."""
        apart = any(not flags & (_PF_X | _PF_W) for _, _, flags in self.loads)
        return tuple((at, size) for at, size, flags in self.loads if not (apart and flags & _PF_X))

    @property
    def code(self) -> tuple[tuple[int, int], ...]:
        """What is executed, as far as `data` has none of it."""
        return tuple((at, size) for at, size, _ in self.loads if (at, size) not in self.data)


def read(data: Buffer) -> ElfFile:
    """Read an executable or shared object.

    Raises:
        ElfError: the file is not an ELF file, is cut short, or its tables contradict each other.
    """
    data = Blocks(data)
    head = header(data)
    segments = segments_of(data, head)
    loads = tuple(s for s in segments if s.type == PT_LOAD)
    for load in loads:
        if load.size and (load.address - load.offset) % PAGE:  # mmap(2) and ld.so refuse it
            raise ElfError("ELF load command address/offset not page-aligned")
        end = load.offset + load.size
        if end > len(data):
            raise ElfError(f"file too short: a segment ends at byte {end}, file at {len(data)}")
    if sum(load.size for load in loads) > _MOST_TIMES * len(data):
        raise ElfError("its segments have the same bytes of the file many times")
    interpreter = next((_interpreter(data, s) for s in segments if s.type == PT_INTERP), None)
    notes = tuple((s.offset, s.size) for s in segments if s.type == PT_NOTE)
    found = _dynamic(data, head, segments, loads)
    if found is not None:
        return found.file(interpreter, notes)
    places = tuple((s.offset, s.size, s.flags) for s in loads)
    return ElfFile(head, interpreter, dynamic=False, loads=places, notes=notes)


def dynamic(data: Buffer) -> "Dynamic | None":
    """The dynamic segment alone, for tables that are not in `ElfFile`; None where there is none.

    Raises:
        ElfError: the file is not an ELF file, or its headers are cut short.
    """
    head = header(data)
    segments = segments_of(data, head)
    return _dynamic(data, head, segments, tuple(s for s in segments if s.type == PT_LOAD))


_DEPENDENCIES = {
    _DT_NEEDED: Dependency.NEEDED,
    _DT_AUXILIARY: Dependency.AUXILIARY,
    _DT_FILTER: Dependency.FILTER,
}


def _interpreter(data: Buffer, segment: Segment) -> bytes:
    # The kernel: 2 to 4096 bytes, the last of them NUL, else ENOEXEC (fs/binfmt_elf.c).
    text = data[segment.offset : segment.offset + min(segment.size, _WINDOW + 1)]
    if not 2 <= segment.size <= _WINDOW or len(text) < segment.size or text[-1] != 0:
        raise ElfError("its PT_INTERP is malformed")
    return text.partition(b"\0")[0]


def _dynamic(
    data: Buffer, head: Header, segments: list[Segment], loads: tuple[Segment, ...]
) -> "Dynamic | None":
    # The last one counts unless its address is 0. It is empty in a file of debug symbols.
    found = [s for s in segments if s.type == PT_DYNAMIC and s.size]
    return Dynamic(data, head, found[-1], loads) if found and found[-1].address else None


class Dynamic:
    """The dynamic segment of one file, its string table and its version tables.

    `tags` has what each tag says, the last one's value where a tag stands twice.
    """

    def __init__(
        self, data: Buffer, head: Header, segment: Segment, loads: tuple[Segment, ...]
    ) -> None:
        self._data = data
        self.head = head
        self._loads = loads
        self.tags: dict[int, int] = {}
        self._listed: list[tuple[int, int]] = []
        self._read_strings: dict[int, bytes] = {}
        self._room = _MAX_STRINGS
        self._records = _MAX_VERSIONS
        self._unknown_definition: int | None = None
        load, start = self._load(segment.address), self.offset(segment.address)
        if load is None or start is None:
            self._read(segment.offset, segment.offset + segment.size)
        else:
            self._read(start, load.end)
        strings = self.tags.get(_DT_STRTAB)
        self._strings = None if strings is None else self.offset(strings)

    def _read(self, start: int, stop: int) -> None:
        # Up to DT_NULL, or what is mapped: loaders do not look at the segment's size.
        word = self.head.bits // 8
        row = struct.Struct(self.head.order + ("QQ" if word == 8 else "II"))
        stop = min(stop, start + _MAX_DYNAMIC * row.size)
        for at in range(start, stop, _WINDOW):
            table = self._data[at : min(at + _WINDOW, stop)]
            for tag, value in row.iter_unpack(table[: len(table) - len(table) % row.size]):
                if tag == 0:
                    return
                if tag in _DEPENDENCIES:
                    self._listed.append((tag, value))
                else:
                    self.tags[tag] = value

    def _load(self, address: int) -> Segment | None:
        """The PT_LOAD at an address: it hides what those before it have in its pages."""
        found = (load for load in reversed(self._loads) if load.at(address) is not None)
        return next(found, None)

    def offset(self, address: int) -> int | None:
        """Where in the file the byte at a virtual address stands; None where in no segment."""
        load = self._load(address)
        return None if load is None else load.at(address)

    def _string(self, index: int) -> bytes:
        if index in self._read_strings:
            return self._read_strings[index]
        if self._strings is None:
            raise ElfError("its dynamic segment has no string table")
        start = self._strings + index
        text, end, _ = self._data[start : start + 256].partition(b"\0")
        if not end:
            text, end, _ = self._data[start : start + _MAX_STRING].partition(b"\0")
        self._room -= len(text)
        if not end or self._room < 0:
            raise ElfError("a string of its dynamic segment has no end")
        self._read_strings[index] = text
        return text

    def _optional(self, tag: int) -> bytes | None:
        return self._string(self.tags[tag]) if tag in self.tags else None

    def file(self, interpreter: bytes | None, notes: tuple[tuple[int, int], ...]) -> ElfFile:
        """All of it, with what the program headers say beside it."""
        definitions = tuple(self._definitions())
        return ElfFile(
            self.head,
            interpreter,
            dynamic=True,
            dependencies=tuple(
                (_DEPENDENCIES[tag], self._string(value)) for tag, value in self._listed
            ),
            soname=self._optional(_DT_SONAME),
            rpath=self._optional(_DT_RPATH),
            runpath=self._optional(_DT_RUNPATH),
            flags_1=self.tags.get(_DT_FLAGS_1, 0),
            version_needs=tuple(self._needs()),
            version_definitions=tuple(name for name, _ in definitions),
            loads=tuple((s.offset, s.size, s.flags) for s in self._loads),
            notes=notes,
            odd_definitions=tuple((name, odd) for name, odd in definitions if odd is not None),
            unknown_definition=self._unknown_definition,
        )

    def _chain(self, at: int, form: str, onward: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Linked records from a file offset on: (offset, fields), up to one without a next."""
        record = struct.Struct(self.head.order + form)
        while True:
            raw = self._data[at : at + record.size]
            if len(raw) < record.size:
                raise ElfError("its version table is cut off")
            self._records -= 1
            if self._records < 0:
                raise ElfError("its version table has no end")
            fields = record.unpack(raw)
            yield at, fields
            if not fields[onward]:
                return
            at += fields[onward]

    def _table(self, tag: int, form: str, onward: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        if tag not in self.tags:
            return
        start = self.offset(self.tags[tag])
        if start is None:
            raise ElfError("its version table is cut off: it is in no segment")
        yield from self._chain(start, form, onward)  # glibc ignores their count, too

    def _needs(self) -> Iterator[VersionNeed]:
        # Elf_Verneed: version, count, file, aux, next; Elf_Vernaux: hash, flags, other, name, next.
        table = self._table(_DT_VERNEED, "HHIII", 4)
        for number, (at, (version, _, file, first, _)) in enumerate(table):
            if number == 0 and version != 1:  # glibc looks at the first one's alone
                raise ElfError(f"unsupported version {version} of Verneed record")
            for _, (hashed, flags, _, name, _) in self._chain(at + first, "IHHII", 4):
                weak, text = bool(flags & VER_FLG_WEAK), self._string(name)
                yield VersionNeed(self._string(file), text, weak, _odd(hashed, text))

    def _definitions(self) -> Iterator[tuple[bytes, int | None]]:
        # Elf_Verdef: version, flags, ndx, count, hash, aux, next; Elf_Verdaux: name, next.
        for at, fields in self._table(_DT_VERDEF, "HHHHIII", 6):
            if fields[0] != 1:
                self._unknown_definition = fields[0]
                return
            _, (name, _) = next(self._chain(at + fields[5], "II", 1))
            text = self._string(name)
            yield text, _odd(fields[4], text)


def _odd(hashed: int, name: bytes) -> int | None:
    """A record's hash, if it is not that of the name: the System V ABI's, of DT_HASH."""
    right = 0
    for letter in name:
        right = (right << 4) + letter
        right = (right ^ (right & 0xF0000000) >> 24) & 0xFFFFFFF
    return None if hashed == right else hashed
