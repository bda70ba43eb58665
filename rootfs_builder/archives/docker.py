"""A `docker save` archive: manifest.json names a config and the layers by their paths."""

from rootfs_builder.archives.packed import Members, Packed, blob, document, packed


def read(members: Members) -> tuple[Packed, ...] | None:
    """Every image of the archive; None where it has no manifest.json with a list in it."""
    if members("manifest.json") is None:
        return None
    images = document(members, "manifest.json")
    if not isinstance(images, list):
        return None
    return tuple(
        packed(document(members, one["Config"]), [blob(members, name) for name in one["Layers"]])
        for one in images
    )
