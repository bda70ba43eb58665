"""The reader of undefined symbols against pyelftools, and against tables made to hurt."""

import contextlib
import struct

import pytest
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rootfs_builder.elf import symbols
from rootfs_builder.errors import ElfError
from tests.elf_files import SAMPLE, STRINGS, Metered, at, damaged, machine_files, make

HASH, SYMTAB, SYMENT, STRSZ = 4, 6, 11, 10
GNU_HASH, VERSYM, MIPS_SYMTABNO = 0x6FFFFEF5, 0x6FFFFFF0, 0x70000011
MIPS, S390 = 8, 22
LOCAL, GLOBAL, WEAK = 0, 1, 2
SYMBOLS = [  # name, binding, section
    (b"", LOCAL, 0),
    (b"libneeded.so", GLOBAL, 0),
    (b"libaux.so", LOCAL, 0),
    (b"libfilter.so", WEAK, 0),
    (b"me.so", GLOBAL, 7),
    (b"V_1", WEAK, 0xFFF1),
]
WANTED = {b"libneeded.so", b"libfilter.so"}


def by_pyelftools(stream):
    """The names that pyelftools reads, which finds the table by its section header."""
    table = ELFFile(stream).get_section_by_name(".dynsym")
    names = set()
    for symbol in table.iter_symbols() if table else ():
        wanted = symbol["st_info"]["bind"] in ("STB_GLOBAL", "STB_WEAK")
        if wanted and symbol["st_shndx"] == "SHN_UNDEF":
            names.add(symbol.name.encode())
    return names - {b""}


@pytest.mark.long
def test_this_machines_files_want_what_pyelftools_says():
    compared, wanting, beyond_it, different = 0, 0, 0, []
    for path in machine_files()[::2]:  # pyelftools reads every symbol one by one
        with open(path, "rb") as stream:
            try:
                expected = by_pyelftools(stream)
            except (ELFError, AssertionError):
                beyond_it += 1
                continue
            stream.seek(0)
            found = symbols.imports(stream.read())
        compared += 1
        wanting += bool(found)
        if found != expected:
            different.append(path)
    assert different == []
    assert compared > max(SAMPLE / 4, 9 * beyond_it)
    assert wanting > compared / 2


def table(bits, order):
    rows = b""
    for name, binding, section in SYMBOLS:
        index = at(name) if name else 0
        if bits == 64:
            rows += struct.pack(order + "IBBHQQ", index, binding << 4, 0, section, 0, 0)
        else:
            rows += struct.pack(order + "IIIBBH", index, 0, 0, binding << 4, 0, section)
    return rows


def sysv(order, count, word="I"):
    """A DT_HASH with one bucket."""
    return struct.pack(f"{order}{3 + count}{word}", 1, count, 0, *range(count))


def gnu(order, bits, first, buckets, links):
    """A DT_GNU_HASH with one word of its filter."""
    words = struct.pack(order + ("4IQ" if bits == 64 else "4II"), len(buckets), first, 1, 6, 0)
    return words + struct.pack(f"{order}{len(buckets) + len(links)}I", *buckets, *links)


def with_hash(bits, order, tag, hashes, more=b"", *, tags=(), **options):
    """A file with SYMBOLS, then a hash table, then something else."""
    rows = table(bits, order)
    placed = [
        (SYMTAB, lambda start: start),
        (SYMENT, len(rows) // len(SYMBOLS)),
        (tag, lambda start: start + len(rows)),
        *tags,
    ]
    return make(bits, order, tags=placed, tables=rows + hashes + more, **options)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [32, 64])
def test_the_global_and_weak_symbols_of_no_section_are_wanted(bits, order):
    hashes = sysv(order, len(SYMBOLS))
    assert symbols.imports(with_hash(bits, order, HASH, hashes, b"\1" * 96)) == WANTED


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize(
    ("first", "buckets", "links"),
    [
        (4, [4, 0, 5], [9, 9]),  # chains of one bucket each, the last one's end counts
        (4, [4], [8, 9]),
        (5, [0, 5], [9]),
        (1, [1, 3], [8, 9, 8, 8, 9]),  # the wanted are among the hashed
        (6, [0], []),  # none is hashed: the next table ends this one
        (1, [0], []),  # the same by GNU ld
        (1, [], []),
    ],
)
def test_a_gnu_hash_tells_the_number_of_symbols(bits, order, first, buckets, links):
    hashes = gnu(order, bits, first, buckets, links)
    assert symbols.imports(with_hash(bits, order, GNU_HASH, hashes, b"\0" * 96)) == WANTED


@pytest.mark.parametrize("bits", [32, 64])
def test_mips_counts_its_symbols_by_itself(bits):
    tags = [(MIPS_SYMTABNO, 3)]
    file = with_hash(bits, ">", 0x70000036, b"", machine=MIPS, tags=tags)
    assert symbols.imports(file) == {b"libneeded.so"}


def test_the_hash_table_of_64_bit_s390_has_long_words():
    hashes = sysv(">", len(SYMBOLS), "Q")
    assert symbols.imports(with_hash(64, ">", HASH, hashes, machine=S390)) == WANTED
    hashes = sysv(">", len(SYMBOLS))
    assert symbols.imports(with_hash(32, ">", HASH, hashes, machine=S390)) == WANTED


def test_without_any_hash_table_the_next_table_ends_the_symbols():
    assert symbols.imports(with_hash(64, "<", VERSYM, b"\1" * 96)) == WANTED


