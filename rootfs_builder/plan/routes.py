"""A walk in the source + a Move → the steps of the same walk in the image."""

import posixpath
from collections.abc import Iterator

from msgspec import Struct

from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.paths import ROOT, ImagePath, parent
from rootfs_builder.plan.moves import Move


class Step(Struct, frozen=True):
    """One node of the source, `place` its path in the image; `target` is that of a symlink."""

    source: ImagePath
    place: ImagePath
    node: Node
    target: str = ""


def steps(walk: Walk, move: Move | None, sources: Sources) -> Iterator[Step]:
    """The steps of a walk that have a place in the image, where `move` moves some of them.

    A symlink that leads to where nothing has a place is replaced by the file at the end.
    """
    for source in walk.steps:
        node = sources.lstat(source)
        place = _place(source, move, sources)
        if node is None or source == ROOT or place is None:
            continue
        if node.kind != "symlink":
            yield Step(source, place, node)
            continue
        target = _target(source, move, sources)
        if target is None:
            assert walk.node is not None  # noqa: S101 - only walks that arrived are planned
            yield Step(walk.real, place, walk.node)
            return
        yield Step(source, place, node, target)


def _place(step: ImagePath, move: Move | None, sources: Sources) -> ImagePath | None:
    if move is None:
        return step if "\0" not in step else None
    moved = move.apply(step)
    if moved is not None:
        return moved
    return None if sources.outside(step) else step


def _target(link: ImagePath, move: Move | None, sources: Sources) -> str | None:
    """A link's target in the image: verbatim, unless it leads out of what is moved."""
    target = sources.readlink(link)
    if move is None:
        return target
    whole = ImagePath(posixpath.normpath(posixpath.join(parent(link), target)))
    moved = move.apply(whole)
    if moved is not None:
        return moved if target.startswith("/") else target
    return None if sources.outside(whole) else whole
