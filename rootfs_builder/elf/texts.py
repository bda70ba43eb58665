"""Data of a program → the texts in it: which of some stand there, and what a pattern matches.

Compilers end most texts with a NUL, so what lies between two of them is a whole string. These are a
tenth of the data, and most of what is asked is asked of them alone: they are taken out once.
"""

import re
from collections.abc import Iterator

from rootfs_builder.elf import counted

# What programs have whose texts have no ends: those in Go, Rust and Ada.
UNTERMINATED = (b"\xff Go buildinf:", counted.RUST, b"GNAT")
_WHOLE = re.compile(rb"\x00([\t\n\r\x20-\x7e]{2,})(?=\x00)")
_OF_STRINGS = re.compile(  # the pattern of a NUL, and behind it none but in a last (?=...)
    rb"\\x00(?:(?!\\x00).)+\(\?=(?:\\x00|\[\\x00[^]^\\]*\])\)"
)
_NAME = re.compile(rb"\x00[\t\n\r\x20-\x7e]{2,}\x00|/[\t\n\r\x20-\x2e\x30-\x7e]+\x00")


def whole_strings(data: bytes) -> bytes:
    """The whole strings, each once, in their order, with a NUL before and behind each."""
    return b"\0".join((b"", *dict.fromkeys(_WHOLE.findall(data)), b""))


def is_of_whole_strings(pattern: bytes) -> bool:
    """Whether it matches in whole strings alone: the data have no more for it than these."""
    return _OF_STRINGS.fullmatch(pattern) is not None


def contained(data: bytes, strings: bytes, texts: frozenset[bytes]) -> Iterator[bytes]:
    """Which of the texts are in the data; `strings` are its whole strings.

    A whole string is looked for as one, and so is `/NAME` and a NUL, which ends one.
    """
    names = set(filter(_NAME.fullmatch, texts))
    if names:
        each = strings.split(b"\0")
        known = {b"\0%b\0" % one for one in each}
        known |= {b"/%b\0" % one.rpartition(b"/")[2] for one in each if b"/" in one}
        yield from names & known
    # Bytes of no text, and NUL, are most of a program's: without them all is shorter, and a text
    # that is not in there is not in the program.
    others = texts - names
    strange = bytes({0, *{*range(256)}.difference(*others)})
    dense = data.translate(None, strange) if others else b""
    for text in others:
        if text.replace(b"\0", b"") in dense and text in data:
            yield text