def test_a_file_without_dynamic_symbols_wants_nothing(cc):
    assert symbols.imports(make()) == frozenset()
    static = cc("int main(void) { return 0; }", args=["-static"])
    assert symbols.imports(static.read_bytes()) == frozenset()


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
@pytest.mark.parametrize("kind", ["-no-pie", "-pie"])
def test_a_function_whose_address_is_taken_is_wanted_still(cc, style, kind):
    # In a program of a fixed address it has a value, and GNU ld hashes it though it is undefined.
    source = "#include <stdio.h>\nint (*p)(const char *) = puts;\nint main(void) { return !p; }"
    flags = ["-fno-pie"] if kind == "-no-pie" else ["-fPIE"]
    program = cc(source, args=[*flags, kind, f"-Wl,--hash-style={style}"])
    with open(program, "rb") as stream:
        expected = by_pyelftools(stream)
    assert b"puts" in expected
    assert symbols.imports(program.read_bytes()) == expected


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_a_library_that_defines_nothing_may_want_much(cc, style):
    source = "extern int a, b, c; static int *all[] = {&a, &b, &c};"
    source += "__attribute__((constructor)) static void f(void) { *all[0] = 1; }"
    args = ["-shared", "-fPIC", "-nostdlib", f"-Wl,--hash-style={style}"]
    library = cc(source, name="lib.so", args=args)
    assert symbols.imports(library.read_bytes()) == {b"a", b"b", b"c"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "file too short"),
        (b"#!/bin/sh" + bytes(64), "invalid ELF header"),
        (make(tags=[(SYMTAB, 1)]), "names a table that is not in the file"),
        (make(tags=[(SYMTAB, lambda start: start)]), "does not say how many symbols"),
        (make(tags=[(SYMTAB, 1), (HASH, 1)]), "names a table that is not in the file"),
        (with_hash(64, "<", HASH, sysv("<", 6), tags=[(5, 1)]), "a table that is not in the file"),
        (with_hash(64, "<", HASH, sysv("<", 6), tags=[(SYMENT, 16)]), "size that does not exist"),
        (with_hash(64, "<", HASH, struct.pack("<II", 1, 9999)), "symbol table is cut off"),
        (with_hash(64, "<", HASH, struct.pack("<II", 1, 2**32 - 1)), "more symbols than any"),
        (with_hash(64, "<", HASH, sysv("<", 6), tags=[(STRSZ, 3)]), "dynamic symbol has no end"),
        (with_hash(64, "<", GNU_HASH, gnu("<", 64, 5, [4], [1])), "symbol that it does not have"),
        (with_hash(64, "<", GNU_HASH, gnu("<", 64, 5, [9999], [1])), "hash table has no end"),
        (with_hash(64, "<", GNU_HASH, struct.pack("<4I", 2**31, 1, 1, 1)), "more buckets than"),
        (with_hash(64, "<", GNU_HASH, struct.pack("<4I", 1, 1, 2**31, 1)), "more buckets than"),
        (with_hash(64, "<", GNU_HASH, struct.pack("<4I", 9999, 1, 1, 1)), "table is cut off"),
        (
            with_hash(64, "<", MIPS_SYMTABNO, b"", tags=[(MIPS_SYMTABNO, 2**63)], machine=MIPS),
            "any",
        ),
    ],
)
def test_tables_that_contradict_each_other_are_refused(data, words):
    with pytest.raises(ElfError, match=words):
        symbols.imports(data)


def imports_of_any(data):
    with contextlib.suppress(ElfError):
        symbols.imports(Metered(data))


@given(st.binary(max_size=300))
@example(b"\x7fELF\2\1\1" + bytes(57))
def test_random_bytes_are_an_elf_error_at_worst(data):
    imports_of_any(data)
    imports_of_any(b"\x7fELF\2\1\1" + data)


WHOLE = [
    with_hash(bits, order, tag, hashes, b"\1" * 16)
    for bits in (32, 64)
    for order in "<>"
    for tag, hashes in [
        (HASH, sysv(order, 6)),
        (GNU_HASH, gnu(order, bits, 4, [4], [8, 9])),
        (GNU_HASH, gnu(order, bits, 1, [0], [])),
    ]
]


@settings(max_examples=300)
@given(damaged(WHOLE))
def test_a_damaged_file_is_an_elf_error_at_worst(data):
    imports_of_any(data)


def test_many_names_of_one_long_string_cost_no_memory():
    # Each symbol's name begins one byte later in the same string.
    strings = STRINGS + b"x" * 20000 + b"\0"
    rows = b"".join(
        struct.pack("<IBBHQQ", len(STRINGS) + index, GLOBAL << 4, 0, 0, 0, 0)
        for index in range(20000)
    )
    tags = [(SYMTAB, lambda start: start), (HASH, lambda start: start + len(rows))]
    file = make(tags=tags, tables=rows + sysv("<", 20000), strings=strings)
    with pytest.raises(ElfError, match="names of its dynamic symbols"):
        symbols.imports(file)


def test_most_globs_are_plain_names():
    names = frozenset((b"open", b"open64", b"openlog", b"a[b]"))
    assert symbols.matching(frozenset((b"open", b"shut")), names) == {b"open"}
    assert symbols.matching(frozenset((b"open", b"open6*", b"?p??l*")), names) == names - {b"a[b]"}
    assert symbols.matching(frozenset((b"a[b]", b"[")), names) == frozenset()
