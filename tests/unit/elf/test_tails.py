"""Texts that a linker keeps as the ends of others: only the code knows where they begin."""

import subprocess

import pytest

from rootfs_builder.elf import tails
from rootfs_builder.errors import ElfError
from tests.timing import is_linear

SOURCE = r"""
const char *volatile each;
int main(void) {
    each = "wdiff"; each = "diff"; each = "cannot read /etc/tool.conf"; each = "/etc/tool.conf";
    each = "alone"; each = "\1x"; each = "x"; each = "\303\251t\303\251"; each = "t\303\251";
    return 0;
}
"""


def built(folder, *options):
    source, program = folder / "a.c", folder / "a.out"
    source.write_text(SOURCE)
    command = ["gcc", "-O1", "-nostartfiles", "-Wl,-emain", *options, "-o", program, source]
    subprocess.run(command, check=True)
    return program.read_bytes()


@pytest.mark.parametrize("options", [(), ("-static-pie",), ("-s", "-Wl,-z,noseparate-code")])
def test_texts_that_begin_in_others(tmp_path, options):
    data = built(tmp_path, *options)
    assert b"\0diff\0" not in data
    assert tails.texts(data) == (b"/etc/tool.conf", b"diff")


def test_a_file_that_ends_too_early(tmp_path):
    data = built(tmp_path)
    assert tails.texts(data[: data.index(b"wdiff")]) == ()
    with pytest.raises(ElfError):
        tails.texts(data[:70])


def test_it_takes_time_in_proportion(tmp_path):
    data = built(tmp_path, "-static", "-Wl,-N")  # one segment, whose end is all that is behind it

    def work(size):
        more = data + b"\x48\x8d\x3d\0\0\0\0" * (size // 7)
        return lambda: tails.texts(more)

    assert is_linear(work, 1 << 16)
