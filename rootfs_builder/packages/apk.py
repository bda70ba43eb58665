"""apk's database: /lib/apk/db/installed → what is installed, and the files of each.

A stanza for each package, a field a line: P name, V version, A architecture, o origin; then F, a
directory from the root without its first slash, and an R for each file in it. D has the names that
it depends on, p those that it provides, L its licence. Source: apk-tools,
src/database.c, apk_db_fdb_read() and src/package.c, apk_pkgtmpl_add_info().
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property

from msgspec import Struct

from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.packages import licences
from rootfs_builder.packages.database import Brought, Package, Related, contents, find
from rootfs_builder.paths import decode

STATES = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")


class _Stanza(Struct, frozen=True):
    """One package: its files, and the names that it needs and answers to."""

    package: Package
    files: tuple[str, ...]
    needs: frozenset[str]
    provides: frozenset[str]
    licence: str


class Apk:
    """The packages of apk."""

    kind = "apk"

    def __init__(self, walker: Walker, path: str) -> None:
        self._walker = walker
        self._path = path
        self.states = (path,)

    def likely(self, names: AbstractSet[str]) -> Iterable[Brought]:  # noqa: ARG002 - as all do
        """See Database: there is an index of all."""
        return ()

    def named(self, names: AbstractSet[str]) -> Iterable[Brought]:
        """See Database."""
        return (brought for name in names for brought in self._index.get(name, ()))

    def installed(self, name: str) -> Iterator[Package]:
        """See Database."""
        return (one.package for one in self._stanzas if one.package.name == name)

    def related(self, package: Package) -> Related:
        """See Database."""
        same, terms, needed = set[Package](), set[str](), set[Package]()
        for one in self._stanzas:
            if one.package.source == package.source:
                same.add(one.package)
            if one.package == package:
                terms |= one.needs
        for one in self._stanzas:
            if one.provides & terms:
                needed.add(one.package)
        others, required = tuple(sorted(needed - same)), tuple(sorted(needed))
        return Related(tuple(sorted(same)), others, required, required)

    def files(self, package: Package) -> Iterator[str]:
        """See Database."""
        for one in self._stanzas:
            if one.package == package:
                yield from one.files

    def sums(self, package: Package) -> Iterable[tuple[str, str]]:
        """See Database: it has digests of another kind."""
        del package
        return ()

    def installation(self, package: Package) -> str:
        """See Database: it keeps them in an archive of their own, which is not read."""
        del package
        return ""

    def licences(self, package: Package) -> tuple[str, ...]:
        """See Database."""
        found = (one.licence for one in self._stanzas if one.package == package)
        return licences.terms(next(found, ""))

    @cached_property
    def _index(self) -> dict[str, list[Brought]]:
        index = defaultdict[str, list[Brought]](list)
        for one in self._stanzas:
            for path in one.files:
                index[path.rpartition("/")[2]].append((path, one.package))
        return index

    @cached_property
    def _stanzas(self) -> tuple[_Stanza, ...]:
        text = decode(contents(self._walker, self._path)[0])
        found = map(_stanza, text.split("\n\n"))
        return tuple(one for one in found if one is not None)


def _stanza(text: str) -> _Stanza | None:
    lines = [(line[:1], line[2:]) for line in text.split("\n") if line[1:2] == ":"]
    field = dict(lines)
    if "P" not in field:
        return None
    name, version = field["P"], field.get("V", "")
    package = Package(name, version, field.get("A", ""), field.get("o", name), version, "apk")
    files, directory = [], ""
    for key, value in lines:
        if key == "F":
            directory = f"/{value}"
        elif key == "R":
            files.append(f"{directory}/{value}")
    needs = (one for one in field.get("D", "").split() if not one.startswith("!"))
    provides = (name, *field.get("p", "").split())
    told = (_terms(needs), _terms(provides), field.get("L", ""))
    return _Stanza(package, tuple(files), *told)


def _terms(words: Iterable[str]) -> frozenset[str]:
    """The names of dependencies, without their versions and repositories."""
    return frozenset(re.split("[<>=~@]", one, maxsplit=1)[0] for one in words)


def read(walker: Walker) -> Apk | None:
    """See the folder."""
    path = next((one for one in STATES if find(walker, one) is not None), None)
    return None if path is None else Apk(walker, path)
