"""Anchors → what moves, and where to: the second pass of the layout.

What is in the system keeps its path. A program from elsewhere goes to /usr/local/bin, with what it
finds by its own place to /opt/NAME. What is in an added tree goes where that goes. A library of -L
goes to /usr/local/lib. `--at` overrides where the program goes.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from operator import itemgetter

from msgspec import Struct

from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.filesystem.sources import Sources, in_system
from rootfs_builder.filesystem.walk import Walk, Walker
from rootfs_builder.loader.resolution import Candidate, FoundBy, Loaded
from rootfs_builder.needs.closure import Program, ProgramKind, Tree
from rootfs_builder.paths import (
    ImagePath,
    OpenedPath,
    SourcePath,
    ancestors,
    below,
    join,
    name,
    parent,
    printable,
)
from rootfs_builder.plan.anchors import Anchors, View

BIN = ImagePath("/usr/local/bin")
_LIB = ImagePath("/usr/local/lib")
_OPT = ImagePath("/opt")
_STATE = ("/var/lock", "/var/run")  # FHS 3.0, 5.9 and 5.13: links to what is below /run


class MoveReason(StrEnum):
    """What makes a file or directory move."""

    ADDED = "--add sends it there"
    AT = "--at sends it there"
    OUTSIDE = "it comes from outside the system directories"
    ANCHOR = "a program finds it relative to its own location"
    LIBRARY_PATH = "-L names its directory"
    RULE = "a rule sends it there"


class Move(Struct, frozen=True):
    """`source`, a resolved path, and all below it go to `target`; `text` is how it was spelt.

    What is below a path of `left_out` does not go along.
    """

    source: SourcePath
    target: ImagePath
    text: str
    why: MoveReason
    left_out: frozenset[SourcePath] = frozenset()

    def apply(self, path: SourcePath) -> ImagePath | None:
        """The new place of a resolved path; None where it is not below `source`, or left out."""
        if not below(path, self.source):
            return None
        if self.left_out and not self.left_out.isdisjoint((path, *ancestors(path))):
            return None
        return _onto(self.target, path.removeprefix(self.source.rstrip("/")))

    @property
    def stays(self) -> bool:
        """Whether the image has the same path."""
        return str(self.source) == self.target

    def respell(self, opened: OpenedPath) -> OpenedPath:
        """The loader's text for a file, as it will be in the image."""
        return OpenedPath(_onto(self.target, opened.removeprefix(self.text.rstrip("/"))))


def _onto(target: str, inside: str) -> ImagePath:
    return ImagePath(target.rstrip("/") + inside or "/")


def place(path: SourcePath, move: Move | None) -> ImagePath:
    """The path in the image of a resolved path; what a move does not move keeps its path."""
    return (move.apply(path) if move else None) or ImagePath(path)


class Landing(Struct, frozen=True):
    """Where a path that the user or a rule chose is, since links of the root may lead elsewhere.

    `walk` leads to the directory that is there already, if one is.
    """

    path: ImagePath
    walk: Walk | None = None


class TreeMove(Struct, frozen=True):
    """The move of a tree; `host` is that of the directory of which it is a part, if that moves."""

    move: Move
    host: Move | None = None


class ProgramMoves(Struct, frozen=True):
    """What moves because of the programs.

    `files` has the move of each program's own file, by its resolved path; `anchored` that of what
    is found from an anchor, by the anchor; `started` that of the added tree in which a program is
    started, by the program's key.
    """

    files: Mapping[SourcePath, Move]
    anchored: Mapping[SourcePath, Move]
    started: Mapping[SourcePath, Move]


class Moves(Struct, frozen=True):
    """Everything that moves: the result of the second pass.

    `users` are the moves of the user's trees, `added` those of all trees by their sources, with
    their numbers: of two that hold a path the first counts, the user's. `libraries` are the
    directories of -L as they were spelt, None for one that stays.
    """

    users: tuple[Move, ...]
    added: Mapping[SourcePath, tuple[tuple[int, Move], ...]]
    programs: ProgramMoves
    libraries: Mapping[OpenedPath, Move | None]


class _Decision(Struct, frozen=True):
    """What one program makes move: itself, what is found from an anchor, or neither."""

    file: Move | None = None
    anchor: SourcePath | None = None
    anchored: Move | None = None
    started: Move | None = None


