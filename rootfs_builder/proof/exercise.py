"""A run here and the same run in the image → do they agree, and if not, in what?"""

import signal
from itertools import zip_longest
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder import tools
from rootfs_builder.choices import Compare
from rootfs_builder.errors import RootfsError
from rootfs_builder.paths import printable
from rootfs_builder.proof import sandbox
from rootfs_builder.proof.sandbox import Command, Rootfs

KEPT = 1 << 20  # bytes of what a run says that are compared
_READY = 20.0  # seconds in which a daemon has to answer its probe
_PAUSE = 0.2  # seconds between two probes
STOP = 10.0  # seconds that a daemon has to end
_FAILED = 125  # as docker says that it is the engine that failed
_SIGNALLED = 128  # a shell and the engines add the number of the signal
_LINES = 5  # of what a run said, for a message


class Result(Struct, frozen=True):
    """How a run ended, as an engine says it, and what it said; of a daemon what its probe said."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def end(self) -> str:
        """How it ended, and its last words."""
        said = (self.stderr or self.stdout).decode(errors="backslashreplace").splitlines()
        lines = "".join(f"\n  {line}" for line in said[-_LINES:])
        return f"exit code {self.code}{lines}"


def code(traced: int) -> int:
    """What an engine calls the exit code of a process."""
    return traced if traced >= 0 else _SIGNALLED - traced


class Daemon(Protocol):
    """A daemon that runs, here or in the image."""

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""


class Probe(Struct, frozen=True):
    """A command of this machine that speaks with a daemon."""

    command: tuple[str, ...]
    directory: str
    environment: dict[bytes, bytes]

    def ask(self, daemon: Daemon) -> Result:
        """Ask until it succeeds, the daemon ends, or its time is up: how it ended at last."""
        asked = Result(1, b"", b"it was never run")
        for _ in range(int(_READY / _PAUSE)):
            if daemon.wait(_PAUSE):
                return replace(
                    asked, stderr=asked.stderr + b"\nthe daemon ended before it answered"
                )
            asked = self._once(daemon)
            if asked.code == 0:
                break
        return asked

    def _once(self, daemon: Daemon) -> Result:
        with tools.started(
            self.command, directory=self.directory, environment=self.environment, keep=KEPT
        ) as process:
            for _ in range(int(_READY / _PAUSE)):
                ended = process.wait(_PAUSE)
                if ended is not None:
                    process.end()
                    return Result(code(ended), process.stdout, process.stderr)
                daemon.wait(0)
        return Result(124, process.stdout, b"it took too long")


class _Contained:
    """A daemon in the image, as one that a probe asks."""

    def __init__(self, running: sandbox.Running) -> None:
        self._running = running

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return self._running.poll(seconds)


def inside(
    rootfs: Rootfs, command: Command, *, probe: Probe | None = None, seconds: float
) -> Result:
    """Run a command in its root, or ask a probe about it.

    Raises:
        RootfsError: this system allows no way to run it.
    """
    command = replace(command, capture=KEPT, seconds=seconds)
    if probe is None:
        outcome = sandbox.run(rootfs, command)
        if outcome.code == _FAILED and not (outcome.stdout or outcome.stderr):
            raise RootfsError(
                f"{outcome.way.value}: the command could not be started there: {outcome.message}"
            )
        said = outcome.stderr or outcome.message.encode()
        return Result(outcome.code, outcome.stdout, said)
    with sandbox.start(rootfs, replace(command, network="host", seconds=STOP)) as running:
        asked = probe.ask(_Contained(running))
        running.signal(command.stop_signal)
        if not running.poll(STOP):
            running.signal(signal.SIGKILL)
        outcome = running.wait()
    if asked.code:
        said = asked.stderr + b"\n" + (outcome.stderr or outcome.message.encode())
        return replace(asked, stderr=said)
    return asked


def compare(here: Result, there: Result, what: Compare) -> str:
    """In what two runs differ; "" if they agree."""
    if what != "none" and here.code != there.code:
        return f"here: {here.end}\nin the image: {there.end}"
    if what == "stdout" and here.stdout != there.stdout:
        return _first_difference(here.stdout, there.stdout) + f"\nin the image: {there.end}"
    return ""


def _first_difference(here: bytes, there: bytes) -> str:
    """The first line of stdout that is not the same."""
    ours, theirs = (one.decode(errors="backslashreplace").split("\n") for one in (here, there))
    pairs = zip_longest(ours, theirs, fillvalue="")
    number, (ours_, theirs_) = next(
        (number, pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]
    )
    return (
        f"stdout differs in line {number}\n  here: {printable(ours_[:200])}\n"
        f"  in the image: {printable(theirs_[:200])}"
    )
