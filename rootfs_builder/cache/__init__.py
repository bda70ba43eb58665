"""A directory of remembered bytes, which may lose any of them at any time, and never lies.

An entry is a file `KIND/xx/KEY`: its bytes and after them the CRC-32 of kind, key and
bytes, so that what a killed run, a full disk or a bad block left of it, and the entry of another
key, are noticed and count as absent. That is against accidents: who can write there can make any
check, so a directory that others may write is not used, nor an entry of theirs. Entries are
written beside their place and renamed: runs need no lock. Where the directory cannot be written
nothing is remembered, which costs time but is not an error.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from time import sleep
from typing import Literal, NamedTuple, get_args

import deflate

from rootfs_builder.paths import encode

Kind = Literal["facts", "layer", "member", "output"]
LIMIT = 2 << 30  # bytes

_KINDS = tuple(kind.encode() for kind in get_args(Kind))
_HEX = b"0123456789abcdef"
_CHECK = 4  # bytes of a CRC-32
_FILLED = 3 / 4  # of the limit: what is left of a cache that had passed it
_TICK = 0.001  # seconds: the clock of most file systems ticks every one to ten of these
_TICKS = 20
_COUNT = b"count"  # the file that has the bytes of all entries, and when they were counted
_COUNT_SIZE = 64  # bytes: it is shorter
_DAY = 24 * 3600 * 10**9  # nanoseconds
_HOUR = 3600 * 10**9  # nanoseconds: no run writes one entry for longer
_OTHERS_MAY_WRITE = 0o022


class CacheEntry(NamedTuple):
    """A file of the cache; `used` is when it was last wanted, in nanoseconds since 1970."""

    used: int
    size: int
    path: bytes


class Cache:
    """Bytes by kind and key, `limit` of them; without a directory it remembers nothing.

    `started` is when it was opened, by `now`.
    """

    def __init__(self, directory: str = "", *, limit: int = LIMIT) -> None:
        self._directory = encode(directory)
        self._limit = limit
        self._written = 0  # bytes since they were counted
        self._usable = False
        self.started = 0
        if directory:
            with suppress(OSError):
                self.started = self._opened()
                self._usable = True

    def _opened(self) -> int:
        for directory in (self._directory, os.path.join(self._directory, b"new")):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        if not _is_ours(os.stat(self._directory)):
            raise PermissionError
        return self.now()

    def now(self) -> int:
        """What the file system takes for the present, in nanoseconds since 1970."""
        descriptor, path = self._new()
        try:
            return os.fstat(descriptor).st_mtime_ns
        finally:
            os.close(descriptor)
            os.unlink(path)

    def ticks_after(self, moment: int) -> bool:
        """Whether that clock passes a moment at once, or within a few of its ticks."""
        for _ in range(_TICKS):
            if self.now() > moment:
                return True
            sleep(_TICK)
        return False

    def __bool__(self) -> bool:
        """Whether anything is remembered."""
        return self._usable

    def _new(self) -> tuple[int, bytes]:
        path = os.path.join(self._directory, b"new", os.urandom(8).hex().encode())
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), path

    def _path(self, kind: Kind, key: bytes) -> bytes:
        name = key.hex().encode()
        return os.path.join(self._directory, kind.encode(), name[:2], name[2:])

    def get(self, kind: Kind, key: bytes, into: bytearray | None = None) -> memoryview | None:
        """What was remembered; None where nothing was, or where it is damaged.

        It is read `into` a buffer, if it fits into one, and stays until something else is: memory
        that is used again is in the CPU's cache, and no page of it is new.
        """
        if not self._usable:
            return None
        path = self._path(kind, key)
        data = None
        try:
            with _open(path) as file:
                data = _read(file, into, self._limit)
                os.utime(file.fileno())
        except FileNotFoundError:
            return None
        except OSError:  # a directory, a symlink, of another user …: as bad as a damaged one
            pass
        if data is not None and _check(kind, key, data[:-_CHECK]) == data[-_CHECK:]:
            return data[:-_CHECK]
        _forget(path)
        return None

    def put(self, kind: Kind, key: bytes, data: bytes) -> None:
        """Remember bytes, if that is possible."""
        if not self._usable:
            return
        self._written += len(data) + _CHECK
        try:
            self._replace(data, self._path(kind, key), _check(kind, key, data))
        except OSError:
            self._usable = False  # a full disk, mostly: this run goes on without

    def forget(self, kind: Kind, key: bytes) -> None:
        """Remember it no longer: it is not what it should be."""
        if self._usable:
            _forget(self._path(kind, key))

    def _replace(self, data: bytes, path: bytes, check: bytes = b"") -> None:
        descriptor, new = self._new()
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.write(check)
            _rename(new, path)
        except BaseException:
            os.unlink(new)
            raise

    def tidy(self) -> None:
        """Keep to the limit: forget what was wanted longest ago, and what a kill left.

        Entries are counted once a day, or when what was written since may have passed the limit.
        """
        if not (self._usable and self._written):
            return
        total, counted = self._counted()
        total += self._written
        self._written = 0
        with suppress(OSError):
            if total > self._limit or not 0 <= self.started - counted <= _DAY:
                total, counted = self._swept(total), self.started
            self._replace(b"%d %d" % (total, counted), os.path.join(self._directory, _COUNT))

    def _counted(self) -> tuple[int, int]:
        """The bytes of all entries, with what was written since they were counted, and when."""
        try:
            with _open(os.path.join(self._directory, _COUNT)) as file:
                total, counted = map(int, file.read(_COUNT_SIZE).split())
        except (OSError, ValueError):
            return 0, 0
        return max(total, 0), counted

    def _swept(self, supposed: int) -> int:
        """The bytes of all entries, after some are forgotten where the limit is passed.

        What replaces an entry is counted beside it, so `supposed` can pass the limit alone. Then
        too some are forgotten, or a cache that is almost full would be counted in every run.
        """
        entries = sorted(self.entries())
        total = sum(entry.size for entry in entries)
        if max(total, supposed) > self._limit:
            for entry in entries:
                if total <= self._limit * _FILLED:
                    break
                total -= entry.size
                _forget(entry.path)
        for entry in _files(os.path.join(self._directory, b"new")):
            if entry.used < self.started - _HOUR:
                _forget(entry.path)
        return total

    def clear(self) -> None:
        """Forget everything."""
        if self._usable:
            for entry in self.entries():
                _forget(entry.path)
            _forget(os.path.join(self._directory, _COUNT))

    def entries(self) -> Iterator[CacheEntry]:
        """All that is remembered."""
        for kind in _KINDS if self._usable else ():
            for part in _directories(os.path.join(self._directory, kind)):
                yield from _files(part)


def _check(kind: Kind, key: bytes, data: bytes | memoryview) -> bytes:
    """The CRC-32 of kind, key and bytes."""
    named = deflate.crc32(b"%s %s\n" % (kind.encode(), key))
    return deflate.crc32(data, named).to_bytes(_CHECK, "little")


def _is_ours(info: os.stat_result) -> bool:
    return info.st_uid == os.geteuid() and not info.st_mode & _OTHERS_MAY_WRITE


def _open(path: bytes) -> FileIO:
    """A regular file of ours; raises OSError for anything else, and never waits for a FIFO."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = FileIO(os.open(path, flags))
    info = os.fstat(file.fileno())
    if not (stat.S_ISREG(info.st_mode) and _is_ours(info)):
        file.close()
        raise PermissionError
    return file


