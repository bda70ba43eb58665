"""Closure → where each object goes in the image.

What lies in the system keeps its path. A program from elsewhere goes to /usr/local/bin. What lies
in an added tree goes where that goes. A `Move` says that for one directory or file; which Move an
object follows depends on how it was found, since the loader looks for it the same way in the image.

What is found by where a program lies keeps its place towards that, its anchor: the program's file,
or the link that it is started by, or a script. The loader looks from the file, through `$ORIGIN`; a
rule finds a tree in the directory above the bin of a program, or in `{script}` (`Tree.anchor`). So
the smallest directory that holds an anchor and what is found from it becomes /opt/NAME, its inside
unchanged. A rule's `{beside}` is no kind of its own: it spells a path, by a library's directory,
and the tree there has an anchor as any.
"""

import posixpath
from collections.abc import Iterable

from msgspec import Struct

from rootfs_builder.errors import UsageError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.loader.link_map import Candidate, FoundBy, LinkMap, Loaded
from rootfs_builder.needs.closure import Closure, Program, Tree
from rootfs_builder.paths import (
    ROOT,
    ImagePath,
    OpenedPath,
    ancestors,
    below,
    join,
    name,
    parent,
    printable,
)

_BIN = ImagePath("/usr/local/bin")
_LIB = ImagePath("/usr/local/lib")
_OPT = ImagePath("/opt")


class Move(Struct, frozen=True):
    """`source`, a resolved path, and all below it goes to `target`; `text` is how it is spelt."""

    source: ImagePath
    target: ImagePath
    text: str

    def apply(self, path: str) -> ImagePath | None:
        """The new place of a resolved path; None where it is not below `source`."""
        if not below(path, self.source):
            return None
        return _onto(self.target, path.removeprefix(self.source.rstrip("/")))

    def respell(self, opened: OpenedPath) -> OpenedPath:
        """The loader's text for a file, as it will be in the image."""
        return OpenedPath(_onto(self.target, opened.removeprefix(self.text.rstrip("/"))))


def _onto(target: str, inside: str) -> ImagePath:
    return ImagePath(target.rstrip("/") + inside or "/")


