"""Who owns a file: the package databases of a root → `Owners`. No tool of theirs is run.

Each module reads the databases of one package manager: `read(walker)` gives a `Database`, or None
where the root has none. What is hard about it is here, once for all: a package spells a path as it
was built, `/lib/libc.so.6`, while the file stands where the links of this root lead,
`/usr/lib/libc.so.6`. So a database is asked by last components alone, which no link changes, and
the directory of each answer is resolved in the root.

To add one: write the module, and put its `read` into `_READ`.
"""

from collections.abc import Iterable
from functools import cached_property

from rootfs_builder.cache.file_facts import Facts
from rootfs_builder.filesystem.root import FileSource, Root
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.packages import apk, dpkg, rpm
from rootfs_builder.packages.database import Database, Package, find, legible
from rootfs_builder.paths import OpenedPath, SourcePath, join, name, printable

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
        self._known: dict[SourcePath, Package | None] = {}

    @cached_property
    def _databases(self) -> tuple[Database, ...]:
        """Looked for as late as can be: a package manager may be at work."""
        found = (read(self._walker) for read in _READ)
        return tuple(one for one in found if one is not None)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences about databases that could not be read; complete after the last `of`."""
        return tuple(doubt for one in self._databases for doubt in one.doubts)

    def of(self, path: SourcePath) -> Package | None:
        """The package of what stands at one path; for many, `of_all` needs one pass, not many."""
        return self.of_all((path,))[path]

    def of_all(self, paths: Iterable[SourcePath]) -> dict[SourcePath, Package | None]:
        """The packages that what stands at resolved paths belongs to, which one pass finds.

        None for what no package brought, for a directory or a link to one, which belong to many,
        and where nothing stands.

        Raises:
            InputError: a database cannot be read by this user: the answer must not depend on that.
        """
        wanted = dict.fromkeys(paths)
        new = [one for one in wanted if one not in self._known]
        self._known.update(dict.fromkeys(new))
        self._known.update(self._remembered([one for one in new if self._is_one(one)]))
        return {one: self._known[one] for one in wanted}

    def _is_one(self, path: SourcePath) -> bool:
        if not self._databases or self._walker.root.lstat(path) is None:
            return False
        node = self._walker.walk(path).node
        return node is None or node.kind != "dir"

    def _remembered(self, paths: list[SourcePath]) -> dict[SourcePath, Package | None]:
        if not self._files or not paths:
            return self._found(paths)
        first, *others = self._files
        state = [one.stamp for one in others]
        facts = {path: f"owner {state} {printable(path)}" for path in paths}
        kept = {path: self._facts.known(first, facts[path], tuple[Package, ...]) for path in paths}
        result = {path: one[0] if one else None for path, one in kept.items() if one is not None}
        new = self._found([path for path, one in kept.items() if one is None])
        if not self.doubts:
            for path, owner in new.items():
                self._facts.learn(first, facts[path], () if owner is None else (owner,))
        return result | new

    @cached_property
    def _files(self) -> tuple[FileSource, ...]:
        """The files that change whenever an answer does."""
        named = (file for one in self._databases for file in one.files)
        found = (find(self._walker, file) for file in named)
        sources = [self._walker.root.open(file) for file in found if file is not None]
        return tuple(one for one in sources if isinstance(one, FileSource))

    def _found(self, paths: Iterable[SourcePath]) -> dict[SourcePath, Package | None]:
        """The owners of paths: of several the first, by the first database that knows any."""
        found: dict[SourcePath, Package | None] = dict.fromkeys(paths)
        left = set(found)
        for database in self._databases:
            for brought in database.named({name(one) for one in left}) if left else ():
                owners: dict[SourcePath, set[Package]] = {}
                for spelt, package in brought:
                    if (path := self._stands(spelt)) in left:
                        owners.setdefault(path, set()).add(package)
                found.update((path, legible(min(several))) for path, several in owners.items())
                left -= owners.keys()
                if not left:
                    break
        return found

    def _stands(self, spelt: str) -> SourcePath | None:
        """Where a file is that a package calls so."""
        above = self._walker.walk(OpenedPath(spelt.rpartition("/")[0]))
        return None if above.errno else SourcePath(join(above.real, name(spelt)))


def owners(root: Root, *, facts: Facts | None = None) -> Owners:
    """What the package databases of a root know; without any, nothing has an owner."""
    return Owners(root, facts)
