"""apk's database: /lib/apk/db/installed → what is installed, and the files of each.

A stanza for each package, a field a line: P name, V version, A architecture, o origin; then F, a
directory from the root without its first slash, and an R for each file in it. Source: apk-tools,
src/database.c, apk_db_fdb_read() and src/package.c, apk_pkgtmpl_add_info().
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property

from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.packages.database import Brought, Package, contents, find
from rootfs_builder.paths import decode

STATES = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")


class Apk:
    """The packages of apk."""

    def __init__(self, walker: Walker, path: str) -> None:
        self._walker = walker
        self._path = path
        self.states = (path,)

    def named(self, names: AbstractSet[str]) -> Iterator[Iterable[Brought]]:
        """See Database."""
        yield (brought for name in names for brought in self._index.get(name, ()))

    @cached_property
    def _index(self) -> dict[str, list[Brought]]:
        index = defaultdict[str, list[Brought]](list)
        for stanza in decode(contents(self._walker, self._path)[0]).split("\n\n"):
            lines = [(line[:1], line[2:]) for line in stanza.split("\n") if line[1:2] == ":"]
            field = dict(lines)
            if "P" not in field:
                continue
            name, version = field["P"], field.get("V", "")
            source = field.get("o", name)
            package = Package(name, version, field.get("A", ""), source, version, "apk")
            directory = ""
            for key, value in lines:
                if key == "F":
                    directory = f"/{value}"
                elif key == "R":
                    index[value].append((f"{directory}/{value}", package))
        return index


def read(walker: Walker) -> Apk | None:
    """See the folder."""
    path = next((one for one in STATES if find(walker, one) is not None), None)
    return None if path is None else Apk(walker, path)
