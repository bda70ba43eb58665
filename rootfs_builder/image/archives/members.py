"""An archive or a directory → its members by name, and the image that some of them are."""

import io
import posixpath
from collections.abc import Callable, Sequence
from itertools import chain, repeat, zip_longest
from typing import Any, BinaryIO

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import BytesSource, Source, read
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
from rootfs_builder.image.limits import Meter
from rootfs_builder.image.tar_fields import TarError
from rootfs_builder.paths import OpenedPath, printable


class Members:
    """The members of an archive or a directory, by name; each document is read and parsed once.

    `find` gives the content of a member, None where it is missing; `meter` has the limits.
    """

    def __init__(self, find: Callable[[str], Source | None], meter: Meter) -> None:
        self.find = find
        self.meter = meter
        self._confirmed: set[tuple[str, str]] = set()
        self._documents: dict[str, bytes] = {}
        self._parsed: dict[tuple[str, Any], Any] = {}

    def blob(self, name: str) -> Source:
        """The member `name`; raises InputError where it is missing."""
        source = self.find(name)
        if source is None:
            raise InputError(f"{name} is missing")
        return source

    def confirm(self, name: str, digest: str) -> None:
        """Compare a document with its digest; an empty digest is not compared.

        Raises:
            InputError: it is missing, or the digest is that of other bytes.
            LimitError: it is larger than any document.
        """
        if (name, digest) not in self._confirmed:
            digests.confirm(BytesSource(self.document(name)), digest)
            self._confirmed.add((name, digest))

    def document(self, name: str) -> bytes:
        """The document `name`.

        Raises:
            InputError: it is missing.
            LimitError: it is larger than any document, or all of them are.
        """
        if name not in self._documents:
            source = self.blob(name)
            self.meter.compare("document", f"bytes of {printable(name)}", source.size)
            self.meter.count("documents", "bytes of its documents", source.size)
            self._documents[name] = read(source)
        return self._documents[name]

    def parsed(self, name: str, kind: Any) -> Any:
        """The document `name` as a value of type `kind`.

        Raises:
            InputError: it is missing, not JSON, or not a document of this kind.
            LimitError: as for `document`.
        """
        if (name, kind) not in self._parsed:
            try:
                self._parsed[name, kind] = decode(self.document(name), kind)
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
        return self._parsed[name, kind]

    def image(
        self,
        config: str,
        layers: Sequence[tuple[str, Descriptor]],
        *,
        digest: str = "",
        **described: Any,
    ) -> Image:
        """The image with the member `config`, whose layers are members with descriptors.

        `digest` is that of the config, where the archive says it, and `described` are further
        fields of the Image.

        Raises:
            InputError: a member is missing, or the config is damaged.
            LimitError: it has more layers than any.
        """
        self.meter.compare("layers", "layers of an image", len(layers))
        self.confirm(config, digest)
        found: Config = self.parsed(config, Config)
        told = zip_longest(found.rootfs.diff_ids, found.steps())
        read_layers = tuple(
            Layer(descriptor, diff_id or "", self.blob(name), step or History())
            for (name, descriptor), (diff_id, step) in zip(
                layers, chain(told, repeat(("", None))), strict=False
            )
        )
        return Image(found, read_layers, self.document(config), **described)


def of_archive(file: BinaryIO, meter: Meter | None = None) -> Members:
    """The members of a tar; raises InputError where it is none, or LimitError."""
    from rootfs_builder.image import streams, tar_headers  # who writes an archive reads none

    found: dict[str, Source] = {}
    links: dict[str, str] = {}
    whole = Slice(file, 0, file.seek(0, io.SEEK_END))
    meter = meter or Meter(size=whole.size)
    try:
        with whole.open() as content:
            for member in tar_headers.members(streams.Plain(content), meter):
                name = posixpath.normpath(member.name)
                if member.kind == "file" and member.parts is None:
                    found[name] = Slice(file, member.offset, member.size)
                elif member.kind == "symlink":  # docker save once wrote a layer that it had so
                    links[name] = posixpath.join(posixpath.dirname(name), member.link)
    except TarError as error:
        raise InputError(f"no tar archive: {error}") from error
    for name, target in links.items():
        source = found.get(posixpath.normpath(target))
        if source is not None:
            found[name] = source
    return Members(found.get, meter)


def of_tree(file: BinaryIO) -> Image:
    """A tar of a file system, such as `docker export` writes, as an image of that one layer."""
    content = Slice(file, 0, file.seek(0, io.SEEK_END))
    layer = Layer(Descriptor(LAYER, size=content.size), "", content)
    return Image(Config(), (layer,), b"")


def of_directory(directory: str, meter: Meter | None = None) -> Members:
    """The files of a directory."""
    walker = Walker(DirectoryRoot(directory))

    def find(name: str) -> Source | None:
        walk = walker.walk(OpenedPath(f"/{name}"))
        return walker.root.open(walk.real) if walk.node and walk.node.kind == "file" else None

    return Members(find, meter or Meter())
