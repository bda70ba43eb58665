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
from itertools import chain, islice
from queue import SimpleQueue
from threading import Event, Thread
from typing import BinaryIO

from msgspec import MsgspecError, Struct, msgpack
from msgspec.structs import replace

from rootfs_builder.cache import Cache
from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import Source, chunks
from rootfs_builder.filesystem.slices import Slice
from rootfs_builder.image import codecs, digests
from rootfs_builder.image.tar import BLOCK, padding
from rootfs_builder.recipe.codec import Codec
from rootfs_builder.version import __version__

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


class Unit(Struct, frozen=True):
    """A piece of a stream, and the file that it is a piece of, if it is one's."""

    data: bytes
    source: Source | None = None


class Stream(Struct, frozen=True):
    """A stream in a store: its blob, and the digest of what was compressed.

    `units` has, of each unit, the file that it is a piece of and the SHA-256; without a cache
    nothing is known of units.
    """

    blob: Blob
    diff_id: str
    units: tuple[tuple[Source | None, bytes], ...] = ()


class _Record(Struct, frozen=True):
    """What the cache knows of a stream.

    A member is named by its unit's SHA-256 where the cache has it by itself, else it is here.
    """

    digest: str
    size: int
    diff_id: str
    members: tuple[tuple[bool, bytes], ...]


