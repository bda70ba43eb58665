"""What a packaged program spells out of its own package: data, settings, helper programs.

The objects of the process that were built from the program's source speak for it. A library of
another source, that the program itself is linked to, speaks for its own data, and for those of its
modules that need no further library. It is no evidence that other libraries load.
"""

from collections.abc import Iterable, Iterator
from posixpath import splitext

from msgspec.structs import replace

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.loader import dialects
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, Library, Need, Text, TextKind
from rootfs_builder.needs.general import called, own_modules, standards, strings, unlinked
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.needs.general.modules import Modules, is_module
from rootfs_builder.needs.general.own_directories import OwnDirectories
from rootfs_builder.needs.general.own_programs import OwnPrograms
from rootfs_builder.needs.general.places import Place
from rootfs_builder.needs.general.quoted import Quoted
from rootfs_builder.needs.general.strings import Strings
from rootfs_builder.packages import Kin, Package
from rootfs_builder.paths import SourcePath, below, decode, encode, name, parent, printable

_ETC = (b"\0/etc\0", b"\0/etc/\0")
_OF_ACCOUNTS = frozenset(("bash", "csh", "false", "ksh", "nologin", "sh", "tcsh", "zsh"))


def make(context: Context) -> "OwnPackage":
    """See FinderModule."""
    return OwnPackage(context)


