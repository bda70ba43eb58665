"""The text of a recipe → its steps and images, or every mistake in it with file, line and key.

An image ends as the values of `pack`'s options, so that what a value may be is said in one place,
`recipe`. The hard thing is to know of each value where it stands: keys above all tables are shared
by the images, an image says its own over them, and `--set` over both.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET, Struct

from rootfs_builder.errors import OptionsError, UsageError
from rootfs_builder.paths import printable
from rootfs_builder.recipe import keys as recipe_keys
from rootfs_builder.recipe import toml_tables
from rootfs_builder.recipe.keys import Key, Program, Result, Step, Values
from rootfs_builder.recipe.toml_lines import Lines, Path
from rootfs_builder.recipe.toml_tables import Mistake

_TABLE: Path = ("tool", "rootfs-builder")
_BY_SET = "--set"  # the first step of the path of what no file says
_OPTION = re.compile(r"(--?[\w-]+|--|EXECUTABLE):? (.*)")


class Value(NamedTuple):
    """What a key says, and where: each element, or the value itself as the only one."""

    path: Path
    elements: tuple[tuple[Path, Any], ...]


class Image(Struct, frozen=True):
    """The values of an image's options; what of them steps make; where all of it stands."""

    values: Values
    results: tuple[Program, ...]
    said: dict[str, Value]


class File(Struct, frozen=True):
    """A recipe: what runs first, in its order, and the images."""

    name: str
    steps: tuple[Step, ...]
    images: tuple[Image, ...]
    places: "_Places"

    def located(self, image: Image, sentences: str) -> str:
        """Sentences about an image's options, each with the place where the option is said."""
        return "\n".join(self.places.located(image.said, one) for one in sentences.splitlines())


class _Places:
    """Where things stand in one file."""

    def __init__(self, file: str, keys: Iterable[Key], lines: Lines, top: Path) -> None:
        self._file = file
        self._keys = {option: key.name for key in keys for option in key.options}
        self._lines = lines
        self._top = top

    def key(self, option: str) -> str | None:
        """The key of an option, however it is spelt."""
        return self._keys.get(option)

    def sentence(self, path: Path, what: str) -> str:
        """A sentence about what stands at `path`."""
        if path[:1] == (_BY_SET,):
            return f"{_BY_SET} {toml_tables.key(path[1:])}: {what}"
        key = toml_tables.key(path[len(self._top) :])
        place = f"{printable(self._file)}:{self._lines.of(path)}"
        return f"{place}: {key}: {what}" if key else f"{place}: {what}"

    def report(self, mistakes: Iterable[Mistake]) -> None:
        """Raise all that is wrong, in the order of its lines."""
        found = sorted(dict.fromkeys(mistakes), key=lambda one: self._lines.of(one[0]))
        if found:
            raise UsageError("\n".join(self.sentence(*one) for one in found))

    def located(self, said: Mapping[str, Value], sentence: str) -> str:
        """A sentence that begins with an option, at its key's place; any other, of the file."""
        match = _OPTION.fullmatch(sentence)
        name, what = (self.key(match[1]), match[2]) if match else ("executables", sentence)
        value = said.get(name or "")
        if value is None:
            return f"{printable(self._file)}: {sentence}"
        places = [path for path, one in value.elements if what.startswith(f"{_path(one)}:")]
        if not match and not places:
            return f"{printable(self._file)}: {sentence}"
        return self.sentence((places or [value.path])[0], what)


def _path(element: Any) -> Any:
    return element.path if isinstance(element, Program) else element


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
        self.mistakes: list[Mistake] = []
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

    def said(self, table: Any, at: Path) -> dict[str, tuple[Path, Any]]:
        """What each key of an image's table says, and where."""
        value = self.convert(table, self._image, at)
        found = {
            name: ((*at, name), getattr(value, key.parameter, UNSET))
            for name, key in self.keys.items()
        }
        for path, one in found.values():
            if isinstance(one, dict):  # KEY=VALUE is what it becomes
                wrong = [(*path, name) for name in one if "=" in name]
                self.mistakes += [(each, "a name with = in it") for each in wrong]
        return {name: one for name, one in found.items() if one[1] is not UNSET}

    def steps(self) -> tuple[Step, ...]:
        """What runs first; its names are told apart by them."""
        steps: dict[str, Step] = {}
        for at, table in self.tables("step"):
            step = self.convert(table, Step, at)
            known = self.keys.keys() - set(Step.__struct_fields__)
            lost = [(*at, name) for name in table if name in known] if step else []
            self.mistakes = [one for one in self.mistakes if one[0] not in lost]
            self.mistakes += [(one, "a key of the image; those stand above tables") for one in lost]
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
                found.append((key, inner, _typed(key, value)))
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
) -> File:
    """The recipe in a file; `sets` are KEY=VALUE of the command line.

    Each of `checks` refuses values that are of the right type and have no meaning, by a UsageError
    that names the option.

    Raises:
        UsageError: each mistake on a line of its own: file, line and key.
    """
    reader = _Reader(text, file, keys)
    steps = reader.steps()
    images = [(at, reader.said(table, at)) for at, table in reader.tables("image")]
    shared = reader.said(reader.document, reader.top)
    given = reader.sets(sets)
    found = []
    for at, own in images or [(reader.top, {})]:
        said = _overlaid(_joined(shared, own, reader.keys), given)
        found.append(_image(reader, said, {step.name for step in steps}))
        for check in checks:
            _check(reader, found[-1], at, check)
    reader.places.report(reader.mistakes)
    return File(file, steps, tuple(found), reader.places)


