"""A `docker save` archive: manifest.json names a config and the layers by their paths."""

from rootfs_builder.archives.packed import Members, Packed, document, packed
from rootfs_builder.errors import InputError
from rootfs_builder.root import Source


def read(members: Members) -> tuple[Packed, ...] | None:
    """Every image of the archive; None where it has no manifest.json."""
    if members("manifest.json") is None:
        return None
    return tuple(
        packed(document(members, one["Config"]), [_layer(members, name) for name in one["Layers"]])
        for one in document(members, "manifest.json")
    )


def _layer(members: Members, name: str) -> Source:
    source = members(name)
    if source is None:
        raise InputError(f"{name} is missing")
    return source
