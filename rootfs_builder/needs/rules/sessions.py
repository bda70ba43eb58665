"""Rules with a finder: each finder is made once a process, asked about each text, and answered.

A text is a script that is started, a file of the user's, or a file that a need brought. Importers
come first; general evidence is asked when they, and the rules, have nothing more to say.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from importlib import import_module
from typing import cast

from msgspec import Struct

from rootfs_builder.findings import Finding
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs import general, importers
from rootfs_builder.needs.closure import Program, Tree
from rootfs_builder.needs.finder import (
    Context,
    Exported,
    File,
    Finder,
    FinderModule,
    Last,
    Multicall,
    Need,
    Text,
    TextKind,
    Wanted,
    Watcher,
)
from rootfs_builder.needs.general import standards
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.rules import Rule, Variables
from rootfs_builder.needs.rules.dlopen_calls import Process
from rootfs_builder.packages import Owners
from rootfs_builder.paths import Key, below, name, parent
from rootfs_builder.recipe import Recipe

_STAGES = (importers, general)

_JARS = (".jar", ".war")


def _is_of_others(text: Text) -> bool:
    """Whether it comes with the user's, but is code of others: importers alone read that."""
    return text.kind is TextKind.ADDED and standards.is_of_others(text.path)


def _identity(program: Loaded) -> tuple[str, ...]:
    """What makes a program another one for a finder: python and python3.13 in one place do not."""
    return program.real, parent(program.opened), name(program.opened).rstrip(".0123456789")


class Session(Struct, eq=False):
    """A finder at work in one process; `read` counts the texts of all that it was asked about.

    `called` are the names of a multi-call program that it was asked about. `own` are the texts that
    the needs of its process brought, which no other process reads, and `opened` what the process
    has opened since it was asked.
    """

    rule: Rule
    maps: Process
    finder: Finder
    own: list[Text]
    read: int = 0
    read_own: int = 0
    begun: bool = False
    opened: list[tuple[Loaded, ...]] = []
    called: frozenset[str] = frozenset()


