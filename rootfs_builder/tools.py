"""A program of this machine and its arguments → how it ended: the only room that starts a process.

A tool is found in PATH and gets none of the user's environment, so that neither a locale nor a
variable changes what it does or says.
"""

import shutil
import subprocess

from msgspec import Struct

from rootfs_builder.errors import InputError


class Done(Struct, frozen=True):
    """How a tool ended, and what it said on both streams."""

    code: int
    said: str


def find(*names: str) -> str | None:
    """The path of the first of these tools that is installed."""
    return next((path for name in names if (path := shutil.which(name)) is not None), None)


def run(tool: str, *arguments: str) -> Done:
    """Run a tool that `find` found; its arguments are not for a shell."""
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell
            [tool, *arguments],
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise InputError(f"{tool}: cannot be run: {error.strerror}") from error
    return Done(done.returncode, done.stdout.decode(errors="replace").strip())
