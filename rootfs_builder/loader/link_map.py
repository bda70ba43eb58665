"""What one process has loaded, in order.

A loader's memory is per process: which names it already knows, which inodes are mapped, who caused
what to be loaded. So a `LinkMap` belongs to one executable at one set of active hwcaps and is never
shared. It grows while `loading.start` runs and is not touched after that.
"""

from collections.abc import Iterator

from msgspec import Struct, field

from rootfs_builder.filesystem.root import Identity
from rootfs_builder.loader.protocol import Loader
from rootfs_builder.loader.resolution import Loaded, Request, Resolution


class LinkMap(Struct, eq=False):
    """One executable's load order. `library_path` is the user's -L, in LD_LIBRARY_PATH's place.

    `hwcaps` are the levels that this process would find active, best first, and `platform` its
    `$PLATFORM`. Objects that a program asks for later, by the dlopen `calls`, stand after `startup`
    objects; those of the last call after `known`.
    """

    loader: Loader | None
    program: Loaded
    hwcaps: tuple[str, ...] = ()
    library_path: tuple[str, ...] = ()
    platform: str = ""
    objects: list[Loaded] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)
    names: dict[str, Loaded] = field(default_factory=dict)
    identities: dict[Identity, Loaded] = field(default_factory=dict)
    startup: int = 0
    known: int = 0
    calls: tuple[Request, ...] = ()

    def add(self, loaded: Loaded) -> None:
        """Append an object."""
        self.objects.append(loaded)
        self.learn(loaded)

    def move_before(self, loaded: Loaded, other: Loaded) -> None:
        """Put an object in front of another, unless it stands there; the program stays the first.

        Of two objects with one name the first in the order answers to it.
        """
        place = max(self.objects.index(other), 1)
        if loaded in self.objects:
            if self.objects.index(loaded) <= place:
                return
            self.objects.remove(loaded)
        self.objects.insert(place, loaded)
        behind = set(self.objects[place + 1 :])
        self.names.update(
            {name: loaded for name in self._names(loaded) if self.names.get(name) in behind}
        )
        self.learn(loaded)

    def learn(self, loaded: Loaded) -> None:
        """Remember the names of an object without giving it a place in the order.

        Its file too, but not the program's, which the kernel mapped: loaders do not know that one.
        """
        for name in self._names(loaded):
            self.names.setdefault(name, loaded)
        if loaded.by is not None and loaded.walk.node is not None:
            self.identities.setdefault(loaded.walk.node.identity, loaded)

    def _names(self, loaded: Loaded) -> tuple[str, ...]:
        return self.loader.names(loaded) if self.loader else ()

    def chain(self, loaded: Loaded | None) -> Iterator[Loaded]:
        """An object, who caused it to be loaded, and so on up to the program; it comes last.

        A dlopen is not remembered as a cause: behind what it loaded there is only the program.
        """
        while loaded is not None and loaded is not self.program:
            yield loaded
            loaded = None if loaded.called else loaded.by
        yield self.program
