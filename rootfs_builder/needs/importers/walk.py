"""One program → all that it loads, from text to text, in directories that the texts themselves add.

What the importers of Perl, Ruby and Lua share: a search path that grows, paths by a file's own
place, files that are needed once. The importer of a language says what its texts mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from posixpath import normpath

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import File, LeftOut, Need, Text, TextKind
from rootfs_builder.needs.importers import commands, opened
from rootfs_builder.needs.importers.surroundings import Library, Surroundings, and_above
from rootfs_builder.paths import join, name, named_in, parent, printable

HERE, SCRIPT, BELOW = "\1", "\2", "\3"  # how a path begins that follows from a place
MARKS = (HERE, SCRIPT)

_MOST_FILES = 2000  # below one directory
_DEEPEST = 8


class Walk(ABC):
    """One program's, or module's, way through all that it loads."""

    tools: tuple[tuple[str, ...], ...] = ()  # by the parts of their names

    def __init__(self, around: Surroundings, text: Text | None, interpreter: str) -> None:
        """`text` is None for the options of the interpreter alone, which is called so."""
        self._around = around
        self._files = around.files
        self._interpreter = interpreter
        self._path = text.path if text is not None else ""
        self._own = {self._path}  # the program's texts: it is more than a library to them
        self._is_packaged = (
            text is not None and text.kind is TextKind.BROUGHT and in_system(text.path)
        )
        self._libraries = dict[str, Library]()
        self._todo = list[str]()
        self._needs = dict[str, File]()
        self._started = dict[str, File | LeftOut]()
        self._findings = dict[str, Finding]()
        started = text is not None and text.kind is TextKind.STARTED
        self._script = self._files.real(self._path) if started else None

    @abstractmethod
    def _begin(self) -> None:
        """Take what the options of the interpreter say."""

    def _more(self) -> bool:
        """Take what only all the rest can tell to be needed; whether there was any."""
        return False

    def _end(self) -> None:  # noqa: B027 - most have nothing to drop
        """Drop what has been found after all."""

    @abstractmethod
    def _read(self, path: str) -> None:
        """Take what a text says."""

    @abstractmethod
    def _is_text(self, path: str) -> bool:
        """Whether a file is in the language."""

    def needs(self) -> Iterator[Need]:
        """All that it loads, and what it cannot: until no directory of the search path is new.

        Without a text of its own it does not follow again what other walks have followed.
        """
        known, seen = -1, set[str]()
        followed = frozenset[str]() if self._path else frozenset(self._around.done)
        while known < len(self._libraries):
            known = len(self._libraries)
            self._findings.clear()
            self._todo, seen = [self._path] if self._path else [], set()
            self._begin()
            while self._todo or self._more():
                path = self._todo.pop() if self._todo else ""
                if path and path not in seen and path not in followed:
                    seen.add(path)
                    self._read(path)
        self._around.done |= seen  # a text comes in by the path that it has without links
        self._around.done |= {real for real in map(self._files.real, seen) if real is not None}
        self._end()
        yield from self._needs.values()
        yield from self._started.values()
        yield from self._findings.values()
        texts = [one for one in seen if not self._around.is_core(one)]
        yield from opened.of(texts, self._around.commands, self._around.context)

    def _all(self) -> tuple[Library, ...]:
        return (*self._libraries.values(), *self._around.libraries)

    def _is_aside(self, path: str, words: Sequence[str]) -> bool:
        """Whether a text of others loads a tool, called by the parts of its name, on occasion.

        A tool is to build, test or document with: no program does that for its ordinary work. But
        what one tool loads of another it needs.
        """
        tool = next((one for one in self.tools if [*words[: len(one)]] == [*one]), None)
        if tool is None or path in self._own or not in_system(path):
            return False
        if self._around.commands.is_own(path, self._path):
            return False
        parts = {one.split("-")[0].split(".")[0] for one in path.split("/")}
        return parts.isdisjoint(one[-1] for one in self.tools)

    def _found(self, part: str, kind: str = "file") -> list[Library]:
        """The directories of the search path that have a path: which comes first is not known."""
        own = self._libraries.values()
        found = [one for one in own if self._files.kind(join(one.path, part)) == kind]
        return [*found, *self._around.found(part, kind)]

    def _placed(self, path: str, value: str) -> Iterator[Library]:
        """A path, spelt out or by the place of the file or script, with and without links."""
        mark = value[:1]
        if mark == BELOW:
            starts = [one.path for one in self._libraries.values()]
            starts += [parent(path)] if path else []
            yield from (Library(normpath(one + value[1:]), one) for one in starts)
        elif mark in MARKS:
            file = self._path if mark == SCRIPT and self._path else path
            real = None if file in self._around.added else self._files.real(file)
            for start in dict.fromkeys((parent(file), parent(real or file))) if file else ():
                yield Library(normpath(start + value[1:]), start)
        else:
            begin = "" if value.startswith("/") else f"{self._around.directory}/"
            yield Library(normpath(begin + value))

    def _library(self, library: Library, *, whole: bool = True) -> None:
        """One more directory of the search path; all of it comes if it is the user's own folder."""
        own = library.start is not None and not in_system(library.path)
        whole = whole and own and library.path not in and_above([self._path])
        real = self._files.real(library.path)
        if real in self._around.real_libraries or self._files.kind(library.path) != "dir":
            return
        library = Library(library.path, library.start, whole=whole)
        self._libraries.setdefault(library.path, library)
        if whole:
            self._need(library.path, library, self._path, library.path)

    def _place(self, path: str, place: Library) -> None:
        """What is at a path by a file's own place, unless that holds it, or half the system."""
        if place.path in self._libraries or self._files.kind(place.path) is None:
            return
        if place.path not in self._around.shared | and_above([path, self._path]):
            self._need(place.path, place, path, name(place.path))

    def _run(self, path: str, text: str, *, is_line: bool) -> None:
        """Programs that a text starts."""
        for word in commands.started(text, is_line=is_line):
            self._start(path, word)

    def _start(self, path: str, word: str) -> None:
        """A program that a text starts, by its place or in PATH."""
        if word[:1] in MARKS:
            for place in self._placed(path, word):
                self._program(path, place)
        elif path not in self._around.done and not self._around.is_core(path):
            for one in self._around.commands.needs(word, path, self._path):
                self._started.setdefault(one.path, one)

    def _program(self, path: str, place: Library) -> None:
        """A program that this one becomes."""
        if self._files.is_file(place.path):
            self._need(place.path, place, path, place.path, started=True)

    def _need(
        self,
        path: str,
        library: Library,
        by: str,
        what: str,
        *,
        started: bool = False,
        follow: bool = True,
    ) -> None:
        """Bring a file, unless it is in a directory that comes, or is there; then follow it."""
        if follow and self._files.is_file(path) and self._is_text(path):
            self._todo.append(path)
        inside = library.whole and path != library.path
        if path in self._needs or inside or path in self._around.added:
            return
        who = printable(name(by)) if by else f"an option of {self._interpreter}"
        start = library.path if library.core else library.start
        script = None if library.start is None or in_system(path) else self._script
        clue = Clue(f"{who} uses {printable(what)}", named_in(what))
        self._needs[path] = File(path, clue, start, script, started=started)

    def _below(self, directory: str) -> Sequence[str]:
        """The files of a directory, at any depth."""
        found, todo = list[str](), [(directory, 0)]
        while todo:
            here, depth = todo.pop()
            for base in self._files.names(here):
                path = join(here, base)
                kind = self._files.kind(path)
                if kind == "file":
                    found.append(path)
                elif kind == "dir" and depth < _DEEPEST:
                    todo.append((path, depth + 1))
            if len(found) > _MOST_FILES:
                self._findings[directory] = _too_many(directory)
                break
        return found[:_MOST_FILES]

    def _lacks(self, path: str, line: int, what: str, remedy: str, part: str) -> None:
        """Warn of what is found nowhere, if the text is the user's: packages need not have all.

        `part` is how the path of a file of it ends, which the user may add where only the program
        itself knows.
        """
        own = path == self._path or not in_system(path)
        is_own = bool(path) and self._around.commands.is_own(path, self._path)
        found = self._around.packaged.directories(path, (part,)) if is_own else ()
        for one in found:
            self._library(Library(one))
        if found or self._is_packaged or not own or not self._around.has_core:
            return
        if any(one.endswith(f"/{part}") for one in self._around.added_by_name(name(part))):
            return
        where = f"{printable(path)}, line {line}" if path else f"options of {self._interpreter}"
        text = f"{where}: {what} was not found; {remedy}"
        paths = (path,) if path else ()
        self._findings[f"{path}\0{part}"] = warning(Code.IMPORT_MISSING, text, *paths)


def _too_many(directory: str) -> Finding:
    text = (
        f"{printable(directory)} has more than {_MOST_FILES} files, and only so many were looked "
        f"at; to have all: --add {printable(directory)}"
    )
    return warning(Code.IMPORT_MISSING, text, directory)
