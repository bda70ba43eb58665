"""Whether a file that has the times it had has the bytes it had.

The first write to a page through mmap(2) sets a file's times; what is written there afterwards does
not, until the kernel has written the page back. That takes up to dirty_expire_centisecs, and as
long as writing them all needs (kernel, admin-guide/sysctl/vm.rst). What lives in memory is never
written back: on tmpfs a write through mmap(2) need not set a time at all.
"""

import os
import re
from collections.abc import Callable

from rootfs_builder.filesystem.content import FileSource

_KERNEL = "/proc/sys/vm/dirty_{}_centisecs"
_CENTISECOND = 10**7  # nanoseconds
_DEFAULT = 3000, 500  # centiseconds: where the kernel does not tell
_MEMORY = {b"tmpfs", b"ramfs", b"devtmpfs", b"rootfs", b"hugetlbfs"}
_UPPER = re.compile(rb"(?:^|,)upperdir=((?:[^,\\]|\\.)+)")
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def unchanged_since(now: int) -> Callable[[FileSource], bool]:
    """Whether a file that is seen at `now` will have other times when it has other bytes.

    `now` is the file system's time in nanoseconds.
    """
    devices: dict[int, bool] = {}
    newest = now - delay()

    def tells(source: FileSource) -> bool:
        if max(source.stamp[3:]) >= newest:
            return False
        device = source.stamp[0]
        if device not in devices:
            devices[device] = not os.major(device) and in_memory(source.path)
        return not devices[device]

    return tells


def delay() -> int:
    """How long a page may be dirty, in nanoseconds: twice what it takes on a disk that is idle.

    An age that no file has where nothing is written back of its own accord.
    """
    try:
        expire, wake = (int(_text(_KERNEL.format(one))) for one in ("expire", "writeback"))
    except (OSError, ValueError):
        expire, wake = _DEFAULT
    return 2 * (expire + wake) * _CENTISECOND if wake else 1 << 63


def in_memory(path: bytes) -> bool:
    """Whether a file is in a file system of memory alone, or in what is laid over one.

    Only a device without a number of its own can be that. What a container is laid over cannot be
    seen from inside it, and is taken for a disk.
    """
    try:
        mounts = _text("/proc/self/mountinfo").splitlines()
    except OSError:
        return True
    kind, options = _mount(mounts, path)
    upper = _UPPER.search(options) if kind == b"overlay" else None
    if upper is None:
        return kind in _MEMORY
    directory = _unescaped(upper[1])
    return os.path.isdir(directory) and _mount(mounts, directory + b"/")[0] in _MEMORY


def _mount(mounts: list[bytes], path: bytes) -> tuple[bytes, bytes]:
    """The type and the options of the file system at a path: of the last mount that covers it."""
    real = os.path.realpath(os.path.dirname(path)).rstrip(b"/") + b"/"
    found, longest = (b"", b""), -1
    for line in mounts:  # proc_pid_mountinfo(5)
        front, _, back = line.partition(b" - ")
        point = _unescaped(front.split()[4]).rstrip(b"/") + b"/"
        if real.startswith(point) and len(point) >= longest:
            kind, _, options = back.split(b" ", 2)
            found, longest = (kind, options), len(point)
    return found


def _unescaped(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), text)


def _text(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
