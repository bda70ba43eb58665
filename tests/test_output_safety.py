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
        ("prog/x.tar", ["prog/x.tar", "not a directory"]),
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


def test_output_in_a_tree_that_is_added_can_be_left_out(cli, tmp_path):
    (tmp_path / "app").mkdir()
    words = [PROGRAM, "--add", "app:/srv", "-o", "app/x.tar"]
    assert cli("pack", *words).returncode == 0
    failed(cli("pack", *words), 2, "would be overwritten", "--exclude '**/x.tar'")
    assert cli("pack", *words, "--exclude", "**/x.tar").returncode == 0


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


@pytest.mark.long
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


@pytest.mark.parametrize("size", [1, 16, 75, 225])
def test_full_disk_of_a_layout(cli, small_disk, size):
    disk = small_disk(size * BLOCK)
    failed(cli("pack", PROGRAM, "-o", f"oci:{disk}/out"), 1, f"{disk}/out", DISK_IS_FULL)
    assert not list(disk.iterdir())


def test_full_disk_of_a_layout_that_is_replaced(cli, small_disk, tmp_path):
    disk = small_disk(4 << 20)
    assert cli("pack", PROGRAM, "-o", f"oci:{disk}/out").returncode == 0
    before = snapshot(disk)
    (tmp_path / "more").write_bytes(random.Random(2).randbytes(4 << 20))
    done = cli("pack", PROGRAM, "--add", "more:/more", "-o", f"oci:{disk}/out")
    failed(done, 1, f"{disk}/out", DISK_IS_FULL)
    assert snapshot(disk) == before


@pytest.mark.parametrize("option", ["--iidfile", "--metadata-file", "--depfile"])
def test_full_disk_of_a_file_beside(cli, small_disk, out, option):
    disk = small_disk(BLOCK)
    (disk / "other").write_bytes(bytes(BLOCK))
    before = snapshot(out), snapshot(disk)
    failed(cli("pack", PROGRAM, "-o", "out/x.tar", option, disk / "file"), 1, DISK_IS_FULL)
    assert (snapshot(out), snapshot(disk)) == before


@pytest.mark.skipif(shutil.which("strip") is None, reason="needs binutils")
@pytest.mark.parametrize("verb", ["pack", "stage"])
@pytest.mark.parametrize("blocks", [2, 5, 8])  # of a program that takes four, and its copy
def test_full_disk_of_strip(cli, cc, small_disk, out, verb, blocks):
    program = cc("int main(void) { return 0; }", name="symbols", args=["-g"])
    disk = small_disk(blocks * BLOCK)
    before = snapshot(out)
    name = "x.tar" if verb == "pack" else "new"
    done = cli(verb, program, "--strip", "-o", f"out/{name}", env={"TMPDIR": str(disk)})
    failed(done, 1, "--strip", "No space left on device", str(disk), "TMPDIR")
    assert snapshot(out) == before
    assert not list(disk.iterdir())


@pytest.mark.parametrize("output", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("into", ["a pipe", "a file"])
def test_names_of_stdout_are_stdout(tmp_path, out, output, into):
    def pack(output, stdout=subprocess.PIPE):
        return subprocess.run(
            [*TOOL, "pack", PROGRAM, "-o", output],
            cwd=tmp_path,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=True,
        )

    expected = pack("-")
    if into == "a pipe":
        done = pack(output)
        found = done.stdout
    else:
        with (out / "x.tar").open("wb") as file:
            done = pack(output, file)
        found = (out / "x.tar").read_bytes()
    assert found == expected.stdout
    (first, *rest), (wanted, *others) = done.stderr.splitlines(), expected.stderr.splitlines()
    assert first.partition(b") in ")[0] == wanted.partition(b") in ")[0]  # then how long it took
    assert rest == others
    assert [one.name for one in out.iterdir()] == ["x.tar"]


def test_a_terminal_by_another_name(cli):
    master, terminal = pty.openpty()
    try:
        streams = {"capture_output": False, "stdout": terminal, "stderr": subprocess.PIPE}
        failed(cli("pack", PROGRAM, "-o", "/dev/stdout", **streams), 2, "-o -", "terminal")
    finally:
        os.close(master)
        os.close(terminal)


def test_a_pipe_of_the_shell(tmp_path):
    words = ["bash", "-c", '"$@" -o >(cat >got)', "bash", *TOOL, "pack", PROGRAM]
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    failed(done, 1, "/dev/fd/", "not a regular file; to write into a pipe use -o -")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["pack", PROGRAM, "-o", "x.tar"], 0),
        (["pack", PROGRAM, "-o", "-"], 0),
        (["pack", PROGRAM, "-v", "-o", "x.tar"], 0),
        (["stage", PROGRAM, "-o", "new"], 0),
        (["tree", PROGRAM], 0),
        (["pack", "none", "-o", "x.tar"], 3),
        (["pack", PROGRAM], 2),
    ],
)
@pytest.mark.parametrize("stderr", ["full", "without a reader"])
def test_what_stderr_does_not_take_is_dropped(cli, tmp_path, args, code, stderr):
    expected = cli(*args, cwd=tmp_path, text=False)
    assert expected.returncode == code
    shutil.rmtree(tmp_path / "new", ignore_errors=True)
    if stderr == "full":
        broken = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, broken = os.pipe()
        os.close(reader)
    try:
        streams = {"capture_output": False, "stdout": subprocess.PIPE, "stderr": broken}
        done = cli(*args, cwd=tmp_path, text=False, **streams)
    finally:
        os.close(broken)
    assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout)


