"""The members of layers, lowest first → the tree that they add up to.

A whiteout deletes what the layers below have, never what its own layer has; what an upper layer
puts below a lower one's symlink replaces that link, as a directory over it does in an overlay
(image-spec, layer.md, "Applying Changesets").
"""

from collections.abc import Sequence
from itertools import takewhile

from msgspec.structs import replace

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.content import Source
from rootfs_builder.image.extents import Extent
from rootfs_builder.image.limits import Meter
from rootfs_builder.image.tar_fields import TarError
from rootfs_builder.image.tar_headers import Member
from rootfs_builder.paths import (
    ROOT,
    ImagePath,
    ancestors,
    encode,
    join,
    name,
    parent,
    printable,
    shortened,
)
from rootfs_builder.plan import Entry, EntryKind, Plan, Reason, ReasonKind, with_parents

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_LONGEST_PATH = 4095  # bytes: PATH_MAX of Linux, less its NUL
_WHY = (Reason(ReasonKind.IMAGE),)


class LayerTree:
    """The entries of the layers applied so far."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._entries: dict[ImagePath, Entry] = {}
        self._inside: dict[ImagePath, set[ImagePath]] = {}  # of the directories among them
        self.numbers: dict[ImagePath, int] = {}  # of the layer that has written it
        self._number = -1
        self._special: set[ImagePath] = set()
        self._links = 0  # symlinks that the layer at hand has written
        self._places: dict[str, ImagePath] = {}  # where directories lead through these

    def apply(self, members: Sequence[Member], tar: Source) -> None:
        """Put a layer upon those below; `tar` has the members' content.

        Raises:
            TarError: a member cannot be in a layer.
            InputError: a file has damaged capabilities.
            LimitError: the tree grows larger than it may.
        """
        self._number += 1
        self._links = 0
        self._places.clear()
        for member in members:
            path = _key(member.name)
            if name(path) == _OPAQUE:
                self._remove(parent(path), itself=False)
            elif name(path).startswith(_WHITEOUT):
                self._remove(join(parent(path), name(path)[len(_WHITEOUT) :]), itself=True)
        for member in members:
            path = _key(member.name)
            if path == ROOT or name(path).startswith(_WHITEOUT):
                continue
            path = self._below_links(path)
            if self._is_special(member):
                self._special.add(path)
                self._remove(path, itself=True)
            else:
                self._special.discard(path)
                self._put(self._entry(path, member, tar))

    def _is_special(self, member: Member) -> bool:
        """Whether it is a device or FIFO, which runtimes bring, or a further name of one."""
        if member.kind == "hardlink":
            return self._below_links(_key(member.link)) in self._special
        return member.kind == "special"

    def _entry(self, path: ImagePath, member: Member, tar: Source) -> Entry:
        kind: EntryKind = "file"
        content: Source | None = None
        target = ""
        if member.kind == "dir":
            kind = "dir"
        elif member.kind == "symlink":
            kind, target = "symlink", member.link
            if len(encode(target)) > _LONGEST_PATH:
                raise TarError(f"{shortened(member.name)}: a symlink whose target is too long")
        elif member.kind == "hardlink":
            linked = self._entries.get(self._below_links(_key(member.link)))
            if linked is None or linked.kind == "dir":
                raise TarError(f"{shortened(member.name)}: a hard link to nothing")
            return replace(linked, path=path)  # one inode: of a symlink too, whatever it says here
        else:
            most = self._meter.limits.whole
            content = Extent(tar, member.offset, member.size, path, most, member.parts)
        return Entry(
            path,
            kind,
            member.mode,
            _WHY,
            content,
            target,
            member.uid,
            member.gid,
            _capability(member) if kind == "file" else b"",
        )

    def _below_links(self, path: ImagePath) -> ImagePath:
        """Where a path leads through the symlinks that its own layer has written."""
        if not self._links:
            return path
        above = parent(path)
        place = self._places.get(above)
        if place is None:
            place = self._places[above] = self._through(above)
        return join(place, name(path))

    def _through(self, directory: ImagePath) -> ImagePath:
        """Where a directory leads: the last of its symlinks is followed too."""
        place = ROOT
        parts = directory.split("/")[::-1]
        budget = 40
        while parts:
            part = parts.pop()
            if part in ("", "."):
                continue
            self._meter.count("steps", "steps of paths through symlinks")
            here = parent(place) if part == ".." else join(place, part)
            if len(here) > _LONGEST_PATH:
                raise TarError(f"{shortened(directory)}: too long once its symlinks are followed")
            entry = self._entries.get(here)
            if entry is not None and entry.kind == "symlink" and self._is_own(here) and budget:
                budget -= 1
                parts += entry.target.split("/")[::-1]
                place = ROOT if entry.target.startswith("/") else place
            else:
                place = here
        return place

    def _is_own(self, path: ImagePath) -> bool:
        """Whether the layer at hand has written it."""
        return self.numbers.get(path) == self._number

    def _put(self, entry: Entry) -> None:
        for above in reversed(tuple(takewhile(self._is_no_directory, ancestors(entry.path)))):
            self._set(Entry(above, "dir", 0o755, _WHY))
        if entry.kind != "dir":
            self._remove(entry.path, itself=True)
        self._set(entry)

    def _is_no_directory(self, path: ImagePath) -> bool:
        known = self._entries.get(path)
        return known is None or known.kind != "dir"

    def _set(self, entry: Entry) -> None:
        if entry.path not in self.numbers:
            self._meter.count("entries", "paths in the unpacked layers")
            self._meter.count("paths", "bytes of paths in the unpacked layers", len(entry.path))
        self._links += entry.kind == "symlink"
        earlier = self._entries.get(entry.path)
        if entry.kind == "symlink" or (earlier is not None and earlier.kind == "symlink"):
            self._places.clear()
        self._entries[entry.path] = entry
        self._inside.setdefault(parent(entry.path), set()).add(entry.path)
        self.numbers[entry.path] = self._number

    def _remove(self, path: ImagePath, *, itself: bool) -> None:
        """Take out what is below a path, and it itself, in a time that depends on these alone."""
        todo = [*self._inside.pop(path, ())]
        if itself and self._entries.pop(path, None) is not None:
            self._inside[parent(path)].discard(path)
            self._places.clear()
        while todo:
            one = todo.pop()
            del self._entries[one]
            todo += self._inside.pop(one, ())

    def plan(self) -> Plan:
        """The tree as a plan."""
        return Plan(with_parents(self._entries.values()))


def is_whiteout(path: str) -> bool:
    """Whether a member is none, but deletes what lower layers have."""
    return name(path).startswith(_WHITEOUT)


def _capability(member: Member) -> bytes:
    try:
        return capabilities.normal(member.capability) if member.capability else b""
    except InputError as error:
        raise InputError(f"{shortened(member.name)}: {error}") from error


def _key(text: str) -> ImagePath:
    """A member's name as a key: image-spec names are relative, some writers put ./ in front."""
    if len(encode(text)) > _LONGEST_PATH:
        raise TarError(f"{shortened(text)}: the path is too long")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise TarError(f"{printable(text)}: a path that contains '..'")
    return ImagePath("/" + "/".join(parts))
