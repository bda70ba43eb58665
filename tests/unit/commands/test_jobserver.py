"""Threads: as many as make has tokens for, all of which are given back, whatever happens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_builder.commands import jobserver

ROOT = Path(__file__).parents[3]
SAY = "from rootfs_builder.commands.jobserver import threads\nwith threads(4) as n: print(n)"


@pytest.fixture
def fifo(tmp_path, monkeypatch):
    """A jobserver as make 4.4 has it, and what fills and counts it."""
    os.mkfifo(tmp_path / "fifo")
    descriptor = os.open(tmp_path / "fifo", os.O_RDWR | os.O_NONBLOCK)
    monkeypatch.setenv("MAKEFLAGS", f" -j5 --jobserver-auth=fifo:{tmp_path}/fifo")
    yield descriptor
    os.close(descriptor)


def taken(descriptor):
    try:
        return os.read(descriptor, 100)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize("flags", ["", " -k -- CC=gcc"])
def test_without_a_jobserver_there_is_a_thread_for_each_cpu(flags, monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", flags)
    with jobserver.threads() as threads:
        assert threads == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("tokens", "threads", "left"), [(b"", 1, b""), (b"ab", 3, b""), (b"abcdef", 4, b"def")]
)
def test_a_thread_is_a_token_and_the_first_is_free(fifo, tokens, threads, left):
    os.write(fifo, tokens)
    with jobserver.threads(4) as found:
        assert found == threads
        assert taken(fifo) == left
        os.write(fifo, left)
    assert sorted(taken(fifo)) == sorted(tokens)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_tokens_come_back_after_an_error(fifo, error):
    os.write(fifo, b"abc")
    with pytest.raises(error), jobserver.threads(4):
        raise error
    assert taken(fifo) == b"abc"


def test_the_pipe_of_an_older_make(monkeypatch):
    reads, writes = os.pipe()
    os.set_blocking(reads, True)  # it would wait: for make it must stay so
    monkeypatch.setenv("MAKEFLAGS", f"-j --jobserver-auth={reads},{writes}")
    os.write(writes, b"xy")
    with jobserver.threads(4) as threads:
        assert threads == 3
    assert os.read(reads, 9) == b"xy"
    assert os.get_blocking(reads)
    os.close(reads)
    os.close(writes)


@pytest.mark.parametrize("auth", ["-2,-2", "812,813", "fifo:/nowhere/fifo", "{other}"])
def test_a_jobserver_that_is_not_to_be_had_leaves_one_thread(auth, monkeypatch):
    pipes = *os.pipe(), *os.pipe()
    os.write(pipes[1], b"not a token")
    auth = auth.format(other=f"{pipes[0]},{pipes[3]}")  # the ends of two pipes
    monkeypatch.setenv("MAKEFLAGS", f"-j8 --jobserver-auth={auth}")
    with jobserver.threads(4) as threads:
        assert threads == 1
    assert os.read(pipes[0], 99) == b"not a token"
    for one in pipes:
        os.close(one)


@pytest.mark.parametrize(
    ("options", "recipe", "said"),
    [
        (["-j3", "--jobserver-style=fifo"], "@", "3"),
        (["-j3", "--jobserver-style=pipe"], "+@", "3"),
        (["-j3", "--jobserver-style=pipe"], "@", "1"),
        (["-j1"], "@", "4"),
    ],
)
def test_make_itself(options, recipe, said, tmp_path):
    (tmp_path / "say.py").write_text(SAY)
    (tmp_path / "Makefile").write_text(f"all:\n\t{recipe}'{sys.executable}' say.py\n")
    done = subprocess.run(
        ["make", *options],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{said}\n"
