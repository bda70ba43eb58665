"""The staging tree as a value: every image path, its content, and why it is there.

What wants files ends in a Plan; what uses files reads only the Plan. `PlanRoot` answers for a Plan
as a directory would, so that whatever resolves in a directory resolves in a Plan.
"""

import errno
import re
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.root import Node
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.paths import (
    ROOT,
    ImagePath,
    Key,
    ancestors,
    encode,
    name,
    parent,
    printable,
    shortened,
)
from rootfs_builder.plan.reasons import Reason as Reason
from rootfs_builder.plan.reasons import ReasonKind as ReasonKind

if TYPE_CHECKING:  # only an image in layers pays for the readers of package databases
    from rootfs_builder.packages import Package

EntryKind = Literal["dir", "symlink", "file"]

SET_ID_BITS = 0o6000
_LONGEST, _LONGEST_NAME = 4095, 255  # bytes that a kernel takes as a path, and as a part of one
_LONG = 3800  # bytes: docker and podman unpack some 4,000, and less in a deeper directory of theirs
_KEY = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[^/\0]+)+", re.DOTALL)


class Entry(Struct, frozen=True):
    """One path of the image.

    `content` and `capability` (an xattr) belong to a file, `target` to a symlink (verbatim). `mode`
    has permission bits only. Files with one source are names of one file: see `hard_links`.
    `package` is the package that owns it, where owners were looked up; `first_party` is set for
    what belongs to the user and not to the system, `inherited` for what a base image has already.
    """

    path: ImagePath
    kind: EntryKind
    mode: int
    reasons: tuple[Reason, ...]
    content: Source | None = None
    target: str = ""
    uid: int = 0
    gid: int = 0
    capability: bytes = b""
    package: "Package | None" = None
    first_party: bool = False
    inherited: bool = False

    @property
    def size(self) -> int:
        """Bytes of content; 0 for anything but a file."""
        return 0 if self.content is None else self.content.size


