"""The way through namespaces of our own: what unshare(1) and an engine do, without either.

Root keeps its ids; an ordinary user is the container's user in a namespace of users, where no other
id exists. A first process takes the namespaces and waits; its child is the first process of the
container, builds the tree of mounts, and becomes the command.
"""

import os
from functools import partial
from typing import NoReturn

from rootfs_builder.choices import Network
from rootfs_builder.proof.sandbox import becoming, kernel, monitor, mounts
from rootfs_builder.proof.sandbox.account import Account
from rootfs_builder.proof.sandbox.command import Command, host_name
from rootfs_builder.proof.sandbox.places import Places

_NAMESPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)


def problem() -> str:
    """Why namespaces cannot be had here; "" if they can."""
    return monitor.tried(_probe)


def _probe() -> None:
    """Do what every run does, as far as a system may forbid it."""
    _unshare(Account(), "none")
    child = os.fork()
    if child == 0:
        try:
            kernel.mount("none", "/", flags=kernel.MS_PRIVATE | kernel.MS_REC)
            kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    _, ended = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(ended)
    if code:
        raise OSError(code, os.strerror(code), "/proc")


def start(
    places: Places, command: Command, account: Account, status: int, console: str
) -> NoReturn:
    """Be the process that waits for the command, in a process of its own."""
    try:
        _unshare(account, command.network)
    except OSError as error:
        becoming.failed(status, error, "namespaces")
    begin = partial(_first, places, command, account, status, console)
    monitor.watch(begin, status, first=True)


def _unshare(account: Account, network: Network) -> None:
    flags = _NAMESPACES | (kernel.CLONE_NEWNET if network == "none" else 0)
    uid, gid = os.geteuid(), os.getegid()
    alone = uid == 0
    if alone:
        try:
            kernel.unshare(flags)
        except PermissionError:  # a root without CAP_SYS_ADMIN
            alone = False
    if not alone:
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        becoming.write("/proc/self/setgroups", b"deny")
        becoming.write("/proc/self/uid_map", b"%d %d 1" % (account.uid, uid))
        becoming.write("/proc/self/gid_map", b"%d %d 1" % (account.gid, gid))
    if network == "none":
        kernel.loopback_up()
        becoming.open_ports()


def _first(
    places: Places, command: Command, account: Account, status: int, console: str
) -> NoReturn:
    """Be the first process of the container."""
    try:
        root = mounts.root(places)
        mounts.populate(root, places, console)
        kernel.set_host_name(host_name(command.network))
        kernel.enter_root(root)
    except OSError as error:
        becoming.failed(status, error, "mounts")
    becoming.become(command, account, places.workdir, status)
