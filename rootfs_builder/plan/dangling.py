"""Added trees → a warning for each symlink that leads somewhere here and nowhere in the image."""

from collections.abc import Iterator
from posixpath import join, normpath

from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.needs.closure import Closure, Tree
from rootfs_builder.paths import (
    MOUNTED,
    OpenedPath,
    SourcePath,
    ancestors,
    below,
    parent,
    printable,
)
from rootfs_builder.plan import Plan, PlanRoot
from rootfs_builder.plan.layout import Layout

_SHOWN = 3  # links of a tree


def links(closure: Closure, layout: Layout, draft: Plan, sources: Sources) -> Iterator[Finding]:
    """The warnings; `draft` has all that such a link may lead to."""
    image, here = Walker(PlanRoot(draft)), Walker(sources)
    for tree in closure.added:
        move = layout.trees[tree].move
        found = []
        for path, node in tree.nodes:
            place = move.apply(path) if node.kind == "symlink" else None
            leads = place is None or image.walk(place).node is not None
            if not leads and _is_meant(tree, path, here, sources):
                found.append(path)
        for path in found[:_SHOWN]:
            yield _warning(path, sources)
        if len(found) > _SHOWN:
            text = (
                f"{printable(tree.destination)} has {len(found) - _SHOWN} more symlinks to what "
                "the image does not have"
            )
            yield warning(Code.DANGLING_SYMLINK, text, tree.destination)


def _is_meant(tree: Tree, link: SourcePath, here: Walker, sources: Sources) -> bool:
    """Whether it leads to a file of this machine, or is meant to, that the user did not exclude."""
    target = sources.readlink(link)
    if any(below(sources.display(target), one) for one in MOUNTED):
        return False
    walk = here.walk(link)
    if walk.errno or walk.node is None:
        is_within = below(target, tree.source)
        return target.startswith("/") and not is_within and sources.outside(target)
    return tree.left_out.isdisjoint((SourcePath(walk.real), *ancestors(SourcePath(walk.real))))


def _warning(link: SourcePath, sources: Sources) -> Finding:
    target = sources.readlink(link)
    whole = OpenedPath(normpath(join(parent(link), target)))
    shown = printable(sources.display(whole))
    if not sources.outside(whole):
        advice = f"add that too: --add {shown}"
    elif target.startswith("/"):
        advice = "add that too, or make the link relative"
    else:
        advice = "add that too"
    text = (
        f"{printable(sources.display(link))}: a symlink to {shown}, which the image does not have; "
        f"{advice}"
    )
    return warning(Code.DANGLING_SYMLINK, text, link, sources.display(whole))
