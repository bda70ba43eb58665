"""dpkg's database: /var/lib/dpkg → what is installed, and the files of each.

`status` has a stanza for each package (deb-control(5)), `info/NAME[:ARCH].list` its paths, one a
line. There are a thousand lists and no index of them: they are read at once and joined, and
searched for a name, which is quicker than taking them apart for a few names. A diverted path
stands under another name, unless its package is the diverter (dpkg-divert(1)).
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate

from rootfs_builder.errors import InputError
from rootfs_builder.packages.database import Package, content, find
from rootfs_builder.paths import OpenedPath, decode, encode, join, printable
from rootfs_builder.paths import name as last
from rootfs_builder.walk import Walker

_ADMIN = "/var/lib/dpkg"
_STATUS = f"{_ADMIN}/status"
_SCANS = 32  # searches of all lists cost as much as an index of all names
_NAME = re.compile(rb"^Package:[ \t]*(\S+)", re.MULTILINE)
_FIELD = re.compile(r"^(Version|Architecture|Source):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_SOURCE = re.compile(r"(\S+)(?:[ \t]+\((.*)\))?")


class Dpkg:
    """The packages of dpkg, which are read when the first is asked for."""

    doubts = ()

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._packages: dict[str, Package | None] = {}
        self._scans = 0

    def holders(self, name: str) -> Iterator[tuple[str, Package]]:
        """See Database."""
        for line, label in self._lines(name):
            if line not in self._diversions or self._diverts(line, label):
                yield from self._held(line, label)
        for spelt, (to, _) in self._diversions.items():
            if last(to) == name:
                for line, label in self._lines(last(spelt)):
                    if line == spelt and not self._diverts(line, label):
                        yield from self._held(to, label)

    def _diverts(self, path: str, label: str) -> bool:
        return label.partition(":")[0] == self._diversions[path][1]

    def _held(self, path: str, label: str) -> Iterator[tuple[str, Package]]:
        if label not in self._packages:
            self._packages[label] = self._package(label)
        package = self._packages[label]
        if package is not None:
            yield path, package

    @cached_property
    def _diversions(self) -> dict[str, tuple[str, str]]:
        """Paths that stand elsewhere: where, and the diverter, `:` for one that has no package."""
        lines = decode(content(self._walker, f"{_ADMIN}/diversions")).split("\n")
        threes = zip(lines[0::3], lines[1::3], lines[2::3], strict=False)
        return {spelt: (to, by) for spelt, to, by in threes}

    # --- info/*.list ---

    @cached_property
    def _lists(self) -> tuple[tuple[str, ...], tuple[int, ...], bytes]:
        """The labels of all lists, where each begins, and their bytes in one piece."""
        walk = self._walker.walk(OpenedPath(f"{_ADMIN}/info"))
        try:
            names = () if walk.errno else self._walker.root.list(walk.real)
        except OSError as error:
            shown = printable(walk.real)
            raise InputError(
                f"{shown}: the package database cannot be read: {error.strerror}"
            ) from error
        labels = tuple(one.removesuffix(".list") for one in names if one.endswith(".list"))
        lists = [content(self._walker, join(walk.real, f"{one}.list")) for one in labels]
        starts = tuple(accumulate((len(one) + 1 for one in lists), initial=1))
        return labels, starts, b"\n" + b"\n".join(lists) + b"\n"

    def _lines(self, name: str) -> Iterator[tuple[str, str]]:
        """Every line with this last component, and the label of its list."""
        labels, starts, text = self._lists
        end = b"/" + encode(name) + b"\n"
        for start, stop in self._spans(encode(name)):
            at = start
            while (at := text.find(end, at, stop)) >= 0:
                line = text.rfind(b"\n", 0, at) + 1
                at += len(end) - 1
                yield decode(text[line:at]), labels[bisect_right(starts, line) - 1]

    def _spans(self, name: bytes) -> list[tuple[int, int]]:
        """Where to search for a name: everywhere, or, once that was often done, by an index."""
        _, starts, text = self._lists
        self._scans += 1
        if self._scans <= _SCANS:
            return [(0, len(text))]
        return [(starts[one], starts[one + 1]) for one in self._index.get(name, ())]

    @cached_property
    def _index(self) -> dict[bytes, list[int]]:
        """The last components of all paths, and the numbers of the lists that have them."""
        labels, starts, text = self._lists
        index = defaultdict[bytes, list[int]](list)
        for number in range(len(labels)):
            lines = text[starts[number] : starts[number + 1]].split(b"\n")
            for one in {line[line.rfind(b"/") + 1 :] for line in lines}:
                index[one].append(number)
        return index

    # --- status ---

    @cached_property
    def _stanzas(self) -> dict[str, list[str]]:
        stanzas: dict[str, list[str]] = {}
        for stanza in content(self._walker, _STATUS).split(b"\n\n"):
            if found := _NAME.search(stanza):
                stanzas.setdefault(decode(found[1]), []).append(decode(stanza))
        return stanzas

    def _package(self, label: str) -> Package | None:
        """The package with the list NAME or NAME:ARCH."""
        name, _, architecture = label.partition(":")
        for stanza in self._stanzas.get(name, ()):
            field = dict(_FIELD.findall(stanza))
            if architecture in ("", field.get("Architecture")):
                version = field.get("Version", "")
                built = _SOURCE.match(field.get("Source", "")) or _SOURCE.match(name)
                source, other = built.groups() if built else (name, None)
                architecture = field.get("Architecture", "")
                return Package(name, version, architecture, source, other or version, "deb")
        return None


def read(walker: Walker) -> Dpkg | None:
    """See the folder."""
    return None if find(walker, _STATUS) is None else Dpkg(walker)
