"""Image → one tar that is both an OCI image layout and a `docker save` archive.

It is the only shape that docker (both its stores), podman, skopeo (both its transports), umoci,
oras, ctr, crane and buildah all read. Readers of `index.json` ignore `RepoTags` and the others read
only that, so the full name stands in both. The directories of the layout come first: without them
skopeo makes them itself and gives them to root, which only root may do. Source: image-spec
image-layout.md; the docker-archive format as moby's `docker save` writes it.
"""

from msgspec.structs import replace

from rootfs_builder import tar
from rootfs_builder.image import Image, Index, canonical
from rootfs_builder.reference import Reference
from rootfs_builder.store import Store

_DIRECTORIES = b"".join(
    tar.header(name, kind=tar.DIRECTORY, mode=0o755) for name in (b"blobs/", b"blobs/sha256/")
)
FRONT = len(_DIRECTORIES)  # what a store leaves free for them


def write(image: Image, store: Store, *, name: Reference) -> None:
    """Turn the store's file into the archive of `image`, in place."""
    store.file.seek(0)
    store.file.write(_DIRECTORIES)
    for blob in store.blobs.values():
        store.file.seek(blob.offset - tar.BLOCK)
        store.file.write(tar.header(_member(blob.digest), size=blob.size))
    descriptor = replace(
        image.descriptor,
        annotations={
            "io.containerd.image.name": str(name),
            "org.opencontainers.image.ref.name": name.tag,
        },
    )
    legacy: list[object] = [
        {
            "Config": _member(image.manifest.config.digest).decode(),
            "RepoTags": [str(name)],
            "Layers": [_member(layer.digest).decode() for layer in image.manifest.layers],
        }
    ]
    store.file.seek(store.end)
    for member, data in (
        (b"oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        (b"index.json", canonical(Index((descriptor,)))),
        (b"manifest.json", canonical(legacy)),
    ):
        store.file.write(tar.header(member, size=len(data)) + data + tar.padding(len(data)))
    store.file.write(tar.END)
    store.file.truncate()


def _member(digest: str) -> bytes:
    return b"blobs/sha256/" + digest.removeprefix("sha256:").encode()
