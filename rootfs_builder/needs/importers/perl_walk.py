"""One Perl program or module → all that it can load, in the directories of its own @INC."""

from collections.abc import Iterator
from posixpath import normpath

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import File, Need, Text, TextKind
from rootfs_builder.needs.importers.perl_source import Import, Imports, Kind
from rootfs_builder.needs.importers.perl_texts import Library, Texts, and_above, file_of
from rootfs_builder.needs.importers.perl_values import BELOW, HERE, SCRIPT
from rootfs_builder.paths import join, name, named_in, parent, printable

_CODE = (".pm", ".pl", ".pod", ".al", ".h", ".a", ".ix", ".t", ".PL", ".pmc")
_MOST_FILES = 2000  # below the name of one module
_DEEPEST = 8


class Walk:
    """One program's, or module's, way through all that it loads."""

    def __init__(self, texts: Texts, text: Text | None = None) -> None:
        """`text` is None for the options of perl alone."""
        self._texts = texts
        self._files = texts.files
        self._path = text.path if text is not None else ""
        self._is_own = text is None or text.kind is not TextKind.BROUGHT
        self._packaged = not self._is_own and in_system(self._path)
        self._libraries = dict[str, Library]()
        self._needs = dict[str, File]()
        self._todo = list[str]()
        self._missing = dict[tuple[str, str], Import]()
        self._packages = set[str]()
        self._limits = dict[str, Finding]()
        started = text is not None and text.kind is TextKind.STARTED
        self._script = self._files.real(self._path) if started else None

    def needs(self, options: Imports) -> Iterator[Need]:
        """All that it loads, and what it cannot: until no directory of @INC is new."""
        known = -1
        while known < len(self._libraries):
            known = len(self._libraries)
            self._missing.clear()
            self._todo = [self._path] if self._path else []
            for one in options:
                self._follow("", one)
            seen = set[str]()
            while self._todo:
                path = self._todo.pop()
                if path not in seen:
                    seen.add(path)
                    self._read(path)
        self._texts.done |= seen
        yield from self._needs.values()
        yield from self._limits.values()
        for (path, wanted), one in self._missing.items():
            if wanted not in self._packages:
                yield _warning(path, one)

    def _read(self, path: str) -> None:
        imports = self._texts.imports(path)
        for one in imports:
            if one.kind is Kind.PACKAGE:
                self._packages.add(one.name)
                self._root(path, one.name)
        for one in imports:
            self._follow(path, one)

    def _root(self, path: str, package: str) -> None:
        """A module outside @INC shows in which directory others of its kind lie."""
        end = f"/{file_of(package)}"
        if path.endswith(end) and path == self._path:
            self._library(Library(path.removesuffix(end)))

    def _library(self, library: Library) -> None:
        real = self._files.real(library.path)
        if real not in self._texts.inc_real and self._files.kind(library.path) == "dir":
            self._libraries.setdefault(library.path, library)

    def _follow(self, path: str, one: Import) -> None:
        """Take what one import means."""
        if one.kind is Kind.MODULE:
            self._module(path, one)
        elif one.kind is Kind.MAYBE:
            self._maybe(path, one)
        elif one.kind is Kind.FAMILY:
            self._family(path, one)
        elif one.kind is Kind.FILE:
            self._file(path, one)
        elif one.kind is Kind.SHARE:
            self._share(path, one)
        elif one.kind is not Kind.PACKAGE:
            for place in self._placed(path, one.name):
                self._place(path, place, one.kind)

    # --- modules ---

    def _module(self, path: str, one: Import) -> None:
        found = [*self._found(file_of(one.name))]
        if not found and not one.guarded:
            self._lacks(path, one)
        for library in found:
            self._load(library, file_of(one.name), path, one.name)
        if one.name == "diagnostics":  # it reads the texts of all messages from there
            for library in self._found("pod/perldiag.pod"):
                self._need(join(library.path, "pod/perldiag.pod"), library, path, one.name)

    def _maybe(self, path: str, one: Import) -> None:
        """A text that names a module, or where plugins are looked for, outside the core library."""
        if self._texts.is_core(path):
            return  # lists of all there are, names of classes that others load
        found = [*self._found(file_of(one.name))]
        for library in found:
            if not library.core:
                self._load(library, file_of(one.name), path, one.name)
        imports = self._texts.imports(path) if path and not found else ()
        if any(each.kind is Kind.FAMILY for each in imports):
            self._family(path, one)

    def _load(self, library: Library, part: str, by: str, what: str) -> None:
        """Take a file of code; of a module outside the core library what belongs to it, too."""
        self._need(join(library.path, part), library, by, what)
        if library.core or not part.endswith(".pm") or library.whole:
            return
        module = part.removesuffix(".pm")
        for one in self._all():
            directory = f"{one.path}/auto/{module}"
            for base in self._files.names(directory):
                if self._files.is_file(join(directory, base)):
                    self._need(join(directory, base), one, by, what)
        for data in self._below(join(library.path, module)):
            if not data.endswith(_CODE):
                self._need(data, library, by, what)

    def _family(self, path: str, one: Import) -> None:
        """All modules outside the core library whose names begin with one."""
        part = one.name.replace("::", "/")
        for library in self._found(part, "dir"):
            for file in self._below(join(library.path, part)) if not library.core else ():
                if file.endswith(".pm"):
                    self._load(library, file[len(library.path) + 1 :], path, one.name)

    def _below(self, directory: str) -> list[str]:
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
                self._limits[directory] = _too_many(directory)
                break
        return found[:_MOST_FILES]

    def _file(self, path: str, one: Import) -> None:
        """What `require` or `do` reads: by its path, in @INC, or beside."""
        if one.name.startswith(("/", HERE, SCRIPT)):
            for place in self._placed(path, one.name):
                self._take(place.path, place, path, one.name)
            return
        part = normpath(one.name)
        found = [*self._found(part)]
        for library in found:
            self._load(library, part, path, one.name)
        if not found:
            starts = [Library(parent(path), parent(path))] if path else []
            for place in (*starts, Library(self._texts.directory)):
                self._take(normpath(f"{place.path}/{part}"), place, path, one.name)

    def _take(self, file: str, place: Library, by: str, what: str) -> None:
        if self._files.is_file(file):
            self._need(file, place, by, what)

    def _share(self, path: str, one: Import) -> None:
        base = one.name.replace("::", "-")
        for part in (f"auto/share/dist/{base}", f"auto/share/module/{base}"):
            for library in self._found(part, "dir"):
                self._need(join(library.path, part), library, path, part)

    # --- directories ---

    def _all(self) -> tuple[Library, ...]:
        return (*self._libraries.values(), *self._texts.inc)

    def _found(self, part: str, kind: str = "file") -> Iterator[Library]:
        """The directories of @INC that have a path: which comes first is not known."""
        return (one for one in self._all() if self._files.kind(join(one.path, part)) == kind)

    def _placed(self, path: str, value: str) -> Iterator[Library]:
        """A path, spelt out or by the place of the file or script, with and without links."""
        mark = value[:1]
        if mark == BELOW:
            starts = [one.path for one in self._libraries.values()]
            yield from (Library(normpath(one + value[1:]), one) for one in (*starts, parent(path)))
            return
        if mark not in (HERE, SCRIPT):
            begin = "" if value.startswith("/") else f"{self._texts.directory}/"
            yield Library(normpath(begin + value))
            return
        file = self._path if mark == SCRIPT and self._path else path
        real = None if file in self._texts.added else self._files.real(file)
        for start in dict.fromkeys((parent(file), parent(real or file))):
            yield Library(normpath(start + value[1:]), start)

    def _place(self, path: str, place: Library, kind: Kind) -> None:
        """What is at a path that a text names."""
        if kind is Kind.LIBRARY:
            own = place.start is not None and not in_system(place.path)
            whole = own and place.path not in and_above([self._path])
            self._library(Library(place.path, place.start, whole=whole))
            if whole and place.path in self._libraries:
                self._need(place.path, place, self._path, "use lib")
        elif kind is Kind.PROGRAM:
            if place.path.startswith("/") and self._files.is_file(place.path):
                self._need(place.path, place, path, place.path, started=True)
        elif self._files.kind(place.path) is not None:
            if place.path not in self._texts.places | and_above([path, self._path]):
                self._need(place.path, place, path, name(place.path))

    def _need(
        self, path: str, library: Library, by: str, what: str, *, started: bool = False
    ) -> None:
        """Bring a file, unless it is in a directory that comes, or is there; then follow it."""
        if self._files.is_file(path) and self._texts.is_perl(path):
            self._todo.append(path)
        inside = library.whole and path != library.path
        if path in self._needs or inside or path in self._texts.added:
            return
        who = printable(name(by)) if by else "an option of perl"
        start = library.path if library.core else library.start
        script = None if library.start is None else self._script
        clue = Clue(f"{who} uses {printable(what)}", named_in(what))
        self._needs[path] = File(path, clue, start, script, started=started)

    def _lacks(self, path: str, one: Import) -> None:
        """Keep what is found nowhere, if the text is the user's: packages need not have all."""
        part = file_of(one.name)
        own = path == self._path or not in_system(path)
        if self._packaged or not own or path.endswith(".t") or not self._texts.has_core:
            return
        if not any(each.endswith(f"/{part}") for each in self._texts.added_by_name(name(part))):
            self._missing[path, one.name] = one


def _warning(path: str, one: Import) -> Need:
    where = f"{printable(path)}, line {one.line}" if path else "perl's options"
    text = (
        f"{where}: the Perl module {printable(one.name)} was not found; install it, "
        "or --add the directory that has it and set PERL5LIB"
    )
    return warning(Code.IMPORT_MISSING, text, *((path,) if path else ()))


def _too_many(directory: str) -> Finding:
    text = (
        f"{printable(directory)} has more than {_MOST_FILES} files, and which of them are modules "
        f"or data was not looked at further; to have all: --add {printable(directory)}"
    )
    return warning(Code.IMPORT_MISSING, text, directory)
