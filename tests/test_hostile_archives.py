"""Archives that want all memory, time or disk: one sentence, soon, and nothing left behind.

A usual run takes a sample; ROOTFS_BUILDER_ALL_CASES=1 takes all.
"""

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults import archives

ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))
SAMPLE = ("sparse_old_extended_eof", "sparse_8eb", "pax_global_chain_1000")
SECONDS, MEMORY, DISK = 10, 300_000_000, 100_000_000
MOST = 2 << 30  # bytes: no run takes more from this machine
VERBS = {"inspect": (), "verify": (), "why": ("/nothing",)}


class Cost(NamedTuple):
    """What a run has cost: CPU seconds, bytes of memory at most, bytes of temporary files."""

    code: int
    said: str
    seconds: float
    memory: int
    disk: int


def run(verb, path, folder):
    """A verb in a process of its own, whose temporary files are looked at while it runs."""
    command = [sys.executable, "-m", "rootfs_builder", verb, str(path), *VERBS[verb]]
    with (folder / "said").open("w+b") as said:
        environment = {**os.environ, "TMPDIR": str(folder)}
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, env=environment)
        resource.prlimit(child.pid, resource.RLIMIT_AS, (MOST, MOST))
        disk = memory = 0
        while True:
            number, status, usage = os.wait4(child.pid, os.WNOHANG)
            if number:
                break
            disk = max(disk, temporary(child.pid, folder))
            memory = max(memory, peak(child.pid))
            # What never ends is killed, so that it is a failure and no hang.
            if cpu(child.pid) > 3 * SECONDS:
                child.kill()
            time.sleep(0.01)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode()
    seconds = usage.ru_utime + usage.ru_stime
    return Cost(child.returncode, text, seconds, memory, disk)


def peak(process):
    """The most memory that a process has had; ru_maxrss counts what its parent had, too."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0  # none of a process that has ended


def temporary(process, folder):
    """The bytes on disk of the files without a name that a process has there."""
    found = 0
    try:
        for one in Path(f"/proc/{process}/fd").iterdir():
            if os.readlink(one).startswith(str(folder)) and "said" not in os.readlink(one):
                found += one.stat().st_blocks * 512
    except OSError:
        pass  # it has ended, or closed one
    return found


def cpu(process):
    """The CPU seconds of a process."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("archives")


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        pytest.param(name, verb, id=f"{name}-{verb}")
        for name in archives.CASES
        for verb in VERBS
        if ALL or (name in SAMPLE and verb == "verify")
    ],
)
def test_an_archive_that_wants_everything_gets_a_sentence(name, verb, folder, tmp_path):
    case = archives.CASES[name]
    found = run(verb, archives.written(name, folder), tmp_path)
    print(f"{name:40} {verb:8} {found.seconds:5.1f} s {found.memory / 1e6:4.0f} MB "
          f"{found.disk / 1e6:4.0f} MB  {found.said}")  # fmt: skip
    assert "Traceback" not in found.said
    assert found.code in (0, 1, 3, 4, 5)
    code = case.verify if verb == "verify" and case.verify != -1 else case.code
    if verb != "why" and code is not None:
        assert found.code == code, found
    if found.code == code and code:
        assert case.words in found.said
        assert found.said.count("\n") == 1
    assert found.seconds < SECONDS
    assert found.memory < MEMORY
    assert found.disk < DISK
    assert [one.name for one in tmp_path.iterdir()] == ["said"]
