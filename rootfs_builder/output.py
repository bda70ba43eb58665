"""A destination on disk that is either as it was or complete, never half-written.

The bytes go to a temporary file beside it, `.NAME.` with eight hex digits and `.tmp`, which is
renamed when it is whole. It is locked while its run lives, so that the next run can tell what a
killed one left behind from what another run is still writing.
"""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

from rootfs_builder.errors import Mistake, OutputError, UsageError
from rootfs_builder.filesystem.root import NO_STAMP, stamp
from rootfs_builder.paths import decode, encode, printable

_NAME_MAX = 255
_PIECE = 1 << 20  # bytes that are compared at once
_LAYOUT = (b"blobs", b"rootfs-builder.json", b"oci-layout", b"index.json")  # the last is the switch


class OutputFile:
    """A file on its way to its place: what is written to `stream`, unless the old one stays.

    `stamp` is that of the file at the place: the old one's, if it can be read, and after the block
    that of what the block left there. What others do to it meanwhile is never part of a stamp.
    """

    def __init__(self, stream: BinaryIO, old: BinaryIO | None, *, keep: bool) -> None:
        self.stream = stream
        self.stamp = stamp(os.fstat(old.fileno())) if old else NO_STAMP
        self._old = old
        self._keep = keep
        self._stays = False

    def stay(self) -> bool:
        """Leave the old one there, as if it were written now; False where that cannot be."""
        if self._old is not None and self._is_as_new(self._old):
            with suppress(PermissionError):  # of another user, who lets us replace it
                if not self._keep:
                    os.utime(self._old.fileno())
                    self.stamp = stamp(os.fstat(self._old.fileno()))
                self._stays = True
        return self._stays

    def _is_as_new(self, old: BinaryIO) -> bool:
        """Whether it still is at its place as it was, and has the owner and mode of a new one."""
        info, new = os.fstat(old.fileno()), os.fstat(self.stream.fileno())
        return stamp(info) == self.stamp and (
            (info.st_mode, info.st_uid, info.st_gid) == (new.st_mode, new.st_uid, new.st_gid)
        )

    def end(self, temporary: bytes, path: bytes) -> None:
        """Put the file at `temporary` at its place, or the old one stays."""
        self.stream.flush()
        if self._old and (self._stays or (self._keep and _same(self._old, self.stream))):
            os.unlink(temporary)
        else:
            os.rename(temporary, path)
            self.stamp = stamp(os.fstat(self.stream.fileno()))


@contextmanager
def file(destination: str, *, keep: bool = False) -> Iterator[OutputFile]:
    """A file that takes the place of `destination` if the block ends well.

    A symlink at `destination` is kept and what it points to is replaced. With `keep` a file that
    has the same bytes already stays, with its time.

    Raises:
        OutputError: there is no such directory, no permission, no space; names the destination.
    """
    path = os.path.realpath(encode(destination))
    above, name = os.path.split(path)
    with errors(destination):
        _check_destination(path, destination)
        _remove_leftovers(above, name)
        temporary, descriptor = _temporary(above, name)
        try:
            with os.fdopen(descriptor, "w+b") as stream, _standing(path) as old:
                file = OutputFile(stream, old, keep=keep)
                yield file
                file.end(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise


@contextmanager
def _standing(path: bytes) -> Iterator[BinaryIO | None]:
    """The file at `path`, if it is there and can be read."""
    with ExitStack() as stack:
        stream = None
        with suppress(OSError):
            stream = stack.enter_context(open(path, "rb", buffering=0))
        yield stream


def _same(old: BinaryIO, new: BinaryIO) -> bool:
    """Whether two files have the same bytes."""
    if os.fstat(old.fileno()).st_size != os.fstat(new.fileno()).st_size:
        return False
    new.seek(0)
    while piece := new.read(_PIECE):
        if piece != old.read(_PIECE):
            return False
    return True


@contextmanager
def directory(destination: str) -> Iterator[str]:
    """A new directory that becomes `destination` if the block ends well.

    Raises:
        OutputError: `destination` exists and is not an empty directory, or cannot be made.
    """
    path = os.path.realpath(encode(destination))
    with errors(destination):
        _check_empty(path, destination)
        _check_place(path, destination)
        with _beside(path) as temporary:
            yield decode(temporary)
            os.rename(temporary, path)


@contextmanager
def layout(destination: str) -> Iterator[str]:
    """A new OCI layout that takes the place of `destination` if the block ends well.

    An old layout of one image is readable to the end: blobs are named by their content, so new ones
    move in beside the old, and `index.json`, which leads to them, is replaced in one rename.

    Raises:
        OutputError: `destination` is neither new nor empty, nor an OCI layout of one image.
    """
    path = os.path.realpath(encode(destination))
    with errors(destination):
        if not _is_layout(path):
            _check_empty(path, destination, "nor an OCI layout with one image")
        _check_place(path, destination)
        with _beside(path) as temporary:
            yield decode(temporary)
            try:
                os.rename(temporary, path)
            except OSError:
                if not _is_layout(path):
                    raise
                _move_in(temporary, path)


@contextmanager
def _beside(path: bytes) -> Iterator[bytes]:
    """A temporary directory that can be renamed to `path`, and is gone after the block."""
    above, name = os.path.split(path)
    _remove_leftovers(above, name, directory=True)
    temporary, descriptor = _temporary(above, name, directory=True)
    try:
        yield temporary
    finally:
        _remove_tree(temporary)
        os.close(descriptor)


def _is_layout(path: bytes) -> bool:
    """Whether it is an OCI layout with one image at most, and nothing else is in it."""
    import json

    try:
        names = set(os.listdir(path))
        with open(os.path.join(path, b"index.json"), "rb") as stream:
            images = len(json.load(stream)["manifests"])
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return b"oci-layout" in names and names <= {*_LAYOUT} and images <= 1


def _move_in(new: bytes, old: bytes) -> None:
    """Make the layout `old` the layout `new`; at every moment it is one of them."""
    descriptor = os.open(old, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # waits for another run at this place
        blobs = os.path.join(b"blobs", b"sha256")
        os.makedirs(os.path.join(old, blobs), exist_ok=True)
        names = os.listdir(os.path.join(new, blobs))
        for file in [*(os.path.join(blobs, name) for name in names), *_LAYOUT[1:]]:
            with suppress(FileNotFoundError):
                if os.path.exists(os.path.join(new, file)):
                    os.rename(os.path.join(new, file), os.path.join(old, file))
                else:
                    os.unlink(os.path.join(old, file))
        for name in {*os.listdir(os.path.join(old, blobs))}.difference(names):
            os.unlink(os.path.join(old, blobs, name))
    finally:
        os.close(descriptor)


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
            errno.ENOTDIR: "a part of its path is no directory",
            errno.EACCES: "no permission to write there",
            errno.EROFS: "the file system is read-only",
            errno.ENOSPC: "the disk is full; the old file, if any, is untouched",
            errno.EDQUOT: "the disk quota is used up; the old file, if any, is untouched",
        }.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"{shown}: cannot be written: {advice}") from error


