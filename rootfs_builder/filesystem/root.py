"""A tree of files as one question-and-answer: lstat, readlink, open, list.

A directory of this machine is a Root, and so is a Plan: what resolves names cannot tell which it
asks. Paths given to a Root are resolved keys; `walk` turns other texts into keys.
"""

import os
import stat
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from msgspec import Struct

from rootfs_builder.filesystem.content import (
    FileSource,
    OpenFile,
    Source,
    Stamp,
    changed,
    stamp,
)
from rootfs_builder.filesystem.directory import Directory
from rootfs_builder.paths import ROOT, Key, decode, encode, join, parent

NodeKind = Literal["file", "dir", "symlink", "special"]
Identity = tuple[int, int]  # (device, inode): two names with one identity are one file
_KINDS: dict[int, NodeKind] = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink"}


class Node(Struct, frozen=True):
    """What lstat(2) says of a path. `mode` has the permission bits only, `size` is in bytes."""

    kind: NodeKind
    mode: int
    size: int
    identity: Identity


class Root(Protocol):
    """A tree of files. Every path is a resolved key; nothing outside the tree is ever reached.

    An OSError is an answer, such as EACCES. That there is none is a ReadError, for every question.
    """

    def lstat(self, path: Key) -> Node | None:
        """The node at `path`, or None; OSError where it may not be asked."""

    def readlink(self, path: Key) -> str:
        """The target of the symlink at `path`, verbatim; OSError where it may not be read."""

    def open(self, path: Key) -> Source:
        """The content of the regular file at `path`; of a directory only what tells a change."""

    def capability(self, path: Key) -> bytes:
        """The capabilities of the regular file at `path`, as an xattr; empty where it has none."""

    def list(self, path: Key) -> tuple[str, ...]:
        """The names in the directory at `path`, sorted; OSError where it may not be listed."""


def tree(
    root: Root,
    path: Key = ROOT,
    *,
    without: tuple[str, ...] = (),
    skip: Callable[[Key], bool] | None = None,
) -> Iterator[tuple[Key, Node]]:
    """The node at `path` and all below it, parents first, names in order; links are not followed.

    Directories in `without` are not entered; what `skip` says is as if it were not there.

    Raises:
        OSError: a directory cannot be listed.
    """
    todo = [path]
    while todo:
        here = todo.pop()
        if skip is not None and skip(here):
            continue
        node = root.lstat(here)
        if node is None:
            continue
        yield here, node
        if node.kind == "dir" and here not in without:
            todo += [join(here, name) for name in reversed(root.list(here))]


class DirectoryRoot:
    """A directory of this machine as a Root: a snapshot, each path is looked at once."""

    def __init__(self, directory: str = "/") -> None:
        self._directory = Directory(encode(directory))
        self._nodes: dict[str, Node | None] = {ROOT: self._node(self._directory.stat())}
        self._stamps: dict[str, Stamp] = {}
        self._files: dict[str, FileSource] = {}
        self._links: dict[str, str] = {}
        self._capabilities: dict[str, bytes] = {}
        self._lists: dict[str, tuple[str, ...]] = {}

    @property
    def asked(self) -> int:
        """How many paths were looked at, and files opened."""
        return len(self._nodes) + len(self._files)

    @staticmethod
    def _node(info: os.stat_result) -> Node:
        kind = _KINDS.get(stat.S_IFMT(info.st_mode), "special")
        return Node(kind, stat.S_IMODE(info.st_mode), info.st_size, (info.st_dev, info.st_ino))

    def lstat(self, path: Key) -> Node | None:
        """See Root."""
        if path in self._nodes:
            return self._nodes[path]
        node = None
        try:
            info = self._directory.lstat(encode(path))
        except (FileNotFoundError, ValueError):
            pass  # ValueError: a NUL in it, so no file can be called that
        except NotADirectoryError as error:
            self._expect_none(parent(path), error)
        else:
            node = self._node(info)
            if node.kind in ("file", "dir"):
                self._stamps[path] = stamp(info)
        self._nodes[path] = node
        return node

    def _expect_none(self, directory: Key, error: OSError) -> None:
        """Raise ChangedError if it was a directory, which may be a link to anywhere now."""
        if (node := self._nodes.get(directory)) is not None and node.kind == "dir":
            raise changed(self._directory.path + encode(directory)) from error

    def readlink(self, path: Key) -> str:
        """See Root."""
        if path not in self._links:
            if (target := self._directory.readlink(encode(path))) is None:
                raise changed(self._directory.path + encode(path))
            self._links[path] = decode(target)
        return self._links[path]

    def open(self, path: Key) -> FileSource:
        """See Root."""
        if path not in self._files:
            self.lstat(path)
            base = self._directory.path
            self._files[path] = FileSource(base + encode(path), self._stamps[path], len(base))
        return self._files[path]

    def capability(self, path: Key) -> bytes:
        """See Root; InputError where they cannot be read."""
        if path not in self._capabilities:
            with OpenFile(self.open(path)) as content:
                self._capabilities[path] = content.capability()
        return self._capabilities[path]

    def list(self, path: Key) -> tuple[str, ...]:
        """See Root."""
        if path not in self._lists:
            try:
                names = sorted(self._directory.list(encode(path)))
                self._lists[path] = tuple(map(decode, names))
            except NotADirectoryError as error:
                self._expect_none(path, error)
                raise
        return self._lists[path]
