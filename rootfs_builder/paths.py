"""Bytes of a file name → str, the same in every locale.

Three kinds of path must not be mixed up. A `SourcePath` is a key in what a build reads, an
`ImagePath` a key in the image; only a Move turns the one into the other. A key is absolute and
resolved, without `.`, `..`, doubled or trailing slash; a Root takes keys of both kinds, and a walk
in it ends at a `Key`, of which the caller knows the kind. An `OpenedPath` is the loader's own text
for a file, never normalised, because `$ORIGIN` and the order of lookups depend on how it was spelt.
All are UTF-8 with surrogateescape, so any byte string survives the round trip whatever `LANG` says.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NewType, TypeVar

SourcePath = NewType("SourcePath", str)
ImagePath = NewType("ImagePath", str)
OpenedPath = NewType("OpenedPath", str)
Key = SourcePath | ImagePath

P = TypeVar("P", bound=str)

ROOT = ImagePath("/")
_LONG, _SHOWN = 255, 60  # bytes of a path, and characters that are shown of a longer one
_NAMED = (  # what may come before a path, not the // of a URL; then the path
    r"""(?:(?<![^\s"'`(\[{<>=,;|&])|(?<=:)(?!//)|(?<=://)|(?<=\A-\w)|(?<=[\s"'`]-\w))"""
    r"""(?:(?<=")/[^"]*(?=")|(?<=')/[^']*(?=')|(?<=`)/[^`]*(?=`)|/[^\s"'`]*)"""
)
HIDDEN = (  # in a class of characters: what steers a terminal, or shows a text as another one
    "\0-\x08\x0b-\x1f\x7f-\x9f"  # controls, C1 too; not the tab and the end of a line
    "\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidi, invisible
    "\U000e0000-\U000e007f"  # tags
)
MOUNTED = ("/dev", "/proc", "/sys")  # by every runtime, over what an image has there


def decode(raw: bytes) -> str:
    """File-name bytes as text."""
    return raw.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Text back to the file-name bytes it came from."""
    return text.encode("utf-8", "surrogateescape")


def possible(path: str) -> bool:
    """Whether a file can have a path: no kernel takes a NUL byte in one."""
    return "\0" not in path


def printable(path: str) -> str:
    """A path for JSON and terminals: what is undecodable or HIDDEN as `%XX`, `%` as `%25`."""
    if path.isascii() and path.isprintable() and "%" not in path:
        return path  # nearly all are such, and a pattern takes 1 ms to compile
    return re.sub(f"[%\t\n\udc80-\udcff{HIDDEN}]", _escaped, path)


def parsed(shown: str) -> str:
    """The path that `printable` made this of."""
    return decode(re.sub(rb"%([0-9A-F]{2})", _byte, encode(shown)))


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)])


def shortened(path: str) -> str:
    """A path for a message; of a very long one its beginning, with its length."""
    size = len(encode(path))
    return printable(path) if size <= _LONG else f"{printable(path[:_SHOWN])}… ({size:,} bytes)"


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in encode(found[0]))


def escape_control(text: str) -> str:
    """A text of an image, which must neither steer a terminal nor be read as another one."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(f"[{HIDDEN}]", _number, text)


def _number(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004


def absolute(paths: Iterable[str]) -> tuple[str, ...]:
    """The absolute ones among paths and names, each once."""
    return tuple(dict.fromkeys(path for path in paths if path.startswith("/")))


def named_in(text: str) -> tuple[str, ...]:
    """The absolute paths in a text, such as an argument or a rule's hint.

    One ends at a blank, but in quotes with them. It may follow an option's name or letter, or `=`.
    """
    if "/" not in text:
        return ()
    return absolute(found[0].rstrip("),;:.]}>") for found in re.finditer(_NAMED, text))


def join(directory: P, name: str) -> P:
    """The key of `name` in the resolved `directory`."""
    return f"{directory}/{name}" if directory != "/" else f"/{name}"  # type: ignore[return-value]


def parent(path: P) -> P:
    """The directory that holds a key; `/` holds itself."""
    return path.rpartition("/")[0] or "/"  # type: ignore[return-value]


def name(path: str) -> str:
    """The last component."""
    return path.rpartition("/")[2]


def ancestors(path: P) -> Iterator[P]:
    """Every directory above a key, nearest first, `/` left out."""
    while (path := parent(path)) != "/":
        yield path


def below(path: str, directory: str) -> bool:
    """Whether a key is `directory` itself or lies in it."""
    return directory in ("/", path) or path.startswith(directory + "/")
