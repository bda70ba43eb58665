"""What a package database answers: a path as its packages spell it → whose it is."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from typing import Protocol

from msgspec import Struct
from msgspec.structs import asdict, replace

from rootfs_builder.errors import ChangedError, InputError
from rootfs_builder.filesystem.content import BytesSource, Source, chunks, latest
from rootfs_builder.filesystem.root import NodeKind
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.paths import OpenedPath, SourcePath, encode, printable

_MOST = 1 << 29  # bytes of one file of a database: that of a whole desktop has 200 MiB
_MIB = 1 << 20
_TRIES = 10  # reads in a row before a file is said to be written without a pause


class Package(Struct, frozen=True, order=True):
    """One installed package, in the words of its database; `kind` is purl's type for it.

    `version` is the whole of it: `[EPOCH:]VERSION[-RELEASE]`. `source` is what it was built from,
    with the version of that; an rpm's source has no epoch, as no database of rpm tells it.
    """

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    kind: str


def legible(package: Package) -> Package:
    """The same, but what is of no encoding is U+FFFD: JSON and the cache take Unicode alone."""
    words = {key: encode(text).decode(errors="replace") for key, text in asdict(package).items()}
    return replace(package, **words)


class Related(Struct, frozen=True):
    """The installed packages of one source, and those that one of them names as needed.

    `needed` has one level: what it depends on, pre-depends on or recommends, every alternative.
    `required` are those that it does not only recommend, of its own source, too; `least` of these
    are enough, as only the first of each alternative is there. What it only recommends or suggests
    is `optional`. Nobody says that they need one that is `essential`: every system has it. Nearly
    every one has what is `expected`.
    """

    same: tuple[Package, ...] = ()
    needed: tuple[Package, ...] = ()
    required: tuple[Package, ...] = ()
    least: tuple[Package, ...] = ()
    optional: tuple[Package, ...] = ()
    essential: bool = False
    expected: bool = False


Brought = tuple[str, Package]  # a file, by a path that may lead through links, and whose it is


class Database(Protocol):
    """The installed packages of one package manager in one root."""

    @property
    def kind(self) -> str:
        """That of its packages."""

    @property
    def states(self) -> tuple[str, ...]:
        """The files and directories of which one changes whenever an answer does."""

    def likely(self, names: AbstractSet[str]) -> Iterable[Brought]:
        """Some of what `named` has, where that takes less time; see there for errors."""

    def named(self, names: AbstractSet[str]) -> Iterable[Brought]:
        """All installed files with these last components, of packages in their own spelling.

        Raises:
            DamagedError: it is not such a database.
        """

    def installed(self, name: str) -> Iterable[Package]:
        """The installed packages of a name, of each architecture; see `named` for errors."""

    def related(self, package: Package) -> Related:
        """The packages that belong to one of this database; see `named` for errors."""

    def files(self, package: Package) -> Iterable[str]:
        """What a package has, or more, in its own spelling; see `named` for errors."""

    def licences(self, package: Package) -> tuple[str, ...]:
        """The short names of a package's licences, () where they are unknown; errors as above."""

    def installation(self, package: Package) -> str:
        """The scripts that a package runs when it is installed, "" where it has none.

        Errors as above.
        """

    def sums(self, package: Package) -> Iterable[tuple[str, str]]:
        """The files of a package and their MD5 in hex, as far as it says; errors as above."""


class Manager(Protocol):
    """A module of this folder."""

    @property
    def STATES(self) -> tuple[str, ...]:  # noqa: N802 - a module's constant
        """What can be in `Database.states`."""

    @property
    def read(self) -> Callable[[Walker], Database | Finding | None]:
        """The database in a root; a warning if there is one that is not read, or None."""


class DamagedError(Exception):
    """A database is not what it has to be: its packages are unknown, which is a warning."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why


def unknown(path: str, why: str) -> Finding:
    """The warning about a database that is there and is not read."""
    return warning(Code.OWNERS_UNKNOWN, f"{printable(path)}: {why}", path)


def find(walker: Walker, path: str, *kinds: NodeKind) -> SourcePath | None:
    """Where a part of a database is, a file unless other `kinds` are named; None without one.

    Raises:
        InputError: this user may not look.
    """
    walk = walker.walk(OpenedPath(path))
    if walk.errno not in (0, errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        raise unreadable(path, os.strerror(walk.errno))
    right = walk.node is not None and walk.node.kind in (kinds or ("file",))
    return SourcePath(walk.real) if right else None


def unreadable(path: str, why: str) -> InputError:
    """The error for a database that is there."""
    return InputError(
        f"{printable(path)}: the package database cannot be read: {why}; make it readable, or do "
        "without it: --layers single",
        paths=(path,),
    )


def contents(walker: Walker, *paths: str) -> tuple[bytes, ...]:
    """The bytes of a database's files, none where there is no such file; see `settled`.

    Raises:
        DamagedError: one is larger than that of any machine.
    """
    found = [find(walker, path) for path in paths]
    sources = [BytesSource(b"") if one is None else walker.root.open(one) for one in found]
    for path, source in zip(paths, sources, strict=True):
        if source.size > _MOST:
            raise DamagedError(path, f"larger than {_MOST >> 20} MiB, so it is not read")
    return settled(*sources)


def settled(*sources: Source) -> tuple[bytes, ...]:
    """The bytes of files as they are at one time, though a package manager may be at work.

    Raises:
        InputError: one is there, and cannot be read.
        ChangedError: they are written without a pause.
    """
    for _ in range(_TRIES):
        try:
            with ExitStack() as stack:
                opened = [stack.enter_context(one.open()) for one in sources]
                return tuple(one[0 : len(one)] for one in opened)
        except ChangedError as error:
            changed = error
            sources = tuple(map(latest, sources))
    raise changed


def md5(source: Source) -> str:
    """The digest of a file by which a database knows what its package has brought, in hex."""
    found = hashlib.md5(usedforsecurity=False)
    for chunk in chunks(source, _MIB):
        found.update(chunk)
    return found.hexdigest()
