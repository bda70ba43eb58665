"""A path of the source → the tree of files there, and the closure of every ELF file among them."""

import os

from msgspec.structs import replace

from rootfs_builder import elf, process
from rootfs_builder.closure import Program, Tree
from rootfs_builder.errors import ElfError, InputError, NotFoundError
from rootfs_builder.link_map import LinkMap
from rootfs_builder.paths import ImagePath, decode, printable
from rootfs_builder.plan import Finding
from rootfs_builder.root import Node, tree
from rootfs_builder.sources import Sources
from rootfs_builder.startup import Startup


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

    What is missing there is a warning: nobody knows whether that file is ever used.
    """
    programs: list[Program] = []
    plugins: list[LinkMap] = []
    objects = startup.objects
    for path, node in added.nodes:
        if node.kind != "file" or not _is_elf(startup, path):
            continue
        try:
            file = objects.file(path)
        except ElfError:
            continue  # data that looks like ELF, or an object file: packed as it is
        if file.interpreter is not None:
            walk = objects.walker.walk(path)
            program = Program(sources.shown(path), path, walk, None, "added")
            try:
                found = startup.link_maps(program, file)
            except (NotFoundError, InputError) as error:
                startup.findings.append(Finding("warning", str(error)))
                continue
            programs.append(replace(program, link_maps=found))
        elif file.dependencies and host is not None:
            plugins.append(process.dlopen(host, path, host.program, objects, rule=added.rule))
            found = (plugins[-1],)
        else:
            continue
        for link_map in found:
            for sentence in startup.not_found(link_map):
                startup.findings.append(Finding("warning", sentence))
    return replace(added, programs=tuple(programs), plugins=tuple(plugins))


def _is_elf(startup: Startup, path: ImagePath) -> bool:
    with startup.objects.source(path).open() as content:
        return content[0:4] == elf.MAGIC
