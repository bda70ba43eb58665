"""A Plan or a directory → a root directory that a command can have, gone when it is done with.

The directory belongs to a process of its own, the keeper: it makes the directory, and removes it
when this process has ended, whatever ended it.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct

from rootfs_builder import temporary
from rootfs_builder.errors import OutputError, RootfsError
from rootfs_builder.paths import decode, encode
from rootfs_builder.plan import Plan, stage

_USE = "where images are unpacked"
_TRIES, _PAUSE = 50, 0.1  # the command may still be writing: how often, and seconds between
_MADE, _FAILED = b"+", b"-"


class Rootfs(Struct, frozen=True):
    """A root directory.

    `directory` is never changed if `discard` is set: what a command writes is then kept in memory
    as long as it runs. `scratch` is a directory of ours for files that a sandbox needs.
    """

    directory: str
    scratch: str
    discard: bool = False


@contextmanager
def unpacked(plan: Plan, *, discard: bool = False) -> Iterator[Rootfs]:
    """The files of a plan, as long as the block runs.

    Root gives them their owners and capabilities; with anybody else they are that user's. With
    `discard` each run starts with the files as they are here; without, it sees what earlier ones
    wrote.

    Raises:
        OutputError: the disk is full, or the like.
    """
    with folder() as made:
        directory = os.path.join(made, "rootfs")
        with temporary.disk_errors(_USE):
            os.mkdir(directory, 0o755)
            stage.write(plan, directory, owned=os.geteuid() == 0)
        yield Rootfs(directory, made, discard)


@contextmanager
def over(directory: str) -> Iterator[Rootfs]:
    """A directory of the user's, which stays as it is."""
    with folder() as made:
        yield Rootfs(os.path.realpath(directory), made, discard=True)


@contextmanager
def folder() -> Iterator[str]:
    """A directory that nobody else may enter, gone with this process however that ends."""
    toward, away = os.pipe(), os.pipe()
    keeper = os.fork()
    if keeper == 0:
        _keep(toward[0], away[1])
    os.close(toward[0])
    os.close(away[1])
    try:
        yield _answer(away[0])
    finally:
        os.close(away[0])
        os.close(toward[1])  # which the keeper sees, as it sees our end
        os.waitpid(keeper, 0)


def _answer(descriptor: int) -> str:
    """The path that the keeper made.

    Raises:
        OutputError: it made none, and says why.
    """
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        kind, text = stream.read(1), decode(stream.readline().rstrip(b"\n"))
    if kind != _MADE:
        raise OutputError(text or f"no directory can be made, {_USE}")
    return text


def _keep(alive: int, answer: int) -> None:
    """The keeper's life: the directory is there until `alive` is closed at its other end."""
    code = 1
    try:
        os.setsid()  # a signal to the user's process group is not for it
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        _close_all_but(alive, answer)
        with temporary.directory(_USE) as made:
            os.write(answer, _MADE + encode(made) + b"\n")
            os.close(answer)
            os.read(alive, 1)
        _remove(made)
        code = 0
    except RootfsError as error:
        os.write(answer, _FAILED + str(error).replace("\n", " ").encode(errors="replace") + b"\n")
    finally:
        os._exit(code)


def _close_all_but(*kept: int) -> None:
    """Let go of all that this process has open: whoever reads our stdout must see its end."""
    null = os.open(os.devnull, os.O_RDWR)
    for one in range(3):
        os.dup2(null, one)
    start = 3
    for one in sorted(kept):
        os.closerange(start, one)
        start = one + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def _remove(made: str) -> None:
    """See that it is gone: what was still running there may have written as it was removed."""
    for _ in range(_TRIES):
        if not os.path.lexists(encode(made)):
            return
        with suppress(OSError):
            temporary.remove(encode(made), os.open(encode(made), os.O_RDONLY | os.O_DIRECTORY))
        time.sleep(_PAUSE)
