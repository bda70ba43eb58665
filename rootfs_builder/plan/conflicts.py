"""Two entries for one path of the image → which of them stays, or the error that names both."""

from typing import NamedTuple

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import SourcePath, printable
from rootfs_builder.plan import Entry, ReasonKind


class Claim(NamedTuple):
    """An entry, and where it was read; None where it is generated."""

    entry: Entry
    origin: SourcePath | None


def stays(known: Claim, new: Claim, walker: Walker, sources: Sources) -> Claim:
    """The entry that stays: the known one if they are equal, a link of a file and that file.

    Somebody may add by its name what somebody else finds through the link that has this name. What
    a rule writes for the image stays before this machine's file, unless the user named that.

    Raises:
        InputError: they are different.
    """
    same = (known.entry.kind, known.entry.content, known.entry.target) == (
        new.entry.kind,
        new.entry.content,
        new.entry.target,
    )
    if same or _leads_to(known, new, walker):
        return known
    if _leads_to(new, known, walker):
        return new
    if None in (known.origin, new.origin) and _by_rules(known) and _by_rules(new):
        return known if known.origin is None else new
    first, second = (
        "generated" if one is None else printable(sources.display(one))
        for one in (known.origin, new.origin)
    )
    reasons = (*new.entry.reasons, *known.entry.reasons)
    rules = [one.asked for one in reasons if one.kind == ReasonKind.RULE]
    advice = f"--without {rules[0]}" if rules else "place one with --add SRC:DEST"
    raise InputError(
        f"{printable(known.entry.path)}: two different files for one path of the image: "
        f"{first} and {second}; rename one, or {advice}"
    )


def _by_rules(claim: Claim) -> bool:
    """Whether only rules want an entry."""
    return all(one.kind == ReasonKind.RULE for one in claim.entry.reasons)


def _leads_to(link: Claim, file: Claim, walker: Walker) -> bool:
    """Whether one is a link that leads to the other where both were read."""
    if link.entry.kind != "symlink" or file.entry.kind != "file":
        return False
    return link.origin is not None and walker.walk(link.origin).real == file.origin
