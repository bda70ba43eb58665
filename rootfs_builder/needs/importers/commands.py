"""Commands that a script spells out → the programs that come in, and those that are a hint.

A program comes in where the script that is started, or another text of its source, starts it and
cannot do without: it is spelt with its path, is a utility of every system, which no package
declares, or is of a package that the script's own needs, at any distance. What the user's own
script starts comes unless it is large, whoever declares it. What a module of others starts comes if
the module's package says that it needs just that, or has it itself. Of any other nobody knows when
it is started: one hint names them all.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs import undeclared, utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, TextKind
from rootfs_builder.needs.general import standards
from rootfs_builder.needs.importers.shell.names import WRAPPERS
from rootfs_builder.packages import Package
from rootfs_builder.paths import SourcePath, below, encode, name, parent, printable

_OF_PROGRAMS = frozenset(("bin", "libexec", "scripts"))
_WORDS = re.compile(r"[-_.]")
UNKNOWN = "\0"  # in a command line: what only the running program knows
SHELL = "/bin/sh"
_BETWEEN = re.compile(r"\|\|?|&&?|;|\n|\(|`")
_SET = re.compile(r"\w+=\S*")
_SHELLS_OWN = re.compile(r"[&*()\[\]{}'\";\\|?<>~`\n$]")  # as perl's do_exec3, which knows best
_BEFORE = ("!", "do", "else", "exec", "if", "nohup", "sudo", "then", "time", "until", "while", "{")
# What may be a command, whose words, but for the first, may be known only when it runs.
TEXT = re.compile(
    r"(?P<word>[a-z][\w.+-]+) (?:(?<=which )\0|(?:[\0-\x03\w./-]+ )*\0?--?\w.*)", re.DOTALL
)
WORD = re.compile(r"[\x01-\x03A-Za-z_/][\w./+-]*")


def words(line: str) -> Iterator[str]:
    """The names and paths of the programs that a command line starts, as far as they are known."""
    for part in _BETWEEN.split(line):
        rest = part.split()
        while rest:
            word = rest.pop(0)
            if word in _BEFORE or _SET.fullmatch(word):
                continue
            if WORD.fullmatch(word) is None:
                break
            yield word
            wrapper = WRAPPERS.get(name(SourcePath(word)))
            if wrapper is None:
                break
            rest = wrapper.wrapped(rest)


def needs_shell(line: str) -> bool:
    """Whether a command line is more than words."""
    return _SHELLS_OWN.search(line) is not None


def started(text: str, *, is_line: bool) -> Iterator[str]:
    """The programs that are started: one, or those of a line, and the shell that it may need."""
    yield from words(text) if is_line else (text,)
    if is_line and (needs_shell(text) or not text.strip(UNKNOWN)):
        yield SHELL


def _top(path: str) -> str:
    """The directory of the code around a text: with others' code that of its package."""
    parts = path.split("/")
    others = [at for at, one in enumerate(parts) if one in standards.OF_OTHERS]
    if others:
        is_scoped = "".join(parts[others[-1] + 1 :]).startswith("@")
        return "/".join(parts[: others[-1] + (3 if is_scoped else 2)])
    directory = parent(path)
    return parent(directory) if name(directory) in _OF_PROGRAMS else directory


