"""The text of a destination → its path, if something can be put there.

A file replaces a file or makes one, a directory one that is empty; links are followed as far as the
kernel follows them.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rootfs_builder.errors import Mistake, OutputError, UsageError
from rootfs_builder.paths import encode, printable

_TRIES = 20


@contextmanager
def errors(destination: str) -> Iterator[None]:
    """Errors of the system in the block are about the destination.

    Raises:
        OutputError: what the system says, and what to do.
    """
    shown = printable(destination)
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOENT: "the directory does not exist; make it first",
            errno.ENOTDIR: "a component of its path is not a directory",
            errno.EACCES: "no permission to write there",
            errno.EROFS: "the file system is read-only",
            errno.ENOSPC: "the disk is full; the old file, if any, is untouched",
            errno.EDQUOT: "the disk quota is used up; the old file, if any, is untouched",
        }.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"{shown}: cannot be written: {advice}", paths=(destination,)) from error


def file(destination: str) -> bytes:
    """The path of a file that can be replaced.

    Raises:
        OutputError: something else is there, or the name is one of a directory.
        UsageError: the name is empty.
    """
    shown = printable(destination)
    if not destination:
        raise UsageError(Mistake("-o", "no name is given; name a file, such as x.tar"))
    if destination.endswith("/"):
        raise OutputError(
            f"{shown}: the name of a directory; name a file, such as x.tar", paths=(destination,)
        )
    path, mode = _resolved(destination)
    if stat.S_ISDIR(mode):
        raise OutputError(
            f"{shown}: a directory; name a file, such as {shown}/x.tar", paths=(destination,)
        )
    if mode and not stat.S_ISREG(mode):
        raise OutputError(
            f"{shown}: not a regular file; to write into a pipe use -o -", paths=(destination,)
        )
    return path


def directory(
    destination: str, usable: Callable[[bytes], bool] = lambda _: False, nor: str = ""
) -> bytes:
    """The path of a directory that is new, or empty, or `usable`, which is what `nor` says.

    Raises:
        OutputError: something else is there, or it cannot be replaced.
        UsageError: the name is empty.
        OSError: there is no such place.
    """
    if not destination:
        raise UsageError(Mistake("-o", "no name is given; name a new directory"))
    shown = printable(destination)
    path, mode = _resolved(destination)
    if mode and not usable(path) and not (stat.S_ISDIR(mode) and not os.listdir(path)):
        what = f"neither an empty directory {nor}" if nor else "not an empty directory"
        raise OutputError(
            f"{shown}: exists and is {what}; name a new one, or remove it first",
            paths=(destination,),
        )
    if path == os.path.realpath(os.getcwdb()):
        raise OutputError(
            f"{shown}: the working directory, which would be replaced; name a new one below it",
            paths=(destination,),
        )
    if os.path.ismount(path):
        raise OutputError(
            f"{shown}: a mount point, which cannot be replaced; name a directory below it",
            paths=(destination,),
        )
    return path


def _resolved(destination: str) -> tuple[bytes, int]:
    """Where a destination is, behind links, and the mode of what is there, 0 for nothing.

    A link of another user's in a directory like /tmp is followed as far as the kernel does
    (fs.protected_symlinks), which realpath(3) does not know; so the kernel follows it too.

    Raises:
        OutputError: it does not follow a link, or another than was there.
        OSError: there is no such place.
    """
    named = encode(destination)
    above, name = os.path.split(named.rstrip(b"/"))
    for _ in range(_TRIES):  # another run may replace what the link leads to
        path = os.path.realpath(named)
        found = _kernels(named, destination)
        mode = found.st_mode if found else 0
        special = mode and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
        is_direct = path == os.path.join(os.path.realpath(above), name)
        if special or is_direct or _is_at(path, found):
            return path, mode
    raise OutputError(
        f"{printable(destination)}: a link that keeps changing; name its target",
        paths=(destination,),
    )


def _kernels(named: bytes, destination: str) -> os.stat_result | None:
    """What the kernel finds at a path, or None."""
    try:
        descriptor = os.open(named, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        if not os.path.islink(named):
            raise
        shown = printable(destination)
        raise OutputError(
            f"{shown}: a link that the kernel does not follow: {error.strerror}; name its target",
            paths=(destination,),
        ) from error
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _is_at(path: bytes, found: os.stat_result | None) -> bool:
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return found is None
    return found is not None and os.path.samestat(found, info)
