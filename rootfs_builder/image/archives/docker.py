"""A `docker save` archive: manifest.json names a config and the layers by their paths.

It says nothing else of a layer: neither its digest nor how it is compressed. Source: moby,
image/tarexport.
"""

from typing import Any

from msgspec import Struct

from rootfs_builder.image import Descriptor, Image, canonical
from rootfs_builder.image.archives.members import Members, image, parsed
from rootfs_builder.image.archives.sinks import Sink, blob_path

_NAME = "manifest.json"


class Saved(Struct, frozen=True, rename="pascal"):
    """An image of the archive: its names, and the paths of its config and layers, lowest first."""

    config: str
    layers: tuple[str, ...] = ()
    repo_tags: tuple[str, ...] = ()


def read(members: Members) -> tuple[Image, ...] | None:
    """Every image of the archive; None where it has no manifest.json with a list in it."""
    if members(_NAME) is None or not isinstance(parsed(members, _NAME, Any), list):
        return None
    return tuple(
        image(
            members,
            one.config,
            [(layer, Descriptor()) for layer in one.layers],
            names=one.repo_tags,
        )
        for one in parsed(members, _NAME, tuple[Saved, ...])
    )


def documents(image: Image) -> dict[str, bytes]:
    """What leads to the blobs of an image, by name."""
    saved: dict[str, object] = {
        "Config": blob_path(image.config_digest),
        "RepoTags": list(image.names),
        "Layers": [blob_path(layer.descriptor.digest) for layer in image.layers],
    }
    return {_NAME: canonical([saved])}


def write(image: Image, sink: Sink) -> None:
    """Write an image as `docker save` does."""
    sink.image(image, documents(image))
