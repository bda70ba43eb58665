"""Entries + where each was read + the package databases → entries that know their owners.

What is read outside the system is the user's own. So is a file of the system that belongs to no
package and is there because of no rule: a library that `make install` put there; but a dynamic
loader is always the system's. In a root without packages the two cannot be told apart, so there
all of the system's directories are the system's.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from rootfs_builder.filesystem.content import BytesSource
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Finding
from rootfs_builder.packages import Owned, Owners
from rootfs_builder.paths import ImagePath, SourcePath
from rootfs_builder.plan import Entry, ReasonKind


def assign_owners(
    entries: Iterable[Entry],
    origins: Mapping[ImagePath, SourcePath],
    sources: Sources,
    owners: Owners | None,
    *,
    loaders: AbstractSet[ImagePath] = frozenset(),
) -> tuple[tuple[Entry, ...], tuple[Finding, ...]]:
    """The entries with `package` and `first_party`, and warnings about unreadable databases.

    `origins` has the path in `sources` of what was read, `loaders` are the files of the dynamic
    loaders.

    Without `owners` no package is looked up.

    Raises:
        InputError: a package database cannot be read.
    """
    entries = tuple(entries)
    read = [origins[entry.path] for entry in entries if entry.path in origins]
    inside = [origin for origin in read if not sources.outside(origin)]
    owned = Owned({}) if owners is None else owners.of_all(inside)
    found = []
    for entry in entries:
        origin = origins.get(entry.path)
        if origin is not None and sources.outside(origin):
            found.append(replace(entry, first_party=True))
        elif origin is not None and (package := owned.packages.get(origin)) is not None:
            found.append(replace(entry, package=package))
        else:
            found.append(entry)
    if not any(entry.package for entry in found):
        return tuple(found), owned.warnings
    by_hand = {one.path for one in found if one.path not in loaders and _by_hand(one)}
    found = [replace(one, first_party=True) if one.path in by_hand else one for one in found]
    return tuple(found), owned.warnings


def _by_hand(entry: Entry) -> bool:
    """Whether it is a file that somebody put next to those of packages, and that no rule brings."""
    return (
        entry.kind == "file"
        and entry.package is None
        and not isinstance(entry.content, BytesSource)
        and all(why.kind != ReasonKind.RULE for why in entry.reasons)
    )
