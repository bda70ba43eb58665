"""A locale's name → where its files are: a directory, or glibc's locale-archive; its files there.

The archive is a hash table of names, each with a record of where its categories stand; names may
share a record. The files come out as they would stand in a directory of the normalised name, which
glibc takes where there is no archive, however the codeset is spelt. All numbers are of 32 bits, in
the byte order of the machine it is for; offsets count from the start of the file. Source: glibc
locale/locarchive.h, locale/loadarchive.c, intl/l10nflist.c.
"""

import re
import struct

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import Content
from rootfs_builder.paths import encode

DIRECTORY = "/usr/lib/locale"  # as distributions configure glibc
ARCHIVE = f"{DIRECTORY}/locale-archive"
BUILT_IN = ("C", "POSIX")  # locales without files
_NAME = re.compile(r"(?!\.{1,2}\Z)[\w.@+,-]+")  # no path leads out of DIRECTORY, as in glibc
_MAGIC = 0xDE020109
_FILES = {  # by the number of the category; 6 is LC_ALL, which has no file
    0: "LC_CTYPE",
    1: "LC_NUMERIC",
    2: "LC_TIME",
    3: "LC_COLLATE",
    4: "LC_MONETARY",
    5: "LC_MESSAGES/SYS_LC_MESSAGES",
    7: "LC_PAPER",
    8: "LC_NAME",
    9: "LC_ADDRESS",
    10: "LC_TELEPHONE",
    11: "LC_MEASUREMENT",
    12: "LC_IDENTIFICATION",
}
_HEADER = 56
_RECORD = 108
_WORD = 0xFFFFFFFF
_MAX_NAMES = 1 << 20
_MAX_BYTES = 1 << 26  # of one locale


def is_name(text: str) -> bool:
    """Whether a locale can be called so and has files."""
    return text not in BUILT_IN and _NAME.fullmatch(text) is not None


def normalized(name: str) -> str:
    """The name with its codeset as glibc looks it up: `de_DE.UTF-8@euro` is `de_DE.utf8@euro`.

    Of the codeset the letters and digits stay, in lower case; where there are digits only, "iso" is
    put in front. Names of the archive are written so.
    """
    place, _, rest = name.partition(".")
    codeset, at, modifier = rest.partition("@")
    if not codeset:
        return name
    kept = re.sub("[^a-z0-9]", "", re.sub("[A-Z]", lambda letter: letter[0].lower(), codeset))
    if not re.search("[a-z]", kept):
        kept = "iso" + kept
    return f"{place}.{kept}{at}{modifier}"


def directories(name: str) -> tuple[str, ...]:
    """The directories of a locale, of which the first counts; without any, the archive does."""
    return tuple(dict.fromkeys(f"{DIRECTORY}/{one}" for one in (name, normalized(name))))


def placed(data: Content, name: str) -> dict[str, bytes]:
    """The files that the archive has of a locale, by the paths that they would have without it.

    Raises:
        InputError: see read.
    """
    above = f"{DIRECTORY}/{normalized(name)}"
    return {f"{above}/{path}": content for path, content in (read(data, name) or {}).items()}


def read(data: Content, name: str) -> dict[str, bytes] | None:
    """The files of a locale, by their paths below its directory; None where it is not in there.

    The name is normalised first. Names without a codeset (`de_DE@euro`) and aliases (`german`) are
    found where the archive has them.

    Raises:
        InputError: the file is not a locale archive, or is cut short.
    """
    order = _order(data)
    # Magic, serial; of names, strings, records and sums each the offset, the used, the size.
    names, _, size = struct.unpack(order + "3I", _part(data, 8, 12))
    if size > _MAX_NAMES:
        raise InputError("locale archive: it has more names than there are locales")
    wanted = encode(normalized(name))
    hashed = _hash(wanted)
    for value, at, record in struct.iter_unpack(order + "3I", _part(data, names, 12 * size)):
        if value == hashed and at and data[at : at + len(wanted) + 1] == wanted + b"\0":
            return _files(data, record, order) if record else None  # 0: it was removed
    return None


def _order(data: Content) -> str:
    head = _part(data, 0, _HEADER)
    for order in "<>":
        if struct.unpack_from(order + "I", head) == (_MAGIC,):
            return order
    raise InputError("locale archive: it begins like none")


def _hash(name: bytes) -> int:
    value = len(name)
    for byte in name:
        value = ((value << 9 | value >> 23) + byte) & _WORD
    return value or _WORD


def _files(data: Content, record: int, order: str) -> dict[str, bytes]:
    fields = struct.unpack(order + "4x26I", _part(data, record, _RECORD))
    places = {file: fields[2 * number : 2 * number + 2] for number, file in _FILES.items()}
    if sum(size for _, size in places.values()) > _MAX_BYTES:
        raise InputError("locale archive: a locale is larger than any")
    return {file: _part(data, start, size) for file, (start, size) in places.items()}


def _part(data: Content, start: int, size: int) -> bytes:
    part = data[start : start + size]
    if len(part) < size:
        raise InputError("locale archive: it is cut short")
    return part
