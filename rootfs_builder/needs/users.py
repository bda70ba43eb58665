"""`--user NAME[:GROUP]` or digits → the digits for the config, and the lines for /etc/passwd.

Digits need no file. root, nobody and nonroot are the same in every image, so they need none either.
Another name is looked up in the packed root's own /etc/passwd and /etc/group (passwd(5), group(5)):
the first line that has it counts, lines that make no sense are skipped. What other services know
(LDAP, systemd) is not asked.
"""

import errno
import os
import re
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.errors import InputError, Mistake, NotFoundError
from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import Root
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import OpenedPath, decode, printable
from rootfs_builder.recipe.values import is_account, is_id

_MAX_SIZE = 4 << 20  # bytes: tens of thousands of accounts
_USERS = {  # name: (uid, gid, group, home)
    "root": (0, 0, "root", "/root"),
    "nobody": (65534, 65534, "nogroup", "/nonexistent"),
    "nonroot": (65532, 65532, "nonroot", "/home/nonroot"),
}
_GROUPS = {"root": 0, "nogroup": 65534, "nobody": 65534, "nonroot": 65532}
_IN_EVERY_IMAGE = (0, 65534)  # ids whose lines stand in every /etc/passwd and /etc/group
_ANY = "user"  # the name of digits
_HOME = re.compile(r"/[^\0-\x1f\x7f:]*")
_OF_ALL = ("/", "/root", "/tmp", "/var/tmp")  # noqa: S108 - no file is made there
_UID, _GID, _HOME_FIELD = 2, 3, 5  # passwd(5), from 0; in group(5) the gid is at 2


class User(Struct, frozen=True):
    """Who the program runs as.

    `gid` None means that nobody said which: a runtime takes the one of the image's /etc/passwd, and
    0 where that has no line. `name`, `group` and `home` are for that file. `is_told` says that the
    home is what the user sets HOME to.
    """

    uid: int
    gid: int | None
    name: str
    group: str
    home: str
    is_told: bool = False

    @property
    def has_home(self) -> bool:
        """Whether the image gets the directory."""
        told = self.is_told and not in_system(self.home) and self.home not in _OF_ALL
        return told or self.home.startswith("/home/")

    @property
    def digits(self) -> str:
        """What the config says: UID or UID:GID."""
        return f"{self.uid}" if self.gid is None else f"{self.uid}:{self.gid}"

    def passwd_line(self) -> str | None:
        """The user's line of /etc/passwd; None where every image has one of this uid."""
        if self.uid in _IN_EVERY_IMAGE:
            return None
        return f"{self.name}:x:{self.uid}:{self.gid or 0}::{self.home}:/sbin/nologin"

    def group_line(self) -> str | None:
        """The group's line of /etc/group; None where every image has one of this gid."""
        if self.gid is None or self.gid in _IN_EVERY_IMAGE:
            return None
        return f"{self.group}:x:{self.gid}:"


def resolve(
    text: str, root: Root, *, option: str = "--user", prefix: str = "", home: str = ""
) -> User:
    """The user of a text that `values.user` took, by the accounts of `root`.

    `option` is the one whose value has the text, after `prefix`. Digits have the `home` that HOME
    says, for programs that ask getpwuid(3).

    Raises:
        NotFoundError: `root` knows no such name; which is nearest to it.
        InputError: its /etc/passwd or /etc/group cannot be read.
    """
    accounts = _Accounts(option, prefix, text, root)
    first, _, second = text.partition(":")
    user = accounts.user(first)
    if is_id(first) and user.uid != 0 and _HOME.fullmatch(home):
        user = replace(user, home=home, is_told=True)
    if not second:
        return user
    gid, group = (int(second), _ANY) if is_id(second) else (accounts.gid(second), second)
    if gid == user.gid:
        return user
    return replace(user, gid=gid, group=group)


