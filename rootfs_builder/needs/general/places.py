"""Paths that a program or a text spells out → those that exist and are not everybody's."""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.finder import Context
from rootfs_builder.needs.general import standards
from rootfs_builder.needs.general.strings import TEMPLATE, Strings
from rootfs_builder.paths import OpenedPath, SourcePath, ancestors, decode, name, parent

_EXECUTABLE = 0o111
_OF_PROGRAMS = ("bin", "sbin")  # of which only those come that every system has or a package needs


class Place(Struct, frozen=True):
    """A path that is spelt out and exists: a file or a directory that is not everybody's."""

    path: str
    real: SourcePath
    is_directory: bool
    is_program: bool = False


class Places:
    """Looks for the process of one context."""

    def __init__(self, context: Context) -> None:
        self._files = context.files
        self._walk = context.elf_files.walker.walk
        self._loaded = {one.real for one in context.objects} | {_interpreter(context)}
        self._names: dict[str, tuple[str, ...]] = {}

    def spelt(self, spelt: Strings, is_covered: Callable[[str], bool]) -> Iterator[Place]:
        """The paths that exist, each once, less those of which a rule decides."""
        known = set[str]()
        for text in spelt.paths:
            path = self._existing(text, unterminated=spelt.unterminated)
            if path is None or path in known:
                continue
            known.add(path)
            place = self.place(path)
            if place is not None and not is_covered(place.path) and not is_covered(place.real):
                yield place

    def private(self, files: Iterable[SourcePath]) -> Iterator[Place]:
        """The outermost directories of a package's files that are not everybody's, nor decided."""
        found = set[str]()
        for directory in sorted(set(map(parent, files))):
            above = (*reversed([*ancestors(directory)]), directory)
            top = next((one for one in above if not standards.is_shared(one)), None)
            if top is not None and top not in found:
                found.add(top)
                place = self.place(top)
                if place is not None and place.is_directory and not self._files.covers(top):
                    yield place

    def _existing(self, text: str, *, unterminated: bool) -> str | None:
        """The path that a text stands for."""
        path = text.rstrip(TEMPLATE)
        if path != text:
            path = parent(path) if not path.endswith("/") else path
        path = "/" + "/".join(part for part in path.split("/") if part)
        if not self._walk(OpenedPath(path)).errno:
            return path
        if unterminated:
            return self._longest(path)
        stem = path.rstrip(".=@~+-")  # of a sentence, an assignment
        return stem if stem != path and not self._walk(OpenedPath(stem)).errno else None

    def _longest(self, path: str) -> str | None:
        """The longest beginning of a path that exists."""
        at = ""
        for part in path.split("/")[1:]:
            if not self._walk(OpenedPath(f"{at}/{part}")).errno:
                at = f"{at}/{part}"
                continue
            if at not in self._names:
                crowded = standards.is_crowded(at) and name(at) not in _OF_PROGRAMS
                self._names[at] = () if crowded else self._files.names(at or "/")
            best = max(
                (one for one in self._names[at] if part.startswith(one)), default="", key=len
            )
            return f"{at}/{best}" if best else at or None
        return at or None

    def place(self, path: str) -> Place | None:
        """What is at a path; None where it is not there, is loaded, or is everybody's."""
        walk = self._walk(OpenedPath(path))
        if walk.errno or walk.node is None or walk.node.kind not in ("file", "dir"):
            return None
        real, is_directory = walk.real, walk.node.kind == "dir"
        if real in self._loaded:
            return None
        if not (in_system(path) and in_system(real)):
            return None
        if standards.is_needless(path) or standards.is_needless(real):
            return None
        if is_directory and (standards.is_shared(path) or standards.is_shared(real)):
            return None
        is_program = not is_directory and bool(walk.node.mode & _EXECUTABLE)
        return Place(path, SourcePath(real), is_directory, is_program)


def _interpreter(context: Context) -> str:
    """Where the loader of the process is."""
    interpreter = context.program.elf.interpreter
    if interpreter is None:
        return ""
    return context.elf_files.walker.walk(OpenedPath(decode(interpreter))).real
