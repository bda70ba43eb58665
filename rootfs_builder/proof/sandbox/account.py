"""USER of a config or -u → the ids that the command gets, by the root's own accounts.

As runc does it: a name that is not in /etc/passwd is an error, digits need no line; a line that has
the user gives the group and HOME; supplementary groups are those of /etc/group, unless a group is
named.
"""

from contextlib import suppress

from msgspec import Struct

from rootfs_builder.errors import InputError, NotFoundError
from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import Root
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import OpenedPath, decode, printable
from rootfs_builder.recipe.values import is_id

_MOST = 4 << 20  # bytes of a file of accounts
_PASSWD, _GROUP = 7, 4  # fields of a line


class Account(Struct, frozen=True):
    """The ids of a process, and where its user is at home."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def find(user: str, root: Root) -> Account:
    """The account of `user`, UID or NAME, with `:` and a group or without; root for "".

    Raises:
        NotFoundError: a name that the root does not know.
    """
    name, colon, group = (user or "0").partition(":")
    users = _lines(root, "/etc/passwd", _PASSWD)
    fields = next((one for one in users if name in (one[0], one[2])), None)
    if fields is None and not is_id(name):
        raise NotFoundError(f"user {printable(name)}: not in /etc/passwd of the image; give digits")
    uid, gid = (int(fields[2]), int(fields[3])) if fields else (int(name), 0)
    home = fields[5] if fields and fields[5] else "/"
    lines = _lines(root, "/etc/group", _GROUP)
    if colon and group:
        found = next((one for one in lines if group in (one[0], one[2])), None)
        if found is None and not is_id(group):
            raise NotFoundError(
                f"group {printable(group)}: not in /etc/group of the image; give digits"
            )
        return Account(uid, int(found[2]) if found else int(group), (), home)
    groups = tuple(int(one[2]) for one in lines if fields and fields[0] in one[3].split(","))
    return Account(uid, gid, groups, home)


def _lines(root: Root, path: str, count: int) -> list[list[str]]:
    """The lines of a file of accounts that make sense."""
    walk = Walker(root).walk(OpenedPath(path))
    if walk.node is None or walk.node.kind != "file" or walk.node.size > _MOST:
        return []
    found = []
    with suppress(InputError, OSError):
        for line in decode(read(root.open(walk.real))).split("\n"):
            fields = line.rstrip("\r").split(":")
            if len(fields) >= count and is_id(fields[2]) and (count == _GROUP or is_id(fields[3])):
                found.append(fields)
    return found
