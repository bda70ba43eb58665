"""What runs remember for each other: the user's cache, and what is known of a build's files."""

import hashlib
import os

from rootfs_builder import __version__
from rootfs_builder.cache import Cache
from rootfs_builder.facts import Facts
from rootfs_builder.paths import decode
from rootfs_builder.recipe import Recipe

LIMIT = 2 << 30  # bytes


def directory() -> str:
    """Where the cache is, as the XDG Base Directory Specification says; empty for nowhere."""
    base = os.environb.get(b"XDG_CACHE_HOME", b"")
    if not base.startswith(b"/"):  # the specification: such a path is to be ignored
        base = os.path.expanduser(b"~/.cache")
    return decode(os.path.join(base, b"rootfs-builder")) if base.startswith(b"/") else ""


def cache() -> Cache:
    """The user's cache."""
    return Cache(directory(), limit=LIMIT)


class Memory:
    """The cache, and the facts about the files that this build read the last time."""

    def __init__(self, recipe: Recipe, sysroot: str | None, *, use: bool) -> None:
        self.cache = cache() if use else Cache()
        build = "\0".join((__version__, sysroot or "", *recipe.executables))
        self._build = hashlib.sha256(build.encode(errors="surrogatepass")).digest()
        self.facts = Facts(self.cache.get("facts", self._build) or b"")

    def keep(self) -> None:
        """Remember what this run found out."""
        learnt = self.facts.save(self.cache.started)
        if learnt is not None:
            self.cache.put("facts", self._build, learnt)
        self.cache.tidy()
