"""A plan ↔ `rootfs-builder.json`, which travels beside its image and says why each file is there.

It is no part of the image: no digest depends on it, and a registry drops it. So it names the image
that it is about by the digest of its config, which is the same in every format. No path of the
build machine is in it: a warning or a hint that names a path travels only if the image has that
path. Paths are spelt as `paths.printable` spells them.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from msgspec import DecodeError, Meta, Struct, ValidationError, json
from msgspec.structs import replace

from rootfs_builder.errors import InputError, NotFoundError
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.content import Source, read
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.findings import Code, Finding, Level
from rootfs_builder.image import Digest, Image, canonical
from rootfs_builder.packages import Package
from rootfs_builder.paths import ImagePath, OpenedPath, parsed, printable
from rootfs_builder.plan import Plan, PlanRoot, Reason, ReasonKind, hard_links
from rootfs_builder.version import __version__

if TYPE_CHECKING:
    from rootfs_builder.image.limits import Meter
    from rootfs_builder.image.unpack import Reader, Unpacked

NAME = "rootfs-builder.json"
SCHEMA_VERSION = 2


class ReasonRecord(Struct, frozen=True, omit_defaults=True):
    """A Reason; `by` is left out where the user asked."""

    kind: ReasonKind
    by: str = ""
    asked: str = ""
    found_by: str = ""


class EntryRecord(Struct, frozen=True, omit_defaults=True):
    """An Entry.

    `layer` counts from 0, the lowest; of a directory in several it is the topmost. A file has
    `size`, its capabilities as getcap(8) shows them, and `hardlink` where it is a further name of
    that path; a symlink has `target`. `digest` is known of files that were read: hashing them all
    is a tenth of the work of packing. `package` is who brought it, where that was asked.
    """

    path: str
    kind: str
    mode: str
    uid: int
    gid: int
    layer: int
    reasons: Annotated[tuple[ReasonRecord, ...], Meta(min_length=1)]
    size: int | None = None
    digest: str = ""
    target: str = ""
    hardlink: str = ""
    capabilities: str = ""
    package: Package | None = None


class FindingRecord(Struct, frozen=True):
    """A Finding."""

    level: Level
    code: Code
    text: str


class Tool(Struct, frozen=True):
    """What wrote the document."""

    name: str = "rootfs-builder"
    version: str = __version__


class _Version(Struct, frozen=True):
    schema_version: int
    tool: Tool = Tool("", "")


class Record(Struct, frozen=True):
    """The document. `config` and `layers` are digests: of the config, of the layers' tars."""

    config: Digest
    layers: tuple[Digest, ...]
    programs: tuple[str, ...]
    entries: tuple[EntryRecord, ...]
    findings: tuple[FindingRecord, ...]
    schema_version: int = SCHEMA_VERSION
    tool: Tool = Tool()


def write(
    image: Image,
    plan: Plan,
    *,
    parts: tuple[Plan, ...],
    below: Mapping[ImagePath, int] | None = None,
) -> bytes:
    """The document of an image of `plan`, whose layers are `parts`, the lowest first.

    They lie on those of a base; `below` has the layer of each path there.
    """
    walker = Walker(PlanRoot(plan))
    first = 0 if below is None else len(image.layers) - len(parts)
    numbers = dict(below or {})
    numbers |= {
        one.path: number for number, part in enumerate(parts, first) for one in part.entries
    }
    return canonical(
        Record(
            config=image.config_digest,
            layers=tuple(layer.diff_id for layer in image.layers),
            programs=tuple(map(printable, plan.programs)),
            entries=entries(plan, numbers),
            findings=findings(
                one
                for one in plan.findings
                if one.level is Level.ADDED or _is_of_image(one.paths, walker)
            ),
        )
    )


def name_of(image: Image) -> str:
    """What the document is called where there are several images, each with its own."""
    return f"rootfs-builder.{image.config_digest.partition(':')[2][:16]}.json"


def _is_of_image(paths: tuple[str, ...], walker: Walker) -> bool:
    """Whether the image has all these paths."""
    return all(
        path.startswith("/") and walker.walk(OpenedPath(path)).node is not None for path in paths
    )


