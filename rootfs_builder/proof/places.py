"""A path that a run used on this machine → the path at which the same run looks in the image.

What is in the system keeps its path. A relative path starts at the image's working directory. What
lies beside the program is found by the program's own place, unless the user's words spell it out.
"""

import re
from collections.abc import Iterable, Iterator
from posixpath import join, normpath, relpath

from msgspec import Struct

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.paths import ImagePath, below, name, parent
from rootfs_builder.proof.observation import Seen

_PATH = re.compile(r"(|-\w|[^/=]*=)(/.*)", re.DOTALL)  # a word with a path: PATH, -IPATH, --in=PATH


class Places(Struct, frozen=True):
    """Where one run finds what it uses.

    `program` is its path on this machine, `place` that in the image; `directory` is where the run
    starts here, `workdir` where a container does; `words` are the arguments and variables. `added`
    are the files that the user adds, each with its place in the image.
    """

    program: str
    place: ImagePath
    directory: str
    workdir: str
    words: tuple[str, ...]
    added: tuple[tuple[str, str], ...] = ()

    @property
    def own(self) -> tuple[str, ...]:
        """The directories of the user's that the run is about."""
        found = (self.directory, self._base)
        return tuple(one for one in found if one != "/" and not in_system(one))

    @property
    def _base(self) -> str:
        """The directory in which things are the program's own: that of bin/program is above."""
        directory = parent(self.program)
        return parent(directory) if name(directory) == "bin" else directory

    def of(self, seen: Seen) -> str:
        """The path in the image, as the run there spells it."""
        plain = normpath(seen.path)
        if plain == normpath(self.program):
            return self.place
        for source, place in self.added:
            if below(plain, source):
                return place.rstrip("/") + plain.removeprefix(source.rstrip("/")) or "/"
        if seen.relative:
            return join(self.workdir, seen.relative)
        if plain == self.directory:
            return self.workdir
        if in_system(plain) or not below(plain, self._base) or self._base == "/":
            return seen.path
        if any(plain in word for word in self.words):
            return seen.path
        return normpath(join(parent(self.place), relpath(plain, parent(self.program))))

    def here(self, word: str) -> str:
        """A word of the run as it is on this machine, where what is added is not at its place."""
        matched = _PATH.fullmatch(word)
        if matched is None:
            return word
        return matched[1] + (self.added_as(matched[2]) or matched[2])

    def added_as(self, path: str) -> str | None:
        """Where what is added at a path of the image is here, or the directory around it."""
        for source, place in self.added:
            inside = place.removeprefix(path.rstrip("/"))
            if below(path, place):
                return source + path.removeprefix(place)
            if below(place, path) and path != "/" and source.endswith(inside):
                return source.removesuffix(inside)
        return None

    def inputs(self, words: Iterable[str]) -> Iterator[tuple[str, str]]:
        """What words of the run name, here and in the image, if it is the user's own.

        A word is a path, or ends in =PATH; a path of the system is not an input.
        """
        for word in words:
            text = word.rpartition("=")[2] if word.startswith("-") else word
            path = normpath(join(self.directory, text))
            outside = path != "/" and not in_system(path) and path not in self.own
            added = any(below(path, source) for source, _ in self.added)
            if text and outside and not added and not below(self.program, path):
                yield path, normpath(join(self.workdir, text))