class OwnPackage:
    """The finder of one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._modules = Modules(context)
        self._belongings = Belongings(context, self._modules.spared)
        self._for_modules = own_modules.belongings(context)
        self._quoted = Quoted(context, self._belongings)
        self._found, self._asked = dict[str, tuple[Place, ...]](), set[Package]()

    def process(self) -> Iterator[Need]:
        """See Finder."""
        objects = [one for one in self._context.objects if in_system(one.real)]
        linked = [one for one in objects if self._is_near(one) and not _is_libc(one)]
        program = SourcePath(self._context.program.real)
        programs = OwnPrograms(self._context)
        starts = in_system(program) and (programs.starts or any(map(self._starts, linked)))
        loads = in_system(program) and self._loads(self._context.program)
        spelt = self._places(self._context.program)
        directories = OwnDirectories(self._context, self._belongings, spelt)
        alike, home = [*directories.alike()], directories.home()
        own_ones = alike or home or directories.are_there()
        if not (starts or loads or own_ones or any(map(self._places, linked))):
            return
        belongings, package = self._belongings, self._belongings.owner(program)
        kin = belongings.kin(package)
        linked += [one for one in objects if one not in linked and self._is_linked(one, kin)]
        yield from self._libraries(tuple(self._opened()), kin)
        own = programs.speaking(objects, kin)
        yield from programs.needs(own, kin)
        for loaded in {one.real: one for one in (*own, *linked)}.values():
            yield from self._unlinked(loaded)
        yield from directories.needs(home, kin)
        if package is not None:
            paths = (*alike, *called.of(kin, own, self._context))
            places = belongings.there.spelt(Strings(paths), self._context.files.covers)
            yield from belongings.needs(places, kin, self._context.program.opened, program)
            yield from self._unnamed(package, kin) if loads else ()
            yield from self._shared(own, kin) if any(map(self._loads, own)) else ()
            yield from self._required(package) if any(map(self._loads, objects)) else ()
        for loaded in objects:
            real = SourcePath(loaded.real)
            if loaded in own:
                yield from belongings.needs(self._places(loaded), kin, loaded.opened, real)
            if real != program and loaded in linked:
                yield from self._of_library(loaded)
                if loaded not in own:
                    yield from self._of_others(loaded, programs, kin)
        yield from (need for one in linked for need in unlinked.filled_in(one, self._context))
        yield from self._modules.told()
        yield from belongings.findings

    def _of_others(self, loaded: Loaded, programs: OwnPrograms, kin: Kin) -> Iterator[Need]:
        """The modules and programs of a library of another source; `kin` is the program's."""
        yield from self._modules_of(loaded, kin)
        owner = self._belongings.owner(SourcePath(loaded.real))
        yield from programs.of_library(loaded, self._belongings.kin(owner), kin)

    def loaded(self, objects: tuple[Loaded, ...]) -> Iterator[Need]:
        """The files that the libraries of a module spell out, and directories of helpers.

        A library that is opened by its name speaks for its data and modules, too.
        """
        first = objects[0]
        for one in objects[1:]:
            if one.by is first and in_system(one.real) and not _is_libc(one):
                needs = self._of_library(one, whole=False)
                yield from (need for need in needs if isinstance(need, File))
        if in_system(first.real) and ".so." in name(first.real) and not _is_libc(first):
            yield from self._of_opened(first)

    def _of_opened(self, library: Loaded) -> Iterator[Need]:
        """What a library needs that is opened by its name; directories may be called as it."""
        belongings, real = self._belongings, SourcePath(library.real)
        yield from self._of_library(library)
        user = belongings.owner(SourcePath(self._context.program.real))
        yield from self._modules_of(library, belongings.kin(user))
        alike = Strings(called.as_library(real))
        places = belongings.there.spelt(alike, self._context.files.covers)
        kin = belongings.kin(belongings.owner(real))
        yield from belongings.needs(places, kin, library.opened, real)

    def _is_linked(self, loaded: Loaded, kin: Kin) -> bool:
        """Whether a library of its own source is linked to it, as nco's are to udunits."""
        by = loaded.by
        return by is not None and kin.owns(SourcePath(by.real)) and not _is_libc(loaded)

    def _is_near(self, loaded: Loaded) -> bool:
        """Whether it is the program, or a library that this itself is linked to."""
        program = self._context.program
        return loaded.real == program.real or loaded.by is program

    def _modules_of(self, loaded: Loaded, program: Kin) -> Iterator[Need]:
        """The modules in the directories that a library spells out, of its own source.

        And those that the program's own packages have there, as sssd has one for libldb.
        """
        real, shown = SourcePath(loaded.real), printable(name(loaded.opened))
        if not (self._loads(loaded) and own_modules.may_have(name(real))):
            return
        kin = self._belongings.kin(self._belongings.owner(real), needed=False)
        is_near = loaded.by is self._context.program
        for place in self._places(loaded):
            names = self._context.files.names(place.path) if place.is_directory else ()
            if any(map(is_module, names)) and not standards.is_data(place.path):
                clue = Clue(f"{shown} names {printable(place.path)}", (place.path,))
                told = is_near and own_modules.is_much_idle(place.path, self._context)
                for need in self._for_modules.directory(place, kin, clue, None):
                    if told or isinstance(need, File):
                        yield need
                each = (f"{place.path}/{one}" for one in filter(is_module, names))
                yield from (
                    File(one, clue) for one in each if self._context.files.real(one) in program.mine
                )

    def _of_library(self, loaded: Loaded, *, whole: bool = True) -> Iterator[Need]:
        """The data of a library's own package, and files of those that this needs.

        Unless `whole`, no directories of data.
        """
        real, belongings = SourcePath(loaded.real), self._belongings
        places = self._places(loaded)
        owner = belongings.owner(real) if places else None
        own, kin = belongings.kin(owner, needed=False), belongings.kin(owner)
        if data := tuple(one for one in places if belongings.is_data(one, kin)):
            each = (one for one in data if whole or not one.is_directory)
            yield from belongings.needs(each, own, loaded.opened, real)
            for place in data:
                if not own.has_any(place.real):
                    yield from belongings.named_in(place, kin, loaded.opened, real)
        if strings.starts(real, self._context.elf_files):
            helpers = [one for one in places if self._is_of_helpers(one)]
            yield from belongings.needs(helpers, kin.of_others, loaded.opened, real)
            yield from self._started_by(loaded)

    def _started_by(self, loaded: Loaded) -> Iterator[Need]:
        """A hint about the programs that a library spells out and starts, as libfuse does mount.

        Most users of a library start none of them; a table of shells is for accounts.
        """
        hits = self._context.elf_files.search(loaded.real, strings.PROGRAMS)
        for path in sorted({decode(hit["path"]) for hit in hits}):
            if self._context.is_named and name(path) not in _OF_ACCOUNTS:
                clue = Clue(f"{printable(name(loaded.opened))} names {printable(path)}", (path,))
                yield LeftOut(path, clue)

    def _is_of_helpers(self, place: Place) -> bool:
        """Whether it is a directory in which a library has programs that it starts: apt's methods.

        Modules are not programs.
        """
        if not place.is_directory or not place.path.startswith(("/usr/lib/", "/usr/libexec/")):
            return False
        files = self._context.files
        names = files.names(place.path)
        return bool(names) and all(
            not is_module(one) and files.may_execute(f"{place.path}/{one}") for one in names
        )

    def _opened(self) -> Iterator[str]:
        """The libraries that the program opens by names that it spells out."""
        program, elf_files = self._context.program, self._context.elf_files
        if in_system(program.real) and elf_files.imports(program.real, strings.DLOPEN):
            needed = set(map(decode, program.elf.needed))
            needed |= {soname for note in elf_files.notes(program.real) for soname in note.sonames}
            hits = elf_files.search(program.real, strings.LIBRARIES)
            within = elf_files.fact(
                program.real, strings.WITHIN_FACT, tuple[str, ...], strings.sonames_within
            )
            names = dict.fromkeys((*(decode(hit["name"]) for hit in hits), *within))
            yield from (one for one in names if one not in needed)

    def _libraries(self, opened: Iterable[str], kin: Kin) -> Iterator[Need]:
        """Of those, what the program's package needs; others it can do without, as that says."""
        there = {name(path) for path in kin.all} if opened else set()
        for library in opened if there else ():
            clue = Clue(
                f"{printable(name(self._context.program.opened))} opens {library} by its name"
            )
            yield Library(library, clue, optional=True, left_out=name(library) not in there)

    def _loads(self, loaded: Loaded) -> bool:
        """Whether an object loads modules."""
        return bool(self._context.elf_files.imports(loaded.real, strings.DLOPEN))

    def _starts(self, loaded: Loaded) -> bool:
        """Whether an object starts programs."""
        return strings.starts(loaded.real, self._context.elf_files)

    def _unlinked(self, loaded: Loaded) -> Iterator[Need]:
        """The libraries that its package requires, where an object opens some by itself."""
        owner = self._belongings.owner(SourcePath(loaded.real)) if self._loads(loaded) else None
        if owner is not None:
            yield from unlinked.of(owner, self._context)

    def _unnamed(self, package: Package, kin: Kin) -> Iterator[Need]:
        """The directories of modules that the package alone has, and that no text spells out.

        A compiler may have put a short path into the code, in pieces.
        """
        program, files = self._context.program, self._context.packages.files(package)
        spelt = [one.path for one in self._places(program)]
        for place in self._belongings.there.private(own_modules.among(files, self._context)):
            if not any(below(one, place.path) or below(place.path, one) for one in spelt):
                shown = f"{printable(program.opened)} calls dlopen, and its package has modules in"
                clue = Clue(f"{shown} {printable(place.path)}", (program.opened, place.path))
                self._modules.add(place.path)
                yield from self._belongings.directory(place, kin, clue, SourcePath(program.real))

    def _required(self, package: Package) -> Iterator[Need]:
        """The modules of the packages that its own requires, which have nothing else."""
        try:
            found = [*own_modules.required(package, self._context)]
        except InputError:  # which others say
            return
        for place, other in found:
            shown = f"{printable(package.name)} requires {printable(other.name)}"
            kin = Kin(frozenset((other,)), files=self._context.packages.files)
            clue = Clue(f"{shown}, which has only modules", (place.path,))
            yield from self._belongings.directory(place, kin, clue, None)

    def _shared(self, own: list[Loaded], kin: Kin) -> Iterator[Need]:
        """The modules of its source in directories of others, or below these."""
        yield from own_modules.shared(kin, self._context)
        for place, by in own_modules.called(kin, own, self._context):
            clue = Clue(f"{printable(by.opened)} names {printable(place.path)}", (place.path,))
            self._modules.add(place.path)
            yield from self._belongings.directory(place, kin, clue, SourcePath(by.real))

    def text(self, text: Text) -> Iterator[Need]:
        """What belongs to the package whose script is started: directories, settings, and programs.

        A script puts the names of its files together when it runs, most often from its own place.
        The programs are those that it quotes, of its package and of those that this names as
        needed.
        """
        yield from self._modules.text(text)
        real = self._context.files.real(text.path)
        if text.kind is TextKind.BROUGHT:
            yield from self._quoted.in_module(text, real)
        if text.kind is not TextKind.STARTED or real is None or not in_system(real):
            return
        belongings = self._belongings
        package = belongings.owner(real)
        if package is not None:
            kin = belongings.kin(self._quoted.given.speaks_for(package))
            yield from self._of_scripts(package, kin, text.path)
            yield from self._quoted.in_script(text, kin)
        yield from belongings.findings

    def _of_scripts(self, package: Package, kin: Kin, by: str) -> Iterator[Need]:
        """The directories and settings of a package, for the first of its scripts."""
        if package not in self._asked:
            self._asked.add(package)
            there, files = self._belongings.there, self._context.packages.files(package)
            places = there.spelt(self._in_etc(package), self._context.files.covers)
            yield from self._belongings.needs(places, kin, by, None)
            yield from self._belongings.needs(there.private(files), kin.alone, by, None)

    def _in_etc(self, package: Package) -> Strings:
        """The settings in /etc that a package has, or makes."""
        every = self._context.packages.files(package) | self._belongings.made(package)
        return Strings(tuple(sorted(one for one in every if parent(one) == "/etc")))

    def _settings(self, loaded: Loaded) -> list[str]:
        """Those called as the program, or by a string of it or of a library that joins paths."""
        real, contained = SourcePath(loaded.real), self._context.elf_files.contained
        is_program = loaded is self._context.program
        package = self._belongings.owner(real) if is_program or contained(real, _ETC) else None
        paths = self._in_etc(package).paths if package is not None else ()
        texts = {encode(f"\0{name(one)}\0"): one for one in paths}
        found = {texts[one] for one in contained(real, texts)}
        alike = {one for one in paths if splitext(name(one))[0] == name(loaded.opened)}
        return sorted(found | alike)

    def _places(self, loaded: Loaded) -> tuple[Place, ...]:
        """What one object spells out."""
        if loaded.real not in self._found:
            files, elf_files = self._context.files, self._context.elf_files
            spelt = elf_files.fact(loaded.real, strings.FACT, Strings, strings.of_program)
            beside = parent(loaded.real)
            more = self._relative(loaded, strings.RELATIVE, parent(beside))
            more += (*self._relative(loaded, strings.BESIDE, beside), *self._settings(loaded))
            spelt = replace(spelt, paths=(*spelt.paths, *more))
            higher = self._relative(loaded, strings.ABOVE, parent(beside))
            above = Strings(higher, unterminated=True)
            there = self._belongings.there
            places = (one for each in (spelt, above) for one in there.spelt(each, files.covers))
            starts = strings.starts(loaded.real, elf_files)
            self._found[loaded.real] = tuple(
                one
                for one in {one.path: one for one in places}.values()
                # Help texts mention programs in PATH as examples.
                if starts or not (one.is_program and standards.is_crowded(parent(one.path)))
            )
            for one in self._found[loaded.real]:
                if one.is_directory:
                    self._modules.add(one.path)
        return self._found[loaded.real]

    def _relative(self, loaded: Loaded, pattern: bytes, directory: str) -> tuple[str, ...]:
        """The paths that an object looks for from a directory on, above its own or that."""
        hits = self._context.elf_files.search(loaded.real, pattern)
        relative = sorted({decode(hit["path"]).rstrip("/") for hit in hits})
        return tuple(f"{directory.rstrip('/')}/{one}" for one in relative if ".." not in one)


def _is_libc(loaded: Loaded) -> bool:
    """Whether it is a part of the libc, which names everything for everybody."""
    names = (loaded.soname or "", name(loaded.opened))
    return loaded.by is not None and any(map(dialects.is_part_of_libc, names))
