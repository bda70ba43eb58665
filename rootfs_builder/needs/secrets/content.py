"""The bytes of a file → what makes them a secret.

Large files are read in windows that overlap by more than a key has, so that time is linear and
memory is bounded. In a program's machine code only whole keys in PEM count; everything else there
that looks like one is chance, or a name that the program knows.
"""

import re
from collections.abc import Iterator

from rootfs_builder.elf import MAGIC
from rootfs_builder.errors import ChangedError, InputError
from rootfs_builder.filesystem.content import Content, Source
from rootfs_builder.needs.secrets import keystores, known, names, pem, texts, tokens
from rootfs_builder.needs.secrets.pem import Found

WINDOW = 1 << 20  # bytes
_OVERLAP = 2 * pem.MAX_KEY
_START = 256 << 10  # of a text, where credentials are looked for
_HEAD = 4096
_MEDIA = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"PK\3\4", b"\x28\xb5\x2f\xfd", b"wOF")


def why(source: Source, path: str) -> str:
    """What makes the file a secret; empty for most, and for one that cannot be read."""
    try:
        with source.open() as content:
            return _why(content, path)
    except (InputError, ChangedError):
        return ""


def _why(content: Content, path: str) -> str:
    found = (one for one in _found(content, path) if not known.is_known(one[1]))
    return next(found, ("", b""))[0]


def evidence(source: Source, path: str) -> Iterator[Found]:
    """All that is found in a file, known or not, for who writes the table of what is known."""
    with source.open() as content:
        yield from _found(content, path)


def _found(content: Content, path: str) -> Iterator[Found]:
    size = len(content)
    text = content[0 : min(WINDOW + _OVERLAP, size)]
    head = text[:_HEAD]
    is_program = head.startswith(MAGIC)
    by_format = "" if is_program else keystores.why(content, head)
    if by_format:
        yield by_format, text[:WINDOW]
    step = _encoding(head)
    is_text = step is not None or not (b"\0" in head or head.startswith(_MEDIA))
    for start in range(0, size, WINDOW):
        if start:
            text = content[start : min(start + WINDOW + _OVERLAP, size)]
        if step is not None:
            text = text[step::2]
        yield from pem.keys(text)
        if is_text:
            yield from tokens.tokens(text)
            if start == 0:
                yield from _of_a_text(text[:_START], path, is_whole=size <= _START)


def _of_a_text(text: bytes, path: str, *, is_whole: bool) -> Iterator[Found]:
    asked = names.asked(path)
    if asked >= 0:
        if path.endswith(".xml"):
            first, *parts = text.split(b"<!--")
            text = first + b"".join(part.partition(b"-->")[2] for part in parts)
        _, pattern, what = names.ASKED[asked]
        match = re.search(pattern, text)
        if match:
            yield what, match[0]
    if names.kind(path) != "source":
        yield from texts.credentials(text)
        if is_whole:
            yield from texts.whole(text)


def _encoding(head: bytes) -> int | None:
    """At which of two bytes the letters of UTF-16 are; None for other texts."""
    if head.startswith(b"\xff\xfe") or re.match(rb"(?:[^\0]\0){8}", head):
        return 0
    if head.startswith(b"\xfe\xff") or re.match(rb"(?:\0[^\0]){8}", head):
        return 1
    return None
