"""An executable and its loader's rules → its LinkMap: a process started on paper, never run.

Start-up objects enter breadth first as in ld.so's _dl_map_object_deps: the dependencies of each
object in the order of its dynamic segment, an AUXILIARY or FILTER object before the one that asks.
A dlopen starts from a copy of the start-up map, so that two of them never see each other.
"""

import errno
import os
from collections.abc import Callable, Iterator
from functools import partial

from msgspec.structs import replace

from rootfs_builder.errors import ElfError, UsageError
from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.loader.elf_files import Objects
from rootfs_builder.loader.link_map import (
    Candidate,
    LinkMap,
    Loaded,
    Loader,
    Request,
    Resolution,
    Verdict,
)
from rootfs_builder.paths import OpenedPath, decode, parent


def start(
    program: Loaded,
    rules: Loader | None,
    objects: Objects,
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
    link_map = LinkMap(rules, program, hwcaps, library_path)
    link_map.add(program)
    if rules is not None:
        link_map.platform = next(iter(rules.platforms), "") if platform is None else platform
        walk = objects.walker.walk(rules.interpreter)
        source, file = objects.source(walk.real), objects.file(walk.real)
        itself = Loaded(rules.interpreter, rules.interpreter, walk, source, file, program)
        link_map.learn(itself)
        mapping = _Mapping(link_map, rules, itself, objects)
        for name in preload:
            mapping.answer(Request(name, program, "preload"))
        mapping.run(set())
        if itself not in link_map.objects:
            link_map.objects.append(itself)
    link_map.startup = len(link_map.objects)
    return link_map


def levels(
    program: Loaded,
    rules: Loader | None,
    objects: Objects,
    *,
    library_path: tuple[str, ...] = (),
    preload: tuple[str, ...] = (),
    hwcaps: bool = True,
) -> tuple[LinkMap, ...]:
    """The start-up map on the plainest CPU, then one for each kind of CPU that may differ.

    Those are the glibc-hwcaps levels (not without `hwcaps`) and the other values of `$PLATFORM`.
    """
    one = partial(start, program, rules, objects, library_path=library_path, preload=preload)
    plain = one()
    maps = [plain]
    if rules is not None and hwcaps and has_hwcaps(plain, objects):
        maps += [one(hwcaps=rules.hwcaps[level:]) for level in range(len(rules.hwcaps))]
    if rules is not None and has_platforms(plain):
        maps += [one(platform=other) for other in rules.platforms[1:]]
    return tuple(maps)


def dlopen(started: LinkMap, name: str, by: Loaded, objects: Objects, *, rule: str = "") -> LinkMap:
    """A map and what `by` then gets from a dlopen; its first resolution is that answer.

    Objects up to `startup` are the process's own, those behind came with the calls.

    Raises:
        UsageError: the program is static and has no loader to ask.
    """
    rules = started.loader
    if rules is None:
        raise UsageError(f"{name}: a static program loads no library")
    request = Request(name, rules.caller(by, started.program), "dlopen", rule)
    link_map = replace(
        started,
        calls=(*started.calls, request),
        known=len(started.objects),
        objects=list(started.objects),
        resolutions=[],
        names=dict(started.names),
        identities=dict(started.identities),
    )
    itself = next(o for o in started.objects if o.opened == rules.interpreter)
    mapping = _Mapping(link_map, rules, itself, objects)
    mapping.answer(request)
    mapping.run(set(started.objects))
    return link_map


class _Mapping:
    """A link map while it grows."""

    def __init__(self, link_map: LinkMap, rules: Loader, itself: Loaded, objects: Objects) -> None:
        self._map = link_map
        self._loader = rules
        self._itself = itself
        self._objects = objects

    def run(self, done: set[Loaded]) -> None:
        """Ask for the dependencies of every object that is not `done`, until none is left."""
        while pending := next((o for o in self._map.objects if o not in done), None):
            done.add(pending)
            for kind, raw in pending.elf.dependencies:
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
        if request.kind in ("AUXILIARY", "FILTER"):
            self._map.move_before(found, request.by)
        elif found not in self._map.objects:
            self._map.add(found)

    def _search(self, request: Request, name: str) -> Resolution:
        tried: list[tuple[str, str]] = []
        ended: set[int] = set()
        for candidate in self._loader.candidates(request.name, request.by, self._map):
            if candidate.series in ended:
                continue
            if not candidate.path.startswith("/"):
                tried.append((candidate.path, "relative to a working directory: not searched"))
                continue
            walk = self._objects.walker.walk(OpenedPath(candidate.path))
            if walk.errno or walk.node is None:
                missing = walk.errno == errno.ENOENT
                why = candidate.found_by if missing else os.strerror(walk.errno)
                tried.append((candidate.path, why))
                scope = self._loader.after_error(walk.errno)
                if scope == "all":
                    break
                if scope == "list" and self._ends_list(candidate):
                    ended.add(candidate.series)
                continue
            verdict, why, loaded = self._take(request, name, candidate, walk, walk.node)
            if verdict != "skip":
                fatal = why if verdict == "fatal" else None
                return Resolution(request, loaded, candidate, walk, fatal, tuple(tried))
            tried.append((candidate.path, why))
        return Resolution(request, None, tried=tuple(tried))

    def _ends_list(self, candidate: Candidate) -> bool:
        """Whether an error counts: only of a directory that exists, and of its own file."""
        directory = self._objects.walker.walk(OpenedPath(parent(candidate.path))).node
        return candidate.hwcap is None and directory is not None and directory.kind == "dir"

    def _take(
        self, request: Request, name: str, candidate: Candidate, walk: Walk, node: Node
    ) -> tuple[Verdict, str, Loaded | None]:
        """What becomes of a file that is there: the verdict, the reason against it, the object."""
        rules, objects = self._loader, self._objects
        if node.kind == "dir":
            why = "cannot read file data: Error 21, it is a directory"
            return "fatal", rules.unreadable(why), None
        if node.kind != "file":
            return "fatal", "it is a device, FIFO or socket", None
        try:
            verdict, why = rules.verdict(objects.header(walk.real), self._map.program.elf.header)
            if verdict != "use":
                return verdict, why, None
            known = self._map.identities.get(node.identity)
            if known is not None:
                alias = rules.alias(name, known)
                if alias is not None:
                    self._map.names.setdefault(alias, known)
                return "use", "", known
            file = objects.file(walk.real)
        except ElfError as error:
            return "fatal", rules.unreadable(str(error)), None
        unusable = rules.unusable(file)
        if unusable is not None:
            return "fatal", unusable, None
        opened, source = OpenedPath(candidate.path), objects.source(walk.real)
        called = request.kind == "dlopen"
        by = request.by
        loaded = Loaded(request.name, opened, walk, source, file, by, candidate, called, name)
        return "use", "", loaded


def has_hwcaps(link_map: LinkMap, objects: Objects) -> bool:
    """Whether any directory that was searched, or the cache, has files for special CPUs."""
    if link_map.loader is None or not link_map.loader.hwcaps:
        return False
    searched = {parent(path) for one in link_map.resolutions for path, _ in one.tried}
    searched |= {parent(loaded.opened) for loaded in link_map.objects}
    walks = (
        objects.walker.walk(OpenedPath(f"{one}/glibc-hwcaps")) for one in searched if one[0] == "/"
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


def version_errors(link_map: LinkMap, shown: Callable[[str], str] = str) -> Iterator[str]:
    """Symbol versions that an object wants and the object it names does not define, as ld.so says.

    An object without any definitions passes, as glibc only warns of it (elf/dl-version.c).
    """
    if link_map.loader is None or link_map.loader.name != "glibc":
        return
    for loaded in link_map.objects:
        for need in loaded.elf.version_needs:
            provider = link_map.names.get(decode(need.file))
            if provider is None or not provider.elf.version_definitions or need.weak:
                continue
            if need.version not in provider.elf.version_definitions:
                yield (
                    f"{shown(provider.opened)}: version `{decode(need.version)}' not found "
                    f"(required by {shown(loaded.opened)})"
                )
