"""What one process has loaded, in order: the words shared by the loaders and by what asks them.

A loader's memory is per process: which names it already knows, which inodes are mapped, who caused
what to be loaded. So a `LinkMap` belongs to one executable at one set of active hwcaps and is never
shared. It grows while `process.start` runs and is not touched after that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from rootfs_builder.elf import ElfFile, Header
from rootfs_builder.paths import ImagePath, OpenedPath, decode, parent
from rootfs_builder.root import Identity, Source, Walk

Scope = Literal["next", "list", "all"]  # how much of the search an answer ends


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place where a loader would look.

    `found_by` is the rule in words; `series` numbers the list of directories it belongs to, since
    some errors end the rest of that list; `owner` is the object whose `$ORIGIN` the path was
    built from, if it was; `hwcap` the glibc-hwcaps level.
    """

    path: str
    found_by: str
    series: int
    owner: "Loaded | None" = None
    hwcap: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """An object in a link map: how it was asked for, as what it was opened, what it is.

    `by` is the object that first caused it to be loaded, None for the program.
    """

    requested: str
    opened: OpenedPath
    walk: Walk
    source: Source
    elf: ElfFile
    by: "Loaded | None" = None
    candidate: Candidate | None = None

    @property
    def real(self) -> ImagePath:
        """Its resolved path."""
        return self.walk.real

    @property
    def origin(self) -> str:
        """What `$ORIGIN` stands for: of a program its resolved directory, else as opened."""
        return parent(self.walk.real if self.by is None else self.opened)

    @property
    def soname(self) -> str | None:
        """DT_SONAME."""
        return None if self.elf.soname is None else decode(self.elf.soname)


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A name that an object asks for; `kind` is NEEDED, AUXILIARY, FILTER, dlopen or preload."""

    name: str
    by: Loaded
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """The answer to a request: asked, answered, remembered.

    `found` is None where nothing was; then `tried` has each path with the reason against it.
    `walk` is set when a file was opened for it, also where that file was already loaded under
    another name; `fatal` is the error with which the loader would end the process.
    """

    request: Request
    found: Loaded | None
    candidate: Candidate | None = None
    walk: Walk | None = None
    fatal: str | None = None
    tried: tuple[tuple[str, str], ...] = ()


class Loader(Protocol):
    """The rules of one dynamic loader, as it stands in a root. It opens no object itself."""

    @property
    def name(self) -> str:
        """Which loader it is: glibc, musl."""

    @property
    def interpreter(self) -> OpenedPath:
        """PT_INTERP exactly as the program has it."""

    @property
    def hwcaps(self) -> tuple[str, ...]:
        """Subdirectories for special CPUs, best first."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences about what had to be guessed."""

    def caches_hwcaps(self) -> bool:
        """Whether its cache names files for special CPUs, so that they may be anywhere."""

    def candidates(self, name: str, by: Loaded, link_map: "LinkMap") -> Iterator[Candidate]:
        """Where the loader looks for `name`, in its order."""

    def names(self, loaded: Loaded) -> tuple[str, ...]:
        """The names under which a loaded object is reused without a search."""

    def is_itself(self, name: str) -> bool:
        """Whether a request for `name` means the loader, which is already there."""

    def verdict(self, header: Header, program: Header) -> tuple[bool, str | None]:
        """(usable, error): (False, None) means look further, an error ends the process."""

    def after_error(self, errno: int) -> Scope:
        """What an open(2) that failed so puts an end to."""

    def unusable(self, elf: ElfFile) -> str | None:
        """Why an object of the right kind still cannot be loaded."""


@dataclass(slots=True, eq=False)
class LinkMap:
    """One executable's load order. `library_path` is the user's -L, in LD_LIBRARY_PATH's place.

    `hwcaps` are the levels that this process would find active, best first. Objects that a program
    asks for later, by dlopen, stand after `startup` objects.
    """

    loader: Loader | None
    program: Loaded
    hwcaps: tuple[str, ...] = ()
    library_path: tuple[str, ...] = ()
    objects: list[Loaded] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)
    names: dict[str, Loaded] = field(default_factory=dict)
    identities: dict[Identity, Loaded] = field(default_factory=dict)
    startup: int = 0

    def add(self, loaded: Loaded, position: int | None = None) -> None:
        """Append an object, or put it at `position`."""
        self.objects.insert(len(self.objects) if position is None else position, loaded)
        self.learn(loaded)

    def learn(self, loaded: Loaded) -> None:
        """Remember the names of an object without giving it a place in the order."""
        if self.loader:
            for name in self.loader.names(loaded):
                self.names.setdefault(name, loaded)
        if loaded.walk.node is not None:
            self.identities.setdefault(loaded.walk.node.identity, loaded)

    def chain(self, loaded: Loaded | None) -> Iterator[Loaded]:
        """An object, who caused it to be loaded, and so on up to the program."""
        while loaded is not None:
            yield loaded
            loaded = loaded.by
