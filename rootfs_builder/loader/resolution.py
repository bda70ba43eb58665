"""A name that an object asks for, where a loader looks for it, and its answer, as values."""

from enum import Enum, StrEnum, auto

from msgspec import Struct

from rootfs_builder.elf import ElfFile
from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.paths import Key, OpenedPath, decode, parent


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
