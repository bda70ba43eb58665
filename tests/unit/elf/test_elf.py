"""The ELF reader against pyelftools over this machine's files, and against files made to hurt."""

import contextlib
import struct

import pytest
from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.hash import ELFHashTable
from elftools.elf.segments import InterpSegment
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rootfs_builder import elf
from rootfs_builder.elf import ElfFile, VersionNeed
from rootfs_builder.errors import ElfError
from tests.elf_files import SAMPLE, STRINGS, Metered, at, damaged, machine_files, make

NOTHING = {"soname": None, "rpath": None, "runpath": None, "flags_1": 0}
TAGS = {"DT_NEEDED": "NEEDED", "DT_AUXILIARY": "AUXILIARY", "DT_FILTER": "FILTER"}


def by_pyelftools(stream):
    """What pyelftools reads, in our words; it finds version tables by section headers alone."""
    other = ELFFile(stream)
    facts = {
        "bits": other.elfclass,
        "little": other.little_endian,
        "machine": struct.unpack("<H" if other.little_endian else ">H", _machine(stream))[0],
        "type": struct.unpack("<H" if other.little_endian else ">H", _type(stream))[0],
        "interpreter": None,
        "dependencies": (),
        **NOTHING,
    }
    for segment in other.iter_segments():
        if isinstance(segment, InterpSegment):
            facts["interpreter"] = segment.get_interp_name().encode()
        if isinstance(segment, DynamicSegment):
            facts |= _dynamic(segment)
    return facts | _versions(other)


def _machine(stream):
    stream.seek(18)
    return stream.read(2)


def _type(stream):
    stream.seek(16)
    return stream.read(2)


def _dynamic(segment):
    single = dict(NOTHING)
    listed = []
    for tag in segment.iter_tags():
        name = tag.entry.d_tag
        if name in TAGS:
            listed.append((TAGS[name], getattr(tag, name[3:].lower()).encode()))
        elif name in ("DT_SONAME", "DT_RPATH", "DT_RUNPATH"):
            single[name[3:].lower()] = getattr(tag, name[3:].lower()).encode()
        elif name == "DT_FLAGS_1":
            single["flags_1"] = tag.entry.d_val
    return {"dependencies": tuple(listed), **single}


def _versions(other):
    needs, definitions = [], []
    for section in other.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for need, versions in section.iter_versions():
                for one in versions:
                    weak = bool(one.entry.vna_flags & 2)
                    needs.append(VersionNeed(need.name.encode(), one.name.encode(), weak))
        if isinstance(section, GNUVerDefSection):
            for _, versions in section.iter_versions():
                definitions.append(next(versions).name.encode())
    return {"version_needs": tuple(needs), "version_definitions": tuple(definitions)}


def ours(file):
    return {
        "bits": file.header.bits,
        "little": file.header.little,
        "machine": file.header.machine,
        "type": file.header.type,
        "interpreter": file.interpreter,
        "dependencies": file.dependencies,
        "soname": file.soname,
        "rpath": file.rpath,
        "runpath": file.runpath,
        "flags_1": file.flags_1,
        "version_needs": file.version_needs,
        "version_definitions": file.version_definitions,
    }


def test_this_machines_files_read_as_pyelftools_reads_them():
    compared, beyond_it, different = 0, 0, []
    for path in machine_files():
        with open(path, "rb") as stream:
            found = attempt(stream.read())
            try:
                expected = by_pyelftools(stream)
            except (ELFError, AssertionError):  # on files that loaders take, such as guile's
                beyond_it += 1
                continue
        compared += 1
        if found != expected:
            different.append(path)
    assert different == []
    assert compared > max(SAMPLE / 2, 9 * beyond_it)


def attempt(data):
    try:
        return ours(elf.read(data))
    except ElfError as error:
        return str(error)


def elf_hash(name):
    return ELFHashTable.elf_hash(name.decode())


def verneed(order, count, *aux, onward=0):
    """One Elf_Verneed of libneeded.so and its Elf_Vernaux: (flags, name)."""
    table = struct.pack(order + "HHIII", 1, count, at(b"libneeded.so"), 16, onward)
    for index, (flags, name) in enumerate(aux):
        more = 16 if index < len(aux) - 1 else 0
        table += struct.pack(order + "IHHII", elf_hash(name), flags, 2, at(name), more)
    return table


