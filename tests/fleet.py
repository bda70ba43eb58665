"""A fleet: images of real programs as a registry keeps them, and what an upgrade pushes again.

The upgrade of a package is replayed in the plans: all packages of its source get another version,
and each of their files other bytes.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from rootfs_builder import packages, recipe
from rootfs_builder.errors import RootfsError
from rootfs_builder.filesystem.content import BytesSource, read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.image import layers
from rootfs_builder.image.store import Store
from rootfs_builder.needs import rules
from rootfs_builder.pipeline import planning
from rootfs_builder.plan import split
from rootfs_builder.recipe.codec import GZIP
from tests.integration import corpus

UNLIMITED = 1 << 20  # layers: before anything is merged to a budget


def programs():
    """The corpus's programs that are installed, then others of this machine, a package each."""
    named = [case.program for case in corpus.load() if case.program and "{" not in case.program]
    found = [path for name in sorted(set(named)) for path in sorted(map(str, _glob(name)))[:1]]
    owners = packages.owners(DirectoryRoot())
    others = sorted(map(str, Path("/usr/bin").iterdir()))
    owner = owners.of_all(map(os.path.realpath, (*found, *others))).packages
    taken = {*(owner[os.path.realpath(path)] for path in found), None}
    for path in others:
        package = owner[os.path.realpath(path)]
        if package not in taken:
            taken.add(package)
            found.append(path)
    return found


def _glob(name):
    return Path("/").glob(name.removeprefix("/"))


def plans(count):
    """The plans of so many programs, fewer where the machine has fewer."""
    sources, known = Sources(DirectoryRoot()), rules.load()
    owners = packages.owners(sources)
    found = {}
    for path in programs():
        wanted = recipe.from_options(directory="/", executables=(path,))
        try:
            plan = planning.plan(wanted, sources, rules=known, owners=owners)[1]
            found[path] = replace(plan, entries=tuple(map(_kept, plan.entries)))
        except RootfsError:  # a script of a shell's builtins, a library that is not here …
            continue
        if len(found) == count:
            break
    return found


def _kept(entry):
    """An entry whose bytes stay, whatever others do to the machine's configuration meanwhile."""
    if entry.content is None or entry.package is not None:
        return entry
    return replace(entry, content=BytesSource(read(entry.content)))


def upgraded(plan, source, files):
    """The plan after an upgrade of all packages of a source; `files` remembers their new bytes."""
    entries = []
    for entry in plan.entries:
        package, content = entry.package, entry.content
        if package is None or package.source != source:
            entries.append(entry)
            continue
        if content is not None and content not in files:
            files[content] = BytesSource(read(content) + b"+")
        package = replace(package, version=package.version + "+1")
        entries.append(replace(entry, package=package, content=files.get(content)))
    return replace(plan, entries=tuple(entries))


@dataclass
class Bytes:
    """Layers, and their bytes before and after compression."""

    layers: int = 0
    plain: int = 0
    compressed: int = 0


class Registry:
    """Keeps each layer once."""

    def __init__(self, codec=GZIP):
        self._codec = codec
        self._known = {}
        self._digests = set()

    def push(self, plan, budget):
        """What a push of the plan's image uploads."""
        pushed = Bytes()
        for part in split.by_change(plan, budget=budget):
            bare = tuple(
                replace(entry, reasons=(), package=None, first_party=False)
                for entry in part.entries
            )
            if bare in self._known:
                continue
            self._known[bare] = digest, plain, compressed = self._packed(part)
            if digest not in self._digests:
                self._digests.add(digest)
                pushed.layers += 1
                pushed.plain += plain
                pushed.compressed += compressed
        return pushed

    def _packed(self, part):
        sizes = []
        with tempfile.TemporaryFile() as file:
            layer = layers.pack(part, Store(file), codec=self._codec, progress=sizes.append)
        return layer.descriptor.digest, sum(sizes), layer.descriptor.size

    def push_all(self, fleet, budget):
        """The same for many."""
        total = Bytes()
        for plan in fleet:
            one = self.push(plan, budget)
            total.layers += one.layers
            total.plain += one.plain
            total.compressed += one.compressed
        return total


def distinct_files(fleet):
    """How many files there are in a fleet, and their bytes, each once."""
    contents = {entry.content for plan in fleet for entry in plan.entries if entry.content}
    return len(contents), sum(one.size for one in contents)
