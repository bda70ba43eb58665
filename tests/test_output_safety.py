"""An output is either as it was or complete: full disks, signals, other runs, changing sources.

What must be caught "in the middle" packs a file of 64 MiB that does not compress, and is stopped
(SIGSTOP) when the temporary file beside the output has grown: no machine is too quick or too slow.
"""

import fcntl
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import conformance
from tests.test_bad_input import PROGRAM, ordinary, snapshot

TOOL = [sys.executable, "-m", "rootfs_builder"]
BIG = 64  # MiB
GROWN = 4 << 20  # bytes in the temporary file: the run is in the middle
BLOCK = 4096  # bytes: what the smallest file takes of a tmpfs
DISK_IS_FULL = "the disk is full"


@pytest.fixture(autouse=True)
def _sigint_is_not_ignored():
    """A background job of a shell ignores it, and so would everything that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def big(tmp_path):
    """A file that takes a while to pack."""
    path = tmp_path / "big"
    block = random.Random(1).randbytes(1 << 20)
    with path.open("wb") as stream:
        for _ in range(BIG):
            stream.write(block)
    return path


@pytest.fixture
def out(tmp_path):
    """A directory with an older output, x.tar."""
    directory = tmp_path / "out"
    directory.mkdir()
    (directory / "x.tar").write_bytes(b"an older output")
    os.utime(directory / "x.tar", (1, 1))
    return directory


@pytest.fixture
def start(tmp_path):
    """Start the command line and leave it running; what still runs in the end is killed."""
    running = []

    def run(*args, stdout=subprocess.PIPE):
        running.append(
            subprocess.Popen(
                [*TOOL, *args], cwd=tmp_path, stdout=stdout, stderr=subprocess.PIPE, text=True
            )
        )
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def small_disk(tmp_path):
    """Mount a tmpfs of so many bytes; returns its directory."""
    mounted = []

    def mount(size):
        directory = tmp_path / f"disk{len(mounted)}"
        directory.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs root, to mount a small tmpfs")
        mounted.append(directory)
        return directory

    yield mount
    for directory in mounted:
        subprocess.run(["umount", "-l", directory], check=True)


def in_the_middle(process, directory):
    """Stop the process when its temporary file is well on its way; the file's path."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for path in directory.glob(".*.tmp"):
            size = sum(one.stat().st_size for one in (path, *path.rglob("*")) if one.is_file())
            if size > GROWN:
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
                assert path.exists(), "it ended before it was stopped: raise BIG"
                return path
        time.sleep(0.005)
    pytest.fail(f"it never was in the middle: {process.communicate()}")


def failed(done, code, *words):
    """One sentence, no traceback, nothing on stdout."""
    assert done.returncode == code, done
    assert done.stderr.startswith("rootfs-builder: "), done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert not done.stdout


def interrupted(process, number):
    """Send the signal; the process ends as a shell expects it, without a traceback."""
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number, stderr
    assert "Traceback" not in stderr
    assert not stdout


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("nowhere/x.tar", ["nowhere/x.tar", "directory does not exist", "make it first"]),
        ("prog/x.tar", ["prog/x.tar", "no directory"]),
        ("out", ["out", "a directory", "name a file"]),
        ("new/", ["new/", "name a file"]),
        ("fifo", ["fifo", "not a regular file", "-o -"]),
        ("/dev/null", ["/dev/null", "not a regular file", "-o -"]),
        ("loop", ["loop", "symbolic links"]),
        ("", ["-o", "name a file"]),
    ],
)
def test_destination_that_takes_no_file(cli, tmp_path, out, output, words):
    shutil.copy(PROGRAM, tmp_path / "prog")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    before = snapshot(tmp_path)
    failed(cli("pack", "prog", "-o", output, timeout=20), 1 if output else 2, *words)
    assert snapshot(tmp_path) == before
    assert out.is_dir()


@pytest.mark.parametrize(
    ("of", "advice"),
    [
        ("docker-archive:x.tar", "-o x.tar --format docker"),
        ("oci-archive:x.tar", "-o x.tar --format oci"),
        ("docker-daemon:x:1", "skopeo copy oci-archive:x.tar docker-daemon:x:1"),
        ("oci:dir:1.0", "-o oci:dir -t NAME:1.0"),
    ],
)
def test_destination_of_another_tool(cli, tmp_path, of, advice):
    failed(cli("pack", PROGRAM, "-o", of), 2, f"-o {of}", advice)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["pack", "stage"])
