"""rpm's database: rpmdb.sqlite → what is installed, and the files of each.

The table `Packages` has each package's header as a blob; `Basenames` says which headers have a
file of some name. A header is two big-endian counts, that many entries of (tag, type, offset,
count), and the bytes that the offsets are into. Source: rpm, docs/manual/hregions.md and
format_header.md; the numbers of the tags: include/rpm/rpmtag.h.
"""

import itertools
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.findings import Finding
from rootfs_builder.packages import licences
from rootfs_builder.packages.database import (
    Brought,
    DamagedError,
    Package,
    Related,
    contents,
    find,
    unknown,
)
from rootfs_builder.packages.wal import merged
from rootfs_builder.paths import decode, encode, name, printable

if TYPE_CHECKING:
    from sqlite3 import Connection

_FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
_DATABASES = tuple(f"{folder}/rpmdb.sqlite" for folder in _FOLDERS)
_LOG = "-wal"  # what was written last, until it is copied over
STATES = tuple(f"{path}{end}" for path in _DATABASES for end in ("", _LOG))
_OLD = {
    f"{folder}/{name}": kind
    for folder in _FOLDERS
    for name, kind in (("Packages", "Berkeley DB"), ("Packages.db", "ndb"))
}
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH, _SOURCERPM = 1000, 1001, 1002, 1003, 1022, 1044
_LICENSE = 1014
_INSTALLS = (1023, 1024)  # PREIN, POSTIN
_PROVIDES, _REQUIRES, _RECOMMENDS, _SUGGESTS = 1047, 1049, 5046, 5049
_FILESTATES, _DIRINDEXES, _BASENAMES, _DIRNAMES = 1029, 1116, 1117, 1118
_COUNTS = struct.Struct(">2I")  # of a header: its entries, the bytes of their values
_INSTALLED = 0  # of the states of a file; others: replaced, not installed, of another colour
_SOURCE = re.compile(r"(.+)-([^-]+-[^-]+)\.[^.]+\.rpm")
_REAL = (  # no view, nothing virtual, no column that is computed: SQL of the database's own
    "SELECT 1 FROM sqlite_master WHERE name = ?1 AND type = 'table' AND rootpage > 0 "
    "AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE hidden)"
)
_STEP, _MOST_STEPS = 1 << 16, 1 << 10  # SQLite's instructions at a time: a second or two in all
_MOST_ALIKE = 1 << 17  # files with one last component
_FIND = "SELECT hnum, idx FROM Basenames WHERE key = CAST(? AS TEXT) ORDER BY hnum, idx"
_HEADERS = "SELECT hnum FROM Packages ORDER BY hnum"
_MOST_PACKAGES = 1 << 15
_HEADER = "SELECT blob FROM Packages WHERE hnum = ?"

T = TypeVar("T")


class HeaderError(Exception):
    """A package's header, or what leads to it, is not as rpm writes it."""


class RpmHeader(Struct, frozen=True):
    """One package's header: where the values of a tag are, and the bytes of all.

    `texts` has those of the tags that were asked for.
    """

    entries: dict[int, tuple[int, int]]
    data: bytes
    texts: dict[int, list[bytes]] = {}

    def number(self, tag: int, index: int, *, size: int = 4) -> int | None:
        """One of a tag's integers."""
        offset, count = self.entries.get(tag, (0, 0))
        at = offset + index * size
        return int.from_bytes(self.data[at : at + size]) if index < count else None

    def texts_of(self, tag: int) -> list[str]:
        """All strings of a tag; see `text`."""
        return [self.text(tag, index) for index in range(self.entries.get(tag, (0, 0))[1])]

    def text(self, tag: int, index: int = 0) -> str:
        """One of a tag's strings, "" where it has none.

        Raises:
            HeaderError: there are fewer than the header says.
        """
        offset, count = self.entries.get(tag, (0, 0))
        if index >= count:
            return ""
        if tag not in self.texts:
            self.texts[tag] = self.data[offset:].split(b"\0", count)
        if index >= len(self.texts[tag]):
            raise HeaderError(f"a header whose tag {tag} has fewer strings than it counts")
        return decode(self.texts[tag][index])


def header(blob: bytes) -> RpmHeader:
    """Take a header apart.

    Raises:
        HeaderError: it is cut off.
    """
    if len(blob) < _COUNTS.size:
        raise HeaderError("a header that is cut off")
    count, size = _COUNTS.unpack_from(blob)
    if len(blob) < 8 + 16 * count + size:
        raise HeaderError("a header that is cut off")
    entries = struct.iter_unpack(">4I", blob[8 : 8 + 16 * count])
    return RpmHeader(
        {tag: (offset, number) for tag, _, offset, number in entries}, blob[8 + 16 * count :]
    )


