"""The tables of a TOML file → structs, or every mistake in them with file, line and key.

msgspec converts a table, but reports one mistake only, as prose. Where it refuses one, the values
are compared with the types, key by key, and what is wrong is left out of what msgspec gets.
"""

import datetime as dt
import typing
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import UnionType
from typing import Any, Literal, TypeVar, Union

import msgspec
from msgspec import Struct

from rootfs_builder.errors import UsageError
from rootfs_builder.paths import printable
from rootfs_builder.recipe.toml_lines import Lines, Path

S = TypeVar("S", bound=Struct)

_TELLING = 3  # letters that are enough to guess a word by
_NAMES: dict[type, str] = {  # the types that a TOML document has, as mistakes name them
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    dt.datetime: "datetime",
    dt.date: "date",
    dt.time: "time",
    dict: "object",
    list: "array",
}
_CONVERTED: dict[Any, type] = {Literal: str, tuple: list}  # a field's type → the document's
_MISSING = "-"  # in place of a required key, so that the others can be converted

TableMistake = tuple[Path, str]  # where it is, from the table on, and a sentence


class Table(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table whose keys are the fields of a subclass, with dashes."""


def parse(text: str, file: str) -> dict[str, Any]:
    """The document.

    Raises:
        UsageError: it is not TOML; file and line.
    """
    import tomli  # for rules that are not remembered; tomllib is slower and has no limits

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise UsageError(f"{printable(file)}:{error.lineno}: {error}") from error
    except (ValueError, RecursionError) as error:  # a number too long; nested too deep
        raise UsageError(f"{printable(file)}: {error}") from error


def convert(table: Any, kind: type[S]) -> tuple[S | None, list[TableMistake]]:
    """A table as a struct without the keys that are wrong, and all that is; None of no table."""
    if not isinstance(table, dict):
        return None, [((), _not_expected(table, [kind]))]
    with suppress(msgspec.ValidationError):  # what is wrong is found below, by the types
        return msgspec.convert(table, kind), []
    mistakes = list(_in_struct(table, kind))
    wrong = {path[0] for path, _ in mistakes}
    right = {key: value for key, value in table.items() if key not in wrong}
    fields = msgspec.structs.fields(kind)
    required = {field.encode_name: _MISSING for field in fields if field.required}
    return msgspec.convert(required | right, kind), mistakes


def near(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: which one may be meant."""
    import difflib  # for mistakes alone

    names = sorted(known)
    found = difflib.get_close_matches(word, names, 1)
    long = [one for one in names if min(len(one), len(word)) >= _TELLING]
    found += [one for one in long if word.startswith(one) or one.startswith(word)]
    return f"; is it {found[0]}?" if found else ""


def key(path: Path) -> str:
    """A place as a person writes it: `step.run`."""
    return ".".join(printable(one) for one in path if isinstance(one, str))


def place(file: str, lines: Lines, path: Path) -> str:
    """`FILE:LINE`."""
    return f"{printable(file)}:{lines.of(path)}"


def _in_struct(table: dict[str, Any], kind: type[Struct]) -> Iterator[TableMistake]:
    """The first mistake of each key."""
    hints = typing.get_type_hints(kind)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key not in fields:
            yield (key,), f"Object contains unknown field `{key}`{near(key, fields)}"
        elif (found := _mistake(value, hints[fields[key].name])) is not None:
            path, what = found
            yield (key, *path), what
    for key, field in fields.items():
        if field.required and key not in table:
            yield (key,), f"Object missing required field `{key}`"


def _mistake(value: Any, kind: Any) -> TableMistake | None:
    """The first mistake in a value, with its path from there."""
    choices = list(_alternatives(kind))
    found = next((one for one in choices if _toml_type(one) is type(value)), None)
    if found is None:
        return (), _not_expected(value, choices)
    inner = typing.get_args(found)
    if isinstance(value, str):
        wrong = inner and value not in inner
        return ((), f"{value!r} is none of {', '.join(inner)}") if wrong else None
    if isinstance(value, list):
        return _in_elements(enumerate(value), inner[0])
    if isinstance(value, dict):
        if inner:
            return _in_elements(value.items(), inner[1])
        return next(_in_struct(value, found), None)
    return None


def _in_elements(elements: Iterable[tuple[str | int, Any]], kind: Any) -> TableMistake | None:
    for step, value in elements:
        if (found := _mistake(value, kind)) is not None:
            path, what = found
            return (step, *path), what
    return None


def _alternatives(kind: Any) -> Iterator[Any]:
    """The types of a union, without the one of a key that is absent; or the type itself."""
    if typing.get_origin(kind) in (Union, UnionType):
        for one in typing.get_args(kind):
            yield from _alternatives(one)
    elif kind is not msgspec.UnsetType:
        yield kind


def _toml_type(kind: Any) -> type:
    """The type in a TOML document that a field's type is converted from."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return dict
    plain = typing.get_origin(kind) or kind
    found: type = _CONVERTED.get(plain, plain)
    return found


def _not_expected(value: Any, choices: Iterable[Any]) -> str:
    """A value of another type; text that was meant needs quotes."""
    types = {_toml_type(one) for one in choices}
    expected = " | ".join(name for kind, name in _NAMES.items() if kind in types)
    quotes = "; write it in quotes" if str in types and type(value) in (int, float) else ""
    return f"Expected `{expected}`, got `{_NAMES[type(value)]}`{quotes}"
