"""A file is there: whether glibc takes it, looks further, or gives up, and with which words."""

import struct

import pytest

from tests.loader.objects import flawed, library, program

ANY = library()
GOOD = library(soname="libgood.so")  # behind the other: taken where that is skipped
PROGRAM = program("liba.so", runpath="/1:/2")

FIRST = {
    "wrong class": library(bits=32),
    "wrong class and not yet linked": flawed(library(bits=32), (16, b"\1")),
    "class that does not exist": flawed(ANY, (4, b"\3")),
    "wrong machine": flawed(ANY, (18, struct.pack("<H", 183))),
    "wrong machine of the other byte order": flawed(
        ANY, (5, b"\2"), (16, struct.pack(">HHI", 3, 22, 1))
    ),
    "other byte order": flawed(ANY, (5, b"\2"), (16, struct.pack(">HHI", 3, 62, 1))),
    "other byte order by mistake": flawed(ANY, (5, b"\2")),
    "no byte order": flawed(ANY, (5, b"\0")),
    "x32": flawed(library(bits=32), (18, struct.pack("<H", 62))),
    "empty file": b"",
    "three bytes of ELF": b"\x7fEL",
    "short text": b"INPUT(-lfoo)\n",
    "linker script": b"/* GNU ld script */\nGROUP ( /lib/liba.so.1 AS_NEEDED ( /lib/libb.so ) )\n",
    "63 bytes of text": b"x" * 63,
    "64 bytes of text": b"x" * 64,
    "cut in the ELF header": flawed(ANY, cut=63),
    "cut behind the ELF header": flawed(ANY, cut=64),
    "cut in the program headers": flawed(ANY, cut=200),
    "directory": None,
    "OSABI GNU": flawed(ANY, (7, b"\3")),
    "OSABI FreeBSD": flawed(ANY, (7, b"\x09")),
    "OSABI ARM": flawed(ANY, (7, b"\x61")),
    "ABI version": flawed(ANY, (8, b"\1")),
    "ABI version of GNU": flawed(ANY, (7, b"\3"), (8, b"\1")),
    "ABI version of GNU that is to come": flawed(ANY, (7, b"\3"), (8, b"\x20")),
    "ident version": flawed(ANY, (6, b"\2")),
    "wrong machine and version": flawed(ANY, (18, struct.pack("<HI", 183, 2))),
    "wrong machine and ident version": flawed(ANY, (18, struct.pack("<H", 183)), (6, b"\2")),
    "ident padding": flawed(ANY, (12, b"\1")),
    "version": flawed(ANY, (20, b"\2")),
    "relocatable": flawed(ANY, (16, b"\1")),
    "core": flawed(ANY, (16, b"\4")),
    "type that does not exist": flawed(ANY, (16, b"\7")),
    "executable": flawed(ANY, (16, b"\2")),
    "position-independent executable": program(),
    "static position-independent executable": library(args=("-pie", "--no-dynamic-linker")),
    "phentsize": flawed(ANY, (54, b"\x20")),
    "no program headers": flawed(ANY, (56, b"\0\0")),
    "program headers out of reach": flawed(ANY, (32, struct.pack("<Q", 1 << 40))),
    "no section headers": flawed(ANY, (40, bytes(8)), (58, bytes(6))),
    "absurd section headers": flawed(ANY, (40, b"\xff" * 8), (60, b"\xff" * 4)),
}


@pytest.mark.parametrize("kind", FIRST)
def test_candidate(glibc, kind):
    tree = {"/app/prog": PROGRAM, "/1/liba.so": FIRST[kind], "/2/liba.so": GOOD}
    glibc.agrees(tree)


@pytest.mark.parametrize("kind", FIRST)
def test_candidate_by_path(glibc, kind):
    glibc.agrees({"/app/prog": program("/1/liba.so"), "/1/liba.so": FIRST[kind]})


def test_no_dynamic_segment(glibc):
    def no(kind):
        return struct.pack("<I", kind), struct.pack("<I", 0)

    glibc.agrees({"/app/prog": PROGRAM, "/1/liba.so": flawed(ANY, no(2)), "/2/liba.so": GOOD})


LOAD, DYNAMIC = 1, 2
STACK = 0x6474E551  # PT_GNU_STACK


