"""The reader of dlopen notes against pyelftools, and against notes made to hurt."""

import contextlib
import glob
import json
import struct

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment
from hypothesis import given
from hypothesis import strategies as st

from rootfs_builder import elf
from rootfs_builder.elf import dlopen_notes
from rootfs_builder.elf.dlopen_notes import Note
from rootfs_builder.errors import ElfError
from tests.elf_files import Metered

KIND = 0x407C0C0A
FOO = Note(("libfoo.so.2", "libfoo.so.1"), "foo", "Enables foo", "required")
BAR = Note(("libbar.so",))
FOO_JSON = {
    "soname": ["libfoo.so.2", "libfoo.so.1"],
    "feature": "foo",
    "description": "Enables foo",
    "priority": "required",
}
BAR_JSON = {"soname": ["libbar.so"]}
USERS_OF_NOTES = (  # of systemd and kmod, as Debian and Fedora install them
    "/usr/lib/*/libsystemd.so.0",
    "/usr/lib/*/libkmod.so.2",
    "/usr/lib/*/libnss_systemd.so.2",
    "/usr/lib/*/systemd/libsystemd-shared-*.so",
    "/usr/bin/kmod",
)


def note(text, *, order="<", kind=KIND, owner=b"FDO\0", align=4):
    """One note; `text` is JSON, or bytes as they are."""
    if not isinstance(text, bytes):
        text = json.dumps(text).encode() + b"\0"
    head = struct.pack(order + "3I", len(owner), len(text), kind) + owner
    head += bytes(-len(head) % align) + text
    return head + bytes(-len(head) % align)


def read(*notes, order="<"):
    segment = b"".join(notes)
    return dlopen_notes.read(b"\xff" * 5 + segment, ((5, len(segment)),), order=order)


def by_pyelftools(stream):
    """The entries, in our words, of an ELF file whose notes keep to the specification."""
    for segment in ELFFile(stream).iter_segments():
        if isinstance(segment, NoteSegment):
            for one in segment.iter_notes():
                if one["n_name"] == "FDO" and one["n_type"] == KIND:
                    text = one["n_descdata"] if "n_descdata" in one else one["n_desc"]
                    text = text.encode("latin-1") if isinstance(text, str) else text
                    for entry in json.loads(text.rstrip(b"\0")):
                        names = tuple(entry.pop("soname"))
                        yield Note(names, **entry)


def same_as_pyelftools(path):
    with open(path, "rb") as stream:
        expected = tuple(by_pyelftools(stream))
        stream.seek(0)
        data = stream.read()
    file = elf.read(data)
    assert dlopen_notes.read(data, file.notes, order=file.header.order) == expected
    return expected


def test_this_machines_notes_read_as_pyelftools_reads_them():
    paths = {path for pattern in USERS_OF_NOTES for path in glob.glob(pattern)}
    if not paths:
        pytest.skip("neither systemd nor kmod is here")
    assert sum(len(same_as_pyelftools(path)) for path in paths) > 0


SECTION = """
__asm__(".pushsection .note.%s,\\"a\\",%%note\\n.balign %d\\n.long 4,2f-1f,%d\\n"
        ".asciz \\"%s\\"\\n1:.asciz \\"%s\\"\\n2:.balign %d\\n.popsection");
"""


def section(name, align, text, *, kind=KIND, owner="FDO"):
    text = text if isinstance(text, str) else json.dumps(text).replace('"', '\\\\\\"')
    return SECTION % (name, align, kind, owner, text, align)


def test_the_notes_that_a_compiler_and_linker_made(cc):
    # A note of alignment 8 stands beside ours of 4, in segments of the linker's choice.
    source = section("dlopen", 4, [FOO_JSON, BAR_JSON]) + section("dlopen", 4, [BAR_JSON])
    source += section("other", 4, "xyz", kind=7) + section("mine", 8, "xyz", owner="GNU", kind=9)
    program = cc(source + "int main(void) { return 0; }")
    assert same_as_pyelftools(program) == (FOO, BAR, BAR)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("align", [4, 8])
