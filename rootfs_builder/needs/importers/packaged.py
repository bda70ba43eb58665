"""Finds a module that is on no search path among the files of the packages of one source.

A program may work out the directory of its modules when it runs: from settings, or by a function of
another module. What is called so in its own packages is what it means.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.finder import Context
from rootfs_builder.packages import Package
from rootfs_builder.paths import name

_MOST = 3  # directories: of more, a name means nothing
_ASIDE = frozenset(("_vendor", "doc", "examples", "test", "tests", "vendor"))

_ByName = Mapping[str, list[str]]


class Packaged:
    """Answers for one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = dict[Package, _ByName]()

    def directories(self, text: str, ends: Collection[str]) -> tuple[str, ...]:
        """The directories below which there is a file, each by how its path `ends`.

        Only files of packages built from the same source as `text` count.
        """
        files = self._of(text)
        found = {
            path.removesuffix(f"/{one}")
            for one in ends
            for path in files.get(name(one), ())
            if path.endswith(f"/{one}")
        }
        return tuple(sorted(found)) if len(found) <= _MOST else ()

    def _of(self, text: str) -> _ByName:
        """The files of the packages that a text's source has built, by their names."""
        packages, real = self._context.packages, self._context.files.real(text) if text else None
        with suppress(InputError):  # which others say
            owner = packages.of_all((real,)).packages[real] if real and in_system(real) else None
            if owner is not None and owner not in self._files:
                found = defaultdict[str, list[str]](list)
                for path in packages.kin(owner, needed=False).own:
                    if _ASIDE.isdisjoint(path.split("/")):
                        found[name(path)].append(path)
                self._files[owner] = found
            return self._files[owner] if owner is not None else {}
        return {}
