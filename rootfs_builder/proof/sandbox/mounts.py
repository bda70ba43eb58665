"""What a runtime mounts in every container: /proc, /dev and what is in them.

The directories /proc and /dev are there. Everything happens in a namespace of mounts of this
process's own, and is gone with it.
"""

import os
from contextlib import suppress

from rootfs_builder.paths import encode
from rootfs_builder.proof.sandbox import isolation, kernel
from rootfs_builder.proof.sandbox.places import Places

_PLAIN = kernel.MS_NOSUID | kernel.MS_NOEXEC
_NO_DEVICES = _PLAIN | kernel.MS_NODEV


def root(places: Places) -> str:
    """Make the root a mount point without devices, and of several layers one tree; where it is."""
    kernel.mount("none", "/", flags=kernel.MS_PRIVATE | kernel.MS_REC)
    directory = places.layers[0]
    if not places.discard:
        kernel.bind(directory, directory, flags=kernel.MS_NODEV, recursive=False)
        return directory
    os.chdir(encode(places.scratch))
    for one in ("memory", "lower", "root"):
        with suppress(FileExistsError):
            os.mkdir(one)
    kernel.mount("tmpfs", "memory", "tmpfs", kernel.MS_NODEV)
    os.mkdir("memory/upper")
    os.mkdir("memory/work")
    os.chmod("memory/upper", os.stat(encode(directory)).st_mode & 0o7777)
    kernel.bind(directory, "lower", recursive=False)
    above = [os.path.basename(one) for one in places.layers[:0:-1]]
    options = f"lowerdir={':'.join((*above, 'lower'))},upperdir=memory/upper,workdir=memory/work"
    try:
        kernel.mount("overlay", "root", "overlay", kernel.MS_NODEV, f"{options},userxattr")
    except OSError:  # an old kernel, or root, who needs no attributes of users
        kernel.mount("overlay", "root", "overlay", kernel.MS_NODEV, options)
    return os.path.join(places.scratch, "root")


def populate(directory: str, places: Places, console: str) -> None:
    """Mount all that belongs into the container whose root is `directory`."""
    kernel.mount("proc", f"{directory}/proc", "proc", _NO_DEVICES)
    _devices(f"{directory}/dev", places, console)
    for one in isolation.MASKED:
        path = f"{directory}{one}"
        with suppress(FileNotFoundError):
            if os.path.isdir(path):
                kernel.mount("tmpfs", path, "tmpfs", kernel.MS_RDONLY, "size=0")
            else:
                kernel.bind(os.devnull, path)
    for one in isolation.READ_ONLY:
        with suppress(FileNotFoundError):
            kernel.bind(f"{directory}{one}", f"{directory}{one}", flags=kernel.MS_RDONLY)
    for mounted in places.mounts:
        flags = kernel.MS_NODEV | (0 if mounted.writable else kernel.MS_RDONLY)
        kernel.bind(mounted.source, f"{directory.rstrip('/')}{mounted.target}", flags=flags)


def _devices(dev: str, places: Places, console: str) -> None:
    kernel.mount("tmpfs", dev, "tmpfs", _PLAIN & ~kernel.MS_NOEXEC, "mode=755,size=64k")
    for name in isolation.DEVICES:
        _bind_file(f"/dev/{name}", f"{dev}/{name}")
    for name, target in isolation.LINKS.items():
        os.symlink(target, f"{dev}/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}", 0o755)
    options = "newinstance,ptmxmode=0666,mode=0620"
    try:
        kernel.mount("devpts", f"{dev}/pts", "devpts", _PLAIN, f"{options},gid=5")
    except OSError:  # in a namespace of users that has no group 5
        kernel.mount("devpts", f"{dev}/pts", "devpts", _PLAIN, options)
    os.symlink("pts/ptmx", f"{dev}/ptmx")
    shared = f"mode=1777,size={isolation.SHARED_MEMORY}"
    kernel.mount("tmpfs", f"{dev}/shm", "tmpfs", _NO_DEVICES, shared)
    kernel.mount("mqueue", f"{dev}/mqueue", "mqueue", _NO_DEVICES)
    if console:
        _bind_file(console, f"{dev}/console")
    if places.foreign:
        _bind_file(places.foreign, f"{dev}/{os.path.basename(isolation.EMULATOR)}")


def _bind_file(source: str, target: str) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o666))
    kernel.bind(source, target, recursive=False)