def test_all_entries_of_all_notes_are_read_in_order(order, align):
    notes = [
        note([FOO_JSON], order=order, align=align),
        note(b"x" * 20, order=order, align=align, owner=b"GNU\0", kind=3),
        note([BAR_JSON, FOO_JSON], order=order, align=align),
        note([], order=order, align=align),
    ]
    assert read(*notes, order=order) == (FOO, BAR, FOO)


def test_alignments_may_be_mixed_in_one_segment():
    properties = note(b"x" * 12, align=8, owner=b"GNU\0", kind=5)
    assert read(properties, note([FOO_JSON]), properties, note([BAR_JSON])) == (FOO, BAR)


def test_segments_are_read_in_order():
    one, two = note([FOO_JSON]), note([BAR_JSON])
    ranges = ((len(one), len(two)), (0, len(one)), (3, 0))
    assert dlopen_notes.read(one + two, ranges, order="<") == (BAR, FOO)


def test_what_is_optional_has_a_default():
    assert read(note([BAR_JSON])) == (Note(("libbar.so",), "", "", "recommended"),)


def test_a_later_specification_may_have_more_keys():
    assert read(note([{**BAR_JSON, "version": [1, {"x": None}]}])) == (BAR,)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"soname": "libbar.so"},
        {"soname": []},
        {"soname": [""]},
        {"soname": ["a\0b"]},
        {"soname": ["a\n", "\0"]},
        {"soname": [7]},
        {**BAR_JSON, "priority": "essential"},
        {**BAR_JSON, "priority": None},
        {**BAR_JSON, "feature": 7},
        7,
        None,
        [BAR_JSON],
    ],
)
def test_an_entry_against_the_specification_is_left_out_alone(entry):
    assert read(note([FOO_JSON, entry, BAR_JSON])) == (FOO, BAR)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0",
        b"[",
        b"{}",
        b"null",
        b"7",
        b'[{"soname":["libbar.so"]}',
        b'[{"soname":["libbar.so"]}] x',
        b'[{"soname":["\xff"]}]',
        b'[{"soname":["\\ud800"]}]',
        b'[{"soname":["libbar.so"],"x":\xff}]',
        b"[" * 100_000,
        b'[{"soname":["libbar.so"],"x":' + b"[" * 90_000 + b"]" * 90_000 + b"}]",
    ],
)
def test_a_note_that_is_no_json_is_left_out_alone(text):
    assert read(note([FOO_JSON]), note(text), note([BAR_JSON])) == (FOO, BAR)


@pytest.mark.parametrize(
    "other",
    [
        note([BAR_JSON], owner=b"GNU\0"),
        note([BAR_JSON], owner=b"FDO\0\0"),
        note([BAR_JSON], kind=KIND + 1),
        note([BAR_JSON], order=">"),
        note([BAR_JSON])[:-4],  # its text ends after the segment
        b"\0" + note([BAR_JSON]),  # it is not aligned
    ],
)
def test_a_note_of_another_kind_is_none_of_ours(other):
    assert read(note([FOO_JSON]), other) == (FOO,)


@pytest.mark.parametrize("where", [(0, 101), (100, 1), (2**64, 0), (0, 2**64)])
def test_notes_after_the_end_of_the_file_are_refused(where):
    with pytest.raises(ElfError, match="ends after the file"):
        dlopen_notes.read(bytes(100), ((0, 0), where), order="<")


def test_many_segments_of_the_same_long_notes_cost_no_memory():
    data = Metered(note([FOO_JSON]) * 5000)
    ranges = ((0, len(data)),) * 1000
    assert 5000 < len(dlopen_notes.read(data, ranges, order="<")) < 10_000


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_random_bytes_are_an_elf_error_at_worst(before, text):
    data = before + note(text)
    for order in "<>":
        with contextlib.suppress(ElfError):
            dlopen_notes.read(data, ((0, len(data)),), order=order)
