"""Tasks, some after others, on any `concurrent.futures.Executor` → how each ended.

A task that fails ends alone. If a worker dies, any task that ran at the time may be to blame, so
each of them is tried once more, with nothing beside it. An exception is never a second try: it is
how the task ended, whether it is one of `errors` or a defect.
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

from rootfs_builder.errors import LostError, RootfsError

T = TypeVar("T")

_DIED = "its worker died, twice"


class Outcome(Struct, frozen=True):
    """How a task ended: what went wrong, the lines that it printed, and what `--json` prints.

    `withheld` are the lines that are shown even where few are.
    """

    error: Exception | None = None
    lines: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    document: Any = None


class Task(Struct, frozen=True):
    """A call that may be done twice; `after` is the name of a task that must have succeeded."""

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
    tasks: Iterable[Task],
    start: Callable[[], Executor],
    *,
    at_once: int,
    killed: type[Exception] = BrokenExecutor,
) -> Iterator[tuple[Task, Outcome]]:
    """Each task and how it ended, as it ends; at most `at_once` are handed over at a time.

    `killed` is what an executor raises if it has tried a task again itself, and its workers died.

    Raises:
        LostError: the executor is gone and cannot be started again.
    """
    batch = _Batch(tasks, at_once, killed)
    while batch.unfinished:
        with start() as executor:
            yield from batch.run(executor)


class _Batch:
    """The tasks that wait, those that run, and those that may have killed a worker."""

    def __init__(self, tasks: Iterable[Task], at_once: int, killed: type[Exception]) -> None:
        self._waiting = deque(tasks)
        self._suspects: deque[Task] = deque()
        self._running: dict[Future[Outcome], Task] = {}
        self._errors: dict[str, Exception | None] = {}
        self._at_once = at_once
        self._killed = killed

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
            except BrokenExecutor:  # before any future has it
                broken = True
            done = wait(self._running, return_when=FIRST_COMPLETED).done if self._running else ()
            ended = [(self._running.pop(future), future) for future in done]
            lost = [task for task, future in ended if future.cancelled()]
            for task, future in ended:
                outcome = None if future.cancelled() else self._outcome(future)
                broken |= outcome is None
                if outcome is not None:
                    yield self._ended(task, outcome)
                elif alone and not lost:
                    yield self._ended(task, Outcome(LostError(_DIED)))
                else:
                    self._suspects.append(task)
            if lost:  # not by us: whoever ran them has gone
                raise LostError("the executor of the tasks is gone")
            if broken:
                self._suspects += self._running.values()
                self._running.clear()
                return

    def _ended(self, task: Task, outcome: Outcome) -> tuple[Task, Outcome]:
        self._errors[task.name] = outcome.error
        return task, outcome

    def _outcome(self, future: "Future[Outcome]") -> Outcome | None:
        """How a task ended; None if its worker died."""
        try:
            return future.result()
        except BrokenExecutor:
            return None
        except self._killed:
            return Outcome(LostError(_DIED))
        except Exception as error:  # noqa: BLE001 - the other tasks go on; who reads it raises it
            return Outcome(error)

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
            error = self._errors.get(task.after)
            if task.after and task.after not in self._errors:
                self._waiting.append(task)
            elif error is not None:
                kind = type(error) if isinstance(error, RootfsError) else RootfsError
                text = f"not built, since {task.after} failed"
                yield self._ended(task, Outcome(kind(text)))
            else:
                self._start(executor, task)

    def _start(self, executor: Executor, task: Task) -> None:
        try:
            self._running[executor.submit(task.call, *task.arguments)] = task
        except BrokenExecutor:
            self._waiting.appendleft(task)
            raise