def landing(path: ImagePath, walker: Walker, sources: Sources) -> Landing:
    """Where a chosen path is: links of the root lead on, such as /lib and /var/run on Debian."""
    state = any(below(path, one) for one in _STATE)
    for directory in (path, *ancestors(path)) if state else ancestors(path):
        walk = walker.walk(directory)
        if (state or in_system(path)) and walk.node is not None and walk.node.kind == "dir":
            return Landing(ImagePath(walk.real + path[len(directory) :]), walk)
    return Landing(sources.landed(path))


def of_users_tree(tree: Tree, here: View) -> Move:
    """The move of a tree that the user adds."""
    target = landing(tree.destination, here.walker, here.sources).path
    return Move(tree.source, target, tree.source, MoveReason.ADDED, tree.left_out)


def of_rules_tree(
    tree: Tree, users: Iterable[Move], programs: ProgramMoves, here: View
) -> TreeMove:
    """The move of a rule's tree: it follows its anchor, or the added tree that it is in."""
    host = _host(tree, users, programs, here)
    follows = host.apply(tree.source) if host else None
    if host is not None and follows is not None:
        return TreeMove(Move(tree.source, follows, tree.source, host.why), host)
    target = landing(tree.destination, here.walker, here.sources).path
    return TreeMove(Move(tree.source, target, tree.source, MoveReason.RULE), host)


def _host(tree: Tree, users: Iterable[Move], programs: ProgramMoves, here: View) -> Move | None:
    if tree.walk is None:
        return None
    if not here.sources.outside(tree.source) and tree.anchor not in here.scripts:
        return None
    around = next((move for move in users if move.apply(tree.source)), None)
    return around or (_anchored(tree.anchor, tree, programs) if tree.anchor else None)


def _anchored(anchor: SourcePath, tree: Tree, programs: ProgramMoves) -> Move | None:
    """The move of what is found from an anchor; that of a script that came with it is the same."""
    known = programs.anchored.get(anchor)
    both = (m for m in programs.anchored.values() if m.apply(anchor) and m.apply(tree.source))
    return known or next(both, None)


def users_move(users: Iterable[Move], key: SourcePath, sources: Sources) -> Move | None:
    """The move of the added tree that holds a resolved path; None for a path of the system."""
    if not sources.outside(key):
        return None
    return next((move for move in users if move.apply(key)), None)


def added_path(users: Iterable[Move], key: SourcePath, sources: Sources) -> ImagePath | None:
    """Where a resolved path goes with what the user adds; None if it does not."""
    move = users_move(users, key, sources)
    return None if move is None else move.apply(key)


def of_programs(
    anchors: Mapping[Program, Anchors], users: tuple[Move, ...], here: View
) -> ProgramMoves:
    """What the programs make move, in the order in which they were given.

    Raises:
        UsageError: `--at` contradicts where the program looks for its libraries.
    """
    files: dict[SourcePath, Move] = {}
    anchored: dict[SourcePath, Move] = {}
    started: dict[SourcePath, Move] = {}
    for program in here.closure.programs:
        found = _decide(program, anchors[program], users, tuple(anchored.values()), here)
        if found.file is not None:  # under its first name; others are links to that
            files.setdefault(program.real, found.file)
        if found.anchor is not None and found.anchored is not None:
            anchored.setdefault(found.anchor, found.anchored)
        if found.started is not None:
            started.setdefault(program.key, found.started)
    return ProgramMoves(files, anchored, started)


def _decide(
    program: Program,
    anchors: Anchors,
    users: tuple[Move, ...],
    known: tuple[Move, ...],
    here: View,
) -> _Decision:
    """What one program makes move; `known` are the moves of earlier programs' anchors."""
    at = here.recipe.at if program.kind == ProgramKind.EXECUTABLE else None
    if at is not None:
        return _at(program, anchors, landing(at, here.walker, here.sources).path)
    tree = _started_in(program, anchors, users, here.sources)
    if tree is not None:
        return _Decision(started=tree)
    if program.kind == ProgramKind.INTERPRETER:
        return _Decision()  # a script names it by this path, or PATH does
    opt = here.sources.landed(join(_OPT, name(program.key)))
    if anchors.link is not None and here.sources.outside(program.key):
        move = Move(anchors.link, opt, anchors.link, MoveReason.ANCHOR)
        return _Decision(anchor=program.key, anchored=move)  # the file stays where the link leads
    if anchors.file is not None:  # maybe of an earlier program out of the same directory
        around = (move for move in known if below(anchors.file, move.source))
        move = next(around, Move(anchors.file, opt, anchors.file, MoveReason.ANCHOR))
        return _Decision(file=move, anchor=program.real, anchored=move)
    if here.sources.outside(program.real):
        target = here.sources.landed(join(BIN, name(program.key)))
        return _Decision(file=Move(program.real, target, program.real, MoveReason.OUTSIDE))
    return _Decision()


