"""What a package database answers: a path as its packages spell it → whose it is."""

import errno
import os
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from msgspec import Struct

from rootfs_builder.errors import InputError
from rootfs_builder.paths import ImagePath, OpenedPath, printable
from rootfs_builder.root import read
from rootfs_builder.walk import Walker

Kind = Literal["apk", "deb", "rpm"]


class Package(Struct, frozen=True, order=True):
    """One installed package, in the words of its database; `kind` is also purl's type.

    `version` is the whole of it: `[EPOCH:]VERSION[-RELEASE]`. `source` is what it was built from,
    with the version of that; an rpm's source has no epoch, as no database of rpm tells it.
    """

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    kind: Kind


class Database(Protocol):
    """The installed packages of one package manager in one root."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences about what could not be read so far."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files of which one changes whenever an answer does."""

    def holders(self, path: str, is_it: Callable[[str], bool]) -> Iterator[Package]:
        """The packages of the file at a resolved path: they may spell its directory otherwise.

        `is_it` tells of a path, as a package spells it, whether that is the file.
        """


def find(walker: Walker, path: str, kind: Literal["file", "dir"] = "file") -> ImagePath | None:
    """Where a part of a database is, None where there is none.

    Raises:
        InputError: this user may not look.
    """
    walk = walker.walk(OpenedPath(path))
    if walk.errno not in (0, errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        raise unreadable(path, os.strerror(walk.errno))
    return walk.real if walk.node is not None and walk.node.kind == kind else None


def unreadable(path: str, why: str) -> InputError:
    """The error for a database that is there."""
    return InputError(
        f"{printable(path)}: the package database cannot be read: {why}; make it readable, or do "
        "without it: --layers single"
    )


def content(walker: Walker, path: str) -> bytes:
    """The bytes of a database's file, none where there is no such file.

    Raises:
        InputError: it is there, and cannot be read.
    """
    real = find(walker, path)
    return b"" if real is None else read(walker.root.open(real))
