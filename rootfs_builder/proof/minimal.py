"""Paths, what ties them, and a trial → the paths of which none can go.

Group testing: a group goes at once if the trial passes without it, else its parts are tried, down
to single paths. What a trial says need not be monotonic, so at the end each remaining path is tried
once more, until a whole round has removed nothing: that round is the proof.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum

from msgspec import Struct

from rootfs_builder.paths import ROOT, ImagePath, ancestors
from rootfs_builder.proof.ties import Ties

Trial = Callable[[frozenset[ImagePath]], bool]
Group = frozenset[ImagePath]


class Why(Enum):
    """Why a path stays; the last three are reasons not to try without it."""

    NEEDED = "the command fails without it"
    HOLDS = "something is in it"
    TIED = "needed by"
    STARTED = "the image starts it, or starts there"
    WANTED = "--keep"
    EMPTY = "a directory to write to: it was empty"


class Kept(Struct, frozen=True):
    """A path that stays; `by` is what needs it, where that is not the command itself."""

    path: ImagePath
    why: Why
    by: ImagePath | None = None

    @property
    def sentence(self) -> str:
        """The reason as a sentence."""
        return self.why.value if self.by is None else f"{self.why.value} {self.by}"


class Search:
    """The search for what can go. `left` and `gone` are what stays and what went, so far."""

    def __init__(
        self,
        paths: Iterable[ImagePath],
        ties: Ties,
        pinned: Mapping[ImagePath, Why],
        trial: Trial,
    ) -> None:
        self.left = set(paths)
        self.gone: set[ImagePath] = set()
        self._users = _reversed(ties)
        self._reasons = pinned
        self._pinned = self._closed(self.left.intersection(pinned), ties)
        self._trial = trial

    @staticmethod
    def _closed(group: Iterable[ImagePath], ties: Mapping[ImagePath, Group]) -> Group:
        """A group, with all that is reached from it."""
        found, todo = set(group), list(group)
        while todo:
            new = ties.get(todo.pop(), frozenset()) - found
            found |= new
            todo += new
        return frozenset(found)

    def attempt(self, group: Iterable[ImagePath]) -> bool:
        """Remove a group, with what needs it, if the trial passes without; whether it is gone."""
        going = self._closed(self.left.intersection(group), self._users) & self.left
        if not going:
            return True
        if going & self._pinned or not self._trial(frozenset(self.gone | going)):
            return False
        self.left -= going
        self.gone |= going
        return True

    def reduce(self, groups: Iterable[Group]) -> None:
        """Remove as much of each group as can go."""
        for group in groups:
            todo = [group]
            while todo:
                one = todo.pop() & self.left
                if len(one) and not self.attempt(one) and len(one) > 1:
                    todo += parts(one)

    def prove(self) -> None:
        """Try each remaining path by itself, until none can go."""
        before = -1
        while before != len(self.left):
            before = len(self.left)
            for path in sorted(self.left, reverse=True):  # what is in a directory, then that
                if path in self.left and not self._holds(path):
                    self.attempt((path,))

    def _holds(self, path: ImagePath) -> bool:
        """Whether something is left in a directory: it goes with that, or not at all."""
        return any(
            path in ancestors_of(one) for one in self._users.get(path, frozenset()) & self.left
        )

    def kept(self) -> tuple[Kept, ...]:
        """What stays, and why."""
        return tuple(self._reason(path) for path in sorted(self.left))

    def _reason(self, path: ImagePath) -> Kept:
        pinned = self._reasons.get(path)
        if pinned is not None and not (pinned is Why.STARTED and self._holds(path)):
            return Kept(path, pinned)
        users = sorted(self._users.get(path, frozenset()) & self.left)
        if not users:
            return Kept(path, Why.NEEDED)
        if self._holds(path):
            return Kept(path, Why.HOLDS)
        return Kept(path, Why.TIED, users[0])


def ancestors_of(path: ImagePath) -> tuple[ImagePath, ...]:
    """The directories that a path is in."""
    return tuple(ancestors(path))


def _reversed(ties: Ties) -> dict[ImagePath, Group]:
    users: dict[ImagePath, set[ImagePath]] = {}
    for path, needed in ties.items():
        for one in needed:
            users.setdefault(one, set()).add(path)
    return {path: frozenset(found) for path, found in users.items()}


def parts(group: Group) -> Iterator[Group]:
    """A group of more than one path in parts, by directory if it is in several, else in halves."""
    ordered = sorted(group)
    common = _common(ordered)
    found: dict[str, set[ImagePath]] = {}
    for path in ordered:
        found.setdefault(path[len(common) :].partition("/")[0], set()).add(path)
    if 1 < len(found) <= _MANY:
        yield from map(frozenset, found.values())
        return
    half = len(ordered) // 2
    yield frozenset(ordered[:half])
    yield frozenset(ordered[half:])


_MANY = 16  # parts by directory: more are halved first


def _common(ordered: list[ImagePath]) -> str:
    """The directory that all of some sorted paths are in, with a slash at its end."""
    first, last = ordered[0], ordered[-1]
    count = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    return first[: first.rfind(ROOT, 0, count) + 1]
