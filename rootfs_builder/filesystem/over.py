"""Two trees as one Root: what the first has counts, and the second supplies what it lacks.

Each tree has links of its own: `/lib` may be a directory in one and lead to `/usr/lib` in the
other. Keys are those of the whole, so the first tree's links decide where a path leads. What is not
there is looked for in the second by the kernel's walk, which follows the links of that, and by the
names that the first tree's links give to a directory.
"""

from collections.abc import Iterator
from functools import cached_property

from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.root import Node, Root
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import ROOT, Key, ancestors, below, encode, join, name, parent


class Over:
    """`first` laid over `second`; see Root for what the methods promise."""

    def __init__(self, first: Root, second: Root) -> None:
        self.first = first
        self.second = second
        self._walker = Walker(second)

    def lstat(self, path: Key) -> Node | None:
        """See Root."""
        node = self.first.lstat(path)
        if node is not None:
            return node
        place = self.second_path(path)
        return None if place is None else self.second.lstat(place)

    def readlink(self, path: Key) -> str:
        """See Root."""
        root, inside = self._at(path)
        return root.readlink(inside)

    def open(self, path: Key) -> Source:
        """See Root."""
        root, inside = self._at(path)
        return root.open(inside)

    def capability(self, path: Key) -> bytes:
        """See Root."""
        root, inside = self._at(path)
        return root.capability(inside)

    def list(self, path: Key) -> tuple[str, ...]:
        """See Root: the names of both."""
        node = self.first.lstat(path)
        names = set[str]() if node is None else {*self.first.list(path)}
        for place in self._places(path):
            walk = self._walker.walk(place)
            if walk.node is not None and walk.node.kind == "dir":
                names.update(self.second.list(walk.real))
        return tuple(sorted(names, key=encode))

    def second_path(self, path: Key) -> Key | None:
        """Where the second tree has what the whole has at `path`, if the first lacks that."""
        return None if self.first.lstat(path) is not None else next(self._places(path), None)

    def _at(self, path: Key) -> tuple[Root, Key]:
        place = self.second_path(path)
        return (self.first, path) if place is None else (self.second, place)

    def _places(self, path: Key) -> Iterator[Key]:
        """Every key of the second tree that is at `path`; none below a file of the first."""
        if path == ROOT:
            yield path
            return
        for above in ancestors(path):
            node = self.first.lstat(above)
            if node is not None:
                if node.kind != "dir":
                    return
                break
        spelt = [path]
        spelt += [
            type(path)(link + path[len(real) :])
            for link, real in self._links.items()
            if below(path, real) and path != real
        ]
        for one in spelt:
            walk = self._walker.walk(parent(one))
            if walk.node is not None and walk.node.kind == "dir":
                place = join(walk.real, name(one))
                if self.second.lstat(place) is not None:
                    yield place

    @cached_property
    def _links(self) -> dict[str, Key]:
        """The links to directories at the top of the first tree, such as /lib, and their ends."""
        walker = Walker(self.first)
        found = {}
        for one in self.first.list(ROOT):
            node = self.first.lstat(join(ROOT, one))
            walk = walker.walk(join(ROOT, one))
            if node is not None and node.kind == "symlink" and walk.node is not None:
                found[f"/{one}"] = walk.real
        return found
