"""The walk from module to module: each is read once a level, and what it names is needed.

A level says how surely a module is imported, see `How`; MAIN is that of a script that is started.
"""

from collections import deque
from collections.abc import Iterator
from posixpath import join as path_join
from posixpath import normpath

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.findings import Code, warning
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need
from rootfs_builder.needs.importers.python import interpreter, reader
from rootfs_builder.needs.importers.python.distributions import Distribution, Distributions
from rootfs_builder.needs.importers.python.interpreter import Interpreter, Scope
from rootfs_builder.needs.importers.python.outside import Outside
from rootfs_builder.needs.importers.python.search import Found, Search
from rootfs_builder.needs.importers.python.source import How, Import, Source
from rootfs_builder.paths import ancestors, below, name, parent, printable

_LEFT_OUT = frozenset(  # of the standard library, by the rule python3
    (
        "_tkinter",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "test",
        "tkinter",
        "turtle",
        "turtledemo",
    )
)
_NOT_LOADED = frozenset(("console_scripts", "gui_scripts"))  # groups that no program asks for
_WITHOUT = frozenset(("test", "tests"))  # names of directories that no package comes with


class Module(Struct, frozen=True):
    """A file to be read; `unit` is what came for it, `name` its module's, as far as it matters."""

    path: str
    level: How
    scope: Scope
    unit: str = ""
    name: str = ""


