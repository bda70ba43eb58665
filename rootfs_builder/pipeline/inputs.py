"""What a build reads besides its recipe: a root, and files of rules."""

import os
from collections.abc import Callable, Iterable

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import InputError, Mistake, NotFoundError, UsageError
from rootfs_builder.filesystem.root import DirectoryRoot, Root
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs import rules as rule_tables
from rootfs_builder.needs.rules import Rules
from rootfs_builder.paths import decode, encode

_MAX_RULES = 1 << 24  # bytes
Opened = Callable[[Root, str], Root]


def as_it_is(root: Root, directory: str) -> Root:
    """A root, of which nothing is recorded."""
    del directory
    return root


def is_image(sysroot: str) -> bool:
    """Whether a sysroot is an image: a file, or the directory of an OCI layout."""
    path = encode(sysroot)
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, b"oci-layout"))
    return sysroot.startswith("oci:") or os.path.isfile(path)


def sources(sysroot: str | None, opened: Opened = as_it_is) -> Sources:
    """What the build reads: this machine, or the directory `sysroot` with this machine beside it.

    `opened` is given each directory as a Root, and what it gives is read instead.

    Raises:
        UsageError, NotFoundError, InputError: `sysroot` is not a directory.
    """
    machine = opened(DirectoryRoot(), "/")
    if sysroot is None:
        return Sources(machine)
    real = directory(sysroot)
    if real == "/":
        return Sources(machine)
    return Sources(machine, opened(DirectoryRoot(real), real), real)


def directory(sysroot: str) -> str:
    """The resolved path of a sysroot that is a directory.

    Raises:
        UsageError, NotFoundError, InputError: it is not one.
    """
    if not sysroot:
        raise UsageError(Mistake("--sysroot", "the directory has no name"))
    try:
        real = os.path.realpath(encode(sysroot), strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(Mistake("--sysroot", "no such directory", sysroot)) from None
    except OSError as error:
        raise InputError(Mistake("--sysroot", str(error.strerror), sysroot)) from error
    if not os.path.isdir(real):
        raise InputError(Mistake("--sysroot", "neither a directory nor an image", sysroot))
    return decode(real)


def rules(files: Iterable[str] = (), facts: FileFacts | None = None) -> Rules:
    """The rules, with those of the user's files.

    Raises:
        NotFoundError, InputError, UsageError: a file is missing, or not one of rules.
    """
    return rule_tables.load(tuple((file, _rules_text(file)) for file in files), facts=facts)


def _rules_text(file: str) -> str:
    data = beginning(file, ("--rules", file), _MAX_RULES + 1)
    if len(data) > _MAX_RULES:
        text = f"over {_MAX_RULES:,} bytes, which no rules have"
        raise InputError(Mistake("--rules", text, file))
    return toml_text(data, ("--rules", file))


def beginning(path: str, about: tuple[str, str], size: int, *, advice: str = "") -> bytes:
    """At most the first `size` bytes of a file that the user names.

    Mistakes are `about` an option, or none, and its value; `advice` says what to do if there is no
    such file.

    Raises:
        NotFoundError, InputError: it cannot be read.
    """
    option, value = about
    try:
        with open(encode(path), "rb") as stream:
            return stream.read(size)
    except FileNotFoundError:
        raise NotFoundError(Mistake(option, f"no such file{advice}", value)) from None
    except OSError as error:
        raise InputError(Mistake(option, str(error.strerror), value)) from error


def toml_text(data: bytes, about: tuple[str, str]) -> str:
    """The text of a file in TOML; a mistake is `about` an option, or none, and its value.

    Raises:
        InputError: it is not UTF-8.
    """
    option, value = about
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InputError(Mistake(option, "not UTF-8 text, which TOML is", value)) from None
