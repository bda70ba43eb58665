"""Closure + image → whether the loader finds in the image what it found in the source.

The same loader is run on paper in another Root: for each program and kind of CPU the list of (name
asked for, path opened, content) must be the same, in the same order, though a directory may be
spelt in another way. The environment of the build (-L) is gone; only the image's files count.
"""

from collections.abc import Iterator

from rootfs_builder import paths
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import ChangedError, InputError, RootfsError
from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.root import Root
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader import loading
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import Loaded, Request
from rootfs_builder.needs.closure import Closure, Program
from rootfs_builder.paths import OpenedPath, absolute, decode, join, parent, printable
from rootfs_builder.plan.layout import Layout

_Trace = list[tuple[str, str, Source]]


def check(
    closure: Closure,
    layout: Layout,
    root: Root,
    *,
    preload: tuple[str, ...] = (),
    facts: FileFacts | None = None,
) -> tuple[Finding, ...]:
    """What differs when the closure's programs are resolved again in `root`; () is a proof.

    `preload` are the libraries that every program loads first, as in the recipe.

    Raises:
        ChangedError: a file has changed since it was read.
    """
    return tuple(_Replay(layout, root, preload, facts).differences(closure.programs))


def check_added(
    closure: Closure,
    layout: Layout,
    root: Root,
    *,
    preload: tuple[str, ...] = (),
    facts: FileFacts | None = None,
) -> tuple[Finding, ...]:
    """The same for the ELF files in trees, which a program may or may not load.

    One that lacked a library may find that in the image.
    """
    replay = _Replay(layout, root, preload, facts, more=True)
    found: list[Finding] = []
    for tree in closure.trees:
        found += replay.differences(tree.programs)
    for host, plugin in closure.plugins():
        found += replay.compare(host, plugin)
    return tuple(found)


class _Replay:
    def __init__(
        self,
        layout: Layout,
        root: Root,
        preload: tuple[str, ...],
        facts: FileFacts | None,
        *,
        more: bool = False,
    ) -> None:
        self._layout = layout
        self._preload = preload
        self._objects = ElfFiles(root, facts)
        self._more = more

    def differences(self, programs: tuple[Program, ...]) -> Iterator[Finding]:
        for program in programs:
            for link_map in program.link_maps:
                if link_map.loader is not None:
                    yield from self.compare(program, link_map)

    def compare(self, program: Program, link_map: LinkMap) -> Iterator[Finding]:
        expected = [self._expected(program, loaded) for loaded in link_map.objects]
        try:
            found = [
                (one.requested, str(one.opened), one.source)
                for one in self._again(program, link_map).objects
            ]
        except ChangedError:
            raise
        except RootfsError as error:
            yield warning(
                Code.RESOLVES_DIFFERENTLY,
                f"{printable(program.display_name)}: {error}",
                *_named(program, *(error.paths if isinstance(error, InputError) else ())),
            )
            return
        now, before = self._placed(found), self._placed(expected)
        rest = iter(now)
        is_within = self._more and all(one in rest for one in before)
        if now != before and not is_within:
            yield _difference(program, expected, found)

    def _placed(self, trace: _Trace) -> _Trace:
        """The same with the directories of the image themselves, however they are spelt.

        A library of -L is in /usr/local/lib, and RUNPATH may lead there by /usr/local/bin/../lib.
        """
        found = []
        for asked, opened, source in trace:
            directory = self._objects.walker.walk(OpenedPath(parent(opened))).real
            found.append((asked, str(join(directory, paths.name(opened))), source))
        return found

    def _expected(self, program: Program, loaded: Loaded) -> tuple[str, str, Source]:
        """What an object is asked for and opened as in the image."""
        opened = self._layout.opened_as(loaded)
        requested = loaded.requested
        if loaded.by is None:
            requested = opened = OpenedPath(self._layout.path_of(program))
        elif loaded.called and requested == loaded.opened:  # a plugin, by its path
            requested = opened
        return requested, opened, loaded.source

    def _again(self, program: Program, link_map: LinkMap) -> LinkMap:
        objects = self._objects
        path = self._layout.path_of(program)
        walk = objects.walker.walk(path)
        if walk.node is None:
            raise InputError(f"{printable(path)} is not in the image", paths=(path,))
        file = objects.file(walk.real)
        loaded = Loaded(path, OpenedPath(path), walk, objects.source(walk.real), file)
        interpreter = OpenedPath(decode(file.interpreter or b""))
        loader = objects.loader(interpreter)
        if loader is None:
            text = f"{printable(interpreter)} is not in the image"
            raise InputError(text, paths=(interpreter,))
        started = loading.start(
            loaded,
            loader,
            objects,
            hwcaps=link_map.hwcaps,
            platform=link_map.platform,
            preload=self._preload,
        )
        for call in link_map.calls:
            started = self._call(program, link_map, call, started)
        return started

    def _call(
        self, program: Program, link_map: LinkMap, call: Request, started: LinkMap
    ) -> LinkMap:
        """A dlopen once more: of the same name, by the same object as it is in the image."""
        asked = {
            one.requested: self._expected(program, one)[0]
            for one in link_map.objects
            if one.called or one is call.by
        }
        by = asked[call.by.requested]
        caller = next((one for one in started.objects if one.requested == by), started.program)
        name = asked.get(call.name, call.name)
        return loading.dlopen(started, name, caller, self._objects)


def _difference(program: Program, expected: _Trace, found: _Trace) -> Finding:
    got = {name: path for name, path, _ in found}
    shown = printable(program.display_name)
    for name, path, _ in expected:
        if got.get(name) != path:
            now = got.get(name)
            where = f"is {printable(now)}" if now else "is missing"
            text = f"{shown}: in the image {printable(name)} {where}, not {printable(path)}"
            named = _named(program, name, path, now or "")
            return warning(Code.RESOLVES_DIFFERENTLY, text, *named)
    text = f"{shown}: in the image its libraries are loaded in another order"
    return warning(Code.RESOLVES_DIFFERENTLY, text, *_named(program))


def _named(program: Program, *others: str) -> tuple[str, ...]:
    """The paths in a finding about a program."""
    return absolute((program.real, program.display_name, *others))
