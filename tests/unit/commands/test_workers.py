"""Processes of a batch: what SIGTERM does to one."""

import subprocess
import sys

SWALLOWED = """
import os, signal
from rootfs_builder.commands import workers

class Held:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

def task():
    held = Held()
    del held
    while True:
        signal.pause()

workers._begin()
workers._call(task)
"""


def test_sigterm_in_a_destructor_ends_a_task_and_says_nothing():
    run = [sys.executable, "-c", SWALLOWED]
    done = subprocess.run(run, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (1, "")
