"""What runs remember for each other: the user's cache, of a build's files, and of its output."""

import hashlib
import os
import select
from contextlib import suppress

from rootfs_builder import __version__
from rootfs_builder.cache import Cache
from rootfs_builder.cache.file_facts import Facts
from rootfs_builder.filesystem.root import Stamp
from rootfs_builder.paths import decode, encode
from rootfs_builder.recipe import Recipe

LIMIT = 2 << 30  # bytes
_SECOND = 10**9  # nanoseconds
_TICK = 0.001  # seconds: the clock of most file systems ticks every one to ten of these
_TICKS = 20


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


class LastOutput:
    """What the last run wrote to a file: what need not be written again while it is still that.

    It is that while its stamp is the same. A change within the same tick of the file system's clock
    would leave the stamp as it is, so the clock ticks once before anything is remembered, and one
    that may tick in seconds is not waited for.
    """

    def __init__(self, cache: Cache, path: str) -> None:
        self._cache = cache
        self._key = hashlib.sha256(os.path.realpath(encode(path))).digest()

    def was(self, identity: bytes, stamp: Stamp) -> bool:
        """Whether the file with this stamp is the archive with this identity."""
        return bytes(self._cache.get("output", self._key) or b"") == _seal(identity, stamp)

    def keep(self, identity: bytes, stamp: Stamp) -> None:
        """Remember that it is."""
        with suppress(OSError):
            if self._has_ticked(stamp):
                self._cache.put("output", self._key, _seal(identity, stamp))

    def _has_ticked(self, stamp: Stamp) -> bool:
        if not self._cache or stamp[4] % _SECOND == 0:
            return False
        for _ in range(_TICKS):
            if self._cache.now() > max(stamp[3:]):
                return True
            select.select((), (), (), _TICK)
        return False


def _seal(identity: bytes, stamp: Stamp) -> bytes:
    return hashlib.sha256(identity + repr(stamp).encode()).digest()