class Commands:
    """Answers for one process; `own` are directories and texts that are the script's, too."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = context.files
        self._owners = dict[str, Package | None]()
        self._programs = dict[str, set[str]]()
        self.own = set[str]()

    def run(self, text: str, by: str, script: str, *, is_line: bool) -> Iterator[File | LeftOut]:
        """What a text needs that runs a program, or a line for a shell."""
        for word in started(text, is_line=is_line):
            yield from self.needs(word, by, script)

    def needs(
        self, word: str, by: str, script: str, *, perhaps: bool = False
    ) -> Iterator[File | LeftOut]:
        """What a text needs that starts a program; `script` has loaded it, or `perhaps` will."""
        path = self._path(word)
        if path is None:
            return
        clue = Clue(f"{printable(name(by or script))} starts {printable(name(word))}")
        own = self.is_own(by, script) and (
            "/" in word
            or self._is_needed(path, by)
            or (not perhaps and self.comes_along(path, script))
        )
        certain = own or self._is_required(path, by or script) or self._is_called_as(path, by)
        if certain:
            yield File(path, clue, started=True)
        else:
            large = not perhaps and self.is_own(by, script) and script in self._given
            yield LeftOut(path, clue, large=large)

    def named(self, path: str, by: str, script: str) -> Iterator[File | LeftOut]:
        """A program whose path a text spells out, which may start it."""
        if self._files.is_file(path) and self.is_own(by, script):
            clue = Clue(f"{printable(name(by or script))} names {printable(path)}")
            needed = self._is_needed(path, by) or self.comes_along(path, script)
            yield File(path, clue, started=True) if needed else LeftOut(path, clue)

    def perhaps(self, word: str, by: str, script: str) -> Iterator[File | LeftOut]:
        """A program that a text only seems to start: it comes if its package needs just that.

        So does a utility of every system. What the user's own script seems to start comes unless
        it is large.
        """
        path = self._path(word)
        if path is not None:
            clue = Clue(f"{printable(name(by))} names {printable(name(word))}")
            certain = self._is_required(path, by) or self._is_called_as(path, by)
            needed = certain or (
                self.is_own(by, script)
                and (name(path) in utilities.ALL or self.comes_along(path, script))
            )
            yield File(path, clue, started=True) if needed else LeftOut(path, clue)

    def _is_required(self, path: str, by: str) -> bool:
        """Whether the package of a text cannot do without that of a program: as it says, or all."""
        owner, other = self.owner(by), self.owner(path)
        if owner is None or other is None:
            return False
        try:
            return self._context.packages.requires(owner, other)
        except InputError:
            return False  # which others say

    def _path(self, word: str) -> str | None:
        """Where a program is, first in PATH."""
        if UNKNOWN in word:
            return None
        known = self._files.commands(self._context.search_path) if "/" not in word else {}
        path = known.get(word, word)
        return path if path.startswith("/") and self._files.is_file(path) else None

    def is_own(self, by: str, script: str) -> bool:
        """Whether a text is the script, or of its source; of the user's, whether it is around it.

        Or in a directory of `own`.
        """
        if by in ("", script):
            return True
        owner, other = self.owner(script), self.owner(by)
        if owner is not None:
            return other is not None and other.source == owner.source
        return self._is_users(by) and (
            any(below(by, one) for one in self.own) or self._is_around(by, script)
        )

    def _is_users(self, path: str) -> bool:
        """Whether nobody has a file; what is in the system's own directories somebody has."""
        return not in_system(path) or (standards.is_local(path) and self.owner(path) is None)

    def _is_around(self, by: str, script: str) -> bool:
        """Whether a text of the user's lies beside a script, or below, but not with others' code.

        If the script itself does, its package is around it.
        """
        around, path = _top(self._files.real(script) or script), self._files.real(by) or by
        if standards.is_shared(around) or not below(path, around):
            return False
        return not standards.is_of_others(path[len(around) :])

    def package(self, by: str) -> str:
        """What the package of others' code is called that has a text, "" if none has.

        What it starts, no package declares; but what is called as it, it needs: GitPython's `git`.
        """
        with_others = standards.is_of_others(by) and self._is_users(by)
        return name(_top(by)).removesuffix(".py") if with_others else ""

    def namesakes(self, by: str) -> Iterator[str]:
        """The programs as which a package of others' code is called, that has a text.

        As simple-git after git, in one of its words.
        """
        for word in sorted({*_WORDS.split(self.package(by))}):
            path = self._path(word) if word else None
            if path is not None and undeclared.is_small(path, self._context):
                yield path

    def quoted(self, by: str, *, starts: bool) -> Iterator[str]:
        """Those of them whose names a text quotes, if it `starts` programs.

        Of any text those that the system's package of that name has: `dot` of graphviz.
        """
        data = self._files.read(by) or b""
        words = {name(path) for path in (self.namesakes(by) if starts else ())}
        for one in sorted(words | self._of_system(self.package(by))):
            if any(encode(f"{quote}{one}{quote}") in data for quote in "'\"`"):
                yield one

    def _of_system(self, called: str) -> set[str]:
        """The programs of the system's package of a name, but for one that has that, too."""
        if called not in self._programs:
            found, owners = set[str](), self._context.packages
            commands = {*self._files.commands(self._context.search_path).values()}
            with suppress(InputError):  # which others say
                for package in owners.installed(called) if called else ():
                    programs = commands.intersection(owners.files(package))
                    found |= {*map(name, map(SourcePath, programs))} - {called}
            self._programs[called] = found
        return self._programs[called]

    def _is_called_as(self, path: str, by: str) -> bool:
        """Whether a program, or the package that has it, is called as the package of a text."""
        if name(SourcePath(path)) in self._of_system(self.package(by)):
            return undeclared.is_small(path, self._context)
        return path in self.namesakes(by)

    def _is_needed(self, path: str, by: str) -> bool:
        if name(path) in utilities.ALL:
            return True
        owner, other = self.owner(by), self.owner(path)
        if owner is None or other is None:
            return False
        try:
            return self._context.packages.reaches(owner, other)
        except InputError:
            return False  # which others say

    def comes_along(self, path: str, script: str) -> bool:
        """Whether what no package declares comes all the same: for the user's script, if small."""
        if script not in self._given:
            return False
        by = self.owner(script) or self.owner(self._context.program.real)
        return undeclared.is_small(path, self._context, by)

    @cached_property
    def _given(self) -> frozenset[str]:
        """The texts that the user names or adds; npm's commands are links to scripts."""
        scripts = (one.path for one in self._context.given if one.kind is TextKind.STARTED)
        real = (self._files.real(one) for one in scripts)
        return frozenset((*(one.path for one in self._context.given), *filter(None, real)))

    def declares(self, by: str, path: str, script: str) -> bool:
        """Whether the package of a text names that of a file as needed, at any distance.

        Or the package of the script that has loaded the text: a database's driver is its business.
        Of what no package has brought, and of what nobody knows, everything is expected.
        """
        owner, other = self.owner(by) if by else None, self.owner(path)
        if owner is None or other is None:
            return True
        also = self.owner(script) if script else None
        try:
            asked = (one for one in (owner, also) if one is not None)
            return any(self._context.packages.reaches(one, other) for one in asked)
        except InputError:
            return True

    def owner(self, path: str) -> Package | None:
        """Whose a file is, None if nobody knows."""
        if path not in self._owners:
            real = self._files.real(path)
            known = real is not None and in_system(real)
            self._owners[path] = self._asked(SourcePath(real)) if known and real else None
        return self._owners[path]

    def beside(self, path: str) -> frozenset[SourcePath]:
        """The files of the package that a file is of; none where nobody knows."""
        package = self.owner(path)
        with suppress(InputError):  # which others say
            return self._context.packages.files(package) if package else frozenset()
        return frozenset()

    def _asked(self, real: SourcePath) -> Package | None:
        try:
            return self._context.packages.of_all((real,)).packages[real]
        except InputError:
            return None