def _at(program: Program, anchors: Anchors, at: ImagePath) -> _Decision:
    """`--at`: the file goes there, and what it finds by its place keeps that place."""
    file = Move(program.real, at, program.real, MoveReason.AT)
    if anchors.file is None:
        return _Decision(file=file)
    target = _fit(program, anchors.file, at)
    move = Move(anchors.file, target, anchors.file, MoveReason.AT)
    return _Decision(file=file, anchor=program.real, anchored=move)


def _fit(program: Program, directory: SourcePath, at: ImagePath) -> ImagePath:
    """The image directory for `directory` that puts the program's own directory where `at` is."""
    inside = parent(program.real).removeprefix(directory)
    if not parent(at).endswith(inside):
        text = (
            f"{printable(program.display_name)} finds its libraries from where it is, so the "
            f"directory must end in {printable(inside)}"
        )
        raise UsageError(Mistake("--at", text, at))
    return ImagePath(parent(at).removesuffix(inside) or "/")


def _started_in(
    program: Program, anchors: Anchors, users: tuple[Move, ...], sources: Sources
) -> Move | None:
    """The move of the added tree that a program is started in; None if it needs more than that."""
    move = users_move(users, program.key, sources)
    if move is None:
        return None
    if sources.outside(program.real) and added_path(users, program.real, sources) is None:
        return None if anchors.link is None else move
    inside = anchors.file is None or below(anchors.file, move.source)
    return move if inside else None


def of_libraries(here: View) -> dict[OpenedPath, Move | None]:
    """The moves of the directories of -L."""
    found: dict[OpenedPath, Move | None] = {}
    for path in here.recipe.library_path:
        text = here.sources.locate(path)
        real = SourcePath(here.walker.walk(text).real)
        moves = here.sources.outside(real)
        target = here.sources.landed(_LIB)
        found[text] = Move(real, target, text, MoveReason.LIBRARY_PATH) if moves else None
    return found


def of_program(program: Program, moves: Moves, sources: Sources) -> Move | None:
    """The move of a program's file, None where it keeps its path."""
    if program.kind == ProgramKind.ADDED:
        return _of_added(program.real, moves, sources)
    started = moves.programs.started.get(program.key)
    return started or moves.programs.files.get(program.real)


def of_object(
    loaded: Loaded, candidate: Candidate | None, program: Program, moves: Moves, sources: Sources
) -> Move | None:
    """The move of an object that was found by `candidate` in the process of `program`.

    Which move an object follows depends on how it was found, since the loader looks for it the
    same way in the image.
    """
    if candidate is None:
        return of_program(program, moves, sources) if loaded.by is None else None
    if candidate.owner is not None:
        return _of_origin(candidate.owner, program, moves, sources)
    if candidate.found_by is FoundBy.LIBRARY_PATH:
        return _of_library(candidate.path, moves.libraries)
    by_path = candidate.found_by is FoundBy.BY_PATH
    return _of_added(SourcePath(candidate.path), moves, sources) if by_path else None


def _of_origin(owner: Loaded, program: Program, moves: Moves, sources: Sources) -> Move | None:
    """The move of what is found through the `$ORIGIN` of `owner`."""
    if owner.by is None:
        real = SourcePath(owner.real)
        anchored = moves.programs.anchored.get(real)
        if anchored is not None:
            return anchored
        move = _of_added(real, moves, sources)
    else:
        move = of_object(owner, owner.candidate, program, moves, sources)
    if move is None or move.source != owner.real:
        return move
    around = Move(parent(move.source), parent(move.target), parent(move.text), move.why)
    return None if around.stays and not sources.outside(around.source) else around


def _of_library(path: str, libraries: Mapping[OpenedPath, Move | None]) -> Move | None:
    holding = [text for text in libraries if path.startswith(text + "/")]
    return libraries[max(holding, key=len)] if holding else None  # one may lie in another


def _of_added(path: SourcePath, moves: Moves, sources: Sources) -> Move | None:
    holding = (moves.added.get(one, ()) for one in (path, *ancestors(path), SourcePath("/")))
    found = [one for each in holding for one in each if one[1].apply(path)]
    move = min(found, key=itemgetter(0))[1] if found else None
    stays = move is not None and move.stays and not sources.outside(move.source)
    return None if stays else move
