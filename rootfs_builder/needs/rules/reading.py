"""The text of a rules file → `Rule`s, or every mistake in it with file, line and key."""

from msgspec.structs import replace

from rootfs_builder.errors import UsageError
from rootfs_builder.needs.rules import mistakes, sharing
from rootfs_builder.needs.rules.schema import Rule, Rules
from rootfs_builder.paths import printable
from rootfs_builder.recipe import toml_tables
from rootfs_builder.recipe.toml_lines import Lines, Path

_WITH_ANY_KEYS = ("named", "landmarks", "write", "directories", "environment")


def read(text: str, file: str, *, own: bool = False) -> Rules:
    """The rules of one file, in its order; of our `own` a test knows that they make sense.

    Raises:
        UsageError: each mistake on a line of its own: file, line, rule and key.
    """
    rules: list[Rule] = []
    wrong: list[tuple[Path, str]] = []
    tables = toml_tables.parse(text, file)
    for name, table in tables.items():
        whole, unlike = sharing.whole(table, tables)
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


def _sentence(file: str, lines: Lines, path: Path, what: str) -> str:
    name, *keys = (one for one in path if isinstance(one, str))
    if keys[:1] and keys[0] in _WITH_ANY_KEYS:
        del keys[1:]
    key = f"{toml_tables.key(tuple(keys))}: " if keys else ""
    return f"{toml_tables.place(file, lines, path)}: [{printable(name)}] {key}{what}"