def entries(
    plan: Plan,
    numbers: Mapping[ImagePath, int],
    contents: Mapping[ImagePath, str] = MappingProxyType({}),
) -> tuple[EntryRecord, ...]:
    """The entries of a plan for JSON.

    `numbers` has the layer of each path, `contents` the digest of each file's first name.
    """
    links = hard_links(plan.entries)
    return tuple(
        EntryRecord(
            path=printable(one.path),
            kind=one.kind,
            mode=f"{one.mode:04o}",
            uid=one.uid,
            gid=one.gid,
            layer=numbers[one.path],
            reasons=tuple(map(_reason, one.reasons)),
            size=one.size if one.kind == "file" else None,
            digest=contents.get(links.get(one.path, one.path), ""),
            target=printable(one.target),
            hardlink=printable(links.get(one.path, "")),
            capabilities=capabilities.text(one.capability) if one.capability else "",
            package=one.package,
        )
        for one in plan.entries
    )


def findings(found: Iterable[Finding]) -> tuple[FindingRecord, ...]:
    """Findings for JSON."""
    return tuple(FindingRecord(one.level, one.code, _text(one.text)) for one in found)


def _reason(one: Reason) -> ReasonRecord:
    return ReasonRecord(
        one.kind, printable(one.by or ""), printable(one.asked), _text(one.found_by)
    )


def _text(sentence: str) -> str:
    return sentence.encode(errors="backslashreplace").decode()


def load(beside: Source | None, images: Iterable[Image], meter: "Meter | None" = None) -> Record:
    """The document beside images, which is about one of them.

    Raises:
        NotFoundError: there is none, or about none of them, or of another schema.
        InputError: it is damaged.
        LimitError: it is larger than `meter` allows.
    """
    if beside is None:
        raise NotFoundError(
            f"{NAME}, which says why files are there, is absent: a registry or an engine does not "
            "keep it, --no-plan leaves it out, and images of other tools have none"
        )
    if meter is not None:
        meter.compare("whole", f"bytes of {NAME}", beside.size)
    data = read(beside)
    try:
        written = json.decode(data, type=_Version)
        if written.schema_version != SCHEMA_VERSION:
            raise NotFoundError(
                f"{NAME} is written by another rootfs-builder: its schema_version is "
                f"{written.schema_version}, and {__version__} reads {SCHEMA_VERSION}"
            )
        record = _record(data, written.tool)
    except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{NAME} is damaged: {error}") from error
    if record.config not in {image.config_digest for image in images}:
        raise NotFoundError(f"{NAME} is about another image, whose config is {record.config}")
    return record


def _record(data: bytes, tool: Tool) -> Record:
    try:
        return json.decode(data, type=Record)
    except ValidationError as error:
        if tool.version in ("", __version__):
            raise
        raise NotFoundError(
            f"{NAME} is written by rootfs-builder {tool.version}, which {__version__} does not "
            f"read: {error}"
        ) from error


def unpacked(image: Image, record: Record | None, reader: "Reader") -> "Unpacked":
    """What the layers of an image add up to, with the reasons where the record is about it.

    Raises:
        InputError: a layer or the record is damaged.
        LimitError: reading the layers would cost more than it may.
    """
    found = reader.unpacked(image.layers)
    if record is None or record.config != image.config_digest:
        return found
    return replace(found, plan=explain(found.plan, record))


def explain(plan: Plan, record: Record) -> Plan:
    """A plan that was read from layers, with what only its document knows.

    Those are the reasons and packages of entries, the programs, and the findings.

    Raises:
        InputError: the document names a path that the image does not have.
    """
    paths = {entry.path for entry in plan.entries}
    known = {parsed(one.path): one for one in record.entries}
    why = {path: tuple(map(reason, one.reasons)) for path, one in known.items()}
    programs = tuple(ImagePath(parsed(one)) for one in record.programs)
    by = (one.by for reasons in why.values() for one in reasons if one.by is not None)
    _check(paths, (*why, *programs, *by))
    return replace(
        plan,
        entries=tuple(
            replace(entry, reasons=why[entry.path], package=known[entry.path].package)
            if entry.path in known
            else entry
            for entry in plan.entries
        ),
        programs=programs,
        findings=tuple(Finding(one.level, one.code, one.text) for one in record.findings),
    )


def _check(paths: set[ImagePath], named: Iterable[str]) -> None:
    for one in named:
        if one not in paths:
            raise InputError(f"{NAME} is damaged: {printable(one)} is not in the image")


def reason(record: ReasonRecord) -> Reason:
    """The Reason that was written so."""
    by = ImagePath(parsed(record.by)) if record.by else None
    return Reason(record.kind, by, parsed(record.asked), record.found_by)
