"""The programs that a program in Go starts: in code and a table as Go's compiler makes them."""

import struct
import subprocess

import pytest

from rootfs_builder.elf import go_commands
from rootfs_builder.elf.go_commands import GoCommands
from rootfs_builder.errors import ElfError
from tests.timing import is_linear

# Three calls, and the table of two functions, the addresses of which are counted from `first` on.
SOURCE = """
    .text
    nop
first: ret
context: ret
command: ret
main:
    lea name(%rip), %rax
    mov $3, %ebx
    mov $99, %ecx
    call command
    lea path(%rip), %rcx
    mov $11, %edi
    call context
    lea (%rsp), %rax
    call command
    call first
    .section .rodata
    .ascii "legit"
path: .ascii "/bin/digits"
    .section .gopclntab, "{flags}"
table: .long 0xfffffff1
    .byte 0, 0, 1, 8
    .quad 3, 0, {start}, names - table, 0, 0, 0, rows - table
names: .ascii "\\0main.main\\0os/exec.Command\\0os/exec.CommandContext\\0"
command_name = names + 11
context_name = names + 27
main_name = names + 1
name = path - 3
rows: .long 0, first_row - rows, context - first, context_row - rows
    .long command - first, command_row - rows, 0
first_row: .long 0, main_name - names
context_row: .long context - first, context_name - names
command_row: .long command - first, command_name - names
"""


def built(folder, start="first", flags="a", *options):
    source, program = folder / "a.s", folder / "a.out"
    source.write_text(SOURCE.format(start=start, flags=flags))
    command = ["gcc", "-nostdlib", "-Wl,-e,main", *options, "-o", program, source]
    subprocess.run(command, check=True)
    return program.read_bytes()


def test_constant_names_with_their_lengths(tmp_path):
    found = go_commands.find(built(tmp_path, "first", "a", "-no-pie"))
    assert found == GoCommands(calls=True, names=("/bin/digits", "git"))


def test_a_table_whose_address_the_loader_writes(tmp_path):
    found = go_commands.find(built(tmp_path, "first", "aw", "-pie"))
    assert found == GoCommands(calls=True, names=("/bin/digits", "git"))


def test_addresses_that_are_none(tmp_path):
    assert go_commands.find(built(tmp_path, "1 << 62", "a", "-no-pie")).names == ()


def test_other_programs_start_none(tmp_path):
    (tmp_path / "a.c").write_text("int main(void) { return 0; }")
    subprocess.run(["gcc", "-o", "a.out", "a.c"], cwd=tmp_path, check=True)
    assert go_commands.find((tmp_path / "a.out").read_bytes()) == GoCommands()
    with pytest.raises(ElfError):
        go_commands.find(b"\x7fELF")


@pytest.mark.parametrize("size", [8, 40, 72, 100])
def test_tables_that_are_cut_short(tmp_path, size):
    data = built(tmp_path, "first", "a", "-no-pie")
    at = data.index(b"\xf1\xff\xff\xff\0\0\x01\x08")
    assert go_commands.find(data[: at + size] + bytes(len(data) - at - size)).names == ()


@pytest.mark.parametrize(
    "unit",
    [
        b"\xf1\xff\xff\xff\0\0\x01\x08" + struct.pack("<8Q", 1 << 40, 0, 1, 0, 0, 0, 0, 0),
        b"\xe8\0\0\0\0",
    ],
)
def test_it_takes_time_in_proportion(tmp_path, unit):
    data = built(tmp_path, "first", "a", "-no-pie")

    def work(size):
        head = bytearray(data)
        first = 64  # the program header of a segment, which is executed and has all then
        struct.pack_into("<2I3Q2Q", head, first, 1, 5, 0, 0x400000, 0, *[len(data) + size] * 2)
        more = bytes(head) + unit * (size // len(unit))
        return lambda: go_commands.find(more)

    assert is_linear(work, 1 << 16)
