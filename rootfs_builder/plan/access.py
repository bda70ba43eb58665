"""Plan + the image's user → a warning about the files that this user can neither read nor start.

Modes are taken over as they are, so a key that only its owner may read is for root alone in the
image, too. Wider are those of what packages have published. Source: path_resolution(7),
"Permissions".
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.needs.users import User
from rootfs_builder.paths import ImagePath, SourcePath, ancestors, printable
from rootfs_builder.plan import Entry, Plan, ReasonKind

_READ, _EXECUTE = 4, 1  # of one class's three bits


def published(
    entries: Mapping[ImagePath, Entry], origins: Mapping[ImagePath, SourcePath], sources: Sources
) -> tuple[Iterable[Entry], tuple[Finding, ...]]:
    """The entries, with what a rule brings readable for all, and a hint about what was not.

    Of the system's files a rule brings one that not everybody may read only if it is as a package
    has published it. Here it may belong to an account that the image does not have.
    """
    shut = {one.path for one in entries.values() if one.kind == "dir" and not one.mode & _EXECUTE}
    closed = [
        path
        for path, one in entries.items()
        if not (one.mode & _READ and shut.isdisjoint(ancestors(path)))
        and _is_published(one, origins.get(path), sources)
    ]
    if not closed:
        return entries.values(), ()
    wide = dict(entries)
    for each in {step for path in closed for step in (path, *ancestors(path))} & entries.keys():
        wide[each] = replace(wide[each], mode=_for_all(wide[each].mode))
    first = printable(min(closed))
    more = f" (and {len(closed) - 1} more)" if len(closed) > 1 else ""
    text = (
        f"{first}{more}: readable for everyone in the image, though not on this machine, because "
        f"it is unchanged since its package was installed; --mode {first}=0600 makes it root's"
    )
    return wide.values(), (hint(Code.PUBLISHED, text, *closed),)


def _is_published(entry: Entry, origin: SourcePath | None, sources: Sources) -> bool:
    """Whether only a rule brings a file, which is the system's."""
    if entry.kind != "file" or origin is None or sources.outside(origin):
        return False
    return all(one.kind == ReasonKind.RULE for one in entry.reasons)


def _for_all(mode: int) -> int:
    """The mode by which all may do what the owner may, but write."""
    owners = mode >> 6 & (_READ | _EXECUTE)
    return mode | owners << 3 | owners


def missing(plan: Plan, user: User) -> Iterator[Finding]:
    """One warning for all such files; root reads everything."""
    if user.uid == 0:
        return
    closed = {one.path: one for one in plan.entries if not _usable(one, user)}
    obstacles: dict[ImagePath, Entry] = {}
    for path in (one.path for one in plan.entries if one.kind == "file"):
        for step in (*reversed((*ancestors(path),)), path):
            if step in closed:
                obstacles[step] = closed[step]
                break
    if not obstacles:
        return
    path, entry = min(obstacles.items())
    shown = printable(path)
    more = f" (and {len(obstacles) - 1} more)" if len(obstacles) > 1 else ""
    text = (
        f"{shown}{more} cannot be read by user {user.digits}: its mode is {entry.mode:04o}; "
        f"use --owner {shown}={user.digits} or --mode {shown}={_for_all(entry.mode):04o}"
    )
    yield warning(Code.CLOSED_TO_USER, text, *obstacles)


def _usable(entry: Entry, user: User) -> bool:
    """Whether the user may read or start a file, or enter a directory."""
    wanted = {"file": _READ | _EXECUTE, "dir": _EXECUTE}.get(entry.kind, 0)
    if not wanted:
        return True
    if entry.uid == user.uid:
        rights = entry.mode >> 6
    elif entry.gid == (user.gid or 0):
        rights = entry.mode >> 3
    else:
        rights = entry.mode
    return bool(rights & wanted)
