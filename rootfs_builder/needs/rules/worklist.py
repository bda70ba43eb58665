"""Processes + rules → what the rules bring: libraries, files, lines, variables.

A worklist: each process's evidence is matched, what a rule loads is a process with more evidence,
and so on until nothing new comes. A request is answered once, whoever makes it, and everything is
sorted at the end, so the order in which rules act is not to be seen in the result.
"""

from msgspec.structs import replace

from rootfs_builder.elf.dlopen_notes import Note
from rootfs_builder.errors import Mistake, NotFoundError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.loader.link_map import Loaded
from rootfs_builder.needs import rules
from rootfs_builder.needs.closure import Applied, Program, Supply, Tree
from rootfs_builder.needs.rules import Match, Rule, Rules, Variables, evidence, requests, user_input
from rootfs_builder.needs.rules.dlopen_calls import Calls, Process
from rootfs_builder.needs.rules.files import RuleFiles
from rootfs_builder.needs.rules.schema import expand
from rootfs_builder.needs.rules.user_input import Given
from rootfs_builder.needs.startup import Startup
from rootfs_builder.needs.users import User
from rootfs_builder.paths import SourcePath, printable
from rootfs_builder.recipe import Recipe

_NOTHING, _THERE, _BROUGHT = range(3)  # of a rule: it has nothing, nothing new, something new
_PRIORITIES = ("none", "required", "recommended", "suggested")


