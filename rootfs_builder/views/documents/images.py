"""The documents of verbs that write images, or would."""

from msgspec import Struct

from rootfs_builder.findings import Code, Level
from rootfs_builder.image import Image
from rootfs_builder.paths import printable
from rootfs_builder.plan import Plan
from rootfs_builder.views.documents import Failure


class Said(Struct, frozen=True):
    """A finding; its code never changes its meaning."""

    level: Level
    code: Code
    text: str


class Layer(Struct, frozen=True):
    """A layer as it is stored; `diff_id` is the digest of its tar, `content` what is in it."""

    digest: str
    size: int
    diff_id: str
    content: str


class Packed(Struct, frozen=True):
    """An image that was written. `bytes` counts its files, each once, `archive_bytes` the file."""

    name: str
    names: tuple[str, ...]
    digest: str
    config: str
    platform: str
    layers: tuple[Layer, ...]
    archive_bytes: int
    files: int
    bytes: int
    findings: tuple[Said, ...]


class Planned(Struct, frozen=True):
    """An image as it would be: of `--dry-run`."""

    platform: str
    files: int
    bytes: int
    findings: tuple[Said, ...]


class Built(Packed, frozen=True):
    """An image of a recipe; `output` is where, as the recipe names it."""

    output: str


class BuiltIndex(Struct, frozen=True):
    """Images of a recipe for several platforms, as one."""

    name: str
    names: tuple[str, ...]
    digest: str
    images: tuple[Built, ...]
    archive_bytes: int
    output: str


class NotBuilt(Struct, frozen=True):
    """An image of a recipe that is not written, and why."""

    output: str
    error: Failure


class StagedEntry(Struct, frozen=True):
    """A file, directory or symlink; `mode` has four octal digits."""

    path: str
    kind: str
    mode: str
    size: int


class Staged(Struct, frozen=True):
    """A directory that was written, and the variables that an image of it has to set."""

    directory: str
    env: tuple[str, ...]
    entries: tuple[StagedEntry, ...]


class Member(Struct, frozen=True):
    """An image in an index."""

    platform: str
    digest: str
    config: str


class Joined(Struct, frozen=True):
    """An index that was written."""

    name: str
    names: tuple[str, ...]
    digest: str
    images: tuple[Member, ...]
    archive_bytes: int


class Debugged(Struct, frozen=True):
    """An image with a shell and tools that was written; `layers` are digests."""

    name: str
    digest: str
    config: str
    platform: str
    layers: tuple[str, ...]
    archive_bytes: int


class Kept(Struct, frozen=True):
    """A path that stays, and why."""

    path: str
    why: str


class Smaller(Struct, frozen=True):
    """An image that was minimized; `gone` are the paths that were left out."""

    digest: str
    config: str
    trials: int
    bytes_before: int
    bytes: int
    gone: tuple[str, ...]
    kept: tuple[Kept, ...]


def packed(image: Image, plan: Plan, archive_bytes: int) -> Packed:
    """The document of an image."""
    return Packed(
        name=image.names[0],
        names=image.names,
        digest=image.digest,
        config=image.config_digest,
        platform=str(image.platform),
        layers=tuple(
            Layer(
                layer.descriptor.digest,
                layer.descriptor.size,
                layer.diff_id,
                layer.history.created_by or "",
            )
            for layer in image.layers
        ),
        archive_bytes=archive_bytes,
        files=len(plan.unique_files),
        bytes=plan.size,
        findings=findings(plan),
    )


def planned(plan: Plan, platform: object) -> Planned:
    """The document of an image that is not written."""
    return Planned(str(platform), len(plan.unique_files), plan.size, findings(plan))


def staged(plan: Plan, directory: str) -> Staged:
    """The document of a directory."""
    env = tuple(f"{name}={printable(value)}" for name, value in plan.env)
    entries = (
        StagedEntry(printable(one.path), one.kind, f"{one.mode:04o}", one.size)
        for one in plan.entries
    )
    return Staged(directory, env, tuple(entries))


def findings(plan: Plan) -> tuple[Said, ...]:
    """The findings of a plan."""
    return tuple(Said(one.level, one.code, one.text) for one in plan.findings)
