"""A path of the source → the tree of files there, and the closure of every ELF file among them."""

import os
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import suppress

from msgspec.structs import replace

from rootfs_builder import elf
from rootfs_builder.errors import ElfError, InputError
from rootfs_builder.filesystem.patterns import Matcher
from rootfs_builder.filesystem.root import Node, tree
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.loader import dialects, loading, missing
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.missing import MissingObject
from rootfs_builder.needs import hidden
from rootfs_builder.needs.closure import Program, ProgramKind, Tree
from rootfs_builder.needs.startup import NoLoader, Started, Startup
from rootfs_builder.paths import Key, SourcePath, decode, name, parent, printable

_MANY = 3  # times that modules of one tree lack a library
_NO_MACHINE = 0  # EM_NONE of elf(5)

Nodes = tuple[tuple[SourcePath, Node], ...]


def nodes(
    sources: Sources, path: SourcePath, *, skip: Callable[[Key], bool] | None = None
) -> Nodes:
    """What lies at and below a resolved path, but for what is to be skipped, and all below that.

    Raises:
        InputError: a directory cannot be read.
    """
    try:
        return tuple((SourcePath(one), node) for one, node in tree(sources, path, skip=skip))
    except OSError as error:
        where = decode(os.fsencode(error.filename))
        text = f"{printable(where)}: cannot be read: {error.strerror}"
        raise InputError(text, paths=(where,)) from error


def nodes_without(
    sources: Sources, path: SourcePath, matcher: Matcher
) -> tuple[Nodes, frozenset[SourcePath]]:
    """What lies at and below a path and is not left out, and the outermost paths that are.

    Raises:
        InputError: a directory cannot be read.
    """
    left_out: set[SourcePath] = set()

    def skip(one: Key) -> bool:
        if not matcher.leaves_out(one):
            return False
        left_out.add(SourcePath(one))
        return True

    if not matcher.takes_back:
        return nodes(sources, path, skip=skip), frozenset(left_out)
    every = nodes(sources, path)
    kept = {path}
    for one, _ in reversed(every):  # a directory stays if anything in it does
        if one in kept or not matcher.leaves_out(one):
            kept |= {one, parent(one)}
    outermost = (one for one, _ in every if one not in kept and parent(one) in kept)
    return tuple((one, node) for one, node in every if one in kept), frozenset(outermost)


def with_closures(
    added: Tree,
    startup: Startup,
    sources: Sources,
    host: LinkMap | None,
    *,
    again: bool = False,
) -> tuple[Tree, tuple[Finding, ...]]:
    """A tree with the link maps of its programs, and of what the process `host` may load of it.

    What is missing there is a warning: nobody knows whether that file is ever used. It is none
    where the tree itself has a file of that name: whoever loads the one loads that first, since no
    path leads there. What is for another machine or libc is data, as packages bring it along for
    all of them. If the tree was taken before, for another process, its programs are known.
    """
    programs: list[Program] = []
    plugins: list[LinkMap] = []
    foreign: list[SourcePath] = []
    findings: list[Finding] = []
    within = {name(path) for path, node in added.nodes if node.kind != "dir"}
    for path, file in _elf_files(added, startup):
        if again and file.interpreter is not None:
            continue
        if file.interpreter is not None or not file.dependencies:
            program = _program(path, startup, sources)
            findings += hidden.in_tree(program.display_name, program.walk, startup.elf_files)
        if host is not None and _is_foreign(file, host):
            foreign.append(path)
        elif file.interpreter is not None:
            started = _started(program, file, startup)
            findings += started.findings
            if started.link_maps:
                programs.append(replace(program, link_maps=started.link_maps))
            findings += _missing(started.link_maps, sources, within)
        elif file.dependencies and host is not None:
            called = loading.dlopen(host, path, host.program, startup.elf_files, rule=added.rule)
            plugins.append(called)
    findings += _of_plugins(plugins, sources, within, added.destination)
    if foreign:
        findings.append(_foreign(foreign, added.destination))
    tree = replace(added, programs=tuple(programs), plugins=tuple(plugins))
    return tree, tuple(findings)


def _elf_files(added: Tree, startup: Startup) -> Iterator[tuple[SourcePath, elf.ElfFile]]:
    """The ELF files of a tree that a loader reads; others are data: object files, damaged ones.

    So is what is for no machine: the bytecode of Guile.
    """
    for path, node in added.nodes:
        if node.kind != "file":
            continue
        with startup.elf_files.source(path).open() as content:
            if content[0:4] != elf.MAGIC:
                continue
        with suppress(ElfError):
            file = startup.elf_files.file(path)
            if file.header.machine != _NO_MACHINE:
                yield path, file


def _program(path: SourcePath, startup: Startup, sources: Sources) -> Program:
    walk = startup.elf_files.walker.walk(path)
    return Program(sources.display(path), path, walk, None, ProgramKind.ADDED)


def _started(program: Program, file: elf.ElfFile, startup: Startup) -> Started:
    """How a program in a tree starts; where it cannot start here, a warning alone."""
    try:
        started = startup.start(program, file)
    except InputError as error:
        found = warning(Code.LOADER_MISSING, str(error), *error.paths)
        return Started((), (found,))
    if isinstance(started, NoLoader):
        return Started((), (warning(Code.LOADER_MISSING, started.text, *started.paths),))
    return started


def _missing(
    link_maps: Iterable[LinkMap], sources: Sources, within: Container[str]
) -> Iterator[Finding]:
    for link_map in link_maps:
        for one in missing.find(link_map, ignore=within):
            yield missing.finding(one, sources.display)


def _of_plugins(
    plugins: Iterable[LinkMap], sources: Sources, within: Container[str], tree: str
) -> Iterator[Finding]:
    """What plugins lack; if that is much, as where others suggest a package each, one warning."""
    lacking = [one for called in plugins for one in missing.find(called, ignore=within)]
    plain = [one for one in lacking if isinstance(one, MissingObject) and _is_plain(one)]
    if len(plain) >= _MANY:
        lacking = [one for one in lacking if one not in plain]
        each = ", ".join(
            dict.fromkeys(f"{printable(name(one.by))} ({printable(one.name)})" for one in plain)
        )
        text = (
            f"{printable(tree)}: files that may be loaded as modules need libraries that were not "
            f"found: {each}; if you use one of these modules, install its library, or name the "
            "library's directory: -L DIR"
        )
        yield warning(Code.LIBRARY_MISSING, text, tree, *(sources.display(one.by) for one in plain))
    yield from (missing.finding(one, sources.display) for one in lacking)


def _is_plain(one: MissingObject) -> bool:
    """Whether a library is nowhere, and asked for by its name."""
    return one.unusable is None and "/" not in one.name


def _is_foreign(file: elf.ElfFile, host: LinkMap) -> bool:
    """Whether the loader of the host would not take a file, as one for another machine or libc."""
    if host.loader is None:
        return False
    if host.loader.rejected(file.header, host.program.elf.header) is not None:
        return True
    plugin = file.interpreter is None
    return plugin and dialects.is_for_another(host.loader, map(decode, file.needed))


def _foreign(paths: list[SourcePath], tree: str) -> Finding:
    """One sentence for all such files of a tree."""
    first = printable(min(map(name, paths)))
    others = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return hint(
        Code.FOREIGN_FILES,
        f"{printable(tree)} has files for other machines or another libc, whose libraries stay "
        f"away: {first}{others}",
        tree,
    )
