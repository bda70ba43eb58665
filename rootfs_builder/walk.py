"""The kernel's path walk, confined to a Root: the loader's text for a file → the steps it takes.

Absolute link targets start again at the root, `..` applies after the link it follows, more than 40
links are ELOOP. Source: path_resolution(7).
"""

import errno

from msgspec import Struct

from rootfs_builder.paths import ROOT, ImagePath, OpenedPath, encode, join, parent
from rootfs_builder.root import Node, Root

_MAX_LINKS = 40
_MAX_DEPTH = 4 * _MAX_LINKS  # links to links, followed at one time
_PATH_MAX = 4096
_NAME_MAX = 255


class Walk(Struct, frozen=True):
    """One path walk: every node stepped on in order, links and directories too, the end last.

    `errno` is 0 when the walk arrived (then `real` and `node` are set), else why it stopped.
    """

    steps: tuple[ImagePath, ...]
    errno: int = 0
    links: int = 0
    node: Node | None = None

    @property
    def real(self) -> ImagePath:
        """The resolved path of what was found."""
        return self.steps[-1]


class Walker:
    """Path walks in one Root, each directory prefix walked once."""

    def __init__(self, root: Root) -> None:
        self.root = root
        start = Walk((ROOT,), node=root.lstat(ROOT))
        self._walks: dict[str, Walk] = {"": start}
        self._depth = 0

    def walk(self, path: OpenedPath | ImagePath) -> Walk:
        """Resolve an absolute path as the kernel would, confined to the root."""
        if len(path) >= _PATH_MAX and len(encode(path)) >= _PATH_MAX:
            return Walk((), errno.ENAMETOOLONG)
        result = self._resolve(path.rstrip("/"))
        if path.endswith("/") and result.node is not None and result.node.kind != "dir":
            return Walk(result.steps, errno.ENOTDIR, result.links)
        return result

    def _resolve(self, path: str) -> Walk:
        pending = []
        while path not in self._walks:
            pending.append(path)
            path = path.rpartition("/")[0]
        result = self._walks[path]
        for onward in reversed(pending):
            self._walks[onward] = Walk((), errno.ELOOP)  # met again below: a loop
            result = self._walks[onward] = self._step(result, onward.rpartition("/")[2])
        return result

    def _step(self, above: Walk, name: str) -> Walk:
        if above.errno or name in ("", "."):
            return above
        if above.node is None or above.node.kind != "dir":
            return Walk(above.steps, errno.ENOTDIR, above.links)
        if name == "..":
            up = parent(above.real)
            return Walk((*above.steps, up), 0, above.links, self.root.lstat(up))
        if len(name) > _NAME_MAX // 4 and len(encode(name)) > _NAME_MAX:
            return Walk(above.steps, errno.ENAMETOOLONG, above.links)
        here = join(above.real, name)
        try:
            node = self.root.lstat(here)
        except OSError as error:
            return Walk(above.steps, error.errno or errno.EIO, above.links)
        if node is None:
            return Walk(above.steps, errno.ENOENT, above.links)
        steps = (*above.steps, here)
        if node.kind != "symlink":
            return Walk(steps, 0, above.links, node)
        return self._follow(here, steps, above)

    def _follow(self, link: ImagePath, steps: tuple[ImagePath, ...], above: Walk) -> Walk:
        target = self.root.readlink(link)
        if not target or self._depth > _MAX_DEPTH:
            return Walk(steps, errno.ELOOP if target else errno.ENOENT, above.links)
        text = target if target.startswith("/") else join(above.real, target)
        self._depth += 1
        onward = self._resolve(text.rstrip("/"))
        self._depth -= 1
        links = above.links + 1 + onward.links
        if links > _MAX_LINKS:
            return Walk(steps, errno.ELOOP, links)
        if target.endswith("/") and onward.node is not None and onward.node.kind != "dir":
            return Walk(steps, errno.ENOTDIR, links)
        return Walk((*steps, *onward.steps), onward.errno, links, onward.node)
