"""A tree of files as one question-and-answer: lstat, readlink, open, list.

A directory of this machine is a Root, and so is a Plan: what resolves names cannot tell which it
asks. Paths given to a Root are resolved keys; `Walker` turns the loader's text into keys the way
the kernel's path walk does, confined to the root: absolute link targets start again at the root,
`..` applies after the link it follows, more than 40 links are ELOOP (path_resolution(7)).
"""

import errno
import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Literal, Protocol, Self

from msgspec import Struct

from rootfs_builder.errors import ChangedError, InputError
from rootfs_builder.paths import (
    ROOT,
    ImagePath,
    OpenedPath,
    decode,
    encode,
    join,
    parent,
    printable,
)

Kind = Literal["file", "dir", "symlink", "special"]
Identity = tuple[int, int]  # (device, inode): two names with one identity are one file
_KINDS: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink"}

_MAX_LINKS = 40
_MAX_DEPTH = 4 * _MAX_LINKS  # links to links, followed at one time
_PATH_MAX = 4096
_NAME_MAX = 255


class Node(Struct, frozen=True):
    """What lstat(2) says of a path. `mode` has the permission bits only, `size` is in bytes."""

    kind: Kind
    mode: int
    size: int
    identity: Identity


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

    def open(self) -> Content:
        """The bytes; raises InputError or ChangedError where they are not to be had."""


class Root(Protocol):
    """A tree of files. Every path is a resolved key; nothing outside the tree is ever reached."""

    def lstat(self, path: ImagePath) -> Node | None:
        """The node at `path`, or None; raises OSError where the tree cannot be asked."""

    def readlink(self, path: ImagePath) -> str:
        """The target of the symlink at `path`, verbatim."""

    def open(self, path: ImagePath) -> Source:
        """The content of the regular file at `path`."""

    def list(self, path: ImagePath) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted."""


def chunks(source: Source, unit: int) -> Iterator[bytes]:
    """The bytes of a source in pieces of `unit`, the last one shorter."""
    with source.open() as content:
        for start in range(0, source.size, unit):
            yield content[start : start + unit]


def read(source: Source) -> bytes:
    """All bytes of a source: for small files."""
    with source.open() as content:
        return content[0 : source.size]


class BytesSource(Struct, frozen=True):
    """Content that was generated, not read."""

    data: bytes

    @property
    def size(self) -> int:
        """See Source."""
        return len(self.data)

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

    `stamp` is (device, inode, size, mtime, ctime); reading raises ChangedError if it differs, and
    two names of one file are equal.
    """

    path: bytes
    stamp: tuple[int, int, int, int, int]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileSource) and self.stamp == other.stamp

    def __hash__(self) -> int:
        return hash(self.stamp)

    @property
    def size(self) -> int:
        """See Source."""
        return self.stamp[2]

    def open(self) -> Content:
        """See Source."""
        return _OpenFile(self)


def _stamp(info: os.stat_result) -> tuple[int, int, int, int, int]:
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _unreadable(path: bytes, error: OSError) -> InputError:
    return InputError(f"{printable(decode(path))}: cannot be read: {error.strerror}")


class _OpenFile:
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

    def _check(self) -> None:
        if _stamp(os.fstat(self._descriptor)) != self._source.stamp:
            raise ChangedError(
                f"{printable(decode(self._source.path))}: changed while it was being read; "
                "wait until it is written, then run again"
            )

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
                break
            data = data + more if data else more
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._check()
        finally:
            os.close(self._descriptor)


