"""The modules that a process reaches: each file is read once a level, and its package comes.

A level says how surely a module is imported, see `How`; MAIN is that of a script that is started.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from posixpath import join as path_join
from posixpath import normpath

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.errors import ElfError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need
from rootfs_builder.needs.importers.packaged import Packaged
from rootfs_builder.needs.importers.python import interpreter, reader
from rootfs_builder.needs.importers.python.distributions import Distribution, Distributions
from rootfs_builder.needs.importers.python.interpreter import LEFT_OUT, Interpreter, Scope
from rootfs_builder.needs.importers.python.outside import Outside
from rootfs_builder.needs.importers.python.search import Found, Search
from rootfs_builder.needs.importers.python.source import How, Source
from rootfs_builder.paths import SourcePath, below, decode, name, parent, printable

_WITHOUT = frozenset(("test", "tests"))  # names of directories that no package comes with
_IMPORTS = frozenset((b"PyImport_Import*",))  # of an extension module that imports others
_NAMES = rb"\x00(?P<name>\w+(?:\.\w+)*)(?=\x00)"


class Module(Struct, frozen=True):
    """A file to be read; `unit` is what came for it, `name` its module's, as far as it matters."""

    path: str
    level: How
    scope: Scope
    unit: str = ""
    name: str = ""
    perhaps: bool = False  # nobody imports it: it brings what its system package declares


