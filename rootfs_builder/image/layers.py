"""Plan → layer: a tar that is the same bytes every time.

Directories come first, then symlinks, files, and further names of files (hard links), each by path:
a reader that replaces what it meets never sees a file through a link that is not there yet
(image-spec, layer.md). The tar is cut into units for the compressor at places that depend on the
plan alone: a large file's content in pieces of 1 MiB, and whatever lies between large files.
"""

import hashlib
from collections.abc import Callable, Iterator
from itertools import groupby

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.content import FileSource, Source, chunks, read
from rootfs_builder.image import LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor, Layer, tar
from rootfs_builder.image.store import Store, Unit
from rootfs_builder.paths import ImagePath, encode
from rootfs_builder.plan import Entry, Plan, hard_links
from rootfs_builder.recipe.codec import GZIP, Codec

UNIT = 1 << 20
_LARGE = 1 << 16  # bytes: from here on a file's content is a unit of its own

_RANK = {"dir": 0, "symlink": 1, "file": 2}
_KIND = {"dir": tar.DIRECTORY, "symlink": tar.SYMLINK, "file": tar.FILE}
_MEDIA_TYPE = {"gzip": LAYER_GZIP, "zstd": LAYER_ZSTD, "none": LAYER}


def pack(
    plan: Plan,
    store: Store,
    *,
    codec: Codec = GZIP,
    epoch: int = 0,
    facts: FileFacts | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Layer:
    """Write a plan as one layer; every time in it is `epoch`, in seconds since 1970.

    `facts` are known of files already, and get the SHA-256s of their pieces.

    Raises:
        ChangedError: a file is no longer what it was when the plan was made.
        InputError: a file cannot be read, or `epoch` does not fit.
    """
    facts = facts or FileFacts()
    packed = None
    if store.cache and (known := _known(plan, epoch, facts)) is not None:
        packed = store.recall(known, codec)
        progress(0 if packed is None else plan.size)
    if packed is None:
        packed = store.compress(units(plan, epoch=epoch), codec, progress)
        for content, group in groupby(packed.units, lambda unit: unit[0]):
            if content is not None:
                facts.put(content, "units", tuple(name for _, name in group))
    descriptor = Descriptor(_MEDIA_TYPE[codec.name], packed.blob.digest, packed.blob.size)
    return Layer(descriptor, packed.diff_id, store.content(packed.blob))


def _known(plan: Plan, epoch: int, facts: FileFacts) -> list[bytes] | None:
    """The SHA-256 of each unit, without reading large files; None where one is not known."""
    found: list[bytes] = []
    for part in _parts(plan, epoch):
        if isinstance(part, bytes):
            found.append(hashlib.sha256(part).digest())
            continue
        units = facts.get(part, "units", tuple[bytes, ...])
        if units is None and isinstance(part, FileSource):
            return None
        found += units or (hashlib.sha256(piece).digest() for piece in chunks(part, UNIT))
    return found


def units(plan: Plan, *, epoch: int = 0) -> Iterator[Unit]:
    """The tar in units, each with the large file that it is a piece of."""
    for part in _parts(plan, epoch):
        if isinstance(part, bytes):
            yield Unit(part)
        else:
            yield from (Unit(piece, part) for piece in chunks(part, UNIT))


def _parts(plan: Plan, epoch: int) -> Iterator[bytes | Source]:
    """The tar as large files and what lies between them."""
    gap = bytearray()
    links = hard_links(plan.entries)
    for entry in sorted(plan.entries, key=lambda one: _place(one, links)):
        first = links.get(entry.path)
        gap += _header(entry, epoch, first)
        if entry.content is not None and first is None:
            if entry.size >= _LARGE:
                yield bytes(gap)
                gap.clear()
                yield entry.content
            else:
                gap += read(entry.content)
            gap += tar.padding(entry.size)
        if len(gap) >= UNIT:
            yield bytes(gap)
            gap.clear()
    yield bytes(gap + tar.END)


def _place(entry: Entry, links: dict[ImagePath, ImagePath]) -> tuple[bool, int, bytes]:
    return entry.path in links, _RANK[entry.kind], encode(entry.path)


def _header(entry: Entry, epoch: int, first: ImagePath | None = None) -> bytes:
    """The header of an entry, or of a further name of the file `first`.

    A further name repeats owner, mode and capability: a reader that sets the owner again takes the
    other two off the one file.
    """
    name = encode(entry.path[1:]) + (b"/" if entry.kind == "dir" else b"")
    link = encode(entry.target if first is None else first[1:])
    pax = {f"SCHILY.xattr.{capabilities.ATTRIBUTE}": entry.capability} if entry.capability else None
    return tar.header(
        name,
        kind=_KIND[entry.kind] if first is None else tar.HARDLINK,
        size=entry.size if first is None else 0,
        mode=entry.mode,
        mtime=epoch,
        link=link,
        uid=entry.uid,
        gid=entry.gid,
        pax=pax,
    )
