"""Where an image is written: a tar, which is finished in the store's own file, or a directory."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from rootfs_builder import output
from rootfs_builder.filesystem.content import BytesSource, Source, chunks
from rootfs_builder.image import Image, digests, tar
from rootfs_builder.image.store import Store
from rootfs_builder.paths import encode

_DIRECTORIES = ("blobs/", "blobs/sha256/")  # without them skopeo makes them for root, as anybody
_UNIT = 1 << 20
Path = Callable[[str], str]


def blob_path(digest: str) -> str:
    """Where a blob is (image-spec, image-layout.md, Blobs)."""
    algorithm, _, encoded = digest.partition(":")
    return f"blobs/{algorithm}/{encoded}"


class Sink(Protocol):
    """What a format is written to."""

    def image(self, image: Image, documents: Mapping[str, bytes], path: Path = blob_path) -> None:
        """Write every blob of an image, and then the documents that lead to them, by name.

        `path` is where a blob is, by its digest.
        """

    def file(self, name: str, data: bytes) -> None:
        """Write a further file."""

    def end(self) -> int:
        """Write all that is not there yet; how many bytes the image takes there."""


def _blobs(image: Image) -> Iterator[tuple[str, Source]]:
    """The blobs of an image, layers first, each once."""
    layers = {layer.descriptor.digest: layer.blob for layer in image.layers}
    documents = {
        digests.of_bytes(one): BytesSource(one) for one in (image.document, image.manifest)
    }
    yield from layers.items()
    yield from documents.items()


class Archive:
    """A tar. A blob that the store has is written once: the tar grows around it.

    `scratch` opens a temporary file, for a format that cannot be written around blobs.
    """

    def __init__(
        self, store: Store, scratch: Callable[[], AbstractContextManager[BinaryIO]]
    ) -> None:
        self.scratch = scratch
        self._store = store
        self._files: dict[str, bytes] = {}
        self._path: Path = blob_path
        self._replaced = False

    def image(self, image: Image, documents: Mapping[str, bytes], path: Path = blob_path) -> None:
        """See Sink."""
        self._path = path
        for digest, content in _blobs(image):
            self._store.adopt(content, digest)
        self._files |= documents

    def file(self, name: str, data: bytes) -> None:
        """See Sink."""
        self._files[name] = data

    def replace(self, pieces: Iterable[bytes]) -> None:
        """Let the file have these bytes instead; none of them may come from the store."""
        self._replaced = True
        self._store.file.seek(0)
        self._store.file.writelines(pieces)

    def end(self) -> int:
        """See Sink; the file is cut where the tar ends."""
        if not self._replaced:
            self._headers()
            self._store.file.seek(self._store.end)
            for name, data in self._files.items():
                self._store.file.write(tar.header(name.encode(), size=len(data)))
                self._store.file.write(data + tar.padding(len(data)))
            self._store.file.write(tar.END)
        return self._store.file.truncate()

    def _headers(self) -> None:
        """The headers in front of the blobs, where the store left room."""
        self._store.file.seek(0)
        for directory in _DIRECTORIES:
            header = tar.header(directory.encode(), kind=tar.DIRECTORY, mode=0o755)
            self._store.file.write(header)
        for blob in self._store.blobs.values():
            self._store.file.seek(blob.offset - tar.BLOCK)
            self._store.file.write(tar.header(self._path(blob.digest).encode(), size=blob.size))


class Directory:
    """An empty directory; its size is that of the blobs."""

    def __init__(self, path: str) -> None:
        self._size = 0
        self._base = encode(path)
        self._blobs: set[str] = set()

    def image(self, image: Image, documents: Mapping[str, bytes], path: Path = blob_path) -> None:
        """See Sink."""
        for digest, content in _blobs(image):
            if digest in self._blobs:  # of another image of an index
                continue
            self._blobs.add(digest)
            confirmed = digests.confirmed(chunks(content, _UNIT), digest)
            self._write(path(digest), confirmed)
            self._size += content.size
        for name, data in documents.items():
            self.file(name, data)

    def file(self, name: str, data: bytes) -> None:
        """See Sink."""
        self._write(name, (data,))

    def end(self) -> int:
        """See Sink."""
        return self._size

    def _write(self, name: str, pieces: Iterable[bytes]) -> None:
        path = os.path.join(self._base, name.encode())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as stream:
            stream.writelines(pieces)
            output.sync(stream)
