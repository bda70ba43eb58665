"""What tests measure: CPU time, which a busy machine stretches less than the clock's."""

import gc
import resource
import time
from collections.abc import Callable

TIMES = 4
MOST = 9  # what is linear takes 4 times as long for 4 times as much, what is quadratic 16 times
_TRIES = 5
_LEAST = 0.001  # seconds that mean nothing: a quadratic one is far above that at the larger size


def is_linear(work: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Whether `work(size)()` takes time in proportion to its size; what `work` does is not counted.

    Only that once: whatever else the machine does can make a try longer, but none shorter.
    """
    small = large = float("inf")
    for _ in range(_TRIES):
        small, large = min(small, _spent(work(size))), min(large, _spent(work(size * TIMES)))
        if large < MOST * max(small, _LEAST):
            return True
    return False


def _spent(action: Callable[[], object]) -> float:
    gc.disable()  # as the program does; what pytest keeps takes seconds to go through
    started = time.process_time()
    try:
        action()
        return time.process_time() - started
    finally:
        gc.enable()


def of_children(action: Callable[[], object]) -> float:
    """The seconds of CPU of the processes that an action starts and waits for."""
    before = _used()
    action()
    return _used() - before


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
