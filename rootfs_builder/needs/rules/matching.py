"""Rules + the evidence of one process + the user's words → which rules act, and on what."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue, joined
from rootfs_builder.needs.rules.evidence import Evidence, any_of, shown
from rootfs_builder.needs.rules.requests import Requested
from rootfs_builder.needs.rules.schema import Find, Rule, Rules, When
from rootfs_builder.needs.rules.user_input import UserInputSearch, Words
from rootfs_builder.paths import SourcePath, decode, named_in, parent

Variables = dict[str, str]
Places = tuple[Variables, ...]


class Match(Struct, frozen=True, eq=False):
    """A rule that holds for a process.

    `evidence` says why in words; `by` is the object whose bytes were searched, if not the
    program's; `variables` has one set for each time the rule acts, and is empty where it only
    gives its hint. `places` are the groups of its patterns over objects alone: what a file of the
    root names is looked for in all of them. `words` are what the user's own words name, each with
    where, if it is about those; then only what depends on the variables that are `decided` is done.
    """

    rule: Rule
    evidence: Clue
    by: Loaded | None
    variables: tuple[Variables, ...]
    places: tuple[Variables, ...] = ({},)
    words: Words | None = None
    decided: frozenset[str] = frozenset()


def match(rules: Rules, evidence: Evidence, requested: Requested) -> tuple[Match, ...]:
    """The rules that hold for a process, in their order."""
    return tuple(one for rule in rules for one in _match(rule, evidence, requested))


def _match(rule: Rule, evidence: Evidence, requested: Requested) -> Iterator[Match]:
    by_name = rule.name in requested
    why = Clue(f"--with {rule.name}") if by_name else _evidence(rule, evidence)
    if why is None:
        return
    values = _values(rule, evidence, requested)
    found = tuple(_find(rule, evidence, {"value"} if values else set()))
    if rule.hint and not by_name:  # what the user's own words name is requested by them
        found = tuple(one for one in found if one.clue) or tuple(
            replace(one, variables=()) for one in found
        )
    for one in found:
        variables = tuple(_with_values(one.variables, values))
        decided = frozenset() if rule.hint else one.decided
        yield Match(rule, one.clue or why, one.by, variables, one.places, one.words, decided)


def _with_values(found: tuple[Variables, ...], values: tuple[str, ...]) -> Iterator[Variables]:
    """Each set of variables with each value, unless a pattern has found one."""
    for variables in found:
        if "value" in variables or not values:
            yield variables
        else:
            yield from (variables | {"value": one} for one in values)


def _values(rule: Rule, evidence: Evidence, requested: Requested) -> tuple[str, ...]:
    """What {value} stands for: as asked, else as the environment says, else as the rule does."""
    values = requested.get(rule.name, ())
    if values:
        return tuple(value for word in values for value in rule.values_of(word))
    variables = evidence.user_input.variables
    settings = [variables[one] for one in rule.variables if variables.get(one)]
    named = dict.fromkeys(one.removeprefix(":") for one in settings)  # tzset(3): TZ=:NAME
    return tuple(named) or rule.values


def _evidence(rule: Rule, evidence: Evidence) -> Clue | None:
    """Why a rule holds; None where it does not."""
    for when in rule.evidence:
        why = _holds(when, evidence)
        if why is not None:
            return why
    return None


def _holds(when: When, evidence: Evidence) -> Clue | None:
    """The evidence for one table; None unless every key of it holds."""
    if not (is_libc(when, evidence) and is_before(when, evidence)):
        return None
    clues = []
    for _, clue in clues_of(when, evidence):
        if clue is None:
            return None
        clues.append(clue)
    return joined(clues) if clues else Clue(f"it is {evidence.libc}")


def is_libc(when: When, evidence: Evidence) -> bool:
    """Whether the process has one of the libcs that `libc` names, if it names any."""
    return not when.libc or evidence.libc in when.libc


def is_before(when: When, evidence: Evidence) -> bool:
    """Whether its glibc is older than `before`, if that is set."""
    return not when.before or (0, 0) < evidence.version < _version(when.before)


def clues_of(when: When, evidence: Evidence) -> Iterator[tuple[str, Clue | None]]:
    """A clue for each key that is set, but for `libc` and `before`; None where nothing is found."""
    user_input = evidence.user_input
    if when.user:
        yield "user", Clue(f"-u {user_input.user}") if user_input.user else None
    if when.env:
        variable = next((name for name in when.env if user_input.variables.get(name)), None)
        yield "env", _setting(variable, user_input.variables[variable]) if variable else None
    for key, symbols in (("own-imports", when.own_imports), ("imports", when.imports)):
        if symbols:
            own, besides = key == "own-imports", any_of(when.besides)
            call = evidence.importing(symbols, own=own, besides=besides)
            yield key, Clue(f"{shown(call[1])} calls {call[0]}") if call else None
    if when.sonames:
        loaded = evidence.named(any_of(when.sonames))
        yield "sonames", Clue(f"{shown(loaded[0])} is loaded") if loaded else None
    if when.text:
        yield "text", evidence.containing(when.text)


def _setting(variable: str, value: str) -> Clue:
    return Clue(f"-e {variable}={value}", named_in(value))


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


class _Found(Struct, frozen=True):
    """What a table of `find` gives in the object `by`: see Match.

    `clue` says what in the user's own words it is about, if anything, and `decided` has the
    variables that these set: what depends on none of them is done without them.
    """

    by: Loaded | None = None
    places: tuple[Variables, ...] = ({},)
    variables: tuple[Variables, ...] = ({},)
    clue: Clue | None = None
    words: Words | None = None
    decided: frozenset[str] = frozenset()


def _find(rule: Rule, evidence: Evidence, known: AbstractSet[str]) -> Iterator[_Found]:
    """What each of a rule's tables gives, in each object in which all that it looks for is found.

    Each match of a pattern goes with each of the others, and once more with each in the user's
    words. A library's directory is {beside}: a path of its plugins that starts there need not be
    compiled in, or is so in pieces. That of a script is {script}, and the one it is in {above}.
    """
    if not rule.finds:
        yield _Found()
    for find in rule.finds:
        for by, places in _places(find, evidence):
            adds = rule.acts_with(places[0].keys() | known)
            found = _Found(by, places, places)
            yield from _with_words(rule, find, found, evidence.searches, adds=adds)


def _places(find: Find, evidence: Evidence) -> Iterator[tuple[Loaded | None, Places]]:
    """Each object in which all is found, with the variables of each match."""
    scripts = tuple(map(_around, evidence.user_input.scripts)) or ({},)
    for loaded in evidence.to_search(find):
        by = None if loaded is evidence.program else loaded
        known = find.bind | ({"beside": parent(loaded.real)} if by else {})
        hits = [evidence.elf_files.search(loaded.real, one.encode()) for one in find.text]
        hits += (evidence.spelling(loaded, name, globs) for name, globs in find.paths.items())
        each = () if any(_is_table(find, one) for one in hits) else (*itertools.product(*hits),)
        places = tuple(one | known | _variables(hit) for one in scripts for hit in each)
        if places:
            yield by, places


def _with_words(
    rule: Rule, find: Find, found: _Found, searches: UserInputSearch, *, adds: bool
) -> Iterator[_Found]:
    """What is found without the user's words, if that is of use, and with each of them."""
    if not find.in_words:
        yield replace(found, words={}) if find.optional else found
        return
    if adds or rule.hint or rule.follow:
        yield found if adds else replace(found, words={})
    words = searches.search(find)
    if words and not _is_table(find, words):
        named = {} if find.optional else _named(rule, searches.clues(find))
        variables = tuple(place | _variables([one]) for one in words for place in found.places)
        clue = searches.describe_match(find)
        decided = frozenset(name for one in words for name in one)
        yield replace(found, variables=variables, clue=clue, words=named, decided=decided)


def _is_table(find: Find, hits: Sequence[object]) -> bool:
    """Whether more is found than somebody chooses from."""
    return 0 < find.most < len(hits)


def _named(rule: Rule, words: Words) -> Words:
    """Those that can name something of the rule."""
    return {one: clue for one, clue in words.items() if all(rule.takes(*pair) for pair in one)}


def _around(script: SourcePath) -> Variables:
    return {"script": parent(script), "above": parent(parent(script))}


def _variables(hits: Iterable[dict[str, bytes]]) -> Variables:
    return {name: decode(value) for hit in hits for name, value in hit.items()}
