"""The text of a recipe → its steps and images, or every mistake in it with file, line and key.

An image becomes the values of `pack`'s options, so that `recipe.options` alone decides what a value
may be. The hard part is to know where each value is written: keys above all tables are shared by
the images, an image overrides them, and `--set` overrides both.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct

from rootfs_builder.errors import Mistake, RootfsError, UsageError
from rootfs_builder.paths import printable
from rootfs_builder.recipe import keys as recipe_keys
from rootfs_builder.recipe import toml_tables, variants
from rootfs_builder.recipe.keys import AddedResult, Key, Step, StepResult, Values
from rootfs_builder.recipe.toml_lines import Lines, Path
from rootfs_builder.recipe.toml_tables import TableMistake
from rootfs_builder.recipe.values import RequestedPlatform
from rootfs_builder.recipe.variants import Value

_TABLE: Path = ("tool", "rootfs-builder")
_BY_SET = "--set"  # the first step of the path of a value from the command line


class RecipeImage(Struct, frozen=True):
    """The values of an image's options; which of them steps make; the keys as they are written."""

    values: Values
    results: tuple[StepResult, ...]
    keys: dict[str, Value]


class RecipeFile(Struct, frozen=True):
    """A recipe: its steps, in their order, and its images."""

    name: str
    steps: tuple[Step, ...]
    images: tuple[RecipeImage, ...]
    places: "_Places"

    def located(self, image: RecipeImage, error: RootfsError) -> str:
        """The message of an error about an image, with the place of each key that it is about."""
        return "\n".join(self.places.located(image.keys, one) for one in error.mistakes)


class _Places:
    """Where the keys of one file are."""

    def __init__(self, file: str, keys: Iterable[Key], lines: Lines, top: Path) -> None:
        self._file = file
        self._keys = {option: key.name for key in keys for option in key.options}
        self._lines = lines
        self._top = top

    def key(self, option: str) -> str | None:
        """The key of an option, however it is spelt."""
        return self._keys.get(option)

    def sentence(self, path: Path, what: str) -> str:
        """A sentence about the key or element at `path`."""
        if path[:1] == (_BY_SET,):
            return f"{_BY_SET} {toml_tables.key(path[1:])}: {what}"
        key = toml_tables.key(path[len(self._top) :])
        place = f"{printable(self._file)}:{self._lines.of(path)}"
        return f"{place}: {key}: {what}" if key else f"{place}: {what}"

    def report(self, mistakes: Iterable[TableMistake]) -> None:
        """Raise all that is wrong, in the order of its lines."""
        found = sorted(dict.fromkeys(mistakes), key=lambda one: self._lines.of(one[0]))
        if found:
            raise UsageError("\n".join(self.sentence(*one) for one in found))

    def located(self, keys: Mapping[str, Value], mistake: Mistake) -> str:
        """A mistake with the place of its option, and of the value that it is about."""
        value = keys.get(self.key(mistake.option) or "")
        if value is None:
            return f"{printable(self._file)}: {mistake}"
        places = (path for path, one in value.elements if _path(one) == mistake.value)
        return self.sentence(next(places, value.path), mistake.about)


def _path(element: Any) -> Any:
    return element.path if isinstance(element, StepResult) else element


