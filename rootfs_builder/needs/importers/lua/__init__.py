"""Lua: the modules that scripts require, by the templates of package.path and package.cpath.

They are compiled into the interpreter; LUA_PATH, LUA_CPATH and the scripts add to them. Without any
script nothing comes, but for a hint.
"""

import re
from collections.abc import Iterator
from posixpath import normpath

from rootfs_builder.findings import Code, hint
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text
from rootfs_builder.needs.importers.commands import SHELL
from rootfs_builder.needs.importers.lua import source
from rootfs_builder.needs.importers.lua.source import Import, Imports, Kind
from rootfs_builder.needs.importers.surroundings import Library, Surroundings, kind_of
from rootfs_builder.needs.importers.walk import Walk
from rootfs_builder.paths import decode, name, parent, printable

_TEMPLATE = rb"(?P<template>/(?<![\w/.+-]/)[\w/.+-]*\?[\w/.+-]*)"
_LIBRARY = re.compile(r"liblua[\w.-]*\.so")
_BUILT_IN = frozenset(
    ("_G", "bit", "bit32", "coroutine", "debug", "ffi", "io", "jit", "math", "os", "package")
) | {"string", "table", "utf8"}
_HINT = "only Lua modules that a script requires are included: --with lua=NAME, or all"
_ALL = "all"
_FACT = "lua-imports v5"


def make(context: Context) -> "LuaFinder":
    """The importer for one process of lua."""
    return LuaFinder(context)


class LuaFinder:
    """Follows each script, and each module that comes in by itself."""

    def __init__(self, context: Context) -> None:
        self._texts = _LuaTexts(context)
        self._context = context
        self._options, self._script = _options(context.arguments)

    def process(self) -> Iterator[Need]:
        """What --with and lua's options name; a hint where nothing does."""
        values = self._context.values
        if _ALL in values:
            for library in self._texts.libraries:
                directory = parent(library.path.partition("?")[0] + "_")
                if self._context.files.kind(directory) == "dir":
                    yield File(directory, Clue("--with lua=all"))
        wanted = tuple(Import(Kind.MODULE, one, 0) for one in values if one != _ALL)
        yield from _LuaWalk(self._texts, (*self._options, *wanted), None).needs()
        script = self._script or ""
        if script.startswith("/") and self._context.files.is_file(script):
            yield File(script, Clue(f"the argument {printable(script)} names it", (script,)))
        scripts = (one for one in self._context.given if self._texts.is_lua(one.path))
        if not (values or self._options or script) and next(scripts, None) is None:
            yield hint(Code.RULE_HINT, _HINT)

    def text(self, text: Text) -> Iterator[Need]:
        """What a script or module requires."""
        if text.path not in self._texts.done and (
            self._texts.is_started(text, b"lua") or self._texts.is_lua(text.path)
        ):
            yield from _LuaWalk(self._texts, self._options, text).needs()


class _LuaTexts(Surroundings):
    """The paths of `libraries` are templates here."""

    has_core = True  # its own library is compiled in

    def __init__(self, context: Context) -> None:
        super().__init__(context, tuple(dict.fromkeys(_compiled_in(context))))

    def is_lua(self, path: str) -> bool:
        """Whether a file is in Lua, by its name or its first line."""
        suffix = kind_of(name(path))
        if suffix == ".lua":
            return True
        return not suffix and self.is_for(self.files.head(path, 512), b"lua")

    def imports(self, path: str) -> Imports:
        """What a text requires; nothing of one that cannot be read."""
        none: Imports = ()
        return self.files.fact(path, _FACT, Imports, source.read, none)


