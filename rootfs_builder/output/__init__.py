"""A destination on disk that is either as it was or complete, never half-written.

The bytes go to a temporary file beside it, which is on the disk before it is renamed: whatever the
system says of writing it (a full disk, that of a server at close(2) too) it says while the old one
is there. Errors after the rename are not failures.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from rootfs_builder import temporary
from rootfs_builder.errors import OutputError
from rootfs_builder.filesystem.content import NO_STAMP, stamp
from rootfs_builder.output import places
from rootfs_builder.output.places import errors as errors
from rootfs_builder.paths import decode, printable

_PIECE = 1 << 20  # bytes that are compared at once
_BLOBS = os.path.join(b"blobs", b"sha256")
_RECORD = b"rootfs-builder.json"
_INDEX = b"index.json"  # the switch
_LAYOUT = (b"blobs", b"oci-layout", _INDEX, _RECORD)
_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}  # a file system that has none


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

    def end(self, made: bytes, path: bytes) -> None:
        """Put the file at `made` at its place, or the old one stays and `made` goes."""
        self.stream.flush()
        if self._old and (self._stays or (self._keep and _same(self._old, self.stream))):
            with suppress(OSError):  # the next run removes it
                os.unlink(made)
            return
        sync(self.stream)
        os.close(os.dup(self.stream.fileno()))  # NFS and FUSE may have an error for close(2) alone
        os.rename(made, path)
        self.stamp = NO_STAMP
        with suppress(OSError):
            self.stamp = stamp(os.fstat(self.stream.fileno()))


def sync(stream: BinaryIO) -> None:
    """Bring what was written to the disk.

    Raises:
        OSError: that cannot be done; then nothing is known of what is there.
    """
    stream.flush()
    try:
        os.fsync(stream.fileno())
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


@contextmanager
def file(destination: str, *, keep: bool = False) -> Iterator[OutputFile]:
    """A file that takes the place of `destination` if the block ends well.

    A symlink at `destination` is kept and what it points to is replaced. With `keep` a file that
    has the same bytes already stays, with its time.

    Raises:
        OutputError: there is no such directory, no permission, no space; names the destination.
    """
    with errors(destination):
        path = places.file(destination)
        made, descriptor = temporary.create(path)
        stream = os.fdopen(descriptor, "w+b")
        try:
            with _standing(path) as old:
                file = OutputFile(stream, old, keep=keep)
                yield file
                file.end(made, path)
        except BaseException:
            with suppress(OSError):  # the first error counts; the next run removes it
                os.unlink(made)
            raise
        finally:
            with suppress(OSError):  # all is written, or nothing of it is kept
                stream.close()


@contextmanager
def _standing(path: bytes) -> Iterator[BinaryIO | None]:
    """The file at `path`, if it is there and can be read."""
    stream = None
    with suppress(OSError):
        stream = open(path, "rb", buffering=0)  # noqa: SIM115 - closed below
    try:
        yield stream
    finally:
        if stream is not None:
            with suppress(OSError):  # it was only read
                stream.close()


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
    with errors(destination):
        path = places.directory(destination)
        with _beside(path) as made:
            yield decode(made)
            os.rename(made, path)


@contextmanager
def layout(destination: str, remark: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    """A new OCI layout that takes the place of `destination` if the block ends well.

    An old layout of one image is readable to the end: blobs are named by their content, so new ones
    move in beside the old, and `index.json`, which leads to them, is replaced in one rename.
    `remark` is told, in a sentence, what of the old one could not be removed after that.

    Raises:
        OutputError: `destination` is neither new nor empty, nor an OCI layout of one image.
    """
    with errors(destination):
        path = places.directory(destination, _is_layout, "nor an OCI layout with one image")
        with _beside(path) as made:
            yield decode(made)
            try:
                os.rename(made, path)
                left = None
            except OSError:
                if not _is_layout(path):
                    raise
                left = _move_in(made, path)
        if left:
            remark(f"{printable(destination)}: the new image is there, but {left}")


@contextmanager
def _beside(path: bytes) -> Iterator[bytes]:
    """A temporary directory that can be renamed to `path`, and is gone after the block."""
    made, descriptor = temporary.create(path, directory=True)
    try:
        yield made
    finally:
        temporary.remove(made, descriptor)


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


def _move_in(new: bytes, old: bytes) -> str | None:
    """Make the layout `old` the layout `new`; at every moment it is one of them.

    What of the old one stays although it should go, in words.

    Raises:
        OSError: it is the old one, as it was.
        OutputError: it is the new one, with another's record beside it.
    """
    descriptor = os.open(old, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # waits for another run at this place
        names = os.listdir(os.path.join(new, _BLOBS))
        _switch(new, old, names)
        _replace_record(new, old)
        return _clear(old, names)
    finally:
        with suppress(OSError):
            os.close(descriptor)


def _switch(new: bytes, old: bytes, names: list[bytes]) -> None:
    """Move blobs of these names in, and then what leads to them."""
    blobs = os.path.join(old, _BLOBS)
    os.makedirs(blobs, exist_ok=True)
    added = set(names).difference(os.listdir(blobs))
    try:
        for file in [*(os.path.join(_BLOBS, name) for name in names), *_LAYOUT[1:-1]]:
            os.rename(os.path.join(new, file), os.path.join(old, file))
    except BaseException:
        for name in added:
            with suppress(OSError):
                os.unlink(os.path.join(blobs, name))
        raise


def _replace_record(new: bytes, old: bytes) -> None:
    """Put the record of the new image in the place of the old one's."""
    record = os.path.join(old, _RECORD)
    try:
        try:
            os.rename(os.path.join(new, _RECORD), record)
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                os.unlink(record)
    except OSError as error:
        raise OutputError(
            f"{printable(decode(record))}: {error.strerror}; the new image is there, but without "
            "its reasons; run again"
        ) from error


def _clear(old: bytes, names: list[bytes]) -> str | None:
    """Remove blobs of the old image; what could not be done, in words."""
    try:
        for name in {*os.listdir(os.path.join(old, _BLOBS))}.difference(names):
            os.unlink(os.path.join(old, _BLOBS, name))
    except OSError as error:
        return f"files of the old one stay: {error.strerror}; the next run removes them"
    return None
