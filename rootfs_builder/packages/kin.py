"""Packages that belong together, for questions about single paths and directories."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from rootfs_builder.packages.database import Package
from rootfs_builder.paths import SourcePath, name

Files = Callable[[Package], frozenset[SourcePath]]


class Kin:
    """The packages of one source, and all, with those that one of them needs.

    `of` is the package that was asked about, None where only its own source counts. Whose a path is
    the lists of these few packages say: to look for the owner of any path, all lists are read.
    """

    def __init__(
        self,
        own: frozenset[Package] = frozenset(),
        needed: frozenset[Package] = frozenset(),
        of: Package | None = None,
        *,
        required: Iterable[Package] = (),
        files: Files = lambda _: frozenset(),
        speaks: bool = True,
    ) -> None:
        self.of = of
        self._speaks = speaks
        self._own = own
        self._all = own | needed
        self._required = tuple(required)
        self._files = files

    @property
    def is_own(self) -> bool:
        """Whether there are packages of the source: who asks speaks for them."""
        return self._speaks and bool(self._own)

    def owns(self, path: SourcePath) -> bool:
        """Whether a file is of the packages of the source."""
        return self.is_own and path in self.own

    def has(self, path: SourcePath) -> bool:
        """Whether a file is one of all."""
        return path in self._every

    def has_any(self, path: SourcePath) -> bool:
        """Whether it is one of all, or a directory that has one of them."""
        return self.has(path) or bool(self.within(path))

    def within(self, directory: str) -> tuple[SourcePath, ...]:
        """All files below a directory."""
        begin, end = (bisect_left(self.all, f"{directory}{one}") for one in "/0")
        return self.all[begin:end]

    @cached_property
    def own(self) -> frozenset[SourcePath]:
        """All files of the packages of the source."""
        return frozenset[SourcePath]().union(*map(self._files, self._own))

    @property
    def required(self) -> Iterator[SourcePath]:
        """The files of each package that `of` cannot do without."""
        for one in self._required:
            yield from self._files(one)

    @property
    def namesakes(self) -> Iterator[SourcePath]:
        """The files of other packages that `of` needs or recommends which are called as these."""
        for one in self._all - self._own:
            yield from (path for path in self._files(one) if name(path) == one.name)

    @property
    def required_names(self) -> frozenset[str]:
        """The names of these packages."""
        return frozenset(one.name for one in self._required)

    @cached_property
    def declared(self) -> frozenset[SourcePath]:
        """The files of the package that was asked about, and of those that it requires."""
        packages = (*((self.of,) if self.of else ()), *self._required)
        return frozenset[SourcePath]().union(*map(self._files, packages))

    @cached_property
    def mine(self) -> frozenset[SourcePath]:
        """Those of them that are of the source: another package of it may be for other programs."""
        return self.own & self.declared if self.of else frozenset()

    @cached_property
    def all(self) -> tuple[SourcePath, ...]:
        """All files, sorted."""
        return tuple(sorted(self._every))

    @cached_property
    def _every(self) -> frozenset[SourcePath]:
        return frozenset[SourcePath]().union(*map(self._files, self._all))

    @cached_property
    def alone(self) -> "Kin":
        """The same, without the packages of other sources."""
        return Kin(self._own, frozenset(), self.of, required=self._required, files=self._files)

    @cached_property
    def of_others(self) -> "Kin":
        """The same, for one who does not speak for the source: it starts none of its programs."""
        needed = self._all - self._own
        return Kin(
            self._own,
            needed,
            self.of,
            required=self._required,
            files=self._files,
            speaks=False,
        )
