"""The tables of a TOML file → structs, or every mistake in them with file, line and key.

msgspec names the first mistake of a table and stops there; a person wants all of them. So a table
is converted again, each time without the key that was wrong, until nothing is.
"""

import re
import tomllib
import typing
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from rootfs_builder.errors import UsageError
from rootfs_builder.paths import printable
from rootfs_builder.recipe.toml_lines import Lines, Path

S = TypeVar("S", bound=Struct)

_TELLING = 3  # letters that say which word may be meant

Mistake = tuple[Path, str]  # where it is, from the table on, and a sentence


class Table(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table whose keys are the fields of a subclass, with dashes."""


def parse(text: str, file: str) -> dict[str, Any]:
    """The document.

    Raises:
        UsageError: it is not TOML; file and line.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number too long; nested too deep
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)\Z", str(error))
        line = "" if at is None else f"{at[1] or text.count(chr(10)) + 1}:"
        raise UsageError(f"{printable(file)}:{line} {error}") from error


def convert(table: Any, kind: type[S]) -> tuple[S | None, list[Mistake]]:
    """A table as a struct without the keys that are wrong, and all that is; None of no table."""
    mistakes: list[Mistake] = []
    while True:
        try:
            return msgspec.convert(table, kind), mistakes
        except msgspec.ValidationError as error:
            path, what = _where(error, table, kind)
            if not path:
                return None, [*mistakes, (path, what)]
            key = path[0]  # go on without it, or as if it were there
            if key in table:
                table = {one: value for one, value in table.items() if one != key}
            else:
                table = {**table, key: "-"}
            if key not in {one[0] for one, _ in mistakes}:
                mistakes.append((path, what))


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


def _where(error: msgspec.ValidationError, table: Any, kind: type[Struct]) -> Mistake:
    """What msgspec says, and of which key; of a table with any keys it says only `[...]`."""
    what, _, text = str(error).partition(" - at `$")
    path: Path = ()
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+|\.\.\.)\]", text):
        if index == "...":
            return (*path, _unfit(table[path[0]], _types(kind)[str(path[0])])), what
        path = (*path, name or int(index))
    field = re.search(r"(unknown|required) field `(.*)`\Z", what, re.DOTALL)
    if field is None:
        return path, _advised(what, kind, path)
    if field[1] == "unknown":
        what += near(field[2], _keys(kind, path))
    return (*path, field[2]), what


def _types(kind: type[Struct]) -> dict[str, Any]:
    """The type of each key of a struct."""
    hints = typing.get_type_hints(kind)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(kind)}


def _keys(kind: Any, path: Path) -> list[str]:
    """The keys that a table at `path` below `kind` may have."""
    structs = list(_structs(kind))
    for step in path:
        if isinstance(step, str):
            types = [_types(one)[step] for one in structs if step in _types(one)]
            structs = [one for kind_ in types for one in _structs(kind_)]
    return [name for one in structs for name in _types(one)]


def _advised(what: str, kind: type[Struct], path: Path) -> str:
    """A sentence of msgspec with its way out: the words that are right, or quotes."""
    wrong = re.fullmatch(r"Invalid enum value ('.*')", what, re.DOTALL)
    if wrong is None:
        number = re.search(r"`str.*got `(int|float)`", what)
        return f"{what}; write it in quotes" if number else what
    words = [one for one in _leaves(_types(kind)[str(path[0])]) if isinstance(one, str)]
    return f"{wrong[1]} is none of {', '.join(words)}"


def _leaves(kind: Any) -> Iterator[Any]:
    """The arguments of a type, and theirs."""
    for inner in typing.get_args(kind):
        yield inner
        yield from _leaves(inner)


def _structs(kind: Any) -> Iterator[type[Struct]]:
    """The structs that a type speaks of."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
    for inner in typing.get_args(kind):
        yield from _structs(inner)


def _unfit(table: dict[str, Any], kind: Any) -> str:
    """The first key of a table without which the rest is not the matter."""
    for name, value in table.items():
        try:
            msgspec.convert({name: value}, kind)
        except msgspec.ValidationError:
            return name
    return ""
