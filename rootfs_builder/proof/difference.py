"""What a run used, and a plan → what is in the plan already, what to include, what to leave alone.

The plan is asked as a root: a path that resolves in it is there. Every other path is sorted by what
it is here, now: a file that the run has changed or removed is its own and no need.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from posixpath import normpath

from msgspec import Struct

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk, Walker
from rootfs_builder.loader import executable
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.executable import Script
from rootfs_builder.needs.secrets import Secrets
from rootfs_builder.paths import MOUNTED, OpenedPath, SourcePath, below, encode, join, name, parent
from rootfs_builder.plan import Plan, PlanRoot
from rootfs_builder.proof.host_state import HostState, Kept
from rootfs_builder.proof.observation import Observation, Seen, Use
from rootfs_builder.proof.places import Places

_USES = (Use.LOOKED, Use.LISTED, Use.WRITTEN, Use.OPENED, Use.MAPPED, Use.EXECUTED)


class Lacking(Struct, frozen=True):
    """The run used `source`, and the image has nothing at `destination`.

    A directory comes `bare`, without what is in it.
    """

    source: str
    destination: str
    use: Use
    by: str = ""
    bare: bool = False


class Input(Struct, frozen=True):
    """What the run's own words name: what it works on, not what it needs."""

    source: str
    destination: str


class Alone(Struct, frozen=True):
    """A path that stays on this machine, and why."""

    path: str
    rule: Kept


class Difference(Struct, frozen=True):
    """A run, sorted: `present` counts what the plan has.

    `written` are directories of the image in which the run made or changed something.
    """

    present: int
    lacking: tuple[Lacking, ...]
    inputs: tuple[Input, ...]
    alone: tuple[Alone, ...]
    written: tuple[str, ...] = ()

    def supplies(self, without: Iterable[str]) -> tuple[str, ...]:
        """The rules that give an image its own of what stays here, but for those left out."""
        each = dict.fromkeys(one.rule.supply for one in self.alone if one.rule.supply)
        return tuple(one for one in each if one not in frozenset(without))

    @property
    def files(self) -> tuple[Lacking, ...]:
        """What is lacking, but for bare directories."""
        return tuple(one for one in self.lacking if not one.bare)


