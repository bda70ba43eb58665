"""glibc's loader: order of search, tokens, what it skips and what ends the process.

The constants that differ between distributions (default directories, `$LIB`, the path of the
cache, the hwcaps levels) are read from the `ld.so` file itself, by `ld_so`. Source: glibc
elf/dl-load.c, elf/dl-cache.c, elf/dl-hwcaps.c.
"""

import errno
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.elf import DF_1_NODEFLIB, DF_1_PIE, ET_DYN, ET_EXEC, ElfFile, Header
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader import ld_cache, ld_so
from rootfs_builder.loader.protocol import Dialect, Lookup, Process, Read, Scope
from rootfs_builder.loader.resolution import (
    Candidate,
    FoundBy,
    Loaded,
    Rejected,
    Rejection,
    RequestKind,
)
from rootfs_builder.paths import ImagePath, OpenedPath, decode, encode, printable

_NAME = "glibc"
_LIBC = "libc.so.6"
_VERSION = re.compile(rb"GLIBC_(\d+)\.(\d+)")
_PARTS = re.compile(
    r"ld-.*|ld64\..*|libc\.so.*|lib(resolv|pthread|rt|anl|dl|util|m|nss_\w+)\.so\.\d+"
)
_OSABI_SYSV, _OSABI_GNU = 0, 3
_ABI_VERSIONS = 4  # LIBC_ABI_MAX: UNIQUE, IFUNC and ABSOLUTE are 1 to 3

_VIRTUAL = frozenset(f"linux-{one}.so.1" for one in ("vdso", "gate", "vdso32", "vdso64"))

_TOKEN = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))")
_FALLBACK_DIRS = ("/lib64/", "/usr/lib64/", "/lib/", "/usr/lib/")


