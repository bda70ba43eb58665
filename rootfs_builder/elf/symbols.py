"""The bytes of an ELF file → the names of what it wants other objects to define.

The dynamic segment tells where the symbol table begins and not how long it is: only its hash table
does. DT_HASH has the count. DT_GNU_HASH hashes the last symbols of the table, so it ends where the
last chain does; undefined symbols are among the hashed ones too, such as a function whose address a
program takes. One that hashes nothing says nothing (GNU ld writes 1 as its first hashed symbol),
and MIPS has none of the two. Source: System V gABI, chapter 5; binutils bfd/elflink.c.
"""

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from functools import cache

from rootfs_builder import elf
from rootfs_builder.elf import Buffer, Dynamic
from rootfs_builder.errors import ElfError

_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT = 4, 5, 6, 10, 11
_DT_RELA, _DT_REL, _DT_JMPREL, _DT_RELR = 7, 17, 23, 36
_DT_GNU_HASH, _DT_VERSYM, _DT_VERDEF, _DT_VERNEED = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE
_DT_MIPS_SYMTABNO = 0x70000011
_TABLES = (  # what linkers lay beside a symbol table
    *(_DT_HASH, _DT_STRTAB, _DT_RELA, _DT_REL, _DT_JMPREL, _DT_RELR),
    *(_DT_GNU_HASH, _DT_VERSYM, _DT_VERDEF, _DT_VERNEED),
)
_STB_GLOBAL, _STB_WEAK = 1, 2

_MAX_SYMBOLS = 1 << 20
_MAX_STRINGS = 1 << 27  # bytes of a string table
_MAX_NAMES = 1 << 26  # bytes of all names, where they share their bytes
_WINDOW = 4096


def matching(globs: frozenset[bytes], names: frozenset[bytes]) -> frozenset[bytes]:
    """The names that fit one of the globs, most of which are plain names."""
    plain, heads, fits = _compiled(globs)
    if not heads:
        return plain & names
    return (plain & names).union(one for one in names if one.startswith(heads) and fits(one))


@cache
def _compiled(
    globs: frozenset[bytes],
) -> tuple[frozenset[bytes], tuple[bytes, ...], Callable[[bytes], object]]:
    """The plain names; how those begin that fit another; whether one does."""
    others = sorted(one for one in globs if re.search(rb"[*?[]", one))
    heads = tuple(re.split(rb"[*?[]", one, maxsplit=1)[0] for one in others)
    pattern = "|".join(translate(one.decode()) for one in others)
    return globs.difference(others), heads, re.compile(pattern.encode()).match


def imports(data: Buffer) -> frozenset[bytes]:
    """The names of the undefined dynamic symbols, global or weak; without their versions.

    Empty where there is no dynamic symbol table.

    Raises:
        ElfError: the file is not an ELF file, or its tables are cut short or contradict each other.
    """
    dynamic = elf.dynamic(data)
    if dynamic is None or _DT_SYMTAB not in dynamic.tags:
        return frozenset()
    wide = dynamic.head.bits == 64
    size = 24 if wide else 16
    if dynamic.tags.get(_DT_SYMENT, size) != size:
        raise ElfError("the symbols of its dynamic segment have a size that does not exist")
    count = _count(data, dynamic, size)
    if count > _MAX_SYMBOLS:
        raise ElfError("its dynamic segment has more symbols than any program")
    start = _offset(dynamic, _DT_SYMTAB)
    table = data[start : start + count * size]
    if len(table) < count * size:
        raise ElfError("its symbol table is cut off")
    # Elf64_Sym: name, info, other, shndx, value, size; Elf32_Sym: name, value, size, info, …
    form = dynamic.head.order + ("IBxH16x" if wide else "I8xBxH")
    indexes = {
        name
        for name, info, section in struct.iter_unpack(form, table)
        if not section and info >> 4 in (_STB_GLOBAL, _STB_WEAK)
    }
    return _names(data, dynamic, indexes)


