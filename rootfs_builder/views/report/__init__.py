"""What was found in an image → a report of it: all that its page shows, as values.

Files, packages and texts are numbered, so that what thousands of files share is there once. Every
text comes from an image that anybody may have made: what hides or steers text is escaped here, and
the page takes none of it for markup.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, json

from rootfs_builder.image.provenance import EntryRecord, FindingRecord, ReasonRecord
from rootfs_builder.packages import Package
from rootfs_builder.paths import escape_control, parent
from rootfs_builder.views import summary
from rootfs_builder.views.inspection import Inspection, LayerRecord, Totals
from rootfs_builder.views.report import chains, treemap
from rootfs_builder.views.report.changes import Changes

_MOST_REASONS = 6  # of a file; libc has hundreds
_NONE = -1  # in the place of a number


class Reason(Struct, frozen=True, array_like=True):
    """A Reason; `by` is the number of a file or -1 for the user, `found_by` that of a text."""

    kind: str
    by: int
    asked: str
    found_by: int


class File(Struct, frozen=True, array_like=True):
    """A path of the image. Of its reasons the first leads to the user; `others` are not told.

    `size` is 0 for a further name of a file; `package` is a number or -1; `target` is a symlink's,
    or the first name of the same file.
    """

    path: str
    kind: str
    size: int
    mode: str
    owner: str
    layer: int
    package: int
    reasons: tuple[Reason, ...]
    others: int
    target: str
    digest: str
    capabilities: str


class PackageRow(Struct, frozen=True, array_like=True):
    """A package, and the files and bytes of it that are in the image."""

    name: str
    version: str
    source: str
    files: int
    size: int


class Map(Struct, frozen=True):
    """One way to group the files: `key` for scripts, `label` for people."""

    key: str
    label: str
    groups: tuple[treemap.Group, ...]


class Setting(Struct, frozen=True):
    """A line of the config."""

    key: str
    value: str


class Report(Struct, frozen=True):
    """The report. `packed` are the bytes of the layers as stored; `absent` is why reasons are."""

    title: str
    platform: str
    names: tuple[str, ...]
    digest: str
    totals: Totals
    packed: int
    settings: tuple[Setting, ...]
    layers: tuple[LayerRecord, ...]
    findings: tuple[FindingRecord, ...]
    packages: tuple[PackageRow, ...]
    files: tuple[File, ...]
    texts: tuple[str, ...]
    maps: tuple[Map, ...]
    absent: str
    tool: str
    changes: Changes | None


def of(seen: Inspection, *, title: str, changes: Changes | None = None) -> Report:
    """The report of an image; `title` is what it is called where it has no name.

    `changes` is how it differs from an older one.
    """
    steps = chains.steps(seen.entries)
    entries = _shown(seen.entries, steps)
    packages = _packages(seen.entries)
    rows = _Rows(entries, steps, [*packages])
    files = tuple(map(rows.row, entries))
    return Report(
        title=escape_control(summary.short(seen.names[0]) if seen.names else title),
        platform=seen.platform,
        names=tuple(map(escape_control, seen.names)),
        digest=seen.digest,
        totals=seen.totals,
        packed=sum(one.size for one in seen.layers),
        settings=tuple(_settings(seen.config.get("config") or {})),
        layers=seen.layers,
        findings=seen.findings,
        packages=tuple(packages.values()),
        files=files,
        texts=tuple(rows.texts),
        maps=tuple(_maps(seen, entries, steps, changes)),
        absent=seen.absent,
        tool=f"{seen.tool.name} {seen.tool.version}" if seen.tool else "",
        changes=changes,
    )


def _shown(
    entries: Sequence[EntryRecord], steps: Mapping[str, ReasonRecord]
) -> tuple[EntryRecord, ...]:
    """Files and symlinks, and the directories that are a reason for them."""
    asked = {one.by for one in steps.values()}
    return tuple(one for one in entries if one.kind != "dir" or one.path in asked)


def _packages(entries: Iterable[EntryRecord]) -> dict[Package, PackageRow]:
    """The packages, the largest first."""
    files, sizes = Counter[Package](), Counter[Package]()
    for one in entries:
        if one.package is not None:
            files[one.package] += one.kind == "file"
            sizes[one.package] += _size(one)
    ranked = sorted(files, key=lambda one: (-sizes[one], one))
    return {
        one: PackageRow(
            name=escape_control(one.name),
            version=escape_control(one.version),
            source=escape_control(one.source),
            files=files[one],
            size=sizes[one],
        )
        for one in ranked
    }


def _size(one: EntryRecord) -> int:
    """The bytes of a file, whose further names have none."""
    return 0 if one.hardlink else one.size or 0


class _Rows:
    """Makes rows; `texts` are those that the rows until now have named by number."""

    def __init__(
        self,
        entries: Sequence[EntryRecord],
        steps: Mapping[str, ReasonRecord],
        packages: Sequence[Package],
    ) -> None:
        self.texts: dict[str, int] = {}
        self._steps = steps
        self._numbers = {one.path: number for number, one in enumerate(entries)}
        self._packages = {one: number for number, one in enumerate(packages)}

    def row(self, one: EntryRecord) -> File:
        """The row of an entry."""
        step = self._steps[one.path]
        reasons = [step, *(reason for reason in one.reasons if reason is not step)]
        told = reasons[:_MOST_REASONS]
        return File(
            path=one.path,
            kind=one.kind,
            size=_size(one),
            mode=one.mode,
            owner=f"{one.uid}:{one.gid}",
            layer=one.layer,
            package=_NONE if one.package is None else self._packages[one.package],
            reasons=tuple(map(self._reason, told)),
            others=len(reasons) - len(told),
            target=one.target or one.hardlink,
            digest=one.digest,
            capabilities=one.capabilities,
        )

    def _reason(self, one: ReasonRecord) -> Reason:
        text = self.texts.setdefault(escape_control(one.found_by), len(self.texts))
        by = self._numbers.get(one.by, _NONE)
        return Reason(one.kind, by, escape_control(one.asked), text)


def _maps(
    seen: Inspection,
    entries: Sequence[EntryRecord],
    steps: Mapping[str, ReasonRecord],
    changes: Changes | None,
) -> Iterator[Map]:
    """The groupings that tell something of this image, the most telling first."""
    if any(one.package for one in entries):
        yield _map("package", "Package", "small packages", entries, _package)
    if not seen.absent:
        yield _map(
            *("reason", "Reason", "small reasons"),
            entries,
            lambda one: chains.label(one.path, steps),
        )
    layers = [f"{number}: {one.created_by}" for number, one in enumerate(seen.layers)]
    last = [
        _map("layer", "Layer", "small layers", entries, lambda one: layers[one.layer]),
        _map("directory", "Directory", "small directories", entries, _directory),
    ]
    yield from last if len(layers) > 1 else reversed(last)
    if changes:
        yield _map("change", "Change", "", entries, lambda one: _change(one.path, changes))


def _map(
    key: str,
    label: str,
    rest: str,
    entries: Sequence[EntryRecord],
    group: Callable[[EntryRecord], str],
) -> Map:
    found: dict[str, list[treemap.Weight]] = {}
    for number, one in enumerate(entries):
        if one.kind == "file":
            weight = treemap.Weight(number, _size(one))
            found.setdefault(escape_control(group(one)), []).append(weight)
    return Map(key, label, treemap.groups(found, rest=rest))


def _package(one: EntryRecord) -> str:
    return one.package.name if one.package else "in no package"


def _change(path: str, changes: Changes) -> str:
    if path in changes.added:
        return "added"
    return "changed" if path in changes.changed else "unchanged"


def _directory(one: EntryRecord) -> str:
    """The first three directories."""
    return "/".join(parent(one.path).split("/")[:4])


def _settings(config: Mapping[str, Any]) -> Iterator[Setting]:
    """The config in the words of the image-spec, a line for each value."""
    for key, value in config.items():
        for text in _texts(key, value):
            yield Setting(escape_control(key), escape_control(text))


def _texts(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, list) and key not in ("Entrypoint", "Cmd"):
        yield from map(_text, value)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield f"{name}={_text(one)}" if one else name
    elif value:
        yield _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.encode(value).decode()