class Placement:
    """Where the objects of one closure go.

    Raises:
        UsageError: `--at` contradicts where the program looks for its libraries.
    """

    def __init__(self, closure: Closure) -> None:
        self._closure = closure
        self._outside = closure.sources.outside
        self._walker = closure.objects.walker
        self._programs: dict[ImagePath, Move] = {}  # of the program's own file
        self._private: dict[ImagePath, Move] = {}  # by anchor, of what is found from it
        self._libraries: dict[str, Move | None] = {}
        self._placed: dict[ImagePath, Move] = {}  # by its key: what is added with its tree
        self._scripts = {one.real for one in closure.programs if not one.link_maps}
        self._users = tuple(map(self.of_tree, closure.added))
        for program in closure.programs:
            self._place(program)
        self._added = list(self._users)
        for tree in closure.supply.trees:
            self._added.append(self.of_tree(tree))

    def of_tree(self, tree: Tree) -> Move:
        """The Move of a tree: what a rule finds from an anchor, or in what is added, follows."""
        host = self.host_of(tree)
        place = host.apply(tree.source) if host else None
        return Move(tree.source, place or self.landing(tree.destination)[0], tree.source)

    def host_of(self, tree: Tree) -> Move | None:
        """The Move of the directory that a rule's tree is a part of, where that moves."""
        if tree.walk is None or not (self._outside(tree.source) or tree.anchor in self._scripts):
            return None
        around = (move for move in self._users if move.apply(tree.source))
        return next(around, None) or (self._private.get(tree.anchor) if tree.anchor else None)

    def added_path(self, path: str) -> ImagePath | None:
        """Where a path of this machine goes with what the user adds; None if it does not."""
        move = self._users_move(path)
        return None if move is None else move.apply(self._key(path))

    def _users_move(self, path: str) -> Move | None:
        key = self._key(path)
        return next((one for one in self._users if self._outside(key) and one.apply(key)), None)

    def _key(self, path: str) -> ImagePath:
        above = self._walker.walk(OpenedPath(parent(path)))
        return ImagePath(path) if above.errno else join(above.real, name(path))

    def is_added(self, program: Program) -> bool:
        """Whether it is started where an added tree has it, or a link to it."""
        return program.key in self._placed

    def _place_added(self, program: Program, directory: ImagePath | None) -> bool:
        """Start a program where the user adds it, unless it needs more than is added."""
        move = self._users_move(program.key)
        if move is None:
            return False
        if self._outside(program.real) and self.added_path(program.real) is None:
            if not self._found_by_link(program):
                return False
        elif directory is not None and not below(directory, move.source):
            return False
        self._placed[program.key] = move
        return True

    def behind_link(self, program: Program) -> tuple[ImagePath, ...]:
        """Where the way to a program goes behind its last link in an added tree."""
        steps = program.walk.steps
        last = max(index for index, one in enumerate(steps) if self.added_path(one))
        behind = steps[last + 1 :]
        return (
            behind
            if self._outside(program.real)
            else tuple(one for one in behind if not self._outside(one))
        )

    def stays(self, program: Program) -> bool:
        """Whether it keeps its path, since what is found by its link names that."""
        return bool(self._found_by_link(program)) and self.added_path(program.real) is None

    def _found_by_link(self, program: Program) -> list[ImagePath]:
        """What is found from the link that a program is started by, as that of a venv's python."""
        return [] if program.key == program.real else self._found_from(program, program.key)

    def _found_from(self, program: Program, anchor: ImagePath) -> list[ImagePath]:
        """What must keep its place towards an anchor of a program."""
        trees = self._closure.supply.trees
        found = [tree.source for tree in trees if self._is_from(tree, anchor)]
        if anchor == program.real:
            for link_map in program.link_maps:
                for walk, candidate in _opened(link_map):
                    if self._follows(candidate, link_map.program):
                        found += self._beyond_origin(walk, candidate)
        return found

    def _is_from(self, tree: Tree, anchor: ImagePath) -> bool:
        """Whether a rule found it from an anchor; scripts of one directory share what they find."""
        if tree.anchor is None or not {tree.anchor, anchor} <= self._scripts:
            return tree.anchor == anchor
        return parent(tree.anchor) == parent(anchor)

    def _place_link(self, program: Program) -> bool:
        """Keep a link with what is found from it; the program itself stays where it leads."""
        found = self._found_by_link(program)
        if found:
            directory = _around(program.key, found)
            self._private[program.key] = Move(directory, join(_OPT, name(program.key)), directory)
        return bool(found)

    def _place(self, program: Program) -> None:
        at = self._closure.recipe.at if program.kind == "executable" else None
        real, directory = program.real, self._private_directory(program)
        if at is None and self._place_added(program, directory):
            return
        if program.kind == "interpreter":
            return  # a script names it by this path, or PATH does
        if at is None and self._outside(program.key) and self._place_link(program):
            return
        if at is not None:
            at = self.landing(at)[0]
        if directory is not None:
            self._private[real] = self._place_private(program, directory, at)
        if at is not None:
            self._programs[real] = Move(real, at, real)
        elif directory is not None:
            self._programs[real] = self._private[real]
        elif self._outside(real):  # under its first name; others are links to that
            self._programs.setdefault(real, Move(real, join(_BIN, name(program.key)), real))

    def _place_private(self, program: Program, directory: ImagePath, at: ImagePath | None) -> Move:
        if at is not None:
            return Move(directory, _fit(program, directory, at), directory)
        for known in self._private.values():  # a second program out of the same directory
            if below(directory, known.source):
                return known
        return Move(directory, join(_OPT, name(program.key)), directory)

    def _private_directory(self, program: Program) -> ImagePath | None:
        """The directory around a program's file and what is found from it; None if none moves."""
        found = self._found_from(program, program.real)
        moves = self._closure.recipe.at is not None and bool(found)
        if not moves and not any(self._outside(one) for one in found):
            return None
        return _around(program.real, found)

    def _follows(self, candidate: Candidate, program: Loaded) -> bool:
        """Whether the way to an object starts at the program, through one `$ORIGIN` or more."""
        owner = candidate.owner
        while owner is not None and owner is not program:
            owner = owner.candidate.owner if owner.candidate else None
        return owner is program

    def _beyond_origin(self, walk: Walk, candidate: Candidate) -> Iterable[ImagePath]:
        """The directories of a walk that must keep their places towards $ORIGIN, where it starts.

        Those it goes through, and those of the links and the file it comes to. Behind an absolute
        link the way there does not matter.
        """
        if candidate.owner is None:
            return
        known = len(self._walker.walk(OpenedPath(candidate.owner.origin)).steps)
        restarted = False
        moves_system = self._closure.recipe.at is not None
        for before, step in zip(walk.steps[known - 1 :], walk.steps[known:], strict=False):
            if step == ROOT and not self._is_directory(before):
                restarted = True
            if self._is_directory(step):
                if not restarted:
                    yield step
                continue
            restarted = False
            if moves_system or self._outside(step):
                yield parent(step)

    def _is_directory(self, path: ImagePath) -> bool:
        node = self._closure.sources.lstat(path)
        return node is not None and node.kind == "dir"

    def landing(self, path: ImagePath) -> tuple[ImagePath, Walk | None]:
        """Where a path that the user chose lies: the root's links lead, such as /lib on Debian.

        With it the walk to the directory that is there already, if one is.
        """
        for directory in ancestors(path):
            walk = self._walker.walk(directory)
            if in_system(path) and walk.node is not None and walk.node.kind == "dir":
                return ImagePath(walk.real + path[len(directory) :]), walk
        return path, None

    def of_program(self, program: Program) -> Move | None:
        """The Move of a program, None where it keeps its path."""
        if program.kind == "added":
            return self._of_added(program.real)
        return self._placed.get(program.key) or self._programs.get(program.real)

    def _of_added(self, path: str) -> Move | None:
        move = next((move for move in self._added if move.apply(path)), None)
        stays = move is not None and move.source == move.target and not self._outside(move.source)
        return None if stays else move

    def of(self, loaded: Loaded, candidate: Candidate | None, program: Program) -> Move | None:
        """The Move of an object that was found by `candidate`."""
        if candidate is None:
            return self.of_program(program) if loaded.by is None else None
        if candidate.owner is not None:
            owner = candidate.owner
            if owner.by is None:
                return self._private.get(owner.real) or self._of_added(owner.real)
            move = self.of(owner, owner.candidate, program)
            if move is not None and move.source == owner.real:  # one file: so does its directory
                return Move(parent(move.source), parent(move.target), parent(move.text))
            return move
        if candidate.found_by is FoundBy.LIBRARY_PATH:
            return self._library_move(candidate.path)
        return self._of_added(candidate.path) if candidate.found_by is FoundBy.BY_PATH else None

    def _library_move(self, path: str) -> Move | None:
        texts = map(self._closure.sources.locate, self._closure.recipe.library_path)
        holding = [text for text in texts if path.startswith(text + "/")]
        if not holding:
            return None
        text = max(holding, key=len)  # one may lie in another
        if text not in self._libraries:
            real = self._walker.walk(text).real
            self._libraries[text] = Move(real, _LIB, text) if self._outside(real) else None
        return self._libraries[text]

    def image_path(self, program: Program) -> ImagePath:
        """The name that the program itself is started by: argv[0] can be what decides."""
        move, key = self.of_program(program), program.key
        if self.is_added(program):
            return self.added_path(key) or key
        if key in self._private and key != program.real:
            return self._private[key].apply(key) or key
        if move is None:
            if not self._outside(key) or program.kind == "interpreter":
                return key
            same = name(key) == name(program.real)
            return program.real if same else join(_BIN, name(key))
        file = move.apply(program.real) or program.real
        fixed = program.kind == "added" or self._closure.recipe.at is not None
        return file if fixed else join(parent(file), name(key))


def _around(anchor: ImagePath, found: Iterable[ImagePath]) -> ImagePath:
    """The smallest directory that holds an anchor and what is found from it."""
    return ImagePath(posixpath.commonpath([parent(anchor), *found]))


def _opened(link_map: LinkMap) -> Iterable[tuple[Walk, Candidate]]:
    for one in link_map.resolutions:
        if one.found is not None and one.walk is not None and one.candidate is not None:
            yield one.walk, one.candidate


def _fit(program: Program, directory: ImagePath, at: ImagePath) -> ImagePath:
    """The image directory for `directory` that puts the program's own directory where `at` is."""
    inside = parent(program.real).removeprefix(directory)
    if not parent(at).endswith(inside):
        raise UsageError(
            f"--at {printable(at)}: {printable(program.shown)} finds its libraries from where it "
            f"is, so the directory must end in {printable(inside)}"
        )
    return ImagePath(parent(at).removesuffix(inside) or "/")
