"""A `docker save` archive: manifest.json names a config and the layers by their paths."""

from rootfs_builder.image.archives.packed import Members, Packed, document, packed


def read(members: Members) -> tuple[Packed, ...] | None:
    """Every image of the archive; None where it has no manifest.json with a list in it."""
    if members("manifest.json") is None:
        return None
    images = document(members, "manifest.json")
    if not isinstance(images, list):
        return None
    return tuple(
        packed(
            members, one["Config"], one["Layers"], names=tuple(map(str, one.get("RepoTags") or ()))
        )
        for one in images
    )