def _joined(
    shared: Mapping[str, tuple[Path, Any]],
    own: Mapping[str, tuple[Path, Any]],
    keys: Mapping[str, Key],
) -> dict[str, Value]:
    """What an image says over what is shared: instead of it, or of two tables name by name."""
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
    if recipe_keys.is_list(key):
        return tuple(((*path, index), one) for index, one in enumerate(value))
    return ((path, json.dumps(value) if isinstance(value, tuple) else value),)


def _overlaid(said: dict[str, Value], sets: Iterable[tuple[Key, str, Any]]) -> dict[str, Value]:
    """What is said, with what the command line says over it; of a list, all that it says."""
    for key, inner, value in sets:
        path: Path = (_BY_SET, key.name)
        before = said.get(key.name, Value(path, ()))
        kept: tuple[tuple[Path, Any], ...] = ()
        if inner:
            path = (*path, inner)
            kept = tuple(one for one in before.elements if not one[1].startswith(f"{inner}="))
        elif recipe_keys.is_list(key):
            kept = tuple(one for one in before.elements if one[0][:1] == (_BY_SET,))
        said[key.name] = Value(path, (*kept, (path, f"{inner}={value}" if inner else value)))
    return said


def _typed(key: Key, text: str) -> Any:
    """What the command line's text is for a key; a ValueError says what it is not."""
    if key.kind == "number":
        if not re.fullmatch("-?[0-9]{1,9}", text):
            raise ValueError("a number")
        return int(text)
    words = ("true", "false") if key.kind == "flag" else key.choices
    if words and text not in words:
        raise ValueError(f"one of {', '.join(words)}")
    return text == "true" if key.kind == "flag" else text


def _image(reader: _Reader, said: dict[str, Value], steps: set[str]) -> Image:
    values: Values = {}
    results = []
    for name, value in said.items():
        key = reader.keys[name]
        texts = []
        for path, one in value.elements:
            if isinstance(one, Program):
                results.append(one)
                reader.mistakes += _of_a_result(one, path, steps)
            if isinstance(one, Result):
                texts.append(f"{one.path}:{one.to}")
            else:
                texts.append(_path(one))
        values[key.parameter] = tuple(texts) if recipe_keys.is_list(key) else texts[0]
    return Image(values, tuple(results), said)


def _of_a_result(result: Program, path: Path, steps: set[str]) -> Iterator[Mistake]:
    if result.step not in steps:
        what = toml_tables.near(result.step, steps) or "; [[step]] makes one"
        yield (*path, "from"), f"no step {result.step!r}{what}"
    if not result.path:
        yield (*path, "path"), "empty; which file or directory of the step?"
    if isinstance(result, Result) and not result.to.startswith("/"):
        yield (*path, "to"), f"{result.to!r} is no absolute path of the image"


def _check(reader: _Reader, image: Image, at: Path, check: Callable[[Values], object]) -> None:
    """What is wrong with values of the right type; nothing of a key that is wrong already."""
    wrong = {
        path[len(table)]
        for path, _ in reader.mistakes
        for table in (at, reader.top)
        if path[: len(table)] == table and len(path) > len(table)
    }
    try:
        check(image.values)
    except UsageError as error:
        for option, index, what in _parts(error):
            name = reader.places.key(option) or option
            value = image.said.get(name, Value((*at, name), ()))
            place = value.path if index is None else value.elements[index][0]
            if name not in wrong:
                reader.mistakes.append((place, what))


def _parts(error: UsageError) -> Iterator[tuple[str, int | None, str]]:
    """Each option that an error is about, which of its values, and a sentence."""
    found = error.found if isinstance(error, OptionsError) else (("", None, str(error)),)
    for option, index, what in found:
        name, _, rest = f"{option}: {what}".removeprefix(": ").partition(" ")
        yield name.rstrip(":"), index, rest
