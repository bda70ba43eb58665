"""An OCI image layout, in a directory or a tar (image-spec, image-layout.md).

It need not have all images that its index leads to: of one for many platforms, engines save the one
that they have.
"""

from collections.abc import Iterator
from typing import Any

from rootfs_builder.errors import InputError
from rootfs_builder.image.archives.packed import Members, Packed, blob, confirm, document, packed

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_MAX_DEPTH = 4


def read(members: Members) -> tuple[Packed, ...] | None:
    """Every image that the layout's index leads to; None where there is no layout."""
    if members("oci-layout") is None:
        return None
    missing: list[str] = []
    found = tuple(_images(members, document(members, "index.json"), (), 0, missing))
    if missing and not found:
        raise InputError(f"{missing[0]} is missing")
    return found


def _images(
    members: Members, index: Any, names: tuple[str, ...], depth: int, missing: list[str]
) -> Iterator[Packed]:
    """The images of an index that has these names itself."""
    if depth > _MAX_DEPTH:
        raise InputError("an index of indexes of indexes, without end")
    for descriptor in index.get("manifests") or ():
        if "vnd.docker.reference.type" in (descriptor.get("annotations") or {}):
            continue  # an attestation, stored as if it were an image
        if members(_path(descriptor)) is None:
            missing.append(_path(descriptor))
            continue
        confirm(blob(members, _path(descriptor)), str(descriptor["digest"]))
        found = document(members, _path(descriptor))
        called = _names(descriptor) or names
        if descriptor.get("mediaType") in _INDEXES:
            yield from _images(members, found, called, depth + 1, missing)
        else:
            yield packed(
                members,
                _path(found["config"]),
                [_path(layer) for layer in found["layers"]],
                names=called,
                digest=str(descriptor["digest"]),
                digests=tuple(str(layer["digest"]) for layer in found["layers"]),
                config_digest=str(found["config"]["digest"]),
            )


def _names(descriptor: Any) -> tuple[str, ...]:
    """The name that containerd's annotation gives an image, or else the tag of the image-spec."""
    annotations = descriptor.get("annotations") or {}
    found = (annotations.get(key) for key in _NAMES)
    return tuple(str(one) for one in found if one)[:1]


def _path(descriptor: Any) -> str:
    algorithm, _, encoded = str(descriptor.get("digest", "")).partition(":")
    return f"blobs/{algorithm}/{encoded}"
