"""Signals to this process that are meant for the command it runs."""

import signal
from types import FrameType
from typing import Self

from rootfs_builder.proof.sandbox.running import Running

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_OTHERS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT, signal.SIGWINCH)
_PATIENCE = 3  # signals to end it that a command may ignore, as with docker


class PassedOn:
    """Passes signals on while its block lasts; the third that should end the command kills it.

    It is entered before the command starts, so that no signal is lost: those that come before `to`
    wait for the command. The third of these ends the start with KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self._running: Running | None = None
        self._waiting: list[int] = []
        self._ending = 0

    def __enter__(self) -> Self:
        self._before = {one: signal.signal(one, self._take) for one in (*_ENDING, *_OTHERS)}
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def to(self, running: Running) -> None:
        """Name the command, which gets what has come so far."""
        self._running = running
        while self._waiting:
            running.signal(self._waiting.pop(0))

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._ending += number in _ENDING
        if self._running is None and self._ending >= _PATIENCE:
            raise KeyboardInterrupt
        if self._running is None:
            self._waiting.append(number)
        else:
            self._running.signal(signal.SIGKILL if self._ending >= _PATIENCE else number)
