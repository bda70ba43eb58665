"""A program of this machine and its arguments → how it ended: the only room that starts a process.

A tool is found in PATH and gets none of the user's environment, so that neither a locale nor a
variable changes its result or output. A command of the user's gets the environment that is given.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Thread, current_thread, main_thread
from typing import Any, BinaryIO

from msgspec import Struct

from rootfs_builder.errors import InputError
from rootfs_builder.paths import decode, encode, printable

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # signals that end this process
_PATIENCE = 5  # seconds that a process has to end when it is asked to


class Done(Struct, frozen=True):
    """How a tool ended, and its output on both streams; `code` is None if its time was up."""

    code: int | None
    output: str

    @property
    def end(self) -> str:
        """How it ended, in words."""
        if self.code is None:
            return "took too long and was stopped"
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        return f"was killed: {signal.strsignal(-self.code) or -self.code}"


def find(*names: str) -> str | None:
    """The path of the first of these tools that is installed."""
    return next((path for name in names if (path := shutil.which(name)) is not None), None)


def run(tool: str, *arguments: str, seconds: float | None = None) -> Done:
    """Run a tool that `find` found; its arguments are not for a shell.

    After so many seconds it is ended, with all that it started.

    Raises:
        InputError: it cannot be started; how it ends is a value.
    """
    words = [tool, *arguments]
    with _started(words, env={"LC_ALL": "C"}) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.end()
            process.stdout.close()
            return Done(None, "")
    return Done(process.returncode, output.decode(errors="replace").strip())


def follow(
    arguments: Sequence[str],
    *,
    directory: str,
    environment: Mapping[bytes, bytes],
    line: Callable[[str], None],
) -> int:
    """Run a command of the user's, and give `line` its output on both streams; the exit code.

    All that it started ends with it if this is interrupted.

    Raises:
        InputError: there is no such program or directory.
    """
    with _started(arguments, cwd=encode(directory), env=environment) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        with process.stdout as stream:
            for one in stream:
                line(one.decode(errors="backslashreplace").rstrip("\r\n"))
            return process.wait()


@contextmanager
def started(
    arguments: Sequence[str],
    *,
    directory: str,
    environment: Mapping[bytes, bytes],
    keep: int,
    said: Callable[[bytes], None] = lambda _: None,
) -> Iterator["Started"]:
    """A command of the user's in the background; all of it is ended after the block.

    Of each of its streams the first `keep` bytes are kept, and `said` is given all.

    Raises:
        InputError: it cannot be started.
    """
    options = {"cwd": encode(directory), "env": environment, "stderr": subprocess.PIPE}
    with _started(arguments, **options) as process:
        running = Started(process, keep, said)
        try:
            yield running
        finally:
            running.end()


class Started:
    """A command that runs in the background: what it writes is read as it comes."""

    def __init__(self, process: "_Process", keep: int, said: Callable[[bytes], None]) -> None:
        self._process = process
        self._keep = keep
        self._said = said
        self._kept = (bytearray(), bytearray())
        self.written = 0  # bytes, of both streams
        streams = (process.stdout, process.stderr)
        self._readers = [
            Thread(target=self._read, args=pair, daemon=True)
            for pair in zip(streams, self._kept, strict=True)
        ]
        for one in self._readers:
            one.start()

    @property
    def stdout(self) -> bytes:
        """The beginning of what it wrote there."""
        return bytes(self._kept[0])

    @property
    def stderr(self) -> bytes:
        """The beginning of what it wrote there."""
        return bytes(self._kept[1])

    def wait(self, seconds: float) -> int | None:
        """Its exit code, minus a signal's number; None if it runs longer than that."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def signal(self, number: int) -> None:
        """Send a signal to it and all that is in its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def end(self) -> None:
        """End it by force, and read the rest of what it wrote."""
        if self._process.poll() is None:
            self.signal(signal.SIGKILL)
            self._process.wait()
        for one in self._readers:
            one.join(_PATIENCE)  # what left the group may have the pipe open

    def _read(self, stream: BinaryIO, kept: bytearray) -> None:
        with stream:
            while data := os.read(stream.fileno(), 1 << 16):
                self.written += len(data)
                kept += data[: max(self._keep - len(kept), 0)]
                self._said(data)


@contextmanager
def _started(arguments: Sequence[str], **options: Any) -> Iterator["_Process"]:
    """A process whose output on both streams comes through a pipe; it ends if the block fails.

    Raises:
        InputError: it cannot be started.
    """
    started: list[_Process] = []
    try:
        yield _Process(
            started,
            [encode(argument) for argument in arguments],
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.STDOUT,
                **options,
            },
        )
    except _NotStartedError as error:
        shown = printable(decode(os.fsencode(error.filename or arguments[0])))
        raise InputError(f"{shown}: cannot be run: {error.strerror}") from error
    except BaseException:  # also one that a signal raises before there is a value to yield
        for one_started in started:
            one_started.end()
        raise


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Let signals that end this process wait for the block: else a child's id may be lost.

    Python handles a signal when fork returns, before anybody has the id.
    """
    came = list[int]()
    handlers = {}
    if current_thread() is main_thread():
        handlers = {one: signal.getsignal(one) for one in _ENDING}
    for one in [one for one, handler in handlers.items() if callable(handler)]:
        signal.signal(one, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for one, handler in handlers.items():
            if callable(handler):
                signal.signal(one, handler)
        for number in came[:1]:
            signal.raise_signal(number)


class _NotStartedError(OSError):
    """A process that could not be started."""


class _Process(subprocess.Popen[bytes]):
    """A process that can be ended with all that it started; `started` has it from the beginning."""

    def __init__(
        self, started: list["_Process"], arguments: Sequence[bytes], **options: Any
    ) -> None:
        started.append(self)
        try:
            with _signals_wait():
                super().__init__(arguments, process_group=0, **options)
        except OSError as error:
            raise _NotStartedError(error.errno, error.strerror, error.filename) from error

    def end(self) -> None:
        """End them, by force if they do not obey."""
        lives = getattr(self, "pid", None) and self.returncode is None
        for number in (signal.SIGTERM, signal.SIGKILL) if lives else ():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.wait(_PATIENCE)
                return