def among(data: Buffer, names: Iterable[bytes]) -> frozenset[bytes]:
    """Which names its dynamic symbols have, defined or not.

    Raises:
        ElfError: see `imports`.
    """
    dynamic = elf.dynamic(data)
    strings = b"" if dynamic is None else _strings(data, dynamic)
    return frozenset(one for one in names if b"\0%b\0" % one in strings)


def _strings(data: Buffer, dynamic: Dynamic) -> bytes:
    start = _offset(dynamic, _DT_STRTAB)
    return data[start : start + min(dynamic.tags.get(_DT_STRSZ, _MAX_STRINGS), _MAX_STRINGS)]


def _names(data: Buffer, dynamic: Dynamic, indexes: set[int]) -> frozenset[bytes]:
    if not indexes:
        return frozenset()
    strings = _strings(data, dynamic)
    names = set()
    room = _MAX_NAMES
    for index in indexes:
        end = strings.find(b"\0", index)
        room -= end - index
        if end < 0:
            raise ElfError("the name of a dynamic symbol has no end")
        if room < 0:
            raise ElfError("the names of its dynamic symbols are longer than any program's")
        names.add(strings[index:end])
    return frozenset(names - {b""})


def _offset(dynamic: Dynamic, tag: int) -> int:
    offset = dynamic.offset(dynamic.tags[tag]) if tag in dynamic.tags else None
    if offset is None:
        raise ElfError("its dynamic segment names a table that is not in the file")
    return offset


def _count(data: Buffer, dynamic: Dynamic, size: int) -> int:
    """How many symbols the table has, of `size` bytes each."""
    tags, head = dynamic.tags, dynamic.head
    if head.platform.counts_symbols and _DT_MIPS_SYMTABNO in tags:
        return tags[_DT_MIPS_SYMTABNO]
    if _DT_HASH in tags:  # bucket count, chain count: one chain link for each symbol
        form = struct.Struct(head.order + ("8xQ" if head.platform.wide_hash else "4xI"))
        start = _offset(dynamic, _DT_HASH)
        (count,) = form.unpack(_whole(data, start, form.size))
        return int(count)
    hashed = _gnu_count(data, dynamic) if _DT_GNU_HASH in tags else 0
    if hashed:
        return hashed
    end = min((tags[tag] for tag in _TABLES if tags.get(tag, 0) > tags[_DT_SYMTAB]), default=0)
    if not end:
        raise ElfError("its dynamic segment does not say how many symbols it has")
    return (end - tags[_DT_SYMTAB]) // size


def _gnu_count(data: Buffer, dynamic: Dynamic) -> int:
    """The index after the last hashed symbol; 0 where none is hashed."""
    # Bucket count, first hashed symbol, words of the Bloom filter, its shift; the filter; buckets
    # with the first symbol of each chain; of each hashed symbol its hash, odd in a chain's last.
    order = dynamic.head.order
    start = _offset(dynamic, _DT_GNU_HASH)
    buckets, first, words, _ = struct.unpack(order + "4I", _whole(data, start, 16))
    if max(buckets, words) > _MAX_SYMBOLS:
        raise ElfError("its hash table has more buckets than any program")
    start += 16 + words * dynamic.head.bits // 8
    last = max(struct.unpack(f"{order}{buckets}I", _whole(data, start, 4 * buckets)), default=0)
    if not last:
        return 0
    if last < first:
        raise ElfError("its hash table names a symbol that it does not have")
    start += 4 * (buckets + last - first)
    for index, link in enumerate(_links(data, start, order)):
        if link & 1:
            return int(last) + index + 1
    raise ElfError("its hash table has no end")


def _links(data: Buffer, start: int, order: str) -> Iterator[int]:
    for at in range(start, start + 4 * _MAX_SYMBOLS, _WINDOW):
        window = data[at : at + _WINDOW]
        yield from (link for (link,) in struct.iter_unpack(order + "I", window[: len(window) & ~3]))
        if len(window) < _WINDOW:
            return


def _whole(data: Buffer, start: int, size: int) -> bytes:
    part = data[start : start + size]
    if len(part) < size:
        raise ElfError("its hash table is cut off")
    return part