def _read(file: FileIO, into: bytearray | None, limit: int) -> memoryview | None:
    """The bytes of a file; None where it is longer than all entries together may be."""
    size = os.fstat(file.fileno()).st_size
    if size > limit + _CHECK:
        return None
    whole = memoryview(into if into is not None and size <= len(into) else bytearray(size))
    return whole[: file.readinto(whole[:size])]


def _rename(new: bytes, path: bytes) -> None:
    try:
        os.rename(new, path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        os.rename(new, path)


def _forget(path: bytes) -> None:
    """Remove a file, or an empty directory, if that is possible."""
    try:
        os.unlink(path)
    except IsADirectoryError:
        with suppress(OSError):
            os.rmdir(path)
    except OSError:
        pass


def _directories(path: bytes) -> list[bytes]:
    try:
        with os.scandir(path) as found:
            return [one.path for one in found if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _files(path: bytes) -> Iterator[CacheEntry]:
    """The files of a directory that have names as we give them."""
    try:
        with os.scandir(path) as found:
            ours = [one for one in found if not one.name.strip(_HEX)]
    except OSError:
        return
    for one in ours:
        with suppress(OSError):  # another run forgot it
            if one.is_file(follow_symlinks=False):
                info = one.stat(follow_symlinks=False)
                yield CacheEntry(info.st_mtime_ns, info.st_size, one.path)
