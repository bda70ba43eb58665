"""Where Node.js finds what a module asks for: files beside it, packages of node_modules."""

import json
from collections import deque
from collections.abc import Iterator
from posixpath import normpath
from typing import Any

from msgspec import Struct

from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.paths import ancestors, join, name

_ENDINGS = ("", ".js", ".json", ".node", ".mjs", ".cjs", ".ts", ".mts", ".cts")
SCRIPTS = (".js", ".cjs", ".mjs", ".ts", ".cts", ".mts")
MOST_MODULES = 1000  # of a package
_NOT_LOADED = frozenset(("__tests__", "docs", "examples", "node_modules", "test", "tests"))
MACHINES = {  # what npm calls them, by e_machine
    3: "ia32",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x64",
    183: "arm64",
    243: "riscv64",
}
_INDEX = ("index.js", "index.json", "index.node", "index.mjs", "index.cjs", "index.ts")
_FOLDERS = frozenset(("node_modules", "nodejs"))  # directories of packages


class Package(Struct, frozen=True):
    """A package: the path by which it is found, and the directory from which it was looked for."""

    path: str
    start: str


class Description(Struct, frozen=True, array_like=True):
    """What counts of a package.json."""

    name: str = ""
    main: str = ""
    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    libcs: tuple[str, ...] = ()
    imports: dict[str, str] = {}


def describe(text: bytes) -> Description:
    """The description in a package.json; an empty one where it cannot be read."""
    try:
        found = json.loads(text)
    except ValueError:
        return Description()
    if not isinstance(found, dict):
        return Description()
    meta = found.get("peerDependenciesMeta")
    optional_peers = [one for one, how in meta.items() if how] if isinstance(meta, dict) else []
    optional = {*_names(found, "optionalDependencies"), *optional_peers}
    needed = {*_names(found, "dependencies"), *_names(found, "peerDependencies")} - optional
    return Description(
        str(found.get("name", "")),
        str(found.get("main") or ""),
        tuple(sorted(needed)),
        tuple(sorted(optional)),
        _words(found.get("os")),
        _words(found.get("cpu")),
        _words(found.get("libc")),
        dict(_targets(found.get("imports"))),
    )


def _names(found: dict[str, Any], key: str) -> tuple[str, ...]:
    value = found.get(key)
    return tuple(value) if isinstance(value, dict) else ()


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _targets(value: object) -> Iterator[tuple[str, str]]:
    """The first path that is given for each key of `imports`."""
    for key, target in value.items() if isinstance(value, dict) else ():
        path = _target(target)
        if path:
            yield key, path


def _target(value: object) -> str:
    while isinstance(value, dict) and value:
        value = value.get("node", value.get("default", next(iter(value.values()))))
    return value if isinstance(value, str) else ""


class Packages:
    """Answers for the files of one image; `places` are searched where no node_modules has one."""

    def __init__(self, files: ImageFiles, places: tuple[str, ...]) -> None:
        self._files = files
        self._places = places

    def description(self, directory: str) -> Description:
        """That of the package in a directory."""
        path = join(directory, "package.json")
        return self._files.fact(path, "package.json 1", Description, describe, Description())

    def find(self, module: str, real: str) -> Package | None:
        """The package of a module that the file at a resolved path asks for."""
        parts = module.split("/")
        package = "/".join(parts[:2]) if module.startswith("@") else parts[0]
        for top in ancestors(real):
            if name(top) != "node_modules":
                path = f"{top}/node_modules/{package}"
                if self._files.kind(path) == "dir":
                    return Package(path, top)
        for place in self._places:
            for path in (f"{place}/{package}", f"{place}/{package}.js", f"{place}/{package}.node"):
                if self._files.kind(path) is not None:
                    return Package(path, place)
        return None

    def beside(self, text: str, directory: str) -> str | None:
        """The file that a relative request is for."""
        base = normpath(f"{directory}/{text}")
        each = [f"{base}{ending}" for ending in _ENDINGS]
        if base.endswith(".js"):
            each.append(f"{base[:-3]}.ts")
        for path in each:
            if self._files.is_file(path):
                return path
        if self._files.kind(base) != "dir":
            return None
        main = self.description(base).main
        if main and main.strip("./"):
            found = self.beside(main, base)
            if found is not None:
                return found
        return next((p for p in (f"{base}/{i}" for i in _INDEX) if self._files.is_file(p)), None)

    def around(self, real: str) -> str | None:
        """The directory of the installed package that a resolved path is in."""
        parts = real.split("/")
        for at in range(len(parts) - 2, 0, -1):
            if parts[at] in _FOLDERS:
                size = 3 if parts[at + 1].startswith("@") else 2
                return "/".join(parts[: at + size]) if len(parts) > at + size - 1 else None
        return None

    def modules(self, directory: str) -> list[str]:
        """The modules of the package in a directory, but for its tests; the first 1,000 and more.

        No more directories are looked at then.
        """
        todo, found = deque([directory]), list[str]()
        while todo and len(found) <= MOST_MODULES:
            here = todo.popleft()
            for base in self._files.names(here):
                path = join(here, base)
                if self._files.kind(path) == "dir":
                    todo += [] if base in _NOT_LOADED else [path]
                elif path.endswith(SCRIPTS) and not path.endswith(".d.ts"):
                    found.append(path)
        return found

    def above(self, real: str) -> str | None:
        """The nearest directory around a path that has a package.json."""
        each = (real, *ancestors(real)) if self._files.kind(real) == "dir" else ancestors(real)
        return next((one for one in each if self._files.is_file(f"{one}/package.json")), None)
