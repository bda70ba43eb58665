"""Processes + rules → what the rules add: libraries, files, lines, variables.

A worklist: each process's evidence is matched, what a rule loads is a process with more evidence,
and so on until nothing new comes. A request is answered once, whoever makes it, and everything is
sorted at the end, so the order in which rules act is not to be seen in the result.
"""

from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.errors import NotFoundError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.loader import nss
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs import rules
from rootfs_builder.needs.closure import Program, RuleOutput, Tree
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.rules import Match, Rule, Rules, Variables, evidence, requests
from rootfs_builder.needs.rules.answers import Answers
from rootfs_builder.needs.rules.dlopen_calls import DlopenCalls, Process
from rootfs_builder.needs.rules.files import FileOutput, RuleFiles, joined
from rootfs_builder.needs.rules.found_nothing import FoundNothing
from rootfs_builder.needs.rules.loads import Effect, Loads
from rootfs_builder.needs.rules.notes import DlopenNotes
from rootfs_builder.needs.rules.outputs import Outputs, named
from rootfs_builder.needs.rules.reach import Reach
from rootfs_builder.needs.rules.schema import expand
from rootfs_builder.needs.rules.sessions import Sessions
from rootfs_builder.needs.rules.user_input import Bound, UserInput, UserInputSearch, collect
from rootfs_builder.needs.startup import Startup
from rootfs_builder.needs.users import User
from rootfs_builder.packages import Owners
from rootfs_builder.paths import SourcePath, named_in
from rootfs_builder.recipe import Recipe

_Next = dict[Bound, tuple[Variables, frozenset[str]]]  # with what decides in them
_Hint = tuple[bool, int, Clue, tuple[Variables, ...]]  # how far its evidence is, that, its places


class RuleResult(Struct, frozen=True):
    """The programs and added trees with all that rules make them load, and what rules add."""

    programs: tuple[Program, ...]
    added: tuple[Tree, ...]
    output: RuleOutput
    findings: tuple[Finding, ...]


def run(
    recipe: Recipe,
    sources: Sources,
    startup: Startup,
    all_rules: Rules,
    *,
    programs: tuple[Program, ...],
    added: tuple[Tree, ...],
    owners: Owners,
    user: User | None = None,
) -> RuleResult:
    """Let the rules act on all programs and added trees, until nothing new comes.

    Raises:
        UsageError: `--with` or `--without` has no meaning here.
        NotFoundError: what `--with` asks for is not on this machine.
    """
    requested = dict(recipe.with_rules)
    requests.check(all_rules, requested, recipe.without, dict(recipe.env))
    user_input = collect(recipe, programs, added, startup.elf_files, all_rules)
    reach = Reach(startup.elf_files.walker, programs, owners.is_published)
    files = RuleFiles(sources, startup, user_input, reach, added)
    worklist = _RuleWorklist(
        recipe,
        startup,
        all_rules,
        files,
        user_input,
        programs=programs,
        owners=owners,
        user=user,
    )
    result = worklist.run(programs, added)
    requests.check_without(all_rules, recipe.without, worklist.named_by_notes)
    if worklist.loads.missing_services:
        raise NotFoundError(*dict.fromkeys(worklist.loads.missing_services))
    without = requests.left_out(all_rules, requested, recipe.without)
    kept = tuple(rule for rule in all_rules if rule.name not in without)
    requests.check_done(kept, requested, worklist.answered)
    return result


class _Key(Struct, frozen=True):
    """One application of a rule: in a program, with a set of variables, by an object's bytes."""

    rule: str
    variables: Bound
    program: Loaded
    by: Loaded | None


class _Applied(Struct, frozen=True):
    """What one application did, and each set of variables to apply the rule with next."""

    effect: Effect
    next: _Next


