"""A path of the source → the tree of files there, and the closure of every ELF file among them."""

import os
import re
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress

from msgspec.structs import replace

from rootfs_builder import elf
from rootfs_builder.errors import ElfError, InputError, NotFoundError
from rootfs_builder.filesystem.root import Node, tree
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.loader import loading
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.needs.closure import Program, Tree
from rootfs_builder.needs.startup import Startup
from rootfs_builder.paths import ImagePath, decode, name, printable

_OTHER_LIBC = {  # by the loader's name: what it has no file for
    "glibc": re.compile(r"libc\.musl-.*|libc\.so"),
    "musl": re.compile(r"libc\.so\.6|ld-linux.*"),
}


def nodes(sources: Sources, path: ImagePath) -> tuple[tuple[ImagePath, Node], ...]:
    """What lies at and below a resolved path.

    Raises:
        InputError: a directory cannot be read.
    """
    try:
        return tuple(tree(sources, path))
    except OSError as error:
        where = printable(decode(os.fsencode(error.filename)))
        raise InputError(f"{where}: cannot be read: {error.strerror}") from error


def with_closures(added: Tree, startup: Startup, sources: Sources, host: LinkMap | None) -> Tree:
    """A tree with the link maps of its programs, and of what the process `host` may load of it.

    What is missing there is a warning: nobody knows whether that file is ever used. It is none
    where the tree itself has a file of that name: whoever loads the one loads that first, since no
    path leads there. What is for another machine or libc is data, as packages bring it along for
    all of them.
    """
    programs: list[Program] = []
    plugins: list[LinkMap] = []
    foreign: list[ImagePath] = []
    within = {name(path) for path, node in added.nodes if node.kind != "dir"}
    for path, file in _elf_files(added, startup):
        if host is not None and _is_foreign(file, host):
            foreign.append(path)
        elif file.interpreter is not None:
            program = _program(path, file, startup, sources)
            programs += [program] if program else []
            _warn(program.link_maps if program else (), startup, within)
        elif file.dependencies and host is not None:
            called = loading.dlopen(host, path, host.program, startup.objects, rule=added.rule)
            plugins.append(called)
            _warn((called,), startup, within)
    if foreign:
        startup.findings.append(_foreign(foreign, added.destination))
    return replace(added, programs=tuple(programs), plugins=tuple(plugins))


def _elf_files(added: Tree, startup: Startup) -> Iterator[tuple[ImagePath, elf.ElfFile]]:
    """The ELF files of a tree that a loader reads; others are data: object files, damaged ones."""
    for path, node in added.nodes:
        if node.kind != "file":
            continue
        with startup.objects.source(path).open() as content:
            if content[0:4] != elf.MAGIC:
                continue
        with suppress(ElfError):
            yield path, startup.objects.file(path)


def _program(
    path: ImagePath, file: elf.ElfFile, startup: Startup, sources: Sources
) -> Program | None:
    """A program in a tree; None, with a warning, where it cannot start here."""
    walk = startup.objects.walker.walk(path)
    program = Program(sources.shown(path), path, walk, None, "added")
    try:
        return replace(program, link_maps=startup.link_maps(program, file))
    except (NotFoundError, InputError) as error:
        startup.findings.append(warning(Code.LOADER_MISSING, str(error), path))
        return None


def _warn(link_maps: Iterable[LinkMap], startup: Startup, within: Container[str]) -> None:
    for link_map in link_maps:
        for sentence in startup.not_found(link_map, besides=within):
            startup.findings.append(warning(Code.LIBRARY_MISSING, sentence))


def _is_foreign(file: elf.ElfFile, host: LinkMap) -> bool:
    """Whether the loader of the host would not take a file, as one for another machine or libc."""
    if host.loader is None:
        return False
    if host.loader.rejected(file.header, host.program.elf.header) is not None:
        return True
    others = _OTHER_LIBC.get(host.loader.name)
    plugin = file.interpreter is None
    return plugin and others is not None and any(map(others.fullmatch, map(decode, file.needed)))


def _foreign(paths: list[ImagePath], tree: str) -> Finding:
    """One sentence for all such files of a tree."""
    first = printable(min(map(name, paths)))
    others = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return hint(
        Code.FOREIGN_FILES,
        f"{printable(tree)} has files for other machines or another libc, whose libraries stay "
        f"away: {first}{others}",
        tree,
    )
