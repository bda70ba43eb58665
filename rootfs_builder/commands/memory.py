"""The user's cache."""

import os

from rootfs_builder.cache import Cache
from rootfs_builder.paths import decode


def directory() -> str:
    """Where the cache is, as the XDG Base Directory Specification says; empty for nowhere."""
    base = os.environb.get(b"XDG_CACHE_HOME", b"")
    if not base.startswith(b"/"):  # the specification: such a path is to be ignored
        base = os.path.expanduser(b"~/.cache")
    return decode(os.path.join(base, b"rootfs-builder")) if base.startswith(b"/") else ""


def cache() -> Cache:
    """The user's cache."""
    return Cache(directory())


def kept() -> Cache:
    """The user's cache if there is one, to read: none is made."""
    return Cache(directory()) if os.path.isdir(directory()) else Cache()
