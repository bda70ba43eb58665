"""An OCI layout that is a `docker save` archive too.

It is the only format that docker (both its stores), podman, skopeo (both its transports), umoci,
oras, ctr, crane and buildah all read. Readers of `index.json` ignore `RepoTags`, and the others
read only that, so the full name is in both.
"""

from rootfs_builder.image import Image
from rootfs_builder.image.archives import docker, oci
from rootfs_builder.image.archives.sinks import Sink


def write(image: Image, sink: Sink) -> None:
    """Write an image with the documents of both formats."""
    sink.image(image, oci.documents(image) | docker.documents(image))
