"""What came of each rule that held → a warning for each that brought nothing.

Evidence says that the program needs something, and it is not in the image: that is never silent,
unless the rule says that finding nothing is normal. It is looked at when all rules have acted: what
one of several places does not have, another may.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.rules.loads import Effect
from rootfs_builder.needs.rules.matching import Match
from rootfs_builder.needs.rules.outputs import named
from rootfs_builder.needs.rules.schema import Rule
from rootfs_builder.needs.rules.user_input import Bound
from rootfs_builder.paths import Key


class _Held(Struct, frozen=True):
    """What came of a rule, by value, and the nearest evidence for it."""

    rule: Rule
    evidence: Clue
    effects: dict[str, Effect]

    def __or__(self, other: "_Held") -> "_Held":
        each = {**self.effects, **other.effects}
        most = {
            value: max(effect, self.effects.get(value, effect)) for value, effect in each.items()
        }
        return _Held(self.rule, min(self.evidence, other.evidence), most)


class FoundNothing:
    """Remembers what came of each match, to be asked for `warnings` at the end."""

    def __init__(self) -> None:
        self.told: set[str] = set()  # the rules of which something else says what was not there
        self._programs: dict[tuple[str, Key], _Held] = {}
        self._words: dict[tuple[str, Bound], _Held] = {}

    def remember(
        self,
        match: Match,
        program: Key,
        effects: dict[str, Effect],
        each: Mapping[Bound, Effect],
    ) -> None:
        """Keep the effect of a match by value, or where words of the user's name things, by them.

        `each` has the effect by set of variables.
        """
        rule = match.rule
        if rule.optional:
            return
        if match.words is None:
            key = (rule.name, program)
            held = _Held(rule, match.evidence, effects)
            self._programs[key] = self._programs.get(key, held) | held
            return
        for word, clue in match.words.items():
            done = [effect for bound, effect in each.items() if word <= bound]
            if done:
                held = _Held(rule, clue, {"": max(done)})
                self._words[rule.name, word] = self._words.get((rule.name, word), held) | held

    def warnings(self, refused: AbstractSet[tuple[str, str]]) -> Iterator[Finding]:
        """One a rule, and one for each of the user's words that names what is not there.

        None is about what rules were `refused`, as (path, rule): that is a warning itself.
        """
        told = self.told | {rule for _, rule in refused}
        nearest: dict[str, _Held] = {}
        for held in self._programs.values():
            name = held.rule.name
            if name not in told and _lacks(held.effects, held.rule.values):
                nearest[name] = min(nearest.get(name, held), held, key=lambda one: one.evidence)
        for held in nearest.values():
            rule, clue = held.rule, held.evidence.text
            what = rule.missing or f"{rule.because}; install that, or --without {rule.name}"
            yield _warning(held, f"brings nothing: {what} ({clue})")
        for (_, word), held in self._words.items():
            named_by = {name for _, name in word}
            is_told = any(path.endswith(one) for path, _ in refused for one in named_by)
            if _lacks(held.effects, ()) and not is_told:
                advice = held.rule.missing or "install it, or give it with --add"
                yield _warning(held, f"finds nothing: {held.evidence.text}; {advice}")


def _warning(held: _Held, text: str) -> Finding:
    what = held.rule.missing or held.rule.because
    return warning(Code.RULE_FOUND_NOTHING, f"{held.rule.name} {text}", *named(what, held.evidence))


def _lacks(effects: Mapping[str, Effect], own: tuple[str, ...]) -> bool:
    """Whether nothing was there for a value; of several that are the rule's `own`, for any."""
    lacking = {value for value, effect in effects.items() if not effect}
    return bool(lacking) and (lacking == effects.keys() or not lacking <= set(own))
