"""The text of a policy → its rules, or every mistake in it with file and line.

A rule is data: conditions of a file, a package or the image, all of which what it forbids meets. A
policy names rules of ours, which are in `rules.toml`, and has rules of its own in the same words.

To add a rule: its table in `rules.toml`. To add a condition: its field here, and its test in
`files` or, if it is about the image as a whole, in `checking`.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, Literal, NamedTuple

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from rootfs_builder.errors import UsageError
from rootfs_builder.recipe import toml_tables, values
from rootfs_builder.recipe.toml_lines import Lines, Path
from rootfs_builder.recipe.toml_tables import Table, TableMistake

Feature = Literal["relro", "full-relro", "pie", "stack-protector", "separate-code"]
Kind = Literal["file", "dir", "symlink"]
Taken = Literal["max-size", "glibc", "packages", "other-packages", "licences", "other-licences"]
_MODE = re.compile("[0-7]{1,4}")
_BOUND = re.compile(r"(>=|<=|>|<|==)\s*([0-9]+(?:\.[0-9]+)*)")
_NO_CONDITIONS = ("because", "takes", "except_")
_OF_IMAGE = ("user", "max_size", "glibc")
_TEXTS = ("max-size", "glibc")  # what takes one text; the others take several


class Rule(Table, frozen=True, kw_only=True):
    """What is forbidden, and why. A condition that is not set is met by everything.

    `names` are patterns of last components, `paths` of whole paths, `packages` of NAME or
    NAME=VERSION, `licences` of short names; `other_…` are those that are allowed. In patterns `*`
    stands for any text, `/` too. `mode` are octal bits of which a file has one, `without_mode`
    those of which it has none. `lacks` is how an ELF file is not hardened. `user`, `max_size` and
    `glibc` are about the image, and stand alone. `except_` has the paths and packages that are let
    through.
    """

    because: str
    takes: Taken | UnsetType = UNSET
    kinds: tuple[Kind, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    mode: str = ""
    without_mode: str = ""
    executable: bool | UnsetType = UNSET
    packages: tuple[str, ...] = ()
    other_packages: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    other_licences: tuple[str, ...] = ()
    lacks: Feature | UnsetType = UNSET
    user: Literal["numeric"] | UnsetType = UNSET
    max_size: str = ""
    glibc: str = ""
    except_: tuple[str, ...] = ()

    @property
    def conditions(self) -> dict[str, Any]:
        """Those that are set, by name."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in _NO_CONDITIONS and value is not UNSET and value not in ((), "")
        }

    @property
    def asks_for_packages(self) -> bool:
        """Whether it is about the packages of files, or their licences."""
        return bool(self.packages or self.other_packages or self.licences or self.other_licences)

    @property
    def is_of_image(self) -> bool:
        """Whether it is about the image as a whole."""
        return not self.conditions.keys().isdisjoint(_OF_IMAGE)


class Named(NamedTuple):
    """A rule, and how the policy calls it."""

    name: str
    rule: Rule


Bound = tuple[str, tuple[int, ...]]  # such as (">=", (2, 36))


def bounds(text: str) -> tuple[Bound, ...]:
    """The bounds of a version: `>=2.36, <3`.

    Raises:
        UsageError: it has none, or something else.
    """
    found = [_BOUND.fullmatch(one.strip()) for one in text.split(",")]
    if not all(found):
        raise UsageError(f"{text!r} is not a version: >=2.36, or >=2.36,<2.42")
    each = ((one[1], one[2]) for one in found if one)
    return tuple((sign, tuple(map(int, number.split(".")))) for sign, number in each)


@cache
def ours() -> dict[str, dict[str, Any]]:
    """The tables of the rules that a policy may name."""
    text = resources.files(__package__).joinpath("rules.toml").read_text()
    return toml_tables.parse(text, "rules.toml")


def read(text: str, file: str) -> tuple[Named, ...]:
    """The rules of a policy.

    Raises:
        UsageError: each mistake on a line of its own: file, line and rule.
    """
    document, lines = toml_tables.parse(text, file), Lines(text)
    rules, mistakes = [], []
    for name, value in document.items():
        try:
            rule, found = _rule(name, value)
        except UsageError as error:
            rule, found = None, [((), str(error))]
        mistakes += [((name, *path), what) for path, what in found]
        if rule is not None:
            rules.append(Named(name, rule))
    if not document:
        mistakes.append(((), "empty; a rule is a line: no-shell = true"))
    if mistakes:
        raise UsageError("\n".join(_sentence(file, lines, *one) for one in mistakes))
    return tuple(rules)


def _sentence(file: str, lines: Lines, path: Path, what: str) -> str:
    key = toml_tables.key(path)
    return f"{toml_tables.place(file, lines, path)}: {f'{key}: ' if key else ''}{what}"


def _rule(name: str, value: Any) -> tuple[Rule | None, list[TableMistake]]:
    """The rule that a line of a policy is, None for one that is switched off; what is wrong.

    Raises:
        UsageError: it is none.
    """
    known = ours().get(name)
    if isinstance(value, dict):
        own = value
    elif known is None:
        raise UsageError(
            f"no such rule{toml_tables.near(name, ours())}; one of your own is a table"
        )
    elif "takes" not in known:
        if not isinstance(value, bool):
            raise UsageError("true, or a table of its own conditions and exceptions")
        own = {}
    elif isinstance(value, bool) and value:
        raise UsageError(f"takes a value, as {known['takes']}")
    else:
        many = known["takes"] not in _TEXTS and isinstance(value, str)
        own = {known["takes"]: [value] if many else value}
    if value is False:
        return None, []
    rule, mistakes = toml_tables.convert(_merged(known or {}, own), Rule)
    if "takes" in own:
        mistakes.append((("takes",), "only built-in rules take a value"))
    if rule is not None and not mistakes:
        mistakes += _wrong(rule)
    return rule, mistakes


def _merged(known: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The table of a rule of ours with the policy's keys over it; exceptions are added to ours."""
    excepted = own.get("except")
    if isinstance(excepted, list):
        own = {**own, "except": [*known.get("except", ()), *excepted]}
    return {**known, **own}


def _wrong(rule: Rule) -> Iterator[TableMistake]:
    """What is wrong with conditions of the right type."""
    if not rule.conditions:
        yield (), "no condition: which files does it forbid?"
    if rule.is_of_image and len(rule.conditions) > 1:
        yield (), f"{', '.join(_OF_IMAGE)} are about the image: each is a rule of its own"
    for key, text in (("mode", rule.mode), ("without-mode", rule.without_mode)):
        if text and not _MODE.fullmatch(text):
            yield (key,), f"{text!r} is not octal digits, such as 6000"
    for key, parse, text in (
        ("max-size", values.size, rule.max_size),
        ("glibc", bounds, rule.glibc),
    ):
        try:
            if text:
                parse(text)
        except UsageError as error:
            yield (key,), str(error)
