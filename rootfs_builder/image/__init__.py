"""An image in the words of the OCI image-spec, and its canonical JSON.

The types are image-spec v1.1: descriptor.md, manifest.md, config.md, image-index.md; docker's own
media types stand for the same documents, but podman takes a `Healthcheck` from them alone.
Canonical means sorted keys, no white space, absent values left out, so that equal values are equal
bytes. What we write and what we read from others is one type, `Image`: it keeps its documents as
they were found, byte for byte, and a config keeps the keys that this module does not know.
"""

from collections.abc import Iterator
from typing import Annotated, Any, get_args

from msgspec import (
    UNSET,
    DecodeError,
    Meta,
    Struct,
    UnsetType,
    ValidationError,
    convert,
    field,
    json,
)
from msgspec.structs import fields, replace

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import Source
from rootfs_builder.image import digests

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

INDEXES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
Digest = Annotated[  # descriptor.md, Registered Algorithms
    str, Meta(pattern=r"^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\Z")
]
_EXTRA = "//extra"  # of a document on its way to a struct: the keys that the struct does not know


class Open(Struct, frozen=True, kw_only=True):
    """A part of a document that others may extend: `extra` has the keys that we do not know."""

    extra: dict[str, Any] = field(default_factory=dict, name=_EXTRA)


class Platform(Struct, frozen=True, omit_defaults=True):
    """Which machines an image is for, in Go's spelling (image-index.md)."""

    architecture: str = ""
    os: str = ""
    variant: str | UnsetType = UNSET

    def __str__(self) -> str:
        parts = (self.os, self.architecture, self.variant)
        return "/".join(part for part in parts if isinstance(part, str))


class Descriptor(Struct, frozen=True, rename="camel"):
    """What a blob is, its digest, and how many bytes it has (descriptor.md).

    All three are known of what we write, and as far as its document tells of what we read.
    """

    media_type: str = ""
    digest: Digest = ""
    size: int = 0
    platform: Platform | UnsetType = UNSET
    annotations: dict[str, str] | UnsetType = UNSET


class Healthcheck(Open, frozen=True, rename="pascal", omit_defaults=True):
    """How an engine asks whether a container works: docker's extension; times in nanoseconds."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    retries: int = 0


class Settings(Open, frozen=True, rename="pascal"):
    """The `config` object of the config document: how a container starts (config.md)."""

    entrypoint: tuple[str, ...] | UnsetType = UNSET
    cmd: tuple[str, ...] | UnsetType = UNSET
    env: tuple[str, ...] | UnsetType = UNSET
    user: str | UnsetType = UNSET
    working_dir: str | UnsetType = UNSET
    labels: dict[str, str] | UnsetType = UNSET
    exposed_ports: dict[str, Any] | UnsetType = UNSET
    volumes: dict[str, Any] | UnsetType = UNSET
    stop_signal: str | UnsetType = UNSET
    healthcheck: Healthcheck | UnsetType = UNSET

    @property
    def command(self) -> tuple[str, ...]:
        """What a container starts: the entrypoint and its arguments."""
        return tuple(word for part in (self.entrypoint, self.cmd) for word in part or ())

    @property
    def environment(self) -> dict[str, str]:
        """The variables by name; a name without a value has an empty one."""
        return dict(one.partition("=")[::2] for one in self.env or ())


class RootFs(Struct, frozen=True):
    """The layers by the digests of their uncompressed tars."""

    diff_ids: tuple[str, ...] = ()
    type: str = "layers"


class History(Open, frozen=True):
    """One step of how an image came to be; with `empty_layer` the step made no layer."""

    created: str | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    empty_layer: bool | UnsetType = UNSET


class Config(Open, frozen=True):
    """The config document (config.md)."""

    architecture: str | UnsetType = UNSET
    os: str | UnsetType = UNSET
    created: str | UnsetType = UNSET
    config: Settings = Settings()
    rootfs: RootFs = RootFs()
    history: tuple[History, ...] = ()
    variant: str | UnsetType = UNSET

    @property
    def platform(self) -> Platform:
        """The platform, with `?` for what the document does not say."""
        return Platform(self.architecture or "?", self.os or "?", self.variant)

    def steps(self) -> tuple[History, ...]:
        """The history of the layers, one step each; shorter where the document tells less."""
        return tuple(one for one in self.history if not one.empty_layer)


class Manifest(Struct, frozen=True, rename="camel"):
    """The manifest document (manifest.md)."""

    config: Descriptor
    layers: tuple[Descriptor, ...] = ()
    annotations: dict[str, str] | UnsetType = UNSET
    media_type: str = MANIFEST
    schema_version: int = 2


class Index(Struct, frozen=True, rename="camel"):
    """The index document (image-index.md)."""

    manifests: tuple[Descriptor, ...] = ()
    media_type: str = INDEX
    schema_version: int = 2


class Layer(Struct, frozen=True):
    """A layer: its blob with what describes it, the digest of its tar, and the step that made it.

    In a `docker save` archive nothing but the config describes a layer, and a plain tar has not
    even that: then `descriptor.digest` or `diff_id` is empty.
    """

    descriptor: Descriptor
    diff_id: str
    blob: Source
    history: History = History()


class Image(Struct, frozen=True):
    """One image, written by us or by others.

    `document` is the config's own bytes, `manifest` those of the manifest, empty where an archive
    has none (docker save). `names` are the image's names in the archive.
    """

    config: Config
    layers: tuple[Layer, ...]
    document: bytes
    manifest: bytes = b""
    media_type: str = MANIFEST
    names: tuple[str, ...] = ()

    @property
    def platform(self) -> Platform:
        """Which machines it is for."""
        return self.config.platform

    @property
    def config_digest(self) -> str:
        """The image's ID: the digest of its config; empty for a tar that has none."""
        return digests.of_bytes(self.document) if self.document else ""

    @property
    def digest(self) -> str:
        """The digest of the manifest; empty where the archive has none."""
        return digests.of_bytes(self.manifest) if self.manifest else ""

    @property
    def descriptor(self) -> Descriptor:
        """What an index says of it."""
        return Descriptor(self.media_type, self.digest, len(self.manifest), self.platform)


