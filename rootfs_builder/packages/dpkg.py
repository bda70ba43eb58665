"""dpkg's database: /var/lib/dpkg → what is installed, and the files of each.

`status` has a stanza for each package (deb-control(5)), `info/NAME[:ARCH].list` its paths, one a
line. There are a thousand lists and no index of them: they are read at once and joined, and
searched for a name, which is quicker than taking them apart for a few names. A diverted path
stands under another name, unless its package is the diverter (dpkg-divert(1)).
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import accumulate

from rootfs_builder.packages.database import Package, content, find, unreadable
from rootfs_builder.paths import ImagePath, decode, encode
from rootfs_builder.paths import name as last
from rootfs_builder.root import read as bytes_of
from rootfs_builder.walk import Walker

_ADMIN = "/var/lib/dpkg"
_LIST = ".list"
_STATUS = f"{_ADMIN}/status"
_DIVERSIONS = f"{_ADMIN}/diversions"
_SCANS = 16  # of all lists; then an index of all names pays, which costs as much as 40
_NAME = re.compile(rb"^Package:[ \t]*(\S+)", re.MULTILINE)
_FIELD = re.compile(r"^(Version|Architecture|Source):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_SOURCE = re.compile(r"(\S+)(?:[ \t]+\((.*)\))?")


class Dpkg:
    """The packages of dpkg, which are read when the first is asked for."""

    doubts = ()
    files = (_STATUS, _DIVERSIONS)  # dpkg writes the first anew with whatever it does to a package

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._scans = 0

    def holders(self, name: str, is_it: Callable[[str], bool]) -> Iterator[Package]:
        """See Database."""
        for line, label in self._lines(name):
            if is_it(line) and (line not in self._diversions or self._diverts(line, label)):
                yield from self._package(label)
        for spelt, (to, _) in self._diversions.items():
            if last(to) == name and is_it(to):
                for line, label in self._lines(last(spelt)):
                    if line == spelt and not self._diverts(line, label):
                        yield from self._package(label)

    def _diverts(self, path: str, label: str) -> bool:
        return label.partition(":")[0] == self._diversions[path][1]

    @cached_property
    def _diversions(self) -> dict[str, tuple[str, str]]:
        """Paths that stand elsewhere: where, and the diverter, `:` for one that has no package."""
        lines = decode(content(self._walker, _DIVERSIONS)).split("\n")
        threes = zip(lines[0::3], lines[1::3], lines[2::3], strict=False)
        return {spelt: (to, by) for spelt, to, by in threes}

    # --- info/*.list ---

    @cached_property
    def _lists(self) -> tuple[tuple[str, ...], tuple[int, ...], bytes]:
        """The labels of all lists, where each begins, and their bytes in one piece."""
        root, info = self._walker.root, find(self._walker, f"{_ADMIN}/info", "dir")
        try:
            names = () if info is None else root.list(info)
            paths = [ImagePath(f"{info}/{one}") for one in names if one.endswith(_LIST)]
            files = [one for one in paths if (node := root.lstat(one)) and node.kind == "file"]
        except OSError as error:
            raise unreadable(f"{_ADMIN}/info", str(error.strerror)) from error
        labels = tuple(last(one)[: -len(_LIST)] for one in files)
        lists = [bytes_of(root.open(one)) for one in files]
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

    def _package(self, label: str) -> Iterator[Package]:
        """The package with the list NAME or NAME:ARCH, if it is known by `status`."""
        name, _, architecture = label.partition(":")
        for stanza in self._stanzas.get(name, ()):
            field = dict(_FIELD.findall(stanza))
            if architecture in ("", field.get("Architecture")):
                architecture, version = field.get("Architecture", ""), field.get("Version", "")
                source, other = name, version
                if built := _SOURCE.fullmatch(field.get("Source", "")):
                    source, other = built[1], built[2] or version
                yield Package(name, version, architecture, source, other, "deb")
                return


def read(walker: Walker) -> Dpkg | None:
    """See the folder."""
    return None if find(walker, _STATUS) is None else Dpkg(walker)
