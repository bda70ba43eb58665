"""The text of a rules file → `Rule`s, or every mistake in it with file, line and key."""

from typing import Any

from msgspec.structs import replace

from rootfs_builder.errors import UsageError
from rootfs_builder.needs.rules import mistakes
from rootfs_builder.needs.rules.schema import SHARED, Rule, Rules
from rootfs_builder.paths import printable
from rootfs_builder.recipe import toml_tables
from rootfs_builder.recipe.toml_lines import Lines, Path
from rootfs_builder.recipe.toml_tables import TableMistake

_WITH_ANY_KEYS = ("named", "landmarks", "write", "directories", "environment")


def read(text: str, file: str, *, own: bool = False) -> Rules:
    """The rules of one file, in its order; of our `own` a test knows that they make sense.

    Raises:
        UsageError: each mistake on a line of its own: file, line, rule and key.
    """
    rules: list[Rule] = []
    wrong: list[TableMistake] = []
    tables = toml_tables.parse(text, file)
    for name, table in tables.items():
        whole, unlike = _with_shared(table, tables)
        rule, found = toml_tables.convert(whole, Rule)
        found += unlike
        if rule is not None and not found:
            rule = replace(rule, name=name)
            rules.append(rule)
            found += [] if own else mistakes.of(rule, whole)
        wrong += [((name, *path), what) for path, what in found]
    if wrong:
        lines = Lines(text)
        raise UsageError("\n".join(_sentence(file, lines, *one) for one in wrong))
    return tuple(rules)


def _with_shared(table: Any, tables: dict[str, Any]) -> tuple[Any, list[TableMistake]]:
    """A rule's table, with what it does not say and the rule that it is like does."""
    if not isinstance(table, dict) or not isinstance(table.get("like"), str):
        return table, []
    like = table["like"]
    other = tables.get(like)
    if not isinstance(other, dict) or "like" in other:
        return table, [
            (("like",), f"{printable(like)!r} is not a rule of this file with keys of its own")
        ]
    return {key: other[key] for key in SHARED if key in other} | table, []


def _sentence(file: str, lines: Lines, path: Path, what: str) -> str:
    name, *keys = (one for one in path if isinstance(one, str))
    if keys[:1] and keys[0] in _WITH_ANY_KEYS:
        del keys[1:]
    key = f"{toml_tables.key(tuple(keys))}: " if keys else ""
    return f"{toml_tables.place(file, lines, path)}: [{printable(name)}] {key}{what}"