@pytest.fixture
def shared(tmp_path):
    """A directory like /tmp that another user's link is in, and what it leads to."""
    if os.geteuid() or shutil.which("setpriv") is None:
        pytest.skip("needs root, to be two users")
    if Path("/proc/sys/fs/protected_symlinks").read_text() != "1\n":
        pytest.skip("fs.protected_symlinks is off: the kernel follows such a link")
    directory = tmp_path / "shared"
    directory.mkdir()
    directory.chmod(0o1777)
    (tmp_path / "mine").mkdir()
    return directory


@pytest.mark.parametrize("target", ["file", "new", "directory"])
@pytest.mark.parametrize("verb", ["pack", "layout", "stage", "--iidfile"])
def test_a_link_of_another_user_in_a_shared_directory_is_not_followed(cli, shared, verb, target):
    mine = shared.parent / "mine"
    (mine / "file").write_text("precious")
    (mine / "directory").mkdir()
    link = shared / "x.tar"
    link.symlink_to(mine / target)
    os.chown(link, 65534, 65534, follow_symlinks=False)
    before = snapshot(mine)
    args = {
        "pack": ["pack", PROGRAM, "-o", "x.tar"],
        "layout": ["pack", PROGRAM, "-o", "oci:x.tar"],
        "stage": ["stage", PROGRAM, "-o", "x.tar"],
        "--iidfile": ["pack", PROGRAM, "-o", "y.tar", "--iidfile", "x.tar"],
    }[verb]
    done = cli(*args, cwd=shared)
    failed(done, 1, "x.tar: a link that the kernel does not follow: Permission denied; name its")
    assert snapshot(mine) == before
    assert [one.name for one in shared.iterdir()] == ["x.tar"]
    os.chown(link, 0, 0, follow_symlinks=False)  # as one's own it is followed
    own = cli(*args, cwd=shared)
    if target == "new" or (target == "file") == (verb in {"pack", "--iidfile"}):
        assert own.returncode == 0, own.stderr
        assert snapshot(mine) != before


def test_a_directory_that_may_be_written_and_not_listed(tmp_path):
    box = tmp_path / "box"
    box.mkdir()
    box.chmod(0o1333)
    for number, args in enumerate((["pack", "-o"], ["stage", "-o"], ["pack", "-o", "oci:"])):
        output = f"{''.join(args[2:])}box/{number}"
        done = ordinary(args[0], PROGRAM, "-o", output, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (box / str(number)).exists()


SLOW_STRIP = """#!/bin/sh
PATH=/usr/bin:/bin
touch {}
exec sleep 100
"""


@pytest.mark.parametrize("verb", ["pack", "stage"])
def test_kill_during_strip(cli, cc, tmp_path, verb):
    """What it leaves where temporary files are goes with the next run, not before it is killed."""
    program = cc("int main(void) { return 0; }", name="symbols", args=["-g"])
    for directory in ("bin", "temporary"):
        (tmp_path / directory).mkdir()
    for name in ("strip", f"{os.uname().machine}-linux-gnu-strip"):
        (tmp_path / "bin" / name).write_text(SLOW_STRIP.format(tmp_path / "began"))
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    words = [*TOOL, verb, program, "--strip", "-o", "x"]
    slow = subprocess.Popen(
        words, cwd=tmp_path, env={**environment, "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    )
    end = time.monotonic() + 60
    while not (tmp_path / "began").exists() and time.monotonic() < end:
        time.sleep(0.01)
    group = os.getpgid(
        int(Path(f"/proc/{slow.pid}/task/{slow.pid}/children").read_text().split()[0])
    )
    try:
        again = cli(verb, program, "--strip", "-o", "y", env={"TMPDIR": environment["TMPDIR"]})
        assert again.returncode == 0, again.stderr
        (left,) = (tmp_path / "temporary").iterdir()
    finally:
        slow.kill()
        slow.wait()
        os.killpg(group, signal.SIGKILL)
    assert re.fullmatch(r"\.rootfs-builder\.[0-9a-f]{8}\.tmp", left.name)
    assert left.stat().st_mode & 0o777 == 0o700
    again = cli(verb, program, "--strip", "-o", "z", env={"TMPDIR": environment["TMPDIR"]})
    assert again.returncode == 0, again.stderr
    assert not list((tmp_path / "temporary").iterdir())


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
