"""The kinds of dynamic loader: one module each, which has a `Dialect` and its `Loader`.

To add one: write the module, and put its DIALECT into `_DIALECTS`.
"""

from collections.abc import Iterable

from rootfs_builder.elf import Header
from rootfs_builder.loader import glibc, musl
from rootfs_builder.loader.protocol import Loader, Read
from rootfs_builder.paths import OpenedPath

_DIALECTS = (musl.DIALECT, glibc.DIALECT)
NAMES = tuple(sorted(one.name for one in _DIALECTS))


def identify(interpreter: OpenedPath, header: Header, data: bytes, read: Read) -> Loader | None:
    """The loader whose file has the bytes `data`; None if it is not a loader we know."""
    for one in _DIALECTS:
        loader = one.identify(interpreter, header, data, read)
        if loader is not None:
            return loader
    return None


def is_part_of_libc(name: str) -> bool:
    """Whether an object called so is part of a C library."""
    return any(one.parts.fullmatch(name) for one in _DIALECTS)


def is_for_another(loader: Loader, needed: Iterable[str]) -> bool:
    """Whether the names that a library needs show that it was built for another C library."""
    others = [one.needed for one in _DIALECTS if one.name != loader.name]
    return any(pattern.fullmatch(name) for name in needed for pattern in others)
