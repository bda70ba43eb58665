"""An image's config and layers over those of a base, as `FROM` in a Dockerfile inherits them.

Source: moby, builder/dockerfile/dispatchers.go: an ENTRYPOINT drops the inherited CMD; ENV, LABEL,
EXPOSE and VOLUME add; each other setting replaces. Keys that we do not know stay.
"""

from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from rootfs_builder.image import (
    DOCKER,
    MANIFEST,
    Config,
    History,
    Image,
    Layer,
    Settings,
    make,
)
from rootfs_builder.image.archives import docker

T = TypeVar("T")
_TRIGGERS = "OnBuild"
_OCI = {docker_type: oci for oci, docker_type in DOCKER.items()}


def inherited(
    base: Image, config: Config, layers: tuple[Layer, ...], *, user: str
) -> tuple[Config, tuple[Layer, ...]]:
    """The config and the layers of an image that is made on a base.

    `user` is who was asked for: the base's own is spelt as the base spells it. The base's layers
    keep their bytes and digests; a manifest of OCI's calls their types by OCI's names.

    Raises:
        InputError: a layer of the base cannot be read.
    """
    whole = base if base.manifest else docker.completed(base)
    below = tuple(map(_in_oci_words, whole.layers))
    known = base.config
    return replace(
        known,
        architecture=config.architecture,
        os=config.os,
        variant=config.variant or known.variant,
        created=config.created,
        config=_settings(known.config, config.config, user),
        history=(*_history(known, len(below)), *config.history),
    ), (*below, *layers)


def extended(
    base: Image, layers: tuple[Layer, ...], *, name: str, path: str, first_path: str
) -> Image:
    """The same image with more layers: its config with their history, and `path` in its PATH.

    `first_path` is the PATH of an image that has none.

    Raises:
        InputError: a layer of the base cannot be read.
    """
    whole = base if base.manifest else docker.completed(base)
    known = base.config.config
    env = {"PATH": first_path} | known.environment
    env["PATH"] += f":{path}"
    steps = (*_history(base.config, len(whole.layers)), *(one.history for one in layers))
    words = tuple(f"{variable}={value}" for variable, value in env.items())
    config = replace(base.config, config=replace(known, env=words), history=steps)
    return make(
        config,
        (*map(_in_oci_words, whole.layers), *layers),
        docker_types=base.media_type == DOCKER[MANIFEST],
        names=(name,),
    )


def _in_oci_words(layer: Layer) -> Layer:
    descriptor = layer.descriptor
    media_type = _OCI.get(descriptor.media_type, descriptor.media_type)
    return replace(layer, descriptor=replace(descriptor, media_type=media_type))


def _history(config: Config, layers: int) -> tuple[History, ...]:
    """The steps of a base: one for each layer where it tells of fewer or more."""
    steps = config.steps()
    if len(steps) == layers:
        return config.history
    return tuple(steps[number] if number < len(steps) else History() for number in range(layers))


def _settings(base: Settings, new: Settings, user: str) -> Settings:
    env = base.environment | new.environment
    return replace(
        base,
        entrypoint=new.entrypoint,
        cmd=new.cmd,
        env=tuple(f"{name}={value}" for name, value in env.items()),
        user=(base.user if user == (base.user or "") else new.user) or UNSET,
        working_dir=new.working_dir or base.working_dir or UNSET,
        labels=_both(base.labels, new.labels),
        exposed_ports=_both(base.exposed_ports, new.exposed_ports),
        volumes=_both(base.volumes, new.volumes),
        stop_signal=new.stop_signal or base.stop_signal or UNSET,
        healthcheck=new.healthcheck or base.healthcheck,
    )


def _both(
    base: dict[str, T] | UnsetType, new: dict[str, T] | UnsetType
) -> dict[str, T] | UnsetType:
    return (base or {}) | (new or {}) or UNSET


def triggers(base: Image) -> tuple[str, ...]:
    """The ONBUILD instructions of a base, which `docker build` would run."""
    found: Any = base.config.config.extra.get(_TRIGGERS)
    return tuple(map(str, found)) if isinstance(found, list) else ()
