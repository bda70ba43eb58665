"""What is wrong with a rule that has the right shape, each with the keys that lead to it."""

import re
from collections.abc import Iterator
from typing import Any

from rootfs_builder.loader import dialects
from rootfs_builder.needs import general, generated, importers
from rootfs_builder.needs.rules import code
from rootfs_builder.needs.rules.schema import (
    BOUND,
    STATIC,
    STEM,
    VARIABLE,
    Find,
    Rule,
    Settings,
    When,
    path_templates,
    templates,
)
from rootfs_builder.paths import MOUNTED, below, printable
from rootfs_builder.recipe.toml_lines import Path
from rootfs_builder.recipe.toml_tables import TableMistake

FINDERS = (*importers.NAMES, *general.NAMES)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_KINDS = (*dialects.NAMES, STATIC)


def of(rule: Rule, table: dict[str, Any]) -> Iterator[TableMistake]:
    """All that is wrong with a rule, which was read from a table."""
    if not _NAME.fullmatch(rule.name):
        yield (), "a rule's name is lower case letters, digits and dashes"
    if "name" in table:
        yield ("name",), "the table's header is the rule's name"
    for key in ("because", "source"):
        if not getattr(rule, key).strip():
            yield (key,), "empty; every rule says why it exists and where that is written"
    for key in ("hint", "more"):
        if getattr(rule, key) and not rule.evidence:
            yield (key,), "without `when` it would never be shown"
    if rule.more and (rule.hint or not rule.values):
        yield ("more",), "it is for a rule that acts on `values` of its own"
    yield from _evidence_mistakes(rule, table)
    yield from _pattern_mistakes(rule)
    yield from _action_mistakes(rule)


def _evidence_mistakes(rule: Rule, table: dict[str, Any]) -> Iterator[TableMistake]:
    if table.get("when") == []:
        yield ("when",), "no table in it; without `when` a rule acts by --with alone"
    single = isinstance(rule.when, When)
    for number, when in enumerate(rule.evidence):
        at: Path = ("when",) if single else ("when", number)
        written = table["when"] if single else table["when"][number]
        empty = [key for key, value in written.items() if value in ([], "")]
        for key in empty:
            yield (*at, key), "empty, so it holds for no program"
        for key, value in written.items():
            if isinstance(value, list) and "" in value:
                yield (*at, key, value.index("")), "an empty text is in every program"
        if when == When() and not empty:
            yield at, "an empty table would hold for every program"
        for index, kind in enumerate(when.libc):
            if kind not in _KINDS:
                yield (*at, "libc", index), f"{kind!r} is not one of {', '.join(_KINDS)}"
        if when.before and not re.fullmatch(r"[0-9]+\.[0-9]+", when.before):
            yield (*at, "before"), f"{when.before!r} is not a version of glibc such as 2.34"


def _pattern_mistakes(rule: Rule) -> Iterator[TableMistake]:
    for number, find in enumerate(rule.finds):
        at: Path = ("find",) if isinstance(rule.find, Find) else ("find", number)
        yield from _find_mistakes(find, at)
    for index, follow in enumerate(rule.follow):
        if not (follow.text or follow.settings or follow.code):
            yield ("follow", index), "neither text nor settings nor code"
        yield from _code_mistakes(follow.code, ("follow", index))
    known = {*BOUND, *rule.landmarks, *_variables(rule)}
    for path, pattern in _patterns(rule):
        try:
            compiled = re.compile(pattern.encode())
        except (re.error, OverflowError, RecursionError) as error:
            yield path, f"{pattern!r} is not a valid regular expression: {error}"
            continue
        known |= set(compiled.groupindex)
        if compiled.match(b"\x01\x01", 1):
            yield path, rf"{pattern!r} finds nothing at every byte; …|\A finds it once"
    for path, template in templates(rule):
        for variable in VARIABLE.findall(template):
            if variable not in known:
                yield path, f"{{{variable}}} is bound by no value and no group of a pattern"


def _variables(rule: Rule) -> Iterator[str]:
    """The variables that are bound without a regular expression."""
    for find in rule.finds:
        yield from (*find.paths, *find.bind, *find.code, *_with_stems(find.settings))
    for follow in rule.follow:
        yield from (*follow.code, *_with_stems(follow.settings))


def _with_stems(settings: Settings) -> Iterator[str]:
    yield from settings
    yield from (f"{one}{STEM}" for one in settings)


def _patterns(rule: Rule) -> Iterator[tuple[Path, str]]:
    """Every regular expression."""
    for number, find in enumerate(rule.finds):
        at: Path = ("find",) if isinstance(rule.find, Find) else ("find", number)
        for key, texts in (("text", find.text), ("words", find.words)):
            yield from (((*at, key, index), one) for index, one in enumerate(texts))
    for index, follow in enumerate(rule.follow):
        if follow.text:
            yield ("follow", index, "text"), follow.text


def _find_mistakes(find: Find, at: Path) -> Iterator[TableMistake]:
    if find == Find(optional=find.optional):
        yield at, "neither soname nor text nor words nor paths nor settings nor code"
    yield from _code_mistakes(find.code, at)
    if find.program and not find.soname:
        yield (*at, "program"), "without `soname` the program alone is searched"
    for name, globs in find.paths.items():
        if not (globs and all(one.startswith(("/", "*")) and one.strip("*/") for one in globs)):
            yield (*at, "paths", name), "not globs for absolute paths, such as */share/NAME"


def _code_mistakes(languages: dict[str, str], at: Path) -> Iterator[TableMistake]:
    for name, language in languages.items():
        if language not in code.NAMES:
            yield (*at, "code", name), f"{language!r} is not one of {', '.join(code.NAMES)}"


def _action_mistakes(rule: Rule) -> Iterator[TableMistake]:
    if not rule.acts and not rule.hint:
        keys = "load, copy, write, directories, environment, locale, accounts or finder"
        yield (), f"it adds nothing: {keys}"
    yield from _path_mistakes(rule)
    if rule.finder and rule.finder not in FINDERS:
        yield ("finder",), f"{rule.finder!r} is not one of {', '.join(FINDERS)}"
    if rule.generates and rule.generates not in generated.KINDS:
        yield ("generates",), f"{rule.generates!r} is not one of {', '.join(generated.KINDS)}"
    for name in sorted(BOUND & rule.landmarks.keys()):
        yield ("landmarks", name), f"{{{name}}} stands for something else already"
    for path, mode in rule.directories.items():
        if not re.fullmatch("[01]?[0-7]{3}", mode):
            yield (
                ("directories", path),
                f"{printable(path)}: {mode!r} is not a valid mode such as 1777",
            )
    for name, value in rule.environment.items():
        if not re.fullmatch(r"[^=\0]+", name) or "\0" in value:
            yield ("environment", name), f"{printable(name)!r} is not a variable that can be set"


def _path_mistakes(rule: Rule) -> Iterator[TableMistake]:
    for at, path in path_templates(rule):
        parts = path.removeprefix("/").split("/")
        if not path.startswith(("/", "{")) or "\0" in path or {"", ".", ".."} & set(parts):
            what = "not an absolute path without empty parts, . and .."
            yield at, f"{printable(path)!r} is {what}"
        hidden = next((one for one in MOUNTED if below(path, one)), None)
        if hidden is not None:
            yield at, f"{printable(path)!r}: a container's runtime mounts {hidden}"
    for index, one in enumerate(rule.omit):
        if {"", ".", ".."} & set(one.split("/")):
            yield (
                ("omit", index),
                f"{printable(one)!r} is not a name, nor a path within a directory",
            )
