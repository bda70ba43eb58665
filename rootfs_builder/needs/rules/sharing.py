"""A rule's table + the others of its file → the table with what it takes from them by `like`."""

from collections.abc import Iterator
from typing import Any

from rootfs_builder.paths import printable
from rootfs_builder.recipe.toml_lines import Path
from rootfs_builder.recipe.toml_tables import TableMistake

KEYS = ("when", "find", "landmarks", "omit")


def whole(table: Any, tables: dict[str, Any]) -> tuple[Any, list[TableMistake]]:
    """All that a rule says, and each `like` that names no rule to take anything from."""
    wrong: list[TableMistake] = []
    if not isinstance(table, dict):
        return table, wrong
    if isinstance(like := table.get("like"), str):
        table = _with_shared(table, _other(like, tables, ("like",), wrong))
    each = _tables(table)
    if any(_likes(one) for one in each):
        found = [new for one in each for new in _with_evidence(one, tables, wrong)]
        table = table | {"when": found}
    return table, wrong


def _with_shared(table: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What both say: of `find`, each key that the rule does not have; of others, the rule's own."""
    shared = {key: other[key] for key in KEYS if key in other}
    theirs, own = shared.get("find"), table.get("find")
    if isinstance(theirs, dict) and isinstance(own, dict):
        return shared | table | {"find": theirs | own}
    return shared | table


def _with_evidence(when: Any, tables: dict[str, Any], wrong: list[TableMistake]) -> Iterator[Any]:
    """A table of `when`; in place of one that is like other rules, theirs with its own keys."""
    names, at = _likes(when), ("when", "like")
    if not names:
        yield when
    own = {key: value for key, value in when.items() if key != "like"} if names else {}
    for name in names:
        other = _other(name, tables, at, wrong)
        theirs = [one for one in _tables(other) if isinstance(one, dict)]
        if other and not theirs:
            wrong.append((at, f"{printable(name)!r} has no evidence to take"))
        yield from (one | own for one in theirs)


def _other(
    name: str, tables: dict[str, Any], at: Path, wrong: list[TableMistake]
) -> dict[str, Any]:
    """The table of another rule, which takes nothing from a third; an empty one of no rule."""
    table = tables.get(name)
    if isinstance(table, dict) and not ("like" in table or any(map(_likes, _tables(table)))):
        return table
    wrong.append((at, f"{printable(name)!r} is not a rule of this file with keys of its own"))
    return {}


def _tables(rule: dict[str, Any]) -> list[Any]:
    """The tables of a rule's `when`."""
    when = rule.get("when", [])
    return when if isinstance(when, list) else [when]


def _likes(when: Any) -> list[str]:
    """The rules that a table of `when` is like."""
    names = when.get("like") if isinstance(when, dict) else None
    return names if isinstance(names, list) and all(isinstance(one, str) for one in names) else []
