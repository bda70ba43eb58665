"""What one process has loaded, in order: the words shared by the loaders and by what asks them.

A loader's memory is per process: which names it already knows, which inodes are mapped, who caused
what to be loaded. So a `LinkMap` belongs to one executable at one set of active hwcaps and is never
shared. It grows while `process.start` runs and is not touched after that.
"""

from collections.abc import Iterator
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING

from msgspec import Struct, field

from rootfs_builder.elf import ElfFile
from rootfs_builder.filesystem.root import Identity, Source
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.paths import Key, OpenedPath, decode, parent

if TYPE_CHECKING:  # a loader is described in terms of link maps
    from rootfs_builder.loader.protocol import Loader


class FoundBy(StrEnum):
    """The rule by which a loader looks in a place, or knows an object; the value is for people."""

    LIBRARY_PATH = "-L"
    CACHE = "ld.so.cache"
    SYSTEM_PATH = "the system path"
    DEFAULT_DIRECTORY = "a default directory"
    RPATH = "RPATH"
    RUNPATH = "RUNPATH"
    BY_PATH = "a path in NEEDED"  # or in a dlopen: no search
    INTERPRETER = "PT_INTERP"
    ALREADY_LOADED = "already loaded"


class RequestKind(StrEnum):
    """How an object asks for another; the value is for people."""

    NEEDED = "NEEDED"
    AUXILIARY = "AUXILIARY"
    FILTER = "FILTER"
    DLOPEN = "dlopen"
    PRELOAD = "preload"


class Rejected(Enum):
    """Why what is at a candidate's path is not loaded."""

    ABSENT = auto()
    UNREACHABLE = auto()
    RELATIVE_PATH = auto()
    OTHER_CLASS = auto()
    OTHER_MACHINE = auto()
    DIRECTORY = auto()
    SPECIAL_FILE = auto()
    DAMAGED = auto()
    UNUSABLE = auto()


class Rejection(Struct, frozen=True):
    """A file that is not loaded: the reason, and the loader's own words for it.

    After a `fatal` one the loader gives up; after any other it goes on looking.
    """

    reason: Rejected
    words: str
    fatal: bool = False


class Attempt(Struct, frozen=True):
    """A candidate's path, and why the loader went on from there."""

    path: str
    rejection: Rejection


class Candidate(Struct, frozen=True):
    """One place where a loader would look.

    `series` numbers the list of directories it belongs to, since some errors end the rest of that
    list; `owner` is the object whose `$ORIGIN` the path was built from, if it was; `hwcap` the
    glibc-hwcaps level.
    """

    path: str
    found_by: FoundBy
    series: int
    owner: "Loaded | None" = None
    hwcap: str | None = None

    @property
    def configured(self) -> bool:
        """Whether the machine's configuration, or the user, led here, and no object of its own."""
        return self.found_by in _CONFIGURED


_CONFIGURED = (FoundBy.LIBRARY_PATH, FoundBy.CACHE, FoundBy.SYSTEM_PATH)


class Loaded(Struct, frozen=True, eq=False):
    """An object in a link map: how it was asked for, as what it was opened, what it is.

    `by` is the object that first caused it to be loaded, None for the program; `called` is set when
    it did so by dlopen. `name` is `requested` with its tokens expanded.
    """

    requested: str
    opened: OpenedPath
    walk: Walk
    source: Source
    elf: ElfFile
    by: "Loaded | None" = None
    candidate: Candidate | None = None
    called: bool = False
    name: str = ""

    @property
    def real(self) -> Key:
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


class Request(Struct, frozen=True, eq=False):
    """A name that an object asks for; `rule` is the rule that expects a dlopen, if one does."""

    name: str
    by: Loaded
    kind: RequestKind
    rule: str = ""


class Resolution(Struct, frozen=True, eq=False):
    """The answer to a request: asked, answered, remembered.

    `found` is None where nothing was; `tried` has the paths that were looked at before. `walk` is
    set when a file was opened for it, also where that file was already loaded under another name;
    `fatal` is the error with which the loader would end the process, in its words.
    """

    request: Request
    found: Loaded | None
    candidate: Candidate | None = None
    walk: Walk | None = None
    fatal: str | None = None
    tried: tuple[Attempt, ...] = ()


class LinkMap(Struct, eq=False):
    """One executable's load order. `library_path` is the user's -L, in LD_LIBRARY_PATH's place.

    `hwcaps` are the levels that this process would find active, best first, and `platform` its
    `$PLATFORM`. Objects that a program asks for later, by the dlopen `calls`, stand after `startup`
    objects; those of the last call after `known`.
    """

    loader: "Loader | None"
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
