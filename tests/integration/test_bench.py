"""scripts/bench, as its user runs it: every packer packs hello, and every image runs."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.benchmark.measure import Bench, JobError
from scripts.benchmark.packers import OURS, PACKERS
from scripts.benchmark.programs import PROGRAMS
from scripts.benchmark.rounds import subject

CHECKOUT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.engines


def test_every_packers_image_of_hello_runs(tmp_path):
    done = subprocess.run(
        [CHECKOUT / "scripts/bench", "--quick", "--only", "hello", "-o", tmp_path],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads((tmp_path / "benchmarks.json").read_text())
    measured = data["programs"]["hello"]["packers"]
    assert set(measured) == {name for name, packer in PACKERS.items() if packer.packs("hello")}
    for name, figures in measured.items():
        assert bool(figures["docker"]) is PACKERS[name].is_image
        assert figures["wall"] > 0
        assert figures["memory"] > 1e6
        assert bool(figures["bytes"]) is bool(PACKERS[name].output)
    assert measured[OURS]["same"] is True
    assert measured[OURS]["docker"] == "yes"
    assert measured["umoci"]["same"] is False
    assert {path.name for path in tmp_path.iterdir()} == {
        *("benchmarks.json", "benchmarks.md", "benchmarks.svg")
    }


@pytest.fixture
def bench(tmp_path, name):
    made = Bench(tmp_path, f"{name}:latest")
    (made.commands / "rootfs-builder").symlink_to(Path(sys.executable).parent / "rootfs-builder")
    yield made
    made.close()


@pytest.mark.parametrize("packer", [OURS, "tar, podman import"])
def test_an_image_that_says_another_thing_is_an_error(packer, bench):
    hello = subject(bench, "hello")
    with bench.job(PACKERS[packer], hello.path, hello.files) as (_, folder):
        bench.check(PACKERS[packer], PROGRAMS["hello"], folder)
        other = replace(PROGRAMS["hello"], says="^goodbye$")
        with pytest.raises(JobError, match=r"says 'hello\\n'"):
            bench.check(PACKERS[packer], other, folder)


def test_a_job_that_fails_is_an_error_with_what_it_said(bench):
    hello = subject(bench, "hello")
    packer = replace(PACKERS["tar | sha256sum"], job="echo not so >&2; exit 3")
    with (
        pytest.raises(JobError, match="exit 3: not so"),
        bench.job(packer, hello.path, hello.files),
    ):
        pass


def test_a_job_finds_no_cache_but_what_it_made_before(bench):
    hello = subject(bench, "hello")
    for before, job in (
        ("", 'test -z "$(ls -A "$XDG_CACHE_HOME")"; echo x >"$XDG_CACHE_HOME/x"'),
        ("", 'test -z "$(ls -A "$XDG_CACHE_HOME")"'),
        ('echo x >"$XDG_CACHE_HOME/x"', 'test -e "$XDG_CACHE_HOME/x"'),
    ):
        packer = replace(PACKERS["tar | sha256sum"], before=before, job=job)
        with bench.job(packer, hello.path, hello.files):
            pass


def test_time_and_memory_are_the_jobs_own(bench):
    """CPU of a child counts, waiting does not; the memory of this interpreter does not."""
    hello = subject(bench, "hello")
    burn = "python3 -c 'import time\nwhile time.process_time() < 0.3: pass'; sleep 0.3"
    for job, least, most in ((burn, 0.3, 0.6), ("sleep 0.3", 0, 0.1)):
        packer = replace(PACKERS["tar | sha256sum"], job=job)
        with bench.job(packer, hello.path, hello.files) as (run, _):
            assert least <= run.cpu < most
            assert run.wall >= least + 0.3
    assert run.memory < 5e6
