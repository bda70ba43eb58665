"""What a build reads, as one Root: the sysroot, and this machine's files where the user named them.

Without a sysroot both are the same. With one, a path of this machine that is not inside it is seen
below `OUTSIDE`, a directory whose name no real file can have: the loader's rules then work on it
unchanged, `$ORIGIN` included, and nothing of this machine is found by chance.
"""

from rootfs_builder.filesystem.root import Node, Root, Source
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import ImagePath, OpenedPath, below, join, name, parent

OUTSIDE = "/\0"
_SYSTEM = ("bin", "sbin", "usr", "opt", "etc", "nix")


def in_system(path: str) -> bool:
    """Whether a path is in a directory that an operating system fills (DESIGN: where files go)."""
    top = path[1:].partition("/")[0]
    return top in _SYSTEM or top.startswith("lib")


class Sources:
    """A Root over the sysroot (or this machine) with what lies outside of it mounted."""

    def __init__(self, machine: Root, sysroot: Root | None = None, directory: str = "/") -> None:
        self._machine = machine
        self._sysroot = sysroot
        self._directory = directory  # resolved
        self._walker = Walker(machine)

    @property
    def sysroot(self) -> bool:
        """Whether system files come from elsewhere than this machine."""
        return self._sysroot is not None

    def locate(self, path: str) -> OpenedPath:
        """This machine's absolute path, as a path in this root."""
        if self._sysroot is None:
            return OpenedPath(path)
        above = self._walker.walk(OpenedPath(parent(path)))
        if not above.errno and below(above.real, self._directory):
            inside = above.real.removeprefix(self._directory.rstrip("/"))
            return OpenedPath(join(inside or "/", name(path)))
        return OpenedPath(OUTSIDE + path)

    def outside(self, path: str) -> bool:
        """Whether what is at `path` has no place of its own in an image."""
        if self._sysroot is not None:
            return path.startswith(OUTSIDE)
        return not in_system(path)

    @staticmethod
    def shown(path: str) -> str:
        """The path for a message."""
        return path.removeprefix(OUTSIDE)

    def _at(self, path: ImagePath) -> tuple[Root, ImagePath]:
        if self._sysroot is None:
            return self._machine, path
        if below(path, OUTSIDE):
            return self._machine, ImagePath(path[len(OUTSIDE) :] or "/")
        return self._sysroot, path

    def lstat(self, path: ImagePath) -> Node | None:
        """See Root."""
        root, inner = self._at(path)
        return root.lstat(inner)

    def readlink(self, path: ImagePath) -> str:
        """See Root; an absolute target on this machine stays on this machine."""
        root, inner = self._at(path)
        target = root.readlink(inner)
        return OUTSIDE + target if target.startswith("/") and below(path, OUTSIDE) else target

    def open(self, path: ImagePath) -> Source:
        """See Root."""
        root, inner = self._at(path)
        return root.open(inner)

    def capability(self, path: ImagePath) -> bytes:
        """See Root."""
        root, inner = self._at(path)
        return root.capability(inner)

    def list(self, path: ImagePath) -> tuple[str, ...]:
        """See Root."""
        root, inner = self._at(path)
        return root.list(inner)
