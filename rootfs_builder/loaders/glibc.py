"""glibc's loader: order of search, tokens, what it skips and what ends the process.

The constants that differ between distributions (default directories, `$LIB`, the path of the
cache, the hwcaps levels) are strings inside the `ld.so` file itself and are read from there. The
hard one is system_dirs: a run of NUL-terminated directories in .rodata, told from chance by the
array of exactly those lengths that the loader keeps beside it. Source: glibc elf/dl-load.c,
elf/dl-cache.c, elf/dl-hwcaps.c.
"""

import errno
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rootfs_builder.elf import DF_1_NODEFLIB, DF_1_PIE, ET_DYN, ET_EXEC, ElfFile, Header
from rootfs_builder.link_map import Candidate, LinkMap, Loaded, Scope
from rootfs_builder.loaders import ld_cache
from rootfs_builder.paths import OpenedPath, decode, encode

_ARM, _X86_64, _I386, _AARCH64, _RISCV, _S390, _PPC64, _LOONGARCH = 40, 62, 3, 183, 243, 22, 21, 258
_EF_ARM_HARD, _EF_ARM_SOFT, _EF_RISCV_FLOAT = 0x400, 0x200, 0x6

# AT_PLATFORM of each machine's baseline; some kernels report another for a newer CPU.
_PLATFORMS = {_X86_64: "x86_64", _AARCH64: "aarch64", _I386: "i686", _S390: "z900", _ARM: "v7l"}

_TOKEN = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))")
_HWCAPS = re.compile(
    rb"\0((?:x86-64-v\d|z\d\d|power\d+|la\d+)(?::(?:x86-64-v\d|z\d\d|power\d+))*)\0"
)
_FALLBACK_DIRS = ("/lib64/", "/usr/lib64/", "/lib/", "/usr/lib/")