class Store:
    """Content-addressed bytes in one file, which must be open for reading and writing.

    What is compressed is looked for in `cache` first, and remembered there; with `rebuild` no
    stream is recalled as a whole. At most `threads` units are compressed at once, by default one
    for each CPU.
    """

    def __init__(
        self,
        file: BinaryIO,
        cache: Cache | None = None,
        *,
        threads: int | None = None,
        rebuild: bool = False,
    ) -> None:
        self.file = file
        self.cache = cache or Cache()
        self._rebuild = rebuild
        self._recalled: list[tuple[Blob, _Record, Codec]] = []
        self._threads = len(os.sched_getaffinity(0)) if threads is None else max(threads, 1)
        self.blobs: dict[str, Blob] = {}
        self._end = FRONT

    def content(self, blob: Blob) -> Source:
        """A blob's bytes; of a recalled stream they are there once the store is filled."""
        return Slice(self.file, blob.offset, blob.size)

    def add(self, data: bytes) -> Blob:
        """Keep a document."""
        return self._write((data,))

    def adopt(self, content: Source, digest: str) -> Blob:
        """Keep a blob that exists elsewhere, such as a layer of a base image.

        Raises:
            InputError: its bytes are not those of its digest, or that is no SHA-256.
        """
        if digest not in self.blobs:
            if not digest.startswith("sha256:"):  # a longer name has no room in a tar header
                raise InputError(
                    f"{digest}: an archive takes blobs that are named by their SHA-256"
                )
            self._write(digests.confirmed(chunks(content, _LARGEST), digest))
        return self.blobs[digest]

    def compress(
        self,
        units: Iterable[Unit],
        codec: Codec,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Stream:
        """Keep a stream, each unit compressed by itself.

        `progress` is told the uncompressed bytes of each unit as it is done.
        """
        whole = hashlib.sha256()
        plain = codec.name == "none"
        known: list[_Member] = []

        def hashed() -> Iterator[Unit]:
            for unit in units:
                if not plain:
                    whole.update(unit.data)
                progress(len(unit.data))
                yield unit

        def data() -> Iterator[Bytes]:
            for member in _members(hashed(), self._compress(codec), self._threads):
                if self.cache:
                    known.append(replace(member, data=b"") if member.kept else member)
                yield member.data

        blob = self._write(data())
        diff_id = blob.digest if plain else f"sha256:{whole.hexdigest()}"
        if self.cache:
            names = [member.name for member in known]
            members = tuple((one.kept, one.name if one.kept else bytes(one.data)) for one in known)
            record = _Record(blob.digest, blob.size, diff_id, members)
            self.cache.put("layer", _key(codec, names), msgpack.encode(record))
        return Stream(blob, diff_id, tuple((one.source, one.name) for one in known))

    def recall(self, units: Iterable[bytes], codec: Codec) -> Stream | None:
        """Keep a stream whose units have these SHA-256s, if the cache knows it.

        There is room for its bytes then, which `fill` brings.
        """
        saved = None if self._rebuild else self.cache.get("layer", _key(codec, units))
        if saved is None:
            return None
        try:
            record = msgpack.decode(saved, type=_Record)
        except MsgspecError:
            return None
        known = record.digest in self.blobs
        blob = self._placed(record.digest, record.size)
        if not known:
            self._recalled.append((blob, record, codec))
        return Stream(blob, record.diff_id)

    def fill(self) -> bool:
        """Write what was recalled, so that every blob can be read.

        False if the cache has lost some, or gave other bytes: make a store `rebuild` then.
        """
        buffer = bytearray(_LARGEST if self._recalled else 0)
        for blob, record, codec in self._recalled:
            self.file.seek(blob.offset)
            left = blob.size
            for kept, member in record.members:
                data = self.cache.get("member", _key(codec, (member,)), buffer) if kept else member
                if data is None:
                    return False
                left -= len(data)
                if left < 0:
                    break
                self.file.write(data)
            if left:
                self._forget(record, codec)
                return False
            self.file.write(padding(blob.size))
        self._recalled.clear()
        self.file.flush()
        return True

    def _forget(self, record: _Record, codec: Codec) -> None:
        """One of these members is another's: who builds anew is not to believe them."""
        for kept, member in record.members:
            if kept:
                self.cache.forget("member", _key(codec, (member,)))

    def _compress(self, codec: Codec) -> Callable[[Unit], "_Member"]:
        """What makes a member; may run in several threads."""
        compress, cache = codecs.compressor(codec), self.cache

        def member(unit: Unit) -> _Member:
            if not cache:
                return _Member(compress(unit.data), unit.source)
            name = hashlib.sha256(unit.data).digest()
            if len(unit.data) < _WORTH_A_FILE:
                return _Member(compress(unit.data), unit.source, name)
            key = _key(codec, (name,))
            data: Bytes | None = cache.get("member", key)
            if data is None:
                data = compress(unit.data)
                cache.put("member", key, data)
            return _Member(data, unit.source, name, kept=True)

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


class _Member(Struct, frozen=True):
    """A compressed unit; `name` is the unit's SHA-256, and by that the cache has it if `kept`."""

    data: Bytes
    source: Source | None
    name: bytes = b""
    kept: bool = False


def _key(codec: Codec, units: Iterable[bytes]) -> bytes:
    """The cache's name of what is made of these units: other versions may make other bytes."""
    return hashlib.sha256(b"".join((f"{__version__} {codec}\n".encode(), *units))).digest()


class _Job:
    """One unit on its way to its member; what goes wrong in a thread is raised by `result`."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._result: _Member | BaseException | None = None
        self._done = Event()

    def run(self, compress: Callable[[Unit], _Member]) -> None:
        try:
            self._result = compress(self._unit)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            self._result = error
        self._done.set()

    def result(self) -> _Member:
        self._done.wait()
        if not isinstance(self._result, _Member):
            raise self._result or AssertionError
        return self._result


def _members(
    units: Iterator[Unit], compress: Callable[[Unit], _Member], threads: int
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

    started = _started(work, threads)
    if not started:
        yield from map(compress, chain(first, units))
        return
    waiting: deque[_Job] = deque()
    try:
        for unit in chain(first, units):
            waiting.append(_Job(unit))
            todo.put(waiting[-1])
            if len(waiting) > 2 * started:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for _ in range(started):
            todo.put(None)


def _started(work: Callable[[], None], threads: int) -> int:
    """Start as many threads as there are to be had: fewer under `ulimit -u` or in a full cgroup."""
    for number in range(threads):
        try:
            Thread(target=work, daemon=True).start()
        except RuntimeError:  # can't start new thread
            return number
    return threads
