"""Signals that come before, while and after a command starts."""

import signal
from types import SimpleNamespace

import pytest

from rootfs_builder.proof.sandbox.signals import PassedOn


def test_a_signal_that_comes_before_the_command_runs_reaches_it():
    got = []
    before = signal.getsignal(signal.SIGTERM)
    with PassedOn() as signals:
        signal.raise_signal(signal.SIGTERM)
        signals.to(SimpleNamespace(signal=got.append))
        signal.raise_signal(signal.SIGUSR1)
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
    assert got == [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGKILL]
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_third_before_the_command_runs_ends_its_start():
    with PassedOn():
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
