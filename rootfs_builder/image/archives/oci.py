"""An OCI image layout, in a directory or a tar (image-spec, image-layout.md).

It need not have all images that its index leads to: of one for many platforms, engines save the one
that they have.
"""

from msgspec.structs import replace

from rootfs_builder.errors import InputError
from rootfs_builder.image import (
    INDEX,
    INDEXES,
    Descriptor,
    Image,
    Index,
    Manifest,
    canonical,
    digests,
)
from rootfs_builder.image.archives.members import Members
from rootfs_builder.image.archives.sinks import Sink, blob_path
from rootfs_builder.recipe import reference

_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_ATTESTATION = "vnd.docker.reference.type"  # annotates one that is stored as if it were an image


def read(members: Members) -> tuple[Image, ...] | None:
    """The images that an OCI layout's index lists, also in nested indexes; None without a layout.

    An image is there once, whatever lists it, with all its names.

    Raises:
        InputError: a document is damaged, or none of the images is there.
        LimitError: there are more images, or deeper indexes, than an archive may have.
    """
    if members.find("oci-layout") is None:
        return None
    work = _Work(members)
    work.index("index.json", (), 0)
    while work.todo:
        work.descriptor(*work.todo.pop())
    if work.missing and not work.images:
        raise InputError(f"{work.missing[0]} is missing")
    return tuple(
        replace(image, names=tuple(work.names[digest])) for digest, image in work.images.items()
    )


class _Work:
    """The images that were found so far, by digest, and what is left to look at."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._met: set[tuple[str, tuple[str, ...]]] = set()
        self._indexes: dict[str, tuple[Descriptor, ...]] = {}
        self.todo: list[tuple[Descriptor, tuple[str, ...], int]] = []
        self.images: dict[str, Image] = {}
        self.names: dict[str, dict[str, None]] = {}
        self.missing: list[str] = []

    def index(self, path: str, names: tuple[str, ...], depth: int) -> None:
        """Take up what an index lists which has these names itself."""
        self._members.meter.compare("depth", "nested indexes", depth)
        if path not in self._indexes:
            listed: Index = self._members.parsed(path, Index)
            self._indexes[path] = tuple(
                one for one in listed.manifests if _ATTESTATION not in (one.annotations or {})
            )
        new: dict[tuple[str, tuple[str, ...]], Descriptor] = {}
        for one in self._indexes[path]:
            key = (one.digest, _names(one) or names)
            if key not in self._met:
                new.setdefault(key, one)
        self._members.meter.count("images", "images and names of images", len(new))
        self._met.update(new)
        self.todo += ((one, called, depth) for (_, called), one in reversed(new.items()))

    def descriptor(self, descriptor: Descriptor, names: tuple[str, ...], depth: int) -> None:
        """Look at an image or an index, if it is there."""
        path = blob_path(descriptor.digest)
        if self._members.find(path) is None:
            self.missing.append(path)
            return
        self._members.confirm(path, descriptor.digest)
        if descriptor.media_type in INDEXES:
            self.index(path, names, depth + 1)
            return
        if descriptor.digest not in self.images:
            self.images[descriptor.digest] = _image(self._members, path, descriptor)
        self.names.setdefault(descriptor.digest, {}).update(dict.fromkeys(names))


def _image(members: Members, path: str, descriptor: Descriptor) -> Image:
    manifest = members.parsed(path, Manifest)
    return members.image(
        blob_path(manifest.config.digest),
        [(blob_path(layer.digest), layer) for layer in manifest.layers],
        digest=manifest.config.digest,
        manifest=members.document(path),
        media_type=descriptor.media_type,
    )


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    """The name that containerd's annotation gives an image, or else the tag of the image-spec."""
    annotations = descriptor.annotations or {}
    found = (annotations.get(key) for key in _NAMES)
    return tuple(one for one in found if one)[:1]


def described(image: Image) -> tuple[Descriptor, ...]:
    """What `index.json` says of an image: its manifest and platform, once for each name."""
    return _called(image.descriptor, image.names) or (image.descriptor,)


def _called(descriptor: Descriptor, names: tuple[str, ...]) -> tuple[Descriptor, ...]:
    """The descriptor with each of the names."""
    known = map(reference.parse, names)
    annotations = (dict(zip(_NAMES, (str(one), one.tag), strict=True)) for one in known)
    return tuple(replace(descriptor, annotations=one) for one in annotations)


def index(images: tuple[Image, ...]) -> bytes:
    """The document of an index of images for several platforms."""
    return canonical(Index(tuple(one.descriptor for one in images)))


def index_documents(document: bytes, names: tuple[str, ...]) -> dict[str, bytes]:
    """What leads to an index with these names, and the index itself, by name.

    Listed in index.json by itself, an image would be taken whatever its platform is.
    """
    digest = digests.of_bytes(document)
    top = _called(Descriptor(INDEX, digest, len(document)), names)
    return {
        blob_path(digest): document,
        "oci-layout": _LAYOUT,
        "index.json": canonical(Index(top)),
    }


def documents(image: Image) -> dict[str, bytes]:
    """What leads to the blobs of an image, by name."""
    return {
        "oci-layout": _LAYOUT,
        "index.json": canonical(Index(described(image))),
    }


def write(image: Image, sink: Sink) -> None:
    """Write an image as the only one of a layout."""
    sink.image(image, documents(image))
