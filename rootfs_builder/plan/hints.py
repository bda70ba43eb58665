"""A closure + the files of its image → hints that list what it names but does not contain.

A path in a program's text does not prove that it is ever run, so nothing is added for it. Only the
user's programs are searched: a library or a helper names much that is meant for other programs.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.closure import Closure, Program
from rootfs_builder.paths import OpenedPath, SourcePath, decode, printable

_PATH = rb"(?:usr/)?(?:local/)?(?:s?bin|lib(?:exec|\d+)?)/[\w./+-]{1,200}"
_STRING = rb"(?P<path>/(?<![ -~]/)" + _PATH + rb")(?=\x00)"  # "/" first: so it is found fast
_MOST = 1 << 26  # bytes of a program
_MODULE = re.compile(r".*/(?:dist|site)-packages/(?P<module>\w+).*\.(?:py|so)$")
_SHELL = "/bin/sh"  # whose rule knows better who runs it


def left_out(
    closure: Closure,
    there: Container[SourcePath],
    *,
    sources: Sources,
    facts: FileFacts | None = None,
) -> Iterator[Finding]:
    """One hint for all programs in the root that the user's programs name, less those `there`.

    Those that they start for certain are a warning. What finders leave out is named as well. A
    further EXECUTABLE brings what each of them needs: the interpreter of a script, too.
    """
    objects = ElfFiles(sources, facts)
    users = (program for program in closure.programs if program.by is None)
    paths = [path for program in users for path in _named(program, objects) if path != _SHELL]
    large = _absent(closure.supply.too_large, there, objects)
    named = _absent((*paths, *closure.supply.left_out), there, objects)
    named = {real: path for real, path in named.items() if real not in large}
    which = "name those you need as further EXECUTABLEs"
    if large:
        text = f"large programs that it starts are left out; {which}: "
        yield warning(Code.PROGRAMS_LEFT_OUT, text + _shown(large, sources), *large.values())
    if named:
        text = f"programs that are named in it are left out; {which}: {_shown(named, sources)}"
        yield hint(Code.PROGRAMS_LEFT_OUT, text, *named.values())
    yield from _modules(closure, there, objects)


def _absent(
    paths: Iterable[OpenedPath], there: Container[SourcePath], objects: ElfFiles
) -> dict[SourcePath, OpenedPath]:
    """Programs that are not `there`, each by the first path that leads to it."""
    found: dict[SourcePath, OpenedPath] = {}
    for path in paths:
        real = _executable(path, objects)
        if real is not None and real not in there:
            found.setdefault(real, path)
    return found


def _shown(programs: Mapping[SourcePath, OpenedPath], sources: Sources) -> str:
    return " ".join(sorted(printable(sources.machine_path(one)) for one in programs.values()))


def _modules(
    closure: Closure, there: Container[SourcePath], objects: ElfFiles
) -> Iterator[Finding]:
    """The same for modules of Python."""
    modules = {
        found["module"]: path
        for path in closure.supply.left_out
        if (found := _MODULE.match(path)) and objects.walker.walk(path).real not in there
    }
    if modules:
        text = (
            "modules that it imports only at times, and that no package declares, are left out: "
            f"--with python3-modules={','.join(sorted(modules))}"
        )
        yield hint(Code.RULE_HINT, text, *modules.values())


def _named(program: Program, objects: ElfFiles) -> Iterator[OpenedPath]:
    if not program.link_maps or objects.source(program.real).size > _MOST:
        return
    for groups in objects.search(program.real, _STRING):
        yield OpenedPath(decode(groups["path"]))


def _executable(path: OpenedPath, objects: ElfFiles) -> SourcePath | None:
    """Where a path leads, if that is a program."""
    walk = objects.walker.walk(path)
    if walk.errno or walk.node is None or walk.node.kind != "file" or not walk.node.mode & 0o111:
        return None
    return None if re.search(r"\.so(\.|\Z)", walk.real) else SourcePath(walk.real)
