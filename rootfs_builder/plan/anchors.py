"""Closure → what each program finds by its own place: the first pass of the layout.

A program finds files by where it is: the loader looks from its file, through `$ORIGIN`; a rule
finds a tree in the directory above the bin of a program, or next to a script (`Tree.anchor`). The
path that this starts from is the anchor: the program's file, or the link that it is started by.
The anchor and what is found from it must keep their places towards each other, so the smallest
directory that holds them all moves as one. A rule's `{beside}` is nothing special: it spells a path
by a library's directory, and the tree there has an anchor like any other.
"""

import posixpath
from collections.abc import Iterable, Iterator

from msgspec import Struct

from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk, Walker
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import Candidate, Loaded
from rootfs_builder.needs.closure import Closure, Program, Tree
from rootfs_builder.paths import ROOT, Key, OpenedPath, SourcePath, parent
from rootfs_builder.recipe import Recipe

_PACKAGES = "/node_modules/"


class Anchors(Struct, frozen=True):
    """The directories around a program's anchors, None where nothing has to move.

    `file` is around its file and what is found from there, `link` around the link that it is
    started by, as that of a virtual environment's python.
    """

    file: SourcePath | None = None
    link: SourcePath | None = None


class View(Struct, frozen=True):
    """What the passes of the layout look at: the closure, the options, and the paths of both."""

    closure: Closure
    recipe: Recipe
    sources: Sources
    walker: Walker
    scripts: frozenset[SourcePath]  # the resolved paths of programs without a link map

    def is_directory(self, path: Key) -> bool:
        """Whether a resolved path is a directory of the source."""
        node = self.sources.lstat(path)
        return node is not None and node.kind == "dir"


def view(closure: Closure, recipe: Recipe, sources: Sources) -> View:
    """A view of a closure that was collected for `recipe` from `sources`."""
    scripts = frozenset(one.real for one in closure.programs if not one.link_maps)
    return View(closure, recipe, sources, Walker(sources), scripts)


def of(program: Program, here: View) -> Anchors:
    """The anchors of a program.

    What a program of the system finds in the system stays, unless `--at` moves the program.
    """
    link = None
    if program.key != program.real:
        found = _found_from(program, program.key, here)
        link = _around(program.key, found) if found else None
    found = _found_from(program, program.real, here)
    moves = bool(found) and here.recipe.at is not None
    if not moves and not any(map(here.sources.outside, found)):
        return Anchors(None, link)
    return Anchors(_around(program.real, found), link)


def _around(anchor: SourcePath, found: Iterable[SourcePath]) -> SourcePath:
    """The smallest directory that holds an anchor and what is found from it.

    A directory of packages is found by its name, and from the one that holds it.
    """
    common = posixpath.commonpath([parent(anchor), *found])
    above, named, _ = f"{common}/".partition(_PACKAGES)
    return SourcePath(above or "/") if named else SourcePath(common)


def _found_from(program: Program, anchor: SourcePath, here: View) -> list[SourcePath]:
    """What must keep its place towards an anchor of a program."""
    found = _trees_from(anchor, here)
    if anchor == program.real:
        for link_map in program.link_maps:
            for walk, candidate in _opened(link_map):
                if _follows(candidate, link_map.program):
                    found += _beyond_origin(walk, candidate, here)
    return found


def _trees_from(anchor: SourcePath, here: View) -> list[SourcePath]:
    """The trees that are found from an anchor, and from the scripts among these."""
    trees = here.closure.supply.trees
    starting = {tree.anchor for tree in trees}
    anchors, found = [anchor], list[SourcePath]()
    for one in anchors:  # which grows
        of_one = [tree.source for tree in trees if _is_from(tree, one, here.scripts)]
        anchors += (path for path in of_one if path in starting and path not in anchors)
        found += of_one
    return found


def _is_from(tree: Tree, anchor: SourcePath, scripts: frozenset[SourcePath]) -> bool:
    """Whether a rule found it from an anchor; scripts of one directory share what they find."""
    if tree.anchor is None or not {tree.anchor, anchor} <= scripts:
        return tree.anchor == anchor
    return parent(tree.anchor) == parent(anchor)


def _opened(link_map: LinkMap) -> Iterator[tuple[Walk, Candidate]]:
    for one in link_map.resolutions:
        if one.found is not None and one.walk is not None and one.candidate is not None:
            yield one.walk, one.candidate


def _follows(candidate: Candidate, program: Loaded) -> bool:
    """Whether the way to an object starts at the program, through one `$ORIGIN` or more."""
    owner = candidate.owner
    while owner is not None and owner is not program:
        owner = owner.candidate.owner if owner.candidate else None
    return owner is program


def _beyond_origin(walk: Walk, candidate: Candidate, here: View) -> Iterator[SourcePath]:
    """The directories of a walk that must keep their places towards $ORIGIN, where it starts.

    Those are the ones it goes through, and those of the links and the file that it comes to. After
    an absolute link the way does not matter until there is another link.
    """
    if candidate.owner is None:
        return
    known = len(here.walker.walk(OpenedPath(candidate.owner.origin)).steps)
    restarted = False
    for before, step in zip(walk.steps[known - 1 :], walk.steps[known:], strict=False):
        if step == ROOT and not here.is_directory(before):
            restarted = True
        if here.is_directory(step):
            if not restarted:
                yield SourcePath(step)
            continue
        restarted = False
        if here.recipe.at is not None or here.sources.outside(step):
            yield SourcePath(parent(step))