def verdef(order, *names):
    table = b""
    for index, name in enumerate(names):
        more = 28 if index < len(names) - 1 else 0
        table += struct.pack(order + "HHHHIII", 1, 0, index + 1, 1, elf_hash(name), 20, more)
        table += struct.pack(order + "II", at(name), 0)
    return table


ALL_TAGS = [
    (1, at(b"libneeded.so")),
    (0x7FFFFFFD, at(b"libaux.so")),
    (0x7FFFFFFF, at(b"libfilter.so")),
    (1, at(b"me.so")),
    (14, at(b"me.so")),
    (15, at(b"/rpath")),
    (29, at(b"$ORIGIN/lib")),
    (0x6FFFFFFB, 0x800),
]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [32, 64])
def test_every_class_and_byte_order_reads_the_same(bits, order):
    needs = verneed(order, 2, (0, b"V_1"), (2, b"V_2"))
    tags = [
        *ALL_TAGS,
        (0x6FFFFFFE, lambda start: start),
        (0x6FFFFFFC, lambda start: start + len(needs)),
    ]
    data = make(bits, order, tags=tags, tables=needs + verdef(order, b"me.so", b"V_1"))
    file = elf.read(data)
    assert (file.header.bits, file.header.order) == (bits, order)
    assert (file.header.type, file.header.machine, file.header.flags) == (3, 62, 7)
    assert file == ElfFile(
        file.header,
        b"/lib/ld.so",
        dynamic=True,
        dependencies=(
            ("NEEDED", b"libneeded.so"),
            ("AUXILIARY", b"libaux.so"),
            ("FILTER", b"libfilter.so"),
            ("NEEDED", b"me.so"),
        ),
        soname=b"me.so",
        rpath=b"/rpath",
        runpath=b"$ORIGIN/lib",
        flags_1=0x800,
        version_needs=(
            VersionNeed(b"libneeded.so", b"V_1", weak=False),
            VersionNeed(b"libneeded.so", b"V_2", weak=True),
        ),
        version_definitions=(b"me.so", b"V_1"),
        loads=((0, len(data), 4),),
    )
    assert file.needed == (b"libneeded.so", b"me.so")


SAYS = """
asm(".text\\n.ascii \\"among code\\"");
const char *constant = "a constant";
char variable[] = "a variable";
int main(void) { return variable[0] == constant[0]; }
"""


@pytest.mark.parametrize(
    ("layout", "code"),
    [("separate-code", False), ("noseparate-code", True), ("noexecstack", False)],
)
def test_data_is_what_is_not_executed_unless_constants_stand_with_code(cc, layout, code):
    program = cc(SAYS, args=(f"-Wl,-z,{layout}",)).read_bytes()
    data = b"".join(program[at : at + size] for at, size in elf.read(program).data)
    assert (b"among code" in data) is code
    assert b"a constant" in data
    assert b"a variable" in data


def test_an_empty_rpath_is_not_an_absent_one():
    file = elf.read(make(tags=[(15, 0), (1, at(b"me.so"))]))
    assert (file.rpath, file.runpath) == (b"", None)


def test_a_static_program_has_no_dynamic_segment():
    static = bytearray(make())
    for index in (0, 2):  # the interpreter and the dynamic segment become PT_NULL
        struct.pack_into("<I", static, 64 + 56 * index, 0)
    file = elf.read(bytes(static))
    assert (file.dynamic, file.interpreter, file.dependencies) == (False, None, ())


