"""Closure → Layout: where each program, library and tree goes in the image, and why it moves.

The layout is computed once, before the plan; the planner, the replay and everything else that must
know a place read this value. It takes two passes: what each program finds by its own place
(`anchors`), then what moves because of that (`moves`).
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.loader.resolution import Loaded, Resolution
from rootfs_builder.needs.closure import Closure, Program, ProgramKind, Tree
from rootfs_builder.paths import ImagePath, OpenedPath, SourcePath, join, name, parent
from rootfs_builder.plan import anchors, moves, routes
from rootfs_builder.plan.anchors import Anchors, View
from rootfs_builder.plan.moves import BIN, Landing, Move, Moves, TreeMove
from rootfs_builder.recipe import Recipe

K = TypeVar("K")
V = TypeVar("V")


class Start(Struct, frozen=True):
    """How a program is started in the image.

    The steps of `walk`, moved by `move`, lead to its file. Where `path`, the name that it is
    started by, is none of them, that is a symlink to `link`. `added` is set for a program that is
    started in a tree that the user adds, `kept` for one whose file keeps a path of this machine,
    since what is found by its link names that.
    """

    program: Program
    path: ImagePath
    walk: Walk
    move: Move | None
    link: str = ""
    added: bool = False
    kept: bool = False


class Layout(Struct, frozen=True):
    """Where everything in a closure goes; what has no Move keeps its path.

    `users` are the moves of the trees that the user adds. The tables are read by the methods.
    """

    starts: tuple[Start, ...]
    users: tuple[Move, ...]
    paths: Mapping[Program, ImagePath]
    trees: Mapping[Tree, TreeMove]
    objects: Mapping[Loaded, Move]
    resolutions: Mapping[Resolution, Move]
    landings: Mapping[ImagePath, Landing]

    def path_of(self, program: Program) -> ImagePath:
        """The path that a program is started by, which may decide what it does: argv[0]."""
        return self.paths[program]

    def file_of(self, loaded: Loaded) -> ImagePath:
        """The path of an object's file in the image."""
        move = self.objects.get(loaded)
        real = SourcePath(loaded.real)
        if move is None:
            return ImagePath(real)
        return move.apply(real) or ImagePath(move.respell(loaded.opened))

    def opened_as(self, loaded: Loaded) -> OpenedPath:
        """The loader's text for an object in the image."""
        move = self.objects.get(loaded)
        return loaded.opened if move is None else move.respell(loaded.opened)

    def found_as(self, resolution: Resolution) -> OpenedPath | None:
        """The loader's text for the answer to a request; None where it opened no file for it."""
        if resolution.found is None or resolution.candidate is None:
            return None
        move = self.resolutions.get(resolution)
        opened = OpenedPath(resolution.candidate.path)
        return opened if move is None else move.respell(opened)


def lay_out(closure: Closure, recipe: Recipe, sources: Sources) -> Layout:
    """The layout of a closure that was collected for `recipe` from `sources`.

    Raises:
        UsageError: `--at` contradicts where the program looks for its libraries.
    """
    here = anchors.view(closure, recipe, sources)
    found = {program: anchors.of(program, here) for program in closure.programs}
    users = tuple(moves.of_users_tree(tree, here) for tree in closure.added)
    programs = moves.of_programs(found, users, here)
    rules = tuple(moves.of_rules_tree(tree, users, programs, here) for tree in closure.supply.trees)
    trees = (*map(TreeMove, users), *rules)
    every = Moves(users, _by_source(trees), programs, moves.of_libraries(here))
    return Layout(
        starts=tuple(_start(program, found[program], every, here) for program in closure.programs),
        users=users,
        paths=_frozen(_paths(every, here)),
        trees=_frozen(dict(zip(closure.trees, trees, strict=True))),
        objects=_frozen(dict(_objects(every, here))),
        resolutions=_frozen(dict(_resolutions(every, here))),
        landings=_frozen(
            {path: moves.landing(path, here.walker, here.sources) for path in _chosen(here)}
        ),
    )


def _frozen(table: dict[K, V]) -> Mapping[K, V]:
    return MappingProxyType(table)


