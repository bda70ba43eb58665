"""The packages that the user's program requires and that nothing has shown a use of.

Whoever built a package wrote down what it cannot do without. Where nothing of such a package came,
no file has shown what it is for: a back end that is loaded by a computed name, a program that is
looked for at run time, modules that a text names. Much is required by the scripts that run when a
package is installed, by other programs of the package, or of every system; that is left out as far
as it shows.

Source: Debian Policy, 2.5 and 7.2.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import filterfalse

from rootfs_builder.elf.headers import MAGIC
from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Finding
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text, TextKind
from rootfs_builder.needs.general import asked, left_out, standards
from rootfs_builder.packages import Owners, Package
from rootfs_builder.paths import SourcePath, ancestors, below, encode, name, parent, printable

_COMMANDS = ("/bin", "/sbin", "/usr/bin", "/usr/games", "/usr/sbin")
_LIBRARY = re.compile(r"lib.+\.so\.[\d.]+")  # the loader knows who needs it


def make(context: Context) -> "Required":
    """The finder for one process."""
    return Required(context)


class Required:
    """Brings what the packages of the user's programs require, when all else is known."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def process(self) -> Iterator[Need]:
        """Nothing: all else comes first."""
        return iter(())

    def text(self, text: Text) -> Iterator[Need]:
        """Nothing: a text shows what it needs."""
        del text
        return iter(())

    def last(self, there: AbstractSet[str], told: AbstractSet[Finding]) -> Iterator[Need]:
        """Their files, all but documentation; of commands those that a file of the image names."""
        owners, paths = self._context.packages, known(there, told)
        programs = [*filter(in_system, self._programs())]
        try:
            for path, package in owners.of_all(programs).packages.items():
                if package is not None:
                    yield from self._own(path, package, paths)
            for package, other in absent(programs, paths, owners):
                yield from self._brought(package, other, there)
        except InputError:
            return  # which others say

    def _own(
        self, program: SourcePath, package: Package, paths: AbstractSet[str]
    ) -> Iterator[Need]:
        """What a package has in directories of its own, if it is about the program and none came.

        Else in each of which none came, and where there is code: what the package is about, or its
        only command, has it loaded.
        """
        every = self._context.packages.files(package)
        is_about = name(program).startswith(package.name)
        if not is_about and not _has_one_command(every):
            return
        used = filterfalse(standards.is_unused, every)
        files = sorted(one for one in used if not _is_for_all(parent(one)))
        reached = {above for one in paths for above in ancestors(one)}
        groups = defaultdict[str, list[SourcePath]](list)
        for one in files:
            if top := next((up for up in reversed([*ancestors(one)]) if up not in reached), ""):
                groups[top].append(one)
        idle = is_about and paths.isdisjoint(files)
        for top, inside in groups.items():
            if idle or any(self._context.files.head(one, 4) == MAGIC for one in inside):
                shown = f"no file shows what {printable(package.name)} has {printable(top)} for"
                each = [one for one in inside if not self._leads_out(one, top)]
                yield from self._whole(package, each, Clue(shown))

    def _leads_out(self, path: SourcePath, directory: str) -> bool:
        """Whether it is a link to a directory elsewhere, as a framework's to its headers."""
        files = self._context.files
        return files.kind(path) == "dir" and not below(files.real(path) or "/", directory)

    def _brought(self, package: Package, other: Package, there: AbstractSet[str]) -> Iterator[Need]:
        """A package that another requires."""
        clue = Clue(f"{printable(package.name)} requires {printable(other.name)}")
        files = sorted(filterfalse(standards.is_unused, self._context.packages.files(other)))
        commands = {*filter(_is_command, files)}
        named = [*self._named(sorted(commands), package, there, clue)] if commands else []
        others = [one for one in files if one not in commands]
        # What else commands that are named need, they show themselves.
        yield from named or self._whole(other, others, clue)

    def _whole(self, package: Package, paths: list[SourcePath], clue: Clue) -> Iterator[Need]:
        """Files of a package; many bytes are a hint."""
        files = self._context.files
        size = sum(map(files.size, paths))
        if size > standards.MOST_DATA:
            yield left_out.package(package.name, len(paths), size, Clue(clue.text, (paths[0],)))
            return
        for path in paths:
            started = files.may_execute(path) and not standards.is_data(path)
            yield File(path, clue, started=started)

    def _named(
        self, commands: list[SourcePath], package: Package, there: AbstractSet[str], clue: Clue
    ) -> Iterator[Need]:
        """Those commands that a file of the package in the image names."""
        texts = sorted(there & self._context.packages.files(package))
        for path in commands:
            by = next((one for one in texts if self._names(SourcePath(one), name(path))), None)
            if by is not None:
                shown = f"{printable(by)} names {printable(name(path))}, and {clue.text}"
                yield File(path, Clue(shown, (by, path)), started=True)

    def _names(self, path: SourcePath, command: str) -> bool:
        """Whether a file has the name of a command as a word."""
        word = re.compile(rb"(?<![\w.-])%b(?![\w.-])" % re.escape(encode(command)))
        return self._context.files.fact(
            path,
            f"word {command}",
            bool,
            lambda content: word.search(content) is not None,
            none=False,
        )

    def _programs(self) -> list[SourcePath]:
        """The user's program, or the scripts of the user's that it may run."""
        context, program = self._context, self._context.program.real
        if context.is_named:
            return [SourcePath(program)]
        scripts = (one.path for one in context.given if one.kind is TextKind.STARTED)
        found = map(context.files.real, scripts) if standards.is_interpreter(program) else ()
        return [one for one in found if one is not None]


