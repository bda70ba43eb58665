"""Who owns a file: the package databases of a root → `Owners`. No tool of theirs is run.

Each module reads the databases of one package manager: `read(walker)` gives a `Database`, a warning
where there is one that it cannot read, or None; `STATES` are the files and directories of which one
changes with any change of a package. What is hard about it is here, once for all: a package spells
a path as it was built, `/lib/libc.so.6`, while the file stands where the links of this root lead,
`/usr/lib/libc.so.6`. So a database is asked by last components alone, which no link changes, and
the directory of each answer is resolved in the root.

To add one: write the module, and put it into `_MANAGERS`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import TypeVar

from msgspec import Struct

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import FileSource
from rootfs_builder.filesystem.root import Root
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.findings import Finding
from rootfs_builder.packages import apk, dpkg, rpm
from rootfs_builder.packages.database import (
    DamagedError,
    Database,
    Manager,
    Package,
    Related,
    find,
    legible,
    md5,
    unknown,
)
from rootfs_builder.packages.kin import Kin
from rootfs_builder.packages.spelling import Spelling
from rootfs_builder.paths import OpenedPath, SourcePath, name, printable

__all__ = ["Kin", "Owned", "Owners", "Package", "Related", "owners", "watch"]

_MANAGERS: tuple[Manager, ...] = (dpkg, rpm, apk)
T = TypeVar("T")


class Owned(Struct, frozen=True):
    """Whose each path is, and which databases could not be asked."""

    packages: dict[SourcePath, Package | None]
    warnings: tuple[Finding, ...] = ()


class Owners:
    """The packages of one root.

    Each path is looked up once, for as long as the databases are the same: `facts` remembers it.
    """

    def __init__(self, root: Root, facts: FileFacts | None = None) -> None:
        self._walker = Walker(root)
        self._facts = facts or FileFacts()
        self._known: dict[SourcePath, Package | None] = {}
        self._damaged: dict[Database, Finding] = {}
        self._related: dict[Package, Related] = {}
        self._spelling = Spelling(self._walker)
        self._files: dict[Package, frozenset[SourcePath]] = {}
        self._sizes: dict[Package, int] = {}
        self._kin: dict[tuple[Package, bool], Kin] = {}
        self._sums: dict[Package, dict[SourcePath, str]] = {}
        self._reached: dict[Package, frozenset[Package]] = {}

    @cached_property
    def _read(self) -> tuple[Database | Finding, ...]:
        """Looked for as late as can be: a package manager may be at work."""
        found = (manager.read(self._walker) for manager in _MANAGERS)
        return tuple(one for one in found if one is not None)

    @property
    def _databases(self) -> tuple[Database, ...]:
        return tuple(one for one in self._read if not isinstance(one, Finding))

    @property
    def known(self) -> bool:
        """Whether the root has a package database: without one, nobody knows what is packaged."""
        return bool(self._databases)

    def of_all(self, paths: Iterable[SourcePath]) -> Owned:
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
        return Owned({one: self._known[one] for one in wanted}, self._warnings())

    def installed(self, named: str) -> tuple[Package, ...]:
        """The packages of a name, of each architecture.

        Raises:
            InputError: see `of_all`.
        """
        found = list[Package]()
        for one in self._databases:
            with self._minding(one):
                found += one.installed(named)
        return tuple(found)

    def related(self, package: Package) -> Related:
        """The packages of a package's source, and those that it needs.

        Raises:
            InputError: see `of_all`.
        """
        if package not in self._related:
            self._related[package] = self._remembered_related(package)
        return self._related[package]

    def _remembered_related(self, package: Package) -> Related:
        states = self._states
        fact = f"related v7 {self._state} {package.name} {package.architecture}"
        known = self._facts.get(states[0], fact, Related) if states else None
        if known is None:
            known = self._asked(package, lambda one: one.related(package)) or Related()
            if states and not self._warnings():
                self._facts.put(states[0], fact, known)
        return known

    def kin(self, package: Package, *, needed: bool = True) -> Kin:
        """The files that belong to a package; unless `needed`, those of its source alone.

        Raises:
            InputError: see `of_all`.
        """
        if (package, needed) not in self._kin:
            related = self.related(package)
            self._kin[package, needed] = Kin(
                frozenset(related.same),
                frozenset(related.needed if needed else ()),
                package if needed else None,
                required=related.required if needed else (),
                files=self.files,
            )
        return self._kin[package, needed]

    def licences(self, package: Package) -> tuple[str, ...]:
        """The short names of an installed package's licences, () where they are unknown.

        Raises:
            InputError: see `of_all`.
        """
        return self._asked(package, lambda one: one.licences(package)) or ()

    def installation(self, package: Package) -> str:
        """The scripts that a package runs when it is installed, "" where it has none.

        Raises:
            InputError: see `of_all`.
        """
        return self._asked(package, lambda one: one.installation(package)) or ""

    def is_published(self, path: SourcePath) -> bool:
        """Whether a file is as its package has brought it, and so as everybody has it.

        Of what cannot be read nobody knows.
        """
        with suppress(InputError):  # which others say
            package = self._owner(path)
            digest = self._sums_of(package).get(path) if package else None
            if digest is not None:
                source = self._walker.root.open(path)
                return digest == self._facts.get_or_compute(
                    source, "md5", str, partial(md5, source)
                )
        return False

    def _sums_of(self, package: Package) -> dict[SourcePath, str]:
        if package not in self._sums:
            each = self._asked(package, lambda one: tuple(one.sums(package))) or ()
            stand = ((self._spelling.stands(spelt), digest) for spelt, digest in each)
            self._sums[package] = {path: digest for path, digest in stand if path is not None}
        return self._sums[package]

    def _owner(self, path: SourcePath) -> Package | None:
        return self.of_all((path,)).packages[path]

    def reaches(self, package: Package, other: Package) -> bool:
        """Whether a package needs another, or one that does, at any distance; as all do some.

        Raises:
            InputError: see `of_all`.
        """
        if package not in self._reached:
            found, todo = {package}, [package]
            while todo:
                related = self.related(todo.pop())
                new = {*related.same, *related.needed} - found
                found |= new
                todo += new
            self._reached[package] = frozenset(found)
        return other in self._reached[package] or self.related(other).essential

    def requires(self, package: Package, other: Package) -> bool:
        """Whether a package cannot do without another: as it says, or all.

        A package may stand for others of its source, as gnupg for gpg.

        Raises:
            InputError: see `of_all`.
        """
        known = {package, *self.related(package).required}
        parts = (one for one in known if one.source == other.source)
        required = other in known or any(other in self.related(one).required for one in parts)
        return required or self.related(other).essential

    def size(self, package: Package) -> int:
        """The bytes of the files that a package has brought.

        Raises:
            InputError: see `of_all`.
        """
        if package not in self._sizes:
            nodes = map(self._walker.root.lstat, self.files(package))
            self._sizes[package] = sum(one.size for one in nodes if one and one.kind == "file")
        return self._sizes[package]

    def files(self, package: Package) -> frozenset[SourcePath]:
        """The files that a package has brought, where they stand in this root.

        Raises:
            InputError: see `of_all`.
        """
        if package not in self._files:
            spelt = self._asked(package, lambda one: frozenset(one.files(package))) or frozenset()
            self._files[package] = self._spelling.files(spelt)
        return self._files[package]

    def _asked(self, package: Package, ask: Callable[[Database], T]) -> T | None:
        """What the database that has a package says of it; None of a damaged one."""
        for one in self._databases:
            if one.kind == package.kind and one not in self._damaged:
                with self._minding(one):
                    return ask(one)
        return None

    @contextmanager
    def _minding(self, database: Database) -> Iterator[None]:
        """Remember it if a database turns out to be damaged: what was asked has no answer then."""
        try:
            yield
        except DamagedError as error:
            self._damaged[database] = unknown(error.path, error.why)

    def _warnings(self) -> tuple[Finding, ...]:
        """About the databases that could not be read until now."""
        each = (one if isinstance(one, Finding) else self._damaged.get(one) for one in self._read)
        return tuple(one for one in each if one is not None)

    def _is_one(self, path: SourcePath) -> bool:
        if not self._databases or self._walker.root.lstat(path) is None:
            return False
        node = self._walker.walk(path).node
        return node is None or node.kind != "dir"

    def _remembered(self, paths: list[SourcePath]) -> dict[SourcePath, Package | None]:
        if not self._states or not paths:
            return self._found(paths)
        first = self._states[0]
        facts = {path: f"owner {self._state} {printable(path)}" for path in paths}
        kept = {path: self._facts.get(first, facts[path], tuple[Package, ...]) for path in paths}
        result = {path: one[0] if one else None for path, one in kept.items() if one is not None}
        new = self._found([path for path, one in kept.items() if one is None])
        if not self._warnings():
            for path, owner in new.items():
                self._facts.put(first, facts[path], () if owner is None else (owner,))
        return result | new

    @cached_property
    def _state(self) -> str:
        """A name for how the databases are."""
        stamps = repr([one.stamp for one in self._states])
        return hashlib.sha256(stamps.encode()).hexdigest()[:16]

    @cached_property
    def _states(self) -> tuple[FileSource, ...]:
        """What changes whenever an answer does."""
        named = (path for one in self._databases for path in one.states)
        found = (find(self._walker, path, "file", "dir") for path in named)
        sources = [self._walker.root.open(path) for path in found if path is not None]
        return tuple(one for one in sources if isinstance(one, FileSource))

    def _found(self, paths: Iterable[SourcePath]) -> dict[SourcePath, Package | None]:
        """The owners of paths: of several the first, by the first database that knows any."""
        found: dict[SourcePath, Package | None] = dict.fromkeys(paths)
        left = set(found)
        for database in self._databases:
            if not left or database in self._damaged:
                continue
            with self._minding(database):
                brought = self._brought(database, left)
                found.update((path, legible(min(several))) for path, several in brought.items())
                left -= brought.keys()
        return found

    def _brought(
        self, database: Database, paths: set[SourcePath]
    ) -> dict[SourcePath, set[Package]]:
        """Those of the paths that a database knows, with the packages that have them."""
        found: dict[SourcePath, set[Package]] = {}
        for asked in (database.likely, database.named):
            left = paths - found.keys()
            owners: dict[SourcePath, set[Package]] = {}
            for spelt, package in asked({name(one) for one in left}) if left else ():
                path = self._spelling.stands(spelt)
                if path in left:
                    owners.setdefault(path, set()).add(package)
            found |= owners
        return found


def owners(root: Root, *, facts: FileFacts | None = None) -> Owners:
    """What the package databases of a root know; without any, nothing has an owner."""
    return Owners(root, facts)


def watch(root: Root) -> None:
    """Ask a root for all that changes with any change of a package, if it records what it is asked.

    The hundreds of other files that tell who owns what need not be recorded then.
    """
    walker = Walker(root)
    for manager in _MANAGERS:
        for path in manager.STATES:
            walk = walker.walk(OpenedPath(path))
            if walk.node is not None and walk.node.kind == "dir":
                root.list(walk.real)
