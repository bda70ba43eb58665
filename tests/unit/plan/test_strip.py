"""Stripping takes symbols and nothing that is loaded; what strip would damage stays as it is."""

import fcntl
import shutil
import struct
import subprocess
import time
from contextlib import suppress

import pytest

from rootfs_builder import tools
from rootfs_builder.errors import NotFoundError, OutputError
from rootfs_builder.filesystem.content import BytesSource, read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.plan import Entry, Plan, hard_links
from rootfs_builder.plan import strip as stripped

HELLO = '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }'

pytestmark = pytest.mark.skipif(shutil.which("strip") is None, reason="needs binutils")


@pytest.fixture
def strip(tmp_path):
    """Strip one file: its bytes after that, and the warnings."""

    def strip(data, kind="file"):
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        entry = Entry("/hello", kind, 0o755, (), BytesSource(data) if kind == "file" else None)
        plan = stripped.plan(Plan((entry,)), str(scratch))
        assert not list(scratch.glob("*.full"))
        assert len(plan.entries) == 1
        content = plan.entries[0].content
        return content and read(content), [one.text for one in plan.findings]

    return strip


def notes(path):
    said = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True)
    return [line for line in said.stdout.splitlines() if "Build ID" in line]


@pytest.mark.parametrize(
    "args",
    [
        ["-g"],
        ["-g", "-static"],
        ["-g", "-static-pie"],
        ["-g", "-no-pie"],
        ["-g", "-Wl,-z,separate-code"],
        ["-g", "-Wl,--emit-relocs"],
        ["-gz", "-g"],
        [],
    ],
    ids=" ".join,
)
def test_a_stripped_program_is_smaller_runs_and_keeps_its_build_id(cc, strip, tmp_path, args):
    program = cc(HELLO, args=[*args, "-Wl,--build-id"])
    data, warnings = strip(program.read_bytes())
    assert warnings == []
    assert len(data) < program.stat().st_size
    result = tmp_path / "result"
    result.write_bytes(data)
    result.chmod(0o755)
    assert subprocess.run([result], capture_output=True, check=True).stdout == b"hello\n"
    assert notes(result) == notes(program) != []
    sections = subprocess.run(["readelf", "-SW", result], capture_output=True, check=True).stdout
    assert b".symtab" not in sections or "--emit-relocs" in " ".join(args)
    assert b".debug" not in sections


def test_what_is_stripped_already_is_not_touched(cc, strip):
    data = cc(HELLO, args=["-s"]).read_bytes()
    assert strip(data) == (data, [])


@pytest.mark.parametrize("tail", [b"payload", b"\0" * 100 + b"PK"])
def test_data_behind_the_end_stays(cc, strip, tail):
    data = cc(HELLO, args=["-g"]).read_bytes() + tail
    found, (warning,) = strip(data)
    assert found == data
    assert warning == (
        f"/hello: not stripped: {len(tail)} bytes follow its end, and strip would drop them"
    )


def test_an_object_file_and_a_text_are_not_touched(cc, strip):
    for data in (
        cc("int x;", name="x.o", args=["-c", "-g"]).read_bytes(),
        b"#!/bin/sh\n",
        b"",
        b"\x7fELF",
        b"!<arch>\n",
    ):
        assert strip(data) == (data, [])


def test_a_damaged_section_table_is_a_warning(cc, strip):
    data = bytearray(cc(HELLO, args=["-g"]).read_bytes())
    struct.pack_into("<Q", data, 40, len(data) - 8)  # e_shoff
    found, (warning,) = strip(bytes(data))
    assert found == data
    assert warning.startswith("/hello: not stripped: ")


def test_strip_for_another_machine_is_asked_for(cc, strip):
    data = bytearray(cc(HELLO, args=["-g"]).read_bytes())
    struct.pack_into("<H", data, 18, 258)  # e_machine: LoongArch
    if tools.find("loongarch64-linux-gnu-strip"):
        pytest.skip("there is one")
    with pytest.raises(NotFoundError, match="apt-get install binutils-loongarch64-linux-gnu"):
        strip(bytes(data))


def test_a_strip_of_this_machine_that_fails_is_a_warning(cc, strip, monkeypatch, tmp_path):
    """What it prints does not matter, only whose machine it is for."""
    fake = tmp_path / "bin/strip"
    fake.parent.mkdir()
    args = ['-DMESSAGE="Unable to recognise the format"']
    source = "int puts(const char *); int main(void) { puts(MESSAGE); return 1; }"
    cc(source, name="strip", where=fake.parent, args=args)
    data = cc(HELLO, args=["-g"]).read_bytes()
    monkeypatch.setenv("PATH", str(fake.parent))
    found, (warning,) = strip(data)
    assert found == data
    assert "Unable to recognise" in warning


def test_bytecode_in_an_elf_file_is_not_touched(cc, strip):
    data = bytearray(cc(HELLO, args=["-g"]).read_bytes())
    struct.pack_into("<H", data, 18, 0)  # e_machine: EM_NONE, as Guile writes it
    assert strip(bytes(data)) == (data, [])


def test_without_binutils_it_says_what_to_install(cc, strip, monkeypatch, tmp_path):
    data = cc(HELLO, args=["-g"]).read_bytes()
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(NotFoundError, match="no strip here for /hello; apt-get install binutils"):
        strip(data)


