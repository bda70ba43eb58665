"""What a packaged program spells out of its own package: data, settings, helper programs.

The objects of the process that were built from the program's source speak for it. A library of
another source, that the program itself is linked to, speaks for its own data: not for its modules,
which are as many as programs could use, nor is a library evidence that other libraries load.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, hint
from rootfs_builder.loader import dialects
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs import utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, Library, Need, Text, TextKind
from rootfs_builder.needs.general import standards, strings
from rootfs_builder.needs.general.belongings import Belongings, Place
from rootfs_builder.needs.general.modules import Modules, is_module
from rootfs_builder.needs.general.strings import Strings
from rootfs_builder.packages import Kin, Package
from rootfs_builder.paths import SourcePath, below, decode, name, parent, printable

_MOST_OWN = 30  # programs of one source: coreutils has 100, samba 40, git 5
# What stands before the name of a program. Linkers keep a text once that is the end of another:
# `tar` in `control.tar`.
_BEFORE = ("\0", "\0/", ".", "bin/")


class _Started(Struct, frozen=True):
    """A program that a command starts which another program spells out.

    It is one for `certain` with an option and something that is filled in: a sentence has at most
    one of these, as a rule. A utility of every system, with an option at once, is for a shell.
    """

    path: str
    certain: bool
    is_utility: bool


def make(context: Context) -> "OwnPackage":
    """See FinderModule."""
    return OwnPackage(context)


class OwnPackage:
    """The finder of one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._modules = Modules(context)
        self._belongings = Belongings(context, self._modules.spared)
        self._found: dict[str, tuple[Place, ...]] = {}

    def process(self) -> Iterator[Need]:
        """See Finder."""
        objects = [one for one in self._context.objects if in_system(one.real)]
        linked = [one for one in objects if self._is_near(one) and not _is_libc(one)]
        opened, started = tuple(self._opened()), tuple(self._started())
        program = SourcePath(self._context.program.real)
        imports = self._context.elf_files.imports
        starts = in_system(program) and (imports(program, strings.EXEC) or self._is_go)
        loads = in_system(program) and imports(program, strings.DLOPEN)
        if not (starts or loads or any(map(self._places, linked))):
            return
        belongings = self._belongings
        package = belongings.owner(program)
        kin = belongings.kin(package)
        linked += [one for one in objects if one not in linked and self._is_linked(one, kin)]
        yield from self._libraries(opened, kin)
        yield from self._programs(started, kin)
        yield from self._named(kin) if starts else ()
        yield from self._unnamed(package, kin) if package is not None and loads else ()
        for loaded in objects:
            real = SourcePath(loaded.real)
            if real == program or kin.owns(real):
                yield from belongings.needs(self._places(loaded), kin, loaded.opened, real)
            elif loaded in linked:
                yield from self._of_library(loaded)
        yield from (need for loaded in linked for need in self._filled_in(loaded))
        yield from self._modules.told()
        yield from belongings.findings

    def _is_linked(self, loaded: Loaded, kin: Kin) -> bool:
        """Whether a library of its own source is linked to it, as nco's are to udunits."""
        by = loaded.by
        return by is not None and kin.owns(SourcePath(by.real)) and not _is_libc(loaded)

    def _is_near(self, loaded: Loaded) -> bool:
        """Whether it is the program, or a library that this itself is linked to."""
        program = self._context.program
        return loaded.real == program.real or loaded.by is program

    def _of_library(self, loaded: Loaded) -> Iterator[Need]:
        """The data of a library's own package."""
        real, belongings = SourcePath(loaded.real), self._belongings
        data = tuple(one for one in self._places(loaded) if standards.is_data(one.path))
        if data:
            kin = belongings.kin(belongings.owner(real), needed=False)
            yield from belongings.needs(data, kin, loaded.opened, real)

    def _opened(self) -> Iterator[str]:
        """The libraries that the program opens by names that it spells out."""
        program, elf_files = self._context.program, self._context.elf_files
        if in_system(program.real) and elf_files.imports(program.real, strings.DLOPEN):
            needed = set(map(decode, program.elf.needed))
            needed |= {soname for note in elf_files.notes(program.real) for soname in note.sonames}
            names = (
                decode(hit["name"]) for hit in elf_files.search(program.real, strings.LIBRARIES)
            )
            yield from (one for one in names if one not in needed)

    def _libraries(self, opened: Iterable[str], kin: Kin) -> Iterator[Need]:
        """Of those, what the program's package needs; others it can do without, as that says."""
        there = {name(path) for path in kin.all} if opened else set()
        for library in opened if there else ():
            clue = Clue(
                f"{printable(name(self._context.program.opened))} opens {library} by its name"
            )
            yield Library(library, clue, optional=True, left_out=name(library) not in there)

    def _started(self) -> Iterator[_Started]:
        """The programs of PATH that are the first words of commands that the program spells out."""
        program, elf_files = self._context.program, self._context.elf_files
        if not in_system(program.real) or not elf_files.imports(program.real, strings.RUN):
            return
        files = self._context.files
        by_shell = elf_files.imports(program.real, strings.BY_SHELL)
        for hit in elf_files.search(program.real, strings.COMMANDS):
            known = {"filled", "option"} & hit.keys()
            word = decode(hit["word"]) if known else ""
            path = files.commands(self._context.search_path).get(word) if known else None
            if path is not None and files.is_file(path) and files.real(path) != program.real:
                is_utility = word in utilities.ALL - utilities.BUILT_IN
                yield _Started(
                    path, len(known) > 1, bool(by_shell) and "first" in hit and is_utility
                )

    def _filled_in(self, loaded: Loaded) -> Iterator[Need]:
        """The libraries beside one that opens them by a name with something filled in.

        Those come for which a word of the image's command line or variables stands; of others
        nobody knows, so they are a hint.
        """
        files, elf_files = self._context.files, self._context.elf_files
        hits = elf_files.search(loaded.real, strings.TEMPLATES)
        if not hits or not elf_files.imports(loaded.real, strings.DLOPEN):
            return
        texts = " ".join((*self._context.arguments, *self._context.environment.values()))
        words, loads = set(re.split(r"[^\w-]+", texts)), {one.real for one in self._context.objects}
        shown, idle, chosen = printable(name(loaded.opened)), set[str](), set[str]()
        for hit in hits:
            template = re.escape(decode(hit["name"])).replace("%s", r"(?P<word>[\w-]+)", 1)
            for one in files.names(parent(loaded.real)):
                found = re.fullmatch(template, one)
                path = f"{parent(loaded.real)}/{one}"
                if found is None or files.covers(path) or files.real(path) in loads:
                    continue
                (chosen if found["word"] in words else idle).add(one)
        for one in sorted(chosen):
            yield Library(one, Clue(f"{shown} opens {printable(one)}, which a word chooses"))
        if idle and not chosen:
            text = f"{shown} opens libraries as {decode(hits[0]['name'])}, and these are left out: "
            each = " ".join(f"--include-lib {printable(one)}" for one in sorted(idle))
            yield hint(Code.DLOPEN_LEFT_OUT, f"{text}{each}", loaded.opened)

    def _programs(self, started: Iterable[_Started], kin: Kin) -> Iterator[Need]:
        """Of those of other sources, what is certain and needed, with the shell that starts it.

        What is either is a hint: nobody knows when.
        """
        shown = printable(name(self._context.program.opened))
        for one in started:
            clue = Clue(f"{shown} runs {printable(name(one.path))}", (one.path,))
            real = self._context.files.real(one.path)
            if real is None or kin.owns(real):
                continue
            if one.is_utility or (one.certain and kin.has(real)):
                yield File(one.path, clue, started=True)
                yield File(strings.SHELL, clue, started=True)
            elif one.certain or kin.has(real):
                yield LeftOut(one.path, clue)

    def _named(self, kin: Kin) -> Iterator[Need]:
        """The programs whose names are whole strings of the program, in PATH or beside it.

        They are of its own source, but not of a box of tools, which name each other to people:
        `env` has "sha256sum" in it. Or a package that its own requires is called so: `m4`. One of
        another package that its own does not require is a hint: psql names a database `postgres`.
        """
        program, elf_files = self._context.program, self._context.elf_files
        own, required = dict(self._commands(kin.own)), dict(self._commands(kin.required))
        paths = required | (own if len(own) <= _MOST_OWN else {})
        texts = {f"\0{one}\0".encode(): one for one in paths}
        texts |= {f"{at}{one}\0".encode(): one for one in required for at in _BEFORE}
        has_no_ends = self._is_go or elf_files.contained(program.real, (strings.RUST,))
        if has_no_ends:
            texts |= {one.encode(): one for one in required}
        found = elf_files.contained(program.real, texts) if texts else ()
        for one in sorted({texts[text] for text in found}):
            shown = f"{printable(name(program.opened))} names {printable(one)}"
            clue, real = Clue(shown, (paths[one],)), self._context.files.real(paths[one])
            declared = real in kin.declared
            yield File(paths[one], clue, started=True) if declared else LeftOut(paths[one], clue)

    @cached_property
    def _is_go(self) -> bool:
        """Whether it looks programs up in PATH as Go's os/exec does."""
        return bool(
            self._context.elf_files.contained(self._context.program.real, (strings.GO_EXEC,))
        )

    def _unnamed(self, package: Package, kin: Kin) -> Iterator[Need]:
        """The directories of modules that the package alone has, and that no text spells out.

        A compiler may have put a short path into the code, in pieces.
        """
        program, files = self._context.program, self._context.packages.files(package)
        spelt = [one.path for one in self._places(program)]
        for place in self._belongings.private(one for one in files if is_module(name(one))):
            if not any(below(one, place.path) or below(place.path, one) for one in spelt):
                shown = f"{printable(program.opened)} calls dlopen, and its package has modules in"
                clue = Clue(f"{shown} {printable(place.path)}", (program.opened, place.path))
                self._modules.add(place.path)
                yield from self._belongings.directory(place, kin, clue, SourcePath(program.real))

    def _commands(self, group: Iterable[SourcePath]) -> Iterator[tuple[str, str]]:
        """The programs among files, by name: those that PATH finds, and those beside this one."""
        program, files = SourcePath(self._context.program.real), self._context.files
        commands = files.commands(self._context.search_path)
        for path in group:
            last = name(path)
            if path == program:
                continue
            if last in commands:
                if files.real(commands[last]) == path:
                    yield last, commands[last]
            elif parent(path) == parent(program) and files.may_execute(path):
                yield last, path

    def text(self, text: Text) -> Iterator[Need]:
        """What belongs to the package whose script is started: directories, settings, and programs.

        A script puts the names of its files together when it runs, most often from its own place.
        The programs are those that it quotes, of its package and of those that this names as
        needed.
        """
        yield from self._modules.text(text)
        real = self._context.files.real(text.path)
        if text.kind is not TextKind.STARTED or real is None or not in_system(real):
            return
        belongings = self._belongings
        package = belongings.owner(real)
        if package is not None:
            kin = belongings.kin(package)
            files = self._context.packages.files(package)
            in_etc = Strings(tuple(sorted(one for one in files if parent(one) == "/etc")))
            places = belongings.places(in_etc, self._context.files.covers)
            yield from belongings.needs(places, kin, text.path, None)
            yield from belongings.needs(belongings.private(files), kin.alone, text.path, None)
            yield from self._quoted(text, kin)
        yield from belongings.findings

    def _quoted(self, text: Text, kin: Kin) -> Iterator[Need]:
        """The programs of PATH whose names are whole strings of a script, if they belong to it.

        Others that it looks for are a hint.
        """
        files, shown = self._context.files, printable(name(text.path))
        data = files.read(text.path) or b""
        sought = {
            decode(word)
            for hit in strings.SOUGHT.finditer(data)
            for word in hit[0].split(hit["quote"])[1::2]
        }
        words = {decode(hit["word"]) for hit in strings.QUOTED.finditer(data)}
        commands = files.commands(self._context.search_path) if words else {}
        for word in sorted(words & commands.keys()):
            path, clue = commands[word], Clue(f"{shown} names {printable(word)}", (text.path,))
            real = files.real(path)
            if real is None or not files.is_file(real):
                continue
            if kin.has(real):
                yield File(path, clue, started=True)
            elif word in sought:
                yield LeftOut(path, clue)

    def _places(self, loaded: Loaded) -> tuple[Place, ...]:
        """What one object spells out."""
        if loaded.real not in self._found:
            files, elf_files = self._context.files, self._context.elf_files
            spelt = elf_files.fact(loaded.real, strings.FACT, Strings, strings.of_program)
            top = parent(parent(loaded.real)).rstrip("/")
            hits = (hit for one in strings.RELATIVE for hit in elf_files.search(loaded.real, one))
            relative = sorted({decode(hit["path"]).rstrip("/") for hit in hits})
            more = (f"{top}/{one}" for one in relative if ".." not in one)
            spelt = replace(spelt, paths=(*spelt.paths, *more))
            places = self._belongings.places(spelt, files.covers)
            starts = elf_files.imports(loaded.real, strings.EXEC)
            self._found[loaded.real] = tuple(
                one for one in places if starts or not (one.is_program and _is_in_path(one.path))
            )
            for one in self._found[loaded.real]:
                if one.is_directory:
                    self._modules.add(one.path)
        return self._found[loaded.real]


def _is_in_path(path: str) -> bool:
    """Whether it is a program in PATH, which help texts mention as examples."""
    return standards.is_crowded(parent(path))


def _is_libc(loaded: Loaded) -> bool:
    """Whether it is a part of the libc, which names everything for everybody."""
    names = (loaded.soname or "", name(loaded.opened))
    return loaded.by is not None and any(map(dialects.is_part_of_libc, names))
