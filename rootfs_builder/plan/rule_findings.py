"""What each rule has added, as a line for the user, with the files that belong to no system."""

from collections.abc import Iterator, Mapping

from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, added
from rootfs_builder.needs.closure import RuleApplication
from rootfs_builder.paths import ImagePath, SourcePath, printable
from rootfs_builder.plan import Entry, Reason, ReasonKind

_SHOWN = 3  # files that a line names


def find(
    applied: Mapping[str, RuleApplication],
    because_of: Mapping[str, Reason],
    entries: Mapping[ImagePath, Entry],
    origins: Mapping[ImagePath, SourcePath],
    sources: Sources,
) -> Iterator[Finding]:
    """A finding for each rule, by its name; `because_of` has the reason for what it brings."""
    own = _own_files(entries, origins, sources)
    for rule, reason in sorted(because_of.items()):
        files = own.get(rule, [])
        shown = ", ".join(map(printable, files[:_SHOWN]))
        more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
        end = f"; files from outside the system directories: {shown}{more}" if files else ""
        text = f"{printable(rule)}: {printable(reason.found_by)}{end}"
        yield added(Code.RULE_ADDED, text, *applied[rule].paths, *files[:_SHOWN])


def _own_files(
    entries: Mapping[ImagePath, Entry],
    origins: Mapping[ImagePath, SourcePath],
    sources: Sources,
) -> dict[str, list[ImagePath]]:
    """By rule, what it brings that belongs to no system."""
    found: dict[str, list[ImagePath]] = {}
    for path, entry in sorted(entries.items()):
        reason, origin = entry.reasons[0], origins.get(path)
        of_rule = entry.kind == "file" and reason.kind == ReasonKind.RULE
        if of_rule and origin is not None and sources.outside(origin):
            found.setdefault(reason.asked, []).append(path)
    return found
