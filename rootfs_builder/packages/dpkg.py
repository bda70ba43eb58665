"""dpkg's database: /var/lib/dpkg → what is installed, and the files of each.

`status` has a stanza for each package (deb-control(5)), `info/NAME[:ARCH].list` its paths, one a
line. There are a thousand lists and no index of them: they are read at once and joined, and
searched for a name, which is quicker than taking them apart for a few names. A library is looked
for in the packages first that are called like it, since a file has one owner and most programs
need few. A diverted path stands under another name, unless its package is the diverter
(dpkg-divert(1)).
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
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
STATES = (_STATUS,)
_DIVERSIONS = f"{_ADMIN}/diversions"
_OF_EVERY_PROGRAM = ("libc6:", "libgcc-s1:", "libstdc++6:")
_ALIKE = 6  # letters that the names of a library and of its package share: libssl, libcurl4t64
_SCANS = 16  # of all lists; then an index of all names pays, which costs as much as 40
_NAME = re.compile(rb"^Package:[ \t]*(\S+)", re.MULTILINE)
_FIELD = re.compile(r"^(Version|Architecture|Source):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_SOURCE = re.compile(r"(\S+)(?:[ \t]+\((.*)\))?")


# The labels of lists, where each begins, and their bytes in one piece.
_Lists = tuple[tuple[str, ...], tuple[int, ...], bytes]


class Dpkg:
    """The packages of dpkg, which are read when the first is asked for."""

    doubts = ()
    files = (_STATUS, _DIVERSIONS)  # dpkg writes the first anew with whatever it does to a package

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._scans = 0

    def holders(self, path: str, is_it: Callable[[str], bool]) -> Iterator[Package]:
        """See Database."""
        name = last(path)
        quick = self._exact(path) if "_lists" in self.__dict__ else self._likely(name)
        yield from self._listed(quick, is_it) or self._listed(self._lines(name), is_it)
        for spelt, (to, _) in self._diversions.items():
            if last(to) == name and is_it(to):
                for line, label in self._lines(last(spelt)):
                    if line == spelt and not self._diverts(line, label):
                        yield from self._package(label)

    def _listed(
        self, lines: Iterable[tuple[str, str]], is_it: Callable[[str], bool]
    ) -> list[Package]:
        """The packages of those lines that are the file, where it stands as they say."""
        return [
            package
            for line, label in lines
            if is_it(line) and (line not in self._diversions or self._diverts(line, label))
            for package in self._package(label)
        ]

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
    def _names(self) -> dict[str, ImagePath]:
        """The lists by their labels."""
        root, info = self._walker.root, find(self._walker, f"{_ADMIN}/info", "dir")
        try:
            names = () if info is None else root.list(info)
        except OSError as error:
            raise unreadable(f"{_ADMIN}/info", str(error.strerror)) from error
        lists = (one for one in names if one.endswith(_LIST))
        return {one[: -len(_LIST)]: ImagePath(f"{info}/{one}") for one in lists}

    def _read(self, labels: Iterable[str]) -> _Lists:
        root = self._walker.root
        try:
            files = {
                label: root.open(self._names[label])
                for label in labels
                if (node := root.lstat(self._names[label])) and node.kind == "file"
            }
        except OSError as error:
            raise unreadable(f"{_ADMIN}/info", str(error.strerror)) from error
        lists = [bytes_of(one) for one in files.values()]
        starts = tuple(accumulate((len(one) + 1 for one in lists), initial=1))
        return tuple(files), starts, b"\n" + b"\n".join(lists) + b"\n"

    @cached_property
    def _lists(self) -> _Lists:
        return self._read(self._names)

    def _likely(self, name: str) -> Iterator[tuple[str, str]]:
        """The same as `_lines`, in the packages that a library is probably of.

        Nobody makes a directory of such a name, which many packages could have.
        """
        if ".so" in name:
            like = (*_OF_EVERY_PROGRAM, name[:_ALIKE].lower())
            lists = self._read(label for label in self._names if label.startswith(like))
            yield from _found(encode(name), lists, [(0, len(lists[2]))])

    def _lines(self, name: str) -> Iterator[tuple[str, str]]:
        """Every line with this last component, and the label of its list."""
        yield from _found(encode(name), self._lists, self._spans(encode(name)))

    def _exact(self, path: str) -> Iterator[tuple[str, str]]:
        """The line that spells a path as it is, or as it was before /usr was merged."""
        for spelt in (path, path.removeprefix("/usr")):
            if (label := self._whole.get(encode(spelt))) is not None:
                yield spelt, label

    @cached_property
    def _whole(self) -> dict[bytes, str]:
        """Each line, and the first list that has it."""
        labels, starts, text = self._lists
        index: dict[bytes, str] = {}
        for number in reversed(range(len(labels))):
            lines = text[starts[number] : starts[number + 1]].split(b"\n")
            index.update(dict.fromkeys(lines, labels[number]))
        return index

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


def _found(
    name: bytes, lists: _Lists, spans: Iterable[tuple[int, int]]
) -> Iterator[tuple[str, str]]:
    labels, starts, text = lists
    end = b"/" + name + b"\n"
    for start, stop in spans:
        at = start
        while (at := text.find(end, at, stop)) >= 0:
            line = text.rfind(b"\n", 0, at) + 1
            at += len(end) - 1
            yield decode(text[line:at]), labels[bisect_right(starts, line) - 1]


def read(walker: Walker) -> Dpkg | None:
    """See the folder."""
    return None if find(walker, _STATUS) is None else Dpkg(walker)