class DirectoryRoot:
    """A directory of this machine as a Root: a snapshot, each path is looked at once."""

    def __init__(self, directory: str = "/") -> None:
        self._base = encode(directory).rstrip(b"/")
        self._nodes: dict[str, Node | None] = {ROOT: self._node(os.stat(self._base or b"/"))}
        self._stamps: dict[str, tuple[int, int, int, int, int]] = {}
        self._lists: dict[str, tuple[str, ...]] = {}

    @staticmethod
    def _node(info: os.stat_result) -> Node:
        kind = _KINDS.get(stat.S_IFMT(info.st_mode), "special")
        return Node(kind, stat.S_IMODE(info.st_mode), info.st_size, (info.st_dev, info.st_ino))

    def lstat(self, path: ImagePath) -> Node | None:
        """See Root; EACCES and the like are raised as OSError."""
        if path in self._nodes:
            return self._nodes[path]
        node = None
        try:
            info = os.lstat(self._base + encode(path))
        except (FileNotFoundError, NotADirectoryError):
            pass
        else:
            node = self._node(info)
            if node.kind == "file":
                self._stamps[path] = _stamp(info)
        self._nodes[path] = node
        return node

    def readlink(self, path: ImagePath) -> str:
        """See Root."""
        return decode(os.readlink(self._base + encode(path)))

    def open(self, path: ImagePath) -> Source:
        """See Root."""
        self.lstat(path)
        return FileSource(self._base + encode(path), self._stamps[path])

    def list(self, path: ImagePath) -> tuple[str, ...]:
        """See Root."""
        if path not in self._lists:
            names = os.listdir(self._base + encode(path) or b"/")
            self._lists[path] = tuple(sorted((decode(n) for n in names), key=encode))
        return self._lists[path]


class Walk(Struct, frozen=True):
    """One path walk: every node stepped on in order, links and directories too, the end last.

    `errno` is 0 when the walk arrived (then `real` and `node` are set), else why it stopped.
    """

    steps: tuple[ImagePath, ...]
    errno: int = 0
    links: int = 0
    node: Node | None = None

    @property
    def real(self) -> ImagePath:
        """The resolved path of what was found."""
        return self.steps[-1]


class Walker:
    """Path walks in one Root, each directory prefix walked once."""

    def __init__(self, root: Root) -> None:
        self.root = root
        start = Walk((ROOT,), node=root.lstat(ROOT))
        self._walks: dict[str, Walk] = {"": start}
        self._depth = 0

    def walk(self, path: OpenedPath | ImagePath) -> Walk:
        """Resolve an absolute path as the kernel would, confined to the root."""
        if len(path) >= _PATH_MAX and len(encode(path)) >= _PATH_MAX:
            return Walk((), errno.ENAMETOOLONG)
        result = self._resolve(path.rstrip("/"))
        if path.endswith("/") and result.node is not None and result.node.kind != "dir":
            return Walk(result.steps, errno.ENOTDIR, result.links)
        return result

    def _resolve(self, path: str) -> Walk:
        pending = []
        while path not in self._walks:
            pending.append(path)
            path = path.rpartition("/")[0]
        result = self._walks[path]
        for onward in reversed(pending):
            self._walks[onward] = Walk((), errno.ELOOP)  # met again below: a loop
            result = self._walks[onward] = self._step(result, onward.rpartition("/")[2])
        return result

    def _step(self, above: Walk, name: str) -> Walk:
        if above.errno or name in ("", "."):
            return above
        if above.node is None or above.node.kind != "dir":
            return Walk(above.steps, errno.ENOTDIR, above.links)
        if name == "..":
            up = parent(above.real)
            return Walk((*above.steps, up), 0, above.links, self.root.lstat(up))
        if len(name) > _NAME_MAX // 4 and len(encode(name)) > _NAME_MAX:
            return Walk(above.steps, errno.ENAMETOOLONG, above.links)
        here = join(above.real, name)
        try:
            node = self.root.lstat(here)
        except OSError as error:
            return Walk(above.steps, error.errno or errno.EIO, above.links)
        if node is None:
            return Walk(above.steps, errno.ENOENT, above.links)
        steps = (*above.steps, here)
        if node.kind != "symlink":
            return Walk(steps, 0, above.links, node)
        return self._follow(here, steps, above)

    def _follow(self, link: ImagePath, steps: tuple[ImagePath, ...], above: Walk) -> Walk:
        target = self.root.readlink(link)
        if not target or self._depth > _MAX_DEPTH:
            return Walk(steps, errno.ELOOP if target else errno.ENOENT, above.links)
        text = target if target.startswith("/") else join(above.real, target)
        self._depth += 1
        onward = self._resolve(text.rstrip("/"))
        self._depth -= 1
        links = above.links + 1 + onward.links
        if links > _MAX_LINKS:
            return Walk(steps, errno.ELOOP, links)
        if target.endswith("/") and onward.node is not None and onward.node.kind != "dir":
            return Walk(steps, errno.ENOTDIR, links)
        return Walk((*steps, *onward.steps), onward.errno, links, onward.node)
