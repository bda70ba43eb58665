"""A file's bytes, by name or in memory, and proof that they are those of the file first seen.

Content is checked against what lstat(2) said when its path was first looked at. The ctime alone may
differ, as after link(2) or chmod(2): then what was read is read again and compared.
"""

import errno
import os
from collections.abc import Hashable, Iterator
from types import TracebackType
from typing import Protocol, Self

import deflate
from msgspec import Struct, field

from rootfs_builder.errors import ChangedError, InputError, RootfsError
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.directory import Directory, answered, read_error
from rootfs_builder.paths import decode, printable

Stamp = tuple[int, int, int, int, int]  # (device, inode, size, mtime, ctime), times in ns
NO_STAMP: Stamp = (0, 0, 0, 0, 0)  # of no file


class Content(Protocol):
    """Open bytes: `len()` and slices; leaving the `with` block checks that nothing changed."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


class Source(Protocol):
    """Where a file's bytes come from; equal sources give equal bytes. `size` is in bytes."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    @property
    def identity(self) -> Hashable:
        """Equal for two names of one file, and for nothing else."""

    def open(self) -> Content:
        """Open the content.

        Raises:
            InputError, ReadError, ChangedError: it cannot be read, or is no longer what it was.
        """


def chunks(source: Source, unit: int) -> Iterator[bytes]:
    """The bytes of a source in pieces of `unit`, the last one shorter."""
    with source.open() as content:
        for start in range(0, source.size, unit):
            yield content[start : start + unit]


def read(source: Source) -> bytes:
    """All bytes of a source: for small files."""
    with source.open() as content:
        return content[0 : source.size]


def latest(source: Source) -> Source:
    """The same file as it is now, empty if it is gone: for what others write all the time."""
    if not isinstance(source, FileSource):
        return source
    root, key = Directory(source.path[: source.root]), source.path[source.root :]
    try:
        return FileSource(source.path, stamp(root.lstat(key)), source.root)
    except FileNotFoundError:
        return BytesSource(b"")
    except OSError as error:
        raise _unreadable(source.path, error) from error


class BytesSource(Struct, frozen=True):
    """Content that was generated, not read."""

    data: bytes

    @property
    def size(self) -> int:
        """See Source."""
        return len(self.data)

    @property
    def identity(self) -> Hashable:
        """See Source: a file of its own, however many have these bytes."""
        return id(self)

    def open(self) -> Content:
        """See Source."""
        return _Bytes(self.data)


class _Bytes(bytes):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class FileSource(Struct, frozen=True, eq=False):
    """A regular file as it was when it was first seen.

    Reading raises ChangedError if it is another now, and two names of one file are equal. `root` is
    how many bytes of the path lead to its root, `checks` the CRC-32 of each part that was read.
    """

    path: bytes
    stamp: Stamp
    root: int = 0
    checks: dict[tuple[int, int], int] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileSource) and self.stamp[:-1] == other.stamp[:-1]

    def __hash__(self) -> int:
        return self.stamp[1]

    @property
    def size(self) -> int:
        """See Source."""
        return self.stamp[2]

    @property
    def identity(self) -> Hashable:
        """See Source: the stamp without ctime, which each new name of a file changes."""
        return self.stamp[:-1]

    def open(self) -> Content:
        """See Source."""
        return OpenFile(self)


def stamp(info: os.stat_result) -> Stamp:
    """What changes when a file does."""
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _unreadable(path: bytes, error: OSError) -> RootfsError:
    if not answered(error):
        return read_error(path, error)
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):  # it was a file when first seen
        return changed(path)
    advice = "; run as its owner, or as root" if error.errno == errno.EACCES else ""
    text = f"{printable(decode(path))}: cannot be read: {error.strerror}{advice}"
    return InputError(text, paths=(decode(path),))


def changed(path: bytes) -> ChangedError:
    """What to raise where a path is not what it was."""
    shown = printable(decode(path))
    return ChangedError(
        f"{shown}: changed while it was being read; wait until it is written, then run again"
    )


class OpenFile:
    """Reads by position, so that a file which shrinks is a short read and not a SIGBUS."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        try:
            # O_NONBLOCK: a regular file that was replaced by a FIFO must not hang us.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            self._descriptor = os.open(source.path, flags)
        except OSError as error:
            raise _unreadable(source.path, error) from error
        try:
            self._check()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _check(self) -> bool:
        """Whether the stamp is as it was; without ctime it must be."""
        try:
            now = stamp(os.fstat(self._descriptor))
        except OSError as error:
            raise _unreadable(self._source.path, error) from error
        if now[:-1] != self._source.stamp[:-1]:
            raise changed(self._source.path)
        return now == self._source.stamp

    def capability(self) -> bytes:
        """See Root."""
        try:
            return capabilities.of(self._descriptor, decode(self._source.path))
        except OSError as error:
            raise _unreadable(self._source.path, error) from error

    def __len__(self) -> int:
        return self._source.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._source.size)
        data = b""
        while len(data) < stop - start:
            try:
                more = os.pread(self._descriptor, stop - start - len(data), start + len(data))
            except OSError as error:
                raise _unreadable(self._source.path, error) from error
            if not more:
                self._check()  # it shrank: says so
                path = decode(self._source.path)
                text = f"{printable(path)}: shorter than its size says; it is not a file on a disk"
                raise InputError(text, paths=(path,))
            data = data + more if data else more
        check = deflate.crc32(data)
        if self._source.checks.setdefault((start, stop), check) != check:
            raise changed(self._source.path)
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and not self._check():
                for start, stop in tuple(self._source.checks):  # of all that was read in this run
                    self[start:stop]
                self._check()  # its ctime may differ anew: others can change it all the time
        finally:
            os.close(self._descriptor)
