"""The files that an image can have: those that the user adds, at their paths there, then the root.

Paths may lead through links, of the root and of what is added. What no rule may publish has no
bytes here either: its content would choose other files.
"""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from posixpath import normpath
from typing import Any, TypeVar

from rootfs_builder.elf.headers import MAGIC
from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import Source, read
from rootfs_builder.filesystem.root import NodeKind
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.loader import executable
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.executable import Script
from rootfs_builder.needs.closure import Tree
from rootfs_builder.needs.general import standards
from rootfs_builder.paths import (
    OpenedPath,
    SourcePath,
    ancestors,
    below,
    join,
    name,
    parent,
    printable,
)

_MOST_LINKS = 40  # as the kernel
MOST_BYTES = 1 << 22  # of a text that somebody wrote

T = TypeVar("T")


def _is_of_settings(place: str) -> bool:
    """Whether a path is one of settings: below /etc, or in a directory such as `conf.d`."""
    return below(place, "/etc") or parent(place).endswith(".d")


class ImageFiles:
    """Answers what is at a path; `is_closed` says of which files of the root no rule may speak.

    `unread` has the files that were too large to be read as texts.
    """

    def __init__(
        self,
        elf_files: ElfFiles,
        added: Iterable[Tree],
        is_closed: Callable[[OpenedPath], bool] = lambda _: False,
    ) -> None:
        self.unread = set[str]()
        self.elf_files = elf_files
        self._walker = elf_files.walker
        self._is_closed = is_closed
        self._added = dict[str, tuple[SourcePath, NodeKind]]()
        self._alone = set[str]()  # what is added, and no directory, or one of settings
        self._names = dict[str, set[str]]()
        self._commands = dict[tuple[str, ...], dict[str, str]]()
        self._taken = {True: set[str](), False: set[str]()}  # by rules, and by importers too
        self._around = {True: set[str](), False: set[str]()}  # the directories of those
        for tree in added:
            for path, node in tree.nodes:
                inside = path[len(tree.source) :].strip("/")
                place = join(tree.destination, inside) if inside else tree.destination
                self._added[place] = (path, node.kind)
                if len(tree.nodes) == 1 or (node.kind == "file" and _is_of_settings(place)):
                    self._alone.add(place)
                self._names.setdefault(parent(place), set()).add(name(place))

    @property
    def added(self) -> tuple[str, ...]:
        """The paths of the files, not directories, that the user adds."""
        return tuple(path for path, (_, kind) in self._added.items() if kind != "dir")

    def is_added(self, path: str) -> bool:
        """Whether the user adds something at a path."""
        return path in self._added

    def size(self, path: str) -> int:
        """The bytes of a file; 0 where there is none."""
        source = self._source(path)
        return 0 if source is None else source.size

    def cover(self, path: str, *, by_rule: bool) -> None:
        """Say that a rule, or else an importer, has decided what of a path goes in."""
        for one in (True, False) if by_rule else (False,):
            self._taken[one].add(path)
            self._around[one].update(ancestors(path))

    def covers(self, path: str, *, by_rule: bool = False) -> bool:
        """Whether it was decided what of a path goes in: of all there, or of some below it.

        `by_rule` leaves out what importers decide.
        """
        taken = self._taken[by_rule]
        if path in taken or path in self._around[by_rule]:
            return True
        return any(one in taken for one in ancestors(path))

    def is_added_alone(self, path: str) -> bool:
        """Whether the user adds a file by itself, or among settings: it says what is to be done."""
        return path in self._alone

    def may_execute(self, path: str) -> bool:
        """Whether it is a file that may be executed."""
        real = self.real(path)
        node = self._walker.walk(real).node if real is not None else None
        return node is not None and node.kind == "file" and bool(node.mode & 0o111)

    def script(self, path: str) -> Script | None:
        """The first line of a script, None for any other file."""
        walk = self._walker.walk(self.real(path) or OpenedPath(path))
        if walk.node is None or walk.node.kind != "file":
            return None
        with suppress(InputError):  # a text that its interpreter is given
            found = executable.look(path, walk, self.elf_files)
            return found if isinstance(found, Script) else None
        return None

    def is_closed(self, path: str) -> bool:
        """Whether it is a file of the root that no rule may publish."""
        return self._is_closed(OpenedPath(path))

    @cached_property
    def added_directories(self) -> frozenset[str]:
        """The directories that the user adds, or that hold what is added."""
        return frozenset(above for path in self._added for above in ancestors(path))

    def kind(self, path: str) -> NodeKind | None:
        """What is at the end of a path: a file, a directory or a special file; None: nothing."""
        return self._end(path)[1]

    def is_file(self, path: str) -> bool:
        """Whether a path leads to a regular file."""
        return self.kind(path) == "file"

    def real(self, path: str) -> SourcePath | None:
        """Where what a path leads to is read: a resolved path of the source; None: nothing."""
        return self._end(path)[0]

    def names(self, directory: str) -> tuple[str, ...]:
        """The names in a directory, sorted; none where there is none."""
        found = set(self._names.get(directory, ()))
        walk = self._walker.walk(OpenedPath(directory))
        if not walk.errno and walk.node is not None and walk.node.kind == "dir":
            found |= self._names.get(walk.real, set())
            try:
                listed = self._walker.root.list(walk.real)
                if not found:
                    return tuple(listed)
                found.update(listed)
            except OSError as error:
                if error.errno != errno.EACCES:
                    raise
        return tuple(sorted(found))

    def commands(self, search_path: tuple[str, ...]) -> dict[str, str]:
        """What is in the directories of a PATH: the path of each name, in the first that has it."""
        if search_path not in self._commands:
            found = dict[str, str]()
            listed = set[SourcePath | None]()  # /bin is most often /usr/bin
            for directory in (one for one in search_path if one.startswith("/")):
                real = self.real(directory)
                if real not in listed:
                    listed.add(real)
                    for one in self.names(directory):
                        found.setdefault(one, f"{directory}/{one}")
            self._commands[search_path] = found
        return self._commands[search_path]

    def read(self, path: str) -> bytes | None:
        """The bytes of a text; None for a missing, closed or too large file."""
        source = self._source(path)
        return read(source) if source is not None and self._is_read(path, source) else None

    def _is_read(self, path: str, source: Source, most: int = MOST_BYTES) -> bool:
        """Whether a file is as small as texts are; one that is larger, and no program, is told."""
        if source.size <= most:
            return True
        if self.head(path, len(MAGIC)) != MAGIC:
            self.unread.add(path)
        return False

    def too_large(self) -> Iterator[Finding]:
        """A hint about the texts that were too large to be read, but for code of others."""
        paths = sorted(one for one in self.unread if not standards.is_of_others(one))
        if paths:
            shown = printable(Sources.display(paths[0]))
            which = f"{shown} is" if len(paths) == 1 else f"{shown} and {len(paths) - 1} more are"
            text = f"{which} too large to be searched for needs; give these with --add, "
            yield hint(Code.IMPORT_MISSING, f"{text}programs as further EXECUTABLEs", *paths)

    def head(self, path: str, size: int = 4096) -> bytes:
        """How a file begins; empty where there is none."""
        source = self._source(path)
        if source is None:
            return b""
        with source.open() as content:
            return content[0 : min(size, source.size)]

    def fact(
        self,
        path: str,
        fact: str,
        kind: Any,
        find: Callable[[bytes], T],
        none: T,
        *,
        most: int = MOST_BYTES,
    ) -> T:
        """What `find` makes of a text, remembered by the file for later runs; else `none`.

        The name of the `fact` says by which version of `find` it was found; `kind` is its type. Of
        a text of more than `most` bytes it is `none`, too.
        """
        source = self._source(path)
        if source is None or not self._is_read(path, source, most):
            return none
        found: T = self.elf_files.facts.get_or_compute(
            source, fact, kind, lambda: find(read(source))
        )
        return found

    def _source(self, path: str) -> Source | None:
        real, kind = self._end(path)
        if real is None or kind != "file":
            return None
        is_added = path in self._added
        return None if not is_added and self._is_closed(OpenedPath(path)) else self._open(real)

    def _open(self, real: SourcePath) -> Source:
        return self.elf_files.source(real)

    def _landing(self, path: str) -> str:
        """A path of what is added, where the root's links to its directory lead."""
        if not self._added:
            return path
        above = self._walker.walk(OpenedPath(parent(path)))
        return path if above.errno else join(above.real, name(path))

    def _end(self, path: str) -> tuple[SourcePath | None, NodeKind | None]:
        """The end of a path, with its kind."""
        for _ in range(_MOST_LINKS):
            added = self._added.get(path) or self._added.get(self._landing(path))
            if added is None:
                walk = self._walker.walk(OpenedPath(path))
                if walk.errno or walk.node is None:
                    return None, None
                return SourcePath(walk.real), walk.node.kind
            source, kind = added
            if kind != "symlink":
                return source, kind
            target = self._walker.root.readlink(source)
            path = normpath(target if target.startswith("/") else f"{parent(path)}/{target}")
        return None, None
