"""Plan → layer: a tar that is the same bytes every time.

Directories come first, then symlinks, then files, each by path: a reader that replaces what it
meets never sees a file through a link that is not there yet (image-spec, layer.md). The tar is cut
into units for the compressor at places that depend on the plan alone: a large file's content in
pieces of 1 MiB, and whatever lies between large files.
"""

from collections.abc import Callable, Iterator

from msgspec import Struct

from rootfs_builder import tar
from rootfs_builder.codecs import GZIP, Codec
from rootfs_builder.image import LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor
from rootfs_builder.paths import encode
from rootfs_builder.plan import Entry, Plan
from rootfs_builder.root import chunks, read
from rootfs_builder.store import Store

UNIT = 1 << 20
_LARGE = 1 << 16  # bytes: from here on a file's content is a unit of its own

_RANK = {"dir": 0, "symlink": 1, "file": 2, "hardlink": 3}
_KIND = {"dir": tar.DIRECTORY, "symlink": tar.SYMLINK, "file": tar.FILE, "hardlink": tar.HARDLINK}
_MEDIA_TYPE = {"gzip": LAYER_GZIP, "zstd": LAYER_ZSTD, "none": LAYER}


class Layer(Struct, frozen=True):
    """A packed layer: the descriptor of its blob and the digest of its tar."""

    descriptor: Descriptor
    diff_id: str


def pack(
    plan: Plan,
    store: Store,
    *,
    codec: Codec = GZIP,
    epoch: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Layer:
    """Write a plan as one layer; every time in it is `epoch`, in seconds since 1970.

    Raises:
        ChangedError: a file is no longer what it was when the plan was made.
        InputError: a file cannot be read, or `epoch` does not fit.
    """
    blob, diff_id = store.compress(_units(plan, epoch), codec, progress)
    return Layer(Descriptor(_MEDIA_TYPE[codec.name], blob.digest, blob.size), diff_id)


def _units(plan: Plan, epoch: int) -> Iterator[bytes]:
    gap = bytearray()
    for entry in sorted(plan.entries, key=lambda one: (_RANK[one.kind], encode(one.path))):
        gap += _header(entry, epoch)
        if entry.content is not None and entry.size >= _LARGE:
            yield bytes(gap)
            gap.clear()
            yield from chunks(entry.content, UNIT)
        elif entry.content is not None:
            gap += read(entry.content)
        gap += tar.padding(entry.size)
        if len(gap) >= UNIT:
            yield bytes(gap)
            gap.clear()
    yield bytes(gap + tar.END)


def _header(entry: Entry, epoch: int) -> bytes:
    name = encode(entry.path[1:]) + (b"/" if entry.kind == "dir" else b"")
    link = encode(entry.target[1:] if entry.kind == "hardlink" else entry.target)
    return tar.header(
        name,
        kind=_KIND[entry.kind],
        size=entry.size,
        mode=entry.mode,
        mtime=epoch,
        link=link,
        uid=entry.uid,
        gid=entry.gid,
    )
