"""What a rule is: a value, read from a table of a rules file.

`when` says on what evidence it acts, the rest what it then adds; docs/rules.md describes each key
for a person who writes one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import field
from msgspec.structs import replace

from rootfs_builder.needs import generated
from rootfs_builder.recipe.toml_lines import Path
from rootfs_builder.recipe.toml_tables import Table

VARIABLE = re.compile(r"\{(\w+)\}")
_AROUND = frozenset(("above", "script"))
OF_PROGRAM = frozenset(("called", "prefix"))
BOUND = OF_PROGRAM | _AROUND | {"beside", "value"}  # variables that no pattern binds
STATIC = "static"  # a program without a loader
ALL = "all"  # of --with and --without: whatever there is
Settings = dict[str, tuple[str, ...]]


STEM = "_stem"  # what the name of a variable ends in that is the stem of another


class When(Table, frozen=True):
    """Evidence: every key must hold, and of its list any element.

    What objects named in `besides` import is none: code that stands in them and is never reached.
    Symbols and sonames are globs. `like` is replaced where a file is read, see `sharing`.
    """

    like: tuple[str, ...] = ()
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
    """What is found in the bytes of an object, and in the user's words: the rule's variables.

    `soname` are patterns for its name; without any the program itself is searched, and where
    `program` says so it is too. `paths` are globs, in which `*` is any text, for the paths that the
    object spells out: each variable is one that fits one of its globs. `text` are regular
    expressions, with a variable a group; `bind` are variables that are known beforehand. For each
    match of all of these the rule acts.

    In what the user gives, arguments too, `settings` are directives, see `directives`, by the
    variables that they set, `code` has the languages whose names are meant, see `code`, and `words`
    are regular expressions. For each match of any of these with each of those above the rule acts
    once more. It is `optional` that there is any of it,
    where more is found than what is meant. More than `most` are a table of all that there is: then
    nothing is found.
    """

    text: tuple[str, ...] = ()
    soname: str | tuple[str, ...] = ()
    program: bool = False
    words: tuple[str, ...] = ()
    settings: Settings = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    optional: bool = False
    most: int = 0
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bind: dict[str, str] = field(default_factory=dict)

    @property
    def sonames(self) -> tuple[str, ...]:
        """The patterns of `soname`."""
        return (self.soname,) if isinstance(self.soname, str) else self.soname

    @property
    def in_words(self) -> bool:
        """Whether it looks at what the user gives."""
        return bool(self.words or self.settings or self.code)


class Follow(Table, frozen=True):
    """What is found in files of the image, as in words; for each match the rule acts once more."""

    file: str | tuple[str, ...]
    text: str = ""
    settings: Settings = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """The templates of `file`, each of which is followed."""
        return (self.file,) if isinstance(self.file, str) else self.file


class Rule(Table, frozen=True):
    """One rule; `name` is its table's key. docs/rules.md says what each key does.

    What it does not say itself, the rule `like` in its file may: see `sharing`.
    """

    because: str
    source: str
    name: str = ""
    like: str = ""
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
    copy: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    write: dict[str, str] = field(default_factory=dict)
    directories: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    locale: tuple[str, ...] = ()
    finder: str = ""
    generates: str = ""
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
    def nss(self) -> bool:
        """Whether it makes nsswitch.conf, with the modules of its values."""
        return self.generates == generated.NSSWITCH

    @property
    def account(self) -> bool:
        """Whether it makes the lines of the user that runs the program."""
        return self.generates == generated.USER

    @property
    def texts(self) -> dict[str, str]:
        """The texts of files that it makes, by their paths."""
        return self.write | generated.TEXTS.get(self.generates, {})

    @property
    def acts(self) -> bool:
        """Whether it can add anything; one that cannot has a hint to say."""
        actions = (self.load, self.copy, self.write, self.directories, self.environment)
        others = (self.locale, self.generates, self.accounts, self.finder)
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

    def values_of(self, word: str) -> tuple[str, ...]:
        """What a word of `--with` stands for: one that is `named`, everything, or itself."""
        everything = {ALL: ("*",)} if any("{value}" in one for one in self.copy) else {}
        return (everything | self.named).get(word, (word,))

    def needs_value(self, variables: Mapping[str, str]) -> bool:
        """Whether it can add nothing unless the user says what, in an image with `variables`."""
        says = any(variables.get(name) for name in self.variables)
        shown = self.nss or (self.finder and self.evidence)
        return self.takes_values and not (self.values or says or shown)

    def acts_with(self, bound: AbstractSet[str]) -> bool:
        """Whether it can add anything where these variables are bound, besides what follows."""
        known = {*bound, *OF_PROGRAM, *self.landmarks}
        added = [one for path, one in templates(self) if path[0] not in ("landmarks", "follow")]
        others = self.generates or self.finder
        return bool(others) or any(used((one,)) <= known for one in added)

    def takes(self, name: str, value: str) -> bool:
        """Whether a word can name something: no relative one, where all are whole paths."""
        begins = [one.startswith(f"{{{name}}}") for one in self.copy if name in used((one,))]
        return value.startswith("/") or not begins or not all(begins)

    def about(self, variables: AbstractSet[str]) -> "Rule":
        """The same rule, with no more than what some of the variables decide of."""
        by = {name for name, paths in self.landmarks.items() if used(paths) & variables}
        names = by | variables

        def some(texts: Iterable[str]) -> tuple[str, ...]:
            return tuple(one for one in texts if used((one,)) & names)

        return replace(
            self,
            copy=some(self.copy),
            load=some(self.load),
            locale=some(self.locale),
            accounts=some(self.accounts),
            write={path: self.write[path] for path in some(self.write)},
            directories={path: self.directories[path] for path in some(self.directories)},
            environment={name: one for name, one in self.environment.items() if some((one,))},
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path template that it names."""
        return tuple(path for _, path in path_templates(self))


Rules = tuple[Rule, ...]  # sorted by name


def templates(rule: Rule) -> Iterator[tuple[Path, str]]:
    """Every text that variables are put into."""
    yield from path_templates(rule)
    named = (("load", rule.load), ("locale", rule.locale), ("accounts", rule.accounts))
    for key, texts in named:
        yield from (((key, index), one) for index, one in enumerate(texts))
    yield from ((("environment", name), one) for name, one in rule.environment.items())


def path_templates(rule: Rule) -> Iterator[tuple[Path, str]]:
    """Every text that stands for paths."""
    yield from ((("copy", index), one) for index, one in enumerate(rule.copy))
    for name, paths in rule.landmarks.items():
        yield from ((("landmarks", name, index), one) for index, one in enumerate(paths))
    for key, table in (("write", rule.write), ("directories", rule.directories)):
        yield from (((key, path), path) for path in table)
    for index, follow in enumerate(rule.follow):
        yield from ((("follow", index, "file"), one) for one in follow.files)


def used(templates: Iterable[str]) -> set[str]:
    """The variables of templates."""
    return {name for one in templates for name in VARIABLE.findall(one)}


def uses(template: str, variables: AbstractSet[str]) -> bool:
    """Whether a template has one of the variables."""
    return not variables.isdisjoint(used((template,)))


def with_any(template: str, variables: dict[str, str]) -> dict[str, str]:
    """The variables, and for each other of a template whatever there is."""
    return dict.fromkeys(VARIABLE.findall(template), "*") | variables


def expand(template: str, variables: dict[str, str]) -> str | None:
    """A template with its variables put in; None where one is not bound."""
    if any(name not in variables for name in VARIABLE.findall(template)):
        return None
    return VARIABLE.sub(lambda found: variables[found[1]], template)
