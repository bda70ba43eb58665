"""A command → what it does, as strace sees it, within limits; nothing of it is left running.

strace writes its lines into a FIFO, which slows the command down to the speed at which they are
read: neither a loop of opens nor a fork bomb gets ahead of the limits. When strace dies, so does
all that it traces (PTRACE_O_EXITKILL).
"""

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread

from msgspec import Struct

from rootfs_builder import temporary, tools
from rootfs_builder.errors import InputError, NotFoundError
from rootfs_builder.paths import encode, join, printable
from rootfs_builder.proof.events import Lines
from rootfs_builder.proof.observation import Observation, Use, Watch

_FILES = (
    *("?open", "openat", "?openat2", "?creat", "execve", "?execveat", "?stat", "?lstat"),
    *("?newfstatat", "?fstatat64", "?stat64", "?lstat64", "?statx", "?statfs", "?access"),
    *("faccessat", "?faccessat2", "?readlink", "readlinkat", "chdir", "fchdir", "?getdents"),
    *("getdents64", "mmap", "connect", "bind", "clone", "?clone3", "?fork", "?vfork"),
    *("?rename", "?renameat", "?renameat2", "?unlink", "unlinkat", "?rmdir", "?mkdir", "mkdirat"),
    *("?mknod", "mknodat", "?symlink", "symlinkat", "?link", "linkat", "?getxattr"),
    *("?lgetxattr", "?listxattr", "?llistxattr", "?inotify_add_watch"),
)
_LONGEST = 1 << 20  # bytes of a line: two paths and the arguments of a program fit
_SAID = 1 << 20  # bytes that are kept of each stream
_PATIENCE = 5  # seconds that a command has to end after SIGTERM
_GRACE = 1  # seconds that others have when the first process has ended: a container ends then
_ROUNDS = 50
_KILL = "--kill-on-exit"
_SLICE = 0.1  # seconds between two looks


class Limits(Struct, frozen=True):
    """What a run may take: seconds, system calls, processes and threads at a time, output."""

    seconds: float = 60
    events: int = 3_000_000
    paths: int = 500_000
    processes: int = 2000
    output: int = 64 << 20  # bytes


class Run(Struct, frozen=True):
    """A command of this machine, where it runs, and with which variables."""

    command: tuple[str, ...]
    directory: str
    environment: Mapping[bytes, bytes]
    every_call: bool = False  # their names are asked for, too
    begins: str = ""  # what comes before a file of this name is executed does not count


class Traced(Struct, frozen=True):
    """What a run did, and the beginning of what it said."""

    observation: Observation
    stdout: bytes
    stderr: bytes


class Tracer(Struct, frozen=True):
    """strace as it is on this machine: its path, and the options that it takes."""

    path: str
    options: tuple[str, ...]

    @classmethod
    def find(cls) -> "Tracer":
        """The tracer.

        Raises:
            NotFoundError: strace is not installed.
            InputError: it may not trace.
        """
        strace = tools.find("strace")
        if strace is None:
            raise NotFoundError(
                "strace: not installed, and only it sees what a run opens: apt-get install strace "
                f"(dnf, apk and pacman call it strace, too)\n{_INSTEAD}"
            )
        common = ("-f", "-o", "/dev/null", "-e", "trace=none")
        said = ""
        for options in (("--seccomp-bpf", _KILL), (_KILL,), ("--seccomp-bpf",), ()):
            tried = tools.run(strace, *common, *options, "--", strace, "-V", seconds=20)
            if tried.code == 0:
                return cls(strace, options)
            said = said or tried.output
        raise InputError(
            f"strace: may not trace here: {_first_line(said)}\n"
            "in a container, start that with --cap-add SYS_PTRACE\n"
            f"{_INSTEAD}"
        )


_INSTEAD = (
    "without it, LD_DEBUG=libs COMMAND lists the libraries that a glibc program loads; give those "
    "to --include-lib"
)


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "no reason given")


def trace(
    run: Run,
    tracer: Tracer,
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
    *,
    said: Callable[[bytes], None] = lambda _: None,
    while_it_runs: Callable[["Running"], None] | None = None,
) -> Traced:
    """Run a command and watch it; `said` is given all that it writes.

    `while_it_runs` is called beside it, and the command is stopped when that returns.

    Raises:
        InputError: it cannot be started.
    """
    with temporary.directory("where a run is watched") as scratch:
        return _Session(run, tracer, limits, scratch, said).run(while_it_runs)


