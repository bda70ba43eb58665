"""What skopeo's `dir:` transport writes: a manifest, and each blob under the hex of its digest."""

from rootfs_builder.image.archives.packed import Members, Packed, blob, document, packed, sha256


def read(members: Members) -> tuple[Packed, ...] | None:
    """The image of the directory; None where it has no manifest.json of that kind."""
    if members("version") is None or members("manifest.json") is None:
        return None
    manifest = document(members, "manifest.json")
    layers = [str(layer["digest"]) for layer in manifest["layers"]]
    digest = sha256(blob(members, "manifest.json"))
    config = _hex(manifest["config"]["digest"])
    blobs = [_hex(layer) for layer in layers]
    return (
        packed(
            members,
            config,
            blobs,
            digest=digest,
            digests=tuple(layers),
            config_digest=str(manifest["config"]["digest"]),
        ),
    )


def _hex(digest: str) -> str:
    return digest.partition(":")[2]
