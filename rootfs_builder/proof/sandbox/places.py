"""A root directory and a Command → what is mounted where, with every mount point made.

A mount point may lead through symlinks of the image; they are followed here as the container would
follow them, so that no mount and no new directory is ever outside the root.
"""

import os
import stat
from contextlib import suppress

from msgspec import Struct

from rootfs_builder.errors import InputError
from rootfs_builder.paths import decode, encode, join, parent, printable
from rootfs_builder.proof.sandbox import injected
from rootfs_builder.proof.sandbox.command import Command
from rootfs_builder.proof.sandbox.rootfs import Rootfs

_MAX_LINKS = 40
DIRECTORIES = ("/proc", "/dev", "/sys")


class Mount(Struct, frozen=True):
    """A file or directory of this machine, and its place: a path in the root without symlinks."""

    source: str
    target: str
    writable: bool


class Places(Struct, frozen=True):
    """A root as mounts: its layers, the lowest first, and what goes on them.

    `discard`: what is written there is not kept. `scratch` is for files of the sandbox. `mounts`
    are in the order in which they are made; `workdir` is the command's, and `foreign` the emulator
    that runs it, if one has to.
    """

    layers: tuple[str, ...]
    discard: bool
    scratch: str
    mounts: tuple[Mount, ...]
    workdir: str
    foreign: str = ""


def make(rootfs: Rootfs, command: Command, foreign: str = "") -> Places:
    """Make the mount points of a command's container.

    Raises:
        InputError: a mount point is impossible in this root, or a volume's source is not there.
    """
    root = _Root(rootfs)
    for one in DIRECTORIES:
        root.directory(one)
    mounts = []
    for path, content in injected.files(command).items():
        source = os.path.join(rootfs.scratch, path.rpartition("/")[2])
        with open(source, "wb") as file:
            file.write(content)
        os.chmod(source, 0o644)
        mounts.append(Mount(source, root.file(path), writable=True))
    for volume in command.volumes:
        source = os.path.realpath(volume.source)
        if not os.path.exists(encode(source)):
            raise InputError(f"--volume {printable(volume.source)}: no such file or directory")
        target = root.directory if os.path.isdir(encode(source)) else root.file
        mounts.append(Mount(source, target(volume.target), volume.writable))
    workdir = root.directory(command.workdir)
    layers = (rootfs.directory, *([root.above] if os.listdir(root.above) else ()))
    return Places(layers, rootfs.discard, rootfs.scratch, tuple(mounts), workdir, foreign)


class _Root:
    """One root directory, in which mount points are made; in a layer above where it must stay."""

    def __init__(self, rootfs: Rootfs) -> None:
        self._base = rootfs.directory.rstrip("/")
        self.above = os.path.join(rootfs.scratch, "above")
        self._discard = rootfs.discard
        with suppress(FileExistsError):
            os.mkdir(encode(self.above), 0o755)
        os.chmod(encode(self.above), stat.S_IMODE(os.stat(encode(self._base or "/")).st_mode))

    def directory(self, path: str) -> str:
        """The real path of a directory, which is made if it is not there."""
        return self._place(path, directory=True)

    def file(self, path: str) -> str:
        """The real path of a file, which is made if it is not there."""
        return self._place(path, directory=False)

    def _place(self, path: str, *, directory: bool) -> str:
        found = self._resolved(path)
        here = self._status(found)
        if here is not None and stat.S_ISDIR(here.st_mode) != directory:
            kind = "directory" if directory else "file"
            raise InputError(f"{printable(path)}: in the image this is not a {kind}")
        if here is None:
            self._make(found, directory=directory)
        return found

    def _make(self, path: str, *, directory: bool) -> None:
        """Make what is missing of a path without symlinks, with directories of mode 0755."""
        missing = [path]
        while self._status(parent(missing[-1])) is None:
            missing.append(parent(missing[-1]))
        base = encode(self._base)
        if self._discard:
            base = encode(self.above)
            self._copy_directories(parent(missing[-1]))
        for one in reversed(missing):
            if directory or one != path:
                os.mkdir(base + encode(one), 0o755)
            else:
                os.close(os.open(base + encode(one), os.O_CREAT | os.O_EXCL, 0o644))

    def _copy_directories(self, path: str) -> None:
        """Have a directory in the layer above too, with the same mode: its own would be seen."""
        if path == "/":
            return
        self._copy_directories(parent(path))
        with suppress(FileExistsError):
            os.mkdir(encode(self.above) + encode(path))
            lower = os.stat(encode(self._base) + encode(path))
            os.chmod(encode(self.above) + encode(path), stat.S_IMODE(lower.st_mode))

    def _status(self, path: str) -> os.stat_result | None:
        for base in (self.above, self._base):
            with suppress(FileNotFoundError, NotADirectoryError):
                return os.lstat(encode(base) + encode(path))
        return None

    def _resolved(self, path: str) -> str:
        """Where a path leads in the root, whether or not something is there."""
        place, parts, budget = "/", path.split("/")[::-1], _MAX_LINKS
        while parts:
            part = parts.pop()
            if part in ("", "."):
                continue
            here = parent(place) if part == ".." else join(place, part)
            status = self._status(here)
            if status is None or not stat.S_ISLNK(status.st_mode):
                if status is not None and parts and not stat.S_ISDIR(status.st_mode):
                    raise InputError(f"{printable(path)}: {printable(here)} is not a directory")
                place = here
                continue
            budget -= 1
            if not budget:
                raise InputError(f"{printable(path)}: too many levels of symbolic links")
            target = decode(os.readlink(encode(self._base) + encode(here)))
            parts += target.split("/")[::-1]
            place = "/" if target.startswith("/") else place
        return place
