"""Tasks, some after others, on any `concurrent.futures.Executor` → how each ended.

A task that fails ends alone. What its worker's death says of a task is not clear: any that ran at
the time may be to blame. So each of them is tried once more, with nothing beside it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    wait,
)
from typing import Any, TypeVar

from msgspec import Struct

from rootfs_builder.errors import LostError

T = TypeVar("T")


class Outcome(Struct, frozen=True):
    """How a task ended: its exit code, what went wrong, what it said, and facts of its result."""

    code: int = 0
    error: str = ""
    said: tuple[str, ...] = ()
    facts: dict[str, Any] = {}


class Task(Struct, frozen=True):
    """A call that may be done twice; `after` is another's name, without which it makes no sense."""

    name: str
    call: Callable[..., Outcome]
    arguments: tuple[Any, ...]
    after: str = ""


class Serial(Executor):
    """Runs each task here and now."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run it, and give what it gave."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        return future


def run(
    tasks: Iterable[Task], start: Callable[[], Executor], *, at_once: int
) -> Iterator[tuple[Task, Outcome]]:
    """Each task and how it ended, as it ends; at most so many are handed over at a time.

    Raises:
        LostError: the executor is gone and cannot be started anew.
    """
    batch = _Batch(tasks, at_once)
    while batch.unfinished:
        with start() as executor:
            yield from batch.run(executor)


class _Batch:
    """What waits, what runs, and which tasks are suspected of having killed a worker."""

    def __init__(self, tasks: Iterable[Task], at_once: int) -> None:
        self._waiting = deque(tasks)
        self._suspects: deque[Task] = deque()
        self._running: dict[Future[Outcome], Task] = {}
        self._codes: dict[str, int] = {}
        self._at_once = at_once

    @property
    def unfinished(self) -> bool:
        """Whether there is anything left to do."""
        return bool(self._waiting or self._suspects or self._running)

    def run(self, executor: Executor) -> Iterator[tuple[Task, Outcome]]:
        """Run all there is, until the executor breaks."""
        while self.unfinished:
            alone = bool(self._suspects)
            broken = False
            try:
                yield from self._submit(executor)
            except BrokenExecutor:  # before any task told of it
                broken = True
            done = wait(self._running, return_when=FIRST_COMPLETED).done if self._running else ()
            ended = [(self._running.pop(future), future) for future in done]
            lost = [task for task, future in ended if future.cancelled()]
            for task, future in ended:
                outcome = None if future.cancelled() else _outcome(future)
                broken |= outcome is None
                if outcome is not None:
                    yield self._ended(task, outcome)
                elif alone and not lost:
                    yield self._ended(task, Outcome(1, "its worker died, twice"))
                else:
                    self._suspects.append(task)
            if lost:  # not by us: whoever ran them has gone
                raise LostError("what ran the tasks is gone")
            if broken:
                self._suspects += self._running.values()
                self._running.clear()
                return

    def _ended(self, task: Task, outcome: Outcome) -> tuple[Task, Outcome]:
        self._codes[task.name] = outcome.code
        return task, outcome

    def _submit(self, executor: Executor) -> Iterator[tuple[Task, Outcome]]:
        """Hand over what can run now; what cannot any more ends here."""
        if self._suspects:
            if not self._running:
                self._start(executor, self._suspects.popleft())
            return
        for _ in range(len(self._waiting)):
            if len(self._running) >= self._at_once:
                return
            task = self._waiting.popleft()
            code = self._codes.get(task.after, None if task.after else 0)
            if code is None:
                self._waiting.append(task)
            elif code:
                yield self._ended(task, Outcome(code, f"not built, since {task.after} failed"))
            else:
                self._start(executor, task)

    def _start(self, executor: Executor, task: Task) -> None:
        try:
            self._running[executor.submit(task.call, *task.arguments)] = task
        except BrokenExecutor:
            self._waiting.appendleft(task)
            raise


def _outcome(future: "Future[Outcome]") -> Outcome | None:
    """How a task ended; None where its worker did not live to tell."""
    try:
        return future.result()
    except BrokenExecutor:
        return None
    except Exception as error:  # noqa: BLE001 - a defect in one task is no other's end
        return Outcome(1, f"{type(error).__name__}: {error}")
