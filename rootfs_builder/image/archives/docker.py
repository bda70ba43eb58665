"""A `docker save` archive: manifest.json names a config and the layers by their paths.

It says nothing else of a layer: neither its digest nor how it is compressed. Source: moby,
image/tarexport.
"""

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.image import (
    CONFIG,
    LAYER,
    LAYER_GZIP,
    LAYER_ZSTD,
    Descriptor,
    Image,
    Layer,
    Manifest,
    canonical,
    digests,
)
from rootfs_builder.image.archives.members import Members
from rootfs_builder.image.archives.sinks import Sink, blob_path
from rootfs_builder.image.tar import BLOCK

_NAME = "manifest.json"


class Saved(Struct, frozen=True, rename="pascal"):
    """An image of the archive: its names, and the paths of its config and layers, lowest first."""

    config: str
    layers: tuple[str, ...] = ()
    repo_tags: tuple[str, ...] = ()


def read(members: Members) -> tuple[Image, ...] | None:
    """Every image of the archive; None where it has no manifest.json with a list in it."""
    if members.find(_NAME) is None or not members.document(_NAME).lstrip().startswith(b"["):
        return None
    names: dict[Saved, list[str]] = {}
    for one in members.parsed(_NAME, tuple[Saved, ...]):
        members.meter.count("images", "images and names of images", max(len(one.repo_tags), 1))
        names.setdefault(replace(one, repo_tags=()), []).extend(one.repo_tags)
    return tuple(
        members.image(
            one.config,
            [(layer, Descriptor()) for layer in one.layers],
            names=tuple(dict.fromkeys(called)),
        )
        for one, called in names.items()
    )


def completed(image: Image) -> Image:
    """An image of an archive without a manifest, with one, and a descriptor of each layer."""
    layers = tuple(
        replace(
            layer,
            descriptor=Descriptor(_media_type(layer), digests.of(layer.blob), layer.blob.size),
        )
        for layer in image.layers
    )
    config = Descriptor(CONFIG, image.config_digest, len(image.document))
    manifest = Manifest(config, tuple(layer.descriptor for layer in layers))
    return replace(image, layers=layers, manifest=canonical(manifest))


def _media_type(layer: Layer) -> str:
    from rootfs_builder.image import streams

    with layer.blob.open() as content:
        compression = streams.compression(content[0:BLOCK])
    return {"gzip": LAYER_GZIP, "zstd": LAYER_ZSTD}.get(compression, LAYER)


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