class Glibc(Struct, frozen=True):
    """A glibc loader as it stands in one root.

    `cache` has the usable entries by name, in file order, `supplies` those of another root, which
    count where there are none; `system_dirs` end in a slash.
    """

    interpreter: OpenedPath
    header: Header
    system_dirs: tuple[str, ...]
    lib: str
    hwcaps: tuple[str, ...]
    cache_path: OpenedPath
    cache: dict[str, tuple[ld_cache.CachedLibrary, ...]]
    preload: tuple[str, ...] = ()
    supplies: Mapping[str, tuple[ld_cache.CachedLibrary, ...]] = MappingProxyType({})
    warnings: tuple[Finding, ...] = ()
    name: str = _NAME
    checks_versions: bool = True
    kinds: tuple[RequestKind, ...] = (
        RequestKind.NEEDED,
        RequestKind.AUXILIARY,
        RequestKind.FILTER,
    )

    @property
    def platforms(self) -> tuple[str, ...]:
        """See Loader."""
        return self.header.platform.platforms

    def library_path(self, text: str) -> tuple[str, ...]:
        """Here `;` separates too, as nowhere else."""
        return tuple(re.split("[:;]", text)) if text else ()

    def expand(self, name: str, by: Loaded, process: Process) -> str | None:
        """See Loader."""
        return (_expand(name, by, self.lib, process.platform) or None) if "$" in name else name

    def candidates(self, name: str, by: Loaded, process: Process) -> Iterator[Candidate]:
        """RPATHs, LD_LIBRARY_PATH, RUNPATH, the cache, the default directories."""
        owner = by if "ORIGIN" in name else None
        name = self.expand(name, by, process) or ""
        if "/" in name:
            yield Candidate(name, FoundBy.BY_PATH, 0, owner)
            return
        series = 0
        for series, (found_by, directories) in enumerate(self._lists(by, process), 1):
            for directory, owner in directories:
                yield from _in(directory, name, process.hwcaps, found_by, series, owner=owner)
        yield from self._cached(name, by, process, series + 1)
        if not by.elf.flags_1 & DF_1_NODEFLIB:
            for directory in self.system_dirs:
                found_by = FoundBy.DEFAULT_DIRECTORY
                yield from _in(directory[:-1], name, process.hwcaps, found_by, -1)

    def _lists(
        self, by: Loaded, process: Process
    ) -> Iterator[tuple[FoundBy, list[tuple[str, Loaded | None]]]]:
        if by.elf.runpath is None:
            for needer in process.chain(by):
                if needer.elf.runpath is None and needer.elf.rpath:
                    path = decode(needer.elf.rpath).split(":")
                    yield FoundBy.RPATH, self._directories(path, needer, process)
        if process.library_path:
            path = list(process.library_path)
            yield FoundBy.LIBRARY_PATH, self._directories(path, process.program, process)
        if by.elf.runpath:
            path = decode(by.elf.runpath).split(":")
            yield FoundBy.RUNPATH, self._directories(path, by, process)

    def _cached(self, name: str, by: Loaded, process: Process, series: int) -> Iterator[Candidate]:
        entries = self.cache.get(name) or self.supplies.get(name, ())
        found = ld_cache.best(entries, process.hwcaps)
        if found is None:
            return
        path = decode(found.path)
        if not (by.elf.flags_1 & DF_1_NODEFLIB and path.startswith(self.system_dirs)):
            level = None if found.hwcap is None else decode(found.hwcap)
            yield Candidate(path, FoundBy.CACHE, series, hwcap=level)

    def _directories(
        self, path: list[str], owner: Loaded, process: Process
    ) -> list[tuple[str, Loaded | None]]:
        """The directories of a path, each once; an empty element is the working directory."""
        result: dict[str, Loaded | None] = {}
        for element in path:
            expanded = element
            if "$" in element:
                expanded = _expand(element, owner, self.lib, process.platform)
            if expanded:
                # "/" alone stays as the empty text before the slash that is put behind it.
                directory = expanded.rstrip("/")
                result.setdefault(directory, owner if "ORIGIN" in element else None)
            elif not element:
                result.setdefault(".", None)
        return list(result.items())

    def caller(self, by: Loaded, program: Loaded) -> Loaded:
        """See Loader."""
        del program
        return by

    def trusts(self, path: str, owner: Loaded) -> bool:
        """is_trusted_path_normalize(): its default directories, and what is below them."""
        del owner
        return posixpath.normpath(path).startswith(self.system_dirs)

    def version(self, process: Process) -> tuple[int, int]:
        """The newest version that libc.so.6 defines."""
        libc = process.names.get(_LIBC)
        if libc is None:
            return (0, 0)
        found = [_VERSION.fullmatch(version) for version in libc.elf.version_definitions]
        return max(((int(one[1]), int(one[2])) for one in found if one), default=(0, 0))

    def caller_in_libc(self, process: Process) -> Loaded:
        """See Loader: a service of the name service switch is opened by libc.so.6."""
        return process.names.get(_LIBC, process.program)

    def caches_hwcaps(self) -> bool:
        """See Loader."""
        return any(entry.hwcap for found in self.cache.values() for entry in found)

    def names(self, loaded: Loaded) -> tuple[str, ...]:
        """Every name it was requested by, the path it was opened as, its SONAME.

        The program is the one without a name, and "" asks for it.
        """
        requested = (loaded.name or loaded.requested, loaded.opened) if loaded.by else ("",)
        return (*requested, loaded.soname) if loaded.soname else requested

    def alias(self, name: str, known: Loaded) -> str | None:
        """See Loader."""
        del known
        return name

    def is_itself(self, name: str) -> bool:
        """The PT_INTERP string; its SONAME is known like any other object's."""
        return name == self.interpreter

    def is_virtual(self, name: str) -> bool:
        """The vDSO is in every process, and known by its SONAME."""
        return name in _VIRTUAL

    def rejected(self, header: Header, program: Header) -> Rejection | None:
        """open_verify(): other classes and machines are skipped, broken files are fatal.

        It compares the machine before it says what is wrong with the first 16 bytes; where they are
        right, the version before the machine.
        """
        if header.bits != program.bits:
            return Rejection(Rejected.OTHER_CLASS, f"wrong ELF class: ELFCLASS{header.bits}")
        machine = header.machine
        if header.little != program.little:  # the loader reads the field in its own order
            machine = (machine & 0xFF) << 8 | machine >> 8
        same_abi = program.platform.together(header.flags, program.flags)
        error = _ident_error(header.ident, program)
        if error is None and header.version != 1:
            error = "ELF file version does not match current one"
        elif machine != program.machine or not same_abi:
            return Rejection(Rejected.OTHER_MACHINE, "for another kind of machine")
        if error is None and header.type not in (ET_DYN, ET_EXEC):
            error = "only ET_DYN and ET_EXEC can be loaded"
        return None if error is None else Rejection(Rejected.UNUSABLE, error, fatal=True)

    def after_error(self, errno_: int) -> Scope:
        """open_path(): these mean there is no such file, any other ends this list."""
        return "next" if errno_ in (errno.ENOENT, errno.ENOTDIR, errno.EACCES) else "list"

    def unusable(self, elf: ElfFile) -> str | None:
        """_dl_map_object_from_fd(): what only shows once the program headers are read."""
        if not elf.loads:
            return "object file has no loadable segments"
        if elf.header.type == ET_EXEC:
            return "cannot dynamically load executable"
        if not elf.dynamic:
            return "object file has no dynamic section"
        if elf.flags_1 & DF_1_PIE:
            return "cannot dynamically load position-independent executable"
        return None

    def unreadable(self, reason: Rejected, words: str) -> str:
        """See Loader."""
        del reason
        return words

    def supplied(self, read: Read) -> "Glibc":
        """See Loader."""
        entries = ld_cache.usable(read(self.cache_path), self.header)
        return replace(self, supplies=MappingProxyType(entries))

    def configuration(
        self,
        finds: Iterable[Lookup],
        exists: Callable[[str], bool],
        *,
        kept: Callable[[str], bool],
    ) -> tuple[ImagePath, bytes] | None:
        """An ld.so.cache of what the default directories alone would not give."""
        flags = ld_cache.flags(self.header)[0]
        old = [*chain(*self.cache.values())] if kept(self.cache_path) else []
        known = {(entry.name, entry.path, entry.hwcap) for entry in old}
        entries = []
        for name, opened, level in finds:
            places = (directory + name for directory in self.system_dirs)
            hwcap = encode(level) if level else None
            if (encode(name), encode(opened), hwcap) in known:
                continue
            if opened != next((place for place in places if exists(place)), None):
                entry = ld_cache.CachedLibrary(
                    encode(name), encode(opened), flags, hwcap, _isa(level)
                )
                entries.append(entry)
        if not entries:
            return None
        data = ld_cache.build((*old, *entries), little=self.header.little)
        return ImagePath(self.cache_path), data


