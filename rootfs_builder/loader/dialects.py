"""Where a dynamic loader looks for a name, in which order: one module a loader.

Each has a class that keeps `link_map.Loader` and a function
`identify(interpreter, header, data, read) -> Loader | None` that knows its own file by its bytes;
`read` gives the content of a configuration file in the root, or None.

To add one: write the module, and put its `identify` into `_IDENTIFY`.
"""

from collections.abc import Callable

from rootfs_builder.elf import Header
from rootfs_builder.loader import glibc, musl
from rootfs_builder.loader.link_map import Loader
from rootfs_builder.paths import OpenedPath

Read = Callable[[OpenedPath], bytes | None]

_IDENTIFY = (musl.identify, glibc.identify)


def identify(interpreter: OpenedPath, header: Header, data: bytes, read: Read) -> Loader | None:
    """The rules of the loader whose file has the bytes `data`; None if it is no loader we know."""
    for one in _IDENTIFY:
        loader = one(interpreter, header, data, read)
        if loader is not None:
            return loader
    return None
