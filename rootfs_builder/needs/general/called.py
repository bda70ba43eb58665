"""Files of a program's source that a whole string calls by their names alone.

The program works out where they are, from a variable, a setting or its own place: what it spells
out is `"shibboleth2.xml"`, or `"%s/shibboleth2.xml"`. Strings of Go and Rust have no end: there any
part may be one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from os.path import splitext

from rootfs_builder.elf.texts import UNTERMINATED
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.finder import Context
from rootfs_builder.needs.general import standards
from rootfs_builder.needs.general.modules import is_module
from rootfs_builder.packages import Kin
from rootfs_builder.paths import SourcePath, encode, name, parent

_MOST = 1_000  # files whose names are looked for
_SHORT = 5  # letters that words of every day have, with a dot in them
_PLACES = ("/etc/", "/usr/share/", "/usr/lib/", "/usr/libexec/")


def of(kin: Kin, own: Iterable[Loaded], context: Context) -> Iterator[str]:
    """The files that `own` objects call, of which the source has one by that name."""
    files = next((one for one in map(_named, (kin.own, kin.mine)) if len(one) <= _MOST), {})
    whole = {encode(f"{at}{one}\0"): path for one, path in files.items() for at in ("\0", "/")}
    parts = {encode(one): path for one, path in files.items()}
    found = set[SourcePath]()
    for real in (one.real for one in own if files):
        has_ends = not context.elf_files.contained(real, UNTERMINATED)
        texts = whole if has_ends else parts
        found |= {texts[text] for text in context.elf_files.contained(real, texts)}
    yield from sorted(found)


def _named(files: Iterable[SourcePath]) -> dict[str, SourcePath]:
    """The files by their names, of each of which there is but one."""
    times = Counter(map(name, files))
    return {name(one): one for one in files if times[name(one)] == 1 and _is_called(one)}


def _is_called(path: SourcePath) -> bool:
    """Whether a file's name says which it is, and its place that a program may work it out."""
    stem, ending = splitext(name(path))
    if not ending or len(stem) < _SHORT or is_module(name(path)):
        return False
    shared = standards.is_shared(parent(path)) or standards.is_needless(path)
    return path.startswith(_PLACES) and not shared and not standards.is_needless(parent(path))


def as_library(path: SourcePath) -> tuple[str, str]:
    """Where a library may have modules and data, in directories called as it."""
    stem = name(path).partition(".so")[0].removeprefix("lib")
    return f"{parent(path)}/{stem}", f"/usr/share/{stem}"
