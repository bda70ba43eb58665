"""Who owns a file: the package databases of a root → `Owners`. No tool of theirs is run.

Each module reads the databases of one package manager: `read(walker)` gives a `Database`, or None
where the root has none. What is hard about it is here, once for all: a package spells a path as it
was built, `/lib/libc.so.6`, while the file stands where the links of this root lead,
`/usr/lib/libc.so.6`. So a database is asked by the last component alone, which no link changes,
and the directory of each answer is resolved in the root.

To add one: write the module, and put its `read` into `_READ`.
"""

from functools import cached_property

from rootfs_builder.facts import Facts
from rootfs_builder.packages import apk, dpkg, rpm
from rootfs_builder.packages.database import Database, Package, find
from rootfs_builder.paths import ImagePath, OpenedPath, join, name, printable
from rootfs_builder.root import FileSource, Root
from rootfs_builder.walk import Walker

__all__ = ["STATES", "Owners", "Package", "owners"]

STATES = (*dpkg.STATES, *rpm.STATES, *apk.STATES)  # any change of a package changes one of them
_READ = (dpkg.read, rpm.read, apk.read)


class Owners:
    """The packages of one root.

    Each path is looked up once, for as long as the databases are the same: `facts` remembers it.
    """

    def __init__(self, root: Root, facts: Facts | None = None) -> None:
        self._walker = Walker(root)
        self._facts = facts or Facts()
        self._known: dict[str, Package | None] = {}

    @cached_property
    def _databases(self) -> tuple[Database, ...]:
        """Looked for as late as can be: a package manager may be at work."""
        found = (read(self._walker) for read in _READ)
        return tuple(one for one in found if one is not None)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences about databases that could not be read; complete after the last `of`."""
        return tuple(doubt for one in self._databases for doubt in one.doubts)

    def of(self, path: ImagePath) -> Package | None:
        """The package that what stands at the resolved `path` belongs to.

        None for what no package brought, for a directory or a link to one, which belong to many,
        and where nothing stands.

        Raises:
            InputError: a database cannot be read by this user: the answer must not depend on that.
        """
        if path not in self._known:
            there = self._databases and self._walker.root.lstat(path) is not None
            self._known[path] = self._remembered(path) if there and self._is_one(path) else None
        return self._known[path]

    def _is_one(self, path: ImagePath) -> bool:
        node = self._walker.walk(path).node
        return node is None or node.kind != "dir"

    def _remembered(self, path: ImagePath) -> Package | None:
        if not self._files:
            return self._owner(path)
        first, *others = self._files
        fact = f"owner {[one.stamp for one in others]} {printable(path)}"
        known = self._facts.known(first, fact, tuple[Package, ...])
        if known is None:
            owner = self._owner(path)
            known = () if owner is None else (owner,)
            if not self.doubts:
                self._facts.learn(first, fact, known)
        return known[0] if known else None

    @cached_property
    def _files(self) -> tuple[FileSource, ...]:
        """The files that change whenever an answer does."""
        named = (file for one in self._databases for file in one.files)
        found = (find(self._walker, file) for file in named)
        sources = [self._walker.root.open(file) for file in found if file is not None]
        return tuple(one for one in sources if isinstance(one, FileSource))

    def _owner(self, path: ImagePath) -> Package | None:
        stands: dict[str, bool] = {path: True}

        def is_it(spelt: str) -> bool:
            if spelt not in stands:
                above = self._walker.walk(OpenedPath(spelt.rpartition("/")[0]))
                stands[spelt] = not above.errno and join(above.real, name(spelt)) == path
            return stands[spelt]

        for database in self._databases:
            found = min(database.holders(path, is_it), default=None)
            if found is not None:
                return found
        return None


def owners(root: Root, *, facts: Facts | None = None) -> Owners:
    """What the package databases of a root know; without any, nothing has an owner."""
    return Owners(root, facts)
