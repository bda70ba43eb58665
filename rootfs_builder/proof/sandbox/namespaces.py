"""The way through namespaces of our own: what unshare(1) and an engine do, without either.

Root keeps its ids; an ordinary user is the container's user in a namespace of users, where no other
id exists. A first process takes the namespaces and waits; its child is the first process of the
container, builds the tree of mounts, and becomes the command.
"""

import os
from contextlib import suppress
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
_PORTS = {"ip_unprivileged_port_start": "0", "ping_group_range": "0 2147483647"}  # as docker


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
    monitor.watch(lambda: _first(places, command, account, status, console), status)


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
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{account.uid} {uid} 1")
        _write("/proc/self/gid_map", f"{account.gid} {gid} 1")
    if network == "none":
        kernel.loopback_up()
        for name, text in _PORTS.items():
            with suppress(OSError):  # groups that a namespace of users does not have
                _write(f"/proc/sys/net/ipv4/{name}", text)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


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
