"""rpm's database: rpmdb.sqlite → what is installed, and the files of each.

The table `Packages` has each package's header as a blob; `Basenames` says which headers have a
file of some name. A header is two big-endian counts, that many entries of (tag, type, offset,
count), and the bytes that the offsets are into. Source: rpm, docs/manual/hregions.md and
format_header.md; the numbers of the tags: include/rpm/rpmtag.h.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.packages.database import Brought, Package, contents, find
from rootfs_builder.packages.wal import merged
from rootfs_builder.paths import decode, encode, printable

if TYPE_CHECKING:
    from sqlite3 import Connection

_FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
STATES = tuple(f"{folder}/rpmdb.sqlite" for folder in _FOLDERS)
_OLD = {
    f"{folder}/{name}": kind
    for folder in _FOLDERS
    for name, kind in (("Packages", "Berkeley DB"), ("Packages.db", "ndb"))
}
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH, _SOURCERPM = 1000, 1001, 1002, 1003, 1022, 1044
_FILESTATES, _DIRINDEXES, _BASENAMES, _DIRNAMES = 1029, 1116, 1117, 1118
_INSTALLED = 0  # of the states of a file; others: replaced, not installed, of another colour
_SOURCE = re.compile(r"(.+)-([^-]+-[^-]+)\.[^.]+\.rpm")
_FIND = "SELECT hnum, idx FROM Basenames WHERE key = CAST(? AS TEXT) ORDER BY hnum, idx"
_HEADER = "SELECT blob FROM Packages WHERE hnum = ?"


class Header(Struct, frozen=True):
    """One package's header: where the values of a tag are, and the bytes of all."""

    entries: dict[int, tuple[int, int]]
    data: bytes

    def number(self, tag: int, index: int, *, size: int = 4) -> int | None:
        """One of a tag's integers."""
        offset, count = self.entries.get(tag, (0, 0))
        at = offset + index * size
        return int.from_bytes(self.data[at : at + size]) if index < count else None

    def text(self, tag: int, index: int = 0) -> str:
        """One of a tag's strings, "" where it has none."""
        offset, count = self.entries.get(tag, (0, 0))
        return decode(self.data[offset:].split(b"\0", index + 1)[index]) if index < count else ""


def header(blob: bytes) -> Header:
    """Take a header apart.

    Raises:
        struct.error: it is cut off.
    """
    count, size = struct.unpack_from(">2I", blob)
    if len(blob) < 8 + 16 * count + size:
        raise struct.error("a header that is cut off")
    entries = struct.iter_unpack(">4I", blob[8 : 8 + 16 * count])
    return Header(
        {tag: (offset, number) for tag, _, offset, number in entries}, blob[8 + 16 * count :]
    )


class Rpm:
    """The packages of rpm, in a database that is read when the first is asked for."""

    def __init__(self, walker: Walker, path: str) -> None:
        self.doubts: tuple[str, ...] = ()
        self.files = (path, f"{path}-wal")
        self._walker = walker
        self._path = path
        self._headers: dict[int, tuple[Header, Package]] = {}

    @cached_property
    def _database(self) -> "Connection":
        import sqlite3

        database, log = contents(self._walker, *self.files)
        if not database:  # deserialize() says MemoryError
            raise sqlite3.DatabaseError("file is empty")
        connection = sqlite3.connect(":memory:")
        connection.deserialize(merged(database, log))
        return connection

    def named(self, names: AbstractSet[str]) -> Iterator[Iterable[Brought]]:
        """See Database."""
        import sqlite3

        if not self.doubts:
            try:
                yield [brought for name in names for brought in self._named(name)]
            except (sqlite3.Error, struct.error, LookupError, TypeError, ValueError) as error:
                why = f"no database of rpm, so that its packages are unknown: {error}"
                self.doubts = (f"{printable(self._path)}: {why}",)

    def _named(self, name: str) -> Iterator[Brought]:
        """The installed files with this last component."""
        for number, index in self._database.execute(_FIND, (encode(name),)).fetchall():
            header, package = self._header(number)
            state = header.number(_FILESTATES, index, size=1)
            folder = header.number(_DIRINDEXES, index)
            if state in (None, _INSTALLED) and folder is not None:
                yield header.text(_DIRNAMES, folder) + header.text(_BASENAMES, index), package

    def _header(self, number: int) -> tuple[Header, Package]:
        if number not in self._headers:
            ((blob,),) = self._database.execute(_HEADER, (number,)).fetchall()
            one = header(blob)
            self._headers[number] = one, package(one)
        return self._headers[number]


class Old:
    """A database of an older rpm, which is not read."""

    files = ()

    def __init__(self, path: str, kind: str) -> None:
        sentence = "a package database in an older format of rpm, which is not read"
        self.doubts = (f"{printable(path)}: {sentence} ({kind}); rpmdb --rebuilddb renews it",)

    def named(self, names: AbstractSet[str]) -> Iterator[Iterable[Brought]]:
        """Nobody knows."""
        del names
        yield from ()


def package(one: Header) -> Package:
    """What a header says of itself."""
    name = one.text(_NAME)
    version = f"{one.text(_VERSION)}-{one.text(_RELEASE)}"
    built = _SOURCE.fullmatch(one.text(_SOURCERPM))
    source, other = built.groups() if built else (name, version)
    epoch = one.number(_EPOCH, 0)
    whole = version if epoch is None else f"{epoch}:{version}"
    return Package(name, whole, one.text(_ARCH), source, other, "rpm")


def read(walker: Walker) -> Rpm | Old | None:
    """See the folder."""
    path = next((one for one in STATES if find(walker, one) is not None), None)
    if path is not None:
        return Rpm(walker, path)
    old = next((one for one in _OLD if find(walker, one) is not None), None)
    return None if old is None else Old(old, _OLD[old])
