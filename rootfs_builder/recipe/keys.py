"""The options of `pack` → the keys of a recipe: their types, the schema for editors, and TOML.

Every key of an image is an option, so that a recipe can do what the command line can, with the same
values. The kind of the option decides the type of its key: an array if it may be given several
times, a table if each is NAME=VALUE.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.paths import printable
from rootfs_builder.recipe.examples import EXAMPLES
from rootfs_builder.recipe.options import Option, ValueKind
from rootfs_builder.recipe.toml_tables import Table

Values = dict[str, Any]  # of options, by the names of their parameters


class Key(Struct, frozen=True):
    """An option as a key: how both are spelt, and its help."""

    name: str
    option: Option
    options: tuple[str, ...]
    help: str
    metavar: str = ""

    @property
    def parameter(self) -> str:
        """The name that its value has in `Values`."""
        return self.option.parameter

    @property
    def kind(self) -> ValueKind:
        """The kind of value that it takes."""
        return self.option.kind

    @property
    def choices(self) -> tuple[str, ...]:
        """What it may be, if it is one of a few words."""
        return self.option.choices

    @property
    def default(self) -> str | None:
        """The value of an option that is not given."""
        return self.option.default

    @property
    def is_path(self) -> bool:
        """Whether it is a path of this machine, and nothing else."""
        return self.option.is_path

    @property
    def takes_many(self) -> bool:
        """Whether the option may be given several times."""
        return self.option.takes_many


class StepResult(Table, frozen=True):
    """A program that a step makes; its path is absolute or starts at the recipe's folder."""

    path: str
    step: str = field(name="from")


class AddedResult(StepResult, frozen=True):
    """A file or directory that a step makes, and where it goes in the image."""

    to: str


class Step(Table, frozen=True):
    """What runs before the images are packed: words, or a line for the shell."""

    name: str
    run: str | tuple[str, ...]
    dir: str = ""
    env: dict[str, str] = field(default_factory=dict)


_TYPES: dict[ValueKind, Any] = {
    "text": str,
    "texts": tuple[str, ...],
    "repeated": str | tuple[str, ...],
    "pairs": tuple[str, ...] | dict[str, str],
    "words": str | tuple[str, ...],
    "programs": tuple[str | StepResult, ...],
    "files": tuple[str | AddedResult, ...],
    "scope": bool | tuple[str, ...],
    "flag": bool,
    "number": int,
}
_WIDTH = 80
PLATFORMS = "platforms"
_PLATFORMS_HELP = "Build for each, as one index; {arch}, {platform}, {triplet} in values."


def image(keys: Iterable[Key]) -> type[Struct]:
    """The table of an image, whose fields are the options' parameters."""
    return msgspec.defstruct(
        "Image",
        _fields(keys),
        rename={key.parameter: key.name for key in keys},
        forbid_unknown_fields=True,
        frozen=True,
    )


def schema(keys: Iterable[Key]) -> str:
    """The JSON Schema of a recipe, for editors."""
    steps = _optional(tuple[Step, ...], "The steps that run first, in this order.")
    images = _optional(tuple[image(keys), ...], "Several images; keys above are for all of them.")  # type: ignore[misc]  # a type made here
    recipe = msgspec.defstruct(
        "Recipe",
        [*_fields(keys), ("step", steps, UNSET), ("image", images, UNSET)],
        rename={key.parameter: key.name for key in keys},
        forbid_unknown_fields=True,
    )
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A recipe of rootfs-builder",
        **msgspec.json.schema(recipe),
    }
    return json.dumps(found, indent=2) + "\n"


def _fields(keys: Iterable[Key]) -> list[tuple[str, Any, Any]]:
    platforms = (PLATFORMS, _optional(tuple[str, ...], _PLATFORMS_HELP), UNSET)
    return [
        *((key.parameter, _optional(_type(key), key.help), UNSET) for key in keys),
        platforms,
    ]


def _type(key: Key) -> Any:
    return Literal[key.choices] if key.kind == "choice" else _TYPES[key.kind]


def _optional(kind: Any, text: str) -> Any:
    return Annotated[kind, msgspec.Meta(description=text)] | UnsetType


def document(values: Mapping[str, Any], keys: Sequence[Key]) -> str:
    """A recipe of one image with these values.

    Raises:
        UsageError: a value is not UTF-8, which TOML is.
    """
    found = [(key, values.get(key.parameter)) for key in keys]
    return "".join(
        f"{key.name} = {_toml(value, key)}\n"
        for key, value in found
        if value not in (None, (), False, key.default)
    )


def template(values: Mapping[str, Any], keys: Sequence[Key]) -> str:
    """The same, with every other key commented out and explained."""
    others = [key for key in keys if key.parameter not in values]
    return f"""\
# `rootfs-builder build` makes the image that is described here. Every key is an option of
# `rootfs-builder pack`; relative paths start at this file's folder.
{document(values, keys)}
# All other keys:
{"".join(f"# {_example(key)}  # {key.help}{chr(10)}" for key in others)}
# A step runs first, in this folder; {{ from = "compile", path = "hello" }} in place of a path names
# a file that it makes. Tables go below all keys.
# [[step]]
# name = "compile"
# run = "make"
"""


def _example(key: Key) -> str:
    if key.parameter in EXAMPLES:
        return f"{key.name} = {_toml(EXAMPLES[key.parameter], key)}"
    value = {
        "flag": "true",
        "scope": "true",
        "number": "1",
        "choice": _quoted(next((one for one in key.choices if one != key.default), "")),
    }[key.kind]
    return f"{key.name} = {value}"


def _toml(value: Any, key: Key) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value, key)
    if key.kind == "scope" and "/" in value:
        return "true"
    if key.kind == "repeated" and len(value) == 1:
        return _text(value[0], key)
    texts = [_text(text, key) for text in value]
    line = f"[{', '.join(texts)}]"
    return line if len(line) <= _WIDTH else "[\n" + "".join(f"    {one},\n" for one in texts) + "]"


def _text(text: str, key: Key) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        what = f"{printable(text)} is not UTF-8, which a recipe must be"
        raise UsageError(Mistake(key.options[0], what)) from None
    return _quoted(text)


def _quoted(text: str) -> str:
    """A basic string: JSON's, and DEL must be escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
