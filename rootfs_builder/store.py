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
from itertools import chain, islice
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
    """Content-addressed bytes in one file, which must be open for reading and writing."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.blobs: dict[str, Blob] = {}
        self._end = 0

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

        def hashed() -> Iterator[bytes]:
            for unit in units:
                whole.update(unit)
                progress(len(unit))
                yield unit

        blob = self._write(_members(hashed(), codecs.compressor(codec)))
        return blob, f"sha256:{whole.hexdigest()}"

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


def _members(units: Iterator[bytes], member: Compress) -> Iterator[bytes]:
    """Each unit as a member, in order, on as many cores as there are."""
    first = list(islice(units, _PARALLEL_FROM))
    cores = len(os.sched_getaffinity(0))
    if len(first) < _PARALLEL_FROM or cores == 1:
        yield from map(member, first)
        yield from map(member, units)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for unit in chain(first, units):
                waiting.append(pool.submit(member, unit))
                if len(waiting) > 2 * cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
