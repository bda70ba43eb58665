"""What the readers of archives answer: an image as it lies in a file, not unpacked yet."""

import io
import posixpath
import tarfile
from collections.abc import Callable
from typing import Any, BinaryIO

from msgspec import DecodeError, Struct, ValidationError, convert, json

from rootfs_builder import unpack
from rootfs_builder.errors import InputError
from rootfs_builder.paths import OpenedPath
from rootfs_builder.root import DirectoryRoot, Slice, Source, read
from rootfs_builder.walk import Walker

Members = Callable[[str], Source | None]

_MAX_DOCUMENT = 32 << 20  # bytes; real ones have some thousands


class _Settings(Struct, rename="pascal"):
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    working_dir: str | None = None


class Packed(Struct, frozen=True):
    """How its container starts, and the blobs of its layers, lowest first."""

    platform: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: tuple[str, ...]
    workdir: str
    layers: tuple[Source, ...]


def of_archive(file: BinaryIO) -> Members:
    """The members of a tar; raises InputError where it is none."""
    found: dict[str, Source] = {}
    links: dict[str, str] = {}
    try:
        members = unpack.members(file)
    except tarfile.TarError as error:
        raise InputError(f"no tar archive: {error}") from error
    for member in members:
        name = posixpath.normpath(member.name)
        if member.isreg():
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


def packed(config: Any, layers: list[Source]) -> Packed:
    """The config document of an image, and its layers."""
    if not isinstance(config, dict):
        raise InputError("its config is no JSON object")
    try:
        settings = convert(config.get("config") or {}, _Settings)
    except ValidationError as error:
        raise InputError(f"its config is not that of an image: {error}") from error
    return Packed(
        "/".join(str(config.get(key, "?")) for key in ("os", "architecture")),
        settings.entrypoint or (),
        settings.cmd or (),
        settings.env or (),
        settings.working_dir or "/",
        tuple(layers),
    )
