"""An ELF program → its link maps at start-up, and what there is to say about them."""

from enum import Enum, auto

from msgspec import Struct

from rootfs_builder import elf
from rootfs_builder.errors import ElfError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Finding
from rootfs_builder.loader import dialects, loading, missing
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.protocol import Loader
from rootfs_builder.loader.resolution import Loaded, Rejected
from rootfs_builder.needs.closure import Program
from rootfs_builder.paths import OpenedPath, absolute, decode, printable


class Started(Struct, frozen=True):
    """A program that its loader starts: a link map for each kind of CPU that differs."""

    link_maps: tuple[LinkMap, ...]
    findings: tuple[Finding, ...]


class LoaderState(Enum):
    """Why the file that a program names as its loader does not start it."""

    ABSENT = auto()
    DAMAGED = auto()
    UNKNOWN = auto()
    FOREIGN = auto()


class NoLoader(Struct, frozen=True):
    """A program that nothing starts, and why; `error` says what is wrong with a damaged loader.

    `machine` is what it is for, `root` a directory of this machine that may have what it needs, and
    `sysroot` whether the loader was looked for in one.
    """

    state: LoaderState
    program: str
    interpreter: OpenedPath
    error: str = ""
    machine: str = ""
    root: str = ""
    sysroot: bool = False

    @property
    def advice(self) -> str:
        """What to do about one that is absent."""
        known = f"; {self.root} may be one" if self.root else ""
        return (
            f"install the libc it was built for, or name a root that has it: --sysroot DIR{known}"
        )

    @property
    def text(self) -> str:
        """What is wrong, and what to do."""
        shown, interpreter = printable(self.program), printable(self.interpreter)
        if self.state is LoaderState.ABSENT:
            where = "not found in the sysroot" if self.sysroot else "not found"
            machine = f" for {self.machine}" if self.machine else ""
            return (
                f"{interpreter}: {where}\n"
                f"  needed by {shown}, a program{machine}, as the dynamic loader that starts it\n"
                f"  {self.advice}"
            )
        if self.state is LoaderState.DAMAGED:
            return f"{interpreter}: a damaged loader: {self.error}"
        if self.state is LoaderState.FOREIGN:
            return (
                f"{shown}: a program for another kind of machine than its dynamic loader "
                f"{interpreter}; build it again, or name a root for its machine: --sysroot DIR"
            )
        return (
            f"{shown}: its interpreter {interpreter} is not a dynamic loader of "
            f"{' or '.join(dialects.NAMES)}; no other is known"
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that the text names."""
        return absolute((self.interpreter, self.program))


class Startup:
    """Starts programs on paper."""

    def __init__(
        self,
        sources: Sources,
        elf_files: ElfFiles,
        *,
        library_path: tuple[OpenedPath, ...] = (),
        preload: tuple[str, ...] = (),
        hwcaps: bool = True,
    ) -> None:
        self.elf_files = elf_files
        self._sources = sources
        self._library_path = library_path
        self._preload = preload
        self._hwcaps = hwcaps

    def start(self, program: Program, file: elf.ElfFile) -> Started | NoLoader:
        """Start an ELF program on each kind of CPU that makes a difference."""
        loader = self._loader(program, file)
        if isinstance(loader, NoLoader):
            return loader
        source = self.elf_files.source(program.real)
        loaded = Loaded(program.display_name, OpenedPath(program.key), program.walk, source, file)
        maps = loading.levels(
            loaded,
            loader,
            self.elf_files,
            library_path=self._library_path,
            preload=self._preload,
            hwcaps=self._hwcaps,
        )
        fails = {one.platform: lacking for one in maps[1:] if (lacking := self._fails(one, maps))}
        findings = [*(loader.warnings if loader else ())]
        findings += missing.warnings(maps[0], self._sources.display)
        findings += fails.values()
        return Started(tuple(one for one in maps if one.platform not in fails), tuple(findings))

    def _fails(self, link_map: LinkMap, maps: tuple[LinkMap, ...]) -> Finding | None:
        """What is missing on CPUs of another platform alone: such a CPU does not start it here."""
        lacking = next(missing.find(link_map), None)
        if lacking is None or link_map.platform == maps[0].platform:
            return None
        where = f"where $PLATFORM is {link_map.platform}: "
        return missing.finding(lacking, self._sources.display, where=where)

    def _loader(self, program: Program, file: elf.ElfFile) -> Loader | NoLoader | None:
        """The program's own interpreter; None for a static program."""
        if file.interpreter is None:
            return None
        interpreter = OpenedPath(decode(file.interpreter))
        walk = self.elf_files.walker.walk(interpreter)
        if walk.node is None or walk.node.kind != "file":
            return self._absent(program, file, interpreter)
        try:
            loader = self.elf_files.loader(interpreter)
            itself = self.elf_files.header(walk.real)
        except ElfError as error:
            return NoLoader(LoaderState.DAMAGED, program.display_name, interpreter, str(error))
        if loader is None:
            return NoLoader(LoaderState.UNKNOWN, program.display_name, interpreter)
        other = loader.rejected(file.header, itself)
        if other is not None and other.reason in (Rejected.OTHER_CLASS, Rejected.OTHER_MACHINE):
            return NoLoader(LoaderState.FOREIGN, program.display_name, interpreter)
        return loader

    def _absent(self, program: Program, file: elf.ElfFile, interpreter: OpenedPath) -> NoLoader:
        """What is said of a loader that is not there: cross compilers have a root for it."""
        platform, sysroot = file.header.platform, self._sources.sysroot
        root = f"/usr/{platform.triplet}"
        has = not sysroot and self.elf_files.walker.walk(OpenedPath(root + interpreter)).node
        return NoLoader(
            LoaderState.ABSENT,
            program.display_name,
            interpreter,
            machine=f"linux/{platform.architecture}" if platform.architecture else "",
            root=root if has else "",
            sysroot=sysroot,
        )
