"""Events of one run → what it opened, executed, looked for and missed, in the order of first use.

Every path is absolute: the kernel's own text, started at the directory in which it was used. What
the run made itself, renamed or deleted is its own affair and no need: later uses do not count.
"""

from enum import IntEnum
from posixpath import join, normpath

from msgspec import Struct

from rootfs_builder.paths import ancestors, name
from rootfs_builder.proof.events import Call, Fate, Kind

_OPENS = frozenset({"open", "openat", "openat2", "creat"})
_LOOKS = frozenset(
    {
        *("stat", "lstat", "newfstatat", "fstatat64", "stat64", "lstat64", "statx", "statfs"),
        *("access", "faccessat", "faccessat2", "readlink", "readlinkat", "chdir"),
        *("getxattr", "lgetxattr", "listxattr", "llistxattr", "inotify_add_watch"),
    }
)
_MAKES = frozenset({"mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat"})
_REMOVES = frozenset({"unlink", "unlinkat", "rmdir"})
_RENAMES = frozenset({"rename", "renameat", "renameat2"})
_EXECUTES = frozenset({"execve", "execveat"})
_STARTS = frozenset({"clone", "clone3", "fork", "vfork"})
_LISTS = frozenset({"getdents", "getdents64"})
_ABSENT = ("ENOENT", "ENOTDIR")


class Use(IntEnum):
    """What was done with a path; of several uses the highest is kept."""

    MISSED = 0  # it was not there
    DENIED = 1
    LOOKED = 2  # stat, access, readlink
    WRITTEN = 3
    CONNECTED = 4
    OPENED = 5
    LISTED = 6  # a directory's names were read
    MAPPED = 7  # with the permission to execute: a library
    EXECUTED = 8

    @property
    def word(self) -> str:
        """It in a sentence."""
        return "looked at" if self is Use.LOOKED else self.name.lower()


class Seen(Struct, frozen=True):
    """A path, and what was done with it; `relative` is its text if it starts where the run did.

    `by` is the program that used it first.
    """

    path: str
    use: Use
    relative: str = ""
    by: str = ""


class Observation(Struct, frozen=True):
    """What one run did: `code` as of a shell's child, None where it was stopped.

    `stopped` says which limit ended it, `left` how many processes outlived the first. `began` is
    when it began, by the clock of the file system: what has changed since is its own. `made` are
    the paths of what it made, or removed.
    """

    seen: tuple[Seen, ...]
    calls: frozenset[str]
    code: int | None
    stopped: str = ""
    left: int = 0
    began: int = 0
    made: tuple[str, ...] = ()

    def missed(self) -> tuple[Seen, ...]:
        """What was looked for and not there, in order."""
        return tuple(one for one in self.seen if one.use is Use.MISSED)


class _Process:
    """Where a process is, and what it executes.

    `relative` is the way there from where the run began, None if an absolute path led there.
    """

    def __init__(self, cwd: str, program: str, relative: str | None = "") -> None:
        self.cwd = cwd
        self.program = program
        self.relative = relative

    def copy(self) -> "_Process":
        """A child."""
        return _Process(self.cwd, self.program, self.relative)

    def way(self, text: str) -> str:
        """A relative path from where the run began; "" if it starts elsewhere."""
        return "" if self.relative is None or text.startswith("/") else join(self.relative, text)


