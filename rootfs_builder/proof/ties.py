"""A plan → which of its paths must stay as long as another one does, whatever a command uses.

A directory stays as long as something is in it, a symlink's target as long as the link, the
libraries and the loader of an ELF file and the interpreter of a script as long as these: so what is
left of an image resolves as the whole did.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping

from rootfs_builder import elf
from rootfs_builder.elf.headers import MAGIC, Blocks, Buffer
from rootfs_builder.errors import ElfError
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.image import Settings
from rootfs_builder.paths import ROOT, ImagePath, OpenedPath, decode, name, parent
from rootfs_builder.plan import Entry, Plan, PlanRoot
from rootfs_builder.recipe import DEFAULT_PATH

_LINE = 256  # bytes of a #! line that the kernel reads

Ties = Mapping[ImagePath, frozenset[ImagePath]]


def directories(plan: Plan) -> Ties:
    """What holds for every tree: a path needs the directory that it is in."""
    return {one.path: frozenset({parent(one.path)} - {ROOT}) for one in plan.entries}


def of(plan: Plan) -> Ties:
    """For each path, those that it needs: directories, targets, libraries, interpreters."""
    walker = Walker(PlanRoot(plan))
    named: dict[str, list[ImagePath]] = {}
    for entry in plan.entries:
        named.setdefault(name(entry.path), []).append(entry.path)
    found = dict(directories(plan))
    for entry in plan.entries:
        found[entry.path] |= frozenset(_needed(entry, walker, named)) - {entry.path}
    return found


def started(settings: Settings, plan: Plan) -> frozenset[ImagePath]:
    """The programs that a config names, and its directories."""
    walker = Walker(PlanRoot(plan))
    workdir = settings.working_dir or "/"
    places = settings.environment.get("PATH", DEFAULT_PATH).split(":")
    found = {*_steps(workdir, walker)}
    for volume in settings.volumes or ():
        found |= {*_steps(volume, walker)}
    health = settings.healthcheck.test[1:2] if settings.healthcheck else ()
    for program in (*settings.command[:1], *health):
        for place in (workdir,) if "/" in program else places:
            steps = {*_steps(posixpath.join(place, program), walker)}
            found |= steps
            if steps:
                break
    return frozenset(found)


def _needed(
    entry: Entry, walker: Walker, named: Mapping[str, list[ImagePath]]
) -> Iterator[ImagePath]:
    if entry.kind == "symlink":
        yield from _steps(entry.path, walker)
    elif entry.content is not None and entry.size:
        with entry.content.open() as content:
            start = content[0:_LINE]
            if start.startswith(b"#!") and entry.mode & 0o111:
                words = decode(start[2:].partition(b"\n")[0]).split(None, 1)
                yield from _steps(words[0] if words else "", walker)
            elif start.startswith(MAGIC):
                yield from _of_elf(Blocks(content), walker, named)


def _of_elf(
    content: Buffer, walker: Walker, named: Mapping[str, list[ImagePath]]
) -> Iterator[ImagePath]:
    try:
        file = elf.read(content)
    except ElfError:
        return
    yield from _steps(decode(file.interpreter or b""), walker)
    for dependency in file.needed:
        for path in _paths(decode(dependency), named):
            yield from _steps(path, walker)


def _paths(wanted: str, named: Mapping[str, list[ImagePath]]) -> Iterable[str]:
    """The files that a NEEDED name can mean: which, depends on who is started."""
    return (wanted,) if wanted.startswith("/") else named.get(name(wanted), ())


def _steps(path: str, walker: Walker) -> Iterator[ImagePath]:
    """The nodes that the kernel steps on, if something is there."""
    if path.startswith("/"):
        walk = walker.walk(OpenedPath(path))
        if walk.node is not None:
            yield from (ImagePath(one) for one in walk.steps if one != ROOT)
