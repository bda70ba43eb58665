"""A run that is killed leaves nothing: no process, no folder, no mount."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))
KILLS = 200 if ALL else 9
LONGEST = 0.6  # seconds: starting, unpacking, running
PATIENCE = 10  # seconds until all has to be gone
MARK = "rootfs-builder-test"
PROGRAM = r"""
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (getuid() == 0 && argc > 2) setuid(65534);  /* the kernel then tells it no parent's end */
    for (int i = 0; i < 3; i++)
        if (fork() == 0 && fork() == 0) { setsid(); break; }
    for (int i = 0;; i++) {
        char name[32];
        snprintf(name, sizeof name, "/%d.%d", getpid(), i % 100);
        FILE *file = fopen(name, "w");
        if (file) fclose(file);
        usleep(1000);
    }
}
"""
WAYS = ("bubblewrap", "unshare", *(("chroot",) if os.geteuid() == 0 else ()))


@pytest.fixture
def archive(cc, tmp_path_factory):
    """An image whose program leaves children that ignore signals and write all the time."""
    folder = tmp_path_factory.mktemp("kills")
    program = cc(PROGRAM, name="busy", where=folder, args=("-static",))
    words = [sys.executable, "-m", "rootfs_builder", "pack", program, "-o", folder / "i.tar", "-q"]
    subprocess.run(words, check=True, capture_output=True)
    return folder / "i.tar"


def left(folder, mark):
    """The processes, folders and mounts of a run that are still there."""
    found = [str(one) for one in folder.iterdir()]
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if mark in line:
            found.append(f"{name}: {line}")
    mounts = Path("/proc/self/mountinfo").read_text()
    return found + re.findall(rf".*{re.escape(str(folder))}.*", mounts)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["KILL", "TERM"])
@pytest.mark.parametrize("way", WAYS)
def test_a_killed_run_leaves_nothing(way, number, archive, tmp_path):
    if way == "bubblewrap" and shutil.which("bwrap") is None:
        pytest.skip("no bubblewrap")
    for seed in range(-(-KILLS // (2 * len(WAYS)))):
        mark = f"{MARK}-{os.getpid()}-{way}-{number}-{seed}"
        command = [sys.executable, "-m", "rootfs_builder", "run", "-q", "--way", way, archive]
        process = subprocess.Popen(
            [*map(str, command), "--", mark, *(("-u",) if seed % 2 else ())],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(random.Random(seed).uniform(0, LONGEST))
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None:  # the third signal ends a program that ignores them
            assert time.monotonic() < deadline, f"kill {seed}: it does not end"
            process.send_signal(number)
            time.sleep(0.05)
        while (found := left(tmp_path, mark)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert found == [], f"kill {seed}: {found}"