def _check_empty(path: bytes, destination: str, nor: str = "") -> None:
    shown = printable(destination)
    if not destination:
        raise UsageError(Mistake("-o", "no name is given; name a new directory"))
    if os.path.lexists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        what = f"neither an empty directory {nor}" if nor else "not an empty directory"
        raise OutputError(f"{shown}: exists and is {what}; name a new one, or remove it first")


def _check_place(path: bytes, destination: str) -> None:
    shown = printable(destination)
    if path == os.path.realpath(os.getcwdb()):
        raise OutputError(
            f"{shown}: the working directory, which would be replaced; name a new one below it"
        )
    if os.path.ismount(path):
        raise OutputError(
            f"{shown}: a mount point, which cannot be replaced; name a directory below it"
        )


def _check_destination(path: bytes, destination: str) -> None:
    if not destination:
        raise UsageError(Mistake("-o", "no name is given; name a file, such as x.tar"))
    if destination.endswith("/"):
        raise OutputError(
            f"{printable(destination)}: the name of a directory; name a file, such as x.tar"
        )
    with suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            shown = printable(destination)
            raise OutputError(f"{shown}: a directory; name a file, such as {shown}/x.tar")
        if not stat.S_ISREG(mode):
            raise OutputError(
                f"{printable(destination)}: not a regular file; to write into a pipe use -o -"
            )


def _temporary(above: bytes, name: bytes, *, directory: bool = False) -> tuple[bytes, int]:
    """A new locked file or directory that is still there after it was locked."""
    while True:
        path = os.path.join(above, b".%s.%s.tmp" % (_cut(name), os.urandom(4).hex().encode()))
        if directory:
            os.mkdir(path)
        try:
            flags = os.O_RDONLY if directory else os.O_RDWR | os.O_CREAT | os.O_EXCL
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            if not directory:
                raise
            continue  # another run took it for a leftover
        with suppress(OSError):  # a file system without locks: leftovers stay, nothing else
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # waits for a run that is about to remove it
        if os.path.exists(path):
            return path, descriptor
        os.close(descriptor)  # another run took it for a leftover before it was locked


def _cut(name: bytes) -> bytes:
    """What of a name leaves room for the rest of a temporary one."""
    return name[: _NAME_MAX - len(b"..01234567.tmp")]


def _remove_leftovers(above: bytes, name: bytes, *, directory: bool = False) -> None:
    """Delete what a killed run left: what has a temporary name and is locked by nobody."""
    pattern = re.compile(rb"\." + re.escape(_cut(name)) + rb"\.[0-9a-f]{8}\.tmp")
    for one in os.listdir(above):
        if not pattern.fullmatch(one):
            continue
        path = os.path.join(above, one)
        with suppress(OSError):
            flags = os.O_RDONLY | os.O_DIRECTORY if directory else os.O_RDWR
            descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if directory:
                    _remove_tree(path)
                else:
                    os.unlink(path)
            finally:
                os.close(descriptor)


def _remove_tree(path: bytes) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)
