"""What texts that go in spell out of the program's packages, and of their own.

No format is known: a path is a word. A text that comes in so is read in its turn.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs import undeclared, utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, Need, Text, TextKind
from rootfs_builder.needs.general import assigned, settings, standards, strings, unlinked
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.needs.general.given import Given
from rootfs_builder.needs.general.modules import Modules
from rootfs_builder.needs.general.places import Place
from rootfs_builder.needs.general.strings import Strings
from rootfs_builder.needs.image_files import MOST_BYTES
from rootfs_builder.paths import SourcePath, below, decode, join, name, parent, printable

if TYPE_CHECKING:
    from rootfs_builder.packages import Kin, Package

_BESIDE = (  # the name of a file, or what a variable may have before it
    rb"(?<![\w./+-])(?P<name>\w[\w+-]*(?:\.[\w+-]+)+)(?![\w/+-])",
    rb"\$\{?\w+\}?/(?P<name>\w[\w+.-]*)",
)
_MOST_NAMED = 5  # programs in a configuration, besides utilities
# A line for a shell, which one of the utilities of every system shows.
_PIPED = re.compile(rb"(?:[|`]|\$\()[ \t]*(?P<word>[a-z]\w*)(?=[ \t`)]|$)")
_WORD = re.compile(rb"(?<![\w./-])[a-z]\w*(?![\w./-])")


def make(context: Context) -> "Configuration":
    """See FinderModule."""
    return Configuration(context)


class Configuration:
    """The finder of one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._belongings = Belongings(context, Modules(context).spared)
        self._kin: Kin | None = None
        self._speaking: set[Package | None] = set()  # whose scripts are started

    def process(self) -> Iterator[Need]:
        """See Finder."""
        return iter(())

    @cached_property
    def _given(self) -> Given:
        return Given(self._context, self._belongings)

    def _beside(self, text: Text) -> Iterator[str]:
        """The files beside a configuration that it names."""
        data = settings.read(text, self._context.files, any_name=True)
        hits = (hit for one in _BESIDE for hit in re.finditer(one, data))
        named = {decode(hit["name"]) for hit in hits}
        directory = parent(text.path)
        there = self._context.files.names(directory) if named else ()
        yield from (join(directory, one) for one in sorted(named.intersection(there)))

    def _started(self, text: Text, places: Iterable[Place]) -> Iterator[Need]:
        """The programs that a configuration of the user's names, whosever they are.

        Of those in one of a package the utilities of every system, and small ones if they are few.
        """
        files, program = self._context.files, self._context.program.real
        added = text.kind is TextKind.ADDED and files.is_added_alone(text.path)
        if not (added or self._is_settings(text)):
            return
        by_shell = added and self._context.elf_files.imports(program, strings.BY_SHELL)
        paths = [place.path for place in places if place.is_program]
        others = {one for one in paths if name(one) not in utilities.ALL}
        few = len(others) <= _MOST_NAMED  # else it is a list of what there may be
        for path in paths:
            shown = f"{printable(name(text.path))} names {printable(path)}"
            clue = Clue(shown, (text.path, path))
            if added or path not in others or (few and undeclared.is_small(path, self._context)):
                yield File(path, clue, started=True)
                if by_shell:
                    yield File(strings.SHELL, clue, started=True)
            else:
                yield LeftOut(path, clue)

    def _by_user(self, text: Text) -> Iterator[Need]:
        """The programs that a configuration of the user's sets.

        And the utilities of every system in its command lines.
        """
        files, shown = self._context.files, printable(name(text.path))
        if text.kind is not TextKind.ADDED or not files.is_added_alone(text.path):
            return
        yield from assigned.by_user(text, self._context)
        if not strings.starts(self._context.program.real, self._context.elf_files):
            return
        words, commands = set[str](), files.commands(self._context.search_path)
        for line in settings.read(text, files, any_name=True).split(b"\n"):
            piped = {decode(hit["word"]) for hit in _PIPED.finditer(line)}
            if piped & utilities.ALL:
                words |= {decode(hit[0]) for hit in _WORD.finditer(line)} & utilities.ALL
        for word in sorted(words & commands.keys()):
            for path in (commands[word], strings.SHELL):
                yield File(path, Clue(f"{shown} runs {word}", (text.path,)), started=True)

    def _is_settings(self, text: Text) -> bool:
        """Whether it is in /etc, of the program's source or that of the script which is started."""
        real = self._context.files.real(text.path)
        if real is None or not below(text.path, "/etc") or self._kin is None:
            return False
        return self._kin.owns(real) or self._belongings.owner(real) in self._speaking - {None}

    def _required(self, text: Text, spelt: Strings, real: SourcePath) -> Iterator[Need]:
        """Data of which a rule decides, that a module names and its own package requires.

        As tzinfo's for Ruby does the time zones: the rule looks at programs.
        """
        covers, belongings = partial(self._context.files.covers, by_rule=True), self._belongings
        if text.kind is not TextKind.BROUGHT or not any(map(covers, spelt.paths)):
            return
        kin = belongings.kin(belongings.owner(real))
        for place in belongings.there.spelt(spelt, lambda path: not covers(path)):
            inside = kin.within(place.real) if place.is_directory else (place.real,)
            if standards.is_data(place.path) and not kin.declared.isdisjoint(inside):
                yield from belongings.needs((place,), kin, text.path, None)

    def text(self, text: Text) -> Iterator[Need]:
        """See Finder."""
        if text.kind is TextKind.SETTINGS:
            return
        files, belongings = self._context.files, self._belongings
        if self._kin is None:
            program = self._context.program.real
            owner = belongings.owner(SourcePath(program)) if in_system(program) else None
            self._kin = belongings.kin(owner)
        real = files.real(text.path)
        if real is None or not (self._kin.of or in_system(real)):
            return  # nobody's text about a program of nobody's
        if files.size(text.path) > MOST_BYTES:
            return  # no configuration: whose language it is says that it is not read
        if text.kind is TextKind.STARTED:
            self._speaking.add(belongings.owner(real))
        spelt = strings.in_text(text.path, files)
        is_covered = partial(files.covers, by_rule=True)
        spelt = replace(spelt, paths=(*spelt.paths, *self._beside(text)))
        found = belongings.there.spelt(spelt, is_covered) if spelt.paths else ()
        idle = text.kind is TextKind.BROUGHT and (files.read(text.path) or b"").startswith(b"#!")
        places = tuple(one for one in found if not (idle and one.is_program))
        yield from self._started(text, places)
        yield from self._by_user(text)
        yield from unlinked.of_lisp(text.path, self._context)
        yield from self._required(text, spelt, real)
        if text.kind is TextKind.BROUGHT and assigned.values(text, files):
            owner = belongings.owner(real)
            if owner is not None and (self._kin.owns(real) or owner in self._speaking):
                yield from assigned.programs(text, owner, self._context)
        yield from belongings.needs(places, self._kin, text.path, None)
        places = tuple(one for one in places if not self._kin.has_any(one.real))
        if places and not self._kin.owns(real):
            owner = belongings.owner(real)
            own = belongings.kin(self._given.speaks_for(owner))
            if text.kind is not TextKind.STARTED and not self._is_settings(text):
                own = own.of_others  # what it starts is not the program's business
            yield from belongings.needs(places, own, text.path, None)
        yield from belongings.findings
