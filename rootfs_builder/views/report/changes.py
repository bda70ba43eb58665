"""A comparison with an older image → what the report shows of it, the largest change first."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, json

from rootfs_builder.paths import escape_control
from rootfs_builder.views.comparison import Comparison, PackageChange

_MOST = 500  # paths; `rootfs-builder diff` lists all


class Change(Struct, frozen=True):
    """A path that differs: `how`, and the sizes; `why` is the reason where that is known."""

    path: str
    how: str
    old: int
    new: int
    package: str
    why: str

    @property
    def growth(self) -> int:
        """How many bytes it brings, or saves."""
        return self.new - self.old


class Setting(Struct, frozen=True):
    """A key of the config that differs; empty where it is not set."""

    key: str
    old: str
    new: str


class Changes(Struct, frozen=True):
    """What differs from the image at `place`. `paths` are the largest changes, `more` the others.

    `added` and `changed` are all paths of the new image that the old one lacks, or has otherwise.
    """

    place: str
    growth: int
    files: int
    paths: tuple[Change, ...]
    more: int
    packages: tuple[PackageChange, ...]
    settings: tuple[Setting, ...]
    pushed: int
    pushed_bytes: int
    kept: int
    equal: bool
    added: frozenset[str]
    changed: frozenset[str]


def of(found: Comparison) -> Changes:
    """What the report shows of a comparison."""
    paths = sorted(_changes(found), key=lambda one: (-abs(one.growth), one.path))
    packages = sorted(found.packages, key=lambda one: (-abs(one.growth), one.name))
    return Changes(
        place=escape_control(found.old.place),
        growth=found.new.bytes - found.old.bytes,
        files=found.new.files - found.old.files,
        paths=tuple(paths[:_MOST]),
        more=max(len(paths) - _MOST, 0),
        packages=tuple(packages),
        settings=tuple(Setting(one.key, _text(one.old), _text(one.new)) for one in found.config),
        pushed=len(found.layers.pushed),
        pushed_bytes=sum(one.size for one in found.layers.pushed),
        kept=found.layers.kept,
        equal=found.equal,
        added=frozenset(one.path for one in found.added),
        changed=frozenset(one.path for one in found.changed),
    )


def _changes(found: Comparison) -> Iterator[Change]:
    """Files and symlinks, and directories that differ and are not merely there."""
    for one in found.added:
        if one.kind != "dir":
            yield Change(one.path, "added", 0, one.size, one.package, escape_control(one.why))
    for one in found.removed:
        if one.kind != "dir":
            yield Change(one.path, "removed", one.size, 0, one.package, escape_control(one.why))
    for each in found.changed:
        new = each.new
        how = ", ".join(each.what)
        why = escape_control(new.why)
        yield Change(each.path, how, each.old.size, new.size, new.package, why)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return escape_control(value if isinstance(value, str) else json.encode(value).decode())
