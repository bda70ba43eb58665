"""The process between this one and a command: it waits for it, and ends with it.

It tells which process the command is and how that ended, in the words of `bwrap --json-status-fd`.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from rootfs_builder.proof.sandbox import becoming, kernel

_SIGNALLED = 128
_PAUSE = 0.005  # seconds


def watch(command: Callable[[], NoReturn], status: int, *, first: bool = False) -> NoReturn:
    """Start what becomes the command, and wait; what it leaves behind is ended. See `started`."""
    child = started(command, first=first)
    becoming.report(status, **{"child-pid": child})
    code = waited(child)
    becoming.report(status, **{"exit-code": code if code >= 0 else _SIGNALLED - code})
    os._exit(0)


def started(command: Callable[[], NoReturn], *, first: bool = False) -> int:
    """Start what becomes the command; all that it starts ends when our parent has.

    A process that changes its user is no longer told by the kernel of its parent's end, so this one
    is, and ends it. With `first` the child is the first of a namespace of processes, all of which
    end with it; /proc may be the container's then, where numbers mean other processes.
    """
    child = 0

    def end(_number: int, _frame: object) -> None:
        if first:
            os.kill(child, signal.SIGKILL)
        else:
            _end_children()
        os._exit(0)

    kernel.adopt_orphans()
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    signal.signal(signal.SIGTERM, end)
    kernel.die_with_parent(signal.SIGTERM)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
        kernel.die_with_parent(signal.SIGKILL)
        becoming.take_terminal()
        if os.getppid() not in (parent, 0):  # 0: a parent outside of this namespace
            os._exit(_SIGNALLED + signal.SIGKILL)
        command()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    return child


def waited(child: int) -> int:
    """The child's exit code, or less than 0 for a signal; then no other descendant is left."""
    null = os.open(os.devnull, os.O_RDWR)
    for one in range(3):
        os.dup2(null, one)  # their end is for the command to make
    code = _waited(child)
    _end_children()
    return code


def _end_children() -> None:
    """Kill all descendants; what loses its parent becomes a child of this process."""
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for one in _descendants(os.getpid()):
            with suppress(OSError):
                os.kill(one, signal.SIGKILL)
        time.sleep(_PAUSE)


def _descendants(top: int) -> list[int]:
    """The processes below one, as far as /proc shows them at one moment."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            parent = int(file.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    found, todo = [], [top]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _waited(child: int) -> int:
    """The child's exit code, or less than 0 for a signal; other children are adopted ones."""
    while True:
        process, ended = os.wait()
        if process == child:
            return os.waitstatus_to_exitcode(ended)


def tried(what: Callable[[], None]) -> str:
    """What forbids a thing that would change this process; "" if nothing does."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        text = ""
        try:
            what()
        except OSError as error:
            text = str(error)
        finally:
            os.write(write, text.encode(errors="replace"))
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        text = stream.read().decode()
    os.waitpid(child, 0)
    return text
