"""A command that runs: its process, signals to it, its limits, and its outcome."""

import errno
import json
import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from rootfs_builder.paths import decode
from rootfs_builder.proof.sandbox import becoming, kernel
from rootfs_builder.proof.sandbox.command import TIMED_OUT, Command, Outcome, Way
from rootfs_builder.proof.sandbox.streams import Streams

_INSIST = 1.0  # seconds that SIGKILL may take
_GRACE = 2.0  # seconds between the stop signal and the end by force
_NOT_FOUND, _NOT_EXECUTABLE, _FAILED = 127, 126, 125
Start = Callable[[int, str], NoReturn]


class Running:
    """A command in its container; `start` becomes, in a child, what waits for it.

    `owner` is the user whom its streams belong to, as far as this process may give them away.
    `pid` is the command's process on this machine, 0 if it could not be started.
    """

    def __init__(self, command: Command, way: Way, start: Start, *, owner: int = 0) -> None:
        self._command = command
        self._way = way
        self._facts: dict[str, object] = {}
        self._told = b""
        self._outcome: Outcome | None = None
        self._ended = False
        limit = command.seconds
        self._deadline = None if limit is None else time.monotonic() + limit
        self._streams = Streams(command, owner)
        self._status, status = os.pipe()
        ours = os.getpid()
        self._process = os.fork()
        if self._process == 0:
            self._become(start, status, ours)
        os.close(status)
        self._streams.begin()
        self._streams.follow(self._status)
        try:
            while not self._ended and not self.pid:
                self._wait(None)
        except BaseException:  # a signal's
            self.end()
            raise

    def _become(self, start: Start, status: int, parent: int) -> NoReturn:
        """Be the child: nothing of this process but the command's streams stays with it."""
        try:
            kernel.die_with_parent(signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            becoming.alone()
            console = self._streams.console
            for number, one in enumerate(self._streams.child):
                os.dup2(one, number)
            os.dup2(status, 3)
            os.closerange(4, os.sysconf("SC_OPEN_MAX"))
            if self._command.memory is not None:
                resource.setrlimit(resource.RLIMIT_DATA, (self._command.memory,) * 2)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.set_inheritable(3, False)
            start(3, console)
        except OSError as error:
            becoming.failed(3, error, str(self._way.value))
        finally:
            os._exit(_FAILED)

    @property
    def pid(self) -> int:
        """The command's process on this machine, 0 if it could not be started."""
        found = self._facts.get("child-pid", 0)
        return found if isinstance(found, int) else 0

    def signal(self, number: int) -> None:
        """Send it a signal, of a resized window by its terminal; nothing if it has ended."""
        if number == signal.SIGWINCH and self._command.terminal:
            self._streams.resize()
        elif self.pid and not self._ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _wait(self, seconds: float | None) -> None:
        """Pass on its streams and learn what is told of it, for so long at most."""
        if not self._streams.pass_on(seconds):
            return
        data = os.read(self._status, 1 << 16)
        self._told += data
        *lines, self._told = self._told.split(b"\n")
        for line in lines:
            with suppress(ValueError):
                self._facts |= json.loads(line)
        self._ended = not data

    def poll(self, seconds: float) -> bool:
        """Pass on its streams for so long, or until it has ended; whether it has."""
        deadline = time.monotonic() + seconds
        while not self._ended and (left := deadline - time.monotonic()) > 0:
            self._wait(left)
        return self._ended

    def wait(self) -> Outcome:
        """Wait until it has ended, or its time is up."""
        if self._outcome is not None:
            return self._outcome
        timed_out, deadline = False, self._deadline
        while not self._ended:
            self._wait(None if deadline is None else max(deadline - time.monotonic(), 0))
            if deadline is not None and time.monotonic() >= deadline and not self._ended:
                self.signal(signal.SIGKILL if timed_out else self._command.stop_signal)
                deadline = time.monotonic() + _GRACE
                timed_out = True
        self._streams.drain(self._status)
        code, message = self._code()
        self._outcome = Outcome(
            code=TIMED_OUT if timed_out else code,
            way=self._way,
            timed_out=timed_out,
            message=message,
            stdout=bytes(self._streams.stdout),
            stderr=bytes(self._streams.stderr),
            cut=self._streams.cut,
        )
        return self._outcome

    def _code(self) -> tuple[int, str]:
        """The exit code; if the command could not be started, the one that says so, and why."""
        code, step = self._facts.get("exit-code"), self._facts.get("step")
        if isinstance(code, int) and step is None:
            return code, ""
        text = str(self._facts.get("text", "")) or decode(bytes(self._streams.tail)).strip()
        if step == "exec" or (step is None and self.pid):  # bubblewrap tells of the first alone
            missing = os.strerror(errno.ENOENT) in text
            said = step is None and self._command.capture is None  # by bubblewrap, on stderr
            return (_NOT_FOUND if missing else _NOT_EXECUTABLE), "" if said else text
        return _FAILED, text

    def end(self) -> None:
        """End it by force, if it still runs, and all that it started."""
        while not self._ended:
            self.signal(signal.SIGKILL)
            self._wait(_INSIST)
            if not self._ended:  # it cannot be killed yet: what waits for it ends it
                os.kill(self._process, signal.SIGTERM)
        self._streams.close()
        os.close(self._status)
        os.waitpid(self._process, 0)