class Modules:
    """What was reached in one process; `needs` grow until they are taken."""

    def __init__(self, context: Context, python: Interpreter) -> None:
        self._context = context
        self._files = context.files
        self._python = python
        self._search = Search(context.files, python.minor)
        self._installed = Distributions(context.files, python.sites)
        self._outside = Outside(context, python)
        added = context.files.added
        self._added = frozenset((*added, *(above for one in added for above in ancestors(one))))
        self._reached = dict[tuple[str, Scope], How]()
        self._todo = deque[Module]()
        self._needs = dict[Need, None]()
        self._distributions = set[str]()
        self.units = set[str]()
        paths = dict(context.environment).get("PYTHONPATH", "").split(":")
        own = (normpath(path_join(context.directory, one)) for one in paths if one)
        self._roots = (*own, *python.standard, *python.installed)
        self._system = () if python.isolated else python.sites

    def taken(self) -> Iterator[Need]:
        """What is needed since it was last asked, when all that was reached is read."""
        while self._todo:
            self._read(self._todo.popleft())
        needs, self._needs = self._needs, {}
        yield from needs
        yield from self._outside.zones()

    def visit(self, module: Module) -> None:
        """Read a file, unless it was read at that level."""
        key = (module.path, module.scope)
        if self._reached.get(key, -1) < module.level and not module.path.endswith(".so"):
            self._reached[key] = module.level
            self._todo.append(module)

    def code(self, text: str, scope: Scope) -> None:
        """Follow what code imports that is an argument."""
        source = reader.read(text.encode("utf-8", "surrogateescape"), self._version)
        self._follow(source, Module("-c", How.MAIN, scope))

    def outside(self, path: str) -> None:
        """Take in what a module needs besides modules."""
        source = self.source(path)
        if any(one.module.partition(".")[0] == "zoneinfo" for one in source.imports):
            self._outside.knows_zones = True
        only = Source(libraries=source.libraries, zones=source.zones)
        self._needs |= dict.fromkeys(self._outside.of(only, path, Scope(), self.units))

    @property
    def _version(self) -> int:
        return int(self._python.minor.rstrip("t"))

    def source(self, path: str) -> Source:
        """What a file shows."""
        minor = self._version
        fact = f"python 1 {minor}"
        return self._files.fact(path, fact, Source, lambda data: reader.read(data, minor), Source())

    def reach(self, name: str, level: How, scope: Scope, clue: Clue) -> Found | None:
        """Take a module in by its dotted name; what of it there is, None for nothing."""
        found = self._search.find(name, (*scope.roots, *self._roots, *self._system))
        if found is not None:
            self._take(found, name, level, scope, clue)
        return found

    def _take(self, found: Found, name: str, level: How, scope: Scope, clue: Clue) -> None:
        top = name.partition(".")[0]
        if found.root in self._python.standard:
            self._standard(found, top, level, clue)
            return
        if self._is_there(found.unit or found.root):
            if self._python.is_installed(found.root) and not self._python.isolated:
                self._visit_all(found, level, Scope(), name)
            return
        is_site = self._site(found.root) is not None
        scope = Scope() if is_site else scope
        self._bring(found, scope, clue)
        self._visit_all(found, level, scope, name)
        if is_site:
            for one in self._installed.of_module(name):
                self._distribution(one, clue)

    def _visit_all(self, found: Found, level: How, scope: Scope, name: str) -> None:
        for path in found.files:
            self.visit(Module(path, level, scope, found.unit, name))

    def _is_there(self, path: str) -> bool:
        """Whether the image has a module anyhow: the user adds it, or it is in an environment."""
        return path in self._added or self._python.is_installed(path)

    def _site(self, root: str) -> str | None:
        """The directory of installed modules that a directory is in."""
        return next((one for one in self._python.sites if below(root, one)), None)

    def _standard(self, found: Found, top: str, level: How, clue: Clue) -> None:
        """A module of the standard library is there, but for what few programs use."""
        if top == "zoneinfo":
            self._outside.knows_zones = True
        if top in _LEFT_OUT and level > How.LATER:
            whole = (found.unit,) if top not in _WITHOUT else found.files
            self._needs |= dict.fromkeys(File(one, clue, start=found.root) for one in whole)
            self._visit_all(found, level, Scope(), top)

    def _bring(self, found: Found, scope: Scope, clue: Clue) -> None:
        """A module's file or package, and what lies in directories that its package comes without.

        A directory without `__init__` comes whole where it is the program's own.
        """
        site = self._site(found.root)
        unit, start, script = found.unit, site or found.root, None
        if site is None:
            script = scope.script
            around = [one for one in scope.roots if below(unit, one) and one != "/"]
            top = found.root if found.root in self._roots else max(around, key=len, default="")
            if top not in ("", found.root):
                unit = f"{top}/{unit[len(top) + 1 :].partition('/')[0]}"
            start = scope.start if scope.start and below(unit, scope.start) else top or found.root
        left = [one for one in found.files if _WITHOUT & set(one[len(unit) :].split("/"))]
        for path in (unit, *left) if unit else left:
            if path not in self.units:
                self.units.add(path)
                self._needs[File(path, clue, start=start, script=script)] = None
        if (link := self._python.links.get(found.root)) is not None:
            self._needs[File(link, clue)] = None

    def _distribution(self, one: Distribution, clue: Clue) -> None:
        """The metadata of what was reached, and what it says that it needs."""
        if one.path in self._distributions:
            return
        self._distributions.add(one.path)
        self._needs[File(one.path, clue, start=one.directory)] = None
        shown = Clue(f"{printable(one.name)} requires it")
        for required in one.requires or ():
            self.require(required, shown)

    def require(self, name: str, clue: Clue) -> None:
        """Take a distribution in by its name, with its modules."""
        for one in self._installed.named(name):
            self._distribution(one, clue)
            for module in one.modules or (one.name.replace("-", "_"),):
                self.reach(module, How.GUARDED, Scope(), clue)

    def _read(self, module: Module) -> None:
        """Take in what a file imports and names."""
        source = self.source(module.path)
        if not source.readable and module.level >= How.ALWAYS and self._is_own(module):
            self._needs[_unreadable(module.path)] = None
        self._follow(source, module)

    def _follow(self, source: Source, module: Module) -> None:
        scope = self._with_search(module.scope, module.path, source)
        module = replace(module, scope=scope)
        for one in source.imports:
            scope = self._import(one, module)
            module = replace(module, scope=scope)
        self._named(source, module)
        self._asked(source, module)
        self._needs |= dict.fromkeys(self._outside.of(source, module.path, scope, self.units))

    def _is_own(self, module: Module) -> bool:
        """Whether a file is the user's own, or of a program, not an installed module."""
        sites = (*self._python.sites, *self._python.installed, self._python.library)
        return not any(below(module.path, one) for one in sites)

    def _with_search(self, scope: Scope, path: str, source: Source) -> Scope:
        """A scope, with the directories that a file puts on sys.path."""
        found = [*self._outside.directories(source.search, path)]
        for one in found:
            self._needs |= dict.fromkeys(self._outside.own_directory(one, path))
        new = [one for one in found if one not in scope.roots]
        return replace(scope, roots=(*new, *scope.roots)) if new else scope

    def _import(self, one: Import, module: Module) -> Scope:
        """Follow one import; the scope in which the next is looked for."""
        scope = module.scope
        if one.how is How.MAIN and module.level is not How.MAIN:
            return scope  # nobody starts it
        level = How(min(module.level, one.how, How.ALWAYS))
        is_own = self._is_own(module)
        if is_own and level is How.LATER:
            level = How.GUARDED
        if one.unless and all(self._finds(name, scope) for name in one.unless):
            return scope
        clue = Clue(
            f"{printable(module.path.rpartition('/')[2])} imports {one.module or one.names[0]}"
        )
        if one.level:
            self._relative(one, replace(module, level=level), clue)
            return scope
        if level is How.LATER and not self._is_required(one.module, module):
            return scope
        for name in dict.fromkeys((one.module.partition(".")[0], one.module)):
            found = self.reach(name, self._across(level, name, module), scope, clue)
        if found is None or not found.whole:
            if level is How.ALWAYS and (found is None or self._is_there(found.root)):
                self._missing(one, module)
            return scope
        for part in one.names if found.is_package else ():
            whole = f"{one.module}.{part}"
            self._part(whole, self._across(level, whole, module), scope, clue)
        if is_own and not found.is_package and found.root not in self._python.standard:
            shown = self.source(found.files[-1])  # it may put directories on sys.path for the next
            return self._with_search(scope, found.files[-1], shown)
        return scope

    def _part(self, name: str, level: How, scope: Scope, clue: Clue) -> None:
        """What is imported from a package, where it is a module."""
        found = self._search.find(name, (*scope.roots, *self._roots, *self._system))
        if found is not None and found.whole:
            self._take(found, name, level, scope, clue)

    def _relative(self, one: Import, module: Module, clue: Clue) -> None:
        directory = parent(module.path)
        for _ in range(one.level - 1):
            directory = parent(directory)
        names = [one.module] if one.module else []
        names += [f"{one.module}.{part}".lstrip(".") for part in one.names]
        for part in names:
            found = self._search.find(part, (directory,))
            if found is None or not (found.whole or part == one.module):
                continue
            unit = module.unit or found.unit
            inside = replace(found, unit=unit, root=parent(unit))
            if not self._is_there(found.unit):
                self._bring(inside, module.scope, clue)
            elif not self._python.is_installed(found.unit):
                continue  # a text that the user adds
            self._visit_all(inside, module.level, module.scope, module.name)

    def _finds(self, name: str, scope: Scope) -> bool:
        found = self._search.find(name, (*scope.roots, *self._roots, *self._system))
        return (found is not None and found.whole) or interpreter.is_built_in(name, self._context)

    def _is_required(self, target: str, module: Module) -> bool:
        """Whether a package needs what it imports at times, by its own metadata if it has any."""
        own = self._installed.of_module(module.name) if module.name else ()
        others = {one.name for one in self._installed.of_module(target)}
        if not own or not others or any(one.requires is None for one in own):
            return True
        known = {one.name for one in own}.union(*(one.requires or () for one in own))
        return not known.isdisjoint(others)

    def _across(self, level: How, target: str, module: Module) -> How:
        """The level of a package that another needs: what it imports at once, it needs itself.

        That is not so for its parts, which may be there for the sake of a third.
        """
        return max(level, How.GUARDED) if "." not in target and target != module.name else level

    def _missing(self, one: Import, module: Module) -> None:
        """Warn of a module that is nowhere."""
        top = one.module.partition(".")[0]
        if interpreter.is_built_in(top, self._context) or not self._is_own(module):
            return
        where = f"{printable(module.path)}:{one.line}"
        text = (
            f"{where}: the module {printable(one.module)} was not found; install it, or --add the "
            "directory that has it and set PYTHONPATH with -e"
        )
        self._needs[warning(Code.IMPORT_MISSING, text, module.path)] = None

    def _named(self, source: Source, module: Module) -> None:
        """Modules whose names are texts."""
        level = How.GUARDED if self._is_own(module) else How.LATER
        level = How(min(level, module.level))
        where = printable(name(module.path))
        singles = (
            one for names in source.lists if self._has_module(names, module.scope) for one in names
        )
        for text in dict.fromkeys((*source.strings, *singles)):
            found = self._search.find(text, (*module.scope.roots, *self._roots, *self._system))
            if found is None or found.root in self._python.standard or len(found.files) < 1:
                continue
            if "." in text and len(found.files) == 1 and found.is_package and not found.whole:
                continue  # an attribute of a package that something else imports, or any words
            if level is How.LATER and not self._is_required(text, module):
                continue
            self._take(found, text, level, module.scope, Clue(f"{where} names {text}"))
        for beginning in source.dynamic:
            self._dynamic(beginning, level, module)

    def _has_module(self, names: tuple[str, ...], scope: Scope) -> bool:
        dotted = (one for one in names if "." in one)
        return any(
            self._search.find(one, (*scope.roots, *self._roots, *self._system)) for one in dotted
        )

    def _dynamic(self, beginning: str, level: How, module: Module) -> None:
        """All modules of a package, of which a program imports some by names that it makes."""
        package = beginning.strip(".")
        directories: tuple[str, ...] = (parent(module.path),)
        scope, unit = module.scope, module.unit
        if package and not beginning.startswith("."):
            found = self.reach(package, level, scope, Clue(f"{name(module.path)} names {package}"))
            if found is None or found.root in self._python.standard:
                return
            directories, unit = found.directories, found.unit
        elif self._is_own(module) and not self._files.is_file(f"{directories[0]}/__init__.py"):
            return
        for directory in directories:
            for path in self._search.modules(directory):
                self.visit(Module(path, level, scope, unit, module.name))

    def _asked(self, source: Source, module: Module) -> None:
        """Distributions whose metadata a program asks for."""
        clue = Clue(f"{printable(name(module.path))} asks for its metadata")
        for asked in (*source.distributions, *source.required):
            text = asked.partition("==")[0].strip()
            for one in self._installed.named(text) if text else ():
                self._distribution(one, clue)
        for text in source.required:
            self.require(text.partition("==")[0].strip() or module.name.partition(".")[0], clue)
        for point in source.entry_points:
            for one in self._installed.named(point.distribution.partition("==")[0]):
                target = one.groups.get(point.group, {}).get(point.name)
                if target:
                    self.reach(target, How.ALWAYS, module.scope, clue)
        for group in set(source.groups) - _NOT_LOADED:
            for one in self._installed.everything():
                for target in one.groups.get(group, {}).values():
                    self._distribution(one, clue)
                    self.reach(target, How.GUARDED, Scope(), clue)


def _unreadable(path: str) -> Need:
    text = (
        f"{printable(path)} is not Python as this version reads it, so what it imports is unknown; "
        "name its modules: --with python3-modules=NAME"
    )
    return warning(Code.IMPORT_MISSING, text, path)
