"""What roots were asked → a file that tells make, ninja and CMake when to build again.

The format is that of `gcc -MD -MP`, which all three read. It cannot say "absent": instead it names
the directory in which the file would appear, whose time changes then. A directory that the build
itself writes into is always newer than the result, so absent files in it are not covered. Only make
can test for absent paths: with `$(wildcard …)`, in a file of its own.

A name that one of the three cannot read is left out: one with a backslash, or with a character that
ninja's src/depfile_parser.in.cc does not accept.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.root import Node, Root
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import ROOT, Key, ancestors, below, encode, parent, possible

_READABLE = re.compile(r"(?:[\w+?\"'&,/:.~(){}%=@\[\]! #$-]|[^\0-\x7f])+", re.ASCII)
_NO_TARGET = frozenset("%=")  # in front of a colon make takes these for a pattern, an assignment
_APPEARED = "rootfs-builder-appeared"


class Inputs(Struct, frozen=True):
    """The paths of this machine that the result depends on.

    `files` existed, `absent` did not; `listed` are directories of which every name counted, `links`
    those that hold a link, `places` those in which an absent path would appear.
    """

    files: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()


class Recorder:
    """The Root of a `directory` of this machine, which remembers what it was asked."""

    def __init__(self, root: Root, directory: str = ROOT) -> None:
        self.root = root
        self._base = directory.rstrip("/")
        self._nodes: dict[Key, Node | None] = {}
        self._listed: set[Key] = set()

    def lstat(self, path: Key) -> Node | None:
        """See Root."""
        node = self._nodes[path] = self.root.lstat(path)
        return node

    def readlink(self, path: Key) -> str:
        """See Root."""
        return self.root.readlink(path)

    def open(self, path: Key) -> Source:
        """See Root."""
        return self.root.open(path)

    def capability(self, path: Key) -> bytes:
        """See Root."""
        return self.root.capability(path)

    def list(self, path: Key) -> tuple[str, ...]:
        """See Root."""
        self._listed.add(path)
        return self.root.list(path)

    def inputs(self) -> Inputs:
        """All that was asked until now."""
        walker = Walker(self.root)
        asked = {path: node for path, node in self._nodes.items() if possible(path)}
        absent = [path for path, node in asked.items() if node is None]
        links = [path for path, node in asked.items() if node and node.kind == "symlink"]
        # A tool goes by what a link leads to: that of a directory would be any change in it.
        files = [path for path in links if (end := walker.walk(path).node) and end.kind != "dir"]
        files += [path for path, node in asked.items() if node and node.kind == "file"]
        return Inputs(
            files=self._here(files),
            listed=self._here(self._listed),
            absent=self._here(absent),
            links=self._here(map(parent, links)),
            places=self._here(map(self._existing, absent)),
        )

    def _here(self, paths: Iterable[str]) -> frozenset[str]:
        return frozenset((self._base + path).rstrip("/") or ROOT for path in paths)

    def _existing(self, path: Key) -> Key:
        """The directory in which the first part of an absent path would appear."""
        above = parent(path)
        while self.root.lstat(above) is None:
            above = parent(above)
        return above


def text(
    target: str, inputs: Iterable[Inputs], *, directory: str, written: Iterable[str], make: bool
) -> tuple[str, tuple[str, ...]]:
    """The text of the file, and the paths that it cannot name.

    `target` is named as given; paths below the working directory `directory` are named relative to
    it, as makefiles name them. The files `written` show which directories the build writes into.
    With `make` it is a makefile.
    """
    busy = {ROOT, directory, *ancestors(directory)}
    for path in written:
        busy.update((parent(path), *ancestors(parent(path))))
    present: set[str] = set()
    absent: set[str] = set()
    for one in inputs:
        present |= one.files | one.listed | (one.links - busy)
        if make:
            absent |= one.absent
        else:
            present |= one.places - busy
    named = {path: _name(path, directory) for path in present | absent}
    unnameable = {path for path in (*named, target) if not _READABLE.fullmatch(path)}
    names = sorted((named[path] for path in present - unnameable), key=_order)
    lines = [" \\\n  ".join((f"{_escaped(target)}:", *map(_escaped, names))), ""]
    lines += [f"{_escaped(one)}:" for one in names if not _NO_TARGET & set(one)]
    missing = sorted((named[path] for path in absent - unnameable), key=encode)
    if missing:
        lines += _unless_absent(target, missing)
    return "\n".join((*lines, "")), tuple(sorted(unnameable, key=encode))


def _name(path: str, directory: str) -> str:
    """A path as makefiles name it."""
    if directory in {ROOT, path} or not below(path, directory):
        return path
    inner = path[len(directory) + 1 :]
    return f"./{inner}" if inner.startswith("~") else inner


def _order(path: str) -> tuple[bool, bytes]:
    """In front make would take a name with = for an assignment to a variable."""
    return "=" in path, encode(path)


def _escaped(path: str) -> str:
    return re.sub(r"([ #:])", r"\\\1", path).replace("$", "$$")


def _unless_absent(target: str, absent: Iterable[str]) -> list[str]:
    """Make the target again when one of these paths is there."""
    patterns = (re.sub(r"([ #\[\]?])", r"\\\1", path).replace("$", "$$") for path in absent)
    return [
        " \\\n  ".join((f"{_APPEARED} :=", *patterns)),
        f"ifneq ($(wildcard $({_APPEARED})),)",
        f"{_escaped(target)}: {_APPEARED}",
        f".PHONY: {_APPEARED}",
        "endif",
    ]
