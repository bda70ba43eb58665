"""Plan → the plans of its layers, whose union is the plan: what changes together lies together.

Whose a file is decides where it goes. The user's own files lie on top, alone, so that a new build
of them leaves all other layers as they are; what is generated lies below, as it changes with what
the image needs, and not with a build.

The hard thing is that nothing about a package's layer may depend on what else is in the image, or
two images would not share it. Images that need libc.so.6 differ in which other files of its package
they need, and each such set would have it once more: so a large file is a layer of its own. Where
the finest grouping gives more layers than the budget has, a coarser one is taken, as a whole.

Every parent directory is written in every layer, with one mode (see `layers`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from posixpath import join, normpath
from zlib import crc32

from msgspec.structs import replace

from rootfs_builder.paths import ImagePath, ancestors, parent, printable
from rootfs_builder.plan import Entry, Plan, hard_links, order

_LARGE = 1 << 18  # bytes: of 40 programs' packages, few files are larger, and they have most bytes
_NAMED = 3  # packages in a title

# What programs need most, by the names of source packages: counted among the programs of
# tests/corpus, then by size. Names that distributions give to one thing stand in one row, and a
# version at the end of a name does not count.
_TABLE = (
    "glibc",
    "musl",
    "base-files filesystem alpine-baselayout",
    "netbase setup",
    "gcc",
    "zlib",
    "openssl",
    "libzstd zstd",
    "pcre2",
    "systemd",
    "libcap2",
    "libunistring",
    "libidn2",
    "krb5",
    "gmp",
    "nettle",
    "xz-utils xz",
    "e2fsprogs",
    "ncurses",
    "gnutls28",
    "p11-kit",
    "libxml2",
    "icu",
    "libselinux",
    "libxcrypt",
    "openldap",
    "cyrus-sasl2",
    "curl",
    "nghttp2",
    "brotli",
    "sqlite3",
    "expat",
    "readline",
    "dbus",
    "glib2.0 glib2",
    "libevent",
    "lz4",
    "bzip2",
    "keyutils",
    "libffi",
    "libtasn1-6",
    "jemalloc",
    "c-ares",
    "lua5.4",
    "python3",
    "perl",
    "tzdata",
)

_Key = tuple[int | str, ...]


def _stem(source: str) -> str:
    """The name of a source package without the version that some carry in it: gcc-14, pcre2."""
    return source.rstrip("-.0123456789") or source


_RANK = {_stem(name): rank for rank, row in enumerate(_TABLE) for name in row.split()}


def by_change(plan: Plan, *, budget: int) -> tuple[Plan, ...]:
    """The plans of at most `budget` layers, lowest first, none of them empty.

    With 1 all is in one layer, with 2 the user's own files lie on all others, and directories with
    them that would be a layer alone. The lowest layers are those that most images have, so that
    engines share them unpacked too.
    """
    if budget == 1:
        return (plan,)
    leaders = _leaders(plan)
    used = {parent(entry.path) for entry in plan.entries}
    leaves = [entry for entry in plan.entries if entry.path not in used]
    own = [entry for entry in leaves if leaders[entry.path].first_party]
    system = [entry for entry in leaves if not leaders[entry.path].first_party]
    groups: dict[_Key, list[Entry]] = {}
    for key in (_of_file, _of_package, _of_source, partial(_of_table, size=budget - 1)):
        groups = _grouped(system, leaders, key)
        if len(groups) < budget:
            break
    empty = [key for key, group in groups.items() if all(one.kind == "dir" for one in group)]
    for each in empty:
        own += groups.pop(each)  # such as /tmp: not worth a layer
    parts = (*(groups[key] for key in sorted(groups)), own)
    entries = {entry.path: entry for entry in plan.entries}
    return tuple(_part(plan, entries, part) for part in parts if part)


def _leaders(plan: Plan) -> dict[ImagePath, Entry]:
    """For each entry the one that it lies with.

    Names of one file lie together, and a package's link with the package's file that it names.
    """
    entries = {entry.path: entry for entry in plan.entries}
    links = hard_links(plan.entries)
    found = {}
    for path, entry in entries.items():
        found[path] = entries[links.get(path, path)]
        if entry.kind == "symlink" and entry.package is not None:
            end = ImagePath(normpath(join(parent(path), entry.target)))
            led = entries.get(links.get(end, end))
            if led is not None and led.kind == "file" and led.package == entry.package:
                found[path] = led
    return found


def _grouped(
    entries: Iterable[Entry], leaders: dict[ImagePath, Entry], key: Callable[[Entry], _Key]
) -> dict[_Key, list[Entry]]:
    groups: dict[_Key, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[key(leaders[entry.path])].append(entry)
    return groups


def _part(plan: Plan, entries: dict[ImagePath, Entry], part: Iterable[Entry]) -> Plan:
    """The plan of these entries and all directories above them."""
    paths = {path for entry in part for path in (entry.path, *ancestors(entry.path))}
    return replace(plan, entries=order(entries[path] for path in paths))


# --- by what entries lie together, the finest first; keys sort as their layers do ---


def _of_file(entry: Entry) -> _Key:
    """Each package, but a large file by itself."""
    return (*_of_package(entry), entry.path if entry.size >= _LARGE else "")


def _of_package(entry: Entry) -> _Key:
    one = entry.package
    return _of_source(entry) + ((one.name, one.version, one.architecture) if one else ())


def _of_source(entry: Entry) -> _Key:
    """The packages that are built from one source, and so change together."""
    if entry.package is None:
        return (len(_TABLE) + 1, "")
    source = entry.package.source
    return (_RANK.get(_stem(source), len(_TABLE)), source)


def _of_table(entry: Entry, *, size: int) -> _Key:
    """At most `size` groups: half of them by the table, the others by a hash of the source's name.

    Which group a package is in depends on its source's name alone.
    """
    rank, source = _of_source(entry)
    alone = size // 2
    if entry.package is None and alone:
        return (2,)
    if isinstance(rank, int) and rank < alone - 1:
        return (0, rank)
    return (1, crc32(str(source).encode("utf-8", "surrogateescape")) % (size - alone))


def title(part: Plan) -> str:
    """What is in a layer, in words."""
    files = [entry for entry in part.entries if entry.kind == "file"]
    packages = sorted({entry.package for entry in part.entries if entry.package is not None})
    words = [f"{one.name} {one.version} {one.architecture}" for one in packages[:_NAMED]]
    if len(packages) > _NAMED:
        words.append(f"{len(packages) - _NAMED} more")
    if any(entry.first_party for entry in part.entries):
        words.append("own files")
    if not words or any(entry.package is None and not entry.first_party for entry in files):
        words.append("files of the system")
    one_file = f": {files[0].path}" if len(files) == 1 else ""
    return printable(", ".join(words) + one_file)
