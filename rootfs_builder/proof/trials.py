"""A root directory and a command → whether it still succeeds when some of the files are gone.

Files are moved out of the root and back; what a run writes is dropped, so that each one starts from
the files of the image.
"""

import os
import time
from collections.abc import Callable

from msgspec.structs import replace

from rootfs_builder.choices import Success
from rootfs_builder.errors import RootfsError, VerificationError
from rootfs_builder.paths import ImagePath, encode
from rootfs_builder.proof import sandbox
from rootfs_builder.proof.sandbox import Command, Outcome, Rootfs, ways

_KEPT = 16 << 20  # bytes of what a command says that are compared
_LEAST, _FACTOR = 5.0, 10  # a trial may take so many seconds, and so many times the first run
_LINES = 5  # of what a command said, for a message


class Trials:
    """Runs of one command in one root; `count` and `seconds` are what they have cost.

    `tried` is called before each run, with how many there were.
    """

    def __init__(
        self,
        rootfs: Rootfs,
        command: Command,
        *,
        success: Success,
        tried: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._rootfs = rootfs
        self._command = replace(command, capture=_KEPT)
        self._success = success
        self._tried = tried
        self._aside = os.path.join(rootfs.scratch, "aside")
        self._gone: dict[ImagePath, bytes] = {}
        self._number = 0
        self._wanted = b""
        self.count = 0
        self.seconds = 0.0
        self.chosen = ways.choose(rootfs, command)
        os.mkdir(encode(self._aside), 0o700)

    def begin(self) -> None:
        """Run it with all files, twice.

        Raises:
            VerificationError: it does not succeed, or not twice with the same output.
        """
        first = self._run()
        if first.code:
            said = (first.stderr or first.stdout or first.message.encode()).decode(errors="replace")
            shown = "".join(f"\n  {line}" for line in said.splitlines()[-_LINES:])
            raise VerificationError(
                f"the command fails in the whole image: exit code {first.code}{shown}"
            )
        if self._command.seconds is None:
            limit = max(_LEAST, _FACTOR * self.seconds)
            self._command = replace(self._command, seconds=limit)
        self._wanted = first.stdout
        if not self._passes(self._run()):
            raise VerificationError(
                "the command's output differs between runs; "
                "--success exit compares the exit code alone"
            )

    def passes(self, gone: frozenset[ImagePath]) -> bool:
        """Whether it succeeds without these paths; with a directory goes what is in it."""
        for path in sorted(self._gone.keys() - gone):
            os.rename(self._gone.pop(path), self._place(path))
        for path in sorted(gone - self._gone.keys(), reverse=True):
            self._number += 1
            aside = encode(os.path.join(self._aside, str(self._number)))
            os.rename(self._place(path), aside)
            self._gone[path] = aside
        try:
            return self._passes(self._run())
        except RootfsError:  # such as a user whom /etc/passwd no longer names
            return False

    def _place(self, path: ImagePath) -> bytes:
        return encode(self._rootfs.directory) + encode(path)

    def _run(self) -> Outcome:
        self._tried(self.count)
        self.count += 1
        began = time.monotonic()
        outcome = sandbox.run(self._rootfs, self._command, chosen=self.chosen)
        self.seconds += time.monotonic() - began
        return outcome

    def _passes(self, outcome: Outcome) -> bool:
        same = self._success == "exit" or outcome.stdout == self._wanted
        return outcome.code == 0 and same
