"""The loader of musl: its own rules for a search, fewer than glibc's.

The loader is the libc. DT_SONAME is ignored: an object is known by the file name it was searched
under. RUNPATH and RPATH are one thing and both inherited along the chain of needers. Only
`$ORIGIN` is expanded; a path with any other token is ignored. The first file that exists is taken,
and if it is unusable the process ends. Source: musl ldso/dynlink.c.
"""

import errno
import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from rootfs_builder.elf import ET_DYN, ET_EXEC, ElfFile, Header
from rootfs_builder.findings import Finding
from rootfs_builder.loader.protocol import Dialect, Lookup, Process, Read, Scope
from rootfs_builder.loader.resolution import (
    Candidate,
    FoundBy,
    Loaded,
    Rejected,
    Rejection,
    RequestKind,
)
from rootfs_builder.paths import ImagePath, OpenedPath, decode, encode

_NAME = "musl"
_RESERVED = re.compile(r"lib(c|pthread|rt|m|dl|util|xnet)\.")
_DEFAULT = ("/lib", "/usr/local/lib", "/usr/lib")
_NAME_MAX = 255
_BUFFER = 512  # for a path, 2*NAME_MAX+2: a directory that does not fit is passed over in silence
_UNUSABLE = "Exec format error"


class Musl(Struct, frozen=True):
    """musl in one root; `system_path` is what its ld-musl-ARCH.path says, else the default."""

    interpreter: OpenedPath
    path_file: OpenedPath
    system_path: tuple[str, ...]
    name: str = _NAME
    checks_versions: bool = False
    hwcaps: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()
    kinds: tuple[RequestKind, ...] = (RequestKind.NEEDED,)

    def version(self, process: Process) -> tuple[int, int]:
        """It defines none."""
        del process
        return (0, 0)

    def caller_in_libc(self, process: Process) -> Loaded:
        """Every dlopen is searched for the program."""
        return process.program

    def caches_hwcaps(self) -> bool:
        """There is no cache."""
        return False

    def library_path(self, text: str) -> tuple[str, ...]:
        """See Loader."""
        return tuple(_split(text))

    def expand(self, name: str, by: Loaded, process: Process) -> str | None:
        """There are no tokens in a name."""
        del by, process
        return name

    def candidates(self, name: str, by: Loaded, process: Process) -> Iterator[Candidate]:
        """LD_LIBRARY_PATH, the RUNPATH or RPATH of each needer upwards, the system path."""
        if "/" in name:
            yield Candidate(name, FoundBy.BY_PATH, 0)
            return
        if not name or len(encode(name)) > _NAME_MAX:
            return
        for candidate in self._searched(name, by, process):
            if len(encode(candidate.path)) < _BUFFER:
                yield candidate

    def _searched(self, name: str, by: Loaded, process: Process) -> Iterator[Candidate]:
        for directory in process.library_path:
            yield Candidate(f"{directory}/{name}", FoundBy.LIBRARY_PATH, 1)
        for series, needer in enumerate(process.chain(by), 2):
            path = needer.elf.rpath if needer.elf.runpath is None else needer.elf.runpath
            for directory, owner in _expand(decode(path or b""), needer):
                yield Candidate(f"{directory}/{name}", FoundBy.RUNPATH, series, owner)
        for directory in self.system_path:
            yield Candidate(f"{directory}/{name}", FoundBy.SYSTEM_PATH, -1)

    def caller(self, by: Loaded, program: Loaded) -> Loaded:
        """Every dlopen is searched for the program."""
        del by
        return program

    def trusts(self, path: str, owner: Loaded) -> bool:
        """fixup_rpath(): not what the kernel mapped, which is the program, but every library."""
        del path
        return owner.by is not None

    def supplied(self, read: Read) -> "Musl":
        """Its directories are the same everywhere: a path file of another root adds none."""
        del read
        return self

    def configuration(
        self,
        finds: Iterable[Lookup],
        exists: Callable[[str], bool],
        *,
        kept: Callable[[str], bool],
    ) -> tuple[ImagePath, bytes] | None:
        """The path file, where the default directories alone would give something else."""
        directories: dict[str, None] = {}
        by_default = True
        for name, opened, _ in finds:
            directories[opened.rpartition("/")[0]] = None
            places = (f"{directory}/{name}" for directory in _DEFAULT)
            by_default &= opened == next((place for place in places if exists(place)), None)
        first = [one for one in directories if one not in self.system_path]
        keeps = kept(self.path_file)
        if by_default or (keeps and not first):
            return None
        path = [*first, *(one for one in self.system_path if one in directories)]
        if keeps:
            path = [*self.system_path, *first]
        return ImagePath(self.path_file), encode("\n".join(path)) + b"\n"

    def names(self, loaded: Loaded) -> tuple[str, ...]:
        """The name it was searched under; one asked for by path has none."""
        return (loaded.requested,) if loaded.by and "/" not in loaded.requested else ()

    def alias(self, name: str, known: Loaded) -> str | None:
        """One that was asked for by path is then known by its own last component."""
        if "/" in name or "/" not in known.requested:
            return None
        return known.opened.rpartition("/")[2]

    def is_itself(self, name: str) -> bool:
        """`libc.so` and the names of libraries that other systems split off from it."""
        return name == self.interpreter or _RESERVED.match(name) is not None

    def is_virtual(self, name: str) -> bool:
        """The vDSO comes after everything has been searched for."""
        del name
        return False

    def rejected(self, header: Header, program: Header) -> Rejection | None:
        """The first file found must do."""
        same = (header.bits, header.little, header.machine) == (
            program.bits,
            program.little,
            program.machine,
        )
        if not same:
            return Rejection(Rejected.OTHER_MACHINE, _UNUSABLE, fatal=True)
        if header.type not in (ET_DYN, ET_EXEC):
            return Rejection(Rejected.UNUSABLE, _UNUSABLE, fatal=True)
        return None

    def after_error(self, errno_: int) -> Scope:
        """path_open() goes on after these four and gives up after any other."""
        passing = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENAMETOOLONG)
        return "next" if errno_ in passing else "all"

    def unusable(self, elf: ElfFile) -> str | None:
        """map_library() needs something to map and a dynamic segment."""
        return None if elf.loads and elf.dynamic else _UNUSABLE

    def unreadable(self, reason: Rejected, words: str) -> str:
        """It knows no reasons but those of the kernel."""
        del words
        return "Is a directory" if reason is Rejected.DIRECTORY else _UNUSABLE


