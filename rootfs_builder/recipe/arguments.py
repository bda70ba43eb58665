"""Arguments of Python → the texts of options, so that each value has one parser.

The types of `Arguments` are the only list of what is taken: values are checked against them, since
Python does not, and what only a parser can know is left to it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from reprlib import repr as shortened
from types import UnionType
from typing import Any, Literal, TypedDict, Union, get_args, get_origin, get_type_hints

from rootfs_builder.choices import Compare, Compression, Dlopen, Format, Hwcaps
from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.recipe.options import BY_PARAMETER

Texts = Sequence[str]
Pairs = Mapping[str, str] | Sequence[str]
_NAMES = {
    str: "a string",
    int: "an integer",
    bool: "True or False",
    Literal: "a string",
    Sequence: "a list of strings",
    Mapping: "a dict of strings",
}


class Arguments(TypedDict, total=False):
    """What `Recipe.of` takes, by the names of `pack`'s options; texts are spelt as there."""

    tag: str | Texts
    library_path: Texts
    include_lib: Texts
    add: Texts
    exclude: Texts
    allow_sensitive: bool | Texts
    hwcaps: Hwcaps
    at: str
    owner: Pairs
    mode: Pairs
    cap: Pairs
    entrypoint: str | Texts
    command: Texts
    env: Pairs
    user: str
    workdir: str
    label: Pairs
    annotation: Pairs
    expose: Texts
    volume: Texts
    stop_signal: str
    platform: str
    with_: Texts
    nss: str | Texts
    without: Texts
    dlopen: Dlopen
    layers: str
    compression: Compression
    compression_level: int
    shape: Format
    health_cmd: str | Texts
    health_interval: str
    health_timeout: str
    health_start_period: str
    health_retries: str | int
    exercise: Texts
    exercise_compare: Compare
    exercise_probe: str | Texts
    strip: bool
    max_size: str | int


def as_options(executables: Sequence[Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as options give them: pairs as NAME=VALUE, words as a JSON array.

    None is an argument that is not given.

    Raises:
        TypeError: there is no such argument.
        UsageError: each argument, and executable, of a wrong type.
    """
    types = get_type_hints(Arguments)
    if unknown := arguments.keys() - types.keys():
        raise TypeError(f"no such argument: {', '.join(sorted(unknown))}")
    given = {name: value for name, value in arguments.items() if value is not None}
    mistakes = [
        *_mistakes("executables", executables, Texts),
        *(one for name, value in given.items() for one in _mistakes(name, value, types[name])),
    ]
    if mistakes:
        raise UsageError(*mistakes)
    return {name: _as_option(name, value) for name, value in given.items()}


def _mistakes(name: str, value: Any, kind: Any) -> Iterator[Mistake]:
    """What is wrong with the type of an argument."""
    kinds = list(_alternatives(kind))
    if not any(_is(value, one) for one in kinds):
        names = dict.fromkeys(_NAMES[get_origin(one) or one] for one in kinds)
        yield Mistake(name, f"{shortened(value)} is not {' or '.join(names)}")
    elif isinstance(value, Mapping):
        wrong = [key for key in value if "=" in key]
        yield from (Mistake(name, f"{key!r}: a name with = in it") for key in wrong)


def _alternatives(kind: Any) -> Iterator[Any]:
    """The types of a union, or the type itself."""
    yield from get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _is(value: Any, kind: Any) -> bool:
    """Whether a value has a type; which words a choice may be is for `options`."""
    if kind in (int, bool):
        return type(value) is kind
    if get_origin(kind) not in (Sequence, Mapping):
        return isinstance(value, str)
    if not isinstance(value, get_origin(kind)) or isinstance(value, str):
        return False
    texts = (*value, *value.values()) if isinstance(value, Mapping) else value
    return all(isinstance(one, str) for one in texts)


def _as_option(name: str, value: Any) -> Any:
    option = BY_PARAMETER[name]
    if option.kind == "scope" and isinstance(value, bool):
        return ("/",) if value else ()
    if isinstance(value, Mapping):
        return tuple(f"{key}={one}" for key, one in value.items())
    if option.kind == "repeated" and isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if option.takes_many:
            return tuple(value)
        return json.dumps(list(value)) if option.kind == "words" else ",".join(value)
    if option.kind == "text":
        return str(value)
    return value