class _Reader:
    """The tables of one file, and all that is wrong with them."""

    def __init__(self, text: str, file: str, keys: Sequence[Key]) -> None:
        self.document = toml_tables.parse(text, file)
        self.top: Path = ()
        if re.search(r"(^|/)pyproject\.toml\Z", file):
            self.top = _TABLE
            for name in _TABLE:
                table = self.document.get(str(name), {})
                self.document = table if isinstance(table, dict) else {}
        self.places = _Places(file, keys, Lines(text), self.top)
        self.mistakes: list[TableMistake] = []
        self.keys = {key.name: key for key in keys}
        self._image = recipe_keys.image(keys)

    def tables(self, name: str) -> list[tuple[Path, Any]]:
        """The tables of an array, with their places."""
        found = self.document.pop(name, [])
        if isinstance(found, list):
            return [((*self.top, name, index), one) for index, one in enumerate(found)]
        self.mistakes.append(((*self.top, name), f"one of several tables: [[{name}]]"))
        return []

    def convert(self, table: Any, kind: type[Struct], at: Path) -> Any:
        """A table as a struct, or None."""
        value, found = toml_tables.convert(table, kind)
        self.mistakes += [((*at, *path), what) for path, what in found]
        return value

    def image(self, table: Any, at: Path) -> dict[str, tuple[Path, Any]]:
        """The value of each key in an image's table, and where it is."""
        value = self.convert(table, self._image, at)
        found = {
            name: ((*at, name), getattr(value, key.parameter, UNSET))
            for name, key in self.keys.items()
        }
        for path, one in found.values():
            if isinstance(one, dict):  # it becomes KEY=VALUE
                wrong = [(*path, name) for name in one if "=" in name]
                self.mistakes += [(each, "a name with = in it") for each in wrong]
        platforms = getattr(value, recipe_keys.PLATFORMS, UNSET)
        found[recipe_keys.PLATFORMS] = ((*at, recipe_keys.PLATFORMS), platforms)
        return {name: one for name, one in found.items() if one[1] is not UNSET}

    def platforms(self, table: dict[str, tuple[Path, Any]]) -> tuple[RequestedPlatform, ...]:
        """The platforms of an image's table, which loses them."""
        path, value = table.pop(recipe_keys.PLATFORMS, ((), None))
        if value is None:
            return ()
        try:
            return variants.parsed(value)
        except UsageError as error:
            self.mistakes += [(path, one.text) for one in error.mistakes]
            return ()

    def steps(self) -> tuple[Step, ...]:
        """The steps, whose names are unique."""
        steps: dict[str, Step] = {}
        for at, table in self.tables("step"):
            step = self.convert(self._without_keys(table, at), Step, at)
            if step is None:
                continue
            if not step.name.strip() or not step.name.isprintable():
                self.mistakes.append(((*at, "name"), "empty; its output is shown with its name"))
            if step.name in steps:
                self.mistakes.append(((*at, "name"), f"{step.name!r} is a step already"))
            if not step.run or not step.run[0].strip():
                self.mistakes.append(((*at, "run"), 'empty; what runs: "make", or ["make", "-j"]'))
            steps[step.name] = step
        return tuple(steps.values())

    def _without_keys(self, table: Any, at: Path) -> Any:
        """The table of a step without keys of the image, each of which is a mistake."""
        if not isinstance(table, dict):
            return table
        misplaced = table.keys() & (self.keys.keys() - set(Step.__struct_fields__))
        what = "a key of the image; those go above all tables"
        self.mistakes += [((*at, name), what) for name in misplaced]
        return {name: value for name, value in table.items() if name not in misplaced}

    def sets(self, sets: Iterable[str]) -> list[tuple[Key, str, Any]]:
        """KEY=VALUE or KEY.NAME=VALUE as the key, the name, and the value that the key takes."""
        found = []
        for text in sets:
            name, equals, value = text.partition("=")
            name, _, inner = name.partition(".")
            key = self.keys.get(name)
            if key is None or not equals or (inner and key.kind != "pairs"):
                what = f"no such key{toml_tables.near(name, self.keys)}"
                what = what if key is None else f"{text!r} is not KEY=VALUE"
                self.mistakes.append(((_BY_SET, name), what))
                continue
            try:
                found.append((key, inner, _converted(key, value)))
            except ValueError as error:
                self.mistakes.append(((_BY_SET, name), f"{value!r} is not {error}"))
        return found


def read(
    text: str,
    file: str,
    *,
    keys: Sequence[Key],
    checks: Sequence[Callable[[Values], object]] = (),
    sets: Sequence[str] = (),
) -> RecipeFile:
    """The recipe in a file; `sets` are KEY=VALUE of the command line.

    Each of `checks` refuses values that are of the right type and have no meaning, by a UsageError
    that names the option.

    Raises:
        UsageError: each mistake on a line of its own: file, line and key.
    """
    reader = _Reader(text, file, keys)
    steps = reader.steps()
    images = [(at, reader.image(table, at)) for at, table in reader.tables("image")]
    shared = reader.image(reader.document, reader.top)
    overrides = reader.sets(sets)
    shared_platforms = reader.platforms(shared)
    each = [
        (at, own, reader.platforms(own) or shared_platforms)
        for at, own in images or [(reader.top, {})]
    ]
    steps = variants.steps(steps, [one for _, _, several in each for one in several])
    found = []
    for at, own, several in each:
        keys_ = _overridden(_joined(shared, own, reader.keys), overrides)
        for variant in variants.of(keys_, several):
            found.append(_image(reader, variant, {step.name for step in steps}))
            for check in checks:
                _check(reader, found[-1], at, check)
    reader.places.report(reader.mistakes)
    return RecipeFile(file, steps, tuple(found), reader.places)


