"""The loader of musl: its own rules for a search, fewer than glibc's.

The loader is the libc. DT_SONAME is ignored: an object is known by the file name it was searched
under. RUNPATH and RPATH are one thing and both inherited along the chain of needers. Only
`$ORIGIN` is expanded; a path with any other token is ignored. The first file that exists is taken,
and if it is unusable the process ends. Source: musl ldso/dynlink.c.
"""

import errno
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rootfs_builder.elf import ElfFile, Header
from rootfs_builder.link_map import Candidate, LinkMap, Loaded, Scope
from rootfs_builder.paths import OpenedPath, decode, name

_RESERVED = re.compile(r"lib(c|pthread|rt|m|dl|util|xnet)\.")
_DEFAULT = ("/lib", "/usr/local/lib", "/usr/lib")
_NAME_MAX = 255


@dataclass(frozen=True, slots=True)
class Musl:
    """musl in one root; `system_path` is what its ld-musl-ARCH.path says, else the default."""

    interpreter: OpenedPath
    system_path: tuple[str, ...]
    name: str = "musl"
    hwcaps: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def caches_hwcaps(self) -> bool:
        """There is no cache."""
        return False

    def candidates(self, name: str, by: Loaded, link_map: LinkMap) -> Iterator[Candidate]:
        """LD_LIBRARY_PATH, the RUNPATH or RPATH of each needer upwards, the system path."""
        if "/" in name:
            yield Candidate(name, "a path in NEEDED", 0)
            return
        if len(name) > _NAME_MAX:
            return
        for directory in link_map.library_path:
            yield Candidate(f"{directory}/{name}", "-L", 1)
        for series, needer in enumerate(link_map.chain(by), 2):
            path = needer.elf.rpath if needer.elf.runpath is None else needer.elf.runpath
            for directory, owner in _expand(decode(path or b""), needer):
                yield Candidate(f"{directory}/{name}", "RUNPATH", series, owner)
        for directory in self.system_path:
            yield Candidate(f"{directory}/{name}", "the system path", -1)

    def names(self, loaded: Loaded) -> tuple[str, ...]:
        """The name it was searched under; one asked for by path has none."""
        return (loaded.requested,) if loaded.by and "/" not in loaded.requested else ()

    def is_itself(self, name: str) -> bool:
        """`libc.so` and the names of libraries that other systems split off from it."""
        return _RESERVED.match(name) is not None

    def verdict(self, header: Header, program: Header) -> tuple[bool, str | None]:
        """The first file found must do."""
        same = (header.bits, header.little, header.machine) == (
            program.bits,
            program.little,
            program.machine,
        )
        return (True, None) if same else (False, "Exec format error")

    def after_error(self, errno_: int) -> Scope:
        """path_open() goes on after these four and gives up after any other."""
        passing = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENAMETOOLONG)
        return "next" if errno_ in passing else "all"

    def unusable(self, elf: ElfFile) -> str | None:
        """map_library() needs something to map and a dynamic segment."""
        return None if elf.loads and elf.dynamic else "Exec format error"


def _expand(path: str, needer: Loaded) -> Iterator[tuple[str, Loaded | None]]:
    """The directories of an rpath; all of it is ignored if it has a token but $ORIGIN."""
    if re.search(r"\$(?!ORIGIN|\{ORIGIN\})", path):
        return
    for directory in re.split("[:\n]", path):
        expanded = re.sub(r"\$(ORIGIN|\{ORIGIN\})", lambda _: needer.origin, directory)
        if expanded:
            yield expanded, needer if "$" in directory else None


def identify(
    interpreter: OpenedPath,
    header: Header,
    data: bytes,
    read: Callable[[OpenedPath], bytes | None],
) -> Musl | None:
    """The loader of musl says `musl libc` in its usage text."""
    del header
    if b"musl libc (" not in data:
        return None
    prefix, _, file = interpreter.rpartition("/")
    prefix = prefix.rpartition("/")[0]
    architecture = name(file).removeprefix("ld-musl-").partition(".so")[0]
    content = read(OpenedPath(f"{prefix}/etc/ld-musl-{architecture}.path"))
    if content is None:
        return Musl(interpreter, _DEFAULT)
    path = re.split("[:\n]", decode(content))
    return Musl(interpreter, tuple(directory for directory in path if directory))
