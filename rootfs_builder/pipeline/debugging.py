"""An image + tools → its debug twin: the same layers with one more, and nothing else changed.

A static busybox is its shell, at a path that no image has, so that nothing of the image is hidden.
"""

import os
from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder import elf
from rootfs_builder.cache import Cache
from rootfs_builder.choices import EPOCH, Format
from rootfs_builder.errors import ElfError, InputError, Mistake, NotFoundError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk, Walker
from rootfs_builder.image import History, Image, Platform, from_base, layers
from rootfs_builder.image.store import Store
from rootfs_builder.packages import owners
from rootfs_builder.paths import ImagePath, OpenedPath, name, printable
from rootfs_builder.pipeline import destinations, inputs, planning, reading
from rootfs_builder.pipeline.bases import Base
from rootfs_builder.plan import Entry, Plan, Reason, ReasonKind, inheritance, order, with_parents
from rootfs_builder.recipe import DEFAULT_PATH, Recipe, reference
from rootfs_builder.recipe.destination import Destination
from rootfs_builder.recipe.reference import Reference
from rootfs_builder.recipe.values import Added

DIRECTORY = ImagePath("/busybox")
SHELL = f"{DIRECTORY}/sh"
_BUSYBOX = "busybox"
_PLACES = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")  # of busybox; tools may be anywhere in PATH
_TAG = "debug"


class Debugged(Struct, frozen=True):
    """A debug twin that was written: its image, what its layer has, its size in bytes."""

    image: Image
    plan: Plan
    size: int


def debug(
    path: str,
    output: str | Destination,
    *,
    tools: Iterable[str] = (),
    sysroot: str | None = None,
    tag: Reference | None = None,
    shape: Format | None = None,
    epoch: int = EPOCH,
) -> Debugged:
    """Write the image at `path` with a busybox, and the `tools`, in a layer on top of it.

    Tools are paths, or names in PATH of this machine, or of the root or image `sysroot`. Without a
    `tag` the image keeps its name, tagged `debug`. Every time is `epoch`, in seconds since 1970.

    Raises:
        NotFoundError: a tool, or a busybox that is static, is missing.
        RootfsError: see `pack`.
    """
    destination = output if isinstance(output, Destination) else Destination.parse(output)
    recipe = Recipe(executables=(), display_names=(), names=(reference.from_file_name(_TAG),))
    with reading.opened(recipe, sysroot, path) as read:
        base = read.base
        assert base is not None  # noqa: S101 - one is named
        found = _planned(read.recipe, read.sources, base, tuple(tools))
        files: dict[str, str | None] = {}
        destinations.check(found, destination, files, read=read.files)
        own = inheritance.own(found)
        with destinations.opened(destination, keep=False, cache=Cache()) as place:
            store = Store(place.stream)
            created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            step = History(created, f"debug: {', '.join((_BUSYBOX, *map(name, tools)))}")
            layer = replace(layers.pack(own, store, epoch=epoch), history=step)
            image = from_base.extended(
                base.image,
                (layer,),
                name=str(tag or _named(base, destination)),
                path=DIRECTORY,
                first_path=DEFAULT_PATH,
            )
            store.fill()
            place.write(image, store, destination.format(shape), {})
    return Debugged(image, own, place.size)


def _named(base: Base, destination: Destination) -> Reference:
    """The image's own name with the tag that says what it is."""
    if base.image.names:
        return replace(reference.parse(base.image.names[0]), tag=_TAG)
    file = os.path.splitext(name(destination.target))[0]
    return replace(reference.from_file_name(file), tag=_TAG)


def _planned(recipe: Recipe, sources: Sources, base: Base, tools: tuple[str, ...]) -> Plan:
    """The plan of busybox and the tools over the image."""
    walker = Walker(sources)
    busybox = _busybox(walker, base.image.platform)
    found = [(one, _tool(one, walker)) for one in tools]
    wanted = replace(
        recipe,
        executables=tuple(path for _, path in found),
        display_names=tuple(shown for shown, _ in found),
        added=(Added(busybox, ImagePath(f"{DIRECTORY}/{_BUSYBOX}")),),
        layers=1,
    )
    known = owners(sources.system)
    plan = planning.plan(wanted, sources, rules=inputs.rules(), owners=known, base=base.tree).plan
    shell = Entry(ImagePath(SHELL), "symlink", 0o777, (_REASON,), target=_BUSYBOX)
    return replace(plan, entries=order(with_parents((*plan.entries, shell))))


_REASON = Reason(ReasonKind.ADDED, None, SHELL)


def _busybox(walker: Walker, platform: Platform) -> str:
    """The path of a busybox that runs in any image of a platform."""
    seen: dict[str, str] = {}  # by its resolved path: /bin may be /usr/bin
    for directory in _PLACES:
        path = OpenedPath(f"{directory}/{_BUSYBOX}")
        walk = walker.walk(path)
        if walk.node is None or walk.node.kind != "file":
            continue
        why = _unfit(walk, walker, platform)
        if not why:
            return path
        seen.setdefault(walk.real, f"{path} {why}")
    text = "; ".join(seen.values()) or "there is none here"
    raise NotFoundError(
        f"busybox: {text}; a static one for {platform} is needed: apt-get install busybox-static, "
        "or --sysroot names a root or image that has one"
    )


def _unfit(walk: Walk, walker: Walker, platform: Platform) -> str:
    """Why a busybox cannot be used; empty if it can."""
    try:
        with walker.root.open(walk.real).open() as content:
            file = elf.read(content)
    except ElfError as error:
        return f"is not a program: {error}"
    if file.interpreter is not None:
        return "is not static"
    machine = file.header.platform.architecture
    return "" if machine == platform.architecture else f"is for linux/{machine}"


def _tool(tool: str, walker: Walker) -> str:
    """The path of a tool: itself, or what PATH has by this name."""
    if not tool:
        raise InputError(Mistake("--with-tools", "an empty name; separate names by commas"))
    if "/" in tool:
        return tool
    for directory in DEFAULT_PATH.split(":"):
        walk = walker.walk(OpenedPath(f"{directory}/{tool}"))
        if walk.node is not None and walk.node.kind == "file":
            return f"{directory}/{tool}"
    text = f"no such program in {DEFAULT_PATH}; install it, or name its path"
    raise NotFoundError(Mistake("--with-tools", text, printable(tool)))
