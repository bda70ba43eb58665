"""Paths and commands in code: what gcc and clang make of short texts that are copied."""

import subprocess

import pytest

from rootfs_builder import elf
from rootfs_builder.elf import immediates
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.paths import SourcePath
from tests.timing import is_linear

SOURCE = """
#include <string.h>
struct holder { char text[40]; long size; };
void into(struct holder *to) { memcpy(to->text, "%s", sizeof "%s"); to->size = 1; }
"""


def found(path):
    with DirectoryRoot().open(SourcePath(str(path))).open() as content:
        code = elf.read(content).code
        return {text for at, size in code for text in immediates.texts(content[at : at + size])}


@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3"])
@pytest.mark.parametrize(
    "text",
    [
        *("/run/kea", "/bin/mount", "/etc/passwd", "/etc/mime.types", "/usr/lib/x", "/var/spool"),
        *("gunzip -c %s", "tar -xf %s.t"),
    ],
)
def test_a_text_that_is_copied(tmp_path, text, level):
    source, library = tmp_path / "a.c", tmp_path / "a.so"
    source.write_text(SOURCE % (text, text))
    command = ["gcc", level, "-shared", "-fPIC", "-o", library, source]
    subprocess.run(command, check=True)
    if text.encode() + b"\0" not in library.read_bytes():  # else it is a text of the data
        assert text.encode() in found(library)


def test_code_without_such_texts():
    assert not [*immediates.texts(b"/etc/passwd\0" + b"\x48\xb8" + b"x" * 8)]


@pytest.mark.parametrize("unit", [b"\x48\xb8/etc/abc", b"/etc/", b"\x48\xb8/usr/lib\xc6\x45\x00a"])
def test_it_takes_time_in_proportion(unit):
    assert is_linear(lambda size: lambda: [*immediates.texts(unit * (size // len(unit)))], 1 << 16)
