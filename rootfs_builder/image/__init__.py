"""An image in the words of the OCI image-spec, and its canonical JSON.

The types are image-spec v1.1: descriptor.md, manifest.md, config.md, image-index.md; docker's own
media types stand for the same documents, but podman takes a `Healthcheck` from them alone.
Canonical means sorted keys, no white space, absent values left out, so that equal values are equal
bytes.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, json

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER = {  # the same in docker's words (distribution, manifest-v2-2.md); none for zstd
    MANIFEST: "application/vnd.docker.distribution.manifest.v2+json",
    CONFIG: "application/vnd.docker.container.image.v1+json",
    LAYER: "application/vnd.docker.image.rootfs.diff.tar",
    LAYER_GZIP: "application/vnd.docker.image.rootfs.diff.tar.gzip",
}

Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]


class Platform(Struct, frozen=True, omit_defaults=True):
    """Which machines an image is for, in Go's spelling (image-index.md)."""

    architecture: str
    os: str
    variant: str | UnsetType = UNSET


class Descriptor(Struct, frozen=True, rename="camel"):
    """What a blob is, how long in bytes, and its digest (descriptor.md)."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | UnsetType = UNSET
    annotations: dict[str, str] | UnsetType = UNSET


class Healthcheck(Struct, frozen=True, rename="pascal", omit_defaults=True):
    """How an engine asks whether a container works: docker's extension; times in nanoseconds."""

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    retries: int = 0


class Settings(Struct, frozen=True, rename="pascal"):
    """The `config` object of the config document: how a container starts (config.md)."""

    entrypoint: tuple[str, ...] | UnsetType = UNSET
    cmd: tuple[str, ...] | UnsetType = UNSET
    env: tuple[str, ...] | UnsetType = UNSET
    user: str | UnsetType = UNSET
    working_dir: str | UnsetType = UNSET
    labels: dict[str, str] | UnsetType = UNSET
    exposed_ports: dict[str, dict[str, str]] | UnsetType = UNSET
    volumes: dict[str, dict[str, str]] | UnsetType = UNSET
    stop_signal: str | UnsetType = UNSET
    healthcheck: Healthcheck | UnsetType = UNSET


class RootFs(Struct, frozen=True):
    """The layers by the digests of their uncompressed tars."""

    diff_ids: tuple[Digest, ...]
    type: str = "layers"


class History(Struct, frozen=True):
    """How one layer came to be."""

    created: str
    created_by: str


class Config(Struct, frozen=True):
    """The config document (config.md)."""

    architecture: str
    os: str
    created: str
    config: Settings
    rootfs: RootFs
    history: tuple[History, ...]
    variant: str | UnsetType = UNSET


class Manifest(Struct, frozen=True, rename="camel"):
    """The manifest document (manifest.md)."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] | UnsetType = UNSET
    media_type: str = MANIFEST
    schema_version: int = 2


class Index(Struct, frozen=True, rename="camel"):
    """The index document (image-index.md)."""

    manifests: tuple[Descriptor, ...]
    media_type: str = INDEX
    schema_version: int = 2


class Image(Struct, frozen=True):
    """One image: the manifest's descriptor (with its platform), the manifest, the config."""

    descriptor: Descriptor
    manifest: Manifest
    config: Config


def canonical(document: Struct | dict[str, object] | list[object]) -> bytes:
    """The one spelling of a document."""
    return json.encode(document, order="sorted")
