"""What one process of perl sees: its @INC, and the Perl texts of the image with their imports."""

import re
from collections.abc import Iterable
from functools import cached_property

from msgspec import Struct

from rootfs_builder.needs.finder import Context
from rootfs_builder.needs.importers import perl_source
from rootfs_builder.needs.importers.perl_source import Imports
from rootfs_builder.paths import below, decode, join, name, parent

_INC = rb"\x00(?P<inc>/(?=[\w/.+-]*perl)[\w/.+-]+)(?=\x00)"  # in perl or libperl
_LIBRARY = re.compile(r"libperl\.so\.")
_CORE = ("strict.pm", "Config.pm")  # what only the core library has
_MODULES = (".pm", ".al", ".t")
_SUFFIXES = (*_MODULES, ".pl", ".ph", ".psgi", ".PL")
_SCRIPTS = ("", ".cgi", ".fcgi")
_FACT = "perl-imports v1"


class Library(Struct, frozen=True):
    """A directory of @INC; `start` is that of the file by whose place it is found, if it is.

    Of a directory of the `core` library the rule `perl` brings almost all; one that is `whole` is
    a folder of the user's, of which all comes.
    """

    path: str
    start: str | None = None
    core: bool = False
    whole: bool = False


class Texts:
    """Answers for one process; `done` has the texts that were followed."""

    def __init__(self, context: Context) -> None:
        self.files = context.files
        self.directory = context.directory
        self.inc = _compiled_in(context)
        self.done = set[str]()
        self._search_path = context.search_path
        self._known = dict[str, Imports]()

    def is_perl(self, path: str) -> bool:
        """Whether a file is a program or module in Perl, by its name or its first lines."""
        base = name(path)
        suffix = base[base.rfind(".") :] if "." in base else ""
        if suffix in _MODULES:
            return True
        if suffix not in (*_SUFFIXES, *_SCRIPTS):
            return False
        head = self.files.head(path, 512)
        if head.startswith(b"#!"):
            return b"perl" in head.partition(b"\n")[0] or b"exec perl" in head or b"/perl " in head
        return suffix in _SUFFIXES

    def imports(self, path: str) -> Imports:
        """What a text imports; nothing of one that cannot be read."""
        if path not in self._known:
            none: Imports = ()
            self._known[path] = self.files.fact(path, _FACT, Imports, perl_source.read, none)
        return self._known[path]

    @cached_property
    def added(self) -> frozenset[str]:
        """The paths of the files that the user adds."""
        return frozenset(self.files.added)

    @cached_property
    def inc_real(self) -> frozenset[str | None]:
        """Where the directories of the compiled-in @INC are, without links."""
        return frozenset(self.files.real(one.path) for one in self.inc)

    def is_core(self, path: str) -> bool:
        """Whether a text is of the core library."""
        return any(one.core and below(path, one.path) for one in self.inc)

    @cached_property
    def has_core(self) -> bool:
        """Whether the core library is there: without, all that is missing is no news."""
        return any(one.core for one in self.inc)

    def added_by_name(self, base: str) -> list[str]:
        """The paths of the Perl files of a name that the user adds."""
        return self._by_name.get(base, [])

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found = dict[str, list[str]]()
        for path in sorted(self.added):
            if path.endswith(_SUFFIXES):
                found.setdefault(name(path), []).append(path)
        return found

    @cached_property
    def places(self) -> set[str]:
        """Directories that hold programs or directories of @INC: nobody means all that is there."""
        return and_above((*(one.path for one in self.inc), *self._search_path))


def file_of(module: str) -> str:
    """The file of a module, within @INC."""
    return f"{module.replace('::', '/')}.pm"


def and_above(paths: Iterable[str]) -> set[str]:
    """Paths, and all directories that they are in."""
    found = {"/"}
    for path in paths:
        at = path
        while at and at not in found:
            found.add(at)
            at = parent(at)
    return found


def _compiled_in(context: Context) -> tuple[Library, ...]:
    """The directories of @INC that perl, or libperl, has compiled in."""
    objects = [context.program, *context.objects]
    each = dict.fromkeys(
        decode(hit["inc"])
        for one in objects
        if one is context.program or _LIBRARY.match(name(one.real))
        for hit in context.elf_files.search(one.real, _INC)
    )
    files = context.files
    return tuple(
        Library(path, core=any(files.is_file(join(path, one)) for one in _CORE))
        for path in each
        if files.kind(path) == "dir"
    )