def test_directory_without_permission(out, tmp_path, verb):
    out.chmod(0o555)
    before = snapshot(tmp_path)
    for name in ("x.tar", "new") if verb == "pack" else ("new",):
        done = ordinary(verb, PROGRAM, "-o", f"out/{name}", cwd=tmp_path)
        failed(done, 1, f"out/{name}", "no permission", "out")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("option", [[], ["--add"]])
def test_output_that_is_an_input(cli, tmp_path, option):
    shutil.copy(PROGRAM, tmp_path / "prog")
    before = snapshot(tmp_path)
    args = ["prog"] if not option else [PROGRAM, "--add", "prog:/data"]
    failed(cli("pack", *args, "-o", "./prog"), 2, "-o ./prog", "would be overwritten")
    assert snapshot(tmp_path) == before


def test_archive_for_a_terminal(cli, tmp_path):
    master, terminal = pty.openpty()
    try:
        streams = {"capture_output": False, "stdout": terminal, "stderr": subprocess.PIPE}
        done = cli("pack", PROGRAM, "-o", "-", **streams)
        failed(done, 2, "-o -", "terminal", "| docker load")
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 1)
    finally:
        os.close(master)
        os.close(terminal)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [0, 1, 16, 75, 225])  # blocks of 4 KiB; 245 would do
def test_full_disk(cli, small_disk, size):
    disk = small_disk((1 + size) * BLOCK)
    (disk / "x.tar").write_bytes(b"an older output")
    before = snapshot(disk)
    failed(cli("pack", PROGRAM, "-o", disk / "x.tar"), 1, f"{disk}/x.tar", DISK_IS_FULL)
    assert snapshot(disk) == before


@pytest.mark.parametrize("size", [16, 75, 225])
def test_full_disk_below_tmpdir(cli, small_disk, size):
    disk = small_disk(size * BLOCK)
    done = cli("pack", PROGRAM, "-o", "-", env={"TMPDIR": str(disk)}, text=False)
    done.stderr = done.stderr.decode()
    failed(done, 1, "No space left", str(disk), "TMPDIR")
    assert not list(disk.iterdir())


@pytest.mark.parametrize("size", [1, 16, 300])
def test_full_disk_of_a_stage(cli, small_disk, size):
    disk = small_disk(size * BLOCK)
    failed(cli("stage", PROGRAM, "-o", disk / "out"), 1, f"{disk}/out", DISK_IS_FULL)
    assert not list(disk.iterdir())


@pytest.mark.parametrize(
    "args", [["pack", PROGRAM, "-o", "-"], ["pack", PROGRAM, "-o", "x.tar"], ["tree", PROGRAM]]
)
def test_full_disk_behind_stdout(cli, args):
    with Path("/dev/full").open("wb") as full:
        done = cli(*args, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr
    assert "TMPDIR" not in done.stderr


@pytest.mark.parametrize("args", [["tree"], ["tree", "--json"], ["pack", "-o", "-"]])
def test_reader_of_stdout_has_gone(cli, args):
    reader, writer = os.pipe()
    os.close(reader)
    verb, *options = args
    with os.fdopen(writer, "wb") as pipe:
        streams = {"capture_output": False, "stdout": pipe, "stderr": subprocess.PIPE}
        done = cli(verb, PROGRAM, *options, **streams)
    assert done.returncode == 1
    assert not done.stderr


@pytest.mark.parametrize("output", ["-", "x.tar"])
def test_stdout_is_closed(tmp_path, output):
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *TOOL, "pack", PROGRAM, "-o", output]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    failed(done, 1, "stdout is closed", ">/dev/null")
    assert not list(tmp_path.iterdir())


def test_working_directory_is_gone(tmp_path):
    command = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *TOOL, "pack", PROGRAM, "-o", "x.tar"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    failed(done, 1, "working directory")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal(start, big, out, number):
    before = snapshot(out)
    process = start("pack", PROGRAM, "--add", big, "-o", "out/x.tar")
    in_the_middle(process, out)
    interrupted(process, number)
    assert snapshot(out) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_a_stage(start, big, tmp_path, number):
    process = start("stage", PROGRAM, "--add", big, "-o", "tree")
    path = in_the_middle(process, tmp_path)
    interrupted(process, number)
    assert not path.exists()
    assert not (tmp_path / "tree").exists()


