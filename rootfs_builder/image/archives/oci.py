"""An OCI image layout, in a directory or a tar (image-spec, image-layout.md).

It need not have all images that its index leads to: of one for many platforms, engines save the one
that they have.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from rootfs_builder.errors import InputError
from rootfs_builder.image import INDEXES, Descriptor, Image, Index, Manifest, canonical, digests
from rootfs_builder.image.archives.members import Members, blob, document, image, parsed
from rootfs_builder.image.archives.sinks import Sink, blob_path
from rootfs_builder.recipe import reference

_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_ATTESTATION = "vnd.docker.reference.type"  # annotates one that is stored as if it were an image
_MAX_DEPTH = 4


def read(members: Members) -> tuple[Image, ...] | None:
    """The images that an OCI layout's index lists, also in nested indexes; None without a layout.

    Raises:
        InputError: a document is damaged, or none of the images is there.
    """
    if members("oci-layout") is None:
        return None
    missing: list[str] = []
    index = parsed(members, "index.json", Index)
    found = tuple(_images(members, index, (), 0, missing))
    if missing and not found:
        raise InputError(f"{missing[0]} is missing")
    return found


def _images(
    members: Members, index: Index, names: tuple[str, ...], depth: int, missing: list[str]
) -> Iterator[Image]:
    """The images of an index that has these names itself."""
    if depth > _MAX_DEPTH:
        raise InputError("an index of indexes of indexes, without end")
    for descriptor in index.manifests:
        path = blob_path(descriptor.digest)
        if _ATTESTATION in (descriptor.annotations or {}):
            continue
        if members(path) is None:
            missing.append(path)
            continue
        digests.confirm(blob(members, path), descriptor.digest)
        called = _names(descriptor) or names
        if descriptor.media_type in INDEXES:
            inner = parsed(members, path, Index)
            yield from _images(members, inner, called, depth + 1, missing)
        else:
            yield _image(members, path, descriptor, called)


def _image(members: Members, path: str, descriptor: Descriptor, names: tuple[str, ...]) -> Image:
    manifest = parsed(members, path, Manifest)
    return image(
        members,
        blob_path(manifest.config.digest),
        [(blob_path(layer.digest), layer) for layer in manifest.layers],
        digest=manifest.config.digest,
        manifest=document(members, path),
        media_type=descriptor.media_type,
        names=names,
    )


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    """The name that containerd's annotation gives an image, or else the tag of the image-spec."""
    annotations = descriptor.annotations or {}
    found = (annotations.get(key) for key in _NAMES)
    return tuple(one for one in found if one)[:1]


def described(image: Image) -> Descriptor:
    """What `index.json` says of an image: its manifest, its platform, its name."""
    if not image.names:
        return image.descriptor
    name = reference.parse(image.names[0])
    annotations = dict(zip(_NAMES, (str(name), name.tag), strict=True))
    return replace(image.descriptor, annotations=annotations)


def documents(image: Image) -> dict[str, bytes]:
    """What leads to the blobs of an image, by name."""
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": canonical(Index((described(image),))),
    }


def write(image: Image, sink: Sink) -> None:
    """Write an image as the only one of a layout."""
    sink.image(image, documents(image))
