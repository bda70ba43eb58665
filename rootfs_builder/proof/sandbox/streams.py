"""What goes in and out of a command while it runs: pipes or a terminal, passed on or kept.

The command never gets this process's own descriptors: with a terminal of the user's it could do
what the user can, and a descriptor of a directory leads out of every root.
"""

import fcntl
import os
import selectors
import signal
import struct
import sys
import termios
import tty
from contextlib import ExitStack, suppress

from rootfs_builder.proof.sandbox import kernel
from rootfs_builder.proof.sandbox.command import Command

_PIECE = 1 << 16  # bytes
_TAIL = 1 << 12  # bytes
STDERR = 2


class Streams:
    """The streams of one command; `child` has its ends, `console` the terminal's path.

    `stdout` and `stderr` are what was captured so far, and `cut` whether there was more; `tail` is
    the end of stderr.
    """

    def __init__(self, command: Command, owner: int) -> None:
        self.stdout, self.stderr = bytearray(), bytearray()
        self.tail = bytearray()
        self.cut = False
        self.console = ""
        self._command = command
        self._selector = selectors.DefaultSelector()
        self._open = set[int]()
        self._input = self._null = -1
        self._feeder = 0
        self._restore = ExitStack()
        self.child = self._terminal() if command.terminal else self._pipes()
        if os.geteuid() == 0:
            for one in self.child:  # the command may open them again, as /dev/stdout
                if one != self._null:
                    os.fchown(one, owner, -1)

    def _pipes(self) -> tuple[int, int, int]:
        ends = []
        for number in (1, 2):
            read, write = os.pipe()
            self._follow(read, number)
            ends.append(write)
        if self._command.stdin is None and not self._command.interactive:
            self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            return (self._null, *ends)  # type: ignore[return-value]
        read, self._input = os.pipe()
        return (read, *ends)  # type: ignore[return-value]

    def _terminal(self) -> tuple[int, int, int]:
        self._input, theirs = os.openpty()
        self.console = os.ttyname(theirs)
        self._follow(self._input, 1)
        if os.isatty(0):
            self.resize()
            if self._command.interactive:
                before = termios.tcgetattr(0)
                self._restore.callback(termios.tcsetattr, 0, termios.TCSADRAIN, before)
                tty.setraw(0, termios.TCSANOW)  # what was typed ahead stays
        return (theirs, theirs, theirs)

    def resize(self) -> None:
        """Give the command's terminal the size of ours."""
        with suppress(OSError):
            size = fcntl.ioctl(0, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
            fcntl.ioctl(self._input, termios.TIOCSWINSZ, size)

    def begin(self) -> None:
        """The command has its ends: close them here, and feed it."""
        for one in set(self.child):
            os.close(one)
        if self._command.stdin is None and not self._command.interactive:
            return
        self._feeder = os.fork()
        if self._feeder == 0:
            self._feed()
        if not self.console:
            os.close(self._input)

    def _feed(self) -> None:
        """Be the process that writes what the command is to read."""
        try:
            kernel.die_with_parent(signal.SIGKILL)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                signal.signal(number, signal.SIG_IGN)  # for the command, which then ends
            os.closerange(3, self._input)
            os.closerange(self._input + 1, os.sysconf("SC_OPEN_MAX"))
            data = self._command.stdin
            for piece in (data,) if data is not None else iter(lambda: os.read(0, _PIECE), b""):
                view = memoryview(piece)
                while view:
                    view = view[os.write(self._input, view) :]
        except OSError:
            pass  # the command reads no more
        finally:
            os._exit(0)

    def _follow(self, descriptor: int, number: int) -> None:
        self._open.add(descriptor)
        self._selector.register(descriptor, selectors.EVENT_READ, number)

    def follow(self, descriptor: int) -> None:
        """Have `pass_on` say when a descriptor can be read."""
        self._selector.register(descriptor, selectors.EVENT_READ, 0)

    def pass_on(self, seconds: float | None) -> bool:
        """Pass on what there is, or wait so long for it; whether what is followed is ready."""
        ready = False
        for key, _ in self._selector.select(seconds):
            if key.data:
                self._read(key.fd, key.data)
            else:
                ready = True
        return ready

    def drain(self, descriptor: int) -> None:
        """Follow a descriptor no more, and pass on the rest, up to the end of each stream."""
        self._selector.unregister(descriptor)
        while self._open:
            self.pass_on(None)

    def _read(self, descriptor: int, number: int) -> None:
        try:
            data = os.read(descriptor, _PIECE)
        except OSError:  # EIO: the last process has closed the terminal
            data = b""
        if not data:
            self._close(descriptor)
            return
        if number == STDERR:
            self.tail = (self.tail + data)[-_TAIL:]
        if self._command.capture is None:
            stream = (sys.stdout, sys.stderr)[number - 1].buffer
            stream.write(data)
            stream.flush()
        else:
            kept = (self.stdout, self.stderr)[number - 1]
            room = max(self._command.capture - len(kept), 0)
            kept += data[:room]
            self.cut = self.cut or len(data) > room

    def _close(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        self._selector.unregister(descriptor)
        if descriptor != self._input:
            os.close(descriptor)

    def close(self) -> None:
        """End what feeds the command, and give the terminal back as it was."""
        self._restore.close()
        if self._feeder:
            with suppress(ProcessLookupError):
                os.kill(self._feeder, signal.SIGKILL)
            os.waitpid(self._feeder, 0)
            self._feeder = 0
        for one in [*self._open]:
            self._close(one)
        self._selector.close()
        if self.console:
            os.close(self._input)
            self.console = ""
