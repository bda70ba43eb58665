"""Two subjects → how the second differs from the first, as one document.

What a container sees is compared, and what a push would move: the config, packages, files with
their modes and owners, and layers. Times, the order of layers' members and the format that an image
is stored in are not.
"""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.content import Source
from rootfs_builder.image import digests
from rootfs_builder.packages import Package
from rootfs_builder.paths import ImagePath, printable
from rootfs_builder.plan import Entry, Plan, ReasonKind
from rootfs_builder.views.inspection import LayerRecord
from rootfs_builder.views.subject import Subject

SCHEMA_VERSION = 1
UNKNOWN = "?"  # the version of a package, in an image whose packages nobody knows
_RESTATED = ("rootfs", "history")  # of a config: what the layers say
_OF_BUILDER = (  # docker's, of how it was built, which no container sees
    *("container", "container_config", "docker_version", "id", "parent"),
    *("config.Image", "config.ArgsEscaped"),
)
_PAIRS = {"Env": "=", "Labels": "", "annotations": "", "ExposedPorts": "", "Volumes": ""}
Digest = Callable[[Source], str]


class Side(Struct, frozen=True):
    """One of the two: `place` as it was typed, `bytes` of its files, each once."""

    place: str
    names: tuple[str, ...]
    platform: str
    digest: str
    files: int
    bytes: int


class File(Struct, frozen=True, omit_defaults=True):
    """An entry. `why` is its first reason, `package` its name and version, where they are known."""

    path: str
    kind: str
    mode: str
    owner: str
    size: int = 0
    target: str = ""
    capabilities: str = ""
    package: str = ""
    why: str = ""


class Changed(Struct, frozen=True):
    """A path that both have: `what` of it differs, of kind, content, target, mode, owner, …."""

    path: str
    what: tuple[str, ...]
    old: File
    new: File


class Setting(Struct, frozen=True):
    """A key of the config, such as `config.Env.PATH`; null where it is not set."""

    key: str
    old: Any
    new: Any


class PackageChange(Struct, frozen=True):
    """A package with its versions, empty where it is not there; `growth` in bytes of its files."""

    name: str
    architecture: str
    kind: str
    old: str
    new: str
    growth: int


class Layers(Struct, frozen=True):
    """The layers of the new image that the old one lacks, which a push would move; and so on."""

    pushed: tuple[LayerRecord, ...] = ()
    dropped: tuple[LayerRecord, ...] = ()
    kept: int = 0


class Comparison(Struct, frozen=True):
    """The document. What is not compared, as config and layers of a directory, is empty."""

    old: Side
    new: Side
    config: tuple[Setting, ...]
    packages: tuple[PackageChange, ...]
    added: tuple[File, ...]
    removed: tuple[File, ...]
    changed: tuple[Changed, ...]
    layers: Layers
    equal: bool
    schema_version: int = SCHEMA_VERSION


def of(
    old: Subject,
    new: Subject,
    *,
    places: tuple[str, str] = ("old", "new"),
    digest: Digest = digests.of,
) -> Comparison:
    """Compare two subjects; files of one size are read to see whether they are equal.

    Raises:
        InputError, ChangedError: a file cannot be read.
    """
    before = {one.path: one for one in old.plan.entries}
    after = {one.path: one for one in new.plan.entries}
    both_images = old.config is not None and new.config is not None
    changed = {}
    for path in before.keys() & after.keys():
        if what := tuple(_differences(before[path], after[path], digest, owners=both_images)):
            changed[path] = what
    touched = (before.keys() ^ after.keys()) | changed.keys()
    settings = tuple(_settings(old.config or {}, new.config or {})) if both_images else ()
    layers = _layers(old.layers, new.layers) if both_images else Layers()
    found = tuple(_packages(old.plan, new.plan, touched))
    return Comparison(
        old=_side(old, places[0]),
        new=_side(new, places[1]),
        config=settings,
        packages=found,
        added=tuple(_file(one) for one in new.plan.entries if one.path not in before),
        removed=tuple(_file(one) for one in old.plan.entries if one.path not in after),
        changed=tuple(
            Changed(printable(path), what, _file(before[path]), _file(after[path]))
            for path, what in sorted(changed.items())
        ),
        layers=layers,
        equal=not (settings or found or touched or layers.pushed or layers.dropped),
    )


def _side(subject: Subject, place: str) -> Side:
    plan = subject.plan
    files = len(plan.unique_files)
    return Side(place, subject.names, subject.platform, subject.digest, files, plan.size)


