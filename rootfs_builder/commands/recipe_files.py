"""RECIPE on the command line → the images that it describes, each with the task that writes it."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from rootfs_builder.errors import InputError, NotFoundError, UsageError
from rootfs_builder.paths import encode, printable

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.commands.building import ImageTask
    from rootfs_builder.recipe.file import RecipeFile, RecipeImage
    from rootfs_builder.recipe.keys import Key

_NAMES = ("rootfs.toml", "pyproject.toml")  # what is read without a name
_MAX_RECIPE = 1 << 24


class Requested(NamedTuple):
    """An image of a recipe, and the task that writes it."""

    file: "RecipeFile"
    image: "RecipeImage"
    task: "ImageTask"


def label(path: str, here: str) -> str:
    """A path as messages name it: relative if it is below the working directory."""
    relative = os.path.relpath(path, here)
    return path if relative.startswith("../") else relative


def default() -> str:
    """The recipe in the working directory.

    Raises:
        NotFoundError: there is none.
    """
    found = next((name for name in _NAMES if os.path.exists(name)), None)
    if found is None:
        raise NotFoundError(
            f"{_NAMES[0]}: no such file here; rootfs-builder init ./hello writes one, or name a "
            "recipe"
        )
    return found


def found(
    path: str, here: str, sets: tuple[str, ...], keys: "tuple[Key, ...]"
) -> Iterator[Requested]:
    """The images of a recipe, or of that in a directory; `sets` are KEY=VALUE of --set.

    Raises:
        NotFoundError, InputError: it cannot be read.
        UsageError: every mistake in it.
    """
    from rootfs_builder.commands import packing
    from rootfs_builder.commands.building import ImageTask
    from rootfs_builder.recipe import file as recipe_file
    from rootfs_builder.recipe import variants
    from rootfs_builder.recipe.values import absolute

    if os.path.isdir(encode(path)):
        path = f"{path.rstrip('/')}/{_NAMES[0]}"
    folder = os.path.dirname(absolute(path, here))
    checks = (packing.check_output, lambda one: packing.recipe(one, directory=folder))
    file = recipe_file.read(_text(path), path, keys=keys, checks=checks, sets=sets)
    for several in variants.grouped(file.images):
        values, *more = (_absolute(image.values, folder, keys) for image in several)
        results = tuple(result for image in several for result in image.results)
        shown = label(values["output"], here)
        task = ImageTask(values, results, file.steps, folder, shown, tuple(more))
        yield Requested(file, several[0], task)


def _text(path: str) -> str:
    from rootfs_builder.loader import kinds
    from rootfs_builder.pipeline import inputs

    shown = printable(path)
    advice = "; rootfs-builder init ./hello writes a recipe"
    data = inputs.beginning(path, ("", path), _MAX_RECIPE + 1, advice=advice)
    if data[:4] == b"\x7fELF":
        raise UsageError(
            f"{shown}: a program where a recipe is expected; rootfs-builder init {shown} writes "
            "one, and pack needs none"
        )
    if re.match(kinds.DOCKERFILE, data):
        raise UsageError(f"{shown}: a Dockerfile where a recipe is expected{advice}")
    if len(data) > _MAX_RECIPE:
        raise InputError(f"{shown}: over {_MAX_RECIPE:,} bytes, which no recipe has")
    return inputs.toml_text(data, ("", path))


def _absolute(values: Mapping[str, Any], folder: str, keys: "tuple[Key, ...]") -> dict[str, Any]:
    """The values, with absolute paths."""
    from rootfs_builder.recipe.destination import Destination
    from rootfs_builder.recipe.values import absolute

    def placed(path: str) -> str:
        scheme, layout = ("oci:", path[4:]) if path.startswith("oci:") else ("", path)
        return scheme + absolute(layout, folder)

    found = dict(values)
    for key in keys:
        value = values.get(key.parameter)
        if key.is_path and value:
            many = isinstance(value, tuple)
            found[key.parameter] = tuple(map(placed, value)) if many else placed(value)
    found["output"] = str(Destination.parse(values["output"]).under(folder))
    return found
