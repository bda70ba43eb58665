"""The last way: chroot(2), for a root whom the system gives no namespaces, as in a container.

Where it gives a namespace of mounts, /proc and /dev are mounted in it; else /proc is empty and the
devices are made, if that is allowed. Processes and the network of this machine are not kept apart.
"""

import os
import stat
from contextlib import suppress
from typing import NoReturn

from rootfs_builder.paths import encode
from rootfs_builder.proof.sandbox import becoming, isolation, kernel, monitor, mounts
from rootfs_builder.proof.sandbox.account import Account
from rootfs_builder.proof.sandbox.command import Command
from rootfs_builder.proof.sandbox.places import Places

_CAPABILITIES = tuple(name for name in isolation.CAPABILITIES if name not in isolation.ESCAPES)
_NUMBERS = {"full": 7, "null": 3, "random": 8, "urandom": 9, "zero": 5}  # major 1, mem(4)


def problem() -> str:
    """Why the root directory cannot be changed here; "" if it can."""
    return monitor.tried(lambda: os.chroot("/"))


def private_mounts() -> bool:
    """Whether this process may have mounts of its own."""
    return not monitor.tried(lambda: kernel.unshare(kernel.CLONE_NEWNS))


def start(
    places: Places, command: Command, account: Account, status: int, console: str
) -> NoReturn:
    """Be the process that waits for the command, in a process of its own."""
    monitor.watch(lambda: _first(places, command, account, status, console), status)


def _first(
    places: Places, command: Command, account: Account, status: int, console: str
) -> NoReturn:
    directory, alone = places.layers[0], True
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
    except PermissionError:
        alone = False
    try:
        if alone:
            directory = mounts.root(places)
            mounts.populate(directory, places, console)
        else:
            _without_mounts(directory, places)
        os.chroot(encode(directory))
    except OSError as error:
        becoming.failed(status, error, "chroot")
    becoming.become(command, account, places.workdir, status, _CAPABILITIES)


def _without_mounts(directory: str, places: Places) -> None:
    """Put into the root itself what would be mounted: it is a copy that is thrown away."""
    for one in places.mounts:
        with open(encode(one.source), "rb") as source:
            content = source.read()
        with open(encode(f"{directory}{one.target}"), "wb") as file:
            file.write(content)
    _nodes(f"{directory}/dev")


def _nodes(dev: str) -> None:
    """Make the devices that docker lets the root of a container make."""
    for name, minor in _NUMBERS.items():
        with suppress(OSError):
            os.mknod(f"{dev}/{name}", stat.S_IFCHR | 0o666, os.makedev(1, minor))
            os.chmod(f"{dev}/{name}", 0o666)  # noqa: S103 - as everywhere, whatever the umask
    for name, target in isolation.LINKS.items():
        with suppress(FileExistsError):
            os.symlink(target, f"{dev}/{name}")