def test_kill(start, cli, big, out):
    before = snapshot(out)
    process = start("pack", PROGRAM, "--add", big, "-o", "out/x.tar")
    left = in_the_middle(process, out)
    process.kill()
    process.wait()
    after = snapshot(out)
    del after[left]
    assert after == before
    assert re.fullmatch(r"\.x\.tar\.[0-9a-f]{8}\.tmp", left.name)
    (out / ".y.tar.01234567.tmp").touch()  # of another output
    assert cli("pack", PROGRAM, "-o", "out/x.tar").returncode == 0
    assert sorted(one.name for one in out.iterdir()) == [".y.tar.01234567.tmp", "x.tar"]
    assert conformance.problems(out / "x.tar") == []


def test_kill_of_a_stage(start, cli, big, tmp_path):
    process = start("stage", PROGRAM, "--add", big, "-o", "tree")
    left = in_the_middle(process, tmp_path)
    process.kill()
    process.wait()
    assert left.exists()
    assert not (tmp_path / "tree").exists()
    assert cli("stage", PROGRAM, "-o", "tree").returncode == 0
    assert not left.exists()


def test_two_runs_on_one_output(start, cli, big, out):
    slow = start("pack", PROGRAM, "--add", big, "-o", "out/x.tar")
    temporary = in_the_middle(slow, out)
    quick = cli("pack", PROGRAM, "-o", "out/x.tar")
    assert quick.returncode == 0, quick.stderr
    assert temporary.exists()
    assert conformance.problems(out / "x.tar") == []
    slow.send_signal(signal.SIGCONT)
    assert slow.communicate(timeout=120)[0] != quick.stdout
    assert slow.returncode == 0
    assert [one.name for one in out.iterdir()] == ["x.tar"]
    assert (out / "x.tar").stat().st_size > BIG << 20
    assert conformance.problems(out / "x.tar") == []


def test_many_runs_on_one_output(start, out):
    """Each in the same instant looks for leftovers and makes its own temporary file."""
    running = [start("pack", PROGRAM, "-o", "out/x.tar") for _ in range(6)]
    results = {process.communicate(timeout=120)[0] for process in running}
    assert [process.returncode for process in running] == [0] * 6
    assert len(results) == 1
    assert [one.name for one in out.iterdir()] == ["x.tar"]
    assert conformance.problems(out / "x.tar") == []


def test_locked_file_of_a_live_run_stays(cli, out):
    (out / ".x.tar.0000000a.tmp").touch()
    with (out / ".x.tar.0000000b.tmp").open("wb") as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        assert cli("pack", PROGRAM, "-o", "out/x.tar").returncode == 0
    assert sorted(one.name for one in out.iterdir()) == [".x.tar.0000000b.tmp", "x.tar"]


@pytest.mark.parametrize("how", ["shrinks", "grows", "is rewritten"])
def test_source_that_changes(start, big, out, how):
    before = snapshot(out)
    process = start("pack", PROGRAM, "--add", big, "-o", "out/x.tar")
    in_the_middle(process, out)
    if how == "shrinks":
        os.truncate(big, BIG << 19)
    elif how == "grows":
        with big.open("ab") as stream:
            stream.write(b"more")
    else:
        with big.open("r+b") as stream:
            stream.write(b"another")
    process.send_signal(signal.SIGCONT)
    stdout, stderr = process.communicate(timeout=120)
    done = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    failed(done, 1, str(big), "changed while it was being read", "run again")
    assert snapshot(out) == before


def test_stage_onto_what_is_there(cli, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = snapshot(tmp_path)
    for place in ("full", "file", "full/file", "."):
        done = cli("stage", PROGRAM, "-o", place)
        failed(done, 1, f"{place}: exists", "not an empty directory", "remove it")
    failed(cli("stage", PROGRAM, "-o", "no/out"), 1, "no/out", "make it first")
    failed(cli("stage", PROGRAM, "-o", "/"), 1, "/: exists", "not an empty directory")
    assert snapshot(tmp_path) == before


def test_stage_onto_a_mount_point(cli, small_disk):
    disk = small_disk(64 << 20)
    done = cli("stage", PROGRAM, "-o", disk)
    failed(done, 1, f"{disk}", "mount point", "a directory below it")
    assert not list(disk.iterdir())
