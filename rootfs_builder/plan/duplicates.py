"""The plans of layers → the same plans, in which files with the same bytes are names of one file.

A layer has the bytes once then, and every name but the first by path is a hard link. This is for
layers alone. In a directory that people edit, a change of one file would change the other; in an
image it is so only where nothing changes: in what FHS 3.0, section 4, calls read-only data, and in
Nix's store, which does the same to itself. Files in /etc, /var or the user's directories stay
apart, however equal. So do files below the size of a block, where links would save next to nothing,
and what a loader loads by itself: it takes two names of one inode for one library. (Modules that
are opened by their path may be twins: one copy of Perl's is as good as the other.)
"""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable

from msgspec.structs import replace

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.filesystem.content import Source, chunks
from rootfs_builder.paths import ImagePath
from rootfs_builder.plan import Entry, Plan, ReasonKind

_SMALLEST = 1 << 12  # bytes
_READ_ONLY = ("/usr/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/bin/", "/sbin/", "/nix/store/")
_LOADED = {
    ReasonKind.NEEDED,
    ReasonKind.AUXILIARY,
    ReasonKind.FILTER,
    ReasonKind.PRELOAD,
}


def linked(
    plan: Plan, parts: tuple[Plan, ...], *, unit: int, facts: FileFacts
) -> tuple[Plan, tuple[Plan, ...]]:
    """The plan and its parts, each a layer; the files of two layers stay two.

    `unit` is the number of bytes of which a large file's SHA-256s are known to `facts`.

    Raises:
        InputError, ChangedError: a file cannot be read, or is no longer what it was.
    """
    contents: dict[ImagePath, Source] = {}
    for part in parts:
        contents |= _shared(part.entries, unit, facts)
    if not contents:
        return plan, parts
    return _with(plan, contents), tuple(_with(part, contents) for part in parts)


def _shared(entries: Iterable[Entry], unit: int, facts: FileFacts) -> dict[ImagePath, Source]:
    """The content to take for each path that has the bytes of an earlier one."""
    alike: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in entries:
        if _may_be_linked(entry):
            alike[entry.size, entry.mode, entry.uid, entry.gid, entry.capability].append(entry)
    found: dict[ImagePath, Source] = {}
    for group in alike.values():
        first: dict[tuple[bytes, ...], Source] = {}
        for entry in group:
            content = entry.content
            if len(group) > 1 and content is not None:
                same = first.setdefault(_digests(content, unit, facts), content)
                if same is not content:
                    found[entry.path] = same
    return found


def _may_be_linked(entry: Entry) -> bool:
    return (
        entry.size >= _SMALLEST
        and entry.path.startswith(_READ_ONLY)
        and not any(reason.kind in _LOADED for reason in entry.reasons)
    )


def _digests(content: Source, unit: int, facts: FileFacts) -> tuple[bytes, ...]:
    """The SHA-256 of each unit of a file."""

    def read() -> tuple[bytes, ...]:
        return tuple(hashlib.sha256(piece).digest() for piece in chunks(content, unit))

    return facts.get_or_compute(content, "units", tuple[bytes, ...], read)


def _with(plan: Plan, contents: dict[ImagePath, Source]) -> Plan:
    entries = (
        replace(entry, content=contents[entry.path]) if entry.path in contents else entry
        for entry in plan.entries
    )
    return replace(plan, entries=tuple(entries))
