"""What is asked of a dynamic loader: one module for each kind of loader answers all of it.

A `Dialect` is what is known of a kind of loader in every root; a `Loader` is one file of that kind,
as it is configured in one root. It opens no object itself.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from rootfs_builder.elf import ElfFile, Header
from rootfs_builder.findings import Finding
from rootfs_builder.loader.resolution import Candidate, Loaded, Rejected, Rejection, RequestKind
from rootfs_builder.paths import ImagePath, OpenedPath

Scope = Literal["next", "list", "all"]  # how much of the search an answer ends
Read = Callable[[OpenedPath], bytes | None]  # the content of a file in the root


class Lookup(NamedTuple):
    """What a loader must find in an image: `opened` for `name`, at the hwcaps level if any."""

    name: str
    opened: str
    hwcap: str | None = None


class Process(Protocol):
    """What a loader knows of a process that it starts: its link map."""

    @property
    def program(self) -> Loaded:
        """The executable."""

    @property
    def hwcaps(self) -> tuple[str, ...]:
        """The subdirectories for special CPUs that count, best first."""

    @property
    def platform(self) -> str:
        """What `$PLATFORM` stands for."""

    @property
    def library_path(self) -> tuple[str, ...]:
        """The directories in LD_LIBRARY_PATH's place."""

    @property
    def names(self) -> Mapping[str, Loaded]:
        """The objects by the names that they are known under."""

    def chain(self, loaded: Loaded | None) -> Iterator[Loaded]:
        """An object, who caused it to be loaded, and so on up to the program."""


class Configuration(Protocol):
    """What a loader's own file and its configuration in the root say."""

    @property
    def interpreter(self) -> OpenedPath:
        """PT_INTERP exactly as the program has it."""

    @property
    def hwcaps(self) -> tuple[str, ...]:
        """Subdirectories for special CPUs, best first."""

    @property
    def platforms(self) -> tuple[str, ...]:
        """What `$PLATFORM` may stand for, by CPU and kernel, the most common first."""

    @property
    def preload(self) -> tuple[str, ...]:
        """What its configuration makes every program load first."""

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What had to be guessed, and what of its configuration no image gets."""

    def caches_hwcaps(self) -> bool:
        """Whether its cache names files for special CPUs, so that they may be anywhere."""

    def library_path(self, text: str) -> tuple[str, ...]:
        """The elements of an LD_LIBRARY_PATH."""

    def supplied(self, read: Read) -> "Loader":
        """The same, which looks last for what the configuration in another root names."""

    def configuration(
        self,
        finds: Iterable[Lookup],
        exists: Callable[[str], bool],
        *,
        kept: Callable[[str], bool],
    ) -> tuple[ImagePath, bytes] | None:
        """The file that makes it find all of `finds` in an image; None where it does without.

        `exists` says of a path whether the image has it, and `kept` whether a base image has: what
        its configuration says then stays.
        """


class Search(Protocol):
    """Where a loader looks for a name, in which order."""

    @property
    def kinds(self) -> tuple[RequestKind, ...]:
        """The kinds of dependency that it reads."""

    def expand(self, name: str, by: Loaded, process: Process) -> str | None:
        """A dependency's name with its tokens replaced; None where one stands for nothing."""

    def candidates(self, name: str, by: Loaded, process: Process) -> Iterator[Candidate]:
        """Where the loader looks for `name`, in its order."""

    def caller(self, by: Loaded, program: Loaded) -> Loaded:
        """For which object a dlopen by `by` is searched."""

    def trusts(self, path: str, owner: Loaded) -> bool:
        """Whether it looks at `path`, through `$ORIGIN` of `owner`, for a program with privileges.

        That is its secure-execution mode: set-user-id, or with file capabilities.
        """

    def after_error(self, errno: int) -> Scope:
        """What an open(2) that failed so puts an end to."""


class Names(Protocol):
    """Which names a loader knows without a search."""

    def names(self, loaded: Loaded) -> tuple[str, ...]:
        """The names under which a loaded object is reused."""

    def alias(self, name: str, known: Loaded) -> str | None:
        """The name that is learnt when a search for `name` ends at a file loaded already."""

    def is_itself(self, name: str) -> bool:
        """Whether a request for `name` means the loader, which is already there."""

    def is_virtual(self, name: str) -> bool:
        """Whether the kernel provides the object `name`, so that it has no file: the vDSO."""


class Judgement(Protocol):
    """Which of the files that it finds a loader takes."""

    def rejected(self, header: Header, program: Header) -> Rejection | None:
        """Why a file of this header is not loaded; None where it is."""

    def unusable(self, elf: ElfFile) -> str | None:
        """Why an object of the right kind still cannot be loaded, in its words."""

    def unreadable(self, reason: Rejected, words: str) -> str:
        """How it says that a file cannot be read; `words` are glibc's."""


class Libc(Protocol):
    """The C library that a loader belongs to."""

    @property
    def name(self) -> str:
        """Which one it is, as rules spell it."""

    @property
    def checks_versions(self) -> bool:
        """Whether the loader stops where a symbol version is not defined."""

    def version(self, process: Process) -> tuple[int, int]:
        """The version of a process's C library; (0, 0) where that is not known."""

    def caller_in_libc(self, process: Process) -> Loaded:
        """The object that calls dlopen where the C library itself does."""


class Loader(Configuration, Search, Names, Judgement, Libc, Protocol):
    """One dynamic loader, as it is in a root."""


class Identify(Protocol):
    """How a kind of loader is known by its bytes."""

    def __call__(
        self, interpreter: OpenedPath, header: Header, data: bytes, read: Read
    ) -> Loader | None:
        """The loader whose file has the bytes `data`; None if it is of another kind."""


class Dialect(Struct, frozen=True):
    """A kind of loader.

    `parts` are the names of the objects that its C library consists of, `needed` those by which a
    file shows that it was built for it, and for no other.
    """

    name: str
    identify: Identify
    parts: re.Pattern[str]
    needed: re.Pattern[str]
