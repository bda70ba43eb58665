"""Bytes → blobs with their digests: the only place that hashes and compresses, in one pass.

Blobs lie one behind the other in a single file, each with room for a tar header in front and
padded to tar blocks, so that an archive is finished in place: a layer is written to the disk once.

A layer is compressed in units, each an independent gzip member, so that the bytes do not depend on
the number of cores and an edit changes its own unit only. The gzip header is spelt out here and the
compressor is pinned, because both differ between versions of zlib (RFC 1952, RFC 1951).
"""

import hashlib
import os
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import BinaryIO, Literal

import deflate
from msgspec import Struct

from rootfs_builder.errors import RootfsError
from rootfs_builder.tar import BLOCK, padding

Codec = Literal["gzip", "none"]

_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # deflate, no flags, no time, unknown system
_LEVEL = 6
_KNOWN = b"".join(b"%x rootfs %d" % (i * 2654435761 % 2**32, i % 7) for i in range(1000))
_KNOWN_SHA256 = "0747a684553dd89635e7ef8696f5559d7752e14686af6d2204ebd71c07182c59"
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

        stream = _members(hashed()) if codec == "gzip" else hashed()
        blob = self._write(stream)
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


def _member(unit: bytes) -> bytes:
    body = deflate.deflate_compress(unit, _LEVEL)
    trailer = struct.pack("<II", deflate.crc32(unit), len(unit) & 0xFFFFFFFF)
    return _GZIP_HEADER + bytes(body) + trailer


def _check_compressor() -> None:
    """A digest must mean the same everywhere: refuse a compressor that writes other bytes."""
    if hashlib.sha256(_member(_KNOWN)).hexdigest() != _KNOWN_SHA256:
        raise RootfsError(
            "the compressor writes other bytes than it did when this version was made, so digests "
            "would not be reproducible; install exactly the version of `deflate` it asks for"
        )


def _members(units: Iterator[bytes]) -> Iterator[bytes]:
    """Each unit as a gzip member, in order, on as many cores as there are."""
    _check_compressor()
    first = list(islice(units, _PARALLEL_FROM))
    cores = len(os.sched_getaffinity(0))
    if len(first) < _PARALLEL_FROM or cores == 1:
        yield from map(_member, first)
        yield from map(_member, units)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for unit in chain(first, units):
                waiting.append(pool.submit(_member, unit))
                if len(waiting) > 2 * cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