@dataclass(frozen=True, slots=True)
class Glibc:
    """A glibc loader as it stands in one root.

    `cache` has the usable entries by name, in file order. `version` is (major, minor), (0, 0) when
    the file does not say. `system_dirs` end in a slash. `doubts` are sentences about what had to
    be guessed.
    """

    interpreter: OpenedPath
    header: Header
    system_dirs: tuple[str, ...]
    lib: str
    hwcaps: tuple[str, ...]
    version: tuple[int, int]
    cache_path: OpenedPath
    cache: dict[str, tuple[ld_cache.Entry, ...]]
    doubts: tuple[str, ...] = ()
    name: str = "glibc"

    def candidates(self, name: str, by: Loaded, link_map: LinkMap) -> Iterator[Candidate]:
        """RPATHs, LD_LIBRARY_PATH, RUNPATH, the cache, the default directories."""
        if "/" in name:
            expanded = self._expand(name, by)
            if expanded is not None:
                yield Candidate(expanded, "a path in NEEDED", 0, by if "$" in name else None)
            return
        series = 0
        for series, (found_by, directories) in enumerate(self._lists(by, link_map), 1):
            for directory, owner in directories:
                model = Candidate("", found_by, series, owner)
                yield from _in(directory, name, link_map.hwcaps, model)
        yield from self._cached(name, by, link_map, series + 1)
        if not by.elf.flags_1 & DF_1_NODEFLIB:
            model = Candidate("", "a default directory", -1)
            for directory in self.system_dirs:
                yield from _in(directory.rstrip("/"), name, link_map.hwcaps, model)

    def _lists(
        self, by: Loaded, link_map: LinkMap
    ) -> Iterator[tuple[str, list[tuple[str, Loaded | None]]]]:
        if by.elf.runpath is None:
            visited = list(link_map.chain(by))
            if link_map.program not in visited:
                visited.append(link_map.program)
            for needer in visited:
                if needer.elf.runpath is None and needer.elf.rpath:
                    yield "RPATH", self._directories(needer.elf.rpath, needer)
        if link_map.library_path:
            yield "-L", [(directory, None) for directory in link_map.library_path]
        if by.elf.runpath:
            yield "RUNPATH", self._directories(by.elf.runpath, by)

    def _cached(self, name: str, by: Loaded, link_map: LinkMap, series: int) -> Iterator[Candidate]:
        best: ld_cache.Entry | None = None
        for entry in self.cache.get(name, ()):
            level = None if entry.hwcap is None else decode(entry.hwcap)
            if level is None:
                best = best or entry
                break  # named levels stand before the plain entry
            rank = link_map.hwcaps.index(level) if level in link_map.hwcaps else None
            if rank is not None and (
                best is None or rank < link_map.hwcaps.index(decode(best.hwcap or b""))
            ):
                best = entry
        if best is None:
            return
        path = decode(best.path)
        default = path.startswith(self.system_dirs)
        if not (default and by.elf.flags_1 & DF_1_NODEFLIB):
            level = None if best.hwcap is None else decode(best.hwcap)
            yield Candidate(path, "ld.so.cache", series, hwcap=level)

    def _directories(self, path: bytes, owner: Loaded) -> list[tuple[str, Loaded | None]]:
        """The directories of an RPATH or RUNPATH; "" is the working directory of the process."""
        result: dict[str, Loaded | None] = {}
        for element in decode(path).split(":"):
            expanded = self._expand(element, owner)
            if expanded or (expanded is not None and not element):
                # "/" alone stays as the empty text before the slash that is put behind it.
                directory = expanded.rstrip("/") if expanded else "."
                result.setdefault(directory, owner if "$" in element else None)
        return list(result.items())

    def _expand(self, text: str, owner: Loaded) -> str | None:
        """Replace the dynamic string tokens; None where one of them stands for nothing."""
        values = {
            "ORIGIN": owner.origin,
            "LIB": self.lib,
            "PLATFORM": _PLATFORMS.get(self.header.machine, ""),
        }
        if any(not values[m[1] or m[2]] for m in _TOKEN.finditer(text)):
            return None
        return _TOKEN.sub(lambda m: values[m[1] or m[2]], text)

    def caches_hwcaps(self) -> bool:
        """See Loader."""
        return any(entry.hwcap for found in self.cache.values() for entry in found)

    def names(self, loaded: Loaded) -> tuple[str, ...]:
        """Every name it was asked by, the path it was opened as, its SONAME."""
        names = (loaded.requested, loaded.opened, loaded.soname)
        return tuple(name for name in (names if loaded.by else names[1:]) if name)

    def is_itself(self, name: str) -> bool:
        """The PT_INTERP string; its SONAME is known like any other object's."""
        return name == self.interpreter

    def verdict(self, header: Header, program: Header) -> tuple[bool, str | None]:
        """open_verify(): other classes and machines are skipped, broken files are fatal."""
        if header.bits != program.bits:
            return False, None
        machine = header.machine
        if header.little != program.little:  # the loader reads the field in its own order
            machine = (machine & 0xFF) << 8 | machine >> 8
        if machine != program.machine or not _same_float_abi(header, program):
            return False, None
        if header.little != program.little:
            return False, "ELF file data encoding not " + ("little", "big")[not program.little] + (
                "-endian"
            )
        if header.osabi not in (0, 3) and not (machine == _ARM and header.osabi == 97):
            return False, "ELF file OS ABI invalid"
        if header.abi_version and header.osabi == 0:
            return False, "ELF file ABI version invalid"
        if header.type not in (ET_DYN, ET_EXEC):
            return False, "only ET_DYN and ET_EXEC can be loaded"
        return True, None

    def after_error(self, errno_: int) -> Scope:
        """open_path(): these mean there is no such file, any other ends this list."""
        return "next" if errno_ in (errno.ENOENT, errno.ENOTDIR, errno.EACCES) else "list"

    def unusable(self, elf: ElfFile) -> str | None:
        """_dl_map_object_from_fd(): what only shows once the program headers are read."""
        if not elf.loads:
            return "object file has no loadable segments"
        if not elf.dynamic:
            return "object file has no dynamic section"
        if elf.header.type == ET_EXEC:
            return "cannot dynamically load executable"
        if elf.flags_1 & DF_1_PIE:
            return "cannot dynamically load position-independent executable"
        return None

    def cache_flags(self) -> int:
        """The ABI number that a cache entry for this loader carries."""
        return _cache_flags(self.header)[0]


def _in(
    directory: str, name: str, hwcaps: tuple[str, ...], model: Candidate
) -> Iterator[Candidate]:
    """What is tried in one directory, each otherwise as `model`."""
    for level in hwcaps:
        path = f"{directory}/glibc-hwcaps/{level}/{name}"
        yield replace(model, path=path, hwcap=level)
    yield replace(model, path=f"{directory}/{name}")


