"""Temporary files and directories: gone after the block, with a sentence for a full disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rootfs_builder.errors import OutputError
from rootfs_builder.paths import decode, encode

_UNPACKED = "where layers are unpacked"


@contextmanager
def file(directory: str = "") -> Iterator[BinaryIO]:
    """A file without a name, in a directory or where temporary files are.

    Raises:
        OutputError: nothing can be written where temporary files are.
    """
    import tempfile  # 10 ms, where it is needed

    with tempfile.TemporaryFile(dir=encode(directory or _default())) as stream:
        yield stream


@contextmanager
def scratch() -> Iterator[BinaryIO]:
    """A file without a name for unpacked layers, and a sentence where its disk is full."""
    with file() as stream, disk_errors(_UNPACKED):
        yield stream


@contextmanager
def disk_errors(use: str, option: str = "") -> Iterator[None]:
    """Errors of the system in the block are about a temporary file; `use` says what it is for.

    Raises:
        OutputError: what the system says, and what to do; it begins with `option`.
    """
    try:
        yield
    except OSError as error:
        start = f"{option}: " if option else ""
        raise OutputError(
            f"{start}{error.strerror} in {_default()}, {use}; TMPDIR names another directory"
        ) from error


@contextmanager
def directory() -> Iterator[str]:
    """A directory that nobody else may read."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="rootfs-builder.") as path:
        yield decode(os.fsencode(path))


def _default() -> str:
    import tempfile

    try:
        return decode(os.fsencode(tempfile.gettempdir()))
    except FileNotFoundError as error:
        raise OutputError(
            "no directory can be written that could keep temporary files; TMPDIR names one"
        ) from error
