"""Image → a tar, or a directory, in one of the formats that others read.

Each format is the store's blobs and the documents that lead to them; an OCI layout has
`index.json`, a `docker save` archive `manifest.json`. The hybrid has both, and so is the only one
that docker (both its stores), podman, skopeo (both its transports), umoci, oras, ctr, crane and
buildah all read. Readers of `index.json` ignore `RepoTags` and the others read only that, so the
full name stands in both. Source: image-spec image-layout.md; the archive of moby's `docker save`.
"""

import hashlib
import os
from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace

from rootfs_builder import __version__
from rootfs_builder.filesystem.root import chunks
from rootfs_builder.filesystem.slices import Slice
from rootfs_builder.image import Descriptor, Image, Index, canonical, tar
from rootfs_builder.image.store import Store
from rootfs_builder.paths import encode
from rootfs_builder.recipe.reference import Reference

_DIRECTORIES = ("blobs/", "blobs/sha256/")  # without them skopeo makes them for root, as anybody
_UNIT = 1 << 20
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


def documents(
    image: Image, *, name: Reference, shape: str, extra: Mapping[str, bytes] = _NOTHING
) -> dict[str, bytes]:
    """What stands beside the blobs of `image`, by its names; `extra` comes last."""
    layout = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": canonical(Index((descriptor(image, name),))),
    }
    saved: list[object] = [
        {
            "Config": _path(image.manifest.config.digest),
            "RepoTags": [str(name)],
            "Layers": [_path(layer.digest) for layer in image.manifest.layers],
        }
    ]
    legacy = {"manifest.json": canonical(saved)}
    return {"hybrid": layout | legacy, "oci": layout, "docker": legacy}[shape] | dict(extra)


def identity(image: Image, documents: Mapping[str, bytes]) -> bytes:
    """The SHA-256 of what decides each byte of an archive: known before there is one."""
    found = hashlib.sha256(f"{__version__} {image.descriptor.digest}\n".encode())
    for member, data in documents.items():
        found.update(f"{member} {len(data)}\n".encode() + data)
    return found.digest()


def archive(store: Store, documents: Mapping[str, bytes]) -> None:
    """Turn the store's file into an archive, in place."""
    store.file.seek(0)
    for directory in _DIRECTORIES:
        store.file.write(tar.header(directory.encode(), kind=tar.DIRECTORY, mode=0o755))
    for blob in store.blobs.values():
        store.file.seek(blob.offset - tar.BLOCK)
        store.file.write(tar.header(_path(blob.digest).encode(), size=blob.size))
    store.file.seek(store.end)
    for member, data in documents.items():
        store.file.write(
            tar.header(member.encode(), size=len(data)) + data + tar.padding(len(data))
        )
    store.file.write(tar.END)
    store.file.truncate()


def directory(store: Store, documents: Mapping[str, bytes], path: str) -> None:
    """Write an OCI layout into the empty directory `path`."""
    base = encode(path)
    os.makedirs(os.path.join(base, b"blobs", b"sha256"))
    store.file.flush()
    for blob in store.blobs.values():
        with open(os.path.join(base, _path(blob.digest).encode()), "xb") as stream:
            stream.writelines(chunks(Slice(store.file, blob.offset, blob.size), _UNIT))
    for member, data in documents.items():
        with open(os.path.join(base, member.encode()), "xb") as stream:
            stream.write(data)


def descriptor(image: Image, name: Reference) -> Descriptor:
    """What `index.json` says of an image: the manifest, its platform, its names."""
    return replace(
        image.descriptor,
        annotations={
            "io.containerd.image.name": str(name),
            "org.opencontainers.image.ref.name": name.tag,
        },
    )


def _path(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