def gid(name: str, root: Root) -> int:
    """The id of a group that `root` knows by its name.

    Raises:
        NotFoundError: it knows none.
        InputError: its /etc/group cannot be read.
    """
    return _Accounts("--user", "", name, root).gid(name)


class _Accounts:
    """The accounts of one root; a file is read when a name needs it."""

    def __init__(self, option: str, prefix: str, text: str, root: Root) -> None:
        self._option = option
        self._prefix = prefix
        self._text = text
        self._root = root

    def user(self, name: str) -> User:
        if is_id(name):
            known, home = ("root", "/root") if int(name) == 0 else (_ANY, f"/home/{_ANY}")
            return User(int(name), None, known, _ANY, home)
        if name in _USERS:
            uid, gid, group, home = _USERS[name]
            return User(uid, gid, name, group, home)
        lines = self._lines("user", name, "/etc/passwd", (_UID, _GID))
        if name not in lines:
            raise self._unknown("user", name, "/etc/passwd", (*_USERS, *lines))
        fields = lines[name]
        home = fields[_HOME_FIELD] if len(fields) > _HOME_FIELD else ""
        gid = int(fields[_GID])
        group = self._name_of(gid, name)
        return User(int(fields[_UID]), gid, name, group, home if _HOME.fullmatch(home) else "/")

    def gid(self, name: str) -> int:
        if name in _GROUPS:
            return _GROUPS[name]
        lines = self._lines("group", name, "/etc/group", (_UID,))
        if name not in lines:
            raise self._unknown("group", name, "/etc/group", (*_GROUPS, *lines))
        return int(lines[name][_UID])

    def _name_of(self, gid: int, user: str) -> str:
        """A group's name: in the root, or the user's, or any that has no other gid in an image."""
        try:
            lines = self._lines("group", user, "/etc/group", (_UID,))
        except NotFoundError:
            lines = {}
        names = [name for name, fields in lines.items() if int(fields[_UID]) == gid]
        names = [name for name in (*names, user) if is_account(name)]
        return next((name for name in names if _GROUPS.get(name, gid) == gid), _ANY)

    def _lines(
        self, what: str, name: str, path: str, numbers: tuple[int, ...]
    ) -> dict[str, list[str]]:
        """The lines of a file of accounts by name, those with an id in each of the fields.

        Raises:
            NotFoundError: there is no such file.
            InputError: it cannot be read, or is not a file of accounts.
        """
        walk = Walker(self._root).walk(OpenedPath(path))
        if walk.errno not in (0, errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise InputError(self._mistake(f"{path} cannot be read: {os.strerror(walk.errno)}"))
        if walk.node is None or walk.node.kind != "file":
            raise NotFoundError(
                self._mistake(
                    f"the {what} {name} is not known, because the root that is packed has no "
                    f"{path}; {self._advice()}"
                )
            )
        if walk.node.size > _MAX_SIZE:
            raise InputError(
                self._mistake(
                    f"{path} has {walk.node.size:,} bytes, which no list of accounts has; "
                    f"{self._advice()}"
                )
            )
        found: dict[str, list[str]] = {}
        for line in decode(read(self._root.open(walk.real))).split("\n"):
            fields = line.rstrip("\r").split(":")
            if len(fields) > max(numbers) and all(is_id(fields[one]) for one in numbers):
                found.setdefault(fields[0], fields)
        return found

    def _unknown(self, what: str, name: str, path: str, known: Iterable[str]) -> NotFoundError:
        from difflib import get_close_matches

        near = get_close_matches(name, filter(is_account, known), 1)
        meant = f"; did you mean {near[0]}?" if near else ";"
        text = f"no {what} {name} in {path} of the root that is packed{meant} {self._advice()}"
        return NotFoundError(self._mistake(text))

    def _mistake(self, text: str) -> Mistake:
        return Mistake(self._option, text, self._prefix + self._text)

    def _advice(self) -> str:
        option = f"{self._option} {printable(self._prefix)}"
        return f"digits always work: {option}UID:GID, as `id NAME` tells them"