def make(
    config: Config,
    layers: tuple[Layer, ...],
    *,
    annotations: dict[str, str] | UnsetType = UNSET,
    docker_types: bool = False,
    names: tuple[str, ...] = (),
) -> Image:
    """An image of a config and layers, the lowest first, with the documents that describe it.

    The config's `rootfs` is that of the layers, and so is its history, if it has another number of
    steps. With `docker_types` every media type is docker's.

    Raises:
        InputError: docker has no media type for a layer.
    """
    types = DOCKER if docker_types else {}
    layers = tuple(replace(one, descriptor=_typed(one.descriptor, types)) for one in layers)
    config = replace(config, rootfs=RootFs(tuple(one.diff_id for one in layers)))
    if len(config.steps()) != len(layers):
        config = replace(config, history=tuple(one.history for one in layers))
    document = canonical(config)
    manifest = Manifest(
        config=_typed(Descriptor(CONFIG, digests.of_bytes(document), len(document)), types),
        layers=tuple(one.descriptor for one in layers),
        annotations=annotations,
        media_type=types.get(MANIFEST, MANIFEST),
    )
    return Image(config, layers, document, canonical(manifest), manifest.media_type, names)


def _typed(descriptor: Descriptor, types: dict[str, str]) -> Descriptor:
    media_type = types.get(descriptor.media_type, descriptor.media_type)
    if types and media_type not in types.values():
        raise InputError(f"{media_type}: docker has no media type for this")
    return replace(descriptor, media_type=media_type)


def canonical(document: Struct | dict[str, object] | list[object]) -> bytes:
    """The one spelling of a document."""
    return json.encode(_plain(document) if isinstance(document, Open) else document, order="sorted")


def _plain(value: Any) -> Any:
    """A part of a document as JSON has it: the keys that we do not know are where they belong."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if not isinstance(value, Struct):
        return value
    omits = value.__struct_config__.omit_defaults
    found = {
        one.encode_name: _plain(getattr(value, one.name))
        for one in fields(type(value))
        if one.encode_name != _EXTRA
        and getattr(value, one.name) is not UNSET
        and not (omits and getattr(value, one.name) == one.default)
    }
    return found | (value.extra if isinstance(value, Open) else {})


def decode(data: bytes, kind: Any) -> Any:
    """A document of others as a value of type `kind`; what is null counts as absent.

    Raises:
        InputError: it is not JSON, or not a document of this kind; says what is wrong.
    """
    try:
        return convert(_gathered(json.decode(data), kind), kind)
    except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"damaged: {error}") from error


def _gathered(value: Any, kind: Any) -> Any:
    """The same value, in which each part of a document keeps the keys that it does not know."""
    struct = next(_structs(kind), None)
    if struct is None:
        return _without_nulls(value)
    if isinstance(value, list):
        return [_gathered(one, struct) for one in value]
    if not isinstance(value, dict):
        return value
    known = {one.encode_name: one.type for one in fields(struct) if one.encode_name != _EXTRA}
    found = {
        key: _gathered(one, known[key])
        for key, one in value.items()
        if key in known and one is not None
    }
    if issubclass(struct, Open):
        found[_EXTRA] = {key: one for key, one in value.items() if key not in known}
    return found


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: one for key, one in value.items() if one is not None}


def _structs(kind: Any) -> Iterator[type[Struct]]:
    """The structs in a type: itself, or those that it is a union or a tuple of."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
    for inner in get_args(kind):
        yield from _structs(inner)
