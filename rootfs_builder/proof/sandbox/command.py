"""What is to run in a root, and how it ended, as values; a config and options → a Command.

The words are those of `docker run`: arguments replace Cmd, another entrypoint drops both of the
image's, variables add to the image's.
"""

import os
import signal as signals
from enum import Enum

from msgspec import UNSET, Struct

from rootfs_builder.choices import Network
from rootfs_builder.errors import UsageError
from rootfs_builder.image import Config
from rootfs_builder.recipe import DEFAULT_PATH

HOST_NAME = "sandbox"
TIMED_OUT = 124  # as timeout(1) says it
_SHELL_BASE = 128  # a shell adds the number of the signal


class Way(Enum):
    """How a root is made the command's own, and what that way does not keep apart."""

    BUBBLEWRAP = "bubblewrap"
    UNSHARE = "unshare"
    CHROOT = "chroot"


class Volume(Struct, frozen=True):
    """A file or directory of this machine, by an absolute path, at a place in the container."""

    source: str
    target: str
    writable: bool = True


class Command(Struct, frozen=True, kw_only=True):
    """A command in a container.

    `argv` is looked up as runtimes do, in the PATH of `env`; `env` is all the environment there is.
    `user` is UID, NAME, or either with `:` and a group, known in the root's own files.

    `dns` are addresses of name servers for resolv.conf, `hosts` names and addresses for hosts.

    The command reads `stdin` if that is given, or this process's if it is `interactive`, else
    nothing. `capture` is how many bytes of each stream the outcome keeps; without it both go to
    this process's. A `terminal` is one stream, stdout.

    After `seconds` it gets `stop_signal`, and is killed if that does not end it. No process of it
    may have more than `memory` bytes of data. `architecture` is Go's word; what is foreign here
    is run by qemu-user.
    """

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = (("PATH", DEFAULT_PATH),)
    user: str = ""
    workdir: str = "/"
    network: Network = "none"
    dns: tuple[str, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
    volumes: tuple[Volume, ...] = ()
    stdin: bytes | None = None
    interactive: bool = False
    terminal: bool = False
    capture: int | None = None
    seconds: float | None = None
    memory: int | None = None
    stop_signal: int = signals.SIGTERM
    architecture: str = ""


class Outcome(Struct, frozen=True):
    """How a command ended.

    `code` is what docker says: its exit code, 128 and the number of the signal that ended it, 126
    or 127 if it could not be started, and 124 if its time was up. `message` says why it did not
    start. `stdout` and `stderr` are what was captured, `cut` whether there was more.
    """

    code: int
    way: Way
    timed_out: bool = False
    message: str = ""
    stdout: bytes = b""
    stderr: bytes = b""
    cut: bool = False

    @property
    def signal(self) -> int | None:
        """The signal that ended it, as far as a code can tell."""
        known = {int(one) for one in signals.Signals}
        number = self.code - _SHELL_BASE
        return number if number in known and not self.timed_out else None


def of(
    config: Config,
    arguments: tuple[str, ...] | None = None,
    *,
    entrypoint: str | None = None,
    env: tuple[str, ...] = (),
    user: str | None = None,
    workdir: str | None = None,
    network: Network = "none",
    terminal: bool = False,
) -> Command:
    """The command that `docker run` would start for an image's config.

    `arguments` are what follows the image's name, None for nothing; `env` has NAME=VALUE.

    Raises:
        UsageError: neither the image nor the arguments say what to start.
    """
    settings = config.config
    cmd = settings.cmd or ()
    start = settings.entrypoint or ()
    if entrypoint is not None:
        start, cmd = ((entrypoint,) if entrypoint else ()), ()
    argv = (*start, *(cmd if arguments is None else arguments))
    if not argv:
        raise UsageError("the image does not say what to start: run IMAGE -- PROGRAM ARG…")
    return Command(
        argv=argv,
        env=_environment((*(settings.env or ()), *env), network, terminal=terminal),
        user=(settings.user or "") if user is None else user,
        workdir=workdir or settings.working_dir or "/",
        network=network,
        terminal=terminal,
        stop_signal=_number(settings.stop_signal or ""),
        architecture=config.architecture if config.architecture is not UNSET else "",
    )


def host_name(network: Network) -> str:
    """The name that the container's machine has."""
    return os.uname().nodename if network == "host" else HOST_NAME


def _environment(
    given: tuple[str, ...], network: Network, *, terminal: bool
) -> tuple[tuple[str, str], ...]:
    """The variables in docker's order: its own first, each at its first place."""
    found = {"PATH": DEFAULT_PATH, "HOSTNAME": host_name(network)}
    if terminal:
        found["TERM"] = "xterm"
    found |= dict(one.partition("=")[::2] for one in given)
    return tuple(found.items())


def _number(name: str) -> int:
    """The signal that STOPSIGNAL names; SIGTERM if it names none that is known here."""
    if name.isdigit():
        return int(name)
    known = signals.Signals.__members__
    upper = name.upper()
    return known.get(upper) or known.get(f"SIG{upper}") or signals.SIGTERM