class Sessions:
    """The finders of one build; `answer` does what a need of one asks for."""

    def __init__(
        self,
        recipe: Recipe,
        packages: Owners,
        files: ImageFiles,
        *,
        programs: tuple[Program, ...],
        answer: Callable[[Wanted, Rule, Process], Iterable[Text]],
    ) -> None:
        self._recipe = recipe
        self._packages = packages
        self._files = files
        self._answer = answer
        self._sessions: list[list[Session]] = [[] for _ in _STAGES]
        self._known = set[object]()
        self._met = set[Need]()  # of those who are asked last
        self._watching = dict[Loaded, list[Session]]()  # by the program of the process
        self._named = {one.real for one in programs if one.by is None}
        self._called = dict[Key | None, set[str]]()  # the paths by which each is started
        self._own = dict[Loaded, list[Text]]()  # by the program of the process
        self._exported = dict[str, str]()
        self._texts = [Text(one.key, TextKind.STARTED) for one in programs if not one.link_maps]
        self._texts += [Text(path, TextKind.ADDED) for path in self._files.added]
        self._given = tuple(one for one in self._texts if not _is_of_others(one))
        self._seen = {*self._texts}

    def open(self, rule: Rule, variables: Variables, maps: Process) -> None:
        """Make a rule's finder for a process, or for the first if it is about none."""
        about = _identity(maps[0].program) if rule.when or rule.find else None
        key = (rule.name, frozenset(variables.items()), about)
        if key in self._known or self._hands_on(maps[0].program):
            return
        self._known.add(key)
        for sessions, wing in zip(self._sessions, _STAGES, strict=True):
            if rule.finder in wing.NAMES:
                found = import_module(f"{wing.__name__}.{rule.finder.replace('-', '_')}")
                finder = cast("FinderModule", found).make(self._context(rule, variables, maps))
                own = self._own.setdefault(maps[0].program, [])
                sessions.append(Session(rule, maps, finder, own))
                if isinstance(finder, Watcher):
                    self._watching.setdefault(maps[0].program, []).append(sessions[-1])

    def opened(self, maps: Process) -> None:
        """Have finders look at what their process has opened."""
        objects = tuple(maps[0].objects[maps[0].known :])
        for session in self._watching.get(maps[0].program, ()) if objects else ():
            session.opened.append(objects)

    def _hands_on(self, program: Loaded) -> bool:
        """Whether it is env(1), which reads no text of the script that it has another one run."""
        return name(program.opened) == "env" and program.real not in self._named

    def _context(self, rule: Rule, variables: Variables, maps: Process) -> Context:
        recipe = self._recipe
        return Context(
            program=maps[0].program,
            objects=tuple({one.real: one for each in maps for one in each.objects}.values()),
            variables=variables,
            values=dict(recipe.with_rules).get(rule.name, ()),
            arguments=(*(recipe.entrypoint or ())[1:], *recipe.command),
            entry=(recipe.entrypoint or ("",))[0],
            is_named=maps[0].program.real in self._named,
            chosen=frozenset((*dict(recipe.with_rules), *recipe.without)),
            environment=dict(recipe.env),
            search_path=recipe.search_path,
            directory=recipe.workdir or "/",
            user=recipe.user,
            files=self._files,
            elf_files=self._files.elf_files,
            packages=self._packages,
            given=self._given,
            exported=self._exported,
        )

    def bring_settings(self, trees: Iterable[Tree], program: Loaded) -> None:
        """Have the settings read that a rule has brought: they name accounts and directories."""
        own = self._own.setdefault(program, [])
        for path in (path for tree in trees for path, node in tree.nodes if node.kind == "file"):
            text = Text(path, TextKind.SETTINGS)
            if below(path, "/etc") and text not in own:
                own.append(text)

    def _bring(self, text: Text, session: Session) -> None:
        """Have a text read that has come in: a script by all finders, as any may be its language's.

        So is a jar, which a script may name and java reads. Another text is read in the process
        that needs it: its words are about that. But the settings of a script are for what runs it,
        whoever was asked first.
        """
        if text.kind is not TextKind.STARTED and not text.path.endswith(_JARS):
            program = session.maps[0].program
            is_general = session.rule.finder in general.NAMES
            may_run_it = is_general and standards.is_interpreter(program.real)
            if text not in self._known or (may_run_it and (text, program) not in self._known):
                self._known |= {text, (text, program)}
                session.own.append(text)
        elif text not in self._seen:
            self._seen.add(text)
            self._texts.append(text)

    def step(self) -> bool:
        """Ask the finders of the first stage that has not read all; whether there was one."""
        for sessions in self._sessions:
            asked = False
            for session in sessions:
                asked |= self._ask(session)
            if asked:
                return True
        return False

    def last(self, there: AbstractSet[str], told: AbstractSet[Finding]) -> bool:
        """Ask the finders that are asked last, see `Last`; whether they had anything to say."""
        asked = False
        for session in (one for sessions in self._sessions for one in sessions):
            if isinstance(session.finder, Last):
                needs = {*session.finder.last(there, told)} - self._met
                self._met |= needs
                for need in sorted(needs, key=repr):
                    self._meet(need, session)
                asked |= bool(needs)
        return asked

    def _ask(self, session: Session) -> bool:
        texts = [*self._texts[session.read :], *session.own[session.read_own :]]
        called = self._new_names(session)
        if session.begun and not texts and not session.opened and not called:
            return False
        session.read, session.read_own = len(self._texts), len(session.own)
        needs = [] if session.begun else [*session.finder.process()]
        is_general = session.rule.finder in general.NAMES
        for text in texts:
            if is_general and _is_of_others(text):
                continue
            if not text.by or self._files.real(text.by) == session.maps[0].program.real:
                needs += session.finder.text(text)
        if isinstance(session.finder, Watcher):
            needs += (one for each in session.opened for one in session.finder.loaded(each))
        if isinstance(session.finder, Multicall):
            needs += (one for path in sorted(called) for one in session.finder.called(path))
        session.opened, session.begun = [], True
        session.called |= called
        for need in dict.fromkeys(needs):
            self._meet(need, session)
        return True

    def _meet(self, need: Need, session: Session) -> None:
        """Do what a need asks for."""
        if isinstance(need, Exported):
            self._exported.setdefault(need.name, need.value)
            return
        if isinstance(need, File) and need.started:
            self._called.setdefault(self._files.real(need.path), set()).add(need.path)
        for text in self._answer(need, session.rule, session.maps):
            self._bring(text, session)

    def _new_names(self, session: Session) -> frozenset[str]:
        """The paths by which a multi-call program is started, and was not asked about."""
        if not isinstance(session.finder, Multicall):
            return frozenset()
        return frozenset(self._called.get(session.maps[0].program.real, ())) - session.called