class Sorter:
    """Sorts runs by the files of this machine."""

    def __init__(self, sources: Sources, state: HostState, places: Places) -> None:
        self._sources = sources
        self._state = state
        self._places = places
        self._walker = Walker(sources)
        self._elf_files = ElfFiles(sources)

    def sort(self, run: Observation, plan: Plan, *, input_words: Iterable[str] = ()) -> Difference:
        """Sort what a run used; `input_words` are those that may name what it works on."""
        inside = Walker(PlanRoot(plan))
        made = [*run.made, *(one.path for one in run.seen if one.use is Use.WRITTEN)]
        inputs = [
            Input(*pair)
            for pair in self._places.inputs(input_words)
            if self._state.why(pair[0], self._places.own) is None
            and not any(below(normpath(one), pair[0]) for one in made)
        ]
        present, lacking = 0, dict[str, Lacking]()
        works_on = dict[Input, None]()
        alone = [Alone(one.path, _SOCKET) for one in run.seen if one.use is Use.CONNECTED]
        for one in self._with_interpreters(run.seen):
            walk = self._at(one.path)
            if walk.node is None or walk.errno:
                continue
            within = [each for each in inputs if below(normpath(one.path), each.source)]
            if within:
                works_on.update(dict.fromkeys(within))
            elif (kept := self._state.why(one.path, self._places.own)) is not None:
                if not (kept.supply and _has(inside, one.path, walk)):
                    alone.append(Alone(one.path, kept))
            elif _has(inside, self._places.of(one), walk):
                present += 1
            elif not self._changed(walk, run.began):
                for each in self._lacking(one, walk):
                    lacking.setdefault(each.destination, each)
        written = {each.destination: each for each in self._written_in(run)}
        new = {p: one for p, one in written.items() if not _has(inside, p, self._at(one.source))}
        lacking |= new
        kept_back, rest = self._secrets(lacking.values())
        needed = tuple(_needed(rest, self._walker))
        return Difference(present, needed, tuple(works_on), (*alone, *kept_back), tuple(written))

    def _at(self, path: str) -> Walk:
        return self._walker.walk(OpenedPath(path))

    def _written_in(self, run: Observation) -> Iterator[Lacking]:
        """The directories in which the run made something.

        Where there is no TMPDIR, what it used there is in /tmp.
        """
        own = join(self._state.run, "tmp")
        made = [*run.made, *(one.path for one in run.seen if one.use is Use.WRITTEN)]
        above = [parent(_plain(one)) for one in made]
        above += [own for one in run.seen if below(_plain(one.path), own)]
        for path in dict.fromkeys(above):
            source = TEMPORARY if below(path, own) else path
            if any(below(source, one) for one in (*MOUNTED, self._state.run)):
                continue
            walk = self._walker.walk(OpenedPath(source))
            if walk.node is None or walk.errno or walk.node.kind != "dir":
                continue
            place = self._places.of(Seen(source, Use.LOOKED))
            yield Lacking(source, _plain(place), Use.WRITTEN, bare=True)

    def _with_interpreters(self, seen: Iterable[Seen]) -> Iterator[Seen]:
        """What was used, and what the kernel opens itself to execute a script."""
        for one in seen:
            if one.use not in _USES:
                continue
            yield one
            path = one.path
            for _ in range(_MAX_SCRIPTS if one.use is Use.EXECUTED else 0):
                found = self._script(path)
                if found is None:
                    break
                path = found.interpreter
                yield Seen(path, Use.EXECUTED, by=one.path)

    def _script(self, path: str) -> Script | None:
        walk = self._walker.walk(OpenedPath(path))
        if walk.errno or walk.node is None:
            return None
        with suppress(InputError, OSError):
            found = executable.look(path, walk, self._elf_files)
            return found if isinstance(found, Script) else None
        return None

    @staticmethod
    def _changed(walk: Walk, began: int) -> bool:
        """Whether the run has written the file, as the clock of the file system says."""
        if walk.node is None or walk.node.kind != "file":
            return False
        try:
            return os.lstat(encode(walk.real)).st_ctime_ns >= began
        except OSError:
            return True

    def _lacking(self, seen: Seen, walk: Walk) -> Iterator[Lacking]:
        """What the image lacks for a path: a directory that it leaves by .. too."""
        place = self._places.of(seen)
        if walk.node is None or walk.node.kind == "special":
            return
        for source, above in _left_by_dots(seen.path, place):
            yield Lacking(source, above, Use.LOOKED, seen.by, bare=True)
        bare = walk.node.kind == "dir"
        source = self._without_dots(seen.path)
        destination = source if place == seen.path else _plain(place)
        yield Lacking(source, destination, seen.use, seen.by, bare=bare)

    def _without_dots(self, path: str) -> str:
        """A path without `..`: what lies before is resolved, since it may be a link."""
        if ".." not in path.split("/"):
            return _plain(path)
        if name(path) in ("", ".", ".."):
            return str(self._walker.walk(OpenedPath(path)).real)
        return join(str(self._walker.walk(OpenedPath(parent(path))).real), name(path))

    def _secrets(self, lacking: Iterable[Lacking]) -> tuple[tuple[Alone, ...], tuple[Lacking, ...]]:
        """What may not be published, and the rest."""
        each = [(one, self._walker.walk(OpenedPath(one.source))) for one in lacking]
        nodes = [(SourcePath(w.real), w.node) for one, w in each if w.node and not one.bare]
        secret: dict[str, str] = {one.path: one.why for one in Secrets(self._sources).among(nodes)}
        alone = tuple(
            Alone(one.source, Kept(f"a secret: {secret[w.real]}", (), "--allow-sensitive=PATH"))
            for one, w in each
            if w.real in secret
        )
        return alone, tuple(one for one, walk in each if walk.real not in secret)


TEMPORARY = "/tmp"  # noqa: S108 - that of the image
_MAX_SCRIPTS = 5  # as the kernel: a script whose interpreter is a script …
_SOCKET = Kept("a socket: another program answers there", ())


def _has(inside: Walker, place: str, here: Walk) -> bool:
    """Whether the image has what the run looks for at a path."""
    if any(below(normpath(place), one) for one in MOUNTED):
        return True
    walk = inside.walk(OpenedPath(place))
    if walk.errno or walk.node is None or here.node is None:
        return False
    return walk.node.kind == here.node.kind


def _left_by_dots(path: str, place: str) -> Iterator[tuple[str, str]]:
    """The directories that a path enters and leaves by `..`: here and in the image."""
    if path != place:
        return
    parts = path.split("/")
    for index, part in enumerate(parts):
        if part == ".." and index > 1:
            entered = _plain("/".join(parts[:index]))
            if entered != "/":
                yield entered, entered


def _plain(path: str) -> str:
    """A path without empty parts, `.` and `..`."""
    return "/" + normpath(path).lstrip("/")


def _needed(lacking: Iterable[Lacking], walker: Walker) -> Iterator[Lacking]:
    """Each file once, by the path that led to it: a mapped library is known by its resolved one."""
    each = list(lacking)
    reached = {
        walker.walk(OpenedPath(one.source)).real
        for one in each
        if walker.walk(OpenedPath(one.source)).real != one.source
    }
    above = {place for one in each for place in _above(one)}
    for one in each:
        again = one.use is Use.MAPPED and one.source in reached
        if not again and not (one.bare and one.destination in above):
            yield one


def _above(one: Lacking) -> Iterator[str]:
    """The directories that come with a file."""
    path = one.destination
    while not one.bare and (path := parent(path)) != "/":
        yield path
