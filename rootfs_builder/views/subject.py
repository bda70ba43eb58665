"""An image of any source, or a directory → what is compared and checked: one `Subject`.

Which package a file belongs to comes from `rootfs-builder.json`, or else from the package databases
that the image has in it.
"""

from contextlib import suppress
from typing import Any

from msgspec import Struct, json

from rootfs_builder.errors import NotFoundError
from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.root import Root, tree
from rootfs_builder.image import Image, provenance, unpack
from rootfs_builder.paths import ROOT, ImagePath
from rootfs_builder.plan import Entry, Plan, Reason, ReasonKind, order
from rootfs_builder.views import inspection
from rootfs_builder.views.inspection import LayerRecord

_WHY = (Reason(ReasonKind.IMAGE),)


class Subject(Struct, frozen=True):
    """What is in an image or a directory.

    `config` is the image's document with the manifest's annotations beside it; a directory has None
    and no layers, and what its owners are depends on who made it, so they are all root here.
    """

    plan: Plan
    names: tuple[str, ...] = ()
    platform: str = ""
    digest: str = ""
    config: dict[str, Any] | None = None
    layers: tuple[LayerRecord, ...] = ()


def of_image(image: Image, beside: Source | None, reader: unpack.Reader) -> Subject:
    """Read an image; `beside` is the `rootfs-builder.json` there, `reader` reads its layers.

    Raises:
        InputError: a layer or a document is damaged.
        LimitError: reading it would cost more than it may.
    """
    record = None
    with suppress(NotFoundError):  # an image of others has no reasons
        record = provenance.load(beside, (image,), reader.meter)
    unpacked = provenance.unpacked(image, record, reader)
    config = json.decode(image.document) if image.document else {}
    annotations = json.decode(image.manifest).get("annotations") if image.manifest else None
    return Subject(
        plan=inspection.with_packages(unpacked.plan),
        names=image.names,
        platform=str(image.platform) if image.document else "",
        digest=image.digest,
        config={**config, "annotations": annotations} if annotations else config,
        layers=tuple(map(inspection.layer_record, image.layers, unpacked.tars)),
    )


def of_directory(root: Root) -> Subject:
    """Read a directory as the root of an image; devices, sockets and the like are left out.

    Raises:
        InputError: a file cannot be read, or has a name that no image can have.
        OSError: a directory cannot be listed.
    """
    entries = []
    for path, node in tree(root):
        if path == ROOT or node.kind == "special":
            continue
        is_file = node.kind == "file"
        entries.append(
            Entry(
                ImagePath(path),
                node.kind,
                node.mode,
                _WHY,
                content=root.open(path) if is_file else None,
                target=root.readlink(path) if node.kind == "symlink" else "",
                capability=root.capability(path) if is_file else b"",
            )
        )
    return Subject(inspection.with_packages(Plan(order(entries))))