class Modules:
    """What was reached in one process; needs and modules to be read grow until they are taken."""

    def __init__(self, context: Context, python: Interpreter) -> None:
        self._context = context
        self._files = context.files
        self._python = python
        self._version = int(python.minor.rstrip("t"))
        self._search = Search(context.files, python.minor)
        self._packaged = Packaged(context)
        self._added = frozenset((*context.files.added, *context.files.added_directories))
        self._reached = dict[tuple[str, Scope, bool], How]()
        self._todo = deque[Module]()
        self._needs = dict[Need, None]()
        self._distributions = set[str]()
        self._groups = dict[str, Clue]()
        self.units = set[str]()
        self._outside = Outside(context, python, self.units)
        paths = context.searched("PYTHONPATH").split(":")
        own = (normpath(path_join(context.directory, one)) for one in paths if one)
        self._roots = (*own, *python.standard, *python.installed)
        self._system = () if python.isolated else python.sites
        self.installed = Distributions(context.files, self._system)

    def unread(self) -> Iterator[Module]:
        """The modules that are to be read, until no more come."""
        while self._todo:
            yield self._todo.popleft()

    def needed(self) -> Iterator[Need]:
        """What is needed since it was last asked."""
        needs, self._needs = self._needs, {}
        yield from needs
        yield from self._outside.zones()

    def need(self, *needs: Need) -> None:
        """Take in what something needs."""
        self._needs |= dict.fromkeys(needs)

    def visit(self, module: Module) -> None:
        """Have a file read, unless it was at that level."""
        sure, key = ((module.path, module.scope, one) for one in (False, module.perhaps))
        if max(self._reached.get(one, -1) for one in (sure, key)) < module.level:
            self._reached[key] = module.level
            self._todo.append(module)

    def source(self, path: str) -> Source:
        """What a file shows."""
        if path.endswith(".so"):
            return self._compiled(path)
        fact, none = f"python 29 {self._version}", Source()
        return self._files.fact(path, fact, Source, self.read, none)

    def _compiled(self, path: str) -> Source:
        """What an extension module shows: its source, where that is beside it, and its texts."""
        directory, _, file = path.rpartition("/")
        source = f"{directory}/{file.partition('.')[0]}.py"
        shown = self.source(source) if self._files.is_file(source) else Source()
        real = self._files.real(path) or SourcePath(path)
        elf_files = self._context.elf_files
        try:
            hits = elf_files.search(real, _NAMES) if elf_files.imports(real, _IMPORTS) else []
        except ElfError:  # for another machine, or damaged
            hits = []
        names = dict.fromkeys(decode(one["name"]) for one in hits)
        return replace(shown, strings=(*shown.strings, *names))

    def read(self, data: bytes) -> Source:
        """What a text shows."""
        return reader.read(data, self._version)

    def find(self, name: str, scope: Scope) -> Found | None:
        """Where a module is, by its dotted name."""
        return self._search.find(name, (*scope.roots, *self._roots, *self._system))

    def reach(
        self, name: str, level: How, scope: Scope, clue: Clue, *, whole: bool = False
    ) -> Found | None:
        """Take a module in, only as a `whole` or what of it is there; None where nothing is."""
        found = self.find(name, scope)
        if found is not None and (found.whole or not whole):
            self.take(found, name, level, scope, clue)
        return found

    def take(self, found: Found, name: str, level: How, scope: Scope, clue: Clue) -> None:
        """Take in a module that was found."""
        if self.is_standard(found):
            self._standard(found, name.partition(".")[0], level, clue)
            return
        if self.is_there(found.unit or found.root):
            if self._python.is_installed(found.root):
                self._visit_all(found, level, Scope(), name)
            return
        is_site = self._site(found.root) is not None
        scope = Scope() if is_site else scope
        self._bring(found, scope, clue)
        self._visit_all(found, level, scope, name)
        for one in self.installed.of_module(name) if is_site else ():
            self.distribution(one, clue)
        self.need(*(File(one, clue, start=found.root) for one in found.shims))

    def beside(
        self, name: str, directory: str, module: Module, clue: Clue, *, whole: bool = False
    ) -> None:
        """Take in a module of the package that is in a directory, which `module` imports."""
        found = self._search.find(name, (directory,))
        if found is None or (whole and not found.whole):
            return
        unit = module.unit or found.unit
        inside = replace(found, unit=unit, root=parent(unit))
        if not self.is_there(found.unit):
            self._bring(inside, module.scope, clue)
        elif not self._python.is_installed(found.unit):
            return  # a text that the user adds
        self._visit_all(inside, module.level, module.scope, module.name)

    def visit_package(self, directories: Iterable[str], module: Module) -> None:
        """Have all modules of a package read, at the level of the one that loads some of them."""
        for directory in sorted({*directories}.difference(self._python.sites)):  # of all packages
            for path in self._search.modules(directory):
                self.visit(replace(module, path=path))

    def visit_own(self, module: Module) -> None:
        """Have all modules beside one of the script's own package read: they may be imported."""
        for path in self._outside.of_script(module.unit, module.path):
            self.visit(replace(module, path=path, level=How.EACH, perhaps=True))

    def _visit_all(self, found: Found, level: How, scope: Scope, name: str) -> None:
        for path in found.files:
            self.visit(Module(path, level, scope, found.unit, name))

    def is_there(self, path: str) -> bool:
        """Whether the image has a module anyhow: the user adds it, or it is in an environment."""
        return path in self._added or self._python.is_installed(path)

    def is_standard(self, found: Found) -> bool:
        """Whether a module is one of the standard library."""
        return found.root in self._python.standard

    def is_own(self, module: Module) -> bool:
        """Whether a file is the user's own, or of a program, not an installed module."""
        sites = (*self._python.sites, *self._python.installed, self._python.library)
        return not any(below(module.path, one) for one in sites)

    def is_of_script(self, module: Module) -> bool:
        """Whether a file is of the source of the script that is read."""
        return self._outside.is_of_script(module.path)

    def is_package(self, directory: str) -> bool:
        """Whether a directory is a package with a module of its own."""
        return self._files.is_file(f"{directory}/__init__.py")

    def is_built_in(self, name: str) -> bool:
        """Whether the interpreter itself has a module."""
        return interpreter.is_built_in(name, self._context)

    def has(self, name: str, scope: Scope) -> bool:
        """Whether a module is there."""
        found = self.find(name, scope)
        return (found is not None and found.whole) or self.is_built_in(name)

    def is_required(self, target: str, module: Module) -> bool:
        """Whether a package needs what it imports at times, by its metadata or its system package.

        Without metadata it does.
        """
        # The module of a shim has a name that is not that of its package: setuptools' distutils.
        names = (module.name, name(module.unit).partition(".")[0])
        own = next(filter(None, (self.installed.of_module(one) for one in names if one)), ())
        others = {one.name for one in self.installed.of_module(target)}
        if not own or not others or any(one.requires is None for one in own):
            return True
        known = {one.name for one in own}.union(*(one.requires or () for one in own))
        return not known.isdisjoint(others) or self.is_declared(target, module)

    def is_declared(self, target: str, module: Module) -> bool:
        """Whether the system package of a module names that of another as needed."""
        found = self.find(target, Scope())
        return found is not None and self._outside.is_declared(found.files[:1], module.path)

    def is_expected(self, target: str, module: Module) -> bool:
        """The same, or whether it is the same package; nobody knows it of what none has."""
        files = found.files if (found := self.find(target, Scope())) is not None else ()
        return bool(files) and self._outside.is_expected(files[0], module.path)

    def comes_along(self, target: str, module: Module) -> bool:
        """Whether a module of the script's own source gets it, whoever declares that."""
        found = self.find(target, Scope())
        return found is not None and self._outside.comes_along(found.files[:1], module.path)

    def _site(self, root: str) -> str | None:
        """The directory of installed modules that a directory is in."""
        return next((one for one in self._python.sites if below(root, one)), None)

    def _standard(self, found: Found, top: str, level: How, clue: Clue) -> None:
        """A module of the standard library is there, but for what few programs use."""
        if top == "zoneinfo":
            self._outside.knows_zones = True
        if top in LEFT_OUT and level >= How.GUARDED:
            whole = (found.unit,) if top not in _WITHOUT else found.files
            self.need(*(File(one, clue, start=found.root) for one in whole))
            self._visit_all(found, level, Scope(), top)

    def _bring(self, found: Found, scope: Scope, clue: Clue) -> None:
        """A module's file or package, and what lies in directories that its package comes without.

        A directory without `__init__` comes whole where it is the program's own.
        """
        site = self._site(found.root)
        unit, start, script = found.unit, site or found.root, None
        if site is None:
            script = None if in_system(found.root) else scope.script
            around = [one for one in scope.roots if below(unit, one) and one != "/"]
            top = found.root if found.root in self._roots else max(around, key=len, default="")
            if top not in ("", found.root):
                unit = f"{top}/{unit[len(top) + 1 :].partition('/')[0]}"
            start = scope.start if scope.start and below(unit, scope.start) else top or found.root
        left = [one for one in found.files if _WITHOUT & set(one[len(unit) :].split("/"))]
        for path in (unit, *left) if unit else left:
            if path not in self.units:
                self.units.add(path)
                self.need(File(path, clue, start=start, script=script))
        if (link := self._python.links.get(found.root)) is not None:
            self.need(File(link, clue))

    def distribution(self, one: Distribution, clue: Clue) -> None:
        """The metadata of what was reached, and what it says that it needs."""
        if one.path in self._distributions:
            return
        self._distributions.add(one.path)
        self.need(File(one.path, clue, start=one.directory))
        for group in one.groups:
            if group in self._groups:
                self._load(one, group, How.EACH, self._groups[group])
        for required in one.requires or ():
            self.require(required, Clue(f"{printable(one.name)} requires it"))

    def ask_group(self, group: str, module: Module, clue: Clue) -> None:
        """Take in what a group of entry points names.

        The user's own program gets those of all distributions; a package its own, and those of
        distributions that something else needs.
        """
        if group in self._groups:
            return
        found = self.installed.with_group(group)
        if found:
            self._groups[group] = clue
        own = self.installed.of_module(module.name) if module.name else ()
        for one in found:
            if one in own or self.is_own(module):
                self._load(one, group, How.GUARDED, clue)
                self.distribution(one, clue)
            elif one.path in self._distributions:
                self._load(one, group, How.EACH, clue)

    def _load(self, one: Distribution, group: str, level: How, clue: Clue) -> None:
        for target in one.groups[group].values():
            self.reach(target, level, Scope(), clue)

    def require(self, name: str, clue: Clue) -> None:
        """Take a distribution in by its name, with its modules."""
        for one in self.installed.named(name):
            self.distribution(one, clue)
            for module in one.modules or (one.name.replace("-", "_"),):
                self.reach(module, How.GUARDED, Scope(), clue)

    def with_search(self, scope: Scope, path: str, source: Source) -> Scope:
        """A scope, with the directories that a file puts on sys.path."""
        found = [*self._outside.directories(source.search, path)]
        for one in found:
            self.need(*self._outside.own_directory(one, path))
        new = [one for one in found if one not in scope.roots]
        return replace(scope, roots=(*new, *scope.roots)) if new else scope

    def in_package(self, top: str, module: Module) -> Scope:
        """A scope with the directories in which the packages of a script have a module, last."""
        ends = (f"{top}.py", f"{top}/__init__.py")
        found = self._packaged.directories(module.path, ends) if self.is_own(module) else ()
        return replace(module.scope, roots=(*module.scope.roots, *found))

    def after(self, found: Found, module: Module) -> Scope:
        """The scope after an import: a program's own module may put directories on sys.path.

        What the command of an environment imports is its own.
        """
        if self._python.is_installed(found.unit):
            self._outside.imported(found.unit, module.path)
        if not self.is_own(module) or found.is_package or self.is_standard(found):
            return module.scope
        return self.with_search(module.scope, found.files[-1], self.source(found.files[-1]))

    def begin(self, script: str) -> None:
        """Take what is read from here on as texts of a script."""
        self._outside.script = script

    def outside(self, source: Source, module: Module) -> None:
        """Take in what a text needs besides modules."""
        path, scope = module.path, module.scope
        self.need(*self._outside.of(source, path, scope, perhaps=module.perhaps))

    def installed_text(self, path: str) -> None:
        """Take in what a module of an environment needs of the system."""
        source = self.source(path)
        if any(one.module.partition(".")[0] == "zoneinfo" for one in source.imports):
            self._outside.knows_zones = True
        only = Source(libraries=source.libraries, zones=source.zones)
        self.need(*self._outside.of(only, path, Scope()))
