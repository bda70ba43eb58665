"""Plan + the image's user → what this user can neither read nor start, nor write any more.

Modes are taken over as they are, so a key that only its owner may read is for root alone in the
image, too. Wider are those of what packages have published. Source: path_resolution(7),
"Permissions".
"""

from collections.abc import Container, Iterator, Mapping

from msgspec.structs import replace

from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.needs.closure import Closure
from rootfs_builder.needs.users import User
from rootfs_builder.paths import ImagePath, SourcePath, ancestors, printable
from rootfs_builder.plan import Entry, Plan, ReasonKind

_READ, _WRITE, _EXECUTE = 4, 2, 1  # of one class's three bits
_GROUP_READS, _OTHERS_ENTER = 0o040, 0o011
_MOST_SHOWN = 3


def widened(
    entries: Mapping[ImagePath, Entry], origins: Mapping[ImagePath, SourcePath], closure: Closure
) -> dict[ImagePath, Entry]:
    """What of the entries all may read in the image, as packages have published it.

    On this machine a group may read it, which the image does not have; or it is root's, and stays
    that where the image runs as root. A directory that the user adds stays as it is.
    """
    as_root = closure.user is None or closure.user.uid == 0
    public = [
        path
        for path, one in entries.items()
        if origins.get(path) in closure.supply.published
        and all(why.kind == ReasonKind.RULE for why in one.reasons)
        and (not as_root or _is_groups(path, entries))
    ]
    ways = {step for path in public for step in ancestors(path)} & entries.keys()
    own = {one for one in ways if any(why.kind == ReasonKind.ADDED for why in entries[one].reasons)}
    each = sorted((*public, *(ways - own)))
    return {one: replace(entries[one], mode=_for_all(entries[one].mode)) for one in each}


def _is_groups(path: ImagePath, entries: Mapping[ImagePath, Entry]) -> bool:
    """Whether more than the owner may read a file, and come to it."""
    ways = (entries[one].mode for one in ancestors(path) if one in entries)
    return bool(entries[path].mode & _GROUP_READS) and all(one & _OTHERS_ENTER for one in ways)


def published(plan: Plan, wide: Mapping[ImagePath, Entry]) -> Iterator[Finding]:
    """One hint about the files that all may read, and not on this machine."""
    shut = {one.path for one in plan.entries if one.kind == "dir" and not one.mode & _EXECUTE}
    files = [
        one.path
        for one in plan.entries
        if one.kind == "file" and wide.get(one.path) and one.mode & _READ and not one.inherited
        if shut.isdisjoint(ancestors(one.path))
    ]
    if files:
        shown = ", ".join(map(printable, files[:_MOST_SHOWN]))
        more = f" and {len(files) - _MOST_SHOWN} more" if len(files) > _MOST_SHOWN else ""
        text = (
            f"not everyone may read these files on this machine, but everyone may in the image, "
            f"because they are unchanged since their package was installed: {shown}{more}"
        )
        flag = f"; --mode {printable(files[0])}=0600 changes that"
        yield hint(Code.PUBLISHED, f"{text}{flag}", *files)


def _for_all(mode: int) -> int:
    """The mode by which all may do what the owner may, but write."""
    owners = mode >> 6 & (_READ | _EXECUTE)
    return mode | owners << 3 | owners


def lost(plan: Plan, user: User, open_: Container[ImagePath]) -> Iterator[Finding]:
    """What the image's user can do on the host, and not in the image; root can do everything.

    One warning for files, and one hint for the directories that are `open_` to everybody's writing
    on the host: a umask may give that mode, so the image does not have it.
    """
    if user.uid != 0:
        yield from _closed(plan, user)
        yield from _not_writable(plan, user, open_)


def _not_writable(plan: Plan, user: User, open_: Container[ImagePath]) -> Iterator[Finding]:
    shut = {
        one.path
        for one in plan.entries
        if one.kind == "dir" and one.path in open_ and not _can(_WRITE, one, user)
    }
    tops = sorted(one for one in shut if shut.isdisjoint(ancestors(one)))
    if tops:
        shown = ", ".join(map(printable, tops[:_MOST_SHOWN]))
        more = f" and {len(tops) - _MOST_SHOWN} more" if len(tops) > _MOST_SHOWN else ""
        flags = " ".join(f"--owner {printable(one)}={user.digits}" for one in tops[:_MOST_SHOWN])
        text = (
            f"everyone can write to {shown}{more} on this machine, but user {user.digits} "
            f"cannot in the image; use {flags}"
        )
        yield hint(Code.NOT_WRITABLE, text, *tops)


def _closed(plan: Plan, user: User) -> Iterator[Finding]:
    """One warning for all files that the user can neither read nor start."""
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
    return not wanted or _can(wanted, entry, user)


def _can(wanted: int, entry: Entry, user: User) -> bool:
    """Whether the user has one of the rights."""
    if entry.uid == user.uid:
        rights = entry.mode >> 6
    elif entry.gid == (user.gid or 0):
        rights = entry.mode >> 3
    else:
        rights = entry.mode
    return bool(rights & wanted)
