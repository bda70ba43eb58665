"""The executors of a batch: this process, processes on this machine, or a Dask cluster."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from threading import Thread
from types import TracebackType
from typing import Any, TypeVar

from rootfs_builder.commands.batch import Serial
from rootfs_builder.errors import LostError, UsageError

T = TypeVar("T")
_SOON = 0.01  # seconds, in which a destructor has ended
_PATIENCE = 10  # seconds that a scheduler has to answer


class _Processes(ProcessPoolExecutor):
    """Processes that end with this one, however it ends.

    The pool joins what it has told to end, so a task must not survive SIGTERM: see `_call`. Where
    the pool's own thread cannot be started, tasks run here, as `local` does it.
    """

    def __init__(self, jobs: int) -> None:
        context = multiprocessing.get_context("fork")
        super().__init__(jobs, mp_context=context, initializer=_begin)
        self._serial: Serial | None = None
        self._running: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Start a task in a process."""
        if self._serial is None:
            try:
                future = super().submit(_call, fn, *args, **kwargs)
            except BrokenExecutor:
                raise
            except RuntimeError:  # "can't start new thread"
                _end_children()
                self._serial = Serial()
            else:
                self._running.add(future)
                future.add_done_callback(self._running.discard)
                return future
        return self._serial.submit(fn, *args, **kwargs)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Processes that end of themselves say so, under a lock: if one is killed while it has that,
        # all others wait for it, and the pool for them. So they are ended once there is no task.
        if kind is None:
            futures.wait(tuple(self._running))
        _end_children()
        if self._serial is None:  # else there is no thread that could be joined
            super().__exit__(kind, error, trace)


def _end_children() -> None:
    for child in multiprocessing.active_children():
        child.terminate()


def _begin() -> None:
    """Leave Ctrl-C to the parent, which ends us by SIGTERM; end if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.unraisablehook = _raise_again
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the pool may ask twice, while we clean up
    sys.exit(1)


def _raise_again(swallowed: "sys.UnraisableHookArgs") -> None:
    """Have a signal soon again where SIGTERM came in a destructor, whose exceptions are lost."""
    if swallowed.exc_type is SystemExit:
        signal.signal(signal.SIGALRM, _end)
        signal.setitimer(signal.ITIMER_REAL, _SOON)
    else:
        sys.__unraisablehook__(swallowed)


def _call(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Run a task; SIGTERM lets it clean up, and ends the process, which the pool would keep."""
    try:
        signal.signal(signal.SIGTERM, _end)
        try:
            return fn(*args, **kwargs)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            if any(signal.setitimer(signal.ITIMER_REAL, 0)):  # see _raise_again
                os._exit(1)
    except SystemExit:
        os._exit(1)


def local(jobs: int) -> Executor:
    """An executor of `jobs` processes; this process for one job, or where no thread can start."""
    return Serial() if jobs == 1 or not _threads() else _Processes(jobs)


def _threads() -> bool:
    """Whether a thread can be started: a pool of processes has some."""
    thread = Thread(target=int)
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True


class Cluster:
    """A Dask cluster that runs already.

    Raises:
        UsageError: Dask is not installed.
        LostError: no scheduler answers there, or it has no worker.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed
        except ImportError:
            raise UsageError(
                "--scheduler: needs Dask: pip install 'rootfs-builder[dask]'"
            ) from None
        client: Any = distributed.Client
        self.killed: type[Exception] = distributed.KilledWorker  # which was retried there
        logging.disable()  # Dask's log is for its authors
        try:
            self._client = client(address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise LostError(
                f"--scheduler {address}: nobody answers; is `dask scheduler` running there?"
            ) from error
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise LostError(
                f"--scheduler {address}: has no worker; start one: dask worker {address}"
            ) from error

    def executor(self) -> Executor:
        """An executor of tasks there; a task whose worker dies is given to another."""
        executor: Executor = self._client.get_executor(pure=False)
        return executor

    def close(self) -> None:
        """Leave the cluster as it was."""
        self._client.close(timeout=_PATIENCE)
