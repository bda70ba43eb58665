"""The directories that a program expects: those below /var and /run that it or its package has.

A program of which a package made such a directory, or that would make a file there, fails where the
directory is missing. Directories are made empty: state of this machine is never copied. What others
keep there, whom a program only talks to, is not made. A file that a package has there is a hint: on
this machine it may have changed since. Elsewhere only the empty directories of its own package are
made, in which its user puts something.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from posixpath import normpath

from rootfs_builder.errors import InputError
from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, Directory, Need, Text, TextKind
from rootfs_builder.needs.general import settings, standards, tmpfiles
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.packages import Package
from rootfs_builder.paths import SourcePath, below, decode, encode, name, parent, printable

NAMED = rb"(?P<path>/(?<![\w.+-]/)(?:var|run)/[\w.+%{}$@*/-]{1,200})"
_FILLED_IN = r"[%{}$@*]"
_OF_ALL = (  # FHS 3.0, 5 and 3.15: who has something there has it in a directory
    *("/run/shm", "/run/user", "/var", "/var/account", "/var/cache"),
    *("/var/crash", "/var/games", "/var/lib", "/var/lib/misc", "/var/local"),
    *("/var/mail", "/var/opt", "/var/spool", "/var/spool/cron", "/var/spool/mail"),
    *("/var/tmp", "/var/yp"),  # noqa: S108 - named, not used
)
_OF_FILES = ("/run", "/run/lock", "/var/lock", "/var/log", "/var/run")  # in which files may lie
_OF_OTHERS = (  # the init system's and those of whom every program may talk to
    *("/run/cups", "/run/dbus", "/run/log", "/run/mount", "/run/nscd", "/run/systemd"),
    *("/run/udev", "/run/utmp", "/var/adm", "/var/db", "/var/lib/apt", "/var/lib/dpkg"),
    *("/var/lib/rpm", "/var/log/btmp", "/var/log/journal", "/var/log/lastlog", "/var/log/wtmp"),
)
_CONNECTS = frozenset((b"connect",))
_SOCKETS = tuple(encode(f"/var{one}/") for one in _OF_OTHERS if below(one, "/run"))


def make(context: Context) -> "Directories":
    """The finder for one process."""
    return Directories(context)


class Directories:
    """Looks in a program's own strings, in the user's script and in configurations."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def process(self) -> Iterator[Need]:
        """The directories of the paths that are compiled in, also into libraries of its source."""
        program, belongings = self._context.program, Belongings(self._context)
        owner = belongings.owner(SourcePath(program.real))
        kin = belongings.kin(owner, needed=False)
        for one in self._context.objects:
            yield from self._connects(one)
            if one.real == program.real or kin.owns(SourcePath(one.real)):
                yield from self._compiled_in(one)
        yield from self._made_by_package(owner, name(program.opened))

    def loaded(self, objects: tuple[Loaded, ...]) -> Iterator[Need]:
        """Those of a module, which acts for the program; a library with a version is another's."""
        for one in objects:
            yield from self._connects(one)
        if objects[0].real.endswith(".so"):
            yield from self._compiled_in(objects[0])

    def _connects(self, one: Loaded) -> Iterator[Need]:
        """The way to the sockets below /var/run, most often a link, that others provide."""
        elf_files = self._context.elf_files
        if elf_files.imports(one.real, _CONNECTS) and elf_files.contained(one.real, _SOCKETS):
            shown = printable(name(one.opened))
            clue = Clue(f"{shown} connects to sockets below /var/run", ("/var/run",))
            yield Directory("/var/run", clue, shared=True)

    def _compiled_in(self, one: Loaded) -> Iterator[Need]:
        hits = self._context.elf_files.search(one.real, NAMED)
        named = {decode(hit["path"]) for hit in hits}
        texts = {encode(f"\0{path}\0"): path for path in _OF_FILES}
        named |= {texts[text] for text in self._context.elf_files.contained(one.real, texts)}
        yield from self._needed(named, printable(name(one.opened)))

    def _made_by_package(self, owner: Package | None, shown: str) -> Iterator[Need]:
        """The empty directories that came with the program: it may put their paths together."""
        for path in sorted(self._context.packages.files(owner)) if owner else ():
            node = self._context.elf_files.root.lstat(path)
            if node is None or node.kind != "dir":
                continue
            clue = Clue(f"the package of {printable(shown)} has {printable(path)}", (path,))
            if below(path, "/var") or below(path, "/run"):
                directory = self._directory(path)
                if directory is not None:
                    yield Directory(directory, clue, fixed=self._is_roots(directory))
            elif not (self._context.files.is_added(path) or _is_everybodys(path)):
                yield Directory(path, clue, fixed=True)

    def text(self, text: Text) -> Iterator[Need]:
        """The directories of the paths in a configuration, or in the script that is started."""
        files = self._context.files
        data = settings.read(text, files)
        if text.kind is TextKind.STARTED and text in self._context.given:
            owner = Belongings(self._context).owner(SourcePath(files.real(text.path) or text.path))
            yield from self._made_by_package(owner, name(text.path))
            data = settings.without_comments(files.read(text.path) or b"")
        named = {decode(hit["path"]) for hit in re.finditer(NAMED, data)}
        yield from self._needed(named, printable(name(text.path)))

    def _needed(self, named: set[str], where: str) -> Iterator[Need]:
        for path in sorted(named):
            directory = self._directory(path)
            if directory is not None:
                clue = Clue(f"{where} names {printable(path)}", (path,))
                shared, fixed = directory in _OF_FILES, self._is_roots(directory)
                yield Directory(directory, clue, shared=shared, fixed=fixed)
                yield from self._state(path, where)

    def _state(self, path: str, where: str) -> Iterator[Finding]:
        """The hint about a file that a package has where a program writes."""
        files, owner = self._context.files, None
        real = files.real(path) if files.is_file(path) and not files.is_added(path) else None
        with suppress(InputError):  # which others say
            owner = self._context.packages.of_all((real,)).packages[real] if real else None
        if owner is not None:
            shown = printable(path)
            text = f"{where} names {shown}, a file of a package below /var, which is left out"
            yield hint(Code.PACKAGE_FILES_LEFT_OUT, f"{text}: --add {shown}:{shown}", path)

    @cached_property
    def _roots(self) -> frozenset[str]:
        """Those in which systemd would let only root write, by both names of /run."""
        made = tmpfiles.of(tmpfiles.everybodys(self._context), self._context)
        found = {one.path.replace("/var/run/", "/run/", 1) for one in made if one.roots}
        return frozenset(found | {f"/var{one}" for one in found})

    def _is_roots(self, directory: str) -> bool:
        return not self._context.user and directory in self._roots

    def _directory(self, path: str) -> str | None:
        """The directory that has to be there for a path; None for one that need not."""
        files, whole = self._context.files, normpath(path)
        filled_in = re.search(_FILLED_IN, whole)
        if filled_in:
            whole = parent(whole[: filled_in.start()] + "_")
        is_directory = bool(filled_in) or path.endswith("/") or whole in _OF_FILES
        is_directory = is_directory or files.kind(whole) == "dir"
        found = whole if is_directory else parent(whole)
        shown = found.replace("/var/run", "/run", 1)
        if shown in _OF_ALL or any(below(shown, one) for one in _OF_OTHERS):
            return None
        return None if files.is_added(found) else found


def _is_everybodys(directory: str) -> bool:
    """Whether a directory is for files of many packages, or for nothing that a program reads."""
    if not any(below(directory, top) for top in ("/etc", "/usr")):
        return True
    needless = (directory, parent(directory))
    return standards.is_shared(directory) or any(map(standards.is_needless, needless))
