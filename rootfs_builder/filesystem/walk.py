"""The kernel's path walk, confined to a Root: the loader's text for a file → the steps it takes.

Absolute link targets start again at the root, `..` applies after the link it follows, more than 40
links are ELOOP. Source: path_resolution(7).
"""

import errno

from msgspec import Struct

from rootfs_builder.filesystem.root import Node, Root
from rootfs_builder.paths import ROOT, Key, OpenedPath, encode, join, parent

_MAX_LINKS = 40
_MAX_DEPTH = 4 * _MAX_LINKS  # links to links, followed at one time
_PATH_MAX = 4096
_NAME_MAX = 255


class Walk(Struct, frozen=True):
    """One path walk: every node stepped on in order, links and directories too, the end last.

    `errno` is 0 when the walk arrived (then `real` and `node` are set), else why it stopped.
    """

    steps: tuple[Key, ...]
    errno: int = 0
    links: int = 0
    node: Node | None = None

    @property
    def real(self) -> Key:
        """The resolved path of what was found."""
        return self.steps[-1]


class _TooDeepError(Exception):
    """More links lead to links than any kernel follows."""


class Walker:
    """Path walks in one Root, each directory prefix walked once."""

    def __init__(self, root: Root) -> None:
        self.root = root
        start = Walk((ROOT,), node=root.lstat(ROOT))
        self._walks: dict[str, Walk] = {"": start}
        self._open: list[str] = []  # what is being walked, outermost first

    def walk(self, path: OpenedPath | Key) -> Walk:
        """Resolve an absolute path as the kernel would, confined to the root."""
        if len(path) >= _PATH_MAX and len(encode(path)) >= _PATH_MAX:
            return Walk((), errno.ENAMETOOLONG)
        try:
            result = self._resolve(path.rstrip("/"))
        except _TooDeepError:
            for unfinished in self._open:
                del self._walks[unfinished]
            self._open.clear()
            return Walk((), errno.ELOOP)
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
            self._open.append(onward)
            result = self._walks[onward] = self._step(result, onward.rpartition("/")[2])
            self._open.pop()
        return result

    def _step(self, above: Walk, name: str) -> Walk:
        if above.errno:
            return above
        if above.node is None or above.node.kind != "dir":
            return Walk(above.steps, errno.ENOTDIR, above.links)
        if name in ("", "."):
            return above
        if name == "..":
            up = parent(above.real)
            return Walk((*above.steps, up), 0, above.links, self.root.lstat(up))
        if len(name) > _NAME_MAX // 4 and len(encode(name)) > _NAME_MAX:
            return Walk(above.steps, errno.ENAMETOOLONG, above.links)
        here = join(above.real, name)
        try:
            node = self.root.lstat(here)
        except OSError as error:
            return Walk(above.steps, error.errno or errno.EACCES, above.links)
        if node is None:
            return Walk(above.steps, errno.ENOENT, above.links)
        steps = (*above.steps, here)
        if node.kind != "symlink":
            return Walk(steps, 0, above.links, node)
        return self._follow(here, steps, above)

    def _follow(self, link: Key, steps: tuple[Key, ...], above: Walk) -> Walk:
        try:
            target = self.root.readlink(link)
        except OSError as error:  # such as /proc/1/cwd, which is a link for others
            return Walk(steps, error.errno or errno.EACCES, above.links)
        if not target:
            return Walk(steps, errno.ENOENT, above.links)
        if len(self._open) > _MAX_DEPTH:
            raise _TooDeepError
        absolute = target.startswith("/")
        onward = self._resolve((target if absolute else join(above.real, target)).rstrip("/"))
        links = above.links + 1 + onward.links
        if links > _MAX_LINKS:
            return Walk(steps, errno.ELOOP, links)
        if target.endswith("/") and onward.node is not None and onward.node.kind != "dir":
            return Walk(steps, errno.ENOTDIR, links)
        here = 0 if absolute else len(self._resolve(above.real.rstrip("/")).steps)
        beyond = onward.steps[here:] or onward.steps[-1:]  # "." leads to where it stands
        return Walk((*steps, *beyond), onward.errno, links, onward.node)
