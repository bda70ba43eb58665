"""The last steps of a process that is in its root already: who it is, where it starts, and exec.

They run in a child of this process. What fails is reported as a line of JSON on the descriptor that
tells of the command, in the form of bubblewrap's.
"""

import errno
import fcntl
import json
import os
import signal
import termios
from collections.abc import Iterable
from contextlib import suppress
from typing import NoReturn

from rootfs_builder.paths import decode, encode, printable
from rootfs_builder.proof.sandbox import isolation, kernel
from rootfs_builder.proof.sandbox.account import Account
from rootfs_builder.proof.sandbox.command import Command

_FAILED = 125  # as docker says that it is the engine that failed


def report(status: int, **facts: object) -> None:
    """Tell of the command."""
    with suppress(OSError):
        os.write(status, json.dumps(facts).encode() + b"\n")


def failed(status: int, error: OSError, step: str) -> NoReturn:
    """Tell what could not be done, and end."""
    where = "" if error.filename is None else f" {printable(decode(os.fsencode(error.filename)))}"
    text = f"{step}{where}: {error.strerror}"
    report(status, step=step, errno=error.errno, text=text)
    os._exit(_FAILED)


def alone() -> None:
    """Undo what a child of a Python program inherits, and let go of this machine's keys."""
    for number in signal.valid_signals():
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(isolation.UMASK)
    kernel.new_keyring()


def open_ports() -> None:
    """Let every user of this network have each of its ports."""
    for name, text in isolation.PORTS.items():
        with suppress(OSError):  # groups that a namespace of users does not have
            write(f"/proc/sys/net/ipv4/{name}", text)


def write(path: str, text: bytes) -> None:
    """Write a file of the kernel, importing nothing: the user may no longer be able to."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)


def take_terminal() -> None:
    """Begin a session whose terminal is stdin, if that is one."""
    os.setsid()
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def become(
    command: Command,
    account: Account,
    workdir: str,
    status: int,
    capabilities: Iterable[str] = tuple(isolation.CAPABILITIES),
) -> NoReturn:
    """Be the command, in this root and with no more than some capabilities."""
    numbers = [isolation.CAPABILITIES[name] for name in capabilities]
    step = "user"
    try:
        os.chdir(encode(workdir))
        kernel.bound_capabilities(numbers)
        _user(account)
        if account.uid == 0:
            kernel.limit_capabilities(numbers)
        kernel.die_with_parent(signal.SIGKILL)  # a change of the user has switched it off
        step = "exec"
        _execute(command)
    except OSError as error:
        failed(status, error, step)


def _user(account: Account) -> None:
    with suppress(PermissionError):  # a user namespace of an ordinary user has no groups to give
        os.setgroups(account.groups)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)


def _execute(command: Command) -> NoReturn:
    """Execute the first of the files that the command can mean.

    Raises:
        OSError: none can be; as for the last of them.
    """
    env = {encode(name): encode(value) for name, value in command.env}
    argv = [encode(word) for word in command.argv]
    name = command.argv[0]
    places = dict(command.env).get("PATH", "").split(":")
    last: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
    for place in ("",) if "/" in name else places:
        path = encode(f"{place.rstrip('/')}/{name}" if place or "/" not in name else name)
        try:
            os.execve(path, argv, env)  # noqa: S606 - what all this is for
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR) or "/" in name:
                last = error
    raise last