class _RuleWorklist:
    """The rules at work on the programs of one build."""

    def __init__(
        self,
        recipe: Recipe,
        startup: Startup,
        all_rules: Rules,
        files: RuleFiles,
        user_input: UserInput,
        *,
        programs: tuple[Program, ...],
        owners: Owners,
        user: User | None,
    ) -> None:
        self._requested = dict(recipe.with_rules)
        without = requests.left_out(all_rules, self._requested, recipe.without)
        self._rules = tuple(rule for rule in all_rules if rule.name not in without)
        self._variables = user_input.variables
        self._searches = UserInputSearch(user_input)
        self._elf_files = startup.elf_files
        self._files = files
        self._user = user
        self._own: frozenset[SourcePath] = frozenset()  # what is packed without any rule
        self._calls = DlopenCalls(startup)
        self.loads = Loads(self._calls, self._requested)
        self._notes = DlopenNotes(recipe, self._calls, files.may_open)
        self._done: dict[_Key, _Applied] = {}
        self._outputs = Outputs()
        self._hints = dict[str, _Hint]()
        self._findings: set[Finding] = set()
        self._nothing = FoundNothing()
        self.answered: set[tuple[str, str]] = set()  # (rule, value) of what acted
        self._answers = Answers(
            files, self._outputs, self.loads, user=user, search_path=recipe.search_path
        )
        self._sessions = Sessions(
            recipe, owners, files.image, programs=programs, answer=self._answers.answer
        )

    @property
    def named_by_notes(self) -> set[str]:
        """All libraries of dlopen notes."""
        return self._notes.named

    def run(self, programs: tuple[Program, ...], added: tuple[Tree, ...]) -> RuleResult:
        """Look at each process, and at those that come with it."""
        nodes = (path for tree in added for path, _ in tree.nodes)
        self._own = frozenset((*(one.real for one in programs), *nodes))
        for program in programs:
            self._calls.enter(program)
        for tree in added:
            self._calls.enter_tree(tree)
        while True:
            for maps in self._calls.new():
                self._process(maps)
            if self._sessions.step():
                continue
            told = {*self._answers.findings(), *self._hinted()}
            if not self._sessions.last(self._there() | self._outputs.left_out, told):
                break
        found = {*self._findings, *self.loads.findings, *self._answers.findings()}
        found |= {*self._hinted(), *self._files.left_out(self._there())}
        found |= {*self._files.image.too_large()}
        self._nothing.told |= self.loads.told
        found.update(self._nothing.warnings(self._files.refused))
        findings = sorted(found, key=lambda one: (one.level, one.text))
        return RuleResult(
            tuple(map(self._calls.with_calls, programs)),
            self._with_calls(added),
            replace(self._outputs.whole(self._with_calls), published=self._files.published),
            (*self._outputs.findings, *findings),
        )

    def _with_calls(self, trees: tuple[Tree, ...]) -> tuple[Tree, ...]:
        return tuple(
            replace(tree, programs=tuple(map(self._calls.with_calls, tree.programs)))
            for tree in trees
        )

    def _there(self) -> AbstractSet[SourcePath]:
        """The files that are in the image, but for libraries."""
        return self._own | {path for tree in self._outputs.trees for path, _ in tree.nodes}

    def _hinted(self) -> Iterator[Finding]:
        """One hint a rule, of the nearest evidence, unless all that it would add is there."""
        there = self._there()
        for rule in self._rules:
            if rule.name not in self._hints:
                continue
            *_, clue, places = self._hints[rule.name]
            if not self._files.has_all(rule, places, there):
                flag = f": --with {rule.name}" if rule.acts else ""
                text = f"{rule.hint}{flag} ({clue.text})"
                found = hint(Code.RULE_HINT, text, *named(rule.hint, clue))
                yield replace(found, rule=rule.name if rule.acts else "")
        yield from self._notes.left_out()

    def _process(self, maps: Process) -> None:
        seen = evidence.of(maps, self._elf_files, self._searches)
        for match in rules.match(self._rules, seen, self._requested):
            self._match(match, maps)
        if maps[0].calls:
            self._sessions.opened(maps)
        for loaded in seen.found.values():
            for note in self._elf_files.notes(loaded.real):
                opened = self._notes.follow(note, loaded, maps)
                if isinstance(opened, Finding):
                    self._findings.add(opened)
                elif opened is not None:
                    self._outputs.remember(opened.soname, opened.because, opened.clue, maps)

    def _match(self, match: Match, maps: Process) -> None:
        """Apply a rule that holds, and say what came of it."""
        rule, requested = match.rule, match.rule.name in self._requested
        program = maps[0].program
        if not match.variables and not self._is_answered(rule):
            helper = program.real not in self._own
            places = tuple(self._files.located(rule, one, program) for one in match.places)
            nearest = (helper, len(maps[0].calls), match.evidence, places)
            self._hints[rule.name] = min(self._hints.get(rule.name, nearest), nearest, key=_near)
        effects = self._effects(match, maps)
        self.answered |= {(rule.name, value) for value, effect in effects.items() if effect}
        if not requested:
            keys = {one: _Key(rule.name, one, program, match.by) for one in _bounds(match)}
            each = {one: self._done[key].effect for one, key in keys.items()}
            self._nothing.remember(match, program.real, effects, each)
        if Effect.ADDED in effects.values():
            self._outputs.remember(rule.name, rule.because, match.evidence, maps)
        if rule.more and any(effects.values()) and not requested:
            self._findings.add(hint(Code.RULE_HINT, rule.more, *named_in(rule.more)))

    def _is_answered(self, rule: Rule) -> bool:
        """Whether the user gave one of the flags that a hint speaks of."""
        answers = {*self._variables, *self._requested, *(["-u"] if self._user else [])}
        return not answers.isdisjoint(rule.unless)

    def _effects(self, match: Match, maps: Process) -> dict[str, Effect]:
        """Apply a rule with each set of variables, and with those that follow from one.

        The most that was done is the effect of the value with which it began.
        """
        effects: dict[str, Effect] = {}
        todo = deque(
            (one.get("value", ""), frozenset(one.items()), (one, match.decided))
            for one in match.variables
        )
        reached = set()
        while todo:
            value, bound, (variables, decided) = todo.popleft()
            if (value, bound) in reached:
                continue
            reached.add((value, bound))
            key = _Key(match.rule.name, bound, maps[0].program, match.by)
            if key not in self._done:
                self._done[key] = self._apply(match, variables, decided, maps)
            done = self._done[key]
            effects[value] = max(effects.get(value, Effect.NOTHING), done.effect)
            todo.extendleft((value, *one) for one in done.next.items())
        return effects

    def _apply(
        self, match: Match, variables: Variables, decided: frozenset[str], maps: Process
    ) -> _Applied:
        """Do all that a rule says for one set of variables, or what depends on the decided ones."""
        rule = match.rule.about(decided) if decided else match.rule
        host = maps[0] if maps[0].loader else None
        variables = self._files.located(rule, variables, maps[0].program)
        outputs = [self._files.act(rule, variables, host), *self._accounts(rule, variables)]
        libraries = [*self._files.libraries(rule, variables)]
        if rule.nss:
            values = tuple(one["value"] for one in match.variables if "value" in one)
            services, output = self._files.switch(rule, values)
            outputs.append(output)
            libraries += map(nss.module, services)
        taken = joined(outputs)
        done = [self._take(taken, rule)]
        self._sessions.bring_settings(taken.trees, maps[0].program)
        if self._files.built_in(rule, variables):
            done.append(Effect.PRESENT)
        for one in libraries:
            if one.startswith("/"):
                self._files.image.cover(one, by_rule=True)
        done += [self.loads.load(one, rule, maps, match.by) for one in libraries]
        if rule.finder:
            self._sessions.open(rule, variables, maps)
            done.append(Effect.NOTHING if rule.copy else Effect.PRESENT)
        if any(done) or not rule.locale:
            done.append(self._set(rule, variables))
        return _Applied(max(done), self._next(match, variables))

    def _accounts(self, rule: Rule, variables: Variables) -> Iterator[FileOutput]:
        if rule.account and self._user is not None:
            yield self._files.account(rule, self._user)
        for name in (expand(template, variables) for template in rule.accounts):
            if name:
                yield self._files.known_account(rule, name)

    def _take(self, output: FileOutput, rule: Rule) -> Effect:
        """Keep what a rule adds; a tree has programs and plugins to be looked at."""
        self._outputs.add(output)
        self._nothing.told.update((rule.name,) if output.findings else ())
        for tree in output.trees:
            self._calls.enter_tree(tree)
            self._files.image.cover(tree.destination, by_rule=True)
        return Effect.ADDED if output.found else Effect.NOTHING

    def _next(self, match: Match, variables: Variables) -> _Next:
        """The variables that follow from files of the image, with those of the match's places."""
        value = {name: one for name, one in variables.items() if name == "value"}
        following: _Next = {}
        for found in self._files.followed(match.rule, variables):
            for place in match.places:
                one = place | value | found
                bound = frozenset(one.items())
                following.pop(bound, None)  # of equal ones the last counts, as it is taken first
                following[bound] = one, frozenset(found)
        return following

    def _set(self, rule: Rule, variables: Variables) -> Effect:
        """Variables of the image, unless the user sets them or what they follow from."""
        done = Effect.PRESENT if rule.environment else Effect.NOTHING
        theirs = self._variables.keys() & set(rule.variables)
        for variable, template in rule.environment.items():
            value = expand(template, variables)
            if value is not None and variable not in self._variables and not theirs:
                self._outputs.set(variable, value, rule.name)
                done = Effect.ADDED
        return done


def _near(one: _Hint) -> tuple[bool, int, Clue]:
    return one[:3]


def _bounds(match: Match) -> tuple[Bound, ...]:
    return tuple(frozenset(one.items()) for one in match.variables)