def _expand(path: str, needer: Loaded) -> Iterator[tuple[str, Loaded | None]]:
    """The directories of an rpath; all of it is ignored if it has a token but $ORIGIN."""
    if re.search(r"\$(?!ORIGIN|\{ORIGIN\})", path):
        return
    # The text before the last slash, even where that is none.
    origin = (needer.real if needer.by is None else needer.opened).rpartition("/")[0]
    for directory in _split(path):
        expanded = re.sub(r"\$(ORIGIN|\{ORIGIN\})", lambda _: origin, directory)
        yield expanded, needer if "$" in directory else None


def _split(path: str) -> list[str]:
    return [directory for directory in re.split("[:\n]", path) if directory]


def identify(interpreter: OpenedPath, header: Header, data: bytes, read: Read) -> Musl | None:
    """The loader of musl has the name of its configuration in it, behind the prefix."""
    del header
    path = re.search(rb"%\.\*s(/etc/ld-musl-[^\0/]*\.path)\0", data)
    if path is None:
        return None
    prefix = interpreter.rpartition("/")[0].rpartition("/")[0]
    path_file = OpenedPath(prefix + decode(path[1]))
    content = read(path_file)
    directories = _DEFAULT if content is None else tuple(_split(decode(content)))
    return Musl(interpreter, path_file, directories)


DIALECT = Dialect(
    _NAME,
    identify,
    re.compile(r"ld-musl-.*|libc\.(so|musl).*"),
    re.compile(r"libc\.musl-.*|libc\.so"),
)
