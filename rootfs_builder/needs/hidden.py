"""A program that hides what it loads, as one that is compressed → a warning with the way out."""

from collections.abc import Iterator

from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader import executable
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.kinds import Kind
from rootfs_builder.needs.closure import Program
from rootfs_builder.paths import absolute, below, join, parent, printable
from rootfs_builder.recipe import Recipe


def in_program(
    program: Program, recipe: Recipe, sources: Sources, elf_files: ElfFiles
) -> Iterator[Finding]:
    """Of a program that is packed, unless the user gives what the way out asks for."""
    kind = executable.kind_of(program.display_name, program.walk, elf_files)
    if kind is None or (kind.include_lib and recipe.include_libraries):
        return
    if kind.beside:
        folder = join(parent(program.real), kind.beside)
        added = (elf_files.walker.walk(sources.locate(one.source)).real for one in recipe.added)
        if any(below(folder, one) for one in added):
            return
    yield _finding(program.display_name, program.real, kind)


def in_tree(display_name: str, walk: Walk, elf_files: ElfFiles) -> Iterator[Finding]:
    """Of an ELF file in a tree, which brings along what is beside it."""
    kind = executable.kind_of(display_name, walk, elf_files)
    if kind is not None and not kind.beside:
        yield _finding(display_name, walk.real, kind)


def _finding(display_name: str, path: str, kind: Kind) -> Finding:
    text = f"{printable(display_name)}: {kind.sentence(display_name)}"
    return warning(Code.NEEDS_HIDDEN, text, *absolute((display_name, path)))
