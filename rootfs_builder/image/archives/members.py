"""An archive or a directory → its members by name, and the image that some of them are."""

import io
import posixpath
from collections.abc import Callable, Iterable
from itertools import chain, repeat, zip_longest
from typing import Any, BinaryIO

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import Source, read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.slices import Slice
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.image import (
    LAYER,
    Config,
    Descriptor,
    History,
    Image,
    Layer,
    decode,
    digests,
)
from rootfs_builder.paths import OpenedPath

Members = Callable[[str], Source | None]

_MAX_DOCUMENT = 32 << 20  # bytes; real ones have some thousands


def of_archive(file: BinaryIO) -> Members:
    """The members of a tar; raises InputError where it is none."""
    import tarfile  # who writes an archive reads none

    from rootfs_builder.image import tar_headers

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


def of_tree(file: BinaryIO) -> Image:
    """A tar of a file system, such as `docker export` writes, as an image of that one layer."""
    content = Slice(file, 0, file.seek(0, io.SEEK_END))
    layer = Layer(Descriptor(LAYER, size=content.size), "", content)
    return Image(Config(), (layer,), b"")


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


def document(members: Members, name: str) -> bytes:
    """The document `name`; raises InputError where it is missing or larger than any document."""
    source = blob(members, name)
    if source.size > _MAX_DOCUMENT:
        raise InputError(f"{name} has {source.size} bytes, too many for a document of an image")
    return read(source)


def parsed(members: Members, name: str, kind: Any) -> Any:
    """The document `name` as a value of type `kind`.

    Raises:
        InputError: it is missing, not JSON, or not a document of this kind.
    """
    try:
        return decode(document(members, name), kind)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def image(
    members: Members,
    config: str,
    layers: Iterable[tuple[str, Descriptor]],
    *,
    digest: str = "",
    **described: Any,
) -> Image:
    """The image whose config is the member `config`, and whose layers are members with descriptors.

    `digest` is that of the config, where the archive says it, and `described` are further fields
    of the Image.

    Raises:
        InputError: a member is missing, or the config is damaged.
    """
    digests.confirm(blob(members, config), digest)
    found: Config = parsed(members, config, Config)
    told = zip_longest(found.rootfs.diff_ids, found.steps())
    read_layers = tuple(
        Layer(descriptor, diff_id or "", blob(members, name), step or History())
        for (name, descriptor), (diff_id, step) in zip(
            layers, chain(told, repeat(("", None))), strict=False
        )
    )
    return Image(found, read_layers, document(members, config), **described)
