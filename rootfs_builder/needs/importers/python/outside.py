"""What a Python program needs besides modules: libraries, files by its own place, time zones."""

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from posixpath import normpath

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, Library, Need
from rootfs_builder.needs.general import unlinked
from rootfs_builder.needs.importers import commands
from rootfs_builder.needs.importers.commands import Commands
from rootfs_builder.needs.importers.python.interpreter import Interpreter, Scope, opened_directories
from rootfs_builder.needs.importers.python.place import FILE, PREFIX
from rootfs_builder.needs.importers.python.source import How, Opened, Source
from rootfs_builder.packages import Package
from rootfs_builder.paths import below, join, name, parent, printable

_ZONES = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")
_LDCONFIG = "/sbin/ldconfig"  # by its path: ctypes/util.py
_MOST_ZONES = 20  # that one text chooses from; one with more has all of them
_MOST_FILES = 2000  # of a directory of one program
_DEPTH = 3  # of such a directory, as /usr/share/NAME
_MOST_OWNERS = 3  # packages that have files in it: a program, its modules, a plugin


class Outside:
    """Answers for one process; `knows_zones` once something imports zoneinfo.

    `script` is the one of which texts are read, `units` what has come for modules so far.
    """

    def __init__(self, context: Context, python: Interpreter, units: AbstractSet[str]) -> None:
        self.knows_zones = False
        self.script = ""
        self._context = context
        self._files = context.files
        self._python = python
        self._units = units
        self._commands = Commands(context)
        self._added = frozenset(context.files.added)
        self._zones = {"UTC": Clue("zoneinfo is imported")}
        self._owned = dict[str, frozenset[Package | None]]()
        self._database = next((one for one in _ZONES if self._files.kind(one) == "dir"), None)

    def of(
        self, source: Source, path: str, scope: Scope, *, perhaps: bool = False
    ) -> Iterator[Need]:
        """What one text names besides modules, where it is imported or only `perhaps`."""
        shown = printable(name(path))
        yield from self._compiled(source, path)
        for one in source.libraries:
            yield from self._library(one, path)
        if len(source.zones) <= _MOST_ZONES:
            yield from self._zone_names(source.zones, path)
        elif self._is_own_text(path):
            text = f"{printable(path)} names {len(source.zones)} time zones, which are left out"
            yield hint(Code.RULE_HINT, f"{text}: --with tzdata", path)
        if source.cut and self._is_own_text(path):
            text = f"{printable(path)} names more modules than are looked for; name those you need"
            yield hint(Code.IMPORT_MISSING, f"{text}: --with python3-modules=NAME,…", path)
        if source.files:
            yield from self._beside(source.files, path, scope)
        for package in source.resources:
            for root in scope.roots:
                directory = join(root, package.replace(".", "/"))
                if self._is_data(directory):
                    yield File(directory, Clue(f"{shown} reads files of {printable(package)}"))
        if not any(below(path, one) for one in self._python.standard):
            yield from self._started(source, path, perhaps=perhaps)
            yield from self._named(source, path, perhaps=perhaps)

    def _compiled(self, source: Source, path: str) -> Iterator[Need]:
        """A module's bytecode, if Python warns when it compiles it: it would at each start."""
        module, shown = name(path).removesuffix(".py"), printable(name(path))
        compiled = f"{parent(path)}/__pycache__/{module}.cpython-3{self._python.minor}.pyc"
        if source.warns and in_system(path) and self._files.is_file(compiled):
            yield File(compiled, Clue(f"Python warns of {shown} when it compiles it", (path,)))

    def imported(self, unit: str, by: str) -> None:
        """Take what a script itself imports from its environment as its own."""
        if by == self.script:
            self._commands.own.add(unit)

    def is_of_script(self, path: str) -> bool:
        """Whether a text is the script's own."""
        return self._commands.is_own(path, self.script)

    def of_script(self, unit: str, path: str) -> Iterator[str]:
        """The modules of a package, if one of them is of the package that the script is of."""
        owner = self._commands.owner(self.script) if self.script and unit else None
        if owner is not None and self._commands.owner(path) == owner:
            yield from (one for one in self._below(unit) if one.endswith(".py"))

    def is_expected(self, file: str, path: str) -> bool:
        """The same, or whether it is the same package; nobody knows it of what none has."""
        by, other = self._commands.owner(path), self._commands.owner(file)
        return by is None or other in (None, by) or self.is_declared((file,), path)

    def is_declared(self, files: Sequence[str], path: str) -> bool:
        """Whether the system package of a module names that of another's file as needed.

        Or whether that of the script requires it: which toolkit, which database is its choice.
        Required is also what a required part of it cannot do without: PyQt5 of PyQt5.QtSvg.
        """
        packages, owner = self._context.packages, self._commands.owner
        by, asked, other = owner(path), owner(self.script), owner(files[0]) if files else None
        if other is None:
            return False
        try:
            needed = packages.related(by).needed if by is not None else ()
            asking = (one for one in (by, asked) if one not in {None, other})
            return other in needed or any(packages.requires(one, other) for one in asking)
        except InputError:
            return False  # which others say

    def comes_along(self, files: Sequence[str], path: str) -> bool:
        """Whether what a module of the script's own source imports comes, whoever declares it."""
        own, owner = self._commands.owner(self.script), self._commands.owner(path)
        is_own = own is not None and owner is not None and own.source == owner.source
        return is_own and any(self._commands.comes_along(one, self.script) for one in files)

    def _is_own_text(self, path: str) -> bool:
        """Whether it is the user's or the script itself: others have tables of all there is."""
        return path == self.script or not in_system(path)

    def _is_data(self, directory: str) -> bool:
        """Whether it is a package without modules, which no import brings."""
        names = self._files.names(directory)
        return bool(names) and not any(one.endswith(".py") for one in names)

    def _started(self, source: Source, path: str, *, perhaps: bool) -> Iterator[Need]:
        """Programs that a text starts; a shell, where that runs a line that needs one.

        What perhaps nobody imports brings those that a package declares.
        """
        words = [*source.programs, *(one for line in source.lines for one in commands.words(line))]
        if source.lines:
            words.append(commands.SHELL)
        for one in dict.fromkeys(words):
            yield from self._commands.needs(one, path, self.script, perhaps=perhaps)

    def _named(self, source: Source, path: str, *, perhaps: bool) -> Iterator[Need]:
        """Programs that a text names; what perhaps nobody imports brings none.

        A bare name is one where the package that starts others is called so itself.
        """
        starts = any(one.module == "subprocess" for one in source.imports)
        for one in (*source.commands, *self._commands.quoted(path, starts=starts)):
            known = self._commands.named if "/" in one else self._commands.perhaps
            for need in known(one, path, self.script):
                is_doubtful = perhaps and isinstance(need, File)
                yield LeftOut(need.path, need.clue) if is_doubtful else need

    def zones(self) -> Iterator[Need]:
        """The zones that texts have named since it was last asked, if something can read them."""
        if self.knows_zones and self._database is not None:
            zones, self._zones = self._zones, {}
            for zone, clue in zones.items():
                path = join(self._database, zone)
                if self._files.is_file(path):
                    yield File(path, clue)

    def _zone_names(self, zones: Iterable[str], path: str) -> Iterator[Need]:
        """Zones that a text names; all for a package whose first module names their directory."""
        is_package = name(path) == "__init__.py" and parent(parent(path)) in self._python.sites
        for zone in zones:
            clue = Clue(f"{printable(name(path))} names {zone}")
            if not zone.startswith("/"):
                self._zones.setdefault(zone, clue)
            elif is_package and zone.rstrip("/") == self._database:
                for one in self._files.names(self._database):
                    if one[:1].isupper() or one.endswith((".tab", ".zi")):
                        yield File(join(self._database, one), clue)

    def _library(self, one: Opened, path: str) -> Iterator[Need]:
        """A library, or for a computed name those that the module's package requires for that."""
        shown, owner = printable(name(path)), self._commands.owner(path)
        soname = self._linked(one.name) if one.linked and one.name else one.name
        if not one.name and owner is not None:
            yield from unlinked.of(owner, self._context, of_others=True)
        elif soname:
            clue = Clue(f"{shown} opens {printable(soname)}")
            yield Library(soname, clue, optional=one.how is not How.ALWAYS)
        if soname is not None and one.linked and self._files.is_file(_LDCONFIG):
            asked = printable(one.name or "libraries")
            asks = Clue(f"{shown} looks for {asked} in what ldconfig prints")
            yield File(_LDCONFIG, asks, started=True)

    def _linked(self, library: str) -> str | None:
        """The SONAME that a linker would note for a library's short name: the shortest one."""
        pattern = re.compile(rf"lib{re.escape(library)}\.so(?:\.\d+)+")
        for directory in (*opened_directories(self._context), "/usr/lib", "/usr/lib64"):
            found = [one for one in self._files.names(directory) if pattern.fullmatch(one)]
            if found:
                return max(found, key=lambda one: (-one.count("."), one))
        return None

    def _bases(self, path: str) -> tuple[str, ...]:
        """A file's own path, as it is opened and where it is."""
        real = path if path in self._added else self._files.real(path) or path
        return tuple(dict.fromkeys((path, real)))

    def directories(self, search: Iterable[str], path: str) -> Iterator[str]:
        """The directories that a text puts on sys.path, which exist."""
        for one in search:
            for base in self._bases(path):
                directory = normpath(one.replace(FILE, base, 1))
                if directory.startswith("/") and self._files.kind(directory) == "dir":
                    yield directory

    def own_directory(self, directory: str, path: str) -> Iterator[Need]:
        """A directory on sys.path that is a program's own comes whole, with its data.

        Of one that many packages share come the modules that are imported, as of any other.
        """
        clue = Clue(f"{printable(name(path))} has it on sys.path")
        if not (in_system(directory) or self._is_beside(directory, path)):
            yield File(directory, clue)  # which is refused, with the flag that adds it
        is_deep = directory.count("/") >= _DEPTH and not self._is_shared(directory)
        if in_system(directory) and is_deep and len(self._owners(directory)) <= _MOST_OWNERS:
            yield File(directory, clue) if self._is_small(directory) else _too_many(directory)

    def _is_beside(self, directory: str, path: str) -> bool:
        """Whether it lies around a script, where its modules are found one by one, or is added."""
        around = (parent(one) for one in self._bases(path))
        added = directory in self._files.added_directories or self._files.is_added(directory)
        return added or any(below(directory, one) or below(one, directory) for one in around)

    def _is_shared(self, directory: str) -> bool:
        sites = (*self._python.sites, *self._python.installed, *self._python.standard)
        return any(below(one, directory) for one in sites)

    def _is_small(self, directory: str) -> bool:
        return sum(1 for _ in self._below(directory)) <= _MOST_FILES

    def _owners(self, directory: str) -> frozenset[Package | None]:
        """The packages that have files in a directory; None stands for nobody."""
        if directory not in self._owned:
            files = [*self._below(directory)][:_MOST_FILES]
            real = [one for one in map(self._files.real, files) if one is not None]
            owned = self._context.packages.of_all(real).packages
            self._owned[directory] = frozenset(owned.values())
        return self._owned[directory]

    def _below(self, directory: str) -> Iterator[str]:
        """The files below a directory, at most one more than one program has."""
        todo, count = [directory], 0
        while todo and count <= _MOST_FILES:
            here = todo.pop()
            for one in self._files.names(here):
                path = join(here, one)
                kind = self._files.kind(path)
                if kind == "dir":
                    todo.append(path)
                elif kind == "file" and one != "__pycache__":
                    count += 1
                    yield path

    def _beside(self, paths: Iterable[str], path: str, scope: Scope) -> Iterator[Need]:
        shown = printable(name(path))
        prefix = self._python.prefix(path)
        for one in paths:
            where = "sys.prefix" if one.startswith(PREFIX) else "its own location"
            clue = Clue(f"{shown} opens it relative to {where}")
            for base in self._bases(path):
                found = normpath(one.replace(FILE, base, 1).replace(PREFIX, prefix))
                if below(base, found) or any(below(found, unit) for unit in self._units):
                    continue
                kind = self._files.kind(found)
                is_file = kind == "file"
                if is_file or (
                    kind == "dir" and (not in_system(found) or self._may_own(found, path))
                ):
                    script = None if in_system(found) else scope.script
                    yield File(found, clue, start=scope.start, script=script)

    def _may_own(self, directory: str, path: str) -> bool:
        """Whether a directory is one package's, or all that have it are of the text's source."""
        if self._is_shared(directory) or not self._is_small(directory):
            return False
        owners, own = self._owners(directory), self._commands.owner(path)
        return len(owners) <= 1 or all(one and own and one.source == own.source for one in owners)


def _too_many(directory: str) -> Finding:
    shown = printable(directory)
    text = f"{shown}, which is put on sys.path, has over {_MOST_FILES} files and is left out"
    return hint(Code.IMPORT_MISSING, f"{text}: --add {shown}:{shown}", directory)
