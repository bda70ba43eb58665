"""An executable and its loader → its LinkMap: a process started on paper, never run.

Start-up objects enter breadth first as in ld.so's _dl_map_object_deps: the dependencies of each
object in the order of its dynamic segment, an AUXILIARY or FILTER object before the one that asks.
A dlopen starts from a copy of the start-up map, so that two of them never see each other.
"""

import errno
import os
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from rootfs_builder.errors import ElfError, UsageError
from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.protocol import Loader
from rootfs_builder.loader.resolution import (
    Attempt,
    Candidate,
    Loaded,
    Rejected,
    Rejection,
    Request,
    RequestKind,
    Resolution,
)
from rootfs_builder.paths import OpenedPath, decode, parent


def start(
    program: Loaded,
    loader: Loader | None,
    elf_files: ElfFiles,
    *,
    hwcaps: tuple[str, ...] = (),
    platform: str | None = None,
    library_path: tuple[str, ...] = (),
    preload: tuple[str, ...] = (),
) -> LinkMap:
    """What the loader would have mapped when it hands over to the program.

    `platform` is what `$PLATFORM` stands for, by default what it mostly does. A missing object is
    a Resolution that found None; nothing is raised for it.
    """
    link_map = LinkMap(loader, program, hwcaps, library_path)
    link_map.add(program)
    if loader is not None:
        link_map.platform = next(iter(loader.platforms), "") if platform is None else platform
        walk = elf_files.walker.walk(loader.interpreter)
        source, file = elf_files.source(walk.real), elf_files.file(walk.real)
        itself = Loaded(loader.interpreter, loader.interpreter, walk, source, file, program)
        link_map.learn(itself)
        mapping = _Mapping(link_map, loader, itself, elf_files)
        for name in preload:
            mapping.answer(Request(name, program, RequestKind.PRELOAD))
        mapping.run(set())
        if itself not in link_map.objects:
            link_map.objects.append(itself)
    link_map.startup = len(link_map.objects)
    return link_map


def levels(
    program: Loaded,
    loader: Loader | None,
    elf_files: ElfFiles,
    *,
    library_path: tuple[str, ...] = (),
    preload: tuple[str, ...] = (),
    hwcaps: bool = True,
) -> tuple[LinkMap, ...]:
    """The start-up map on the plainest CPU, then one for each kind of CPU that may differ.

    Those are the glibc-hwcaps levels (not without `hwcaps`) and the other values of `$PLATFORM`.
    """
    one = partial(start, program, loader, elf_files, library_path=library_path, preload=preload)
    plain = one()
    maps = [plain]
    if loader is not None and hwcaps and has_hwcaps(plain, elf_files):
        maps += [one(hwcaps=loader.hwcaps[level:]) for level in range(len(loader.hwcaps))]
    if loader is not None and has_platforms(plain):
        maps += [one(platform=other) for other in loader.platforms[1:]]
    return tuple(maps)


def dlopen(
    started: LinkMap, name: str, by: Loaded, elf_files: ElfFiles, *, rule: str = ""
) -> LinkMap:
    """A map and what `by` then gets from a dlopen; its first resolution is that answer.

    Objects up to `startup` are the process's own, those behind came with the calls.

    Raises:
        UsageError: the program is static and has no loader to ask.
    """
    loader = started.loader
    if loader is None:
        raise UsageError(f"{name}: a static program loads no library")
    request = Request(name, loader.caller(by, started.program), RequestKind.DLOPEN, rule)
    link_map = replace(
        started,
        calls=(*started.calls, request),
        known=len(started.objects),
        objects=list(started.objects),
        resolutions=[],
        names=dict(started.names),
        identities=dict(started.identities),
    )
    itself = next(o for o in started.objects if o.opened == loader.interpreter)
    mapping = _Mapping(link_map, loader, itself, elf_files)
    mapping.answer(request)
    mapping.run(set(started.objects))
    return link_map


_RELATIVE = Rejection(Rejected.RELATIVE_PATH, "relative to a working directory: not searched")


