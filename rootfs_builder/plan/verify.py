"""A root (+ how its container starts) → what its programs would not find when they start.

Every program in the root is resolved as its own loader would, once without special CPU features and
once with each level; nothing of the machine that asks is looked at. The program that the container
starts must be there, and that and every script in PATH must have its interpreter.
"""

import posixpath
from collections.abc import Iterator

from msgspec import Struct

from rootfs_builder import elf
from rootfs_builder.errors import ElfError, InputError
from rootfs_builder.filesystem.root import Root, tree
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.loader import executable, loading, missing
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.executable import Script
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.paths import MOUNTED, ImagePath, OpenedPath, decode, name, parent, printable

_ET_PROGRAM = (elf.ET_EXEC, elf.ET_DYN)


class Report(Struct, frozen=True):
    """How many dynamic programs were resolved, and how many files they load; what is wrong.

    `unchecked` says of a program why nothing shows what it needs.
    """

    programs: int
    files: int
    problems: tuple[str, ...]
    unchecked: tuple[str, ...] = ()


def check(
    root: Root,
    *,
    start: str = "",
    workdir: str = "/",
    path: tuple[str, ...] = (),
    library_path: str = "",
    preload: tuple[str, ...] = (),
) -> Report:
    """Resolve every program of `root`.

    `start` is the first word of the container's command line, `workdir` where it starts, `path` the
    directories of its PATH, `library_path` the text of its LD_LIBRARY_PATH, `preload` the names
    in its LD_PRELOAD.

    Raises:
        InputError: it has no executable file, and nothing is to start it.
    """
    work = _Work(root, path, library_path, preload)
    problems = list(work.entry(start, workdir))
    found = list(work.executables())
    if not found and not start:
        raise InputError("no program is in it")
    for file in found:
        problems += work.program(file)
    return Report(
        work.programs, len(work.files), tuple(dict.fromkeys(problems)), tuple(work.unchecked)
    )


class _Work:
    def __init__(
        self, root: Root, path: tuple[str, ...], library_path: str, preload: tuple[str, ...]
    ) -> None:
        self._root = root
        self._path = path
        self._started: ImagePath | None = None
        self._library_path = library_path
        self._preload = preload
        self._objects = ElfFiles(root)
        self.programs = 0
        self.files: set[ImagePath] = set()
        self.unchecked: list[str] = []

    def entry(self, start: str, workdir: str) -> Iterator[str]:
        """The command that the container starts, looked up as the runtime does."""
        if not start:
            return
        found = self._look_up(start, workdir)
        self._started = next((real for real, mode in found if mode & 0o111), None)
        if self._started is None:
            why = "not executable in" if found else "not in"
            yield f"{printable(start)}: {why} the image, which starts it"

    def _look_up(self, command: str, workdir: str = "/") -> list[tuple[ImagePath, int]]:
        """The files that a command can mean, and their modes."""
        directories = (workdir,) if "/" in command else self._path
        places = (posixpath.join("/", one, command) for one in directories)
        walks = (self._objects.walker.walk(OpenedPath(place)) for place in places)
        return [(ImagePath(w.real), w.node.mode) for w in walks if w.node and w.node.kind == "file"]

    def executables(self) -> Iterator[ImagePath]:
        """Every regular file with an x bit."""
        for path, node in tree(self._root, without=MOUNTED):
            if node.kind == "file" and node.mode & 0o111:
                yield ImagePath(path)

    def program(self, path: ImagePath) -> Iterator[str]:
        """What one executable file lacks. Non-executables are skipped."""
        in_path = parent(path) in self._path or not self._path or path == self._started
        walk = self._objects.walker.walk(path)
        with self._objects.source(path).open() as content:
            magic = content[0:4]
        if magic[:2] == b"#!" and in_path:
            yield from self._script(path, walk)
        elif magic == elf.MAGIC:
            yield from self._elf(path, walk)

    def _script(self, path: ImagePath, walk: Walk) -> Iterator[str]:
        try:
            found = executable.look(path, walk, self._objects)
        except InputError as error:
            yield str(error)
            return
        if isinstance(found, Script):
            interpreter = self._objects.walker.walk(OpenedPath(found.interpreter))
            if interpreter.node is None:
                wanted = printable(found.interpreter)
                yield f"{wanted}: not found\n  needed by {printable(path)}, as its interpreter"
            elif found.looked_up is not None and self._path and not self._look_up(found.looked_up):
                wanted = printable(found.looked_up)
                yield f"{wanted}: not in PATH\n  needed by {printable(path)}, as its interpreter"

    def _elf(self, path: ImagePath, walk: Walk) -> Iterator[str]:
        try:
            if self._objects.header(path).type not in _ET_PROGRAM:
                return
            file = self._objects.file(path)
        except ElfError as error:
            yield f"{printable(path)}: a damaged ELF file: {error}"
            return
        kind = executable.kind_of(path, walk, self._objects)
        if kind is not None and not kind.beside:
            self.unchecked.append(f"{printable(path)}: {kind.what}")
        if file.interpreter is None:
            return  # static, or a library: whoever loads it is asked
        self.programs += file.soname is None  # glibc's libc can be started too
        interpreter = OpenedPath(decode(file.interpreter))
        try:
            loader = self._objects.loader(interpreter)
        except ElfError as error:
            yield f"{printable(interpreter)}: a damaged loader: {error}"
            return
        if loader is None:
            yield (
                f"{printable(interpreter)}: not found, or no loader\n"
                f"  needed by {printable(path)}, as the dynamic loader that starts it"
            )
            return
        loaded = Loaded(name(path), OpenedPath(path), walk, self._objects.source(path), file)
        library_path = loader.library_path(self._library_path)
        preload = (*self._preload, *loader.preload)
        for link_map in loading.levels(
            loaded, loader, self._objects, library_path=library_path, preload=preload
        ):
            yield from self._link_map(link_map)

    def _link_map(self, link_map: LinkMap) -> Iterator[str]:
        self.files.update(ImagePath(loaded.real) for loaded in link_map.objects)
        yield from (missing.text(one, advice="") for one in missing.find(link_map))
