"""What the readers of archives answer: an image as it lies in a file, not unpacked yet."""

import hashlib
import io
import posixpath
import tarfile
from collections.abc import Callable
from typing import Any, BinaryIO

from msgspec import DecodeError, Struct, ValidationError, convert, json

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.root import DirectoryRoot, Source, chunks, read
from rootfs_builder.filesystem.slices import Slice
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.image import tar_headers
from rootfs_builder.paths import OpenedPath, printable

Members = Callable[[str], Source | None]

_UNIT = 1 << 20
_ALGORITHMS = ("sha256", "sha512")  # image-spec, descriptor.md
_MAX_DOCUMENT = 32 << 20  # bytes; real ones have some thousands


class _Settings(Struct, rename="pascal"):
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    working_dir: str | None = None


class Packed(Struct, frozen=True):
    """How its container starts, and the blobs of its layers, lowest first.

    `document` is its config as it stands there, and `config` the digest of that; `names` are those
    that the archive gives it, `digest` that of its manifest ("" where it has none), and `digests`
    those of the layers' blobs, as far as its documents say them.
    """

    platform: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: tuple[str, ...]
    workdir: str
    layers: tuple[Source, ...]
    document: dict[str, Any] = {}
    config: str = ""
    names: tuple[str, ...] = ()
    digest: str = ""
    digests: tuple[str, ...] = ()

    def whole_layers(self) -> tuple[Source, ...]:
        """The layers; raises InputError where one is not what its digest says."""
        for source, digest in zip(self.layers, self.digests, strict=False):
            confirm(source, digest)
        return self.layers


def of_archive(file: BinaryIO) -> Members:
    """The members of a tar; raises InputError where it is none."""
    found: dict[str, Source] = {}
    links: dict[str, str] = {}
    try:
        members = tar_headers.members(file)
    except tarfile.TarError as error:
        raise InputError(f"no tar archive: {error}") from error
    for member in members:
        name = posixpath.normpath(member.name)
        if member.isreg() and member.sparse is None:
            found[name] = Slice(file, member.offset_data, member.size)
        elif member.issym():  # docker save once wrote a layer that it had written before so
            links[name] = posixpath.join(posixpath.dirname(name), member.linkname)
    for name, target in links.items():
        source = found.get(posixpath.normpath(target))
        if source is not None:
            found[name] = source
    return found.get


def of_tree(file: BinaryIO) -> Packed:
    """A tar of a file system, such as `docker export` writes, as an image of that one layer."""
    size = file.seek(0, io.SEEK_END)
    return Packed("?", (), (), (), "/", (Slice(file, 0, size),))


def of_directory(directory: str) -> Members:
    """The files of a directory."""
    walker = Walker(DirectoryRoot(directory))

    def find(name: str) -> Source | None:
        walk = walker.walk(OpenedPath(f"/{name}"))
        return walker.root.open(walk.real) if walk.node and walk.node.kind == "file" else None

    return find


def blob(members: Members, name: str) -> Source:
    """The member `name`; raises InputError where it is missing."""
    source = members(name)
    if source is None:
        raise InputError(f"{name} is missing")
    return source


def document(members: Members, name: str) -> Any:
    """The JSON document `name`, of any shape; raises InputError where it is none."""
    source = blob(members, name)
    if source.size > _MAX_DOCUMENT:
        raise InputError(f"{name} has {source.size} bytes, too many for a document of an image")
    try:
        return json.decode(read(source))
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name} is no JSON: {error}") from error


def packed(
    members: Members,
    config: str,
    layers: list[str],
    *,
    names: tuple[str, ...] = (),
    digest: str = "",
    digests: tuple[str, ...] = (),
    config_digest: str = "",
) -> Packed:
    """An image of which `config` and `layers` are the names of members.

    Raises:
        InputError: one is missing, or the config is no config or not that of `config_digest`.
    """
    confirm(blob(members, config), config_digest)
    found = document(members, config)
    if not isinstance(found, dict):
        raise InputError("its config is no JSON object")
    try:
        settings = convert(found.get("config") or {}, _Settings)
    except ValidationError as error:
        raise InputError(f"its config is not that of an image: {error}") from error
    platform = [found.get("os", "?"), found.get("architecture", "?"), found.get("variant")]
    return Packed(
        "/".join(str(part) for part in platform if part),
        settings.entrypoint or (),
        settings.cmd or (),
        settings.env or (),
        settings.working_dir or "/",
        tuple(blob(members, layer) for layer in layers),
        found,
        sha256(blob(members, config)),
        names,
        digest,
        digests,
    )


def sha256(source: Source) -> str:
    """The digest of a member."""
    return _digest(source, "sha256")


def confirm(source: Source, digest: str) -> None:
    """Compare bytes with the digest of their descriptor (image-spec, descriptor.md, Digests).

    None, or one by an algorithm that is not registered there, is not looked at.

    Raises:
        InputError: they are others.
    """
    algorithm = digest.partition(":")[0]
    if algorithm in _ALGORITHMS and _digest(source, algorithm) != digest:
        raise InputError(f"the blob {printable(digest)} has other bytes than its digest says")


def _digest(source: Source, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    for piece in chunks(source, _UNIT):
        digest.update(piece)
    return f"{algorithm}:{digest.hexdigest()}"
