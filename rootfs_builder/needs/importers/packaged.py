"""The file of a module that no search path has → where packages of the script's source have it.

A program may work out the directory of its modules when it runs: from settings, or by a function of
another module. What is called so in its own packages is what it means.
"""

from collections.abc import Collection
from contextlib import suppress

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.finder import Context

_MOST = 3  # directories: of more, a name means nothing


class Packaged:
    """Answers for one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = dict[str, frozenset[str]]()

    def directories(self, script: str, ends: Collection[str]) -> tuple[str, ...]:
        """The directories below which there is a file, each by how its path `ends`."""
        tails = tuple(f"/{one}" for one in ends)
        hits = (
            one.removesuffix(tail)
            for one in self._of(script)
            for tail in tails
            if one.endswith(tail)
        )
        found = sorted(set(hits))
        return tuple(found) if len(found) <= _MOST else ()

    def _of(self, script: str) -> frozenset[str]:
        """The files of the packages that a script's source has built."""
        if script not in self._files:
            self._files[script] = frozenset()
            real = self._context.files.real(script) if script else None
            with suppress(InputError):  # which others say
                if real is not None and in_system(real):
                    owner = self._context.packages.of_all((real,)).packages[real]
                    if owner is not None:
                        kin = self._context.packages.kin(owner, needed=False)
                        self._files[script] = frozenset(kin.own)
        return self._files[script]
