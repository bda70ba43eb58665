"""Paths that a program or a text spells out + who owns what → those of its own packages, as needs.

What belongs to a program are the files of the packages that were built from the same source, and
of those that its package needs. A directory is what such packages have below it, and nothing else.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.needs import undeclared, utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need
from rootfs_builder.needs.general import cover, left_out, made, standards, strings
from rootfs_builder.needs.general.modules import is_module
from rootfs_builder.needs.general.places import Place, Places
from rootfs_builder.packages import Kin, Package
from rootfs_builder.paths import (
    SourcePath,
    below,
    join,
    name,
    parent,
    printable,
)

ALL = "all"


class Belongings:
    """Answers for the process of one context.

    `spared` says which files of a directory are not needed, since the user chooses others there.
    """

    def __init__(
        self,
        context: Context,
        spared: Callable[[str], frozenset[str]] = lambda _: frozenset(),
        got: str = "it gets what you choose",
    ) -> None:
        self.findings: tuple[Finding, ...] = ()  # why no package was asked
        self._context = context
        self._spared, self._got = spared, got
        self.there = Places(context)
        self._files = context.files
        self._walk = context.elf_files.walker.walk
        self._made: dict[Package, frozenset[SourcePath]] = {}

    def owner(self, path: SourcePath) -> Package | None:
        """Whose a file is; None where that cannot be told, which `findings` then say."""
        if not in_system(path):
            return None
        try:
            owned = self._context.packages.of_all((path,))
        except InputError as error:
            self._unknown(error)
            return None
        self.findings = owned.warnings
        return owned.packages[path]

    def _unknown(self, error: InputError) -> None:
        text = f"{error}; what programs need of their own packages is not looked for"
        self.findings = (warning(Code.OWNERS_UNKNOWN, text, *error.paths),)

    def kin(self, package: Package | None, *, needed: bool = True) -> Kin:
        """The files that belong to a package; unless `needed`, those of its source alone."""
        if package is None:
            return Kin()
        try:
            return self._context.packages.kin(package, needed=needed)
        except InputError as error:
            self._unknown(error)
            return Kin()

    def needs(
        self, places: Iterable[Place], kin: Kin, by: str, data: SourcePath | None
    ) -> Iterator[Need]:
        """What belongs, as needs; `by` names the places, `data` is its ELF file, if it is one."""
        places = tuple(places)
        data_files = [one for one in places if not one.is_directory and standards.is_data(one.path)]
        with suppress(InputError):  # which `owner` says; at once, as all packages may be read
            asked = (one.real for one in data_files if kin.of and not kin.has(one.real))
            self._context.packages.of_all(asked)
        for place in places:
            clue = Clue(f"{printable(by)} names {printable(place.path)}", (by, place.path))
            if place.is_directory:
                yield from self.directory(place, kin, clue, data)
            elif place.is_program and not kin.owns(place.real):
                starts = data is None or strings.starts(data, self._context.elf_files)
                comes = self._is_required(place, kin) if data else kin.has(place.real)
                if kin.is_own and starts and (comes or self._comes_along(place, kin, data)):
                    yield File(place.path, clue, started=True)
            elif kin.has(place.real) or self._is_needed(place, kin):
                yield from self._file(place, kin, clue)

    def is_data(self, place: Place, kin: Kin) -> bool:
        """Whether a place has settings or data: by its path, or because none of it is code."""
        if standards.is_data(place.path):
            return True
        inside = kin.within(place.real) if place.is_directory else ()
        code = (is_module(name(one)) or self._files.may_execute(one) for one in inside)
        return bool(inside) and not any(code)

    def _is_required(self, place: Place, kin: Kin) -> bool:
        """Whether it is a program that the asking package cannot do without.

        One of every system is, too, which no package declares: libapt-pkg's does not name dpkg.
        """
        if standards.is_interpreter(place.real):
            return False
        if place.real in kin.declared:
            return True
        owner = self.owner(place.real)
        return owner is not None and self._context.packages.related(owner).essential

    def _comes_along(self, place: Place, kin: Kin, data: SourcePath | None) -> bool:
        """Whether the user's program spells out a small one that its package does not declare."""
        program, last = self._context.program, name(place.path)
        is_idle = standards.is_interpreter(place.real) or last in utilities.IN_VAIN
        if is_idle or is_module(last) or not self._context.is_named or data != program.real:
            return False
        return undeclared.is_small(place.path, self._context, kin.of)

    def _is_needed(self, place: Place, kin: Kin) -> bool:
        """Whether it is data of a package that the asking one needs at some distance, or made."""
        if kin.of is None or not standards.is_data(place.path):
            return False
        owner = self.owner(place.real)
        if owner is None:
            return place.real in self.made(kin.of)
        return self._context.packages.reaches(kin.of, owner)

    def made(self, package: Package) -> frozenset[SourcePath]:
        """The files below /etc that a package makes when it is installed."""
        if package not in self._made:
            self._made[package] = frozenset(made.by(package, self._context))
        return self._made[package]

    def _file(self, place: Place, kin: Kin, clue: Clue) -> Iterator[Need]:
        if self._is_too_large(place, (place.real,), kin):
            yield left_out.too_large(place.path, 1, self._size(place.real), clue)
        else:
            yield File(place.path, clue, started=place.is_program)

    def directory(
        self,
        place: Place,
        kin: Kin,
        clue: Clue,
        data: SourcePath | None,
        above: frozenset[str] = frozenset(),
    ) -> Iterator[Need]:
        """The files of a directory that belong, or of a large one those that `data` names.

        A link to another directory, of `above` none, is one more that is named.
        """
        omit = standards.OMIT
        needless = standards.omitted(omit)
        whole = tuple(self._whole(place, kin, needless))
        spared = self._spared(place.path) if whole and not self._lifted(place) else frozenset[str]()
        files = tuple(one for one in whole if place.path + one[len(place.real) :] not in spared)
        if len(files) < len(whole):
            size = sum(map(self._size, whole))
            yield left_out.too_large(place.path, len(whole), size, clue, self._got)
        if files and self._is_too_large(place, files, kin):
            pieces, files, got = self._less(place, files, kin, data)
            yield from (File(path, clue, omit=omit) for path in pieces)
            yield left_out.too_large(place.path, len(whole), sum(map(self._size, whole)), clue, got)
        if not files:
            return
        closed = {one for one in files if self._files.is_closed(one)}
        private = {one for one in files if made.is_private(one) and not kin.has(one)} - closed
        for held, why in ((closed, left_out.CLOSED), (private, left_out.PRIVATE)):
            if held:
                yield left_out.held(place.path, len(held), clue, why)
        files = tuple(one for one in files if one not in closed | private)
        links = tuple(self._linked(place, files))
        plain = frozenset(files).difference(link for link, _ in links)
        for real in self._parts(SourcePath(place.real), plain, needless):
            yield File(place.path + real[len(place.real) :], clue, omit=omit)
        above |= {place.real}
        for _, other in links:
            if other.real not in above and not self._files.covers(other.real):
                yield from self.directory(other, kin, clue, data, above)

    def _less(
        self, place: Place, files: tuple[SourcePath, ...], kin: Kin, data: SourcePath | None
    ) -> tuple[tuple[str, ...], tuple[SourcePath, ...], str]:
        """Of a large directory the entries that `data` names, or the files that its package needs.

        These are those of its own source that it requires, unless they are large, too. With what
        that is, in words.
        """
        mine = tuple(one for one in files if one in kin.mine)
        if mine and not self._is_too_large(place, mine, kin):
            return (), mine, "it gets what its package requires"
        pieces = tuple(self._pieces(place, files, data)) if data is not None else ()
        return pieces, (), "it gets what it names" if pieces else ""

    def _whole(self, place: Place, kin: Kin, needless: re.Pattern[str]) -> Iterator[SourcePath]:
        """All files of a directory that belong, less what nobody needs.

        Source code is data where it is the same for machines of all kinds: skeletons, templates. It
        is also where other files are beside it: interpreters such as Pike's read headers.
        """
        paths = (*kin.within(place.real), *made.within(place.real, kin, self._context))
        found = [
            one
            for path in paths
            for one in self._filled(path, kin)
            if not needless.fullmatch(one[len(place.real) + 1 :])
        ]
        if standards.is_data(place.path) or name(place.path) == "include":
            yield from found
            return
        mixed = {parent(one) for one in found if not standards.is_source(one)}
        for one in found:
            if parent(one) in mixed or not standards.is_source(one):
                yield one

    def _is_too_large(self, place: Place, files: Collection[SourcePath], kin: Kin) -> bool:
        """Whether nobody wants a place without being asked: what is a program's own counts less."""
        if self._lifted(place):
            return False
        own = tuple(one for one in files if one in kin.mine)
        size = sum(map(self._size, files))
        others = size - sum(map(self._size, own))
        too_many = len(files) > standards.MOST_FILES
        return too_many or others > standards.most(place.path) or size > standards.MOST_OWN

    def _filled(self, path: SourcePath, kin: Kin) -> Iterator[SourcePath]:
        """A file; of a directory that only its package has empty, the links to what belongs."""
        node = self._context.elf_files.root.lstat(path)
        entries = self._files.names(path) if node is not None and node.kind == "dir" else ()
        if not entries:
            yield path
        for link in (join(path, one) for one in entries):
            walk = self._walk(link)
            if not walk.errno and walk.real != link and kin.has(SourcePath(walk.real)):
                yield link

    def _linked(
        self, place: Place, files: Iterable[SourcePath]
    ) -> Iterator[tuple[SourcePath, Place]]:
        """Those of the files that are links to a directory, with what they lead to."""
        for link in files:
            node = self._context.elf_files.root.lstat(link)
            if node is not None and node.kind == "symlink":
                walk = self._walk(link)
                if walk.node is not None and walk.node.kind == "dir":
                    path = place.path + link[len(place.real) :]
                    yield link, self.there.place(path) or Place(path, link, is_directory=True)

    def _lifted(self, place: Place) -> bool:
        values = self._context.values
        return ALL in values or any(below(place.path, one) for one in values)

    def _size(self, path: SourcePath) -> int:
        node = self._context.elf_files.root.lstat(path)
        return node.size if node is not None and node.kind == "file" else 0

    def named_in(self, place: Place, kin: Kin, by: str, data: SourcePath) -> Iterator[Need]:
        """A file, or the entries of a directory, of others whose names a library spells out."""
        clue = Clue(f"{printable(by)} names {printable(place.path)}", (by, place.path))
        if not place.is_directory and (kin.has(place.real) or self._is_needed(place, kin)):
            yield from self._file(place, kin, clue)
        for path in self._pieces(place, kin.within(place.real), data):
            piece = self.there.place(path)
            if piece is not None and piece.is_directory:
                yield from self.directory(piece, kin, clue, data)
            elif piece is not None:
                yield from self._file(piece, kin, clue)

    def _pieces(
        self, place: Place, files: tuple[SourcePath, ...], data: SourcePath
    ) -> Iterator[str]:
        """The entries of a directory whose names, from there on, are whole strings of a program."""
        inside = {one[len(place.real) + 1 :] for one in files}
        for one in tuple(inside):
            inside.update(cover.above(one))
        wanted = {f"\0{one}\0".encode(errors="surrogateescape"): one for one in inside}
        found = self._context.elf_files.contained(data, wanted)
        names = {wanted[one] for one in found}
        for one in sorted(names):
            if names.isdisjoint(cover.above(one)):
                yield join(place.path, one)

    def _parts(
        self, top: SourcePath, files: frozenset[SourcePath], needless: re.Pattern[str]
    ) -> Iterator[SourcePath]:
        """The fewest paths that have these files, and no others that count, at and below them."""

        def is_idle(path: SourcePath) -> bool:
            inside = path[len(top) + 1 :]
            return needless.fullmatch(inside) is not None or self._leads_to(path, files)

        return cover.fewest(top, files, self._files.names, is_idle)

    def _leads_to(self, link: SourcePath, files: frozenset[SourcePath]) -> bool:
        """Whether it is a link, that no package has, to one of the files."""
        walk = self._walk(link)
        return not walk.errno and walk.real != link and walk.real in files
