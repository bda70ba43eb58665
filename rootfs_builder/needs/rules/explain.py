"""A rule + what a build found → why the rule acts or does not, as a value.

Nothing is recorded while rules act. A rule sees evidence and the user's words alone, so asking the
same functions once more, about the processes of the finished closure, gives the same answers.
"""

from collections import deque
from collections.abc import Iterator

from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Finding
from rootfs_builder.loader import locale_archive
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.closure import Closure
from rootfs_builder.needs.rules import evidence, matching, requests
from rootfs_builder.needs.rules.dlopen_calls import Process
from rootfs_builder.needs.rules.evidence import Evidence
from rootfs_builder.needs.rules.explanation import (
    Added,
    Explanation,
    Key,
    Outcome,
    Pattern,
    Seen,
    Tried,
)
from rootfs_builder.needs.rules.files import RuleFiles
from rootfs_builder.needs.rules.matching import Match, Variables
from rootfs_builder.needs.rules.places import Places
from rootfs_builder.needs.rules.reach import Reach, anchor
from rootfs_builder.needs.rules.schema import Find, Rule, Rules, When, expand, used
from rootfs_builder.needs.rules.user_input import UserInputSearch, collect
from rootfs_builder.needs.startup import Startup
from rootfs_builder.packages import Owners
from rootfs_builder.paths import decode, printable
from rootfs_builder.recipe import Recipe


def explain(
    rule: Rule, recipe: Recipe, sources: Sources, closure: Closure, all_rules: Rules
) -> Explanation:
    """Why `rule`, one of `all_rules`, acts or does not in the build that gave `closure`."""
    return _Explainer(rule, recipe, sources, closure, all_rules).explanation()