def _in(
    directory: str,
    name: str,
    hwcaps: tuple[str, ...],
    found_by: FoundBy,
    series: int,
    *,
    owner: Loaded | None = None,
) -> Iterator[Candidate]:
    """What is tried in one directory."""
    for level in hwcaps:
        path = f"{directory}/glibc-hwcaps/{level}/{name}"
        yield Candidate(path, found_by, series, owner, level)
    yield Candidate(f"{directory}/{name}", found_by, series, owner)


def _expand(text: str, owner: Loaded, lib: str, platform: str) -> str:
    """Replace the dynamic string tokens; "" where one of them stands for nothing."""
    values = {"ORIGIN": owner.origin, "LIB": lib, "PLATFORM": platform}
    if any(not values[m[1] or m[2]] for m in _TOKEN.finditer(text)):
        return ""
    return _TOKEN.sub(lambda m: values[m[1] or m[2]], text)


def _ident_error(ident: bytes, program: Header) -> str | None:
    """What is wrong with the first 16 bytes of a file of the right class."""
    if ident[5] != (1 if program.little else 2):
        return f"ELF file data encoding not {'little' if program.little else 'big'}-endian"
    if ident[6] != 1:
        return "ELF file version ident does not match current one"
    if ident[7] not in (_OSABI_SYSV, _OSABI_GNU, *program.platform.os_abis):
        return "ELF file OS ABI invalid"
    newest = {_OSABI_GNU: _ABI_VERSIONS - 1, _OSABI_SYSV: program.platform.abi_version}
    if ident[8] > newest.get(ident[7], 0):
        return "ELF file ABI version invalid"
    return "nonzero padding in e_ident" if any(ident[9:16]) else None


def identify(interpreter: OpenedPath, header: Header, data: bytes, read: Read) -> Glibc | None:
    """A glibc loader names its cache file."""
    cache_path = ld_so.path(data, b"ld.so.cache")
    if cache_path is None:
        return None
    preload_path = ld_so.path(data, b"ld.so.preload")
    system_dirs = ld_so.system_dirs(data, header)
    preload = ld_so.preload((read(preload_path) if preload_path else None) or b"")
    return Glibc(
        interpreter,
        header,
        system_dirs or _FALLBACK_DIRS,
        ld_so.lib(data),
        ld_so.hwcaps(data),
        cache_path,
        ld_cache.usable(read(cache_path), header),
        preload,
        warnings=tuple(_warnings(interpreter, preload, guessed=not system_dirs)),
    )


def _warnings(
    interpreter: OpenedPath, preload: tuple[str, ...], *, guessed: bool
) -> Iterator[Finding]:
    if guessed:
        text = f"{interpreter} does not tell its default directories: a table is used"
        yield warning(Code.LOADER_GUESSED, text, interpreter)
    if preload:
        names = ", ".join(map(printable, preload))
        text = f"ld.so.preload, which names {names}, is not copied"
        yield warning(Code.PRELOAD_NOT_COPIED, text, *preload)


def _isa(level: str | None) -> int:
    """The x86 ISA level number that ldconfig records with a named entry: v1 is 0."""
    match = re.fullmatch(r"x86-64-v(\d)", level or "")
    return int(match[1]) - 1 if match else 0


DIALECT = Dialect(_NAME, identify, _PARTS, re.compile(r"libc\.so\.6|ld-linux.*"))
