"""Plan + the image's user → a warning about the files that this user can neither read nor start.

Modes are taken over as they are and not widened, so a key that only its owner may read is for root
alone in the image, too. Source: path_resolution(7), "Permissions".
"""

from collections.abc import Iterator

from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.needs.users import User
from rootfs_builder.paths import ImagePath, ancestors, printable
from rootfs_builder.plan import Entry, Plan

_READ, _EXECUTE = 4, 1  # of one class's three bits


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
    owners = entry.mode >> 6 & 0o5
    shown, opened = printable(path), entry.mode | owners << 3 | owners
    more = f" (and {len(obstacles) - 1} more)" if len(obstacles) > 1 else ""
    text = (
        f"{shown}{more} cannot be read by user {user.digits}: its mode is {entry.mode:04o}; "
        f"use --owner {shown}={user.digits} or --mode {shown}={opened:04o}"
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
