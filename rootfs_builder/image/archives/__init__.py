"""An Image as one file or directory, in the formats that other programs use.

A format is a module. One that we read has `read(members)`, which gives its images, or None where
the members are not of its format; one that we write has `write(image, sink)`.

To add one: write the module, and put its name into `READ`, `WRITTEN` or both.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from rootfs_builder.errors import UsageError

if TYPE_CHECKING:  # imported when it is used: who writes an archive reads none
    from rootfs_builder.image import Image
    from rootfs_builder.image.archives.members import Members
    from rootfs_builder.image.archives.sinks import Sink

READ = ("oci", "skopeo_dir", "docker")  # an archive that is several is taken for the first
WRITTEN = ("hybrid", "oci", "docker", "skopeo_dir")


def read(members: "Members") -> "tuple[Image, ...]":
    """The images among the members of an archive or directory; () where it has none.

    Raises:
        InputError: its documents are damaged.
        LimitError: reading them would cost more than it may.
    """
    for name in READ:
        images: tuple[Image, ...] = import_module(f"{__name__}.{name}").read(members)
        if images:
            return images
    return ()


def write(image: "Image", sink: "Sink", *, shape: str, beside: Mapping[str, bytes]) -> None:
    """Put an image into a sink in the format `shape`; `beside` are further files, by name.

    Raises:
        UsageError: there is no such format.
        InputError: a blob is not what its digest says.
    """
    if shape not in WRITTEN:
        raise UsageError(f"{shape}: not a format; one of {', '.join(WRITTEN)}")
    if not image.manifest:
        from rootfs_builder.image.archives import docker

        image = docker.completed(image)
    import_module(f"{__name__}.{shape}").write(image, sink)
    for name, data in beside.items():
        sink.file(name, data)


def write_index(
    images: "tuple[Image, ...]", sink: "Sink", *, shape: str, beside: Mapping[str, bytes]
) -> bytes:
    """Put images of one name into a sink, as one index: its document; `beside` are further files.

    In a `hybrid` the first is the one for readers that know no index.

    Raises:
        InputError: a blob is not what its digest says.
    """
    from rootfs_builder.image.archives import docker, oci

    document = oci.index(images)
    for image in images:
        sink.image(image, {})
    documents = oci.index_documents(document, images[0].names)
    if shape == "hybrid":
        documents |= docker.documents(images[0])
    for name, data in {**documents, **beside}.items():
        sink.file(name, data)
    return document