class _Explainer:
    def __init__(
        self, rule: Rule, recipe: Recipe, sources: Sources, closure: Closure, all_rules: Rules
    ) -> None:
        self._rule = rule
        self._requested = dict(recipe.with_rules)
        self._without = rule.name in requests.left_out((rule,), self._requested, recipe.without)
        self._closure = closure
        self._elf_files = ElfFiles(sources, base=sources.base)
        programs = closure.programs
        given = collect(recipe, programs, closure.added, self._elf_files, all_rules)
        self._searches = UserInputSearch(given)
        startup = Startup(sources, self._elf_files)
        reach = Reach(self._elf_files.walker, programs, Owners(sources).is_published)
        self._files = RuleFiles(sources, startup, given, reach)
        self._places = Places(sources, self._elf_files, reach, given.placed)
        self._tried: dict[Tried, None] = {}
        self._variables: dict[frozenset[tuple[str, str]], Variables] = {}

    def explanation(self) -> Explanation:
        rule, others = self._rule, 0
        seen: dict[tuple[object, ...], Seen] = {}
        for maps, started in self._processes():
            shows = evidence.of(maps, self._elf_files, self._searches)
            found = () if self._without else matching.match((rule,), shows, self._requested)
            for match in found:
                self._try(match, maps)
            one = self._seen(maps, shows, found)
            shown = (one.program, one.when, repr(one.patterns), one.holds)
            if (started or found) and shown not in seen:
                seen[shown] = one
            else:
                others += 1
        tried = tuple(self._tried)
        added = self._added()
        findings = tuple(one.text for one in self._closure.findings if self._is_about(one))
        return Explanation(
            rule.name,
            rule.because,
            rule.source,
            rule.finder,
            tuple(seen.values()),
            others,
            self._used_variables(),
            tried,
            added,
            added != Added() or any(one.rule == rule.name for one in self._closure.supply.applied),
            rule.hint,
            findings,
        )

    def _processes(self) -> Iterator[tuple[Process, bool]]:
        """Each process, and whether it is the start of what the user or a script named."""
        for program in self._closure.all_programs:
            starts = tuple(one for one in program.link_maps if not one.calls)
            if starts:
                yield starts, program in self._closure.programs
            yield from (((one,), False) for one in program.link_maps if one.calls)
        for tree in self._closure.trees:
            yield from (((one,), False) for one in tree.plugins)

    # --- evidence ---

    def _seen(self, maps: Process, shows: Evidence, found: tuple[Match, ...]) -> Seen:
        calls = maps[0].calls
        return Seen(
            printable(maps[0].program.requested),
            printable(calls[-1].name) if calls else "",
            tuple(tuple(_keys(one, shows)) for one in self._rule.evidence),
            tuple(self._patterns(shows)),
            "; ".join(dict.fromkeys(printable(one.evidence.text) for one in found)),
        )

    def _patterns(self, shows: Evidence) -> list[Pattern]:
        found: list[Pattern] = []
        for find in self._rule.finds:
            found += (one for one in self._of_find(find, shows) if one not in found)
        return found

    def _of_find(self, find: Find, shows: Evidence) -> Iterator[Pattern]:
        objects = shows.to_search(find)
        if not objects:
            yield Pattern("what is loaded", " or ".join(find.sonames), ())
        for pattern in find.words:
            found = shows.searches.search(Find(words=(pattern,)))
            yield _pattern("your input", pattern, found)
        for name, language in find.code.items():
            found = shows.searches.search(Find(code={name: language}))
            yield _pattern("your input", f"{name} = {language}", found)
        for name, directives in find.settings.items():
            found = shows.searches.search(Find(settings={name: directives}))
            yield _pattern("your input", f"{name} = {', '.join(directives)}", found)
        for loaded in objects:
            where = evidence.shown(loaded)
            if find.soname and not (find.text or find.paths):
                yield Pattern(where, " or ".join(find.sonames), ({},))
            for pattern in find.text:
                found = self._elf_files.search(loaded.real, pattern.encode())
                yield _pattern(where, pattern, found)
            for name, globs in find.paths.items():
                found = shows.spelling(loaded, name, globs)
                yield _pattern(where, f"{name} = {', '.join(globs)}", found)

    # --- paths ---

    def _try(self, match: Match, maps: Process) -> None:
        """Ask for each path, with each set of variables and with those that follow from one."""
        rule = self._rule
        todo = deque(match.variables)
        while todo:
            start = todo.popleft()
            variables = self._files.located(rule, start, maps[0].program)
            bound = frozenset(variables.items())
            if bound in self._variables:
                continue
            self._variables[bound] = variables
            for key, template in _templates(rule):
                self._path(key, template, variables)
            for template in rule.load:
                self._library(template, variables)
            for template in rule.accounts:
                self._account(template, variables)
            value = {name: one for name, one in variables.items() if name == "value"}
            todo += [
                place | value | found
                for found in self._files.followed(rule, variables)
                for place in match.places
            ]

    def _path(self, key: str, template: str, variables: Variables) -> None:
        path = expand(template, variables)
        if path is None:
            self._unbound(key, template, variables)
            return
        asked = locale_archive.directories(path) if key == "locale" else (path,)
        for one in asked:
            found = tuple(
                self._places.candidates(one if key == "locale" else template, variables, self._rule)
            )
            for at, allowed in found:
                outcome = Outcome.TAKEN if allowed else Outcome.REFUSED
                self._keep(key, template, at, outcome)
            if not found:
                self._keep(key, template, one, Outcome.ABSENT)

    def _library(self, template: str, variables: Variables) -> None:
        library = expand(template, variables)
        if library is None:
            self._unbound("load", template, variables)
            return
        start = anchor(template, variables, self._rule.landmarks)
        if not self._places.may_load(library, self._rule.name, start, template):
            outcome = Outcome.REFUSED
        else:
            outcome = Outcome.TAKEN if self._is_loaded(library) else Outcome.ABSENT
        self._keep("load", template, library, outcome)

    def _account(self, template: str, variables: Variables) -> None:
        name = expand(template, variables)
        if name is None:
            self._unbound("accounts", template, variables)
            return
        known = self._files.known_account(self._rule, name).found
        self._keep("accounts", template, name, Outcome.TAKEN if known else Outcome.ABSENT)

    def _is_loaded(self, library: str) -> bool:
        return any(library in link_map.names for _, link_map in self._closure.processes())

    def _unbound(self, key: str, template: str, variables: Variables) -> None:
        lacks = tuple(sorted(used((template,)) - variables.keys()))
        self._tried[Tried(key, template, "", Outcome.UNBOUND, lacks)] = None

    def _keep(self, key: str, template: str, path: str, outcome: Outcome) -> None:
        self._tried[Tried(key, template, printable(path), outcome)] = None

    # --- what came of it ---

    def _used_variables(self) -> tuple[Variables, ...]:
        """Each set of those variables that the rule's templates have."""
        rule = self._rule
        names = used((*rule.paths, *rule.load, *rule.locale, *rule.accounts))
        names |= used(rule.environment.values())
        found: list[Variables] = []
        for one in self._variables.values():
            shown = {name: printable(value) for name, value in one.items() if name in names}
            found += [shown] if shown and shown not in found else []
        return tuple(found)

    def _added(self) -> Added:
        name, supply = self._rule.name, self._closure.supply
        trees: dict[str, int] = {}
        for tree in supply.trees:
            if tree.rule == name:
                files = sum(node.kind != "dir" for _, node in tree.nodes)
                trees[printable(tree.destination)] = files
        return Added(
            trees,
            tuple(sorted(set(self._libraries()))),
            tuple(dict.fromkeys(printable(one.path) for one in supply.lines if one.rule == name)),
            tuple(printable(one.path) for one in supply.made if one.rule == name),
            {
                variable: printable(value)
                for variable, value in supply.environment
                if variable in self._rule.environment
            },
        )

    def _libraries(self) -> Iterator[str]:
        for _, link_map in self._closure.processes():
            if link_map.calls and link_map.calls[-1].rule == self._rule.name:
                yield from (printable(one.real) for one in link_map.objects[link_map.known :])

    def _is_about(self, finding: Finding) -> bool:
        """Whether a finding is the rule's own, or names a path that it tried."""
        name = self._rule.name
        own = finding.text.startswith((f"{name}:", f"{name} ")) or f"rule {name} " in finding.text
        said = self._rule.hint and finding.text.startswith(self._rule.hint)
        paths = {one.path for one in self._tried}
        return bool(own or said or paths.intersection(finding.paths))


def _keys(when: When, shows: Evidence) -> Iterator[Key]:
    if when.libc:
        found = f"it is {shows.libc}" if matching.is_libc(when, shows) else ""
        yield Key("libc", when.libc, found)
    if when.before:
        version = ".".join(map(str, shows.version))
        found = f"it is {version}" if matching.is_before(when, shows) else ""
        yield Key("before", (when.before,), found)
    for key, clue in matching.clues_of(when, shows):
        wants = getattr(when, key.replace("-", "_"))
        found = "" if clue is None else printable(clue.text)
        yield Key(key, ("-u",) if wants is True else wants, found)


def _pattern(where: str, pattern: str, found: list[dict[str, bytes]]) -> Pattern:
    matches = ({key: printable(decode(one)) for key, one in hit.items()} for hit in found)
    return Pattern(where, pattern, tuple(matches))


def _templates(rule: Rule) -> Iterator[tuple[str, str]]:
    """Every template of a path that is looked for in the root, with its key."""
    for paths in rule.landmarks.values():
        yield from (("landmarks", one) for one in paths)
    yield from (("copy", one) for one in rule.copy)
    yield from (("locale", one) for one in rule.locale)
    yield from (("follow", one) for follow in rule.follow for one in follow.files)
