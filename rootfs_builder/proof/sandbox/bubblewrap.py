"""The way through bubblewrap, which distributions allow where they allow no other program.

bwrap(1) sets everything up, tells on a descriptor which process the command is, and ends as it
ended. It lets nothing in the container gain privileges: set-user-id bits and file capabilities
have no effect.
"""

import os
import re
import signal
import stat
from collections.abc import Iterator
from typing import NoReturn

from msgspec.structs import replace

from rootfs_builder import tools
from rootfs_builder.paths import encode
from rootfs_builder.proof.sandbox import becoming, isolation, kernel, monitor
from rootfs_builder.proof.sandbox.account import Account
from rootfs_builder.proof.sandbox.command import Command, host_name
from rootfs_builder.proof.sandbox.places import Places

_REACH = "/tmp"  # noqa: S108 - a directory that is there; what is in it is only covered
_OVERLAYS = (0, 11)  # the first version with --tmp-overlay
_SIZES = (0, 7)  # … with --size


def problem(*, discard: bool) -> str:
    """Why bubblewrap cannot be used here; "" if it can."""
    path = tools.find("bwrap")
    if path is None:
        return "not installed"
    done = tools.run(path, "--version", seconds=10)
    found = re.search(r"(\d+)\.(\d+)", done.output)
    version = tuple(map(int, found.groups())) if found else (0, 0)
    if version < (_OVERLAYS if discard else _SIZES):
        return f"too old ({done.output or done.end})"
    probe = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "/proc/self/exe")
    done = tools.run(path, *_NAMESPACES, *probe, "--version", seconds=10)
    return "" if done.code == 0 else done.output or done.end


_NAMESPACES = (
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--unshare-net"),
    *("--die-with-parent", "--as-pid-1"),
)


def start(
    places: Places, command: Command, account: Account, status: int, console: str
) -> NoReturn:
    """Be the process that waits for bwrap; `status` takes what that tells of the command."""
    del console  # bwrap has its own /dev
    child = monitor.started(lambda: _become(places, command, account, status))
    os.close(status)
    monitor.waited(child)
    os._exit(0)


def _become(places: Places, command: Command, account: Account, status: int) -> NoReturn:
    if os.geteuid() == 0:
        if account.uid:
            places = _within_reach(places)
        os.setgroups(account.groups)
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
        kernel.die_with_parent(signal.SIGKILL)  # a change of the user has switched it off
    path = tools.find("bwrap") or "bwrap"
    arguments = os.memfd_create("arguments")
    words = [*_options(places, command, account), "--json-status-fd", str(status)]
    if command.network == "none" and account.uid:
        words += _ports()
    os.write(arguments, b"".join(encode(word) + b"\0" for word in words))
    os.lseek(arguments, 0, os.SEEK_SET)
    for one in (arguments, status):
        os.set_inheritable(one, True)
    argv = [encode(word) for word in ("bwrap", "--args", str(arguments), "--", *command.argv)]
    os.execve(path, argv, {})  # noqa: S606 - what all this is for


def _within_reach(places: Places) -> Places:
    """The same where any user can get at it: in mounts that only this process and bwrap see."""
    sources = (*places.layers, *(one.source for one in places.mounts))
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", flags=kernel.MS_PRIVATE | kernel.MS_REC)
    opened = [os.open(encode(one), os.O_PATH | os.O_CLOEXEC) for one in sources]
    kernel.mount("tmpfs", _REACH, "tmpfs", kernel.MS_NOSUID, "mode=755")
    found = []
    for number, one in enumerate(opened):
        found.append(f"{_REACH}/{number}")
        if stat.S_ISDIR(os.fstat(one).st_mode):
            os.mkdir(found[-1])
        else:
            os.close(os.open(found[-1], os.O_CREAT | os.O_EXCL))
        kernel.bind(f"/proc/self/fd/{one}", found[-1])
    count = len(places.layers)
    mounts = zip(places.mounts, found[count:], strict=True)
    return replace(
        places,
        layers=tuple(found[:count]),
        mounts=tuple(replace(one, source=source) for one, source in mounts),
    )


def _ports() -> list[str]:
    """Options that let bwrap wait for another process, which opens all ports of its network.

    The command itself could not: it is in a namespace of users within the network's.
    """
    (told, tells), (waits, go) = os.pipe(), os.pipe()
    if os.fork() == 0:
        try:
            kernel.die_with_parent(signal.SIGKILL)
            os.close(tells)
            with os.fdopen(told, "rb") as stream:
                found = re.search(rb'"child-pid": (\d+)', stream.read())
            if found:
                kernel.enter_network(int(found[1]))
                becoming.open_ports()
        finally:
            os.write(go, b"+")
            os._exit(0)
    os.close(told)
    os.close(go)
    for one in (tells, waits):
        os.set_inheritable(one, True)
    return ["--info-fd", str(tells), "--block-fd", str(waits)]


def _options(places: Places, command: Command, account: Account) -> Iterator[str]:
    left_out = {"none": "", "host": "--unshare-net"}[command.network]
    yield from (one for one in _NAMESPACES if one != left_out)
    if not command.terminal:
        yield "--new-session"
    yield from ("--hostname", host_name(command.network))
    yield from _user(account)
    if places.discard:
        for layer in places.layers:
            yield from ("--overlay-src", layer)
        yield from ("--tmp-overlay", "/")
    else:
        yield from ("--bind", places.layers[0], "/")
    yield from _system()
    for one in places.mounts:
        yield from ("--bind" if one.writable else "--ro-bind", one.source, one.target)
    if places.foreign:
        yield from ("--ro-bind", places.foreign, isolation.EMULATOR)
    yield from ("--chdir", places.workdir, "--clearenv")
    for name, value in command.env:
        yield from ("--setenv", name, value)


def _system() -> Iterator[str]:
    """What every container has mounted."""
    yield from ("--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue")
    size = str(isolation.SHARED_MEMORY)
    yield from ("--perms", "1777", "--size", size, "--tmpfs", isolation.SHARED)
    for path in isolation.MASKED:
        if os.path.isdir(path):
            yield from ("--tmpfs", path, "--remount-ro", path)
        elif os.path.exists(path):
            yield from ("--ro-bind", os.devnull, path)
    for path in filter(os.path.exists, isolation.READ_ONLY):
        yield from ("--ro-bind", path, path)  # what it shows depends on who looks


def _user(account: Account) -> Iterator[str]:
    """Root is root; anybody else is somebody in a namespace of users."""
    if os.geteuid() != 0:
        yield from ("--unshare-user", "--uid", str(account.uid), "--gid", str(account.gid))
    yield from ("--cap-drop", "ALL")
    if account.uid == 0:
        for name in isolation.CAPABILITIES:
            yield from ("--cap-add", name)
