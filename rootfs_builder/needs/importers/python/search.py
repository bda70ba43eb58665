"""Names of modules → the files that Python would read, as importlib.machinery.PathFinder does.

What is hard: a package without `__init__` is in every directory that has a part of it, and counts
only where no directory has a module of that name.
"""

from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.paths import join, name

_SOURCES = (".py", ".pyc")
_INIT = "__init__"


class Kind(Enum):
    """What a name is in a directory."""

    PACKAGE = "package"
    FILE = "file"
    NAMESPACE = "namespace"


class Found(Struct, frozen=True):
    """Where a module is.

    `root` is the directory of sys.path, `unit` the file or directory that comes whole for it,
    `files` what is read on the way to it, the last by itself if it is `whole`. `is_package` says
    whether that is a package, `directories` where its parts are. `shims` make it known by its name.
    """

    root: str
    unit: str
    files: tuple[str, ...]
    whole: bool
    is_package: bool
    directories: tuple[str, ...] = ()
    shims: tuple[str, ...] = ()


class Search:
    """Looks modules of Python 3.`minor` up in directories."""

    def __init__(self, files: ImageFiles, minor: str) -> None:
        self._files = files
        self._abi = f"cpython-3{minor}"
        self._indexes = dict[str, dict[str, str]]()
        self._known = dict[tuple[tuple[str, ...], tuple[str, ...]], Found | None]()

    def index(self, directory: str) -> dict[str, str]:
        """The modules that may be in a directory, by name; of several files the one that counts."""
        if directory not in self._indexes:
            found: dict[str, str] = {}
            for entry in self._files.names(directory):
                stem, dot, suffix = entry.partition(".")
                if not dot:
                    found.setdefault(stem, entry)
                elif f".{suffix}" in _SOURCES or self._is_extension(suffix):
                    known = found.get(stem, "")
                    found[stem] = known if known.endswith((".so", ".py")) else entry
            self._indexes[directory] = found
        return self._indexes[directory]

    def _is_extension(self, suffix: str) -> bool:
        """Whether what follows a module's name is that of a library for this Python."""
        middle, dot, last = f".{suffix}".rpartition(".")
        if last != "so" or not dot:
            return False
        tag = middle.lstrip(".")
        return tag in ("", "abi3") or tag == self._abi or tag.startswith(f"{self._abi}-")

    def entry(self, directory: str, module: str) -> tuple[Kind, str] | None:
        """What a name is in one directory, and the path of that."""
        found = self.index(directory).get(module)
        if found not in (None, module) and self._init(join(directory, module)) is not None:
            found = module  # a package counts before a file of its name
        if found is None:
            return None
        path = join(directory, found)
        if found != module:
            return Kind.FILE, path
        if self._files.kind(path) != "dir":
            return None
        return (Kind.PACKAGE if self._init(path) else Kind.NAMESPACE), path

    def _init(self, directory: str) -> str | None:
        found = self.index(directory).get(_INIT)
        return join(directory, found) if found is not None and found != _INIT else None

    def find(self, module: str, roots: tuple[str, ...]) -> Found | None:
        """A module by its dotted name; None where not even the first of its names is there."""
        parts = tuple(module.split("."))
        key = (parts, roots)
        if key not in self._known:
            found = self._find(parts, roots)
            is_lost = found is None and parts[0] == "distutils"
            self._known[key] = self._of_setuptools(parts, roots) if is_lost else found
        return self._known[key]

    def _of_setuptools(self, parts: tuple[str, ...], roots: tuple[str, ...]) -> Found | None:
        """A module of distutils, which setuptools has where Python has none (PEP 632)."""
        found = self._find(("setuptools", "_distutils", *parts[1:]), roots)
        if found is None or not found.files:
            return None
        shims = (f"{found.root}/{one}" for one in ("_distutils_hack", "distutils-precedence.pth"))
        there = tuple(one for one in shims if self._files.kind(one) is not None)
        return replace(found, shims=there) if there else None

    def _find(self, parts: tuple[str, ...], roots: tuple[str, ...]) -> Found | None:
        portions: list[str] = []
        for root in roots:
            entry = self.entry(root, parts[0])
            if entry is None:
                continue
            kind, path = entry
            if kind is not Kind.NAMESPACE:
                return self._chain(root, path, kind, parts[1:], roots)
            portions.append(path)
        if not portions:
            return None
        if len(parts) == 1:
            top = portions[0]
            return Found(top.rpartition("/")[0], "", (), True, True, tuple(portions))
        return self._find(parts[1:], tuple(portions)) or Found(
            portions[0].rpartition("/")[0], "", (), False, True, tuple(portions)
        )

    def _chain(
        self, root: str, unit: str, kind: Kind, rest: tuple[str, ...], roots: tuple[str, ...]
    ) -> Found:
        """The files of a module and of the packages that it is in."""
        if kind is Kind.FILE:
            return Found(root, unit, (unit,), not rest, False)
        directory, files = unit, [self._init(unit) or unit]
        for number, part in enumerate(rest):
            entry = self.entry(directory, part) or (
                self._elsewhere(unit, part, roots) if number == 0 else None
            )
            if entry is None:
                return Found(root, unit, tuple(files), False, True, (directory,))
            part_kind, path = entry
            if part_kind is Kind.FILE:
                whole = number == len(rest) - 1
                return Found(root, unit, (*files, path), whole, False)
            directory = path
            files += [init for init in (self._init(path),) if init]
        return Found(root, unit, tuple(files), True, True, (directory,))

    def _elsewhere(self, unit: str, part: str, roots: tuple[str, ...]) -> tuple[Kind, str] | None:
        """A part of a package in a directory of the same name, as pkgutil.extend_path finds it."""
        others = (join(root, name(unit)) for root in roots)
        found = (self.entry(one, part) for one in others if one != unit)
        return next((one for one in found if one is not None), None)

    def modules(self, directory: str) -> list[str]:
        """The paths of all modules directly in a directory, and of the packages there."""
        found: list[str] = []
        for module in sorted(self.index(directory)):
            entry = self.entry(directory, module)
            if entry is None or entry[0] is Kind.NAMESPACE:
                continue
            found.append(entry[1] if entry[0] is Kind.FILE else self._init(entry[1]) or entry[1])
        return found