def _file(entry: Entry) -> File:
    why = entry.reasons[0]
    package = entry.package
    return File(
        path=printable(entry.path),
        kind=entry.kind,
        mode=f"{entry.mode:04o}",
        owner=f"{entry.uid}:{entry.gid}",
        size=entry.size,
        target=printable(entry.target),
        capabilities=capabilities.text(entry.capability) if entry.capability else "",
        package=f"{package.name} {package.version}" if package else "",
        why="" if why.kind is ReasonKind.IMAGE else why.sentence,
    )


def _differences(old: Entry, new: Entry, digest: Digest, *, owners: bool) -> Iterator[str]:
    if old.kind != new.kind:
        yield "kind"
    elif _content_differs(old, new, digest):
        yield "content"
    elif old.target != new.target:
        yield "target"
    if old.mode != new.mode and not (old.kind == new.kind == "symlink"):
        yield "mode"  # a symlink has none
    if owners and (old.uid, old.gid) != (new.uid, new.gid):
        yield "owner"
    if old.capability != new.capability:
        yield "capabilities"


def _content_differs(old: Entry, new: Entry, digest: Digest) -> bool:
    if old.content is None or new.content is None or old.content.size != new.content.size:
        return old.content is not new.content
    same = old.content.identity == new.content.identity
    return not same and digest(old.content) != digest(new.content)


def _settings(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Setting]:
    before, after = dict(_flat(old)), dict(_flat(new))
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield Setting(key, before.get(key), after.get(key))


def _flat(config: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting by its key. What is empty is as good as absent (image-spec, config.md)."""
    for key, value in config.items():
        if not value or f"{above}{key}" in (*_RESTATED, *_OF_BUILDER):
            continue
        if key == "config" and isinstance(value, dict) and not above:
            yield from _flat(value, "config.")
        elif key in _PAIRS and isinstance(value, list | dict):
            yield from _pairs(f"{above}{key}", value, _PAIRS[key])
        else:
            yield f"{above}{key}", value


def _pairs(
    key: str, value: list[Any] | dict[str, Any], separator: str
) -> Iterator[tuple[str, Any]]:
    """Variables, labels and ports one by one; of a variable that is set twice, the last counts."""
    if isinstance(value, dict):
        yield from ((f"{key}.{name}", one or "") for name, one in value.items())
        return
    for one in value:
        name, _, text = str(one).partition(separator or "\0")
        yield f"{key}.{name}", text


def _layers(old: tuple[LayerRecord, ...], new: tuple[LayerRecord, ...]) -> Layers:
    """Layers by their blobs' digests.

    What `docker save` keeps without compression is not the blob that it pushes: there the digest of
    the tar counts.
    """

    def among(layer: LayerRecord, others: tuple[LayerRecord, ...]) -> bool:
        return any(
            layer.diff_id == one.diff_id
            if layer.size == layer.unpacked or one.size == one.unpacked
            else layer.digest == one.digest
            for one in others
        )

    pushed = tuple(one for one in new if not among(one, old))
    dropped = tuple(one for one in old if not among(one, new))
    return Layers(pushed, dropped, len(new) - len(pushed))


_Key = tuple[str, str, str]


def _packages(old: Plan, new: Plan, touched: set[ImagePath]) -> Iterator[PackageChange]:
    """The packages whose version differs, or that one side alone has.

    A side that knows no packages says nothing: only a package whose files differ counts there.
    """
    before, after = _owned(old), _owned(new)
    for key in sorted(before.keys() | after.keys()):
        kind, name, architecture = key
        was, now = (_version(one.get(key)) for one in (before, after))
        if was == now:
            continue
        entries = before.get(key, {}) | after.get(key, {})
        if not before or not after:
            if not entries.keys() & touched:
                continue
            other = {one.path for one in (old if not before else new).entries}
            if entries.keys() & other:
                was, now = was or UNKNOWN, now or UNKNOWN
        growth = _bytes(after.get(key, {})) - _bytes(before.get(key, {}))
        yield PackageChange(name, architecture, kind, was, now, growth)


def _owned(plan: Plan) -> dict[_Key, dict[ImagePath, Entry]]:
    found: dict[_Key, dict[ImagePath, Entry]] = {}
    for entry in plan.entries:
        if entry.package is not None:
            found.setdefault(_key(entry.package), {})[entry.path] = entry
    return found


def _key(package: Package) -> _Key:
    return package.kind, package.name, package.architecture


def _version(entries: dict[ImagePath, Entry] | None) -> str:
    """The version of a package; rpm can have several of one name."""
    versions = {one.package.version for one in (entries or {}).values() if one.package}
    return ", ".join(sorted(versions))


def _bytes(entries: dict[ImagePath, Entry]) -> int:
    sizes = {one.content.identity: one.size for one in entries.values() if one.content is not None}
    return sum(sizes.values())