def headers(linker, elf, kind):
    """The file offsets of the program headers of one kind: offset at +8, address at +16, size at
    +32."""
    data = linker.make(elf).read_bytes()
    every = range(64, 64 + 56 * data[56], 56)
    return [at for at in every if struct.unpack_from("<I", data, at) == (kind,)]


def test_debug_symbols_of_a_library(glibc, linker):
    """`objcopy --only-keep-debug` leaves headers whose segments are empty."""
    [at] = headers(linker, ANY, DYNAMIC)
    tree = {"/app/prog": PROGRAM, "/1/liba.so": flawed(ANY, (at + 32, bytes(8)))}
    glibc.agrees({**tree, "/2/liba.so": GOOD})


def test_dynamic_segment_at_the_address_0(glibc, linker):
    [at] = headers(linker, ANY, DYNAMIC)
    tree = {"/app/prog": PROGRAM, "/1/liba.so": flawed(ANY, (at + 16, bytes(8)))}
    theirs = glibc.agrees({**tree, "/2/liba.so": GOOD})
    assert "object file has no dynamic section" in theirs.error


NEEDING = library("libb.so")


@pytest.mark.parametrize("address", [b"", bytes(8)])
def test_of_two_dynamic_segments_the_last_one_counts(glibc, linker, address):
    """Its table begins behind DT_NEEDED here, or it is at no address."""
    [first], [second] = headers(linker, NEEDING, DYNAMIC), headers(linker, NEEDING, STACK)
    data = linker.make(NEEDING).read_bytes()
    kind, flags, offset, start, _, size, memory, align = struct.unpack_from(
        "<IIQQQQQQ", data, first
    )
    assert first < second
    places = [value + 16 for value in (offset, start, start)]
    header = struct.pack("<IIQQQQQQ", kind, flags, *places, size - 16, memory - 16, align)
    other = flawed(NEEDING, (second, header), *([(second + 16, address)] if address else []))
    theirs = glibc.agrees({"/app/prog": PROGRAM, "/1/liba.so": other})
    assert theirs.missing == ()
    assert bool(theirs.error) is bool(address)


def test_dynamic_segment_ends_where_its_table_does(glibc, linker):
    """Not behind the first entry, as its size says."""
    [at] = headers(linker, NEEDING, DYNAMIC)
    short = flawed(NEEDING, (at + 32, struct.pack("<QQ", 16, 16)))
    theirs = glibc.agrees({"/app/prog": PROGRAM, "/1/liba.so": short})
    assert theirs.missing == ("libb.so",)


@pytest.mark.parametrize("moved", [0x800, 0x1000])
@pytest.mark.parametrize("field", [8, 16])
def test_address_and_offset_of_a_segment_are_at_one_place_in_their_pages(
    glibc, linker, moved, field
):
    at = headers(linker, ANY, LOAD)[-1]
    [value] = struct.unpack_from("<Q", linker.make(ANY).read_bytes(), at + field)
    skewed = flawed(ANY, (at + field, struct.pack("<Q", value + moved)))
    glibc.fill({"/app/prog": PROGRAM, "/1/liba.so": skewed, "/2/liba.so": GOOD})
    refused = "page-aligned" in glibc.trace().error
    assert refused is bool(moved % 4096)
    assert ("page-aligned" in glibc.ours().error) is refused


def test_all_of_the_wrong_class_says_so(glibc):
    theirs = glibc.agrees({"/app/prog": PROGRAM, "/1/liba.so": library(bits=32)})
    assert theirs.missing == glibc.ours().missing == ("liba.so",)


def test_fatal_one_behind_a_good_one_is_never_seen(glibc):
    glibc.agrees({"/app/prog": PROGRAM, "/1/liba.so": GOOD, "/2/liba.so": b""})


def test_fatal_one_in_a_default_directory(glibc):
    glibc.agrees({"/app/prog": PROGRAM, "/usr/lib/liba.so": b"not a library" * 9})


def test_fatal_one_needed_by_a_library(glibc):
    glibc.agrees({"/app/prog": PROGRAM, "/1/liba.so": library("libb.so"), "/lib/libb.so": b""})


def test_program_as_a_library(glibc):
    """The kernel maps the program, so its file is not known; ours is as if it had."""
    glibc.fill({"/app/prog": program("liba.so", "/app/prog"), "/usr/lib/liba.so": ANY})
    assert "position-independent executable" in glibc.ours().error
