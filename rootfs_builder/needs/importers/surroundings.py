"""What all walks of one process share: the interpreter's search path, and what is found there."""

import re
from collections.abc import Iterable
from functools import cached_property

from msgspec import Struct

from rootfs_builder.needs.finder import Context, Text, TextKind
from rootfs_builder.needs.importers.commands import Commands
from rootfs_builder.needs.importers.packaged import Packaged
from rootfs_builder.paths import below, decode, encode, join, name, parent


class Library(Struct, frozen=True):
    """A directory of a search path; `start` is that of the file by whose place it is found.

    Of a directory of the `core` library a rule brings almost all; one that is `whole` is a folder
    of the user's, of which all comes.
    """

    path: str
    start: str | None = None
    core: bool = False
    whole: bool = False


def compiled_in(
    context: Context, pattern: bytes, library: str, core: Iterable[str]
) -> tuple[Library, ...]:
    """The directories that an interpreter, or its `library`, has compiled in, as `pattern` says.

    `library` is an expression for its name, `core` files that only the core library has.
    """
    files = context.files
    objects = [context.program, *context.objects]
    each = dict.fromkeys(
        decode(value)
        for one in objects
        if one is context.program or re.match(library, name(one.real))
        for hit in context.elf_files.search(one.real, pattern)
        for value in hit.values()
    )
    return tuple(
        Library(path, core=any(files.is_file(join(path, one)) for one in core))
        for path in each
        if files.kind(path) == "dir"
    )


class Surroundings:
    """What all walks of one process share; `done` has the texts that were followed."""

    def __init__(self, context: Context, libraries: tuple[Library, ...]) -> None:
        self.context = context
        self.files = context.files
        self.directory = context.directory
        self.libraries = libraries
        self.commands = Commands(context)
        self.packaged = Packaged(context)
        self.done = set[str]()
        self._found = dict[tuple[str, str], tuple[Library, ...]]()

    @cached_property
    def added(self) -> frozenset[str]:
        """The paths of the files that the user adds."""
        return frozenset(self.files.added)

    @cached_property
    def real_libraries(self) -> frozenset[str | None]:
        """Where the directories of the search path are, without links."""
        return frozenset(self.files.real(one.path) for one in self.libraries)

    @cached_property
    def has_core(self) -> bool:
        """Whether the core library is there; without it, missing modules are not reported."""
        return any(one.core for one in self.libraries)

    @cached_property
    def shared(self) -> set[str]:
        """Directories that hold programs or search paths: nobody means all that is there."""
        each = (*(one.path for one in self.libraries), *self.context.search_path)
        return and_above(each)

    def found(self, part: str, kind: str) -> tuple[Library, ...]:
        """The directories of the interpreter's own search path that have a path."""
        key = part, kind
        if key not in self._found:
            each = (one for one in self.libraries if self.files.kind(join(one.path, part)) == kind)
            self._found[key] = tuple(each)
        return self._found[key]

    def is_core(self, path: str) -> bool:
        """Whether a text is of the core library."""
        return any(one.core and below(path, one.path) for one in self.libraries)

    def is_for(self, head: bytes, language: bytes) -> bool:
        """Whether the first line of a text says that the interpreter, or one called so, runs it."""
        line = head.partition(b"\n")[0]
        program = self.context.program
        names = {encode(name(one)) for one in (program.opened, program.real)}
        words = line[2:].split() if line.startswith(b"#!") else []
        return any(language in one or one.rpartition(b"/")[2] in names for one in words[:3])

    def is_started(self, text: Text, language: bytes) -> bool:
        """Whether the process runs a text, whatever that is called."""
        runs = text.kind is TextKind.STARTED
        return bool(text.by) or (runs and self.is_for(self.files.head(text.path, 512), language))

    def added_by_name(self, base: str) -> list[str]:
        """The paths of the added files of a name."""
        return self._by_name.get(base, [])

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found = dict[str, list[str]]()
        for path in sorted(self.added):
            found.setdefault(name(path), []).append(path)
        return found


def and_above(paths: Iterable[str]) -> set[str]:
    """Paths, and all directories that they are in."""
    found = {"/"}
    for path in paths:
        at = path
        while at and at not in found:
            found.add(at)
            at = parent(at)
    return found


def kind_of(base: str) -> str:
    """The ending of a file's name that says what it is; "" for a program, such as irb3.3."""
    dot = base.rfind(".")
    return "" if dot <= 0 or base[dot + 1 :].isdigit() else base[dot:]
