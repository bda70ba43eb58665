"""How many threads make lets us use: its jobserver's tokens, taken and given back.

A job has one token already, without reading it. Each further byte that can be read without waiting
is one more, and goes back as it came, whatever happens. Source: GNU make's manual, "POSIX
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
def threads(wanted: int | None = None) -> Iterator[int]:
    """How many threads there may be until the block ends: one for each CPU without a jobserver."""
    wanted = wanted or len(os.sched_getaffinity(0))
    flags = os.environ.get("MAKEFLAGS", "")
    if "--jobserver-" not in flags:
        yield wanted
        return
    descriptor = _opened(flags)
    if descriptor is None:
        yield 1
        return
    tokens = b""
    try:
        with suppress(BlockingIOError):
            while len(tokens) < wanted - 1 and (token := os.read(descriptor, 1)):
                tokens += token
        yield 1 + len(tokens)
    finally:
        if tokens:
            os.write(descriptor, tokens)
        os.close(descriptor)


def _opened(flags: str) -> int | None:
    """The jobserver, opened anew: whether it waits is then no other process's affair."""
    fifo, pipe = _FIFO.search(flags), _PIPE.search(flags)
    names = [fifo[1]] if fifo else [f"/proc/self/fd/{one}" for one in pipe.groups()] if pipe else []
    with suppress(OSError):
        # make gives its pipe to $(MAKE) alone: the numbers may be other files' by now
        ends = {os.stat(name)[:3] for name in names}
        if len(ends) == 1 and all(stat.S_ISFIFO(mode) for mode, *_ in ends):
            return os.open(names[0], os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    return None
