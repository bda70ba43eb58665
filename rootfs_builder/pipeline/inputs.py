"""What a build reads besides its recipe: a root, and files of rules."""

import os
from collections.abc import Callable, Iterable

from rootfs_builder.cache.file_facts import Facts
from rootfs_builder.errors import InputError, NotFoundError, UsageError
from rootfs_builder.filesystem.root import DirectoryRoot, Root
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs import rules as rule_tables
from rootfs_builder.needs.rules import Rules
from rootfs_builder.paths import decode, encode, printable

_MAX_RULES = 1 << 24  # bytes


def sources(
    sysroot: str | None, opened: Callable[[Root, str], Root] = lambda root, _: root
) -> Sources:
    """What the build reads: this machine, or `sysroot` with this machine beside it.

    `opened` is given each directory as a Root, and what it gives is read instead.

    Raises:
        UsageError, NotFoundError, InputError: `sysroot` is not a directory.
    """
    machine = opened(DirectoryRoot(), "/")
    if sysroot is None:
        return Sources(machine)
    if not sysroot:
        raise UsageError("--sysroot: the directory has no name")
    shown = f"--sysroot {printable(sysroot)}"
    directory = os.path.realpath(encode(sysroot))
    if os.path.exists(directory) and not os.path.isdir(directory):
        raise InputError(f"{shown}: not a directory")
    if not os.path.isdir(directory):
        raise NotFoundError(f"{shown}: no such directory")
    if directory == b"/":
        return Sources(machine)
    real = decode(directory)
    return Sources(machine, opened(DirectoryRoot(real), real), real)


def rules(files: Iterable[str] = (), facts: Facts | None = None) -> Rules:
    """The rules, with those of the user's files.

    Raises:
        NotFoundError, InputError, UsageError: a file is missing, or not one of rules.
    """
    return rule_tables.load(tuple((file, _rules_text(file)) for file in files), facts=facts)


def _rules_text(file: str) -> str:
    shown = f"--rules {printable(file)}"
    data = beginning(file, shown, _MAX_RULES + 1)
    if len(data) > _MAX_RULES:
        raise InputError(f"{shown}: over {_MAX_RULES:,} bytes, which no rules have")
    return toml_text(data, shown)


def beginning(path: str, shown: str, size: int, *, advice: str = "") -> bytes:
    """What a file that the user names begins with, `size` bytes at the most.

    `shown` is how messages begin, `advice` how they end where there is no such file.

    Raises:
        NotFoundError, InputError: it cannot be read.
    """
    try:
        with open(encode(path), "rb") as stream:
            return stream.read(size)
    except FileNotFoundError:
        raise NotFoundError(f"{shown}: no such file{advice}") from None
    except OSError as error:
        raise InputError(f"{shown}: {error.strerror}") from error


def toml_text(data: bytes, shown: str) -> str:
    """The text of a file in TOML; `shown` is how a message begins.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InputError(f"{shown}: not UTF-8 text, which TOML is") from None
