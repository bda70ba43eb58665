"""Lists of paths, one a line, that are searched as one text: dpkg has thousands and no index."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import accumulate

_FEW = 25  # names: a search for one takes 5 to 10 ms in 27 MB, a look at each line 170 ms


class Lists:
    """The lists of several packages, by their labels."""

    def __init__(self, lists: Iterable[tuple[str, bytes]]) -> None:
        self._labels: list[str] = []
        texts: list[bytes] = []
        for label, text in lists:
            self._labels.append(label)
            texts.append(text)
        self._text = b"\n".join((*texts, b""))
        self._begins = [0, *accumulate(len(one) + 1 for one in texts)]

    def named(self, names: AbstractSet[bytes]) -> Iterator[tuple[bytes, str]]:
        """The paths with these last components, and the lists that have them."""
        for at in self._searched(names) if len(names) <= _FEW else self._read(names):
            begin = self._text.rfind(b"\n", 0, at) + 1
            path = self._text[begin : self._text.index(b"\n", at)]
            yield path, self._labels[bisect_right(self._begins, at) - 1]

    def _searched(self, names: AbstractSet[bytes]) -> Iterator[int]:
        """Where the slash before such a last component stands."""
        for one in names:
            ending = b"/%b\n" % one
            at = self._text.find(ending)
            while at >= 0:
                yield at
                at = self._text.find(ending, at + 1)

    def _read(self, names: AbstractSet[bytes]) -> Iterator[int]:
        """The same."""
        begin = 0
        for line in self._text.split(b"\n"):
            slash = line.rfind(b"/")
            if line[slash + 1 :] in names:
                yield begin + slash
            begin += len(line) + 1
