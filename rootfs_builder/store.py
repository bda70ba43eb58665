"""Bytes → blobs with their digests: the only place that hashes and compresses, in one pass.

Blobs lie one behind the other in a single file, each with room for a tar header in front and
padded to tar blocks, so that an archive is finished in place: a layer is written to the disk once.

A layer is compressed in units, each by itself, so that the bytes do not depend on the number of
cores and an edit changes its own unit only.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from threading import Thread
from typing import BinaryIO

from msgspec import Struct

from rootfs_builder import codecs
from rootfs_builder.codecs import Codec, Compress
from rootfs_builder.tar import BLOCK, padding

_PARALLEL_FROM = 4  # units: fewer are done before a pool would have started


class Blob(Struct, frozen=True):
    """Bytes in a store: `offset` and `size` in its file."""

    digest: str
    size: int
    offset: int


class Store:
    """Content-addressed bytes in one file, which must be open for reading and writing.

    The first `front` bytes are left to others.
    """

    def __init__(self, file: BinaryIO, *, front: int = 0) -> None:
        self.file = file
        self.blobs: dict[str, Blob] = {}
        self._end = front

    def add(self, data: bytes) -> Blob:
        """Keep a document."""
        return self._write((data,))

    def compress(
        self,
        units: Iterable[bytes],
        codec: Codec,
        progress: Callable[[int], None] = lambda _: None,
    ) -> tuple[Blob, str]:
        """Keep a stream, each unit compressed by itself: the blob and the digest of the stream.

        `progress` is told the uncompressed bytes of each unit as it is done.
        """
        whole = hashlib.sha256()
        plain = codec.name == "none"

        def hashed() -> Iterator[bytes]:
            for unit in units:
                if not plain:
                    whole.update(unit)
                progress(len(unit))
                yield unit

        blob = self._write(_members(hashed(), codecs.compressor(codec)))
        return blob, blob.digest if plain else f"sha256:{whole.hexdigest()}"

    def _write(self, pieces: Iterable[bytes]) -> Blob:
        offset = self._end + BLOCK
        self.file.seek(offset)
        digest, size = hashlib.sha256(), 0
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            self.file.write(piece)
        name = f"sha256:{digest.hexdigest()}"
        if name in self.blobs:  # the same bytes again: what follows is written over them
            return self.blobs[name]
        self.file.write(padding(size))
        self._end = offset + size + len(padding(size))
        self.blobs[name] = Blob(name, size, offset)
        return self.blobs[name]

    @property
    def end(self) -> int:
        """Where the file ends, in bytes."""
        return self._end


class _Member(Thread):
    """One unit on its way to its member.

    A thread a unit: that costs less than the import of a pool. What goes wrong in it goes wrong
    once more in `result`, where it is seen.
    """

    def __init__(self, compress: Compress, unit: bytes) -> None:
        super().__init__(daemon=True)
        self._compress, self._unit = compress, unit
        self._member: bytes | None = None
        self.start()

    def run(self) -> None:
        with suppress(Exception):
            self._member = self._compress(self._unit)

    def result(self) -> bytes:
        self.join()
        return self._compress(self._unit) if self._member is None else self._member


def _members(units: Iterator[bytes], compress: Compress) -> Iterator[bytes]:
    """Each unit as a member, in order, on as many cores as there are."""
    first = list(islice(units, _PARALLEL_FROM))
    cores = len(os.sched_getaffinity(0))
    if len(first) < _PARALLEL_FROM or cores == 1:
        yield from map(compress, chain(first, units))
        return
    waiting: deque[_Member] = deque()
    for unit in chain(first, units):
        waiting.append(_Member(compress, unit))
        if len(waiting) > 2 * cores:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