def _joined(
    shared: Mapping[str, tuple[Path, Any]],
    own: Mapping[str, tuple[Path, Any]],
    keys: Mapping[str, Key],
) -> dict[str, Value]:
    """An image's own keys override the shared ones; two tables are merged name by name."""
    found = {}
    for name in {**shared, **own}:
        path, value = own.get(name) or shared[name]
        elements = _elements(keys[name], path, value)
        if name in shared and isinstance(value, dict) and isinstance(shared[name][1], dict):
            above = {one: text for one, text in shared[name][1].items() if one not in value}
            elements = _elements(keys[name], shared[name][0], above) + elements
        found[name] = Value(path, elements)
    return found


def _elements(key: Key, path: Path, value: Any) -> tuple[tuple[Path, Any], ...]:
    if isinstance(value, dict):
        return tuple(((*path, name), f"{name}={text}") for name, text in value.items())
    if isinstance(value, bool) and key.kind == "scope":
        return ((path, "/"),) if value else ()
    if key.takes_many and not isinstance(value, str):
        return tuple(((*path, index), one) for index, one in enumerate(value))
    return ((path, json.dumps(value) if isinstance(value, tuple) else value),)


def _overridden(keys: dict[str, Value], sets: Iterable[tuple[Key, str, Any]]) -> dict[str, Value]:
    """The keys, with those that the command line overrides; a list is replaced as a whole."""
    for key, inner, value in sets:
        path: Path = (_BY_SET, key.name)
        before = keys.get(key.name, Value(path, ()))
        kept: tuple[tuple[Path, Any], ...] = ()
        if inner:
            path = (*path, inner)
            kept = tuple(one for one in before.elements if not one[1].startswith(f"{inner}="))
        elif key.takes_many:
            kept = tuple(one for one in before.elements if one[0][:1] == (_BY_SET,))
        if isinstance(value, bool):
            keys[key.name] = Value(path, _elements(key, path, value))
        else:
            keys[key.name] = Value(path, (*kept, (path, f"{inner}={value}" if inner else value)))
    return keys


def _converted(key: Key, text: str) -> Any:
    """The value for a key that the command line's text is; a ValueError says what it is not."""
    if key.kind == "number":
        if not re.fullmatch("-?[0-9]{1,9}", text):
            raise ValueError("a number")
        return int(text)
    words = ("true", "false") if key.kind == "flag" else key.choices
    if words and text not in words:
        raise ValueError(f"one of {', '.join(words)}")
    if key.kind == "flag" or (key.kind == "scope" and text in ("true", "false")):
        return text == "true"
    return text


def _image(reader: _Reader, keys: dict[str, Value], steps: set[str]) -> RecipeImage:
    values: Values = {}
    results = []
    for name, value in keys.items():
        key = reader.keys[name]
        texts = []
        for path, one in value.elements:
            if isinstance(one, StepResult):
                results.append(one)
                reader.mistakes += _result_mistakes(one, path, steps)
            if isinstance(one, AddedResult):
                texts.append(f"{one.path}:{one.to}")
            else:
                texts.append(_path(one))
        values[key.parameter] = tuple(texts) if key.takes_many else texts[0]
    return RecipeImage(values, tuple(results), keys)


def _result_mistakes(result: StepResult, path: Path, steps: set[str]) -> Iterator[TableMistake]:
    if result.step not in steps:
        what = toml_tables.near(result.step, steps) or "; [[step]] makes one"
        yield (*path, "from"), f"no step {result.step!r}{what}"
    if not result.path:
        yield (*path, "path"), "empty; which file or directory of the step?"
    if isinstance(result, AddedResult) and not result.to.startswith("/"):
        yield (*path, "to"), f"{result.to!r} is not an absolute path in the image"


def _check(
    reader: _Reader, image: RecipeImage, at: Path, check: Callable[[Values], object]
) -> None:
    """Keep the mistakes in values of the right type, except of keys that are wrong already."""
    wrong = {
        path[len(table)]
        for path, _ in reader.mistakes
        for table in (at, reader.top)
        if path[: len(table)] == table and len(path) > len(table)
    }
    try:
        check(image.values)
    except UsageError as error:
        for mistake in error.mistakes:
            name = reader.places.key(mistake.option) or mistake.option
            value = image.keys.get(name, Value((*at, name), ()))
            nth = mistake.position
            place = value.path if nth is None else value.elements[nth][0]
            if name not in wrong:
                reader.mistakes.append((place, mistake.about))
