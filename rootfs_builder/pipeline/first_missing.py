"""A command that fails in a root → the files that it looked for there in vain.

The same command runs once more by `rootfs-builder run`, under strace: what it looks for after its
program was executed is what it looks for in the root. Where there is no strace nothing is said.
"""

import os
import sys
from contextlib import suppress
from typing import NamedTuple

from rootfs_builder.errors import RootfsError
from rootfs_builder.paths import MOUNTED, below, encode, name, printable
from rootfs_builder.proof import tracing
from rootfs_builder.proof.observation import Observation
from rootfs_builder.proof.sandbox import Command
from rootfs_builder.proof.tracing import Limits, Tracer

_OF_THE_LOADER = ("/etc/ld.so.cache", "/etc/ld.so.preload")  # which it does without


class Missing(NamedTuple):
    """What is not in the root: what was looked for `first`, and `last` before the end.

    `here` says whether this machine has them; what it has not is said only if it has none.
    """

    first: str
    last: str
    here: bool

    @property
    def text(self) -> str:
        """It as the end of a message."""
        where = "not in the image, and here" if self.here else "not in the image, nor here"
        if not self.here or self.first == self.last:
            return f"\n{printable(self.last)}: {where}"
        first = f"\n{printable(self.first)}: {where}; looked for first"
        return f"{first}\n{printable(self.last)}: {where}; looked for last"


def find(place: str, command: Command, *, seconds: float) -> Missing | None:
    """What a command lacks in a directory, or in an image; None if that cannot be seen."""
    environment = {b"PATH": encode(os.defpath), b"LC_ALL": b"C"}
    begins = name(command.argv[0])
    run = tracing.Run(_words(place, command), "/", environment, begins=begins)
    with suppress(RootfsError):  # there is a message already; this only adds to it
        traced = tracing.trace(run, Tracer.find(), Limits(seconds=seconds))
        return of(traced.observation)
    return None


def of(observation: Observation) -> Missing | None:
    """The first and the last path that was missed and that this machine has, else the last missed.

    A program looks for much that need not be there: what it looks for last is mostly what it
    cannot do without.
    """
    missed = [
        one.path
        for one in observation.missed()
        if not any(below(one.path, top) for top in (*MOUNTED, *_OF_THE_LOADER))
    ]
    here = [path for path in missed if os.path.lexists(encode(path))]
    found = here or missed
    if not found:
        return None
    first, last = found[0], found[-1]
    same = os.path.realpath(encode(first)) == os.path.realpath(encode(last))
    return Missing(first, first if same and here else last, bool(here))


def _words(place: str, command: Command) -> tuple[str, ...]:
    words = [sys.executable, "-I", "-m", "rootfs_builder", "run", "-q"]
    for variable, value in command.env:
        words += ["-e", f"{variable}={value}"]
    for volume in command.volumes:
        words += ["-v", f"{volume.source}:{volume.target}{'' if volume.writable else ':ro'}"]
    if command.user:
        words += ["-u", command.user]
    words += ["-w", command.workdir, "--network", command.network]
    words += ["--entrypoint", command.argv[0], place, "--", *command.argv[1:]]
    return tuple(words)
