"""Bytes → their digest, as descriptors spell it (image-spec, descriptor.md, Digests)."""

import hashlib
from collections.abc import Iterable, Iterator

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import Source, chunks
from rootfs_builder.paths import printable

_UNIT = 1 << 20


def of_bytes(data: bytes) -> str:
    """The SHA-256 of a document."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def of(source: Source, algorithm: str = "sha256") -> str:
    """The digest of content that may be large."""
    found = hashlib.new(algorithm)
    for piece in chunks(source, _UNIT):
        found.update(piece)
    return f"{algorithm}:{found.hexdigest()}"


def confirm(source: Source, digest: str) -> None:
    """Compare content with the digest of its descriptor; an empty digest is not compared.

    Raises:
        InputError: it is the digest of other bytes.
    """
    if digest:
        for _ in confirmed(chunks(source, _UNIT), digest):
            pass


def confirmed(pieces: Iterable[bytes], digest: str) -> Iterator[bytes]:
    """The pieces of content that has this digest.

    Raises:
        InputError: after the last, if it is the digest of other bytes.
    """
    algorithm, _, encoded = digest.partition(":")
    found = hashlib.new(algorithm)
    for piece in pieces:
        found.update(piece)
        yield piece
    if found.hexdigest() != encoded:
        raise InputError(f"the blob {printable(digest)} has other bytes than its digest says")
