"""Bytes → blobs with their digests: the only place that hashes and compresses, in one pass.

Blobs lie one behind the other in a single file, each with room for a tar header in front and
padded to tar blocks, so that an archive is finished in place: a layer is written to the disk once.

A layer is compressed in units, each by itself, so that the bytes do not depend on the number of
cores and an edit changes its own unit only. A cache remembers members by the SHA-256 of their unit,
and whole streams by those of all their units: what has not changed is neither compressed nor, where
its SHA-256s are known, read.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from queue import SimpleQueue
from threading import Event, Thread
from typing import BinaryIO, NamedTuple

from msgspec import MsgspecError, Struct, msgpack
from msgspec.structs import replace

from rootfs_builder import __version__
from rootfs_builder.cache import Cache
from rootfs_builder.image import codecs
from rootfs_builder.image.tar import BLOCK, padding
from rootfs_builder.recipe.codec import Codec

Bytes = bytes | memoryview

_WORTH_A_FILE = 1 << 15  # bytes: members of smaller units stand in the list of members
_LARGEST = 5 << 18  # bytes: no member is longer
FRONT = 2 * BLOCK  # room for the headers of the two directories of a layout
_PARALLEL_FROM = 4  # units: fewer are done before a pool would have started


class Blob(Struct, frozen=True):
    """Bytes in a store: `offset` and `size` in its file."""

    digest: str
    size: int
    offset: int


class Packed(Struct, frozen=True):
    """A stream in a store: its blob, its own digest, and of each unit the SHA-256, and the member.

    A member is named by its unit's SHA-256 where the cache has it, else it stands here; without a
    cache nothing is known of units.
    """

    blob: Blob
    diff_id: str
    units: tuple[bytes, ...] = ()
    members: tuple[tuple[bool, bytes], ...] = ()


class Store:
    """Content-addressed bytes in one file, which must be open for reading and writing.

    What is compressed is looked for in `cache` first, and remembered there; with `anew` no stream
    is recalled as a whole. At most `threads` units are compressed at once: as many as there are
    CPUs, where it is not given.
    """

    def __init__(
        self,
        file: BinaryIO,
        cache: Cache | None = None,
        *,
        threads: int | None = None,
        anew: bool = False,
    ) -> None:
        self.file = file
        self.cache = cache or Cache()
        self._anew = anew
        self._recalled: list[tuple[Packed, Codec]] = []
        self._threads = len(os.sched_getaffinity(0)) if threads is None else threads
        self.blobs: dict[str, Blob] = {}
        self._end = FRONT

    def add(self, data: bytes) -> Blob:
        """Keep a document."""
        return self._write((data,))

    def compress(
        self,
        units: Iterable[bytes],
        codec: Codec,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Packed:
        """Keep a stream, each unit compressed by itself.

        `progress` is told the uncompressed bytes of each unit as it is done.
        """
        whole = hashlib.sha256()
        plain = codec.name == "none"
        known: list[bytes] = []
        members: list[tuple[bool, bytes]] = []

        def hashed() -> Iterator[bytes]:
            for unit in units:
                if not plain:
                    whole.update(unit)
                progress(len(unit))
                yield unit

        def data() -> Iterator[Bytes]:
            for member in _members(hashed(), self._compress(codec), self._threads):
                if self.cache:
                    known.append(member.unit)
                    members.append(
                        (True, member.unit) if member.kept else (False, bytes(member.data))
                    )
                yield member.data

        blob = self._write(data())
        diff_id = blob.digest if plain else f"sha256:{whole.hexdigest()}"
        packed = Packed(blob, diff_id, tuple(known), tuple(members))
        if self.cache:
            self.cache.put("layer", _key(codec, known), msgpack.encode(packed))
        return packed

    def recall(self, units: Iterable[bytes], codec: Codec) -> Packed | None:
        """Keep a stream whose units have these SHA-256s, if the cache knows it.

        There is room for its bytes then, which `fill` brings.
        """
        saved = None if self._anew else self.cache.get("layer", _key(codec, units))
        if saved is None:
            return None
        try:
            packed = msgpack.decode(saved, type=Packed)
        except MsgspecError:
            return None
        known = packed.blob.digest in self.blobs
        packed = replace(packed, blob=self._placed(packed.blob.digest, packed.blob.size))
        if not known:
            self._recalled.append((packed, codec))
        return packed

    def fill(self) -> bool:
        """Write what was recalled; False if the cache has lost some: make a store `anew` then."""
        buffer = bytearray(_LARGEST if self._recalled else 0)
        for packed, codec in self._recalled:
            self.file.seek(packed.blob.offset)
            for kept, member in packed.members:
                data = self.cache.get("member", _key(codec, (member,)), buffer) if kept else member
                if data is None:
                    return False
                self.file.write(data)
            self.file.write(padding(packed.blob.size))
        self._recalled.clear()
        return True

    def _compress(self, codec: Codec) -> Callable[[bytes], "_Member"]:
        """What makes a member; may run in several threads."""
        compress, cache = codecs.compressor(codec), self.cache

        def member(unit: bytes) -> _Member:
            if not cache:
                return _Member(compress(unit))
            name = hashlib.sha256(unit).digest()
            if len(unit) < _WORTH_A_FILE:
                return _Member(compress(unit), name)
            key = _key(codec, (name,))
            data: Bytes | None = cache.get("member", key)
            if data is None:
                data = compress(unit)
                cache.put("member", key, data)
            return _Member(data, name, kept=True)

        return member

    def _write(self, pieces: Iterable[Bytes]) -> Blob:
        """Keep bytes."""
        self.file.seek(self._end + BLOCK)
        found, size = hashlib.sha256(), 0
        for piece in pieces:
            found.update(piece)
            size += len(piece)
            self.file.write(piece)
        self.file.write(padding(size))
        return self._placed(f"sha256:{found.hexdigest()}", size)

    def _placed(self, digest: str, size: int) -> Blob:
        """The blob, at the end if it is new; what is known already is written over."""
        if digest not in self.blobs:
            self.blobs[digest] = Blob(digest, size, self._end + BLOCK)
            self._end += BLOCK + size + len(padding(size))
        return self.blobs[digest]

    @property
    def end(self) -> int:
        """Where the file ends, in bytes."""
        return self._end


class _Member(NamedTuple):
    data: Bytes
    unit: bytes = b""
    kept: bool = False


def _key(codec: Codec, units: Iterable[bytes]) -> bytes:
    """The cache's name of what is made of these units: other versions may make other bytes."""
    return hashlib.sha256(b"".join((f"{__version__} {codec}\n".encode(), *units))).digest()


