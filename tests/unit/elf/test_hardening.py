"""How ELF files are hardened: what pyelftools reads of the machine's own files, too."""

import io
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from rootfs_builder.elf import hardening as room
from rootfs_builder.errors import ElfError
from tests.elf_files import machine_files


def test_segments_and_flags_are_those_that_pyelftools_reads():
    seen = 0
    for path in machine_files():
        data = Path(path).read_bytes()
        file = ELFFile(io.BytesIO(data))
        found = room.read(data, stack_protector=False)
        segments = list(file.iter_segments())
        tags = {
            tag.entry.d_tag: tag.entry.d_val
            for one in segments
            if isinstance(one, DynamicSegment)
            for tag in one.iter_tags()
        }
        now = tags.get("DT_FLAGS", 0) & 8 or tags.get("DT_FLAGS_1", 0) & 1 or "DT_BIND_NOW" in tags
        kinds = [one["p_type"] for one in segments]
        writable = any(one["p_type"] == "PT_LOAD" and one["p_flags"] & 2 for one in segments)
        assert found.relro == ("PT_GNU_RELRO" in kinds or not writable), path
        assert found.bound_now == (bool(now) or "DT_JMPREL" not in tags), path
        assert found.position_independent == (file["e_type"] == "ET_DYN"), path
        wrong = [
            one
            for one in segments
            if (one["p_type"] == "PT_LOAD" and one["p_flags"] & 3 == 3)
            or (one["p_type"] == "PT_GNU_STACK" and one["p_flags"] & 1)
        ]
        assert len(found.writable_code) == len(wrong), path
        seen += 1
    assert seen


BUFFER = "void g(char *); void f(void) { char b[99]; g(b); }"


@pytest.mark.parametrize("word", ["-m64", "-m32"])
@pytest.mark.parametrize("static", [False, True])
def test_a_stack_protector_shows_in_the_code_without_its_symbol(cc, word, static):
    """Stripped and static, the way a canary is loaded is all that tells of it."""
    hidden = "void __stack_chk_fail(void) { for (;;); } void __stack_chk_fail_local(void) {}"
    entry = f"{BUFFER} {hidden} void g(char *b) {{ *b = 0; }} void _start(void) {{ f(); }}"
    form = ("-static",) if static else ("-shared", "-fPIC", "-fvisibility=hidden")
    args = (word, "-O1", "-nostdlib", "-s", "-fno-asynchronous-unwind-tables", *form)
    for flag, expected in (("-fstack-protector-all", True), ("-fno-stack-protector", False)):
        data = cc(entry, args=(*args, flag), name=flag).read_bytes()
        assert room.read(data).stack_protector is expected


def test_what_is_no_elf_file_is_an_error():
    for data in (b"", b"#!/bin/sh", b"\x7fELF\2\1"):
        with pytest.raises(ElfError):
            room.read(data)
