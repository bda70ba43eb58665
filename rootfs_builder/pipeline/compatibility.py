"""Whether programs can run over a base image: its platform, and its libc."""

from msgspec import Struct

from rootfs_builder import elf
from rootfs_builder.elf import ElfFile
from rootfs_builder.errors import ElfError, Mistake, UsageError
from rootfs_builder.filesystem.root import Root
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.image import Platform
from rootfs_builder.paths import OpenedPath, decode, name, printable
from rootfs_builder.recipe import Recipe

_MUSL = "ld-musl-"  # how the names of its loaders begin


class Base(Struct, frozen=True):
    """A base image as it is compared: `path` is how messages call it."""

    root: Root
    platform: Platform
    path: str


def check(recipe: Recipe, sources: Sources, base: Base) -> None:
    """Compare each program that is an ELF file with the base; others are resolved later.

    Raises:
        UsageError: one is for another platform, or for another libc; and what to do.
    """
    walker = Walker(sources)
    for shown, path in zip(recipe.display_names, recipe.executables, strict=True):
        walk = walker.walk(sources.locate(path))
        if walk.node is None or walk.node.kind != "file":
            continue
        try:
            with sources.open(walk.real).open() as content:
                file = elf.read(content)
        except ElfError:
            continue
        _check_platform(shown, file, base)
        _check_libc(shown, file, base)


def _check_platform(shown: str, file: ElfFile, base: Base) -> None:
    wanted, has = file.header.platform.architecture, base.platform.architecture
    if has not in ("?", wanted):
        text = f"an image for {base.platform}, and {printable(shown)} is for linux/{wanted}"
        raise UsageError(Mistake("--base", text, base.path))


def _check_libc(shown: str, file: ElfFile, base: Base) -> None:
    """Refuse a program whose libc the base lacks while it has the other one."""
    walker = Walker(base.root)
    interpreter = decode(file.interpreter or b"")
    if not interpreter or walker.walk(OpenedPath(interpreter)).node is not None:
        return
    own, other = ("musl", "glibc") if name(interpreter).startswith(_MUSL) else ("glibc", "musl")
    for loader in file.header.platform.loaders:
        of_other = name(loader).startswith(_MUSL) == (other == "musl")
        if of_other and walker.walk(OpenedPath(loader)).node is not None:
            text = (
                f"its libraries are for {other}, and {printable(shown)} is for {own}, which would "
                f"load them: build it for {other}, or take a base with {own}, or none"
            )
            raise UsageError(Mistake("--base", text, base.path))
