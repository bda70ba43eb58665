"""Bytes → their digest, as descriptors spell it (image-spec, descriptor.md, Digests)."""

import hashlib

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.root import Source, chunks
from rootfs_builder.paths import printable

_UNIT = 1 << 20
_ALGORITHMS = ("sha256", "sha512")  # those that the specification registers


def of_bytes(data: bytes) -> str:
    """The SHA-256 of a document."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def of(source: Source, algorithm: str = "sha256") -> str:
    """The digest of content that may be large."""
    digest = hashlib.new(algorithm)
    for piece in chunks(source, _UNIT):
        digest.update(piece)
    return f"{algorithm}:{digest.hexdigest()}"


def confirm(source: Source, digest: str) -> None:
    """Compare content with the digest of its descriptor.

    An empty digest, or one of an algorithm that is not registered, is not compared.

    Raises:
        InputError: it is the digest of other bytes.
    """
    algorithm = digest.partition(":")[0]
    if algorithm in _ALGORITHMS and of(source, algorithm) != digest:
        raise mismatch(digest)


def mismatch(digest: str) -> InputError:
    """The error for content that does not have its digest."""
    return InputError(f"the blob {printable(digest)} has other bytes than its digest says")
