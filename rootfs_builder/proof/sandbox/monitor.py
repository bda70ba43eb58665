"""The process between this one and a command: it waits for it, and ends with it.

It tells which process the command is and how that ended, in the words of `bwrap --json-status-fd`.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from rootfs_builder.proof.sandbox import becoming, kernel

_SIGNALLED = 128


def watch(
    command: Callable[[], NoReturn], status: int, *, orphans: Callable[[], None] = lambda: None
) -> NoReturn:
    """Start what becomes the command, and wait; `orphans` ends what it leaves behind."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        kernel.die_with_parent(signal.SIGKILL)
        becoming.take_terminal()
        if os.getppid() not in (parent, 0):  # 0: a parent outside of this namespace
            os._exit(_SIGNALLED + signal.SIGKILL)
        command()
    becoming.report(status, **{"child-pid": child})
    null = os.open(os.devnull, os.O_RDWR)
    for one in range(3):
        os.dup2(null, one)  # their end is for the command to make
    code = -signal.SIGKILL
    with suppress(InterruptedError):
        code = _waited(child)
    orphans()
    becoming.report(status, **{"exit-code": code if code >= 0 else _SIGNALLED - code})
    os._exit(0)


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
