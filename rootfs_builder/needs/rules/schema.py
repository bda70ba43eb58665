"""The text of a rules file → `Rule`s, or every mistake in it with file, line and key.

A rule is data. `when` says on what evidence it acts, the rest what it then adds; docs/rules.md
describes each key for a person who writes one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
from msgspec import field

from rootfs_builder.errors import UsageError
from rootfs_builder.loader import dialects
from rootfs_builder.needs import general, importers
from rootfs_builder.paths import MOUNTED, below, printable
from rootfs_builder.recipe import toml_tables
from rootfs_builder.recipe.toml_lines import Lines, Path
from rootfs_builder.recipe.toml_tables import Table, TableMistake

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_VARIABLE = re.compile(r"\{(\w+)\}")
_AROUND = frozenset(("above", "script"))
_BOUND = {"beside", "called", "prefix", "value", *_AROUND}  # variables that no pattern binds
STATIC = "static"  # a program without a loader
_KINDS = (*dialects.NAMES, STATIC)
FINDERS = (*importers.NAMES, *general.NAMES)
_WITH_ANY_KEYS = ("named", "landmarks", "write", "directories", "environment")


class When(Table, frozen=True):
    """Evidence: every key must hold, and of its list any element.

    What objects named in `besides` import is none: code that stands in them and is never reached.
    """

    imports: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()
    own_imports: tuple[str, ...] = ()
    sonames: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    before: str = ""
    env: tuple[str, ...] = ()
    user: bool = False


class Find(Table, frozen=True):
    """Regular expressions over the bytes of an object; their groups are the rule's variables.

    `paths` are globs, in which `*` is any text, for the paths that the object spells out: each
    variable is one that fits one of its globs.

    `soname` is a pattern for its name; without one the program itself is searched. `words` are the
    same over what the user gives, arguments too, and any of them counts. For each match the rule
    acts, without an expression for each library of that name. It is `optional` that there is any
    of it, where its expressions find more than what is meant.
    """

    text: tuple[str, ...] = ()
    soname: str = ""
    words: tuple[str, ...] = ()
    optional: bool = False
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)


class First(Table, frozen=True):
    """The first of some paths that exists, to be placed at `to`."""

    first: tuple[str, ...]
    to: str


class Follow(Table, frozen=True):
    """A regular expression over files of the image; for each match the rule acts once more."""

    file: str | tuple[str, ...]
    text: str

    @property
    def files(self) -> tuple[str, ...]:
        """The templates of `file`, each of which is followed."""
        return (self.file,) if isinstance(self.file, str) else self.file


class Rule(Table, frozen=True):
    """One rule; `name` is its table's key. docs/rules.md says what each key does.

    One of a `product` knows programs by name, and helps none that nobody has heard of.
    """

    because: str
    source: str
    name: str = ""
    product: bool = False
    when: When | tuple[When, ...] = ()
    hint: str = ""
    more: str = ""
    unless: tuple[str, ...] = ()
    missing: str = ""
    optional: bool = False
    find: Find | tuple[Find, ...] = ()
    landmarks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    named: dict[str, tuple[str, ...]] = field(default_factory=dict)
    load: tuple[str, ...] = ()
    copy: tuple[str | First, ...] = ()
    omit: tuple[str, ...] = ()
    write: dict[str, str] = field(default_factory=dict)
    directories: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    locale: tuple[str, ...] = ()
    finder: str = ""
    nss: bool = False
    account: bool = False
    accounts: tuple[str, ...] = ()
    follow: tuple[Follow, ...] = ()

    @property
    def evidence(self) -> tuple[When, ...]:
        """The tables of `when`, any of which is enough."""
        return (self.when,) if isinstance(self.when, When) else self.when

    @property
    def finds(self) -> tuple[Find, ...]:
        """The tables of `find`, each of which is tried."""
        return (self.find,) if isinstance(self.find, Find) else self.find

    @property
    def acts(self) -> bool:
        """Whether it can add anything; one that cannot has a hint to say."""
        actions = (self.load, self.copy, self.write, self.directories, self.environment)
        others = (self.locale, self.nss, self.account, self.accounts, self.finder)
        return any((*actions, *others))

    @property
    def variables(self) -> tuple[str, ...]:
        """The image's variables whose values are this rule's."""
        return tuple(name for one in self.evidence for name in one.env)

    @property
    def by_script(self) -> frozenset[str]:
        """The variables that are directories around a script."""
        named = {name for name, paths in self.landmarks.items() if _AROUND & used(paths)}
        return _AROUND | named

    @property
    def takes_values(self) -> bool:
        """Whether anything that it adds depends on {value}."""
        texts = (*self.load, *self.locale, *self.accounts, *self.environment.values(), *self.paths)
        return self.nss or bool(self.finder) or any("{value}" in one for one in texts)

    def needs_value(self, variables: Mapping[str, str]) -> bool:
        """Whether it can add nothing unless the user says what, in an image with `variables`."""
        says = any(variables.get(name) for name in self.variables)
        return self.takes_values and not (self.values or says or self.nss or self.finder)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path template that it names."""
        return tuple(path for _, path in _path_templates(self))


Rules = tuple[Rule, ...]  # sorted by name


