"""The text of a rules file → `Rule`s, or every mistake in it with file, line and key.

A rule is data. `when` says on what evidence it acts, the rest what it then adds; README, "Rules",
describes each key for a person who writes one.
"""

import re
import tomllib
from collections.abc import Iterator

import msgspec
from msgspec import Struct, field

from rootfs_builder.errors import UsageError
from rootfs_builder.paths import printable

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_VARIABLE = re.compile(r"\{(\w+)\}")
_KINDS = ("glibc", "musl", "static")


class _Table(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    pass


class When(_Table, frozen=True):
    """Evidence: every key must hold, and of its list any element."""

    imports: tuple[str, ...] = ()
    own_imports: tuple[str, ...] = ()
    sonames: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    before: str = ""
    env: tuple[str, ...] = ()
    user: bool = False


class Find(_Table, frozen=True):
    """Regular expressions over the bytes of an object; their groups are the rule's variables.

    `soname` is a pattern for its name; without one the program itself is searched.
    """

    text: tuple[str, ...]
    soname: str = ""


class First(_Table, frozen=True):
    """The first of some paths that exists, to be placed at `to`."""

    first: tuple[str, ...]
    to: str


class Follow(_Table, frozen=True):
    """A regular expression over a file of the root; for each match the rule acts once more."""

    file: str
    text: str


class Rule(_Table, frozen=True):
    """One rule; `name` is its table's key. What each key does stands in README, "Rules"."""

    because: str
    source: str
    name: str = ""
    when: When | tuple[When, ...] = ()
    hint: str = ""
    missing: str = ""
    find: Find | None = None
    values: tuple[str, ...] = ()
    named: dict[str, tuple[str, ...]] = field(default_factory=dict)
    load: tuple[str, ...] = ()
    copy: tuple[str | First, ...] = ()
    write: dict[str, str] = field(default_factory=dict)
    directories: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    locale: tuple[str, ...] = ()
    nss: bool = False
    account: bool = False
    follow: tuple[Follow, ...] = ()

    @property
    def evidence(self) -> tuple[When, ...]:
        """The tables of `when`, any of which is enough."""
        return (self.when,) if isinstance(self.when, When) else self.when

    @property
    def acts(self) -> bool:
        """Whether it can add anything; one that cannot has a hint to say."""
        actions = (self.load, self.copy, self.write, self.directories, self.environment)
        return any((*actions, self.locale, self.nss, self.account))

    @property
    def variables(self) -> tuple[str, ...]:
        """The image's variables whose values are this rule's."""
        return tuple(name for one in self.evidence for name in one.env)

    @property
    def takes_values(self) -> bool:
        """Whether anything that it adds depends on {value}."""
        texts = (*self.load, *self.locale, *self.environment.values(), *self.paths)
        return self.nss or any("{value}" in one for one in texts)

    @property
    def needs_value(self) -> bool:
        """Whether it can add nothing unless the user says what."""
        return self.takes_values and not (self.values or self.variables or self.nss)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path template that it names."""
        copies = [path for item in self.copy for path in _places(item)]
        return (*copies, *self.write, *self.directories, *(one.file for one in self.follow))


Rules = tuple[Rule, ...]  # sorted by name


def _places(item: str | First) -> tuple[str, ...]:
    return (item,) if isinstance(item, str) else (*item.first, item.to)


def read(text: str, file: str) -> Rules:
    """The rules of one file, in its order.

    Raises:
        UsageError: each mistake on a line of its own: file, line, rule and key.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{printable(file)}: {error}") from error
    rules = []
    mistakes = []
    for name, table in document.items():
        try:
            rule = msgspec.convert(table, Rule)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$")
            found = re.search(r"[\w-]+", where) or re.search(r"`([\w-]+)`\Z", what)
            key = found[found.re.groups] if found else ""
            mistakes.append((name, key, what))
            continue
        rules.append(msgspec.structs.replace(rule, name=name))
        mistakes += [(name, key, what) for key, what in _mistakes(rules[-1])]
    if mistakes:
        lines = [
            f"{printable(file)}:{_line(text, name, key)}: [{printable(name)}] "
            + (f"{printable(key)}: {what}" if key else what)
            for name, key, what in mistakes
        ]
        raise UsageError("\n".join(lines))
    return tuple(rules)


def _line(text: str, name: str, key: str) -> int:
    """The line of a key in a rule's table; of the table where the key has none."""
    header = 1
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        table = re.match(r"\s*\[+([^\]]*)\]", line)
        if table:
            parts = table[1].replace('"', "").strip().split(".")
            inside = parts[0] == name
            if inside and (len(parts) == 1 or (parts[1:2] == [key])):
                header = number
        elif inside and key and re.match(rf'\s*"?{re.escape(key)}\b', line):
            return number
        elif not inside and re.match(rf'\s*"?{re.escape(name)}"?\s*[.=]', line):
            header = number
    return header


def _mistakes(rule: Rule) -> Iterator[tuple[str, str]]:
    """What is wrong with a rule of the right shape, as (key, sentence)."""
    if not _NAME.fullmatch(rule.name):
        yield "", "a rule's name is lower case letters, digits and dashes"
    for key in ("because", "source"):
        if not getattr(rule, key).strip():
            yield key, "empty; every rule says why it exists and where that is written"
    if rule.hint and not rule.evidence:
        yield "hint", "without `when` it would never be said"
    for one in rule.evidence:
        yield from _evidence_mistakes(one)
    yield from _pattern_mistakes(rule)
    yield from _action_mistakes(rule)


def _action_mistakes(rule: Rule) -> Iterator[tuple[str, str]]:
    if not rule.acts and not rule.hint:
        yield "", "it adds nothing: load, copy, write, directories, environment or locale"
    for path in rule.paths:
        if not path.startswith(("/", "{")) or ".." in path.split("/"):
            yield _key_of(rule, path), f"{printable(path)!r} is no absolute path without .."
    for path, mode in rule.directories.items():
        if not re.fullmatch("[0-7]{3,4}", mode):
            yield "directories", f"{printable(path)}: {mode!r} is no mode such as 1777"


def _key_of(rule: Rule, path: str) -> str:
    if path in rule.write:
        return "write"
    if path in rule.directories:
        return "directories"
    return "follow" if any(path == one.file for one in rule.follow) else "copy"


def _evidence_mistakes(when: When) -> Iterator[tuple[str, str]]:
    if when == When():
        yield "when", "an empty table would hold for every program"
    for kind in when.libc:
        if kind not in _KINDS:
            yield "libc", f"{kind!r} is none of {', '.join(_KINDS)}"
    if when.before and not re.fullmatch(r"\d+\.\d+", when.before):
        yield "before", f"{when.before!r} is no version of glibc such as 2.34"


def _pattern_mistakes(rule: Rule) -> Iterator[tuple[str, str]]:
    known = {"value"}  # of --with NAME=VALUE, at least
    patterns = [("find", one) for one in (rule.find.text if rule.find else ())]
    patterns += [("follow", one.text) for one in rule.follow]
    for key, pattern in patterns:
        try:
            known |= set(re.compile(pattern.encode()).groupindex)
        except re.error as error:
            yield key, f"{pattern!r} is no regular expression: {error}"
    texts = [("load", one) for one in rule.load] + [("locale", one) for one in rule.locale]
    texts += [(_key_of(rule, one), one) for one in rule.paths]
    texts += [("environment", one) for one in rule.environment.values()]
    for key, template in texts:
        for variable in _VARIABLE.findall(template):
            if variable not in known:
                yield key, f"{{{variable}}} is bound by no value and no group of a pattern"


def expand(template: str, variables: dict[str, str]) -> str | None:
    """A template with its variables put in; None where one is not bound."""
    if any(name not in variables for name in _VARIABLE.findall(template)):
        return None
    return _VARIABLE.sub(lambda found: variables[found[1]], template)
