"""What skopeo's `dir:` transport writes: a manifest, and each blob under the hex of its digest."""

from rootfs_builder.image import Image, Manifest
from rootfs_builder.image.archives.members import Members
from rootfs_builder.image.archives.sinks import Sink

_NAME = "manifest.json"


def read(members: Members) -> tuple[Image, ...] | None:
    """The image of the directory; None where it has no manifest.json of that kind."""
    if members.find("version") is None or members.find(_NAME) is None:
        return None
    manifest = members.parsed(_NAME, Manifest)
    return (
        members.image(
            _hex(manifest.config.digest),
            [(_hex(layer.digest), layer) for layer in manifest.layers],
            digest=manifest.config.digest,
            manifest=members.document(_NAME),
            media_type=manifest.media_type,
        ),
    )


def write(image: Image, sink: Sink) -> None:
    """Write an image as skopeo does, which keeps no name of it."""
    documents = {"version": b"Directory Transport Version: 1.1\n", _NAME: image.manifest}
    sink.image(image, documents, _hex)


def _hex(digest: str) -> str:
    return digest.partition(":")[2]
