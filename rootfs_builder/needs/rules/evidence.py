"""A link map → what its objects show that a rule can look at.

Undefined symbols say what an object can call, names what it is linked to, its bytes what is
compiled in. The libc's own objects are no evidence: they hold everything for everybody.
"""

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase, translate
from functools import cache

from msgspec import Struct

from rootfs_builder.elf import symbols as elf_symbols
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.loader import dialects
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.general import standards, strings
from rootfs_builder.needs.general.strings import Strings
from rootfs_builder.needs.rules.schema import STATIC, Find
from rootfs_builder.needs.rules.user_input import UserInput, UserInputSearch
from rootfs_builder.paths import Key, decode, encode, name, named_in, printable


class Evidence(Struct, frozen=True, eq=False):
    """What one process shows.

    `libc` is the loader's name, STATIC for a program without one; `version` that of its libc;
    `found` are the objects that are looked at, by their resolved paths, with what they import if
    they are not of the libc; `imported` is all of that, `present` all objects that it has. `texts`
    are those of the rules that the program contains.
    """

    libc: str
    version: tuple[int, int]
    program: Loaded
    found: dict[Key, Loaded]
    imports: dict[Key, frozenset[bytes]]
    imported: frozenset[bytes]
    present: dict[Key, Loaded]
    names: dict[Key, tuple[str, str]]
    texts: frozenset[bytes]
    searches: UserInputSearch
    elf_files: ElfFiles

    @property
    def user_input(self) -> UserInput:
        """What the user gives."""
        return self.searches.user_input

    def importing(
        self, symbols: tuple[str, ...], *, own: bool, besides: Callable[[str], bool]
    ) -> tuple[str, Loaded] | None:
        """The first symbol that an object imports and that fits a glob, with that object.

        The `own` ones are of the program, or of libraries that are its own.
        """
        wanted = elf_symbols.matching(_globs(symbols), self.imported)
        if not wanted:
            return None
        for path in self._own if own else self.imports:
            hits = self.imports.get(path, frozenset()) & wanted
            if hits and not any(map(besides, self.names[path])):
                return decode(min(hits)), self.found[path]
        return None

    @property
    def _own(self) -> tuple[Key, ...]:
        """The program, and libraries that are called as it: librecode does what recode does.

        And those at places where no distribution puts any: what it, or one of them, is linked to,
        and modules that were installed there.
        """
        program = self.program.real
        alike = re.compile(rf"lib{re.escape(name(program).rstrip('0123456789.'))}[\d.-]*\.so\b.*")
        own = {program}
        for path in self.imports:  # in the order in which they are loaded
            by = self.found[path].by
            linked = by is not None and by.real in own and not in_system(path)
            if linked or _is_local(path) or any(map(alike.fullmatch, self.names[path])):
                own.add(path)
        return (program, *(one for one in self.imports if one in own and one != program))

    def named(self, matches: Callable[[str], bool]) -> tuple[Loaded, ...]:
        """The objects whose SONAME, or name as a file, matches."""
        return self._named(matches, self.found)

    def to_search(self, find: Find) -> tuple[Loaded, ...]:
        """The objects that `find` looks at: a plugin uses what was loaded before it."""
        if not find.soname:
            return (self.program,)
        libraries = self._named(any_of(find.sonames), self.present)
        return (self.program, *libraries) if find.program else libraries

    def _named(
        self, matches: Callable[[str], bool], objects: dict[Key, Loaded]
    ) -> tuple[Loaded, ...]:
        return tuple(
            loaded
            for path, loaded in objects.items()
            if loaded is not self.program and any(map(matches, self.names[path]))
        )

    def spelling(
        self, loaded: Loaded, variable: str, globs: tuple[str, ...]
    ) -> list[dict[str, bytes]]:
        """The paths that an object spells out and that fit one of the globs, as a variable."""
        spelt = self.elf_files.fact(loaded.real, strings.FACT, Strings, strings.of_program)
        return [{variable: encode(one)} for one in filter(_fitting(globs), spelt.whole)]

    def containing(self, texts: Iterable[str]) -> Clue | None:
        """Where the first of the texts is: in the program, or in what the user gives it."""
        for text in texts:
            if text.encode() in self.texts:
                return _names_text(shown(self.program), text)
        for text in texts:
            where = self.searches.first_containing(text.encode())
            if where is not None:
                return _names_text(where, text)
        return None


@cache
def any_of(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a name matches: most fail by how they begin, before any pattern is compiled."""
    heads = tuple(re.split(r"[*?\[]", one, maxsplit=1)[0] for one in patterns)
    return lambda name: name.startswith(heads) and any(fnmatchcase(name, p) for p in patterns)


@cache
def _globs(symbols: tuple[str, ...]) -> frozenset[bytes]:
    return frozenset(map(encode, symbols))


@cache
def _fitting(globs: tuple[str, ...]) -> Callable[[str], object]:
    """Whether a path fits one of the globs."""
    return re.compile("|".join(map(translate, globs))).match


def _is_local(path: str) -> bool:
    return standards.is_local(path) and not standards.is_of_others(path)


def _names_text(where: str, text: str) -> Clue:
    text = text.strip("\0")
    return Clue(f"{where} names {text}", named_in(f"{where} {text}"))


def of(maps: tuple[LinkMap, ...], elf_files: ElfFiles, searches: UserInputSearch) -> Evidence:
    """What one process shows, whose `maps` are for each level of CPU."""
    first, user_input = maps[0], searches.user_input
    libc = STATIC if first.loader is None else first.loader.name
    present = {loaded.real: loaded for one in maps for loaded in one.objects}
    names = {path: _names(loaded) for path, loaded in present.items()}
    looked_at = _found(maps)
    imports = {
        path: elf_files.imports(path, user_input.symbols)
        for path, loaded in looked_at.items()
        if loaded.by is None or not any(map(dialects.is_part_of_libc, names[path]))
    }
    return Evidence(
        libc,
        first.loader.version(first) if first.loader else (0, 0),
        first.program,
        looked_at,
        imports,
        frozenset().union(*imports.values()),
        present,
        names,
        elf_files.contained(first.program.real, user_input.texts),
        searches,
        elf_files,
    )


def found(maps: tuple[LinkMap, ...]) -> tuple[Loaded, ...]:
    """The objects of a process, at all levels; of one that called dlopen those that then came.

    They need not be looked at twice: what stands before the last call is another map's.
    """
    return tuple(_found(maps).values())


def _found(maps: tuple[LinkMap, ...]) -> dict[Key, Loaded]:
    each: dict[Key, Loaded] = {}
    for one in maps:
        for loaded in one.objects[one.known :]:
            each.setdefault(loaded.real, loaded)
    return each


def shown(loaded: Loaded) -> str:
    """An object's name for a person."""
    return printable(name(loaded.opened))


def _names(loaded: Loaded) -> tuple[str, str]:
    return (loaded.soname or "", name(loaded.opened))
