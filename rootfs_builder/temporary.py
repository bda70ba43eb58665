"""Temporary files and directories: gone after the block, or with the next run after a kill.

One with a name is `.NAME.`, eight hex digits and `.tmp`. It is locked while its run lives, so that
the next run can tell what a killed one left behind from what another run still uses.
"""

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from rootfs_builder.errors import OutputError
from rootfs_builder.paths import decode, encode

_NAME_MAX = 255
_NAME = b"rootfs-builder"  # of directories where temporary files are
_USUAL = ("/tmp", "/var/tmp", "/usr/tmp", ".")  # noqa: S108 - what is made there has a new name
_UNPACKED = "where layers are unpacked"


@contextmanager
def file(directory: str = "") -> Iterator[BinaryIO]:
    """A file without a name, in a directory or where temporary files are.

    Raises:
        OutputError: nothing can be written where temporary files are.
    """
    import tempfile  # 10 ms, where it is needed

    with tempfile.TemporaryFile(dir=encode(directory or _default())) as stream:
        yield stream


@contextmanager
def scratch() -> Iterator[BinaryIO]:
    """A file without a name for unpacked layers, and a sentence where its disk is full."""
    with file() as stream, disk_errors(_UNPACKED):
        yield stream


@contextmanager
def disk_errors(use: str, option: str = "") -> Iterator[None]:
    """Errors of the system in the block are about a temporary file; `use` says what it is for.

    Raises:
        OutputError: what the system says, and what to do; it begins with `option`.
    """
    try:
        yield
    except OSError as error:
        start = f"{option}: " if option else ""
        raise OutputError(
            f"{start}{error.strerror} in {_default()}, {use}; set TMPDIR to another directory"
        ) from error


@contextmanager
def directory(use: str, option: str = "") -> Iterator[str]:
    """A directory that nobody else may read, where temporary files are.

    Raises:
        OutputError: it cannot be made; see `disk_errors`.
    """
    path = os.path.join(encode(_default()), _NAME)
    with disk_errors(use, option):
        made, descriptor = create(path, directory=True, mode=0o700)
    try:
        yield decode(made)
    finally:
        remove(made, descriptor)


def create(path: bytes, *, directory: bool = False, mode: int = 0o777) -> tuple[bytes, int]:
    """A new file or directory beside `path`, and the descriptor that holds its lock.

    What killed runs left of the same kind for the same path is removed first. A file is open for
    reading and writing.

    Raises:
        OSError: none can be made; then nothing is left.
    """
    above, name = os.path.split(path)
    _remove_leftovers(above, name, directory=directory)
    while True:
        made = os.path.join(above, b".%s.%s.tmp" % (_cut(name), os.urandom(4).hex().encode()))
        descriptor = _opened(made, mode if directory else None)
        if descriptor is None:
            continue  # another run took it for a leftover
        try:
            with suppress(OSError):  # a file system without locks: leftovers stay, nothing else
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # waits for a run that is to remove it
            os.stat(made)
        except FileNotFoundError:  # another run took it for a leftover before it was locked
            os.close(descriptor)
        except BaseException:
            remove(made, descriptor)
            raise
        else:
            return made, descriptor


def _opened(made: bytes, mode: int | None) -> int | None:
    """A descriptor of a new file, or with a mode directory; None if that is gone already."""
    if mode is None:
        return os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    os.mkdir(made, mode)
    try:
        return os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except BaseException:
        with suppress(OSError):
            os.rmdir(made)
        raise


def remove(made: bytes, descriptor: int) -> None:
    """Remove what `create` made, if it is still there: what cannot be is left to the next run."""
    with suppress(OSError):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            _remove_tree(made)
        else:
            os.unlink(made)
    with suppress(OSError):
        os.close(descriptor)


def _cut(name: bytes) -> bytes:
    """What of a name leaves room for the rest of a temporary one."""
    return name[: _NAME_MAX - len(b"..01234567.tmp")]


def _remove_leftovers(above: bytes, name: bytes, *, directory: bool) -> None:
    """Delete what a killed run left: what has a temporary name and is locked by nobody."""
    pattern = re.compile(rb"\." + re.escape(_cut(name)) + rb"\.[0-9a-f]{8}\.tmp")
    flags = os.O_RDONLY | os.O_DIRECTORY if directory else os.O_RDWR
    found: list[bytes] = []
    with suppress(OSError):  # a drop box, which may be written and not be listed
        found = os.listdir(above)
    for one in filter(pattern.fullmatch, found):
        path = os.path.join(above, one)
        with suppress(OSError):
            descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
            else:
                remove(path, descriptor)


def _remove_tree(path: bytes) -> None:
    """Remove a directory, also one whose directories may not be written, as images have them."""
    import shutil

    shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        for above, names, _ in os.walk(path):
            for one in (above, *(os.path.join(above, name) for name in names)):
                if stat.S_ISDIR(os.lstat(one).st_mode):
                    os.chmod(one, 0o700)
        shutil.rmtree(path, ignore_errors=True)


def _default() -> str:
    """Where temporary files are, as Python's tempfile says.

    That writes a file to find out, which a kill in this moment leaves there.
    """
    named = (os.environ.get(one) for one in ("TMPDIR", "TEMP", "TMP"))
    for one in (*filter(None, named), *_USUAL):
        path = os.path.abspath(one)
        if os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK):
            return decode(os.fsencode(path))
    raise OutputError("no directory for temporary files can be written; set TMPDIR to one")
