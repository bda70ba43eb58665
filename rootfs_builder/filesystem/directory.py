"""A directory of this machine, asked by open descriptors: no link leads out of it.

A whole path follows whatever link was put into it a moment ago. Here each part of a key is opened
relative to the one above, and none may be a link: keys are resolved, so that one is a change. What
the system cannot say, as with EIO, is an exception that nothing takes for an answer. Source:
open(2), O_NOFOLLOW and O_PATH.
"""

import errno
import os

from rootfs_builder.errors import ReadError
from rootfs_builder.paths import decode, printable

_ANSWERS = frozenset(  # what the system knows of a path; all else is that it could not tell
    {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG}
)
_ENTERED = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def answered(error: OSError) -> bool:
    """Whether an error says something of the file, and not that the system could not tell."""
    return error.errno in _ANSWERS


def read_error(path: bytes, error: OSError) -> ReadError:
    """The exception for an error that is not an answer."""
    return ReadError(f"{printable(decode(path))}: cannot be read: {error.strerror}")


def _classified(path: bytes, error: OSError) -> OSError | ReadError:
    """What to raise for an error about `path`, which the error itself may name in part."""
    if answered(error):
        return OSError(error.errno, error.strerror, path)
    return read_error(path, error)


class _Descriptor:
    """An open directory, closed when nothing uses it any more."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


class Directory:
    """A directory of this machine, and what is below it; keys are bytes, `/` is itself.

    Raises:
        OSError: an answer about a path, by the path of this machine; ENOTDIR where a directory
            above it is none, which a link is not.
        ReadError: the system could not tell.
    """

    def __init__(self, path: bytes) -> None:
        self.path = path.rstrip(b"/")
        self._last: tuple[bytes, _Descriptor] | None = None  # most questions are about neighbours

    def stat(self) -> os.stat_result:
        """What the directory itself is."""
        try:
            return os.stat(self.path or b"/")
        except OSError as error:
            raise _classified(self.path or b"/", error) from error

    def lstat(self, key: bytes) -> os.stat_result:
        """What is at `key`, a link itself too."""
        above, _, name = key.rpartition(b"/")
        try:
            return os.lstat(name, dir_fd=self._enter(above).number)
        except OSError as error:
            raise _classified(self.path + key, error) from error

    def readlink(self, key: bytes) -> bytes | None:
        """The target of the link at `key`; None where there is something else."""
        above, _, name = key.rpartition(b"/")
        try:
            return os.readlink(name, dir_fd=self._enter(above).number)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise _classified(self.path + key, error) from error

    def list(self, key: bytes) -> list[bytes]:
        """The names in a directory, in any order."""
        try:
            entered = self._enter(key.rstrip(b"/")).number
            listed = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=entered)
            try:
                return [os.fsencode(name) for name in os.listdir(listed)]
            finally:
                os.close(listed)
        except OSError as error:
            raise _classified(self.path + key, error) from error

    def _enter(self, key: bytes) -> _Descriptor:
        """The directory at `key`, which ends in no slash."""
        last = self._last
        if last is not None and last[0] == key:
            return last[1]
        if last is not None and key.startswith(last[0] + b"/"):
            done, here = last
        else:
            self._last = None  # one descriptor less where there are few
            done, here = b"", _Descriptor(os.open(self.path or b"/", _ENTERED))
        for part in key[len(done) + 1 :].split(b"/") if key != done else ():
            here = _Descriptor(os.open(part, _ENTERED | os.O_NOFOLLOW, dir_fd=here.number))
        self._last = key, here
        return here
