"""Entries with all their reasons → the one reason of each that leads to the user soonest.

Who follows those reasons goes up a shortest chain. Of a document that others wrote the reasons may
lead in a circle; then none of them ends, and whoever follows them has to stop.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from rootfs_builder.image.provenance import EntryRecord, ReasonRecord
from rootfs_builder.paths import name
from rootfs_builder.plan import ReasonKind


def steps(entries: Sequence[EntryRecord]) -> dict[str, ReasonRecord]:
    """Each path with the reason to follow."""
    brought: dict[str, list[str]] = {}
    for one in entries:
        for reason in one.reasons:
            brought.setdefault(reason.by, []).append(one.path)  # by "" asks the user
    depths = {"": 0}
    queue = deque(depths)
    while queue:
        by = queue.popleft()
        for path in brought.get(by, ()):
            if path not in depths:
                depths[path] = depths[by] + 1
                queue.append(path)
    endless = len(entries) + 1
    return {
        one.path: min(one.reasons, key=lambda reason: depths.get(reason.by, endless))
        for one in entries
    }


def label(path: str, found: Mapping[str, ReasonRecord]) -> str:
    """What brought a path, in the word of one step: the last one before what the user named."""
    *_, (top, reason) = _followed(path, found)
    if not reason.by:
        return _of_user(top, reason)
    if reason.kind is ReasonKind.RULE:
        return f"rule {reason.asked}"
    return name(reason.asked) or name(top)


def _followed(path: str, found: Mapping[str, ReasonRecord]) -> Iterator[tuple[str, ReasonRecord]]:
    """The path, and what it is there for, as long as that is not what the user named."""
    yield path, found[path]
    seen = {path}
    above = found[path].by
    while above in found and above not in seen and found[above].by:
        seen.add(above)
        yield above, found[above]
        above = found[above].by


def _of_user(path: str, reason: ReasonRecord) -> str:
    match reason.kind:
        case ReasonKind.IMAGE:
            return "without a reason"
        case ReasonKind.GENERATED:
            return "generated"
        case ReasonKind.ADDED:
            return f"added {reason.asked}"
        case _:
            return f"{name(path)} itself"