def _is_command(path: str) -> bool:
    return parent(path) in _COMMANDS


def _has_one_command(paths: Iterable[str]) -> bool:
    return len([*filter(_is_command, paths)]) == 1


def _is_for_all(directory: str) -> bool:
    """Whether other programs look into a directory, too, or it is made for a shell or a desktop."""
    return standards.is_shared(directory) or standards.is_crowded(directory)


def absent(
    programs: list[SourcePath], known: AbstractSet[str], owners: Owners, *, optional: bool = False
) -> Iterator[tuple[Package, Package]]:
    """The packages of programs, each with one that it requires and of which nothing is `known`.

    Those of its own source count if the program is what the package is about. `optional`: with
    one that it only recommends or suggests, if a program is the package's main one or only one.

    Raises:
        InputError: see Owners.of_all.
    """
    called = {*map(name, programs)}
    for package in dict.fromkeys(owners.of_all(programs).packages.values()):
        if package is not None:
            is_main = any(one.startswith(package.name) for one in called)
            related = owners.related(package)
            others = related.optional if optional else related.least
            if optional and not (is_main or _has_one_command(owners.files(package))):
                continue
            each = _absent(package, others, known, owners, of_source=is_main)
            yield from ((package, other) for other in each)


def known(there: AbstractSet[str], told: Iterable[Finding]) -> AbstractSet[str]:
    """The paths that are there, and those that findings are about: these say why they are not."""
    return there | {path for one in told for path in one.paths if not standards.is_shared(path)}


def _absent(
    package: Package,
    others: tuple[Package, ...],
    known: AbstractSet[str],
    owners: Owners,
    *,
    of_source: bool,
) -> Iterator[Package]:
    scripts = owners.installation(package)
    for other in asked.behind(others, owners):
        related = owners.related(other)
        usual = related.essential or related.expected
        usual |= other.source == package.source and not of_source
        if not usual and not any(_accounts(path, known, scripts) for path in owners.files(other)):
            yield other


def _accounts(path: SourcePath, known: AbstractSet[str], scripts: str) -> bool:
    """Whether a file of a package says what it is there for, or why it is not."""
    if _LIBRARY.fullmatch(name(path)) or standards.is_interpreter(path):
        return True
    word = rf"(?<![\w/.-]){re.escape(name(path))}(?![\w.-])"
    is_installer = standards.is_crowded(parent(path)) and re.search(word, scripts)
    return bool(is_installer) or not known.isdisjoint((path, *ancestors(path)))