FAKE = """#!/bin/sh
# what strip is called as: --strip-unneeded -o RESULT SOURCE
{}
"""


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """Put a shell script in the place of strip."""

    def fake(script):
        for name in ("strip", "x86_64-linux-gnu-strip", "aarch64-linux-gnu-strip"):
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(FAKE.format(f"PATH=/usr/bin:/bin; {script}"))
            path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return fake


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("cp /bin/true $3", "strip would change what is loaded of it"),
        ("echo strip: $4: file format not recognized >&2; exit 1", "file format not recognized"),
        ("echo strip: $4: Invalid argument >&2; exit 1", "Invalid argument"),
    ],
)
def test_a_strip_that_does_harm_or_refuses_is_noticed(cc, strip, fake, script, words):
    data = cc(HELLO, args=["-g"]).read_bytes()
    fake(script)
    found, (warning,) = strip(data)
    assert found == data
    assert words in warning


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo strip: $3: No space left on device; exit 1", "strip: /hello: No space left on"),
        ("echo strip: $3: Input/output error; exit 1", "Input/output error"),
        ("echo strip: memory exhausted; exit 1", "memory exhausted"),
        ("echo strip: oh; exit 127", "oh"),
        ("exit 1", "ended with exit code 1"),
        ("kill -9 $$", "was killed: Killed"),
        ("echo oh; kill -9 $$", "oh"),
        ("exit 0", "did not write a whole ELF file"),
        ("echo garbage >$3", "did not write a whole ELF file"),
        ("head -c 3000 $4 >$3", "did not write a whole ELF file"),
        (": >$3", "did not write a whole ELF file"),
    ],
)
def test_a_strip_that_fails_is_an_error(cc, strip, fake, script, words):
    data = cc(HELLO, args=["-g"]).read_bytes()
    fake(script)
    with pytest.raises(OutputError) as failed:
        strip(data)
    assert str(failed.value).startswith("--strip: /hello: ")
    assert words in str(failed.value)
    assert "set TMPDIR to another directory" in str(failed.value)
    assert str(failed.value).endswith("or leave out --strip")


@pytest.mark.parametrize("says", ["file format not recognized", "$4[.init]: invalid operation"])
def test_a_file_is_refused_by_a_strip_that_says_so_twice(cc, strip, fake, tmp_path, says):
    """It hides that the system failed, once: binutils says no more where read(2) gives EIO."""
    data = cc(HELLO, args=["-g"]).read_bytes()
    right, _ = strip(data)
    asked = tmp_path / "asked"
    real = shutil.which("strip")
    once = f"if ! [ -e {asked} ]; then touch {asked}; echo strip: {says} >&2; exit 1; fi"
    fake(f'{once}; exec {real} "$@"')
    assert strip(data) == (right, [])
    assert asked.exists()
    assert right != data


@pytest.mark.parametrize("script", ["exec sleep 100", "sleep 100; true", "sleep 100 & wait"])
def test_a_strip_that_never_ends_is_ended_with_what_it_started(
    cc, strip, fake, monkeypatch, tmp_path, script
):
    data = cc(HELLO, args=["-g"]).read_bytes()
    monkeypatch.setattr(stripped, "_SECONDS", 0.2)
    lock = tmp_path / "lock"
    fake(f"exec 9>{lock}; flock 9; {script}")
    with pytest.raises(OutputError, match="strip took too long and was stopped"):
        strip(data)
    with lock.open("wb") as file:  # nobody holds it open any more, once those killed are gone
        for _ in range(100):
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.1)
    pytest.fail("somebody holds it open")


def test_a_byte_that_is_loaded_must_not_change(cc, strip, monkeypatch):
    data = cc(HELLO, args=["-g"]).read_bytes()
    run = tools.run

    def changing(tool, *arguments, seconds):
        done = run(tool, *arguments, seconds=seconds)
        with open(arguments[2], "r+b") as file:
            found = file.read().index(b"hello\0")
            file.seek(found)
            file.write(b"jello")
        return done

    monkeypatch.setattr(tools, "run", changing)
    found, (warning,) = strip(data)
    assert found == data
    assert "would change what is loaded" in warning


def test_the_source_is_never_written(cc, tmp_path):
    program = cc(HELLO, args=["-g"])
    before = (program.read_bytes(), program.stat().st_mtime_ns, program.stat().st_ino)
    root = DirectoryRoot(str(tmp_path))
    entry = Entry("/hello", "file", 0o755, (), root.open("/hello"))
    (tmp_path / "scratch").mkdir()
    stripped.plan(Plan((entry,)), str(tmp_path / "scratch"))
    assert (program.read_bytes(), program.stat().st_mtime_ns, program.stat().st_ino) == before


def test_names_of_one_file_stay_names_of_one(cc, tmp_path):
    cc(HELLO, args=["-g"])
    (tmp_path / "other").hardlink_to(tmp_path / "hello")
    (tmp_path / "scratch").mkdir()
    root = DirectoryRoot(str(tmp_path))
    entries = [
        Entry(f"/{one}", "file", 0o755, (), root.open(f"/{one}")) for one in ("hello", "other")
    ]
    plan = stripped.plan(Plan(tuple(entries)), str(tmp_path / "scratch"))
    assert hard_links(plan.entries) == {"/other": "/hello"}
    assert plan.size < entries[0].size
    assert len(list((tmp_path / "scratch").iterdir())) == 1


def test_links_and_directories_pass(strip):
    assert strip(b"", kind="dir") == (None, [])


def test_scratch_that_cannot_be_written_is_said(cc, tmp_path):
    entry = Entry("/hello", "file", 0o755, (), BytesSource(cc(HELLO, args=["-g"]).read_bytes()))
    with pytest.raises(OutputError, match="set TMPDIR to another directory"):
        stripped.plan(Plan((entry,)), f"{tmp_path}/none")


def test_a_tool_gets_no_environment(monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "")
    done = tools.run(tools.find("env"))
    assert (done.code, done.output) == (0, "LC_ALL=C")
    assert tools.find("no-such-tool", "env") == shutil.which("env")
    assert tools.find("no-such-tool") is None
