"""Arguments of Python → the texts of options, so that each value has one parser."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from msgspec import json

from rootfs_builder.recipe.options import OPTIONS


class Arguments(TypedDict, total=False):
    """What `Recipe.of` takes, by the names of `pack`'s options; texts are spelt as there."""

    tag: str
    library_path: Sequence[str]
    include_lib: Sequence[str]
    add: Sequence[str]
    allow_sensitive: bool
    hwcaps: Literal["all", "baseline"]
    at: str
    owner: Mapping[str, str]
    mode: Mapping[str, str]
    cap: Mapping[str, str]
    entrypoint: Sequence[str]
    command: Sequence[str]
    env: Mapping[str, str]
    user: str
    workdir: str
    label: Mapping[str, str]
    annotation: Mapping[str, str]
    expose: Sequence[str]
    volume: Sequence[str]
    stop_signal: str
    platform: str
    with_: Sequence[str]
    nss: str
    without: Sequence[str]
    dlopen: Literal["required", "recommended", "suggested", "none"]
    layers: str
    compression: Literal["gzip", "zstd", "none"]
    compression_level: int
    shape: str
    health_cmd: Sequence[str]
    health_interval: str
    health_timeout: str
    health_start_period: str
    health_retries: str
    strip: bool
    max_size: str


def as_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The same as options give it: pairs as NAME=VALUE, words as a JSON array."""
    kinds = {option.parameter: option.kind for option in OPTIONS}
    return {name: _text(kinds.get(name), value) for name, value in arguments.items()}


def _text(kind: str | None, value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(f"{name}={one}" for name, one in value.items())
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return json.encode(value).decode() if kind == "words" else tuple(value)
