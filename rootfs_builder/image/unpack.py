"""Layers, lowest first → Plan: what a container of them would see, whoever wrote them.

Each layer is decompressed once, into a scratch file, and an entry's content is a slice of that. A
whiteout deletes what the layers below have, never what its own layer has; what an upper layer puts
below a lower one's symlink replaces that link, as a directory over it does in an overlay
(image-spec, layer.md, "Applying Changesets").
"""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterable
from itertools import takewhile
from typing import BinaryIO

import zstandard
from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.content import Content, Source, chunks
from rootfs_builder.filesystem.slices import Slice
from rootfs_builder.image import DOCKER, LAYER, Layer, digests, tar_headers
from rootfs_builder.image.tar import BLOCK
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
_UNIT = 1 << 20
_TAR_MAGIC = slice(257, 262)
_LONGEST_PATH = 4095  # bytes: PATH_MAX of Linux, less its NUL
_COMPRESSIONS = {
    "gzip": rb"\x1f\x8b",
    "zstd": rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",  # a frame, or one to be skipped: pzstd's
    "bzip2": rb"BZh",
    "xz": rb"\xfd7zXZ\0",
}
_DAMAGE = (tarfile.TarError, zlib.error, zstandard.ZstdError, EOFError, gzip.BadGzipFile)
_WHY = (Reason(ReasonKind.IMAGE),)


class _Reader(io.RawIOBase):
    """A Source as a stream, for decompressors."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        data = self._content[self._position : self._position + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class Tar(Struct, frozen=True):
    """A layer as it was found: its bytes when decompressed, and how many members are files."""

    size: int
    files: int


class Unpacked(Struct, frozen=True):
    """What layers add up to, and the number of the layer, from 0, that each path comes from."""

    plan: Plan
    numbers: dict[ImagePath, int]
    tars: tuple[Tar, ...]


def read(layers: Iterable[Layer], scratch: BinaryIO) -> Plan:
    """The plan of `unpacked` alone."""
    return unpacked(layers, scratch).plan


def unpacked(layers: Iterable[Layer], scratch: BinaryIO) -> Unpacked:
    """The plan that an image's layers add up to, and what comes from which.

    `scratch` is an empty file on disk, open for reading and writing; it takes the layers' tars and
    must stay open as long as the plan is used.

    Raises:
        InputError: a layer is damaged, does not have its digest, or is compressed in a way that no
            engine is sure to read.
    """
    tree = _Tree()
    tars = []
    for number, layer in enumerate(layers, 1):
        digests.confirm(layer.blob, layer.descriptor.digest)
        try:
            start = _decompress(layer.blob, scratch, _declared(layer.descriptor.media_type))
            size = scratch.tell() - start
            scratch.seek(start)
            found = tar_headers.members(scratch)
            tree.apply(found, scratch)
        except _DAMAGE as error:
            raise InputError(f"layer {number} is damaged: {error}") from error
        tars.append(Tar(size, sum(map(_is_file, found))))
    return Unpacked(tree.plan(), tree.numbers, tuple(tars))


def decompressed(file: BinaryIO, scratch: BinaryIO) -> BinaryIO:
    """`file` itself, or, if it is compressed, `scratch` with what was in it."""
    whole = Slice(file, 0, file.seek(0, io.SEEK_END))
    with whole.open() as content:
        plain = compression(content[0:BLOCK]) == "none"
    file.seek(0)
    if plain:
        return file
    try:
        _decompress(whole, scratch, None)
    except _DAMAGE as error:
        raise InputError(f"corrupt compressed data: {error}") from error
    scratch.seek(0)
    return scratch


def compression(start: bytes) -> str:
    """How a tar whose first block this is was compressed; `none` where it was not.

    The name of a tar's first file can look like the magic of a compressed one, so the tar's own
    magic comes first (POSIX.1-2017, pax, "ustar Interchange Format").
    """
    if start[_TAR_MAGIC] == b"ustar":
        return "none"
    found = (one for one, magic in _COMPRESSIONS.items() if re.match(magic, start))
    return next(found, "none")


def _declared(media_type: str) -> str | None:
    """How a layer of this type is compressed; None where the type does not tell."""
    if media_type in (LAYER, DOCKER[LAYER]):
        return "none"
    ending = re.search(r"[+.](gzip|zstd)\Z", media_type)
    return ending[1] if ending else None


def _decompress(blob: Source, scratch: BinaryIO, declared: str | None) -> int:
    """Append a layer's tar to the scratch file; where it starts."""
    start = scratch.seek(0, io.SEEK_END)
    with blob.open() as content:
        raw = io.BufferedReader(_Reader(content), _UNIT)
        stream: io.BufferedIOBase | zstandard.ZstdDecompressionReader = raw
        compressed = declared or compression(content[0:BLOCK])
        if compressed == "gzip":
            stream = gzip.GzipFile(fileobj=raw)
        elif compressed == "zstd":
            stream = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        elif compressed != "none":
            raise InputError(f"compressed by {compressed}; gzip, zstd or none is read")
        while piece := stream.read(_UNIT):
            scratch.write(piece)
    scratch.flush()
    return start


