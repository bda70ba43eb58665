"""The processes of a build → what is still to be looked at, and what each opens by dlopen.

A process is a program's start, and then each dlopen by itself, since what that adds is evidence
too. A call is made once, whoever asks for it.
"""

from collections import deque
from collections.abc import Iterator

from msgspec.structs import replace

from rootfs_builder.loader import loading, missing
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.closure import Program, Tree
from rootfs_builder.needs.startup import Startup

Process = tuple[LinkMap, ...]  # one process, at each level of CPU


class DlopenCalls:
    """What processes there are, and the maps that their calls of dlopen bring."""

    def __init__(self, startup: Startup) -> None:
        self._startup = startup
        self._todo: deque[Process] = deque()
        self._starts: dict[Loaded, Process] = {}
        self._known: dict[Loaded, dict[tuple[str, ...], Process]] = {}

    def new(self) -> Iterator[Process]:
        """Each process that has come since it was last asked, until no more come."""
        while self._todo:
            yield self._todo.popleft()

    def enter(self, program: Program) -> None:
        """Take in a program's maps: its start, then each dlopen by itself."""
        started = tuple(one for one in program.link_maps if not one.calls)
        if started:
            self._starts[started[0].program] = started
            self._todo.append(started)
        self._todo.extend((one,) for one in program.link_maps if one.calls)

    def enter_tree(self, tree: Tree) -> None:
        """Take in the programs of a tree, and the plugins that others load from it."""
        for program in tree.programs:
            self.enter(program)
        self._todo.extend((plugin,) for plugin in tree.plugins)

    def start(self, maps: Process) -> Process:
        """How the process began that has these maps."""
        return self._starts.get(maps[0].program, maps)

    def dlopen(self, name: str, rule: str, by: Loaded, maps: Process) -> Process | None:
        """The maps after a dlopen; () where nothing was new, None where it fails."""
        key = (*(call.name for call in maps[0].calls), rule, name, by.real)
        known = self._known.setdefault(maps[0].program, {})
        if key in known:
            return known[key]
        called = []
        for one in maps:
            caller = next((o for o in one.objects if o.requested == by.requested), None)
            if caller is None:
                continue
            link_map = loading.dlopen(one, name, caller, self._startup.elf_files, rule=rule)
            if self._fails(link_map):
                return None
            if len(link_map.objects) > len(one.objects):
                called.append(link_map)
        known[key] = tuple(called)
        if called:
            self._todo.append(known[key])
        return known[key]

    def would_add(self, name: str, by: Loaded, maps: Process) -> bool:
        """Whether a dlopen would bring anything new."""
        link_map = loading.dlopen(maps[0], name, by, self._startup.elf_files)
        return len(link_map.objects) > len(maps[0].objects) and not self._fails(link_map)

    def _fails(self, link_map: LinkMap) -> bool:
        return next(missing.find(link_map), None) is not None

    def with_calls(self, program: Program) -> Program:
        """A program with what it was made to load."""
        if not program.link_maps:
            return program
        known = self._known.get(program.link_maps[0].program, {})
        called = [one for key in sorted(known) for one in known[key]]
        return replace(program, link_maps=(*program.link_maps, *called))
