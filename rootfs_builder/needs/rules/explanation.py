"""Why a rule acts, or does not, as a value: for people and for `--json`."""

from enum import StrEnum

from msgspec import Struct

from rootfs_builder.needs.rules.matching import Variables


class Outcome(StrEnum):
    """What became of a path; the value is for people and for `--json`."""

    TAKEN = "taken"
    ABSENT = "not there"
    REFUSED = "refused"  # see reach
    UNBOUND = "not bound"  # a variable that nothing gives a value


class Key(Struct, frozen=True):
    """A key of `when`: what it wants, any of it, and what was found, "" for nothing."""

    key: str
    wants: tuple[str, ...]
    found: str


class Pattern(Struct, frozen=True):
    """A regular expression, where it was looked for, and the groups of each match."""

    where: str
    pattern: str
    matches: tuple[dict[str, str], ...]


class Seen(Struct, frozen=True):
    """What a process shows: of each table of `when` its keys; why the rule holds, if it does.

    `dlopen` is the library that it has just opened; without one it has started.
    """

    program: str
    dlopen: str
    when: tuple[tuple[Key, ...], ...]
    patterns: tuple[Pattern, ...]
    holds: str


class Tried(Struct, frozen=True):
    """A template of a rule's `key`, the path or library that it stands for, and the outcome.

    `lacks` are the variables that are not bound.
    """

    key: str
    template: str
    path: str
    outcome: Outcome
    lacks: tuple[str, ...] = ()


class Added(Struct, frozen=True):
    """What a rule added, in paths of the root and of the image."""

    trees: dict[str, int] = {}  # by where they are, how many files
    libraries: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    environment: dict[str, str] = {}


class Explanation(Struct, frozen=True):
    """Why a rule acts, or not: `seen` has what started, and each process in which it holds.

    `finder` is the code that looks for what it needs, if it is one's: that says it in findings.
    `others` counts the processes that show nothing else of it. `variables` has each set with which
    paths were tried.
    """

    rule: str
    because: str
    source: str
    finder: str
    seen: tuple[Seen, ...]
    others: int
    variables: tuple[Variables, ...]
    tried: tuple[Tried, ...]
    added: Added
    acts: bool
    hint: str
    findings: tuple[str, ...]
