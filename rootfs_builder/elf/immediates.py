"""Code for x86-64 → paths and commands that a compiler has put into it, in pieces.

A short text that is copied, as into a std::string, is often no text of the data: instructions carry
it, eight bytes in a `movabs` and the rest in those after it, the pieces of which may overlap. What
of them belongs together is not known, so each way is a text: those that are no paths are nowhere. A
command is a word with an option, such as `gunzip -`.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, MOV.
"""

import re
from collections.abc import Iterator
from itertools import islice

MACHINE = 62  # EM_X86_64
FACT = "immediates v2"  # its name among facts of files
_TOP = re.compile(rb"/(?=(?:etc|run|usr|var|opt|srv|bin|lib)/|sbin)")  # of a path
_OPTION = re.compile(rb" (?=-)")  # behind a word, in the same eight bytes
_MOVABS = re.compile(rb"[\x48\x49][\xb8-\xbf]")  # REX.W B8+r, and eight bytes
_WORD = re.compile(_MOVABS.pattern + rb"(?P<word>[a-z][a-z0-9]{1,5})\Z")
_NEXT = re.compile(
    rb"[\x48\x49][\xb8-\xbf](?P<eight>[ -~]{1,8}\x00{0,7})"
    rb"|\xc7[\x00-\xff]{1,6}?(?P<four>[ -~]{4}|[ -~]{3}\x00)"  # C7 /0, and four bytes
    rb"|\x66\xc7[\x00-\xff]{1,6}?(?P<two>[ -~][ -~\x00])"
    rb"|\xc6[\x00-\xff]{1,6}?(?P<one>[ -~])",
    re.DOTALL,
)
_EIGHT = 8
_NEAR = 64  # bytes of code in which the rest of a text stands
_MOST_PIECES = 3  # behind the first
_MOST = 5000  # such texts of one file; the most of all programs here is 17, of podman


def texts(code: bytes) -> Iterator[bytes]:
    """The texts that begin as paths or commands do, one for each way to put them together.

    Of code with more places than any compiler makes, the first 5,000 are looked at.
    """
    for at in islice(_places(code), _MOST):
        yield from _ways(code[at : at + _EIGHT], code[at + _EIGHT : at + _EIGHT + _NEAR])


def _places(code: bytes) -> Iterator[int]:
    """Where eight bytes of a `movabs` begin as a path or a command does."""
    for hit in _TOP.finditer(code):
        at = hit.start()
        if _MOVABS.fullmatch(code, max(at - 2, 0), at):
            yield at
    for hit in _OPTION.finditer(code):
        at = hit.start()
        if word := _WORD.search(code, max(at - _EIGHT, 0), at):
            yield word.start("word")


def _ways(first: bytes, after: bytes) -> Iterator[bytes]:
    begin = first.split(b"\0")[0]
    yield begin
    if len(begin) < _EIGHT:
        return
    pieces = [hit[hit.lastgroup or 0].split(b"\0")[0] for hit in _NEXT.finditer(after)]
    found = [begin]
    for piece in pieces[:_MOST_PIECES]:
        longer = [
            one + piece[shared:]
            for one in found
            for shared in range(len(piece))
            if one.endswith(piece[:shared])
        ]
        yield from longer
        found += longer
