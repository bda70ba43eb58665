"""Directories of a packaged program that no text spells out: around it, or called as it.

Source: Filesystem Hierarchy Standard 3.0, 4.11; XDG Base Directory Specification.
"""

from collections.abc import Iterator

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need
from rootfs_builder.needs.general import left_out, made, standards, strings
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.needs.general.places import Place
from rootfs_builder.packages import Kin
from rootfs_builder.paths import SourcePath, ancestors, below, name, parent, printable

_TOPS = ("/usr/lib", "/usr/libexec", "/usr/share")
_SMALL = 1 << 20  # bytes: what no text names is not worth more
_LEAST = 3  # letters that two names share


class OwnDirectories:
    """Answers for the process of one context, whose program has these places `spelt` out."""

    def __init__(self, context: Context, belongings: Belongings, spelt: tuple[Place, ...]) -> None:
        self._context = context
        self._belongings = belongings
        self._spelt = spelt

    def alike(self) -> Iterator[str]:
        """The directory of data that is called as a program which looks where XDG says.

        It puts the path together, unless it spells out some of it.
        """
        program, elf_files = self._context.program.real, self._context.elf_files
        path = f"/usr/share/{name(program)}"
        looks = elf_files.imports(program, strings.XDG) or elf_files.contained(
            program, (strings.XDG_VARIABLE,)
        )
        if looks and not any(below(one.path, path) for one in self._spelt):
            yield path

    def are_there(self) -> bool:
        """Whether there is a directory that is called as the user's program, or longer."""
        called, files = name(SourcePath(self._context.program.real)), self._context.files
        return self._context.is_named and any(
            one.startswith(called) for top in _TOPS for one in files.names(top)
        )

    def home(self) -> Place | None:
        """The program's own directory: one in which no other program is.

        GNUstep's applications find their Resources there.
        """
        program, files = SourcePath(self._context.program.real), self._context.files
        home = parent(program)
        if not (self._context.is_named and in_system(program)) or standards.is_shared(home):
            return None
        others = (f"{home}/{one}" for one in files.names(home) if one != name(program))
        if any(files.is_file(one) and files.may_execute(one) for one in others):
            return None
        return self._belongings.there.place(home)

    def needs(self, home: Place | None, kin: Kin) -> Iterator[Need]:
        """What is in its own directory, `home`, and in a small one that is called as it."""
        if home is not None:
            shown = self._context.program.opened
            clue = Clue(f"{printable(shown)} is in {printable(home.path)}", (shown, home.path))
            program = SourcePath(self._context.program.real)
            yield from self._belongings.directory(home, kin.alone, clue, program)
        yield from self._small(kin)
        yield from self._installed(kin) if self._context.is_named else ()

    def _small(self, kin: Kin) -> Iterator[Need]:
        """The data in directories that are called as the program's package, if small.

        The user's program is called so, too, but for an end of one of both: `transterm` is of
        `transtermhp`. Settings that come only when it runs may name them: eggdrop's help. Or what
        it starts from says where they are: Ikarus' libraries.
        """
        program, called = SourcePath(self._context.program.real), kin.of.name if kin.of else ""
        if not (self._context.is_named and _is_alike(called, name(program))):
            return
        libraries = {parent(one.real) for one in self._context.objects}
        tops = {*_TOPS, *filter(standards.is_crowded, libraries)}
        places = filter(
            None, (self._belongings.there.place(f"{one}/{called}") for one in sorted(tops))
        )
        spelt = {one.real for one in self._spelt}
        for place in {one.real: one for one in places}.values():
            rest = (one for one in kin.within(place.real) if one not in spelt)
            data = tuple(filter(self._is_data, rest))
            if sum(map(self._context.files.size, data)) <= _SMALL:
                opened = self._context.program.opened
                text = f"{printable(place.path)} is called as {printable(opened)}"
                clue = Clue(text, (place.path, opened))
                yield from (File(place.path + one[len(place.real) :], clue) for one in data)

    def _installed(self, kin: Kin) -> Iterator[Need]:
        """The files that somebody has put beside those of the program's source, if small.

        As `make install` does with extensions for a database server. A directory of it is called
        as the source, but for an end of one of both: `/usr/share/postgresql/17`. One that others
        share is none: `/usr/share/emacs/site-lisp`.
        """
        source = kin.of.source if kin.of else ""
        each = {parent(one) for one in kin.alone.own if below(one, "/usr")}
        own = {one for one in each if any(_is_alike(part, source) for part in one.split("/")[3:])}
        for directory in sorted(one for one in own if own.isdisjoint(ancestors(one))):
            found = made.within(directory, kin, self._context)
            kept = (one for one in found if not standards.is_shared(parent(one)))
            files = [one for one in kept if not standards.is_unused(one)]
            size = sum(map(self._context.files.size, files))
            shown = printable(self._context.program.opened)
            text = f"{printable(directory)} has files of {shown}'s package, and others"
            clue = Clue(text, (directory, self._context.program.opened))
            if size <= standards.MOST_DATA:
                yield from (File(one, clue) for one in files)
            else:
                yield left_out.too_large(directory, len(files), size, clue)

    def _is_data(self, path: SourcePath) -> bool:
        executable = ".so" in name(path) or self._context.files.may_execute(path)
        return not (executable or standards.is_unused(path))


def _is_alike(one: str, other: str) -> bool:
    """Whether two names are equal, or one is the beginning of the other, of some letters."""
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= _LEAST and long.startswith(short))
