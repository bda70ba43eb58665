"""scripts/survey: a sample of this machine agrees, and what does not agree is seen."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loader.conftest import fill
from tests.loader.objects import library, program

SURVEY = Path(__file__).parent.parent.parent / "scripts" / "survey"


def survey(*arguments, **options):
    return subprocess.run(
        [sys.executable, SURVEY, *arguments], capture_output=True, text=True, check=False, **options
    )


@pytest.mark.long
def test_a_sample_of_this_machine():
    done = survey("--sample", "90")
    assert done.returncode == 0, done.stdout + done.stderr
    agreeing, total = re.search(r"^(\d+)/(\d+) agree$", done.stdout, re.MULTILINE).groups()
    assert agreeing == total
    assert int(total) > 50


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="the staged loader runs in a chroot: needs root")
def test_a_sample_of_this_machine_loads_the_same_when_staged(tmp_path):
    done = survey("--sample", "90", "--staged", tmp_path, "/usr/bin")
    assert done.returncode == 0, done.stdout + done.stderr
    said = r"^(\d+)/(\d+) programs load the same when staged$"
    same, total = re.search(said, done.stdout, re.MULTILINE).groups()
    assert same == total
    assert int(total) > 50


def test_a_difference_is_listed(tmp_path, linker):
    """We do not look in the working directory; the loader does."""
    fill(tmp_path, {"/prog": program("libx.so", rpath="l"), "/l/libx.so": library()}, linker)
    done = survey(tmp_path, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{tmp_path}/prog\n  ours: " in done.stdout
    assert "ld.so: ('libx.so', 'l/libx.so')" in done.stdout
    assert done.stdout.endswith("0/1 agree\n")


def test_the_same_sample_every_time():
    one, two = (survey("--sample", "3", "/usr/bin").stdout for _ in range(2))
    assert [line for line in one.splitlines() if "took" not in line] == [
        line for line in two.splitlines() if "took" not in line
    ]