class _Mapping:
    """A link map while it grows."""

    def __init__(
        self, link_map: LinkMap, loader: Loader, itself: Loaded, elf_files: ElfFiles
    ) -> None:
        self._map = link_map
        self._loader = loader
        self._itself = itself
        self._elf_files = elf_files

    def run(self, done: set[Loaded]) -> None:
        """Ask for the dependencies of every object that is not `done`, until none is left."""
        while pending := next((o for o in self._map.objects if o not in done), None):
            done.add(pending)
            for tag, raw in pending.elf.dependencies:
                kind = RequestKind(tag.value)
                if kind in self._loader.kinds:
                    self.answer(Request(decode(raw), pending, kind))

    def answer(self, request: Request) -> None:
        """Find what a name stands for, and give a new object its place in the order."""
        name = self._loader.expand(request.name, request.by, self._map)
        if name is None:
            error = "empty dynamic string token substitution"
            self._map.resolutions.append(Resolution(request, None, fatal=error))
            return
        if self._loader.is_virtual(name):
            return
        known = self._map.names.get(name)
        if known is None and self._loader.is_itself(name):
            known = self._itself
        resolution = self._search(request, name) if known is None else Resolution(request, known)
        self._map.resolutions.append(resolution)
        found = resolution.found
        if found is None:
            return
        if request.kind in (RequestKind.AUXILIARY, RequestKind.FILTER):
            self._map.move_before(found, request.by)
        elif found not in self._map.objects:
            self._map.add(found)

    def _search(self, request: Request, name: str) -> Resolution:
        """The first file that the loader would take, of those that count first if any do."""
        if self._elf_files.base is not None:
            found = self._searched(request, name, self._elf_files.base.first)
            if found.walk is not None:
                return found
        return self._searched(request, name)

    def _searched(
        self, request: Request, name: str, counts: Callable[[str], bool] | None = None
    ) -> Resolution:
        tried: list[Attempt] = []
        ended: set[int] = set()
        for candidate in self._loader.candidates(request.name, request.by, self._map):
            if candidate.series in ended:
                continue
            if not candidate.path.startswith("/"):
                tried.append(Attempt(candidate.path, _RELATIVE))
                continue
            walk = self._elf_files.walker.walk(OpenedPath(candidate.path))
            if counts is not None and not (walk.errno or counts(walk.real)):
                continue
            if walk.errno or walk.node is None:
                tried.append(Attempt(candidate.path, _not_there(candidate, walk)))
                scope = self._loader.after_error(walk.errno)
                if scope == "all":
                    break
                if scope == "list" and self._ends_list(candidate):
                    ended.add(candidate.series)
                continue
            taken = self._take(request, name, candidate, walk, walk.node)
            if isinstance(taken, Loaded):
                return Resolution(request, taken, candidate, walk, tried=tuple(tried))
            if taken.fatal:
                return Resolution(request, None, candidate, walk, taken.words, tuple(tried))
            tried.append(Attempt(candidate.path, taken))
        return Resolution(request, None, tried=tuple(tried))

    def _ends_list(self, candidate: Candidate) -> bool:
        """Whether an error counts: only of a directory that exists, and of its own file."""
        directory = self._elf_files.walker.walk(OpenedPath(parent(candidate.path))).node
        return candidate.hwcap is None and directory is not None and directory.kind == "dir"

    def _take(
        self, request: Request, name: str, candidate: Candidate, walk: Walk, node: Node
    ) -> Loaded | Rejection:
        """What becomes of a file that is there."""
        loader, elf_files = self._loader, self._elf_files
        if node.kind == "dir":
            words = "cannot read file data: Error 21, it is a directory"
            return self._unreadable(Rejected.DIRECTORY, words)
        if node.kind != "file":
            words = "it is a device, FIFO or socket"
            return Rejection(Rejected.SPECIAL_FILE, words, fatal=True)
        try:
            rejection = loader.rejected(elf_files.header(walk.real), self._map.program.elf.header)
            if rejection is not None:
                return rejection
            known = self._map.identities.get(node.identity)
            if known is not None:
                alias = loader.alias(name, known)
                if alias is not None:
                    self._map.names.setdefault(alias, known)
                return known
            file = elf_files.file(walk.real)
        except ElfError as error:
            return self._unreadable(Rejected.DAMAGED, str(error))
        unusable = loader.unusable(file)
        if unusable is not None:
            return Rejection(Rejected.UNUSABLE, unusable, fatal=True)
        opened, source = OpenedPath(candidate.path), elf_files.source(walk.real)
        called = request.kind is RequestKind.DLOPEN
        by = request.by
        return Loaded(request.name, opened, walk, source, file, by, candidate, called, name)

    def _unreadable(self, reason: Rejected, words: str) -> Rejection:
        return Rejection(reason, self._loader.unreadable(reason, words), fatal=True)


def _not_there(candidate: Candidate, walk: Walk) -> Rejection:
    """Why a walk did not arrive; of what simply does not exist, why it was looked for there."""
    if walk.errno == errno.ENOENT:
        return Rejection(Rejected.ABSENT, candidate.found_by)
    return Rejection(Rejected.UNREACHABLE, os.strerror(walk.errno))


def has_hwcaps(link_map: LinkMap, elf_files: ElfFiles) -> bool:
    """Whether any directory that was searched, or the cache, has files for special CPUs."""
    if link_map.loader is None or not link_map.loader.hwcaps:
        return False
    searched = {parent(each.path) for one in link_map.resolutions for each in one.tried}
    searched |= {parent(loaded.opened) for loaded in link_map.objects}
    walks = (
        elf_files.walker.walk(OpenedPath(f"{one}/glibc-hwcaps"))
        for one in searched
        if one[0] == "/"
    )
    return link_map.loader.caches_hwcaps() or any(walk.node is not None for walk in walks)


def has_platforms(link_map: LinkMap) -> bool:
    """Whether what is loaded depends on what `$PLATFORM` stands for."""
    texts = (
        text
        for loaded in link_map.objects
        for text in (
            loaded.elf.rpath,
            loaded.elf.runpath,
            *(raw for _, raw in loaded.elf.dependencies),
        )
    )
    return any(text is not None and b"PLATFORM" in text for text in texts)
