"""Directories of sys.path → the metadata of distributions: names, modules, entry points, needs."""

import re
from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.paths import join

_KINDS = (".dist-info", ".egg-info")
_TEXTS = (
    "METADATA",
    "PKG-INFO",
    "RECORD",
    "entry_points.txt",
    "namespace_packages.txt",
    "requires.txt",
    "top_level.txt",
)
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
_SAYS_ALL = re.compile(r"^Metadata-Version: (?:1\.2|[2-9])", re.MULTILINE)
_ENTRY = re.compile(r"\s*([^=\s][^=]*?)\s*=\s*([\w.]+)")


class Distribution(Struct, frozen=True):
    """The metadata at `path`; `name` as `normalized`, `directory` is that of its modules.

    `requires` are names of what it needs without extras; None where that is not written anywhere.
    `groups` has its entry points: by group the names with their modules.
    """

    name: str
    path: str
    directory: str
    modules: tuple[str, ...]
    requires: tuple[str, ...] | None
    groups: dict[str, dict[str, str]]


@cache
def normalized(text: str) -> str:
    """A distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", text).lower()


class Distributions:
    """The distributions in some directories, read when they are asked for."""

    def __init__(self, files: ImageFiles, directories: Iterable[str]) -> None:
        self._files = files
        self._paths = dict[str, list[tuple[str, str]]]()
        self._read = dict[str, Distribution]()
        self._modules: dict[str, list[Distribution]] | None = None
        self._groups: dict[str, dict[str, None]] | None = None
        for directory in directories:
            for entry in files.names(directory):
                if entry.endswith(_KINDS):
                    key = normalized(entry.rpartition(".")[0].partition("-")[0])
                    self._paths.setdefault(key, []).append((join(directory, entry), directory))

    def named(self, name: str) -> tuple[Distribution, ...]:
        """Those of a name, in the order of the directories."""
        key = normalized(name)
        return tuple(self._distribution(key, *one) for one in self._paths.get(key, ()))

    def everything(self) -> Iterable[Distribution]:
        """All of them."""
        for key in self._paths:
            yield from self.named(key)

    def with_group(self, group: str) -> tuple[Distribution, ...]:
        """Those that have entry points in a group."""
        if self._groups is None:
            self._groups = {}
            for key, paths in self._paths.items():
                for path, _ in paths:
                    for one in _groups(self._text(join(path, "entry_points.txt"))):
                        self._groups.setdefault(one, {})[key] = None
        found = (one for key in self._groups.get(group, ()) for one in self.named(key))
        return tuple(one for one in found if group in one.groups)

    def of_module(self, module: str) -> tuple[Distribution, ...]:
        """Those that have a module, by its dotted name or the first of it; else of its name."""
        if self._modules is None:
            self._modules = {}
            for one in self.everything():
                for owned in one.modules:
                    self._modules.setdefault(owned, []).append(one)
        top = module.partition(".")[0]
        found = self._modules.get(module) or self._modules.get(top)
        return tuple(found) if found else self.named(module) or self.named(top)

    def _distribution(self, key: str, path: str, directory: str) -> Distribution:
        if path not in self._read:
            is_directory = self._files.kind(path) == "dir"
            texts = {one: self._text(join(path, one)) if is_directory else "" for one in _TEXTS}
            metadata = texts["METADATA"] or texts["PKG-INFO"]
            if not is_directory:
                metadata = self._text(path)
            self._read[path] = Distribution(
                key,
                path,
                directory,
                _modules(texts),
                _requires(metadata, texts["requires.txt"]),
                _groups(texts["entry_points.txt"]),
            )
        return self._read[path]

    def _text(self, path: str) -> str:
        return (self._files.read(path) or b"").decode("utf-8", "replace")


def _modules(texts: dict[str, str]) -> tuple[str, ...]:
    """The first names of its modules; of packages that several share, those below."""
    shared = set(texts["namespace_packages.txt"].split())
    listed = [one for one in texts["top_level.txt"].split() if one not in shared]
    if listed:
        return tuple(dict.fromkeys(listed))
    found: dict[str, None] = {}
    for line in texts["RECORD"].splitlines():
        path = line.partition(",")[0]
        top, slash, _ = path.partition("/")
        if slash and not top.endswith((*_KINDS, ".data", "..")) and path.endswith((".py", ".so")):
            found[top] = None
        elif not slash and top.endswith((".py", ".so")):
            found[top.partition(".")[0]] = None
    return tuple(found)


def _requires(metadata: str, requires: str) -> tuple[str, ...] | None:
    """What it needs in any case, as METADATA or requires.txt has it; None: neither can say."""
    head = metadata.partition("\n\n")[0]
    lines = [one[14:] for one in head.splitlines() if one.startswith("Requires-Dist: ")]
    lines = lines or requires.partition("\n[")[0].splitlines()
    if not lines and not _SAYS_ALL.search(head):
        return None
    found = [_REQUIREMENT.match(one) for one in lines if not _is_extra(one)]
    return tuple(normalized(one[1]) for one in found if one is not None)


def _is_extra(requirement: str) -> bool:
    return re.search(r";.*\bextra\b", requirement) is not None or requirement.startswith("[")


def _groups(text: str) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    group: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("["):
            group = groups.setdefault(line.strip("[] \t"), {})
        elif found := _ENTRY.match(line):
            group[found[1]] = found[2]
    return groups
