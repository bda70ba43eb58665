"""A batch on a Dask cluster of two workers on this machine: the same digests, and what may die."""

import logging
import operator
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from rootfs_builder.commands import batch, workers
from rootfs_builder.commands.batch import Task
from rootfs_builder.errors import LostError, Mistake, UsageError
from rootfs_builder.recipe import values

ROOT = Path(__file__).parent.parent
DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$", re.MULTILINE)
RECIPE = """\
executables = [{{ from = "compile", path = "made" }}]
output = "image.tar"
tag = "i:{n}"
env = {{ N = "{n}" }}

[[step]]
name = "compile"
run = "{run}"
"""
PATIENCE = 60


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Cluster:
    """A scheduler and two workers, each a process of its own."""

    def __init__(self, folder, **environment):
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self.address = f"tcp://127.0.0.1:{free_port()}"
        host = ("--host", "127.0.0.1", "--port", self.address.rpartition(":")[2])
        self.scheduler = self._start("scheduler", *host, "--no-dashboard", "--no-show")
        words = (self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        folders = [("--local-directory", str(folder / f"worker{n}")) for n in range(2)]
        self.workers = [self._start("worker", *words, *one) for one in folders]

    def listens(self):
        """Wait until the scheduler does: on a busy machine a client may give up before."""
        host, _, port = self.address.removeprefix("tcp://").partition(":")
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), socket.create_connection((host, int(port))):
                return
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _start(self, what, *words):
        with (self._folder / f"{what}.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *words],
                cwd=self._folder,  # not the builder's: nothing may depend on it
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def end(self):
        for one in (*self.workers, self.scheduler):
            one.kill()
            one.wait()


@pytest.fixture
def cluster(tmp_path, request):
    """A cluster, with variables of its own if the test is parametrized with some."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    found = Cluster(folder, **getattr(request, "param", {}))
    found.listens()
    yield found
    found.end()


@pytest.fixture
def recipes(tmp_path, cc):
    """Writes recipes, each with a step; `run` is what it does."""
    cc("int main(void) { return 0; }", where=tmp_path)

    def write(count, run):
        for n in range(count):
            path = tmp_path / f"r{n}/rootfs.toml"
            path.parent.mkdir()
            path.write_text(RECIPE.format(n=n, run=run.format(n=n)))
        return [f"r{n}" for n in range(count)]

    return write


@pytest.fixture
def start(tmp_path):
    """Starts a build that is not waited for; it does not outlive the test."""
    started = []

    def run(*words):
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "rootfs_builder", "build", *words],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield run
    for one in started:
        one.kill()
        one.communicate()


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_cluster_gives_the_digests_of_this_machine(cli, cluster, recipes):
    names = recipes(8, "cp ../hello made; echo made {n}")
    here = cli("build", *names, "-j", "2", check=True)
    there = cli("build", *names, "--scheduler", cluster.address, check=True)
    assert there.stdout == here.stdout
    assert len(set(DIGEST.findall(there.stdout))) == 8
    for n in range(8):
        assert f"r{n} compile | made {n}\n" in there.stderr


@pytest.mark.long
def test_one_failure_on_a_cluster_stops_no_other_image(cli, cluster, recipes):
    names = recipes(4, "test {n} != 2 && cp ../hello made")
    done = cli("build", *names, "--scheduler", cluster.address)
    assert done.returncode == 1
    assert len(DIGEST.findall(done.stdout)) == 3
    assert "the steps of r2/rootfs.toml | step compile: " in done.stderr


def test_a_worker_that_is_killed_costs_a_retry(cluster, recipes, start, tmp_path):
    names = recipes(6, "echo $PPID >>pids; sleep 0.5; cp ../hello made")
    build = start(*names, "--scheduler", cluster.address)
    victim = cluster.workers[0]
    tried = [tmp_path / name / "pids" for name in names]
    until(lambda: any(one.exists() and str(victim.pid) in one.read_text() for one in tried))
    victim.kill()
    out, said = build.communicate(timeout=PATIENCE)
    assert build.returncode == 0, said
    assert len(set(DIGEST.findall(out))) == 6
    again = [one.read_text().split() for one in tried if len(one.read_text().split()) > 1]
    assert again
    assert all(pids[-1] == str(cluster.workers[1].pid) for pids in again)


@pytest.mark.long
def test_a_scheduler_that_is_gone_loses_no_image_that_is_done(cli, cluster, recipes, start):
    names = recipes(6, "sleep 0.5; cp ../hello made")
    build = start(*names, "--scheduler", cluster.address)
    while " packed to " not in build.stderr.readline():
        assert build.poll() is None
    cluster.scheduler.send_signal(signal.SIGKILL)
    out, said = build.communicate(timeout=PATIENCE)
    assert build.returncode == 1
    assert "Traceback" not in said
    count = int(re.search(r"gone in the middle; (\d) of 6 images are written", said)[1])
    told = DIGEST.findall(out)
    assert len(told) == count
    assert 1 <= count < 6
    cluster.end()
    whole = cli("build", *names, "-j", "2", check=True)
    assert set(told) < set(DIGEST.findall(whole.stdout))


@pytest.fixture
def run(cluster):
    """Runs one call on the cluster: its outcome."""
    room = workers.Cluster(cluster.address)
    yield lambda call, *arguments: next(
        batch.run([Task("a", call, arguments)], room.executor, at_once=1, killed=room.killed)
    )[1]
    room.close()
    logging.disable(logging.NOTSET)


def test_a_defect_on_a_worker_is_the_outcome_here(run):
    error = run(operator.truediv, 1, 0).error
    assert (type(error), str(error)) == (ZeroDivisionError, "division by zero")


def test_a_mistake_on_a_worker_keeps_its_values(run):
    error = run(values.variable, "A").error
    assert type(error) is UsageError
    assert error.mistakes == (Mistake("", str(error)),)


@pytest.mark.parametrize(
    "cluster", [{"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}], indirect=True
)
def test_a_task_that_the_cluster_gives_up_is_lost(run):
    error = run(os._exit, 1).error
    assert (type(error), str(error)) == (LostError, "its worker died, twice")


def test_no_scheduler_is_a_sentence(cli, recipes):
    address = f"tcp://127.0.0.1:{free_port()}"
    done = cli("build", *recipes(2, "cp ../hello made"), "--scheduler", address)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"rootfs-builder: --scheduler {address}: nobody answers")


def test_without_dask_its_extra_is_named(cli, recipes, tmp_path):
    (tmp_path / "distributed.py").write_text("raise ImportError('none')\n")
    names = recipes(1, "cp ../hello made")
    done = cli("build", *names, "--scheduler", "tcp://x:1", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert "pip install 'rootfs-builder[dask]'" in done.stderr