class _LuaWalk(Walk):
    def __init__(self, texts: _LuaTexts, options: Imports, text: Text | None) -> None:
        super().__init__(texts, text, "lua")
        self._texts = texts
        self._options = options

    def _begin(self) -> None:
        for one in self._options:
            self._follow("", one)

    def _is_text(self, path: str) -> bool:
        return self._texts.is_lua(path)

    def _read(self, path: str) -> None:
        for one in self._texts.imports(path):
            self._follow(path, one)

    def _follow(self, path: str, one: Import) -> None:
        if one.kind is Kind.MODULE:
            self._module(path, one)
        elif one.kind is Kind.FAMILY:
            self._family(path, one)
        elif one.kind is Kind.LINE:
            self._run(path, one.name, is_line=True)
            self._start(path, SHELL)  # popen(3) has one for the plainest line, too
        elif one.kind is Kind.FILE:
            for start, file in self._beside(path, one.name):
                if self._files.is_file(file):
                    self._need(file, Library(file, start), path, one.name)
        else:
            for start, template in self._beside(path, one.name):
                self._libraries.setdefault(template, Library(template, start))

    def _module(self, path: str, one: Import) -> None:
        """A module, or the library of the module around it, which may have it in it."""
        part = one.name.replace(".", "/")
        if one.name in _BUILT_IN:
            return
        found = self._take(path, part, one.name)
        if "." in one.name and not found:
            found = self._take(path, one.name.partition(".")[0], one.name, ".so")
        if not found and not one.guarded:
            remedy = "install it, or --add the directory that has it and set LUA_PATH"
            what = f"the Lua module {printable(one.name)}"
            self._lacks(path, one.line, what, remedy, f"{part}.lua")

    def _take(self, path: str, part: str, what: str, end: str = "") -> bool:
        found = False
        for library in self._places(path):
            file = normpath(library.path.replace("?", part))
            if file.endswith(end) and self._files.is_file(file):
                found = True
                self._need(file, Library(file, library.start), path, what)
        return found

    def _family(self, path: str, one: Import) -> None:
        part = one.name.replace(".", "/")
        for library in self._places(path):
            directory, _, end = library.path.partition("?")
            top = normpath(f"{directory}{part}")
            for base in self._files.names(top) if end.startswith(".") else ():
                if base.endswith(end):
                    file = f"{top}/{base}"
                    self._need(file, Library(file, library.start), path, one.name)

    def _places(self, path: str) -> Iterator[Library]:
        """The templates, and those beside the script: `./?.lua` is most often meant so."""
        yield from self._all()
        for start in dict.fromkeys(parent(one) for one in (self._path, path) if one):
            for template in ("?.lua", "?/init.lua", "?.so"):
                yield Library(f"{start}/{template}", start)

    def _beside(self, path: str, value: str) -> Iterator[tuple[str | None, str]]:
        """A path as it is, or relative to where the program starts and to the text's place."""
        if value.startswith("/"):  # or what is before it has been computed from the text's place
            yield None, normpath(value)
        else:
            yield None, normpath(f"{self._around.directory}/{value}")
        if path:
            yield parent(path), normpath(f"{parent(path)}/{value}")


def _compiled_in(context: Context) -> Iterator[Library]:
    """The templates of the variables, and those that lua, or its library, has compiled in."""
    for variable, value in sorted(context.environment.items()):
        if variable.startswith(("LUA_PATH", "LUA_CPATH")):
            yield from (Library(one) for one in value.split(";") if one.startswith("/"))
    for one in (context.program, *context.objects):
        if one is context.program or _LIBRARY.match(name(one.real)):
            for hit in context.elf_files.search(one.real, _TEMPLATE):
                yield Library(decode(hit["template"]))


def _options(words: tuple[str, ...]) -> tuple[Imports, str | None]:
    """What lua's own options require, and the script behind them."""
    found, todo = list[Import](), [*words]
    while todo and todo[0].startswith("-") and len(todo[0]) > 1:
        word = todo.pop(0)
        value = word[2:] or (todo.pop(0) if word in ("-l", "-e") and todo else "")
        if word.startswith("-l"):
            found.append(Import(Kind.MODULE, value.rpartition("=")[2], 1))
        elif word.startswith("-e"):
            found += source.read(value.encode("utf-8", "surrogateescape"))
    return tuple(found), todo[0] if todo else None
