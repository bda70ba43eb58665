"""An image as it lies in a file → what is in it, as one document.

Files, owners, modes and sizes are read from the layers, whoever made them; why a file is there only
`rootfs-builder.json` knows. Packages are also those that the databases in the image know.
"""

from typing import Any

from msgspec import Struct, json
from msgspec.structs import replace

from rootfs_builder import image as images
from rootfs_builder import packages
from rootfs_builder.errors import NotFoundError
from rootfs_builder.filesystem.content import Source
from rootfs_builder.image import Image, provenance, unpack
from rootfs_builder.paths import SourcePath
from rootfs_builder.plan import Plan, PlanRoot


class LayerRecord(Struct, frozen=True, omit_defaults=True):
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
    """The document. `config` is the one in the image; `absent` explains why reasons are missing."""

    names: tuple[str, ...]
    platform: str
    config: dict[str, Any]
    layers: tuple[LayerRecord, ...]
    totals: Totals
    findings: tuple[provenance.FindingRecord, ...]
    entries: tuple[provenance.EntryRecord, ...]
    digest: str = ""
    config_digest: str = ""
    tool: provenance.Tool | None = None
    absent: str = ""


def of(image: Image, beside: Source | None, reader: unpack.Reader) -> Inspection:
    """Look at an image; `beside` is the `rootfs-builder.json` there, `reader` reads its layers.

    Raises:
        InputError: a layer or a document is damaged.
        LimitError: reading it would cost more than it may.
    """
    record, absent = None, ""
    try:
        record = provenance.load(beside, (image,), reader.meter)
    except NotFoundError as error:
        absent = str(error)
    unpacked = provenance.unpacked(image, record, reader)
    plan = with_packages(unpacked.plan)
    files = plan.unique_files
    contents = {one.path: reader.digest(one.content) for one in files if one.content is not None}
    return Inspection(
        names=image.names,
        platform=str(image.platform) if image.document else "?",
        digest=image.digest,
        config_digest=image.config_digest,
        config=json.decode(image.document) if image.document else {},
        layers=tuple(map(layer_record, image.layers, unpacked.tars)),
        totals=_totals(plan),
        findings=provenance.findings(plan.findings),
        entries=provenance.entries(plan, unpacked.numbers, contents),
        tool=record.tool if record else None,
        absent=absent,
    )


def with_packages(plan: Plan) -> Plan:
    """The plan with the packages that the databases in it know, beside those it names already.

    Its findings get a warning for each database that is damaged.
    """
    owners = packages.owners(PlanRoot(plan))
    owned = owners.of_all(SourcePath(one.path) for one in plan.entries)
    entries = plan.entries
    if owners.known:
        entries = tuple(
            one if one.package else replace(one, package=owned.packages[SourcePath(one.path)])
            for one in entries
        )
    return replace(plan, entries=entries, findings=(*plan.findings, *owned.warnings))


def layer_record(layer: images.Layer, tar: unpack.Tar) -> LayerRecord:
    """What is known of a layer that was unpacked."""
    return LayerRecord(
        layer.blob.size,
        tar.size,
        tar.files,
        layer.descriptor.digest,
        layer.diff_id,
        layer.history.created_by or "",
    )


def _totals(plan: Plan) -> Totals:
    kinds = [one.kind for one in plan.entries]
    files = len(plan.unique_files)
    links = kinds.count("file") - files
    return Totals(files, kinds.count("dir"), kinds.count("symlink"), links, plan.size)
