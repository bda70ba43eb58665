"""What the user's own program and words spell out: libraries for dlopen, files of this machine.

The user's own are the objects that no package has brought. A program's text is not the user's word:
of the files that it names only those of the system's directories go in that everybody may read, and
no large ones; every other is a warning with the flag. A directory from which the program was built,
as its names of source files show, is none that it needs.
"""

import re
from collections.abc import Iterable, Iterator
from posixpath import normpath

from msgspec.structs import replace

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, warning
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs import undeclared
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, Library, Need, Text, TextKind
from rootfs_builder.needs.general import settings, standards, strings
from rootfs_builder.needs.general.modules import Modules
from rootfs_builder.needs.general.own_programs import OwnPrograms
from rootfs_builder.paths import (
    MOUNTED,
    OpenedPath,
    SourcePath,
    ancestors,
    below,
    decode,
    name,
    parent,
    printable,
)

PATHS = rb"/(?<![\w.+%}/-]/)(?P<path>\w[\w.+@/-]{1,250})"
_SOURCE = r".*\.(?:c|cc|cpp|cxx|f90|go|h|hh|hpp|hxx|inc|java|m|rs|s|S|swift|zig)"
_LIBRARY = r"\.so(?:\.|\Z)|/gconv(?:/|\Z)"
_TOLD = r"(?<![\w.+%}/-])/[\w.+@/-]{2,250}"
_MOST_BYTES = 1 << 22  # of a file or a directory that goes in
_MOST_FILES = 1000  # of a directory
_SHOWN = 5
_PROGRAMS = ("bin", "sbin")
_DATA = ("etc", "lib", "libexec", "share")  # GNU coding standards, Directory Variables
_LOCAL = "/usr/local"
_SHARED = (  # FHS 3.0: directories in which everybody has something
    *("/bin", "/boot", "/etc", "/home", "/lib", "/lib32", "/lib64", "/media", "/mnt"),
    *("/opt", "/root", "/run", "/sbin", "/srv", "/usr", "/usr/bin", "/usr/games"),
    *("/usr/include", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/local"),
    *("/usr/sbin", "/usr/share", "/usr/share/doc", "/usr/share/info", "/usr/share/locale"),
    *("/usr/share/man", "/usr/src", "/var"),
)
_OF_OTHER_RULES = (  # generated, of the C library or of an engine
    *("/etc/group", "/etc/gshadow", "/etc/host.conf", "/etc/hostname", "/etc/hosts", "/etc/mtab"),
    *("/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime", "/etc/machine-id"),
    *("/etc/networks", "/etc/nsswitch.conf", "/etc/passwd", "/etc/protocols", "/etc/resolv.conf"),
    *("/etc/services", "/etc/shadow", "/etc/ssl", "/etc/pki", "/etc/terminfo", "/etc/timezone"),
    *("/run", "/tmp", "/usr/lib/locale", "/usr/share/ca-certificates", "/usr/share/locale"),  # noqa: S108 - named, not used
    *("/usr/share/terminfo", "/usr/share/zoneinfo", "/usr/lib/terminfo", "/lib/terminfo", "/var"),
    *("/usr/local/share/certs", "/etc/ca-certificates", "/usr/lib/ssl", "/etc/os-release"),
)


def make(context: Context) -> "OwnCode":
    """The finder for one process."""
    return OwnCode(context)


class OwnCode:
    """Looks in the strings of the objects that are the user's own."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = context.files
        self._search = context.elf_files.search
        self._modules = Modules(context)
        self._data = list[str]()  # the directories that were installed with the user's program
        self._named = list[str]()  # what the user's objects name and may be settings

    def process(self) -> Iterator[Need]:
        """The libraries, files and programs that the user's own objects name."""
        programs = OwnPrograms(self._context)
        for one in self._own((self._context.program, *self._context.objects)):
            if one.real == self._context.program.real:
                yield from self._installed(SourcePath(one.real))
            yield from self._libraries(one)
            yield from self._named_files(one)
            yield from programs.of_user(one)
            yield from programs.of_paths(one)
        given = (one.kind for one in self._context.given)
        if self._context.is_named or TextKind.STARTED in given:
            yield from self._told()
            yield from self._in_path()
        yield from self._modules.told()

    def loaded(self, objects: tuple[Loaded, ...]) -> Iterator[Need]:
        """What a module of the user's names: libraries, where it may try many, and programs."""
        programs = OwnPrograms(self._context)
        for one in self._own(objects):
            yield from (replace(need, optional=True) for need in self._libraries(one))
            yield from programs.of_paths(one)

    def _in_path(self) -> Iterator[Need]:
        """What runs the scripts that the user adds to a directory of PATH: they are commands."""
        files, context = self._files, self._context
        commands = files.commands(context.search_path)
        for path in filter(files.is_added, commands.values()):
            script = files.script(path) if files.may_execute(path) else None
            if script is not None:
                clue = Clue(f"{printable(name(path))} is in PATH", (path,))
                for one in (script.interpreter, commands.get(script.looked_up or "", "")):
                    if one and not files.is_added(one):
                        yield File(one, clue, started=True)

    def _told(self) -> Iterator[Need]:
        """The files of the system that the user's own words name: arguments, and variables' values.

        What is elsewhere is most often in the container alone, from a volume.
        """
        context = self._context
        each = [(one, f"the argument {printable(one)}") for one in context.arguments]
        variables = {name: one for name, one in context.environment.items() if name != "SHELL"}
        each += [(one, f"-e {name}={printable(one)}") for name, one in variables.items()]
        for text, where in each:
            yield from self._program_told(text, where)
            yield from self._files_told(text, where)

    def _files_told(self, text: str, where: str, *, by: str = "") -> Iterator[Need]:
        """The files of the system in a text of the user's; a configuration has modules, too.

        And the scripts in directories that the user adds: `AuthExternal pipe /srv/auth/members.pl`.
        """
        for path in dict.fromkeys(map(normpath, re.findall(_TOLD, text))):
            if by and self._is_added_script(path):
                clue = Clue(f"{where} names {printable(path)}", (by, path))
                yield File(path, clue, started=True)
            is_module = by and re.search(_LIBRARY, path) and self._files.real(path) is not None
            known = in_system(path) and not standards.is_shared(path)
            if known and (is_module or self._is_file_of_its_own(path)):
                clue = Clue(f"{where} names {printable(path)}", (by, path) if by else (path,))
                if self._size(path) <= _MOST_BYTES:
                    yield File(path, clue)
                else:
                    yield _left_out(where, [path])

    def _program_told(self, text: str, where: str) -> Iterator[Need]:
        """A program whose path is the whole of a word, or of its value, unless it is large.

        So is a script in a directory that the user adds.
        """
        path = normpath(text.rpartition("=")[2])
        clue = Clue(f"{where} names {printable(path)}", (path,))
        if path.startswith("/") and self._files.is_added(path):
            if self._is_added_script(path):
                yield File(path, clue, started=True)
            return
        if not path.startswith("/") or not in_system(path) or re.search(_LIBRARY, path):
            return
        if self._is_program(path) and not self._files.covers(path):
            small = undeclared.is_small(path, self._context)
            yield File(path, clue, started=True) if small else LeftOut(path, clue, large=True)

    def _is_added_script(self, path: str) -> bool:
        files = self._files
        return files.is_added(path) and files.may_execute(path) and files.script(path) is not None

    def text(self, text: Text) -> Iterator[Need]:
        """A script that the user adds by itself, and may execute: somebody will start it.

        Of a directory's own scripts nobody knows, so their interpreters are a hint. A text that may
        not be executed is a configuration.
        """
        yield from self._modules.text(text)
        real = self._files.real(text.path)
        if text.kind is TextKind.STARTED and real is not None and not self._brought((real,)):
            yield from self._installed(real)
            yield from self._spelt(text)
        elif text.kind is TextKind.BROUGHT and any(below(text.path, one) for one in self._named):
            yield from self._spelt(text)
        is_data = any(below(text.path, one) for one in self._data)
        if is_data and self._files.may_execute(text.path):
            clue = Clue(f"{printable(text.path)} was installed with the program", (text.path,))
            yield File(text.path, clue, started=True)
        if text.kind is not TextKind.ADDED:
            return
        if not self._files.may_execute(text.path):
            if self._files.is_added_alone(text.path):
                told = decode(settings.read(text, self._files, any_name=True))
                yield from self._files_told(told, printable(name(text.path)), by=text.path)
            return
        script = self._files.script(text.path)
        if script is not None:
            clue = Clue(f"{printable(name(text.path))} may be executed", (text.path,))
            if self._files.is_added_alone(text.path):
                yield File(text.path, clue, started=True)
            elif standards.may_be_started(text.path):
                commands = self._files.commands(self._context.search_path)
                yield LeftOut(commands.get(script.looked_up or "", script.interpreter), clue)

    def _own(self, objects: Iterable[Loaded]) -> tuple[Loaded, ...]:
        """The objects of a process that neither a package nor a base image has brought.

        Where nobody knows what packages have brought, what lies in the system is none of them.
        """
        base = self._context.elf_files.base
        paths = {SourcePath(one.real): one for one in objects if not (base and base.has(one.real))}
        brought = self._brought(paths)
        return tuple(one for path, one in paths.items() if path not in brought)

    def _brought(self, paths: Iterable[SourcePath]) -> set[SourcePath]:
        """Those of the system that a package has brought, or of which nobody knows."""
        system = [one for one in paths if in_system(one) and not below(one, _LOCAL)]
        packages = self._context.packages
        try:
            owners = packages.of_all(system).packages if packages.known else {}
        except InputError:
            owners = {}
        return {one for one in system if owners.get(one, one) is not None}

    def _libraries(self, one: Loaded) -> Iterator[Library]:
        elf_files = self._context.elf_files
        if not elf_files.imports(one.real, strings.DLOPEN):
            return
        loaded = {*map(decode, one.elf.needed), one.soname}  # and what its notes say better
        loaded |= {soname for note in elf_files.notes(one.real) for soname in note.sonames}
        stems: dict[str, list[str]] = {}  # the versions of one library that it would take
        for hit in self._search(one.real, strings.LIBRARIES):
            library = decode(hit["name"])
            if library not in loaded:
                stems.setdefault(library.partition(".so")[0], []).append(library)
        for first, *others in map(sorted, stems.values()):
            clue = Clue(f"{_shown(one)} opens {printable(first)} by its name", (first,))
            yield Library(first, clue, alternatives=tuple(others))
        for soname in elf_files.fact(
            one.real, strings.WITHIN_FACT, tuple[str, ...], strings.sonames_within
        ):
            if soname not in loaded:
                clue = Clue(f"{_shown(one)} opens {printable(soname)} by its name", (soname,))
                yield Library(soname, clue, optional=True)

    def _installed(self, program: SourcePath) -> Iterator[Need]:
        """What was installed with the program, in directories that are called as it."""
        directory, called = parent(program), name(program)
        if not in_system(program) or name(directory) not in _PROGRAMS:
            return
        for one in _DATA:
            path = f"{parent(directory)}/{one}/{called}"
            if self._files.kind(path) != "dir" or not self._is_file_of_its_own(path):
                continue
            if self._size(path) <= _MOST_BYTES:
                self._data.append(path)
                yield File(path, Clue(f"{printable(path)} is called as the program", (path,)))
            else:
                yield _left_out(printable(called), [path])

    def _spelt(self, text: Text) -> Iterator[Need]:
        """What a script of the user's names, or settings that his program names.

        Also the programs that were installed with it, as a script finds them by variables. A
        directory above another one, or around the text, is what others are put together from.
        """
        shown = printable(name(text.path))
        paths = {*map(normpath, strings.in_text(text.path, self._files).whole)}
        directories = [one for one in paths if self._files.kind(one) == "dir"]
        prefixes = {above for one in (*directories, text.path) for above in ancestors(one)}
        yield from self._files_of(paths - prefixes, shown)
        others = [one for one in map(SourcePath, paths) if in_system(one) and self._is_program(one)]
        for path in sorted({*others} - self._brought(others)):
            clue = Clue(f"{shown} names {printable(path)}", (text.path, path))
            yield File(path, clue, started=True)

    def _named_files(self, one: Loaded) -> Iterator[Need]:
        paths = {normpath(f"/{decode(hit['path'])}") for hit in self._search(one.real, PATHS)}
        searched = (decode(one.elf.rpath or b""), decode(one.elf.runpath or b""))
        paths -= {normpath(each) for text in searched for each in text.split(":") if each}
        built = {
            above for path in paths if re.fullmatch(_SOURCE, path) for above in ancestors(path)
        }
        for path in sorted(paths - built):
            is_own = in_system(path) and not standards.is_shared(path)
            if is_own and self._files.kind(path) == "dir":
                self._modules.add(path)
        for need in self._files_of(paths - built, _shown(one)):
            if isinstance(need, File):
                self._named.append(need.path)
            yield need

    def _files_of(self, paths: Iterable[str], shown: str) -> Iterator[Need]:
        """Those that are files of their own; of large ones and others the flags."""
        left_out = list[str]()
        for path in sorted({*paths}):
            if not self._is_file_of_its_own(path):
                continue
            if in_system(path) and self._size(path) <= _MOST_BYTES:
                yield File(path, Clue(f"{shown} names {printable(path)}", (path,)))
            elif not any(below(path, one) for one in left_out):
                left_out.append(path)
        if left_out:
            yield _left_out(shown, left_out)

    def _is_file_of_its_own(self, path: str) -> bool:
        """Whether there is a file or directory of which nobody else decides."""
        if self._is_no_file_of_its_own(path) or self._files.kind(path) not in ("file", "dir"):
            return False
        return not (self._files.is_added(path) or self._files.covers(path))

    def _is_no_file_of_its_own(self, path: str) -> bool:
        """Whether a path is a directory of all, a program, a library, or what others look after."""
        others = (*_OF_OTHER_RULES, *MOUNTED)
        if (
            path in _SHARED
            or re.fullmatch(_SOURCE, path)
            or any(below(path, one) for one in others)
        ):
            return True
        if re.search(_LIBRARY, path) or parent(path) in ("/usr/lib", "/lib", "/"):
            return True
        return self._files.real(path) is None or self._is_program(path)

    def _is_program(self, path: str) -> bool:
        node = self._context.elf_files.walker.walk(OpenedPath(path)).node
        return node is not None and node.kind == "file" and bool(node.mode & 0o111)

    def _size(self, path: str) -> int:
        """The bytes of a file, or of all files below a directory; more than goes in where many."""
        todo, size, seen = [path], 0, 0
        while todo:
            one = todo.pop()
            seen += 1
            if self._files.kind(one) == "dir":
                todo += (f"{one}/{entry}" for entry in self._files.names(one))
            else:
                size += self._files.size(one)
            if size > _MOST_BYTES or seen > _MOST_FILES:
                return _MOST_BYTES + 1
        return size


def _shown(one: Loaded) -> str:
    return printable(name(one.opened))


def _left_out(shown: str, paths: Iterable[str]) -> Need:
    paths = tuple(paths)
    flags = " ".join(f"--add {printable(one)}:{printable(one)}" for one in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    text = f"{shown} names files of the host that were not included: {flags}{more}"
    return warning(Code.OUT_OF_REACH, text, *paths[:_SHOWN])
