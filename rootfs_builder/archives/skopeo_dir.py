"""What skopeo's `dir:` transport writes: a manifest, and each blob under the hex of its digest."""

from rootfs_builder.archives.packed import Members, Packed, document, packed
from rootfs_builder.errors import InputError
from rootfs_builder.root import Source


def read(members: Members) -> tuple[Packed, ...] | None:
    """The image of the directory; None where it has no manifest.json of that kind."""
    if members("version") is None or members("manifest.json") is None:
        return None
    manifest = document(members, "manifest.json")
    config = document(members, _hex(manifest["config"]["digest"]))
    return (packed(config, [_blob(members, layer["digest"]) for layer in manifest["layers"]]),)


def _blob(members: Members, digest: str) -> Source:
    source = members(_hex(digest))
    if source is None:
        raise InputError(f"the layer {digest} is missing")
    return source


def _hex(digest: str) -> str:
    return digest.partition(":")[2]
