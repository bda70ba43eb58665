r"""A line of strace → what one system call asked the kernel for, and what it got.

strace runs with `-f -y -xx`: every string is `"\x2f\x65"`, every descriptor `3<\x2f\x65>`, so that
no byte of a path can be taken for syntax. A call that another process interrupts takes two
lines, which `Lines` joins.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto

from msgspec import Struct

from rootfs_builder.paths import decode

_LINE = re.compile(rb"(\d+) +(.*)", re.DOTALL)
_CALL = re.compile(rb"(\w+)\((.*)", re.DOTALL)
_RESUMED = re.compile(rb"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_UNFINISHED = b" <unfinished ...>"
_PATH = re.compile(  # a descriptor that a path starts at, if one does, and the path
    rb'(?:(AT_FDCWD|-?\d+)(?:<([^>]*)>)?(?:\(deleted\))?, )?"((?:\\x[0-9a-f]{2})*)"'
)
_SOCKET = re.compile(rb'sun_path="((?:\\x[0-9a-f]{2})+)"')  # an abstract one begins with @
_DESCRIPTOR = re.compile(rb"(?<![\w.])(\d+)<([^>]*)>(\(deleted\))?")
_RESULT = re.compile(rb"(-?\d+|\?)(?:<([^>]*)>(?:\(deleted\))?)?(?: ([A-Z]+))?")
_EXIT = re.compile(rb"\+\+\+ exited with (\d+)")
_KILLED = re.compile(rb"\+\+\+ killed by SIG(\w+)")
_TWO_PATHS = frozenset({b"rename", b"renameat", b"renameat2", b"link", b"linkat"})
_SECOND_PATH = frozenset({b"symlink", b"symlinkat"})  # the first is the text of the link
_SOCKETS = frozenset({b"connect", b"bind"})
_BY_DESCRIPTOR = frozenset({b"getdents", b"getdents64", b"fchdir", b"mmap"})
_STARTS = frozenset({b"clone", b"clone3", b"fork", b"vfork"})


class Named(Struct, frozen=True):
    """A path as a call names it; `start` is the directory of a descriptor, None for no such."""

    path: str
    start: str | None = None
    relative_to_cwd: bool = True


class Call(Struct, frozen=True):
    """A call that has returned: `result` is None where it did not, `errno` a name such as ENOENT.

    `descriptor` is the path of the descriptor that it is about, `opened` of the one that it made.
    """

    pid: int
    name: str
    arguments: bytes
    paths: tuple[Named, ...] = ()
    descriptor: str = ""
    result: int | None = None
    errno: str = ""
    opened: str = ""


class Kind(Enum):
    """What became of a process."""

    BEGUN = auto()  # a call that starts another has not returned yet
    EXITED = auto()
    KILLED = auto()


class Fate(Struct, frozen=True):
    """A process starts another, or ends; `code` is its exit code, or minus the signal's number."""

    pid: int
    kind: Kind
    code: int = 0


class Lines:
    """The lines of one trace → events, in their order."""

    def __init__(self) -> None:
        self._unfinished: dict[int, bytes] = {}

    def read(self, line: bytes) -> Iterator[Call | Fate]:
        """The event of a line; none for a signal, or a line that is cut off."""
        matched = _LINE.fullmatch(line.rstrip(b"\n"))
        if matched is None:
            return
        pid, text = int(matched[1]), matched[2]
        if text.startswith(b"+++"):
            yield from self._ended(pid, text)
            return
        if text.endswith(_UNFINISHED):
            begun = text.removesuffix(_UNFINISHED)
            self._unfinished[pid] = begun
            if begun.partition(b"(")[0] in _STARTS:
                yield Fate(pid, Kind.BEGUN)
            return
        resumed = _RESUMED.fullmatch(text)
        if resumed is not None:
            text = self._unfinished.pop(pid, resumed[1] + b"(") + resumed[2]
        found = _call(pid, text)
        if found is not None:
            yield found

    def _ended(self, pid: int, text: bytes) -> Iterator[Fate]:
        self._unfinished.pop(pid, None)
        if exited := _EXIT.match(text):
            yield Fate(pid, Kind.EXITED, int(exited[1]))
        elif killed := _KILLED.match(text):
            yield Fate(pid, Kind.KILLED, -_signal(killed[1].decode()))


def _signal(name: str) -> int:
    import signal

    try:
        return signal.Signals[f"SIG{name}"].value
    except KeyError:  # a real-time signal
        return signal.SIGRTMIN


def _call(pid: int, text: bytes) -> Call | None:
    matched = _CALL.fullmatch(text)
    if matched is None:
        return None
    name, (arguments, _, result) = matched[1], matched[2].rpartition(b" = ")
    returned = _RESULT.match(result)
    if returned is None:
        return None
    value = None if returned[1] == b"?" else int(returned[1])
    descriptor = ""
    if name in _BY_DESCRIPTOR:
        about = _DESCRIPTOR.search(arguments)
        if about is not None and about[3] is None:
            descriptor = _text(about[2])
    return Call(
        pid,
        name.decode(),
        arguments,
        tuple(_paths(name, arguments)),
        descriptor,
        value,
        (returned[3] or b"").decode() if value is not None and value < 0 else "",
        _text(returned[2] or b""),
    )


def _paths(name: bytes, arguments: bytes) -> Iterator[Named]:
    """The paths that a call names; an empty one is that of its descriptor."""
    if name in _SOCKETS:
        yield from (Named(_text(one[1])) for one in _SOCKET.finditer(arguments))
        return
    found = [*_PATH.finditer(arguments)]
    first = 1 if name in _SECOND_PATH else 0
    for one in found[first : 2 if name in _TWO_PATHS else first + 1]:
        if path := _text(one[3]):
            start = None if one[2] is None else _text(one[2])
            yield Named(path, start, one[1] in (None, b"AT_FDCWD"))


def _text(hexadecimal: bytes) -> str:
    r"""The text of `\x2f\x65`; what strace leaves as it is, like `pipe:[1]`, is not a path."""
    digits = hexadecimal.replace(rb"\x", b"")
    if len(digits) * 2 != len(hexadecimal):
        return ""
    return decode(bytes.fromhex(digits.decode()))
