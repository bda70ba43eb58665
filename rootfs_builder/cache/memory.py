"""What builds remember for each other: the facts about the files they read, and their output."""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress

from rootfs_builder.cache import Cache
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.filesystem.content import Stamp
from rootfs_builder.paths import encode
from rootfs_builder.version import __version__

_SECOND = 10**9  # nanoseconds


class BuildFacts:
    """The facts about the files that a build read the last time; `inputs` name the build."""

    def __init__(self, cache: Cache, inputs: Iterable[str]) -> None:
        build = "\0".join((__version__, *inputs))
        self._cache = cache
        self._key = hashlib.sha256(build.encode(errors="surrogatepass")).digest()
        self.facts = FileFacts(cache.get("facts", self._key) or b"")

    def keep(self) -> None:
        """Remember what this run found out."""
        if not self._cache:
            return
        learnt = self.facts.serialize(self._cache.started)
        if learnt is not None:
            self._cache.put("facts", self._key, learnt)
        self._cache.tidy()


class LastOutput:
    """What the last run wrote to a file: what need not be written again while it is still that.

    It is that while its stamp is the same. A change within the same tick of the file system's clock
    would leave the stamp as it is, so the clock ticks once before anything is remembered, and one
    that may tick in seconds is not waited for.
    """

    def __init__(self, cache: Cache, path: str) -> None:
        self._cache = cache
        self._key = hashlib.sha256(os.path.realpath(encode(path))).digest()

    def was(self, seal: bytes, stamp: Stamp) -> bool:
        """Whether the file with this stamp is the archive with this seal."""
        return bytes(self._cache.get("output", self._key) or b"") == _with_stamp(seal, stamp)

    def keep(self, seal: bytes, stamp: Stamp) -> None:
        """Remember that it is."""
        with suppress(OSError):
            if self._cache and stamp[4] % _SECOND and self._cache.ticks_after(max(stamp[3:])):
                self._cache.put("output", self._key, _with_stamp(seal, stamp))


def _with_stamp(seal: bytes, stamp: Stamp) -> bytes:
    return hashlib.sha256(seal + repr(stamp).encode()).digest()
