"""What a shell script uses → needs: what goes in, what is left out with a hint, what is missing."""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.filesystem.sources import Sources, in_system
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.needs import undeclared, utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, Exported, File, LeftOut, Need
from rootfs_builder.needs.importers.shell.names import built_in
from rootfs_builder.needs.importers.shell.run import Run
from rootfs_builder.needs.importers.shell.uses import Mode, Use
from rootfs_builder.needs.importers.shell.values import Value, Values
from rootfs_builder.packages import Package
from rootfs_builder.paths import MOUNTED, SourcePath, below, join, name, parent, printable

_OMIT = ("doc", "docs", "examples", "man", "test", "tests")
_DATA = ("/usr", "/opt")  # where a path that no package shares with a script may be data of it
_MOST_DEEP = 3  # directories in which a file is looked for that says whose a directory is


class _Asked(Struct, frozen=True):
    """The script that is asked about, the package that it is of, and what shells call commands."""

    path: str
    package: Package | None
    run: Run
    trusted: bool  # that what is no command here is none at all


class Answers:
    """Answers for the scripts of one shell."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = context.files
        self._own = built_in(context.program.real)

    def needs(self, run: Run, path: str, *, whole: bool) -> Iterator[Need]:
        """What a script needs that was followed."""
        asked = _Asked(path, self._package(path), run, whole and not run.open)
        lacking = dict[str, Use]()
        for use in run.uses:
            if use.kind == "command":
                yield from self._command(use, asked, lacking)
            elif use.kind == "sought":
                yield from self._sought(use, asked)
            elif use.kind == "commands":
                yield from self._commands(use, asked)
            elif use.kind == "setting":
                yield Exported(use.by, ":".join(one.text for one in use.values))
                yield from self._named(replace(use, by=""), asked)
            elif use.kind == "source":
                yield from self._source(use)
            else:
                yield from self._named(use, asked)
        if lacking:
            yield _perhaps_missing(path, lacking)
        if run.cut:
            text = (
                f"{printable(Sources.display(path))}: too long to be followed whole; what it "
                "runs may be missing: name that as another EXECUTABLE"
            )
            yield warning(Code.COMMAND_MISSING, text, path)

    def _command(self, use: Use, asked: _Asked, lacking: dict[str, Use]) -> Iterator[Need]:
        apart = use.last or use.mode.apart
        own = frozenset[str]() if apart else self._own | asked.run.functions.keys()
        known = {one.text for one in use.values} & own
        values = tuple(one for one in use.values if one.text not in known and one.text)
        found = [one for value in values for one in self._paths(value)]
        found = found or [*self._of_package(values, asked)]
        for value in found:
            yield from self._started(value, use, asked)
        if values and not found and not known:
            yield from self._missing(use, values, asked, lacking)

    def _sought(self, use: Use, asked: _Asked) -> Iterator[Need]:
        """A program that a script looks for, and may run by a variable: if its package needs it.

        At some distance that counts only for what is no word of every day. A utility of every
        system, which no package declares, comes too.
        """
        for value in (found for one in use.values for found in self._paths(one)):
            if name(value.text) in utilities.ALL or self._may_need(value.text, asked.package):
                clue = self._clue(use, f"looks for {printable(name(value.text))}")
                yield self._file(value, clue, started=True)

    def _may_need(self, path: str, by: Package | None) -> bool:
        package, packages = self._package(path), self._context.packages
        if by is None or package is None:
            return False
        is_rare = utilities.is_rare(name(path))
        return packages.requires(by, package) or (is_rare and packages.reaches(by, package))

    def _commands(self, use: Use, asked: _Asked) -> Iterator[Need]:
        """All programs of a directory."""
        for directory in use.values:
            for base in self._files.names(directory.text):
                one = Value(join(directory.text, base), directory.place)
                if self._is_program(one.text):
                    yield from self._started(one, use, asked)

    def _paths(self, value: Value) -> Iterator[Value]:
        """Where a command is, first in PATH."""
        if "/" in value.text:
            if value.text.startswith("/") and self._is_program(value.text):
                yield value
            return
        each = (f"{top.rstrip('/')}/{value.text}" for top in self._context.search_path)
        yield from [Value(path, value.place) for path in each if self._is_program(path)][:1]

    def _of_package(self, values: Values, asked: _Asked) -> Iterator[Value]:
        """The programs of the script's package that only whoever starts it puts into PATH.

        As plasmidID does with the directory of its parts.
        """
        wanted = {one.text for one in values}
        if asked.package is not None and not any("/" in one for one in wanted):
            files = sorted(self._context.packages.files(asked.package))
            each = [one for one in files if name(one) in wanted and self._files.may_execute(one)]
            yield from map(Value, filter(self._is_program, each))

    def _is_program(self, path: str) -> bool:
        return self._files.is_file(path)

    def _started(self, value: Value, use: Use, asked: _Asked) -> Iterator[Need]:
        guarded = bool({value.text, name(value.text)} & use.mode.guards)
        own = self._is_own(value, asked)
        clue = self._clue(use, f"starts {printable(name(value.text))}")
        expected = own or use.last or self._is_expected(value, asked)
        given = not guarded and self._comes_along(value, asked)
        if (use.mode.sometimes or guarded) and not (expected or given):
            yield LeftOut(value.text, clue)
        else:
            yield self._file(value, clue, started=True)

    def _is_own(self, value: Value, asked: _Asked) -> bool:
        """Whether a file belongs to the script: by its place, or by its package."""
        if value.place and not in_system(value.text):
            return True
        return asked.package is not None and self._package(value.text) == asked.package

    def _is_expected(self, value: Value, asked: _Asked) -> bool:
        """Whether every system has a program, or the package of the script depends on it."""
        if name(value.text) in utilities.ALL:
            return True
        package = self._package(value.text) if asked.package is not None else None
        if package is None or asked.package is None:
            return False
        return self._context.packages.requires(asked.package, package)

    def _comes_along(self, value: Value, asked: _Asked) -> bool:
        """Whether what the user's own script may start is small."""
        is_given = any(one.path == asked.path for one in self._context.given)
        return is_given and undeclared.is_small(value.text, self._context, asked.package)

    def is_kin(self, path: str, script: str) -> bool:
        """Whether a file is of the source that a script is of."""
        package, real = self._package(script), self._files.real(path)
        if package is None or real is None:
            return False
        return self._context.packages.kin(package, needed=False).owns(real)

    def _package(self, path: str) -> Package | None:
        real = self._files.real(path)
        if real is None or Sources.display(real) != real:
            return None
        return self._context.packages.of_all([real]).packages.get(real)

    def _missing(
        self, use: Use, values: Values, asked: _Asked, lacking: dict[str, Use]
    ) -> Iterator[Finding]:
        quiet = use.mode.sometimes or use.mode.tolerated or not asked.trusted
        home = any(one.text.startswith("~") for one in values)
        if quiet or home or {one.text for one in values} & use.mode.guards:
            return
        words = " or ".join(sorted(printable(one.text) for one in values))
        if use.mode.branch:
            lacking.setdefault(words, use)
            return
        place = "there" if "/" in values[0].text else "in the image's PATH"
        where = f"{_where(use)} starts {words}, which is not {place}"
        text = f"{where}; install it, or give it with --add"
        yield warning(Code.COMMAND_MISSING, text, use.file)

    def _source(self, use: Use) -> Iterator[Need]:
        found = [one for one in use.values if self._files.is_file(one.text)]
        for value in found:
            clue = self._clue(use, f"sources {printable(name(value.text))}")
            yield self._file(value, clue)
        mode: Mode = use.mode
        if not found and not (mode.perhaps or mode.tolerated or mode.guards):
            words = " or ".join(sorted(printable(Sources.display(v.text)) for v in use.values))
            text = f"{_where(use)} sources {words}, which is not there; give it with --add"
            yield warning(Code.COMMAND_MISSING, text, use.file)

    def _named(self, use: Use, asked: _Asked) -> Iterator[Need]:
        """The files that a command has as arguments, and the programs that the user gives it."""
        for value in use.values:
            if "/" not in value.text:
                yield from self._given(value, use, asked)
            if use.kind == "setting" and self._files.kind(value.text) == "dir":
                continue  # a program's home, in which it looks for itself
            for path in _split(value.text):
                one = Value(path, value.place)
                if self._is_data(one, asked):
                    clue = self._clue(use, f"names {printable(name(path))}")
                    runs = use.by and self._is_program(path)
                    by = next(self._paths(Value(use.by)), None) if runs else None
                    need = self._file(one, clue)
                    yield need if by is None else replace(need, by=by.text)

    def _given(self, value: Value, use: Use, asked: _Asked) -> Iterator[Need]:
        """A program whose name is an argument, if it is no word of every day: `-p hunspell`."""
        is_given = any(one.path == asked.path for one in self._context.given)
        if not is_given or asked.package is not None:
            return
        for one in self._paths(value) if utilities.is_rare(value.text) else ():
            yield LeftOut(one.text, self._clue(use, f"names {printable(value.text)}"))

    def _is_data(self, value: Value, asked: _Asked) -> bool:
        path = value.text
        kind = self._files.kind(path)
        around = below(asked.path, path) or any(below(path, one) for one in MOUNTED)
        if kind is None or around or path.count("/") < 2:  # noqa: PLR2004 - a directory of the top
            return False
        if value.place and not in_system(path):
            return True
        if kind == "file":
            own = self._is_own(value, asked)
            return own or (asked.package is None and any(below(path, one) for one in _DATA))
        return asked.package is not None and self._holds_own(path, asked.package, _MOST_DEEP)

    def _holds_own(self, directory: str, package: Package, depth: int) -> bool:
        """Whether the first file of a directory is of a package."""
        for one in self._files.names(directory):
            path = f"{directory.rstrip('/')}/{one}"
            if self._files.is_file(path):
                return self._package(path) == package
            if depth and self._files.kind(path) == "dir":
                return self._holds_own(path, package, depth - 1)
        return False

    def _file(self, value: Value, clue: Clue, *, started: bool = False) -> File:
        if not value.place or in_system(value.text) or self._files.is_added(value.place):
            return File(value.text, clue, omit=() if started else _OMIT, started=started)
        place = SourcePath(value.place)
        start = parent(value.place)
        return File(value.text, clue, start, place, omit=_OMIT, started=started)

    def _clue(self, use: Use, does: str) -> Clue:
        return Clue(f"{_where(use)} {does}", (use.file,))


def _where(use: Use) -> str:
    return f"{printable(name(use.file))}:{use.line}"


def _perhaps_missing(path: str, lacking: dict[str, Use]) -> Finding:
    """One hint for all commands of a script that some condition leads to, and that are nowhere."""
    words = ", ".join(f"{word} (line {use.line})" for word, use in sorted(lacking.items()))
    shown = printable(Sources.display(path))
    text = f"{shown} may start what is not in the image's PATH: {words}; install what it is to do"
    return hint(Code.COMMAND_MISSING, text, path)


def _split(text: str) -> Iterator[str]:
    """The absolute paths in a word such as -Dx=/a:/b."""
    if "/" not in text:
        return
    for part in text.replace("=", ":").replace(",", ":").replace(";", ":").split(":"):
        if part.startswith("/"):
            yield part.rstrip("/") or "/"