def _same_float_abi(header: Header, program: Header) -> bool:
    if program.machine == _ARM:
        either = header.flags | program.flags
        return not (either & _EF_ARM_HARD and either & _EF_ARM_SOFT)
    if program.machine == _RISCV:
        return header.flags & _EF_RISCV_FLOAT == program.flags & _EF_RISCV_FLOAT
    return True


def _cache_flags(header: Header) -> tuple[int, ...]:
    """The ABI numbers a loader accepts in the cache, its own first (sysdeps dl-cache.h)."""
    match header.machine:
        case 62:  # x86-64, and x32 with 32 bits
            return (0x0303,) if header.bits == 64 else (0x0803,)
        case 183:
            return (0x0A03,)
        case 40:
            return (0x0B03,) if header.flags & _EF_ARM_SOFT else (0x0903, 0x0003)
        case 243:
            return (0x1003,) if header.flags & _EF_RISCV_FLOAT else (0x0F03,)
        case 22:
            return (0x0403,) if header.bits == 64 else (0x0003,)
        case 21:
            return (0x0503,)
        case 258:
            return (0x1203,)
        case _:
            return (0x0003, 0x0001)


def identify(
    interpreter: OpenedPath,
    header: Header,
    data: bytes,
    read: Callable[[OpenedPath], bytes | None],
) -> Glibc | None:
    """A glibc loader names its cache file and says `ld.so` in its version text."""
    cache_path = re.search(rb"\0(/[^\0]*ld\.so\.cache)\0", data)
    if cache_path is None:
        return None
    doubts = []
    system_dirs = _system_dirs(data, header)
    if system_dirs is None:
        system_dirs = _FALLBACK_DIRS
        doubts.append(f"{interpreter} does not tell its default directories: a table is used")
    version = re.search(rb"stable release version (\d+)\.(\d+)", data)
    path = OpenedPath(decode(cache_path[1]))
    return Glibc(
        interpreter,
        header,
        system_dirs,
        _lib(data),
        _levels(data),
        (int(version[1]), int(version[2])) if version else (0, 0),
        path,
        _cache(read(path), header),
        tuple(doubts),
    )


def _system_dirs(data: bytes, header: Header) -> tuple[str, ...] | None:
    """The longest run of directories whose array of lengths stands in the file too."""
    word = header.order + ("Q" if header.bits == 64 else "I")
    runs = re.findall(rb"\0((?:/[^\0\n]{0,250}/\0)+)", data)
    lists = [run.split(b"\0")[:-1] for run in runs if b"lib" in run]
    # Another string may stand before the list, so its tails are tried too.
    tails = [dirs[start:] for dirs in lists for start in range(len(dirs))]
    for dirs in sorted(tails, key=len, reverse=True):
        if b"".join(struct.pack(word, len(one)) for one in dirs) in data:
            return tuple(decode(one) for one in dirs)
    return None


def _lib(data: bytes) -> str:
    found = re.findall(rb"\0(lib(?:32|64|x32|/[a-z0-9_-]+)?)(?=\0)", data)
    return decode(max(found, key=lambda one: (b"/" in one, one != b"lib"), default=b"lib"))


def _levels(data: bytes) -> tuple[str, ...]:
    lists = _HWCAPS.findall(data)
    return tuple(decode(max(lists, key=len)).split(":")) if lists else ()


def _cache(data: bytes | None, header: Header) -> dict[str, tuple[ld_cache.Entry, ...]]:
    entries = ld_cache.parse(data, little=header.little) if data is not None else None
    accepted = _cache_flags(header)
    by_name: dict[str, list[ld_cache.Entry]] = {}
    for entry in entries or ():
        if entry.flags in accepted:
            by_name.setdefault(decode(entry.name), []).append(entry)
    return {name: tuple(found) for name, found in by_name.items()}


def cache(entries: list[tuple[str, str, str | None]], loader: Glibc) -> bytes:
    """A minimal ld.so.cache of (name, path, hwcaps level) for one loader."""
    flags = loader.cache_flags()
    found = []
    for name, path, level in entries:
        hwcap = encode(level) if level else None
        found.append(ld_cache.Entry(encode(name), encode(path), flags, hwcap, _isa(level)))
    return ld_cache.build(found, little=loader.header.little)


def _isa(level: str | None) -> int:
    """The x86 ISA level number that ldconfig records with a named entry: v1 is 0."""
    match = re.fullmatch(r"x86-64-v(\d)", level or "")
    return int(match[1]) - 1 if match else 0
