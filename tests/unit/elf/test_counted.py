"""The names that code gives with their lengths: in registers or in memory, as Rust's does."""

import shutil
import subprocess

import pytest

from rootfs_builder.elf import counted
from rootfs_builder.errors import ElfError
from tests.timing import is_linear

SOURCE = """
    .globl _start
_start:
    lea git(%rip), %rdi
    mov $3, %esi
    {far}
    mov $2, %r9d
    lea jq(%rip), %r8
    {far}
    lea sqlite(%rip), %rsi
    push $7
    pop %rdx
    {far}
    lea stored(%rip), %rax
    mov %rax, 8(%rsp)
    movq $4, 16(%rsp)
    {far}
    lea other(%rip), %rdi
    mov $5, %ecx  # no argument beside it
    {far}
    lea other(%rip), %rdi
    mov $999, %esi
    {far}
    lea _start(%rip), %rdi
    mov $3, %esi
    {far}
    lea (1 << 30)(%rip), %rdi
    mov $3, %esi
    {far}
    lea path(%rip), %rdi
    mov $4, %esi
    .section .rodata
git: .ascii "git"
jq: .ascii "jq"
sqlite: .ascii "sqlite3"
stored: .ascii "curl"
other: .ascii "otherwise"
path: .ascii "/etc"
"""


def built(folder, *options):
    source, program = folder / "a.s", folder / "a.out"
    source.write_text(SOURCE.format(far=".skip 40, 0x90"))
    subprocess.run(["gcc", "-nostdlib", *options, "-o", program, source], check=True)
    return program.read_bytes()


@pytest.mark.parametrize("option", ["-static-pie", "-static"])
def test_names_with_their_lengths(tmp_path, option):
    assert counted.names(built(tmp_path, option)) == ("curl", "git", "jq", "sqlite3")


@pytest.mark.engines
def test_what_rustc_makes_of_a_call(tmp_path):
    if not shutil.which("rustc"):
        pytest.skip("rustc is not installed")
    calls = "".join(f'let _ = Command::new("{one}").spawn();' for one in ("git", "sqlite3"))
    (tmp_path / "a.rs").write_text(f"use std::process::Command; fn main() {{ {calls} }}")
    for level in "03s":
        command = ["rustc", "-C", f"opt-level={level}", "-C", "strip=symbols", "a.rs"]
        subprocess.run(command, cwd=tmp_path, check=True)
        data = (tmp_path / "a").read_bytes()
        assert counted.RUST in data
        assert {"git", "sqlite3"} <= {*counted.names(data)}


def test_a_file_that_ends_too_early(tmp_path):
    data = built(tmp_path, "-static")
    assert counted.names(data[: data.index(b"gitjq")]) == ()
    with pytest.raises(ElfError):
        counted.names(data[:70])


@pytest.mark.parametrize("unit", [b"\x48\x8d\x3d\0\0\0\0", b"\x48\x8d\x3d\0\0\0\0\xbe\3\0\0\0"])
def test_it_takes_time_in_proportion(tmp_path, unit):
    data = built(tmp_path, "-static", "-Wl,-N")  # one segment, whose end is all that is behind it

    def work(size):
        more = data + unit * (size // len(unit))
        return lambda: counted.names(more)

    assert is_linear(work, 1 << 16)