class _Tree:
    """The entries of the layers applied so far."""

    def __init__(self) -> None:
        self._entries: dict[ImagePath, Entry] = {}
        self._inside: dict[ImagePath, set[ImagePath]] = {}  # of the directories among them
        self.numbers: dict[ImagePath, int] = {}  # of the layer that has written it
        self._number = -1
        self._special: set[ImagePath] = set()

    def apply(self, members: list[tarfile.TarInfo], scratch: BinaryIO) -> None:
        self._number += 1
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
                self._put(self._entry(path, member, scratch))

    def _is_special(self, member: tarfile.TarInfo) -> bool:
        """Whether it is a device or FIFO, which runtimes bring, or a further name of one."""
        if member.islnk():
            return self._below_links(_key(member.linkname)) in self._special
        return not (member.isreg() or member.isdir() or member.issym())

    def _entry(self, path: ImagePath, member: tarfile.TarInfo, scratch: BinaryIO) -> Entry:
        kind: EntryKind = "file"
        content: Source | None = None
        target = ""
        if member.isdir():
            kind = "dir"
        elif member.issym():
            kind, target = "symlink", member.linkname
        elif member.islnk():
            linked = self._entries.get(self._below_links(_key(member.linkname)))
            if linked is None or linked.kind == "dir":
                raise tarfile.TarError(f"{member.name}: a hard link to nothing")
            return replace(linked, path=path)  # one inode: of a symlink too, whatever it says here
        else:
            content = _content(member, scratch)
        return Entry(
            path,
            kind,
            member.mode & 0o7777,
            _WHY,
            content,
            target,
            member.uid,
            member.gid,
            _capability(member) if kind == "file" else b"",
        )

    def _below_links(self, path: ImagePath) -> ImagePath:
        """Where a path leads through the symlinks that its own layer has written."""
        place = ROOT
        parts = path[1:].split("/")
        budget = 40
        while len(parts) > 1:
            part = parts.pop(0)
            if part in ("", "."):
                continue
            here = parent(place) if part == ".." else join(place, part)
            entry = self._entries.get(here)
            if entry is not None and entry.kind == "symlink" and self._is_own(here) and budget:
                budget -= 1
                parts = entry.target.split("/") + parts
                place = ROOT if entry.target.startswith("/") else place
            else:
                place = here
        return join(place, parts[0])

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
        self._entries[entry.path] = entry
        self._inside.setdefault(parent(entry.path), set()).add(entry.path)
        self.numbers[entry.path] = self._number

    def _remove(self, path: ImagePath, *, itself: bool) -> None:
        """Take out what is below a path, and it itself, in a time that depends on these alone."""
        todo = [*self._inside.pop(path, ())]
        if itself and self._entries.pop(path, None) is not None:
            self._inside[parent(path)].discard(path)
        while todo:
            one = todo.pop()
            del self._entries[one]
            todo += self._inside.pop(one, ())

    def plan(self) -> Plan:
        return Plan(with_parents(self._entries.values()))


def _content(member: tarfile.TarInfo, scratch: BinaryIO) -> Source:
    """A file as it lies in the archive; one with holes is written out behind it."""
    if member.sparse is None:
        return Slice(scratch, member.offset_data, member.size)
    if any(min(at, size) < 0 or at + size > member.size for at, size in tar_headers.parts(member)):
        raise tarfile.ReadError(f"{member.name}: a sparse file with parts where it has none")
    start, offset = scratch.seek(0, io.SEEK_END), member.offset_data
    for at, size in tar_headers.parts(member):
        scratch.seek(start + at)
        scratch.writelines(chunks(Slice(scratch, offset, size), _UNIT))
        offset += size
    scratch.truncate(start + member.size)
    scratch.flush()
    return Slice(scratch, start, member.size)


def _is_file(member: tarfile.TarInfo) -> bool:
    whiteout = name(member.name).startswith(_WHITEOUT)
    return (member.isreg() or member.islnk()) and not whiteout


def _capability(member: tarfile.TarInfo) -> bytes:
    found = member.pax_headers.get(f"SCHILY.xattr.{capabilities.ATTRIBUTE}")
    try:
        return b"" if found is None else capabilities.normal(encode(found))
    except InputError as error:
        raise InputError(f"{printable(member.name)}: {error}") from error


def _key(text: str) -> ImagePath:
    """A member's name as a key: image-spec names are relative, some writers put ./ in front."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise tarfile.TarError(f"{text}: a path that contains '..'")
    if len(encode(text)) > _LONGEST_PATH:
        raise tarfile.TarError(f"{shortened(text)}: no system takes a path as long as that")
    return ImagePath("/" + "/".join(parts))