class Supplies:
    """The rules at work on the programs of one build; `findings` has what there is to say."""

    def __init__(
        self,
        recipe: Recipe,
        sources: Sources,
        startup: Startup,
        rules_: Rules,
        *,
        user: User | None = None,
    ) -> None:
        self._recipe = recipe
        self._user = user
        self._objects = startup.objects
        self._all_rules = rules_
        self._rules = tuple(rule for rule in rules_ if rule.name not in recipe.without)
        self._asked = dict(recipe.with_rules)
        self._variables = dict(recipe.env)
        self._given = Given(self._variables)
        self._files = RuleFiles(sources, startup)
        self._acted: dict[object, int] = {}
        self._calls = Calls(startup)
        self._environment: dict[str, set[tuple[str, str]]] = {}
        self._applied: dict[tuple[str, Loaded], tuple[int, str, str]] = {}
        self._suggested: set[str] = set()
        self._hints: dict[str, tuple[bool, int, str]] = {}
        self.findings: set[Finding] = set()
        self._lacking: list[Mistake] = []
        self._noted: set[str] = set()  # what dlopen notes name
        self._answered: set[tuple[str, str]] = set()  # (rule, value) of what acted

    def run(self, programs: tuple[Program, ...], added: tuple[Tree, ...]) -> None:
        """Let the rules act on all programs and added trees, until nothing new comes.

        Raises:
            UsageError: `--with` or `--without` has no meaning here.
            NotFoundError: what `--with` asks for is not on this machine.
        """
        requests.check(self._all_rules, self._asked, self._recipe.without, self._variables)
        self._given = self._words(programs, added)
        self._files.known |= {one.real for one in programs}
        self._files.known |= {path for tree in added for path, _ in tree.nodes}
        self._files.placed = self._given.placed
        self._files.scripts = self._given.scripts
        for program in programs:
            self._calls.enter(program)
        for tree in added:
            self._calls.enter_tree(tree)
        for maps in self._calls.new():
            self._process(maps)
        self._say_hints()
        requests.check_without(self._all_rules, self._recipe.without, self._noted)
        if self._lacking:
            raise NotFoundError(*dict.fromkeys(self._lacking))
        requests.check_done(self._rules, self._asked, self._answered)

    def _say_hints(self) -> None:
        """One hint a rule, of the nearest evidence, unless all that it would add is there."""
        for rule in self._rules:
            if rule.name in self._hints and not self._files.has_all(rule):
                flag = f": --with {rule.name}" if rule.acts else ""
                text = f"{rule.hint}{flag} ({self._hints[rule.name][-1]})"
                self.findings.add(hint(Code.RULE_HINT, text))
        if self._suggested:
            names = ", ".join(sorted(self._suggested))
            text = f"libraries of dlopen notes are left out: --dlopen suggested adds {names}"
            self.findings.add(hint(Code.DLOPEN_LEFT_OUT, text))

    def _words(self, programs: tuple[Program, ...], added: tuple[Tree, ...]) -> Given:
        tables = [one for rule in self._all_rules for one in rule.evidence]
        texts = {text.encode() for one in tables for text in one.text}
        calls = {name.encode() for one in tables for name in (*one.imports, *one.own_imports)}
        return user_input.words(
            self._recipe,
            programs,
            added,
            self._objects,
            texts=frozenset(texts),
            symbols=frozenset(calls),
        )

    def programs(self, programs: tuple[Program, ...]) -> tuple[Program, ...]:
        """The programs with what rules made them load."""
        return tuple(map(self._calls.with_calls, programs))

    def trees(self, trees: tuple[Tree, ...]) -> tuple[Tree, ...]:
        """The same of the programs in trees."""
        return tuple(replace(tree, programs=self.programs(tree.programs)) for tree in trees)

    def supply(self) -> Supply:
        """All that was brought beside libraries."""
        trees = sorted(self._files.trees, key=lambda tree: (tree.destination, tree.source))
        environment = {name: min(said)[1] for name, said in sorted(self._environment.items())}
        applied = sorted(
            Applied(name, because, why, SourcePath(program.opened))
            for (name, program), (_, why, because) in self._applied.items()
        )
        return Supply(
            self.trees(tuple(trees)),
            tuple(sorted(self._files.lines)),
            tuple(sorted(self._files.made, key=lambda one: (one.path, one.rule))),
            tuple(environment.items()),
            tuple(applied),
        )

    def _process(self, maps: Process) -> None:
        seen = evidence.of(maps, self._objects, self._given)
        for match in rules.match(self._rules, seen, self._asked):
            rule = match.rule
            if not match.variables and not self._is_answered(rule):
                helper = maps[0].program.real not in self._files.known
                said = (helper, len(maps[0].calls), match.evidence)
                self._hints[rule.name] = min(self._hints.get(rule.name, said), said)
            done: dict[str, int] = {}  # of each value
            for variables in match.variables:
                value = variables.get("value", "")
                done[value] = max(done.get(value, _NOTHING), self._act(match, variables, maps))
            self._answered |= {(rule.name, value) for value, what in done.items() if what}
            if rule.missing and _lacks(done, rule.values) and rule.name not in self._asked:
                text = f"{rule.name} brings nothing: {rule.missing} ({match.evidence})"
                self.findings.add(warning(Code.RULE_FOUND_NOTHING, text))
            if _BROUGHT in done.values():
                self._apply(rule.name, rule.because, match.evidence, maps)
            if rule.more and any(done.values()) and rule.name not in self._asked:
                self.findings.add(hint(Code.RULE_HINT, rule.more))
        for loaded in seen.found.values():
            for note in self._objects.notes(loaded.real):
                self._note(note, loaded, maps)

    def _is_answered(self, rule: Rule) -> bool:
        """Whether the user gave one of the flags that a hint speaks of."""
        return any(one in self._variables or one in self._asked for one in rule.unless)

    def _apply(self, name: str, because: str, why: str, maps: Process) -> None:
        """Remember that a rule acted; of several evidences the one nearest to the start."""
        key = (name, maps[0].program)
        found = (len(maps[0].calls), why, because)
        self._applied[key] = min(self._applied.get(key, found), found)

    def _act(self, match: Match, variables: Variables, maps: Process) -> int:
        """Do all that a rule says, for one set of variables and what follows; what that was."""
        first = self._key(match, variables, maps)
        if first in self._acted:
            return self._acted[first]
        todo, most = [variables], _NOTHING
        while todo:
            variables = todo.pop()
            key = self._key(match, variables, maps)
            if key in self._acted:
                most = max(most, self._acted[key])
                continue
            self._acted[key], located = self._act_once(match, variables, maps)
            most = max(most, self._acted[key])
            value = {name: one for name, one in variables.items() if name == "value"}
            todo += [
                place | value | said
                for said in self._files.followed(match.rule, located)
                for place in match.places
            ]
        self._acted[first] = most
        return most

    @staticmethod
    def _key(match: Match, variables: Variables, maps: Process) -> object:
        return match.rule.name, tuple(sorted(variables.items())), maps[0].program, match.by

    def _act_once(self, match: Match, variables: Variables, maps: Process) -> tuple[int, Variables]:
        """The same without what follows, and the variables with those that are found for it."""
        rule = match.rule
        host = maps[0] if maps[0].loader else None
        variables = self._files.located(rule, variables, maps[0].program)
        known = len(self._files.trees)
        done = [_BROUGHT if self._files.act(rule, variables, host) else _NOTHING]
        for tree in self._files.trees[known:]:
            self._calls.enter_tree(tree)
        wanted = [expand(template, variables) for template in rule.load]
        if rule.account and self._user is not None and self._files.account(rule, self._user):
            done.append(_BROUGHT)
        names = [expand(template, variables) for template in rule.accounts]
        done += [_BROUGHT for one in filter(None, names) if self._files.known_account(rule, one)]
        if rule.nss:
            values = tuple(one["value"] for one in match.variables if "value" in one)
            wanted += [f"libnss_{one}.so.2" for one in self._files.switch(rule, values)]
            done.append(_BROUGHT)
        if self._files.built_in(rule, variables):
            done.append(_THERE)
        done += [self._load(one, match, maps) for one in filter(None, wanted)]
        if any(done) or not rule.locale:
            done.append(self._set(match, variables))
        return max(done), variables

    def _set(self, match: Match, variables: Variables) -> int:
        """Variables of the image, unless the user sets them or what they follow from."""
        rule = match.rule
        done = _THERE if rule.environment else _NOTHING
        theirs = self._variables.keys() & set(rule.variables)
        for variable, template in rule.environment.items():
            value = expand(template, variables)
            if value is not None and variable not in self._variables and not theirs:
                self._environment.setdefault(variable, set()).add((rule.name, value))
                done = _BROUGHT
        return done

    def _load(self, wanted: str, match: Match, maps: Process) -> int:
        """What a process gets from a dlopen that a rule expects."""
        rule, by = match.rule.name, match.by
        if maps[0].loader is None:
            text = f"{rule}: a static program loads no library, so {printable(wanted)} is left out"
            self.findings.add(warning(Code.STATIC_PROGRAM, text))
            return _NOTHING
        if by is None:  # libc itself calls, and the process has it from the start
            by = maps[0].names.get("libc.so.6", maps[0].program)
            maps = self._calls.start(maps)
        elif by not in evidence.found(maps):
            return _NOTHING  # the map in which it was new has done this
        called = self._calls.dlopen(wanted, rule, by, maps)
        if called is None and self._asked.get(rule) == ("keep",):
            return _NOTHING  # here it is not asked either
        if called is None and match.rule.nss and rule in self._asked:
            service = wanted.removeprefix("libnss_").removesuffix(".so.2")
            text = f"{printable(wanted)} is not here; install it"
            self._lacking.append(Mistake("--nss", text, service))
            return _NOTHING
        if called is None:
            text = (
                f"{rule}: {printable(wanted)} is not to be had here, and {match.rule.because}; "
                f"install it, or --without {rule}"
            )
            self.findings.add(warning(Code.RULE_LIBRARY_MISSING, text))
            return _NOTHING
        return _BROUGHT if called else _THERE

    def _note(self, note: Note, loaded: Loaded, maps: Process) -> None:
        """Follow a dlopen note: its first name that there is."""
        wanted = [one for one in note.sonames if one not in self._recipe.without]
        self._noted |= set(note.sonames)
        if maps[0].loader is None or not wanted:
            return
        who = evidence.shown(loaded)
        what = note.description or note.feature or "it says so"
        if _PRIORITIES.index(note.priority) > _PRIORITIES.index(self._recipe.dlopen):
            there = [one for one in wanted if self._calls.would_add(one, loaded, maps)]
            self._suggested |= set(there[:1])
            return
        for soname in wanted:
            called = self._calls.dlopen(soname, soname, loaded, maps)
            if called is None:
                continue
            if called:
                self._apply(soname, what, f"{who} has a note of it, {note.priority}", maps)
            return
        if note.priority == "required":
            text = (
                f"{who} requires one of {', '.join(wanted)} ({what}), and none is on this machine"
            )
            self.findings.add(warning(Code.DLOPEN_MISSING, text, loaded.real))


def _lacks(done: dict[str, int], own: tuple[str, ...]) -> bool:
    """Whether nothing was there for a value; of several that are the rule's `own`, for any."""
    lacking = {value for value, what in done.items() if not what}
    return bool(lacking) and (lacking == done.keys() or not lacking <= set(own))
