"""The files of packages that belong together, for questions about single paths and directories."""

from bisect import bisect_left

from msgspec import Struct

from rootfs_builder.packages.database import Package
from rootfs_builder.paths import SourcePath


class Kin(Struct, frozen=True):
    """The files of the packages of one source, and all, with those that one of them needs.

    `of` is the package that was asked about, None where only its own source counts.
    """

    own: frozenset[SourcePath] = frozenset()
    all: tuple[SourcePath, ...] = ()  # sorted
    of: Package | None = None

    def has(self, path: str) -> bool:
        """Whether a file is one of all."""
        at = bisect_left(self.all, path)
        return at < len(self.all) and self.all[at] == path

    def has_any(self, path: str) -> bool:
        """Whether it is one of all, or a directory that has one of them."""
        return self.has(path) or bool(self.within(path))

    def within(self, directory: str) -> tuple[SourcePath, ...]:
        """All files below a directory."""
        begin, end = (bisect_left(self.all, f"{directory}{one}") for one in "/0")
        return self.all[begin:end]
