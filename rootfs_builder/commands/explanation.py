"""Why a rule acts, or not → the lines that `rules --explain` prints."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.needs.rules import Rule
    from rootfs_builder.needs.rules.explanation import Added, Explanation, Pattern, Seen, Tried

_MOST = 8  # of anything that is listed; --json has all
_OUTCOMES = ("taken", "refused", "not there", "not bound")
_WANTED = 60  # characters of what a key looks for


def lines(rule: "Rule", found: "Explanation") -> Iterator[str]:
    """The explanation, a paragraph each: evidence, variables, paths, and what came of it."""
    yield f"{found.rule}: {found.because} ({found.source})"
    if not rule.evidence:
        yield f"it has no `when`, so it acts on --with {found.rule} alone"
    for one in found.seen:
        yield from _seen(one)
    if found.others:
        yield f"{found.others} more processes, which show nothing else of it"
    yield from _variables(found)
    yield from _tried(found.tried)
    if found.finder:
        yield f"its finder {found.finder} reads programs and texts, and says what they need"
    yield from (f"finding: {one}" for one in found.findings)
    yield _result(rule, found)


def _seen(one: "Seen") -> Iterator[str]:
    after = f", after it opens {one.dlopen}" if one.dlopen else ""
    yield f"{one.program}{after}: {'it holds' if one.holds else 'it does not hold'}"
    for number, keys in enumerate(one.when, 1):
        if len(one.when) > 1:
            yield f"  evidence {number} of {len(one.when)}"
        for key in keys:
            wants = _cut(", ".join(map(repr, key.wants)))
            yield f"  {'+' if key.found else '-'} {key.key:<12} {wants}: {key.found or 'not found'}"
    for pattern in one.patterns:
        yield from _pattern(pattern)


def _pattern(one: "Pattern") -> Iterator[str]:
    count = len(one.matches)
    what = "no match" if not count else f"{count} match{'es' if count > 1 else ''}"
    yield f"  {'+' if count else '-'} find {_cut(one.pattern)} in {one.where}: {what}"
    for groups in one.matches[:_MOST]:
        if groups:
            yield f"      {_assigned(groups)}"
    if count > _MOST:
        yield f"      and {count - _MOST} more"


def _variables(found: "Explanation") -> Iterator[str]:
    for one in found.variables[:_MOST]:
        yield f"tried with {_assigned(one)}"
    if len(found.variables) > _MOST:
        yield f"tried with {len(found.variables) - _MOST} more sets of variables"


def _tried(found: "tuple[Tried, ...]") -> Iterator[str]:
    for outcome in _OUTCOMES:
        some = [one for one in found if one.outcome == outcome]
        for one in some[:_MOST]:
            what = one.path if one.path and one.path != one.template else ""
            lacks = f"{', '.join(f'{{{name}}}' for name in one.lacks)}" if one.lacks else ""
            yield f"{outcome:<10} {one.key:<10} {one.template}{_rest(what or lacks)}"
        if len(some) > _MOST:
            yield f"{outcome:<10} {len(some) - _MOST} more"


def _result(rule: "Rule", found: "Explanation") -> str:
    if found.acts:
        return f"it acts: {'; '.join(_added(found.added)) or 'all of it is there already'}"
    if not any(one.holds for one in found.seen) and rule.evidence:
        return "it does not act: its evidence is not found"
    if found.hint:
        return f"it gives its hint alone: {found.hint}: --with {found.rule}"
    missing = f": {rule.missing}" if rule.missing else ""
    return f"it does not act: nothing that it looks for is there{missing}"


def _added(added: "Added") -> Iterator[str]:
    if added.trees:
        files = sum(added.trees.values())
        yield f"{files:,} {'file' if files == 1 else 'files'} at {_listed(tuple(added.trees))}"
    named = (("libraries", added.libraries), ("lines of", added.lines), ("makes", added.made))
    yield from (f"{what} {_listed(paths)}" for what, paths in named if paths)
    if added.environment:
        yield f"sets {_assigned(added.environment)}"


def _listed(paths: tuple[str, ...]) -> str:
    rest = f" and {len(paths) - _MOST} more" if len(paths) > _MOST else ""
    return ", ".join(paths[:_MOST]) + rest


def _assigned(variables: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in variables.items())


def _rest(text: str) -> str:
    return f": {text}" if text else ""


def _cut(text: str) -> str:
    return text if len(text) <= _WANTED else f"{text[:_WANTED]}…"