class Plan(Struct, frozen=True):
    """The staging tree.

    `entries` are sorted by path and hold every parent directory; `env` are the
    environment variables that the image needs, as (name, value); `user` is the user it runs as, in
    digits; `programs` are the executables in the order in which they were given.

    Raises:
        InputError: a path that is not a key, two entries for one path, an entry below something
            that is not a directory, or a name that readers take for a whiteout.
    """

    entries: tuple[Entry, ...]
    programs: tuple[ImagePath, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    user: str = ""
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        seen: dict[str, Entry] = {}
        for entry in self.entries:
            wrong = _wrong(entry.path, seen)
            if wrong:
                raise InputError(f"{printable(entry.path)}: {wrong}")
            seen[entry.path] = entry

    @property
    def unique_files(self) -> tuple[Entry, ...]:
        """The files without their further names: each inode once; none that is inherited."""
        links = hard_links(self.entries)
        return tuple(
            one
            for one in self.entries
            if one.kind == "file" and one.path not in links and not one.inherited
        )

    @property
    def size(self) -> int:
        """The bytes of all files, each inode once."""
        return sum(entry.size for entry in self.unique_files)


def _wrong(path: ImagePath, seen: dict[str, Entry]) -> str:
    """What is wrong with an entry for `path` after those `seen`; empty if nothing is."""
    above = parent(path)
    if not _KEY.fullmatch(path):
        return "not an absolute path without empty parts, . and .."
    if path in seen:
        return "two entries for one path"
    if name(path).startswith(".wh."):
        return "a name that starts with .wh. deletes files in an image"
    if above != ROOT and (above not in seen or seen[above].kind != "dir"):
        return f"{printable(above)} is not a directory of the image"
    return ""


def order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries in the one order a Plan has: by the bytes of the path, so parents come first."""
    return tuple(sorted(entries, key=lambda entry: encode(entry.path)))


def hard_links(entries: Iterable[Entry]) -> dict[ImagePath, ImagePath]:
    """The further names of each file: path → the name that comes first by path.

    One file has one mode, owner and capability: a source with two modes makes two files. Ask it of
    the entries that are written together, since each layer is complete in itself.
    """
    first: dict[Hashable, ImagePath] = {}
    found = {}
    for entry in order(entries):
        if entry.content is not None:
            target = first.setdefault(_inode(entry, entry.content), entry.path)
            if target != entry.path:
                found[entry.path] = target
    return found


def _inode(entry: Entry, content: Source) -> Hashable:
    """Equal for names of one file."""
    return (content.identity, entry.mode, entry.uid, entry.gid, entry.capability)


def with_parents(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries, and a directory of mode 0755 for every parent that is not among them."""
    by_path = {entry.path: entry for entry in entries}
    for entry in order(by_path.values()):
        for directory in ancestors(entry.path):
            if directory in by_path:
                break  # and all above it: parents come first in this order
            reason = Reason(ReasonKind.DIRECTORY, entry.path)
            by_path[directory] = Entry(directory, "dir", 0o755, (reason,))
    return order(by_path.values())


class Cause(NamedTuple):
    """An entry, and one of its reasons."""

    entry: Entry
    reason: Reason


def chain(plan: Plan, path: ImagePath) -> tuple[Cause, ...]:
    """The shortest chain of reasons from an entry up to what the user named.

    The last cause has no `by`, unless the reasons lead in a circle. Of two chains of one length
    the one whose reasons come first counts.

    Raises:
        KeyError: the plan has no such path, or a reason names one.
    """
    by_path = {one.path: one for one in plan.entries}
    chains: deque[tuple[Cause, ...]] = deque()
    chains += ((Cause(by_path[path], reason),) for reason in by_path[path].reasons)
    seen = {path}
    found: tuple[Cause, ...] = ()
    while chains:
        found = chains.popleft()
        by = found[-1].reason.by
        if by is None:
            break
        if by not in seen:
            seen.add(by)
            chains += ((*found, Cause(by_path[by], reason)) for reason in by_path[by].reasons)
    return found


class PlanRoot:
    """A Plan as a Root. It is cheap to make: most are asked little."""

    def __init__(self, plan: Plan) -> None:
        self._entries: dict[str, Entry] = {entry.path: entry for entry in plan.entries}
        self._nodes: dict[str, Node] = {ROOT: Node("dir", 0o755, 0, (0, 0))}
        self._inodes: dict[Hashable, int] = {}

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for path in self._entries:
            names.setdefault(parent(path), []).append(name(path))
        return names

    def lstat(self, path: Key) -> Node | None:
        """See Root."""
        entry = self._entries.get(path)
        if path not in self._nodes and entry is not None:
            inode = path if entry.content is None else _inode(entry, entry.content)
            number = self._inodes.setdefault(inode, len(self._inodes) + 1)
            self._nodes[path] = Node(entry.kind, entry.mode, entry.size, (0, number))
        return self._nodes.get(path)

    def readlink(self, path: Key) -> str:
        """See Root."""
        return self._entries[path].target

    def open(self, path: Key) -> Source:
        """See Root."""
        content = self._entries[path].content
        if content is None:
            raise OSError(errno.EINVAL, "not a regular file", path)
        return content

    def capability(self, path: Key) -> bytes:
        """See Root."""
        return self._entries[path].capability

    def list(self, path: Key) -> tuple[str, ...]:
        """See Root."""
        return tuple(sorted(self._names.get(path, ()), key=encode))


def long_paths(paths: Iterable[ImagePath]) -> Iterator[Finding]:
    """A warning for each path that an engine may be unable to unpack.

    Raises:
        InputError: no kernel takes a path.
    """
    for path in paths:
        raw = encode(path)
        if len(raw) > _LONGEST or max(map(len, raw.split(b"/"))) > _LONGEST_NAME:
            raise InputError(
                f"{shortened(path)}: too long: a path may have {_LONGEST:,} bytes, and a name "
                f"in it {_LONGEST_NAME}"
            )
        if len(raw) > _LONG:
            yield warning(
                Code.LONG_PATH,
                f"{shortened(path)}: an engine may be unable to unpack it: below a directory "
                f"of its own it has more than the {_LONGEST:,} bytes that a kernel takes",
                path,
            )
