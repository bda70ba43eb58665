"""A unit of a layer → the member that it is kept as: gzip, zstd, or its bytes themselves.

A member is complete in itself (RFC 1952, section 2.2; RFC 8878, section 3.1), so that the bytes of
a layer depend neither on the number of cores nor on what stands before. The gzip header is spelt
out here, and the compressors are pinned and checked, because both differ between versions: a digest
must mean the same everywhere. A zstd frame names its content's size, and its window is no larger
than a unit: readers refuse windows of over 128 MiB.
"""

import hashlib
import struct
from collections.abc import Callable

from rootfs_builder.errors import RootfsError
from rootfs_builder.recipe.codec import DEFAULT_LEVELS, Codec

Compress = Callable[[bytes], bytes]

_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # deflate, no flags, no time, unknown system
_KNOWN = b"".join(b"%x rootfs %d" % (i * 2654435761 % 2**32, i % 7) for i in range(1000))
_KNOWN_SHA256 = {
    "gzip": "0747a684553dd89635e7ef8696f5559d7752e14686af6d2204ebd71c07182c59",
    "zstd": "3e4f6fa7fbcdb2cab166b843f55bad55366474f1d70052cfe3ad9c0e09baf285",
}


def compressor(codec: Codec) -> Compress:
    """What turns a unit into its member; it may run in several threads at once.

    Raises:
        RootfsError: the compressor that is installed writes other bytes than the one pinned.
    """
    if codec.name == "none":
        return lambda unit: unit
    make = _gzip if codec.name == "gzip" else _zstd
    known = make(DEFAULT_LEVELS[codec.name])(_KNOWN)
    if hashlib.sha256(known).hexdigest() != _KNOWN_SHA256[codec.name]:
        library = "deflate" if codec.name == "gzip" else "zstandard"
        raise RootfsError(
            "the compressor writes other bytes than it did when this version was made, so digests "
            f"would not be reproducible; install exactly the version of `{library}` it asks for"
        )
    return make(codec.level)


def _gzip(level: int) -> Compress:
    import deflate

    def member(unit: bytes) -> bytes:
        body = deflate.deflate_compress(unit, level)
        trailer = struct.pack("<II", deflate.crc32(unit), len(unit) & 0xFFFFFFFF)
        return b"".join((_GZIP_HEADER, body, trailer))

    return member


def _zstd(level: int) -> Compress:
    import zstandard

    # One compressor a unit: they are not for two threads. Always the one-shot call, never its
    # threads: the streaming and the threaded one write other bytes.
    return lambda unit: zstandard.ZstdCompressor(level=level).compress(unit)