class Running:
    """A command that runs under strace, for whoever deals with it meanwhile."""

    def __init__(self, process: tools.Started, watch: Watch) -> None:
        self._process = process
        self._watch = watch

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return self._process.wait(seconds) is not None

    def stop(self, number: int, seconds: float) -> bool:
        """Send a signal to its first process; whether all end within so many seconds."""
        if self._watch.first is not None:
            with suppress(ProcessLookupError):
                os.kill(self._watch.first, number)
        return self.wait(seconds)


class _Session:
    """One traced run."""

    def __init__(
        self,
        run: Run,
        tracer: Tracer,
        limits: Limits,
        scratch: str,
        said: Callable[[bytes], None],
    ) -> None:
        self._run = run
        self._tracer = tracer
        self._limits = limits
        self._fifo = join(scratch, "calls")
        self._said = said
        self._watch = Watch(run.directory, run.begins)
        self._stopped = ""
        self._left = 0
        self._process: tools.Started

    def run(self, while_it_runs: Callable[[Running], None] | None) -> Traced:
        """Run it."""
        os.mkfifo(encode(self._fifo), 0o600)
        began = os.stat(encode(self._fifo)).st_ctime_ns
        reader = Thread(target=self._read, daemon=True)
        with tools.started(
            self._words(),
            directory=self._run.directory,
            environment=self._run.environment,
            keep=_SAID,
            said=self._said,
        ) as process:
            self._process = process
            reader.start()
            try:
                self._wait(Running(process, self._watch), while_it_runs)
            except KeyboardInterrupt:
                self._stop("it was interrupted")
                process.signal(signal.SIGTERM)
                process.wait(_PATIENCE)
            finally:
                self._kill()
                process.end()
                self._release()
                reader.join()
        found = Observation(
            self._watch.found,
            frozenset(self._watch.calls),
            None if self._stopped else self._watch.code,
            self._stopped,
            self._left,
            began,
            tuple(sorted(self._watch.own)),
        )
        if not found.stopped and all(one.use is not Use.EXECUTED for one in found.seen):
            why = _first_line(process.stderr.decode(errors="replace")).partition(": ")[2]
            raise InputError(f"{printable(self._run.command[0])}: cannot be started: {why}")
        return Traced(found, process.stdout, process.stderr)

    def _words(self) -> list[str]:
        calls = "all" if self._run.every_call else ",".join(_FILES)
        # A filter in the kernel lets other calls pass quickly; with all calls it has none to skip.
        quick = [one for one in self._tracer.options if one == _KILL or not self._run.every_call]
        options = [*quick, "-f", "-q", "-y", "-xx", "-s", "256"]
        options += ["-e", f"trace={calls}", "-e", "signal=none", "-o", self._fifo]
        return [self._tracer.path, *options, "--", *self._run.command]

    def _wait(self, running: Running, while_it_runs: Callable[[Running], None] | None) -> None:
        if while_it_runs is not None:
            while_it_runs(running)
            return
        alone = 0  # slices since the first process ended
        for _ in range(int(self._limits.seconds / _SLICE)):
            if running.wait(_SLICE) or self._stopped:
                return
            if self._process.written > self._limits.output:
                self._stop(f"it wrote more than {self._limits.output:,} bytes")
                return
            if self._watch.code is not None:
                alone += 1
                if alone * _SLICE >= _GRACE:
                    self._left = self._watch.alive
                    return
        self._stop(f"it ran for {self._limits.seconds:g} s")
        running.stop(signal.SIGTERM, _PATIENCE)

    def _kill(self) -> None:
        """Kill all processes, where strace is too old to do that when it ends."""
        if _KILL in self._tracer.options:
            return
        for _ in range(_ROUNDS):
            for pid in self._watch.pids():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if self._process.wait(_SLICE) is not None:
                return

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why

    def _read(self) -> None:
        """Read strace's lines until it ends, or a limit is reached."""
        lines, count, watch = Lines(), 0, self._watch
        with open(encode(self._fifo), "rb") as stream:
            while line := stream.readline(_LONGEST):
                for event in lines.read(line):
                    watch.take(event)
                count += 1
                why = self._exceeded(count)
                if why and not self._stopped:
                    self._stop(why)
                    self._process.signal(signal.SIGKILL)

    def _exceeded(self, count: int) -> str:
        limits = self._limits
        if count > limits.events:
            return f"it made more than {limits.events:,} system calls"
        if len(self._watch.seen) > limits.paths:
            return f"it named more than {limits.paths:,} paths"
        if self._watch.alive > limits.processes:
            return f"it had more than {limits.processes:,} processes"
        return ""

    def _release(self) -> None:
        """Let the reader go where strace has never opened the FIFO."""
        with suppress(OSError):
            os.close(os.open(encode(self._fifo), os.O_WRONLY | os.O_NONBLOCK))
