"""Where the files of packages stand in a root: a package spells a path as it was built."""

from collections.abc import Set as AbstractSet

from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import OpenedPath, SourcePath, join, name


class Spelling:
    """Answers for one root; each directory is resolved once."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._directories: dict[str, SourcePath | None] = {}

    def files(self, spelt: AbstractSet[str]) -> frozenset[SourcePath]:
        """Where those are that a package lists, less the directories among them."""
        inside = dict[str, list[str]]()
        for directory, _, last in (one.rpartition("/") for one in spelt):
            inside.setdefault(directory, []).append(last)
        return frozenset(
            SourcePath(f"{real}/{last}".replace("//", "/", 1))
            for directory, names in inside.items()
            if (real := self.real(directory)) is not None
            for last in names
            if f"{directory}/{last}" not in inside
        )

    def stands(self, spelt: str) -> SourcePath | None:
        """Where a file is that a package calls so."""
        real = self.real(spelt.rpartition("/")[0])
        return None if real is None else SourcePath(join(real, name(spelt)))

    def real(self, directory: str) -> SourcePath | None:
        """Where a directory is that a package calls so."""
        if directory not in self._directories:
            above = self._walker.walk(OpenedPath(directory))
            self._directories[directory] = None if above.errno else SourcePath(above.real)
        return self._directories[directory]