class Rpm:
    """The packages of rpm, in a database that is read when the first is asked for."""

    kind = "rpm"

    def __init__(self, walker: Walker, path: str) -> None:
        self.states = (path, f"{path}{_LOG}")
        self._walker = walker
        self._path = path
        self._headers: dict[int, tuple[RpmHeader, Package]] = {}

    @cached_property
    def _database(self) -> "Connection":
        import sqlite3

        database, log = contents(self._walker, *self.states)
        if not database:  # deserialize() says MemoryError
            raise sqlite3.DatabaseError("file is empty")
        connection = sqlite3.connect(":memory:")
        connection.deserialize(merged(database, log))
        steps = itertools.count()
        connection.set_progress_handler(lambda: next(steps) >= _MOST_STEPS, _STEP)
        for table in ("Basenames", "Packages"):
            if connection.execute(_REAL, (table,)).fetchone() is None:
                raise HeaderError(f"it has no table {table} of its own")
        return connection

    def likely(self, names: AbstractSet[str]) -> Iterable[Brought]:  # noqa: ARG002 - as all do
        """See Database: there is an index of all."""
        return ()

    def named(self, names: AbstractSet[str]) -> Iterable[Brought]:
        """See Database."""
        return self._read(lambda: [one for name in names for one in self._named(name)])

    def installed(self, name: str) -> Iterable[Package]:
        """See Database."""
        return self._read(lambda: [one for _, one in self._all if one.name == name])

    def related(self, package: Package) -> Related:
        """See Database."""
        return self._read(lambda: self._related(package))

    def files(self, package: Package) -> Iterable[str]:
        """See Database."""
        return self._read(lambda: self._files(package))

    def sums(self, package: Package) -> Iterable[tuple[str, str]]:
        """See Database: it has digests of another kind."""
        del package
        return ()

    def installation(self, package: Package) -> str:
        """See Database."""
        return self._read(
            lambda: "\n".join(
                header.text(tag) for header, one in self._all if one == package for tag in _INSTALLS
            )
        )

    def licences(self, package: Package) -> tuple[str, ...]:
        """See Database."""
        found = (header.text(_LICENSE) for header, one in self._all if one == package)
        return self._read(lambda: licences.terms(next(found, "")))

    def _read(self, read: Callable[[], T]) -> T:
        import sqlite3

        try:
            return read()
        except (sqlite3.Error, HeaderError, UnicodeDecodeError) as error:  # also of its messages
            why = f"no database of rpm, so that its packages are unknown: {_words(error)}"
            raise DamagedError(self._path, why) from error

    def _related(self, package: Package) -> Related:
        same = {one for _, one in self._all if one.source == package.source}
        required = self._that_provide(_REQUIRES, package)
        recommended = self._that_provide(_RECOMMENDS, package)
        optional = (recommended | self._that_provide(_SUGGESTS, package)) - required - {package}
        all_of_them = tuple(sorted(required))
        return Related(
            tuple(sorted(same)),
            tuple(sorted((recommended | required) - same)),
            all_of_them,
            all_of_them,
            tuple(sorted(optional)),
        )

    def _that_provide(self, tag: int, package: Package) -> set[Package]:
        """The packages that provide what a tag of a package names: capabilities and files."""
        own = [header for header, one in self._all if one == package]
        needs = {text for one in own for text in one.texts_of(tag)}
        paths = {name(one) for one in needs if one.startswith("/")}
        found = {one for last in paths for path, one in self._named(last) if path in needs}
        each = self._all if needs else ()
        return found | {one for header, one in each if needs & {*header.texts_of(_PROVIDES)}}

    def _files(self, package: Package) -> list[str]:
        return [
            header.text(_DIRNAMES, folder) + header.text(_BASENAMES, index)
            for header, one in self._all
            if one == package
            for index in range(header.entries.get(_BASENAMES, (0, 0))[1])
            if header.number(_FILESTATES, index, size=1) in (None, _INSTALLED)
            and (folder := header.number(_DIRINDEXES, index)) is not None
        ]

    @cached_property
    def _all(self) -> tuple[tuple[RpmHeader, Package], ...]:
        """All packages: no index tells which were built from one source."""
        rows = self._database.execute(_HEADERS).fetchmany(_MOST_PACKAGES)
        return tuple(self._header(number) for (number,) in rows)

    def _named(self, name: str) -> Iterator[Brought]:
        """The installed files with this last component."""
        found = self._database.execute(_FIND, (encode(name),)).fetchmany(_MOST_ALIKE)
        if len(found) == _MOST_ALIKE:
            raise HeaderError(f"more than {_MOST_ALIKE:,} files are called {printable(name)}")
        for number, index in found:
            if not (isinstance(number, int) and isinstance(index, int) and index >= 0):
                raise HeaderError(f"its index of {printable(name)} has no numbers")
            header, package = self._header(number)
            state = header.number(_FILESTATES, index, size=1)
            folder = header.number(_DIRINDEXES, index)
            if state in (None, _INSTALLED) and folder is not None:
                yield header.text(_DIRNAMES, folder) + header.text(_BASENAMES, index), package

    def _header(self, number: int) -> tuple[RpmHeader, Package]:
        if number not in self._headers:
            row = self._database.execute(_HEADER, (number,)).fetchone()
            if row is None or not isinstance(row[0], bytes):
                raise HeaderError(f"package {number} of its index has no header")
            one = header(row[0])
            self._headers[number] = one, package(one)
        return self._headers[number]


def _words(error: Exception) -> str:
    """SQLite says of the limit above that it was interrupted."""
    return "its queries take too long" if str(error) == "interrupted" else str(error)


def package(one: RpmHeader) -> Package:
    """What a header says of itself."""
    name = one.text(_NAME)
    version = f"{one.text(_VERSION)}-{one.text(_RELEASE)}"
    built = _SOURCE.fullmatch(one.text(_SOURCERPM))
    source, other = built.groups() if built else (name, version)
    epoch = one.number(_EPOCH, 0)
    whole = version if epoch is None else f"{epoch}:{version}"
    return Package(name, whole, one.text(_ARCH), source, other, "rpm")


def read(walker: Walker) -> Rpm | Finding | None:
    """See the folder."""
    path = next((one for one in _DATABASES if find(walker, one) is not None), None)
    if path is not None:
        return Rpm(walker, path)
    old = next((one for one in _OLD if find(walker, one) is not None), None)
    if old is None:
        return None
    why = "a package database in an older format of rpm, which is not read"
    return unknown(old, f"{why} ({_OLD[old]}); rpmdb --rebuilddb renews it")