def test_section_headers_are_not_looked_at(cc):
    program = cc("int main(void) { return 0; }").read_bytes()
    stripped, absurd = bytearray(program), bytearray(program)
    struct.pack_into("<Q", stripped, 40, 0)
    struct.pack_into("<HHH", stripped, 58, 0, 0, 0)
    struct.pack_into("<Q", absurd, 40, 2**63)
    struct.pack_into("<HHH", absurd, 58, 65535, 65535, 65535)
    expected = elf.read(program)
    assert expected.needed == (b"libc.so.6",) or b"musl" in (expected.interpreter or b"")
    assert elf.read(bytes(stripped)) == expected
    assert elf.read(bytes(absurd)) == expected


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "file too short"),
        (b"\x7fELF", "file too short"),
        (make()[:63], "file too short"),
        (b"#!/bin/sh" + bytes(64), "invalid ELF header"),
        (b"\x7fELF\3" + make()[5:], "invalid ELF header"),
        (make()[:64], "cannot read file data"),
        (make()[:-1], "file too short: a segment ends at byte"),
        (make(interpreter=b"/lib/ld.so"), "PT_INTERP is malformed"),
        (make(interpreter=b"\0"), "PT_INTERP is malformed"),
        (make(interpreter=b"/" * 4096 + b"\0"), "PT_INTERP is malformed"),
        (make(tags=[(1, 10**6)]), "a string of its dynamic segment has no end"),
        (make(tags=[(5, 1), (1, 0)]), "its dynamic segment has no string table"),
        (make(tags=[(0x6FFFFFFC, lambda start: start + 60)]), "its version table is cut off"),
        (make(tags=[(0x6FFFFFFE, lambda start: start + 9999)]), "its version table is cut off: it"),
    ],
)
def test_a_broken_file_is_refused_in_the_loaders_words(data, words):
    with pytest.raises(ElfError, match=words):
        elf.read(data)


def test_the_interpreter_may_fill_a_path_of_the_kernels_length():
    assert elf.read(make(interpreter=b"/" * 4095 + b"\0")).interpreter == b"/" * 4095


def read_any(data):
    with contextlib.suppress(ElfError):
        elf.read(Metered(data))


@given(st.binary(max_size=300))
@example(b"\x7fELF\2\1\1" + bytes(57))
def test_random_bytes_are_an_elf_error_at_worst(data):
    read_any(data)
    read_any(b"\x7fELF\2\1\1" + data)
    read_any(b"\x7fELF\1\2\1" + data)


WHOLE = [
    make(bits, order, tags=tags, tables=tables)
    for bits in (32, 64)
    for order in "<>"
    for needs in [verneed(order, 2, (0, b"V_1"), (2, b"V_2"))]
    for tags in [
        [
            *ALL_TAGS,
            (0x6FFFFFFE, lambda start: start),
            (0x6FFFFFFC, lambda start: start + 48),
        ]
    ]
    for tables in [needs + verdef(order, b"me.so", b"V_1")]
]


@settings(max_examples=300)
@given(damaged(WHOLE))
def test_a_damaged_file_is_an_elf_error_at_worst(data):
    read_any(data)


def test_segments_that_have_the_same_bytes_many_times_are_refused():
    """Each would be read: 1,000 of 4 MB took two minutes, and 8 GB of memory."""
    count = 9
    size = 64 + 56 * count
    head = struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 4096, 64, 0, 0, 64, 56, count, 64, 0, 0)
    rows = (struct.pack("<IIQQQQQQ", 1, 5, 0, 4096 * i, 0, size, size, 4096) for i in range(count))
    data = b"\x7fELF\2\1\1" + bytes(9) + head + b"".join(rows)
    with pytest.raises(ElfError, match="the same bytes of the file many times"):
        elf.read(data)


def test_many_names_of_one_long_string_cost_no_memory():
    strings = STRINGS + b"x" * 60000 + b"\0"
    tags = [(1, len(STRINGS) + index) for index in range(20000)]
    read_any(make(tags=tags, strings=strings))


def test_a_count_of_versions_that_lies_costs_no_time():
    lie = verneed("<", 65535, (0, b"V_1"), onward=16)
    tables = lie[:16] * 100 + lie
    read_any(make(tags=[(0x6FFFFFFE, lambda start: start)], tables=tables))


def test_the_versions_of_a_file_end_where_they_say():
    tables = verneed("<", 3, (0, b"V_1"), (0, b"V_2"))
    file = elf.read(make(tags=[(0x6FFFFFFE, lambda start: start)], tables=tables))
    assert [need.version for need in file.version_needs] == [b"V_1", b"V_2"]