def read(text: str, file: str, *, own: bool = False) -> Rules:
    """The rules of one file, in its order; of our `own` a test knows that they make sense.

    Raises:
        UsageError: each mistake on a line of its own: file, line, rule and key.
    """
    rules: list[Rule] = []
    mistakes: list[TableMistake] = []
    for name, table in toml_tables.parse(text, file).items():
        rule, found = toml_tables.convert(table, Rule)
        if rule is not None and not found:
            rule = msgspec.structs.replace(rule, name=name)
            rules.append(rule)
            found += [] if own else _mistakes(rule, table)
        mistakes += [((name, *path), what) for path, what in found]
    if mistakes:
        lines = Lines(text)
        raise UsageError("\n".join(_sentence(file, lines, *one) for one in mistakes))
    return tuple(rules)


def _sentence(file: str, lines: Lines, path: Path, what: str) -> str:
    name, *keys = (one for one in path if isinstance(one, str))
    if keys[:1] and keys[0] in _WITH_ANY_KEYS:
        del keys[1:]
    key = f"{toml_tables.key(tuple(keys))}: " if keys else ""
    return f"{toml_tables.place(file, lines, path)}: [{printable(name)}] {key}{what}"


def _mistakes(rule: Rule, table: dict[str, Any]) -> Iterator[TableMistake]:
    """What is wrong with a rule of the right shape."""
    if not _NAME.fullmatch(rule.name):
        yield (), "a rule's name is lower case letters, digits and dashes"
    if "name" in table:
        yield ("name",), "the table's header is the rule's name"
    for key in ("because", "source"):
        if not getattr(rule, key).strip():
            yield (key,), "empty; every rule says why it exists and where that is written"
    for key in ("hint", "more"):
        if getattr(rule, key) and not rule.evidence:
            yield (key,), "without `when` it would never be said"
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
    known = {*_BOUND, *rule.landmarks}
    patterns: list[tuple[Path, str]] = []
    for number, find in enumerate(rule.finds):
        at: Path = ("find",) if isinstance(rule.find, Find) else ("find", number)
        yield from _find_mistakes(find, at)
        known |= find.paths.keys()
        for key, texts in (("text", find.text), ("words", find.words)):
            patterns += (((*at, key, index), one) for index, one in enumerate(texts))
    patterns += [(("follow", index, "text"), one.text) for index, one in enumerate(rule.follow)]
    for path, pattern in patterns:
        try:
            compiled = re.compile(pattern.encode())
        except (re.error, OverflowError, RecursionError) as error:
            yield path, f"{pattern!r} is not a valid regular expression: {error}"
            continue
        known |= set(compiled.groupindex)
        if compiled.match(b"\x01\x01", 1):
            yield path, rf"{pattern!r} finds nothing at every byte; …|\A finds it once"
    for path, template in _templates(rule):
        for variable in _VARIABLE.findall(template):
            if variable not in known:
                yield path, f"{{{variable}}} is bound by no value and no group of a pattern"


def _find_mistakes(find: Find, at: Path) -> Iterator[TableMistake]:
    if not (find.soname or find.text or find.words or find.paths):
        yield at, "neither soname nor text nor words nor paths"
    for name, globs in find.paths.items():
        if not (globs and all(one.startswith(("/", "*")) and one.strip("*/") for one in globs)):
            yield (*at, "paths", name), "not globs for absolute paths, such as */share/NAME"


def _templates(rule: Rule) -> Iterator[tuple[Path, str]]:
    """Every text that variables are put into."""
    yield from _path_templates(rule)
    named = (("load", rule.load), ("locale", rule.locale), ("accounts", rule.accounts))
    for key, texts in named:
        yield from (((key, index), one) for index, one in enumerate(texts))
    yield from ((("environment", name), one) for name, one in rule.environment.items())


def _path_templates(rule: Rule) -> Iterator[tuple[Path, str]]:
    for index, item in enumerate(rule.copy):
        if isinstance(item, str):
            yield ("copy", index), item
        else:
            yield from ((("copy", index, "first", at), one) for at, one in enumerate(item.first))
            yield ("copy", index, "to"), item.to
    for name, paths in rule.landmarks.items():
        yield from ((("landmarks", name, index), one) for index, one in enumerate(paths))
    for key, table in (("write", rule.write), ("directories", rule.directories)):
        yield from (((key, path), path) for path in table)
    for index, follow in enumerate(rule.follow):
        yield from ((("follow", index, "file"), one) for one in follow.files)


def _action_mistakes(rule: Rule) -> Iterator[TableMistake]:
    if not rule.acts and not rule.hint:
        keys = "load, copy, write, directories, environment, locale, accounts or finder"
        yield (), f"it adds nothing: {keys}"
    yield from _path_mistakes(rule)
    if rule.finder and rule.finder not in FINDERS:
        yield ("finder",), f"{rule.finder!r} is not one of {', '.join(FINDERS)}"
    for name in sorted(_BOUND & rule.landmarks.keys()):
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
    for at, path in _path_templates(rule):
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


def used(templates: Iterable[str]) -> set[str]:
    """The variables of templates."""
    return {name for one in templates for name in _VARIABLE.findall(one)}


def uses(template: str, variables: AbstractSet[str]) -> bool:
    """Whether a template has one of the variables."""
    return not variables.isdisjoint(used((template,)))


def expand(template: str, variables: dict[str, str]) -> str | None:
    """A template with its variables put in; None where one is not bound."""
    if any(name not in variables for name in _VARIABLE.findall(template)):
        return None
    return _VARIABLE.sub(lambda found: variables[found[1]], template)