class Watch:
    """Takes events, one by one; `seen` has what they show so far.

    What comes before a file named `begins` is executed is forgotten: others that lead to it.
    """

    def __init__(self, directory: str, begins: str = "") -> None:
        self._start = directory
        self._begins = begins
        self._processes: dict[int, _Process] = {}
        self._starting: list[int] = []  # processes in a call that starts another
        self.own: set[str] = set()  # what the run made, or removed
        self._alive: set[int] = set()
        self._acting: set[int] = set()
        self._gone: set[int] = set()
        self.first: int | None = None
        self.code: int | None = None
        self.calls: set[str] = set()
        self.seen: dict[str, Seen] = {}

    @property
    def found(self) -> tuple[Seen, ...]:
        """What was seen, in order; nothing if it has not begun."""
        return () if self._begins else tuple(self.seen.values())

    @property
    def alive(self) -> int:
        """How many processes and threads there are."""
        return len(self._alive)

    def pids(self) -> tuple[int, ...]:
        """Those that have done something: what a call gave may be a number of elsewhere."""
        return tuple(self._acting.copy() - self._gone)

    def take(self, event: Call | Fate) -> None:
        """Take one event in."""
        if self.first is None:
            self.first = event.pid
        self._acting.add(event.pid)
        if isinstance(event, Fate):
            self._fate(event)
            return
        process = self._process(event.pid)
        self.calls.add(event.name)
        self._learn_directory(process, event)
        if event.name in _STARTS:
            self._started(event, process)
        elif event.name in _LISTS or event.name == "mmap":
            self._descriptor(event, process)
        elif event.name == "fchdir":
            if event.result == 0 and event.descriptor:
                process.cwd, process.relative = event.descriptor, None
        elif event.name in ("connect", "bind"):
            self._socket(event, process)
        else:
            self._path_call(event, process)

    def _fate(self, event: Fate) -> None:
        if event.kind is Kind.BEGUN:
            self._starting.append(event.pid)
            return
        self._alive.discard(event.pid)
        self._gone.add(event.pid)
        self._processes.pop(event.pid, None)
        if event.pid == self.first:
            self.code = event.code

    def _process(self, pid: int) -> _Process:
        """A process; one that nobody is known to have started is a child of who is at it."""
        if pid not in self._processes:
            above = self._processes.get(self._starting[-1]) if self._starting else None
            self._processes[pid] = (above or _Process(self._start, "")).copy()
            self._alive.add(pid)
        return self._processes[pid]

    def _started(self, event: Call, process: _Process) -> None:
        if event.pid in self._starting:
            self._starting.remove(event.pid)
        child = event.result
        if child is None or child <= 0:
            return
        if b"CLONE_FS" in event.arguments:  # they share a working directory
            self._processes[child] = process
        elif child not in self._processes:
            self._processes[child] = process.copy()
        self._alive.add(child)

    @staticmethod
    def _learn_directory(process: _Process, event: Call) -> None:
        """Newer versions of strace say with AT_FDCWD which directory that is."""
        for one in event.paths:
            if one.relative_to_cwd and one.start:
                process.cwd = one.start

    def _socket(self, event: Call, process: _Process) -> None:
        for one in event.paths:
            path = join(process.cwd, one.path)
            if event.name == "bind":
                self.own.add(normpath(path))
            elif not self._is_own(path):
                self._keep(Seen(path, Use.CONNECTED, "", process.program))

    def _descriptor(self, event: Call, process: _Process) -> None:
        path = event.descriptor
        if not path.startswith("/") or event.errno:
            return
        if event.name == "mmap":
            if b"PROT_EXEC" in event.arguments:
                self._raise(path, Use.MAPPED, process)
        else:
            self._raise(path, Use.LISTED, process)

    def _raise(self, path: str, use: Use, process: _Process) -> None:
        """A resolved path of a descriptor was used; how it was opened is known already."""
        if not self._is_own(path):
            self._keep(Seen(path, use, "", process.program))

    def _path_call(self, event: Call, process: _Process) -> None:
        places = [normal_start(join(one.start or process.cwd, one.path)) for one in event.paths]
        if not places:
            return
        if event.errno:
            self._failed(event, places[0], process)
        elif event.name in _MAKES:
            self.own.add(normpath(places[0]))
        elif event.name in ("link", "linkat", *_RENAMES):
            self.own.update(normpath(one) for one in places[-1:])
            if event.name in _RENAMES:
                self.own.add(normpath(places[0]))
        elif event.name in _REMOVES:
            self.own.add(normpath(places[0]))
        else:
            self._used(event, places[0], process)

    def _failed(self, event: Call, path: str, process: _Process) -> None:
        if event.name not in (*_OPENS, *_LOOKS, *_EXECUTES) or self._is_own(path):
            return
        if event.errno in _ABSENT and b"O_CREAT" not in event.arguments:
            self._keep(self._named(event, path, Use.MISSED, process))
        elif event.errno in ("EACCES", "EPERM"):
            self._keep(self._named(event, path, Use.DENIED, process))

    def _used(self, event: Call, path: str, process: _Process) -> None:
        use = self._use(event, path)
        if use is None or self._is_own(path):
            return
        self._keep(self._named(event, path, use, process))
        if event.name in _EXECUTES:
            process.program = path
            if self._begins == name(path):
                self.seen, self._begins = {path: self.seen[path]}, ""
        elif event.name == "chdir":
            way = process.way(event.paths[0].path)
            process.cwd, process.relative = path, way or None

    def _use(self, event: Call, path: str) -> Use | None:
        if event.name in _EXECUTES:
            return Use.EXECUTED
        if event.name in _OPENS:
            writes = event.name == "creat" or b"O_WRONLY" in event.arguments
            creates = event.name == "creat" or b"O_CREAT" in event.arguments
            if creates and b"O_EXCL" in event.arguments:
                self.own.add(normpath(path))
            return Use.WRITTEN if writes or creates else Use.OPENED
        return Use.LOOKED if event.name in _LOOKS else None

    def _named(self, event: Call, path: str, use: Use, process: _Process) -> Seen:
        first = event.paths[0]
        relative = process.way(first.path) if first.relative_to_cwd else ""
        return Seen(path, use, relative, process.program)

    def _is_own(self, path: str) -> bool:
        """Whether the run made, or removed, what is there now."""
        if not self.own:
            return False
        plain = normpath(path)
        return plain in self.own or any(one in self.own for one in ancestors(plain))

    def _keep(self, one: Seen) -> None:
        known = self.seen.get(one.path)
        if known is None:
            self.seen[one.path] = one
        elif one.use > known.use:
            self.seen[one.path] = Seen(one.path, one.use, known.relative, known.by)


def normal_start(path: str) -> str:
    """A path that starts with one slash."""
    return "/" + path.lstrip("/")