def _paths(every: Moves, here: View) -> dict[Program, ImagePath]:
    """The path of every program, and of every script that a program was found by."""
    programs = [*here.closure.all_programs]
    programs += [program.by for program in programs if program.by is not None]
    return {program: _path(program, every, here) for program in programs}


def _path(program: Program, every: Moves, here: View) -> ImagePath:
    move, key = moves.of_program(program, every, here.sources), program.key
    if key in every.programs.started:
        return moves.place(key, moves.users_move(every.users, key, here.sources))
    if key in every.programs.anchored and key != program.real:
        return moves.place(key, every.programs.anchored[key])
    if move is None:
        if not here.sources.outside(key) or program.kind == ProgramKind.INTERPRETER:
            return ImagePath(key)
        same = name(key) == name(program.real)
        if same:
            return ImagePath(program.real)
        return here.sources.landed(join(BIN, name(key)))
    file = moves.place(program.real, move)
    fixed = program.kind == ProgramKind.ADDED or here.recipe.at is not None
    return file if fixed else join(parent(file), name(key))


def _start(program: Program, found: Anchors, every: Moves, here: View) -> Start:
    path = _path(program, every, here)
    added = moves.users_move(every.users, program.real, here.sources)
    kept = found.link is not None and added is None
    if program.key in every.programs.started:
        steps = _added_steps(program, every, here.sources) if added is None else (program.real,)
        walk = replace(program.walk, steps=steps)
        return Start(program, path, walk, added, added=True, kept=kept)
    move = moves.of_program(program, every, here.sources)
    file = moves.place(program.real, move)
    named = program.kind == ProgramKind.INTERPRETER or not here.sources.outside(program.key)
    walk = program.walk
    places = {step.place for step in routes.steps(walk, move, here.sources)}
    if not named or file not in places or (move is not None and str(program.key) == path):
        walk = here.walker.walk(program.real)  # the link is not kept, or the file takes its place
        places = {step.place for step in routes.steps(walk, move, here.sources)}
    if path in places:
        return Start(program, path, walk, move, kept=kept)
    link = name(file) if parent(file) == parent(path) else file
    return Start(program, path, walk, move, link, kept=kept)


def _added_steps(program: Program, every: Moves, sources: Sources) -> tuple[SourcePath, ...]:
    """The way to a program after the last link that leads to it out of an added tree."""
    steps = tuple(map(SourcePath, program.walk.steps))
    inside = [moves.added_path(every.users, one, sources) is not None for one in steps]
    after = steps[len(steps) - inside[::-1].index(True) :]
    if sources.outside(program.real):
        return after
    return tuple(one for one in after if not sources.outside(one))


def _by_source(trees: Iterable[TreeMove]) -> dict[SourcePath, tuple[tuple[int, Move], ...]]:
    """The moves by what they move, each once with the number of its first tree."""
    found: dict[SourcePath, dict[Move, int]] = {}
    for number, tree in enumerate(trees):
        found.setdefault(tree.move.source, {}).setdefault(tree.move, number)
    return {
        source: tuple((number, move) for move, number in each.items())
        for source, each in found.items()
    }


def _objects(every: Moves, here: View) -> Iterator[tuple[Loaded, Move]]:
    for program, link_map in here.closure.processes():
        for one in link_map.objects:
            move = moves.of_object(one, one.candidate, program, every, here.sources)
            if move is not None:
                yield one, move


def _resolutions(every: Moves, here: View) -> Iterator[tuple[Resolution, Move]]:
    for program, link_map in here.closure.processes():
        for one in link_map.resolutions:
            if one.found is not None and one.candidate is not None:
                move = moves.of_object(one.found, one.candidate, program, every, here.sources)
                if move is not None:
                    yield one, move


def _chosen(here: View) -> Iterator[ImagePath]:
    """The paths in the image that the user or a rule chose."""
    if here.recipe.at is not None:
        yield here.recipe.at
    yield from (tree.destination for tree in here.closure.trees)
    yield from (line.path for line in here.closure.supply.lines)
    yield from (made.path for made in here.closure.supply.made)
