"""Layers, lowest first → Plan: what a container of them would see, whoever wrote them.

Each blob is read, compared with its digests and decompressed once, however many layers of however
many images name it. A file's content stays where it lies: in the blob, or in a scratch file.
"""

from collections.abc import Hashable, Iterable
from typing import BinaryIO

from msgspec import Struct

from rootfs_builder.errors import InputError, LimitError
from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.slices import Slice
from rootfs_builder.image import Layer, digests, streams, tar_headers
from rootfs_builder.image.layer_tree import LayerTree, is_whiteout
from rootfs_builder.image.limits import Meter
from rootfs_builder.paths import ImagePath
from rootfs_builder.plan import Plan


class Tar(Struct, frozen=True):
    """A layer as it was found: its bytes when decompressed, and how many members are files."""

    size: int
    files: int


class Unpacked(Struct, frozen=True):
    """What layers add up to, and the number of the layer, from 0, that each path comes from."""

    plan: Plan
    numbers: dict[ImagePath, int]
    tars: tuple[Tar, ...]


class _Read(Struct, frozen=True):
    """A blob that was read: its tar, with the digest of it, and what is in it."""

    blob: Source  # as long as this is known, no other has its identity
    content: Source
    digest: str
    members: tuple[tar_headers.Member, ...]
    tar: Tar


class Reader:
    """Unpacks the images of one archive or directory.

    `scratch` is an empty file on disk, open for reading and writing; it takes what is decompressed
    and must stay open as long as the plans are used. `meter` has the limits, and counts.
    """

    def __init__(self, scratch: BinaryIO, meter: Meter | None = None) -> None:
        self.meter = meter or Meter()
        self._scratch = scratch
        self._known: dict[Hashable, _Read] = {}
        self._confirmed: dict[Hashable, Source] = {}
        self._digests: dict[Hashable, str] = {}

    def unpacked(self, layers: Iterable[Layer]) -> Unpacked:
        """The plan that an image's layers add up to, and what comes from which.

        Raises:
            InputError: a layer is damaged, does not have its digests, or is compressed in a way
                that no engine is sure to read.
            LimitError: it would cost more than it may.
        """
        tree = LayerTree(self.meter)
        tars = []
        for number, layer in enumerate(layers, 1):
            try:
                read = self._layer(layer)
                if layer.diff_id and read.digest != layer.diff_id:
                    raise InputError(
                        f"layer {number} is not what the config says: its tar has the digest "
                        f"{read.digest}, and diff_ids has {layer.diff_id}"
                    )
                tree.apply(read.members, read.content)
            except LimitError as error:
                raise LimitError(f"layer {number}: {error}") from error
            except streams.DAMAGE as error:
                raise InputError(f"layer {number} is damaged: {error}") from error
            tars.append(read.tar)
        return Unpacked(tree.plan(), tree.numbers, tuple(tars))

    def digest(self, content: Source) -> str:
        """The SHA-256 of a file of a plan; each is read once."""
        if content.identity not in self._digests:
            self._digests[content.identity] = digests.of(content)
        return self._digests[content.identity]

    def _layer(self, layer: Layer) -> _Read:
        """Read a layer's blob, or recall it."""
        blob, descriptor = layer.blob, layer.descriptor
        if (blob.identity, descriptor.digest) not in self._confirmed:
            digests.confirm(blob, descriptor.digest)
            self._confirmed[blob.identity, descriptor.digest] = blob
        algorithm = "sha512" if layer.diff_id.startswith("sha512:") else "sha256"
        key = (blob.identity, descriptor.media_type, algorithm)
        if key in self._known:
            known = self._known[key]
            self.meter.count(*tar_headers.COUNTED, len(known.members))
            return known
        self.meter.blob(blob.size)
        self._known[key] = self._read(layer, algorithm)
        return self._known[key]

    def _read(self, layer: Layer, algorithm: str) -> _Read:
        blob, descriptor = layer.blob, layer.descriptor
        with blob.open() as opened:
            how = streams.compression_of(opened, descriptor.media_type)
            if how == "none":
                plain = streams.Plain(opened)
                found = tuple(tar_headers.members(plain, self.meter))
                digest, content, size = descriptor.digest, blob, blob.size
                if not digest.startswith(algorithm):
                    digest = digests.of(blob, algorithm)
            else:
                stream = streams.Decompressed(
                    opened, how, self._scratch, self.meter, algorithm=algorithm
                )
                found = tuple(tar_headers.members(stream, self.meter))
                stream.drain()
                digest, size = stream.digest, stream.position
                content = Slice(self._scratch, stream.start, size)
        return _Read(blob, content, digest, found, Tar(size, sum(map(_is_file, found))))


def read(layers: Iterable[Layer], scratch: BinaryIO) -> Plan:
    """The plan of a Reader's `unpacked` alone."""
    return Reader(scratch).unpacked(layers).plan


def _is_file(member: tar_headers.Member) -> bool:
    return member.kind in ("file", "hardlink") and not is_whiteout(member.name)
