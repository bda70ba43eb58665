"""An image as it lies in a file → what is in it, as one document.

Files, owners, modes and sizes are read from the layers, whoever made them; why a file is there only
`rootfs-builder.json` knows.
"""

from itertools import zip_longest
from typing import Any, BinaryIO

from msgspec import Struct

from rootfs_builder.errors import NotFoundError
from rootfs_builder.filesystem.root import Source
from rootfs_builder.image import provenance, unpack
from rootfs_builder.image.archives.packed import Packed, sha256
from rootfs_builder.plan import Plan, hard_links


class Layer(Struct, frozen=True, omit_defaults=True):
    """A layer: bytes as stored and unpacked; its digests and history as the image tells them."""

    size: int
    unpacked: int
    files: int
    digest: str = ""
    diff_id: str = ""
    created_by: str = ""


class Totals(Struct, frozen=True):
    """What a container sees; the bytes of a file with several names count once."""

    files: int
    directories: int
    symlinks: int
    hardlinks: int
    bytes: int


class Inspection(Struct, frozen=True, omit_defaults=True):
    """The document. `config` is the image's own, `absent` says why there are no reasons."""

    names: tuple[str, ...]
    platform: str
    config: dict[str, Any]
    layers: tuple[Layer, ...]
    totals: Totals
    findings: tuple[provenance.Said, ...]
    entries: tuple[provenance.File, ...]
    digest: str = ""
    config_digest: str = ""
    tool: provenance.Tool | None = None
    absent: str = ""


def of(image: Packed, beside: Source | None, scratch: BinaryIO) -> Inspection:
    """Look at an image; `beside` is the `rootfs-builder.json` there, `scratch` as for `unpack`.

    Raises:
        InputError: a layer or a document is damaged.
    """
    unpacked = unpack.unpacked(image.whole_layers(), scratch)
    plan, found, absent = unpacked.plan, None, ""
    try:
        found = provenance.of(beside, configs=(image.config,))
        plan = provenance.explain(plan, found)
    except NotFoundError as error:
        absent = str(error)
    links = hard_links(plan.entries)
    files = [one for one in plan.entries if one.content is not None and one.path not in links]
    contents = {one.path: sha256(one.content) for one in files if one.content is not None}
    return Inspection(
        names=image.names,
        platform=image.platform,
        digest=image.digest,
        config_digest=image.config,
        config=image.document,
        layers=_layers(image, unpacked.tars),
        totals=_totals(plan, len(links)),
        findings=provenance.said(plan.findings),
        entries=provenance.files(plan, unpacked.numbers, contents),
        tool=found.tool if found else None,
        absent=absent,
    )


def _layers(image: Packed, tars: tuple[unpack.Tar, ...]) -> tuple[Layer, ...]:
    rootfs, history = image.document.get("rootfs"), image.document.get("history")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else ()
    steps = [one for one in _list(history) if isinstance(one, dict) and not one.get("empty_layer")]
    said = zip_longest(  # the image may tell less than there is, and more
        image.digests,
        _list(diff_ids),
        (str(one.get("created_by") or "") for one in steps),
        (None for _ in tars),
        fillvalue="",
    )
    return tuple(
        Layer(source.size, tar.size, tar.files, digest, str(diff_id), created_by)
        for source, tar, (digest, diff_id, created_by, _) in zip(
            image.layers, tars, said, strict=False
        )
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _totals(plan: Plan, links: int) -> Totals:
    kinds = [one.kind for one in plan.entries]
    files = kinds.count("file") - links
    return Totals(files, kinds.count("dir"), kinds.count("symlink"), links, plan.size)
