"""The number of threads that make allows: its jobserver's tokens, taken and given back.

A job has one token already, without reading it. Each further byte that can be read without waiting
is one more, and is always written back unchanged. Source: GNU make's manual, "POSIX
Jobserver Interaction".
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_FIFO = re.compile(r"--jobserver-auth=fifo:(\S+)")
_PIPE = re.compile(r"--jobserver-(?:auth|fds)=(\d+),(\d+)")  # fds: make before 4.2


@contextmanager
def threads(maximum: int | None = None) -> Iterator[int]:
    """The number of threads until the block ends: without a jobserver `maximum` or one per CPU."""
    maximum = maximum or len(os.sched_getaffinity(0))
    flags = os.environ.get("MAKEFLAGS", "")
    if "--jobserver-" not in flags:
        yield maximum
        return
    descriptor = _opened(flags)
    if descriptor is None:
        yield 1
        return
    tokens = b""
    try:
        with suppress(BlockingIOError):
            while len(tokens) < maximum - 1 and (token := os.read(descriptor, 1)):
                tokens += token
        yield 1 + len(tokens)
    finally:
        if tokens:
            os.write(descriptor, tokens)
        os.close(descriptor)


def _opened(flags: str) -> int | None:
    """The jobserver, opened again so that O_NONBLOCK does not affect other processes."""
    fifo, pipe = _FIFO.search(flags), _PIPE.search(flags)
    names = [fifo[1]] if fifo else [f"/proc/self/fd/{one}" for one in pipe.groups()] if pipe else []
    with suppress(OSError):
        # make gives its pipe to $(MAKE) alone: the numbers may be other files' by now
        ends = {os.stat(name)[:3] for name in names}
        if len(ends) == 1 and all(stat.S_ISFIFO(mode) for mode, *_ in ends):
            return os.open(names[0], os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    return None
