"""An ELF program → its link maps at start-up, and what there is to say about them."""

from collections.abc import Container, Iterator

from rootfs_builder import elf
from rootfs_builder.errors import ElfError, InputError, NotFoundError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader import loading, missing
from rootfs_builder.loader.elf_files import Objects
from rootfs_builder.loader.link_map import LinkMap, Loaded, Loader
from rootfs_builder.needs.closure import Program
from rootfs_builder.paths import OpenedPath, decode, printable


class Startup:
    """Starts programs on paper; `findings` has the warnings."""

    def __init__(
        self,
        sources: Sources,
        objects: Objects,
        *,
        library_path: tuple[OpenedPath, ...] = (),
        preload: tuple[str, ...] = (),
        hwcaps: bool = True,
    ) -> None:
        self.objects = objects
        self.findings: list[Finding] = []
        self._sources = sources
        self._library_path = library_path
        self._preload = preload
        self._hwcaps = hwcaps

    def link_maps(self, program: Program, file: elf.ElfFile) -> tuple[LinkMap, ...]:
        """The link maps of an ELF program, one for each kind of CPU that makes a difference.

        Raises:
            NotFoundError, InputError: its loader is not there, or is none.
        """
        source = self.objects.source(program.real)
        loaded = Loaded(program.shown, OpenedPath(program.key), program.walk, source, file)
        loader = self._loader(program, file)
        maps = loading.levels(
            loaded,
            loader,
            self.objects,
            library_path=self._library_path,
            preload=self._preload,
            hwcaps=self._hwcaps,
        )
        doubts = missing.doubts(maps[0], self._sources.shown)
        self.findings += [warning(Code.RELATIVE_RUNPATH, text) for text in doubts]
        kept = [maps[0]]
        for link_map in maps[1:]:
            lacking = next(self.not_found(link_map), None)
            if lacking is None or link_map.platform == maps[0].platform:
                kept.append(link_map)
            else:  # on such a CPU it does not start here either
                text = f"where $PLATFORM is {link_map.platform}: {lacking}"
                self.findings.append(warning(Code.LIBRARY_MISSING, text))
        return tuple(kept)

    def _loader(self, program: Program, file: elf.ElfFile) -> Loader | None:
        """The rules of the program's own interpreter; None for a static one.

        Raises:
            NotFoundError: there is no file of that name.
            InputError: it is no loader, or a damaged one.
        """
        if file.interpreter is None:
            return None
        shown = printable(program.shown)
        interpreter = OpenedPath(decode(file.interpreter))
        node = self.objects.walker.walk(interpreter).node
        if node is None or node.kind != "file":
            raise NotFoundError(
                f"{printable(interpreter)}: not found\n"
                f"  needed by {shown}, as the dynamic loader that starts it\n"
                "  install the libc it was built for, or name a root that has it: --sysroot DIR"
            )
        try:
            loader = self.objects.loader(interpreter)
        except ElfError as error:
            raise InputError(f"{printable(interpreter)}: a damaged loader: {error}") from error
        if loader is None:
            raise InputError(
                f"{shown}: its interpreter {printable(interpreter)} is no dynamic loader of "
                "glibc or musl; no other is known"
            )
        self.findings += [warning(Code.LOADER_GUESSED, text) for text in loader.doubts]
        if loader.preload:
            names = ", ".join(map(printable, loader.preload))
            text = f"ld.so.preload of this machine, which names {names}, is not copied"
            self.findings.append(warning(Code.PRELOAD_NOT_COPIED, text, *loader.preload))
        return loader

    def not_found(self, link_map: LinkMap, *, besides: Container[str] = ()) -> Iterator[str]:
        """A sentence for each thing without which the process does not start.

        Names in `besides` do not count.
        """
        return missing.sentences(link_map, self._sources.shown, besides=besides)
