"""The paths that packages record → where these files are in a root, behind its symlinks."""

from collections.abc import Set as AbstractSet

from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import OpenedPath, SourcePath, join, name


class Spelling:
    """Answers for one root; each directory is resolved once."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._directories: dict[str, SourcePath | None] = {}

    def files(self, spelt: AbstractSet[str]) -> frozenset[SourcePath]:
        """Where the files of a package's list are, without the directories in it."""
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
        """Where the file with this recorded path is; None if its directory does not exist."""
        real = self.real(spelt.rpartition("/")[0])
        return None if real is None else SourcePath(join(real, name(spelt)))

    def real(self, directory: str) -> SourcePath | None:
        """Where the directory with this recorded path is; None if it does not exist."""
        if directory not in self._directories:
            above = self._walker.walk(OpenedPath(directory))
            self._directories[directory] = None if above.errno else SourcePath(above.real)
        return self._directories[directory]
