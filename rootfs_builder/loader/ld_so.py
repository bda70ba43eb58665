"""The bytes of glibc's `ld.so` file → what differs in it between distributions.

None of this has a symbol or an entry in a table: they are strings in .rodata. The hard one is
system_dirs, a run of NUL-terminated directories, told from chance by the array of exactly those
lengths that the loader keeps beside it (glibc elf/dl-load.c, `system_dirs_len`).
"""

import re
import struct

from rootfs_builder.elf import Header
from rootfs_builder.errors import ElfError
from rootfs_builder.paths import OpenedPath, decode

_SPACES = bytes.maketrans(b":\t\n", b"   ")
_MOST_PRELOADED = 1000
_MOST_RUNS = 64  # of directories in a loader; glibc's has two or three
_HWCAPS = re.compile(
    rb"\0((?:x86-64-v\d|z\d\d|power\d+|la\d+)(?::(?:x86-64-v\d|z\d\d|power\d+))*)\0"
)


def path(data: bytes, name: bytes) -> OpenedPath | None:
    """The absolute path that ends in `name`: that of its cache, of its list of preloads."""
    found = re.search(rb"\0(/[^\0]*" + re.escape(name) + rb")\0", data)
    return None if found is None else OpenedPath(decode(found[1]))


def system_dirs(data: bytes, header: Header) -> tuple[str, ...] | None:
    """The longest run of directories whose array of lengths stands in the file too."""
    word = header.order + ("Q" if header.bits == 64 else "I")
    runs = re.findall(rb"\0(/[^\0\n]{0,250}/\0(?:/[^\0\n]{0,250}/\0)*)", data)
    lists = [run.split(b"\0")[-17:-1] for run in runs if b"lib" in run][:_MOST_RUNS]
    # Another string may stand before the list, of two to four, so its tails are tried too.
    tails = [dirs[start:] for dirs in lists for start in range(len(dirs))]
    for dirs in sorted(tails, key=len, reverse=True):
        if b"".join(struct.pack(word, len(one)) for one in dirs) in data:
            return tuple(decode(one) for one in dirs)
    return None


def lib(data: bytes) -> str:
    """What `$LIB` stands for."""
    found = re.findall(rb"\0(lib(?:32|64|x32|/[a-z0-9_-]+)?)(?=\0)", data)
    return decode(max(found, key=lambda one: (b"/" in one, one != b"lib"), default=b"lib"))


def hwcaps(data: bytes) -> tuple[str, ...]:
    """The glibc-hwcaps subdirectories, best first."""
    lists = _HWCAPS.findall(data)
    return tuple(decode(max(lists, key=len)).split(":")) if lists else ()


def preload(content: bytes) -> tuple[str, ...]:
    """The names in an ld.so.preload, each once.

    Raises:
        ElfError: there are more than anybody would preload.
    """
    names = dict.fromkeys(_without_comments(content).translate(_SPACES).split(b" "))
    names.pop(b"", None)
    if len(names) > _MOST_PRELOADED:
        raise ElfError(f"its ld.so.preload names more than {_MOST_PRELOADED} libraries; shorten it")
    return tuple(map(decode, names))


def _without_comments(text: bytes) -> bytes:
    """As dl_main() does it: it looks for each `#` from the start, in ever fewer bytes.

    A comment cannot begin inside another, so the search continues at the end of the last one.
    """
    result, rest, end = bytearray(text), len(text), 0
    while (at := result.find(b"#", end, max(rest, 0))) >= 0:
        line = text.find(b"\n", at, rest)
        end = rest if line < 0 else line
        result[at:end] = bytes(b" " * (end - at))
        rest -= end
    return bytes(result)
