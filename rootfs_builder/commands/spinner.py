"""A spinner, where a terminal has shown nothing for a second: how many files were looked at."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.filesystem.root import Root
    from rootfs_builder.image.found import Found

_SILENCE = 1.0  # seconds after which people wonder
_STEP = 0.2  # seconds between two counts


class Spinner:
    """Counts what is read of the roots and images that it is told of, until it is stopped."""

    def __init__(self) -> None:
        self._counts: list[Callable[[], int]] = []
        self._stopped = Event()
        self._thread: Thread | None = None

    def opened(self, root: "Root", _directory: str = "") -> "Root":
        """Count what is asked of a directory, which is returned as it is."""
        from rootfs_builder.filesystem.root import DirectoryRoot

        if isinstance(root, DirectoryRoot):
            self._counts.append(lambda: root.asked)
        return root

    def reading(self, found: "Found") -> None:
        """Count what is read of the images at a place."""
        self._counts.append(lambda: found.meter.members)

    def start(self) -> None:
        """Show it after a while."""
        self._thread = Thread(target=self._run, name="spinner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Clear what it shows; other lines may follow at once."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        if self._stopped.wait(_SILENCE):
            return
        from rich.console import Console

        with Console(stderr=True).status(self._text()) as status:
            while not self._stopped.wait(_STEP):
                status.update(self._text())

    def _text(self) -> str:
        return f"reading: {sum(count() for count in self._counts):,} files"


@contextmanager
def spinning(*, quiet: bool) -> Iterator[Spinner]:
    """A spinner while the block runs, on a terminal."""
    spinner = Spinner()
    if not quiet and sys.stderr.isatty():
        spinner.start()
    try:
        yield spinner
    finally:
        spinner.stop()
