"""What a file of Python imports and names → modules and distributions that are reached."""

import re
from posixpath import dirname

from msgspec.structs import replace

from rootfs_builder.findings import Code, warning
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import LeftOut, Need
from rootfs_builder.needs.importers.python.interpreter import Scope
from rootfs_builder.needs.importers.python.modules import Module, Modules
from rootfs_builder.needs.importers.python.source import REMOVED, How, Import, Source
from rootfs_builder.paths import name, parent, printable

TESTS = re.compile(
    r"(?:^|/)(?:tests?|docs?|examples?)/|/(?:test_[^/]*|[^/]*_test|conftest|setup)\.py$"
)
_NOT_LOADED = frozenset(("console_scripts", "gui_scripts"))  # groups that no program asks for


class Follower:
    """Follows what files show; `modules` has what was reached."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def read(self, module: Module) -> None:
        """Read a file, and follow it."""
        source = self._modules.source(module.path)
        if not source.readable and module.level >= How.ALWAYS and self._modules.is_own(module):
            self._modules.need(_unreadable(module.path))
        self.follow(source, module)

    def follow(self, source: Source, module: Module) -> None:
        """Take in all that a text imports and names."""
        scope = self._modules.with_search(module.scope, module.path, source)
        module = replace(module, scope=scope)
        for one in source.imports:
            module = replace(module, scope=self._import(one, module))
        self._named(source, module)
        self._asked(source, module)
        self._modules.outside(source, module)

    def _import(self, one: Import, module: Module) -> Scope:
        """Follow one import; the scope in which the next is looked for."""
        scope = module.scope
        if one.how is How.MAIN and module.level is not How.MAIN:
            return scope  # nobody starts it
        if one.unless and all(self._modules.has(each, scope) for each in one.unless):
            return scope
        level = How(min(module.level, one.how, How.ALWAYS))
        if self._modules.is_own(module):
            level = max(level, How.GUARDED)
        named = one.module or next(iter(one.names), "its own package")
        clue = Clue(f"{printable(name(module.path))} imports {named}")
        if one.level:
            self._relative(one, replace(module, level=level), clue)
            return scope
        if level <= How.EACH and not self._is_needed(one, module):
            self._leave_out(one, module)
            return scope
        return self._absolute(one, replace(module, level=level), clue)

    def _leave_out(self, one: Import, module: Module) -> None:
        """What the script's own modules import at times and no package declares is a hint."""
        if module.perhaps or TESTS.search(module.path) or not self._modules.is_of_script(module):
            return
        found = self._modules.find(one.module, module.scope)
        if found is not None and found.files and not self._modules.is_standard(found):
            clue = Clue(f"{printable(name(module.path))} imports {printable(one.module)}")
            self._modules.need(LeftOut(found.files[0], clue))

    def _is_needed(self, one: Import, module: Module) -> bool:
        """Whether what may not be reached needs a module of another package when it is."""
        if one.module.partition(".")[0] in REMOVED:
            return True
        if module.perhaps:
            return self._modules.is_declared(one.module, module)
        if self._modules.is_required(one.module, module):
            return True
        if module.level is How.EACH and one.how is How.GUARDED:
            return self._modules.is_of_script(module)
        at_once = module.level is How.LATER and one.how is How.ALWAYS
        return at_once and self._modules.comes_along(one.module, module)

    def _absolute(self, one: Import, module: Module, clue: Clue) -> Scope:
        level, top, scope = module.level, one.module.partition(".")[0], module.scope
        if level is How.ALWAYS and not self._modules.has(top, scope):
            scope = self._modules.in_package(top, module)
        found = None
        for each in dict.fromkeys((top, one.module)):
            found = self._modules.reach(each, _across(level, each, module), scope, clue)
        if found is None or not found.whole:
            if level is How.ALWAYS and (found is None or self._modules.is_there(found.root)):
                self._missing(one, module)
            return module.scope
        for part in one.names if found.is_package else ():
            self._modules.reach(f"{one.module}.{part}", level, scope, clue, whole=True)
        return self._modules.after(found, module)

    def _relative(self, one: Import, module: Module, clue: Clue) -> None:
        directory = parent(module.path)
        is_all = not one.module and one.names[:1] == ("*",)  # the names of __all__
        if is_all and name(module.path) != "__init__.py":
            return
        for _ in range(one.level - 1):
            directory = parent(directory)
        if one.module:
            self._modules.beside(one.module, directory, module, clue)
        for part in one.names:
            whole = f"{one.module}.{part}" if one.module else part
            self._modules.beside(whole, directory, module, clue, whole=True)

    def _missing(self, one: Import, module: Module) -> None:
        """Warn of a module that is nowhere."""
        top = one.module.partition(".")[0]
        if self._modules.is_built_in(top) or not self._modules.is_own(module):
            return
        text = (
            f"{printable(module.path)}:{one.line}: the module {printable(one.module)} was not "
            "found; install it, or --add the directory that has it and set PYTHONPATH with -e"
        )
        self._modules.need(warning(Code.IMPORT_MISSING, text, module.path))

    def _named(self, source: Source, module: Module) -> None:
        """Modules whose names are texts; those of an extension module are any words."""
        own, is_binary = self._modules.is_own(module), module.path.endswith(".so")
        needs = self._modules.is_expected if is_binary else self._modules.is_required
        level = How(min(How.GUARDED if own else How.LATER, module.level))
        lists = [names for names in source.lists if self._has_module(names, module.scope)]
        for text in dict.fromkeys((*source.strings, *(one for names in lists for one in names))):
            if own and text.endswith(".py"):
                self._run(text.removesuffix(".py"), source, level, module)
            elif own or needs(text, module):
                self._name(text, level, module)
        for beginning in source.dynamic:
            self._dynamic(beginning, level, module)

    def _run(self, stem: str, source: Source, level: How, module: Module) -> None:
        """A file that is run by its name, beside this one or in a package that this imports."""
        clue = Clue(f"{printable(name(module.path))} names {stem}.py")
        self._modules.beside(stem, parent(module.path), replace(module, level=level), clue)
        for package in dict.fromkeys(one.module for one in source.imports if not one.level):
            found = self._modules.find(f"{package}.{stem}", module.scope)
            if found is not None and found.whole:
                self._modules.take(found, f"{package}.{stem}", level, module.scope, clue)

    def _name(self, text: str, level: How, module: Module) -> None:
        found = self._modules.find(text, module.scope)
        if found is None or not found.files or self._modules.is_standard(found):
            return
        if "." in text and len(found.files) == 1 and found.is_package and not found.whole:
            # A package alone, which something else imports, or any words, but for its `a.Name`.
            imports = self._modules.source(found.files[0]).imports
            if not any(text.rpartition(".")[2] in one.names for one in imports):
                return
        clue = Clue(f"{printable(name(module.path))} names {text}")
        self._modules.take(found, text, level, module.scope, clue)

    def _has_module(self, names: tuple[str, ...], scope: Scope) -> bool:
        return any(self._modules.find(one, scope) for one in names if "." in one)

    def _dynamic(self, beginning: str, level: How, module: Module) -> None:
        """All modules of a package, of which a program imports some by names that it makes.

        What it does in a loop, to a package within its own, it does for most when it starts. Where
        nothing of the name is known, it may be any module of the script's own package.
        """
        own = dirname(module.path)
        package = beginning.rstrip("*").strip(".")
        is_part = "." in package if package else own != module.unit
        if beginning.endswith("*") and is_part:
            level = How(min(max(level, How.EACH), module.level))
        if package and not beginning.startswith("."):
            clue = Clue(f"{printable(name(module.path))} names {package}")
            found = self._modules.reach(package, level, module.scope, clue)
            if found is not None and not self._modules.is_standard(found):
                module = replace(module, unit=found.unit, level=level)
                self._modules.visit_package(found.directories, module)
        elif not self._modules.is_own(module) or self._modules.is_package(own):
            self._modules.visit_package((own,), replace(module, level=level))
            self._modules.visit_own(module)

    def _asked(self, source: Source, module: Module) -> None:
        """Distributions whose metadata a program asks for."""
        installed = self._modules.installed
        clue = Clue(f"{printable(name(module.path))} asks for its metadata")
        for asked in source.distributions:
            for one in installed.named(asked) if asked else ():
                self._modules.distribution(one, clue)
        for asked in source.required:
            self._modules.require(_project(asked) or module.name.partition(".")[0], clue)
        for point in source.entry_points:
            for one in installed.named(_project(point.distribution)):
                target = one.groups.get(point.group, {}).get(point.name)
                if target:
                    self._modules.reach(target, How.ALWAYS, module.scope, clue)
        for group in dict.fromkeys((*source.groups, *source.strings)):
            if group not in _NOT_LOADED:
                self._modules.ask_group(group, module, clue)


def _across(level: How, target: str, module: Module) -> How:
    """The level of a package that another needs: what it imports at once, it needs itself.

    That is not so for its parts, which may be there for the sake of a third.
    """
    return max(level, How.GUARDED) if "." not in target and target != module.name else level


def _project(requirement: str) -> str:
    """The name in `NAME==VERSION`."""
    return requirement.partition("==")[0].strip()


def _unreadable(path: str) -> Need:
    text = (
        f"{printable(path)} is not Python as this version reads it, so what it imports is unknown; "
        "name its modules: --with python3-modules=NAME"
    )
    return warning(Code.IMPORT_MISSING, text, path)