class _Job:
    """One unit on its way to its member.

    What goes wrong in a thread goes wrong once more in `result`, where it is seen.
    """

    def __init__(self, unit: bytes) -> None:
        self._unit = unit
        self._member: _Member | None = None
        self._done = Event()

    def run(self, compress: Callable[[bytes], _Member]) -> None:
        with suppress(Exception):
            self._member = compress(self._unit)
        self._done.set()

    def result(self, compress: Callable[[bytes], _Member]) -> _Member:
        self._done.wait()
        return compress(self._unit) if self._member is None else self._member


def _members(
    units: Iterator[bytes], compress: Callable[[bytes], _Member], threads: int
) -> Iterator[_Member]:
    """Each unit as a member, in order, `threads` of them at once."""
    first = list(islice(units, _PARALLEL_FROM))
    if len(first) < _PARALLEL_FROM or threads == 1:
        yield from map(compress, chain(first, units))
        return
    todo: SimpleQueue[_Job | None] = SimpleQueue()

    def work() -> None:
        while (job := todo.get()) is not None:
            job.run(compress)

    waiting: deque[_Job] = deque()
    for _ in range(threads):
        Thread(target=work, daemon=True).start()
    try:
        for unit in chain(first, units):
            waiting.append(_Job(unit))
            todo.put(waiting[-1])
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result(compress)
        while waiting:
            yield waiting.popleft().result(compress)
    finally:
        for _ in range(threads):
            todo.put(None)
