"""A walk in the source + a Move → the steps of the same walk in the image."""

import posixpath
from collections.abc import Iterator

from msgspec import Struct

from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.paths import ImagePath, SourcePath, parent
from rootfs_builder.plan.moves import Move


class Step(Struct, frozen=True):
    """One node of the source, `place` its path in the image; `target` is that of a symlink."""

    source: SourcePath
    place: ImagePath
    node: Node
    target: str = ""

    @property
    def stays(self) -> bool:
        """Whether the image has the same path."""
        return str(self.source) == self.place


def steps(walk: Walk, move: Move | None, sources: Sources) -> Iterator[Step]:
    """The steps of a walk that have a place in the image, where `move` moves some of them.

    A symlink that leads to where nothing has a place is replaced by the file at the end.
    """
    for source in map(SourcePath, walk.steps):
        node = sources.lstat(source)
        place = _place(source, move, sources)
        if node is None or source == "/" or place is None:
            continue
        if node.kind != "symlink":
            yield Step(source, place, node)
            continue
        target = _target(source, move, sources)
        if target is None:
            assert walk.node is not None  # noqa: S101 - only walks that arrived are planned
            yield Step(SourcePath(walk.real), place, walk.node)
            return
        yield Step(source, place, node, target)


def _place(step: SourcePath, move: Move | None, sources: Sources) -> ImagePath | None:
    if move is None:  # a file outside the system may keep its path, if it has one
        return None if sources.beside(step) else ImagePath(step)
    moved = move.apply(step)
    if moved is not None:
        return moved
    return None if sources.outside(step) else ImagePath(step)


def _target(link: SourcePath, move: Move | None, sources: Sources) -> str | None:
    """A link's target in the image: verbatim, unless it leads out of what is moved."""
    target = sources.readlink(link)
    if move is None:
        return target
    whole = SourcePath(posixpath.normpath(posixpath.join(parent(link), target)))
    moved = move.apply(whole)
    if moved is not None:
        return moved if target.startswith("/") else target
    if sources.outside(whole):
        return None
    return target if move.apply(link) is None else whole
