"""What a packaged program spells out of its own package: data, settings, helper programs.

The objects of the process that were built from the program's source speak for it. A library of
another source, that the program itself is linked to, speaks for its own data: not for its modules,
which are as many as programs could use, nor is a library evidence that other libraries load.
"""

from collections.abc import Iterator

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.loader import dialects
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, Library, Need, Text
from rootfs_builder.needs.general import standards, strings
from rootfs_builder.needs.general.belongings import Belongings, Kin, Place
from rootfs_builder.needs.general.strings import Strings
from rootfs_builder.paths import SourcePath, decode, name, printable


def make(context: Context) -> "OwnPackage":
    """See FinderModule."""
    return OwnPackage(context)


class OwnPackage:
    """The finder of one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._belongings = Belongings(context)

    def process(self) -> Iterator[Need]:
        """See Finder."""
        named = {one: places for one in self._objects() if (places := self._places(one))}
        belongings, program = self._belongings, SourcePath(self._context.program.real)
        package = belongings.owner(program)
        kin = belongings.kin(package)
        yield from self._libraries(kin)
        for loaded, places in named.items():
            real = SourcePath(loaded.real)
            speaks = real == program or real in kin.own
            if speaks:
                yield from belongings.needs(places, kin, loaded.opened, real)
            elif loaded.by is self._context.program:
                data = tuple(one for one in places if standards.is_data(one.path))
                of = belongings.kin(belongings.owner(real), needed=False) if data else Kin()
                yield from belongings.needs(data, of, loaded.opened, real)
        yield from belongings.findings

    def _libraries(self, kin: Kin) -> Iterator[Need]:
        """Libraries that the program opens by names that it spells out.

        Those that its package needs go in; others it can do without, as its package says.
        """
        program, elf_files = self._context.program, self._context.elf_files
        if not kin.all or not elf_files.imports(program.real, strings.DLOPEN):
            return
        there = {name(path) for path in kin.all}
        needed = set(map(decode, program.elf.needed))
        for hit in elf_files.search(program.real, strings.LIBRARIES):
            library = decode(hit["name"])
            if library not in needed:
                clue = Clue(f"{printable(name(program.opened))} opens {library} by its name")
                left_out = name(library) not in there
                yield Library(library, clue, optional=True, left_out=left_out)

    def text(self, text: Text) -> Iterator[Need]:
        """See Finder."""
        del text
        return iter(())

    def _objects(self) -> Iterator[Loaded]:
        for one in self._context.objects:
            if in_system(one.real) and not _is_libc(one):
                yield one

    def _places(self, loaded: Loaded) -> tuple[Place, ...]:
        """What one object spells out."""
        spelt = self._context.elf_files.fact(loaded.real, strings.FACT, Strings, strings.of_program)
        return tuple(self._belongings.places(spelt, self._context.files.covers))


def _is_libc(loaded: Loaded) -> bool:
    """Whether it is a part of the libc, which names everything for everybody."""
    names = (loaded.soname or "", name(loaded.opened))
    return loaded.by is not None and any(map(dialects.is_part_of_libc, names))
