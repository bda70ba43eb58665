"""What a build reads, as one Root: the sysroot, and this machine's files where the user named them.

Without a sysroot both are the same. With one, this machine is mounted beside it, at a name that no
real file can have: the loader's rules then work on its files unchanged, `$ORIGIN` included, and
nothing of this machine is found by chance. Where it is mounted is known here alone. A base image
lies over the sysroot, or this machine: its files count, and its links decide where paths lead.
"""

from collections.abc import Callable

from msgspec import Struct

from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.over import Over
from rootfs_builder.filesystem.root import Node, Root
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import (
    ImagePath,
    Key,
    OpenedPath,
    SourcePath,
    ancestors,
    below,
    join,
    name,
    parent,
)

_BESIDE = "/\0"
_SYSTEM = ("bin", "sbin", "usr", "opt", "etc", "nix")


def in_system(path: str) -> bool:
    """Whether a path is in a directory that an operating system fills (DESIGN: where files go)."""
    top = path[1:].partition("/")[0]
    return top in _SYSTEM or top.startswith("lib")


class Mount(Struct, frozen=True):
    """A tree of files in the combined root; `point` is where, empty for the root itself."""

    point: str
    root: Root

    def path(self, inside: str) -> OpenedPath:
        """An absolute path in the tree, as a path in the combined root."""
        return OpenedPath(self.point + inside)

    def inside(self, path: Key) -> SourcePath:
        """The path in the tree of a path below the mount point."""
        return SourcePath(path[len(self.point) :] or "/")


class BaseSearch(Struct, frozen=True):
    """How files are looked for over a base image.

    `has` tells what is the base's. What `first` tells is looked for before anything else: the
    base's, and what the user brings. `supplies` is the system that fills the gaps.
    """

    has: Callable[[str], bool]
    first: Callable[[str], bool]
    supplies: Root


class Sources:
    """A Root over the sysroot (or this machine) with what is outside of it mounted beside it.

    `mounts` has the root itself first; `sysroot` is whether system files come from elsewhere than
    this machine.

    `directory` is the sysroot's path, resolved, or that of the image that it was read from. Of an
    image, which is not a directory, an absolute path is enough: what it has is meant, unless that
    lies below `here`, where relative paths of this machine start. `base` is the tree of a base
    image.
    """

    def __init__(
        self,
        machine: Root,
        sysroot: Root | None = None,
        directory: str = "/",
        *,
        here: str = "",
        base: Root | None = None,
    ) -> None:
        self._machine = Mount("" if sysroot is None else _BESIDE, machine)
        system = machine if sysroot is None else sysroot
        whole = Mount("", system if base is None else Over(base, system))
        self.mounts = (whole,) if sysroot is None else (whole, self._machine)
        self._directory = directory
        self._here = here
        self._walker = Walker(machine)
        self._inside = Walker(whole.root) if here else None
        self._base = None if base is None else Walker(base)
        self.sysroot = sysroot is not None

    def locate(self, path: str) -> OpenedPath:
        """This machine's absolute path, as a path in this root.

        What lies below the sysroot by its text stays there: links on the way are the sysroot's.
        """
        if not self.sysroot:
            return OpenedPath(path)
        for directory in ancestors(OpenedPath(path)):
            walk, inside = self._walker.walk(directory), path[len(directory) :]
            if not walk.errno and walk.real == self._directory and "/../" not in f"{inside}/":
                return OpenedPath(inside)
        above = self._walker.walk(OpenedPath(parent(path)))
        if not above.errno and below(above.real, self._directory):
            inside = above.real.removeprefix(self._directory.rstrip("/"))
            return OpenedPath(join(inside or "/", name(path)))
        return self._named_inside(path) or self._machine.path(path)

    def _named_inside(self, path: str) -> OpenedPath | None:
        """The path in an image that is the sysroot, if it has one that may be meant."""
        if self._inside is None or (self._here != "/" and below(path, self._here)):
            return None
        return OpenedPath(path) if self._inside.walk(OpenedPath(path)).node else None

    def outside(self, path: str) -> bool:
        """Whether what is at `path` has no place of its own in an image."""
        if self.sysroot:
            return self.beside(path)
        return not in_system(path) and not self.in_base(path)

    def in_base(self, path: str) -> bool:
        """Whether the base image has what is at `path`, links followed."""
        if self._base is None or self.beside(path):
            return False
        return self._base.walk(OpenedPath(path)).node is not None

    def landed(self, path: ImagePath) -> ImagePath:
        """Where a path of the image is, since links of the base image may lead elsewhere."""
        if self._base is None:
            return path
        for directory in (path, *ancestors(path)):
            walk = self._base.walk(directory)
            if walk.node is not None and walk.node.kind == "dir":
                return ImagePath(walk.real.rstrip("/") + path[len(directory) :])
        return path

    @property
    def system(self) -> Root:
        """The sysroot, or this machine, without the base image over it."""
        whole = self.mounts[0].root
        return whole.second if self._base is not None and isinstance(whole, Over) else whole

    @property
    def base(self) -> "BaseSearch | None":
        """How files are looked for over the base image, if there is one."""
        if self._base is None:
            return None
        return BaseSearch(
            self.in_base, lambda path: self.outside(path) or self.in_base(path), self.system
        )

    def beside(self, path: str) -> bool:
        """Whether a path is that of a file beside the sysroot, which no image can have."""
        return self.sysroot and below(path, _BESIDE)

    @staticmethod
    def display(path: str) -> str:
        """The path for a message: that of the sysroot, or of this machine."""
        return path.removeprefix(_BESIDE)

    def machine_path(self, path: str) -> str:
        """This machine's path of what is at `path`: what an option takes, as `locate` does."""
        inside = self.sysroot and not self.beside(path)
        return self._directory.rstrip("/") + path if inside else self.display(path)

    def _at(self, path: Key) -> tuple[Mount, Key]:
        if self.beside(path):
            return self._machine, self._machine.inside(path)
        return self.mounts[0], path

    def lstat(self, path: Key) -> Node | None:
        """See Root."""
        mount, inside = self._at(path)
        return mount.root.lstat(inside)

    def readlink(self, path: Key) -> str:
        """See Root; an absolute target on this machine stays on this machine."""
        mount, inside = self._at(path)
        target = mount.root.readlink(inside)
        return mount.path(target) if target.startswith("/") else target

    def open(self, path: Key) -> Source:
        """See Root."""
        mount, inside = self._at(path)
        return mount.root.open(inside)

    def capability(self, path: Key) -> bytes:
        """See Root."""
        mount, inside = self._at(path)
        return mount.root.capability(inside)

    def list(self, path: Key) -> tuple[str, ...]:
        """See Root."""
        mount, inside = self._at(path)
        return mount.root.list(inside)
