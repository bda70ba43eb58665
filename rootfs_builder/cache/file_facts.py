"""What was found out about files, kept for as long as they stay as they were.

A file stays as it was while its stamp does: device, inode, size, mtime, ctime. That is not so for
one that changed shortly before the run began: it could change once more and keep its times, within
one tick of the file system's clock, or in a page that is not written back yet (`write_back`). Such
a file is known again by its size and SHA-256. Facts are functions of the bytes alone.
"""

import hashlib
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from msgspec import MsgspecError, Raw, Struct, msgpack

from rootfs_builder.cache import write_back
from rootfs_builder.errors import ChangedError, InputError, ReadError
from rootfs_builder.filesystem.content import FileSource, Source

_HASHED = 64 << 20  # bytes that a run hashes for the next, which would else read them once more
_PIECE = 1 << 20
_STAMP = struct.Struct("<QQQqq")
_SIZE = struct.Struct("<Q")
_MISSING: Any = object()
T = TypeVar("T")
Facts = dict[bytes, dict[str, Any]]


class _Saved(Struct, frozen=True):
    """Facts by the stamps of files, and by their sizes and SHA-256s."""

    stamps: dict[bytes, dict[str, Raw]] = {}
    contents: dict[bytes, dict[str, Raw]] = {}


class FileFacts:
    """Facts by file and name. `saved` is what `serialize` gave in an earlier run."""

    def __init__(self, saved: bytes | memoryview = b"") -> None:
        self._values: dict[tuple[Source, str], Any] = {}
        self._saved = _Saved()
        self._learnt = False
        with suppress(MsgspecError):  # of another version
            self._saved = msgpack.decode(saved, type=_Saved) if saved else _Saved()
        self._sizes = {key[: _SIZE.size] for key in self._saved.contents}
        self._hashed: dict[Source, bytes] = {}

    def get_or_compute(self, source: Source, name: str, kind: Any, find: Callable[[], T]) -> T:
        """The fact `name`, a value of type `kind`, of a file; `find` finds it where it is new."""
        value = self._get(source, name, kind)
        if value is _MISSING:
            value = find()
            self.put(source, name, value)
        return cast("T", value)

    def get(self, source: Source, name: str, kind: type[T]) -> T | None:
        """The fact, or None where it is new."""
        value = self._get(source, name, kind)
        return None if value is _MISSING else cast("T", value)

    def put(self, source: Source, name: str, value: object) -> None:
        """Keep a fact."""
        self._values[source, name] = value
        self._learnt = True

    def _get(self, source: Source, name: str, kind: Any) -> Any:
        key = source, name
        if key not in self._values and isinstance(source, FileSource):
            raw = self._known(source).get(name)
            if raw is not None:
                with suppress(MsgspecError):
                    self._values[key] = msgpack.decode(raw, type=kind)
        return self._values.get(key, _MISSING)

    def _known(self, source: FileSource) -> dict[str, Raw]:
        """What was saved of a file."""
        known = self._saved.stamps.get(_STAMP.pack(*source.stamp))
        if known is not None or _SIZE.pack(source.size) not in self._sizes:
            return known or {}
        if source not in self._hashed:
            self._hashed[source] = _content(source)
        return self._saved.contents.get(self._hashed[source], {})

    def serialize(self, started: int) -> bytes | None:
        """The facts that were of use in a run, to be kept; None if all of them were kept before.

        `started` is the file system's time when the run began, in nanoseconds.
        """
        stays = write_back.unchanged_since(started)
        aged = (isinstance(source, FileSource) and stays(source) for source in self._hashed)
        if not self._learnt and not any(aged):
            return None
        facts: dict[FileSource, dict[str, Any]] = {}
        for (source, name), value in self._values.items():
            if isinstance(source, FileSource):
                facts.setdefault(source, {})[name] = value
        left = _HASHED
        stamps: Facts = {}
        contents: Facts = {}
        for source, those in facts.items():
            if stays(source):
                stamps[_STAMP.pack(*source.stamp)] = those
            elif 0 < source.size <= left and (key := _content(source)):
                left -= source.size
                contents[key] = contents.get(key, {}) | those
        try:
            return msgpack.encode({"stamps": stamps, "contents": contents})
        except UnicodeEncodeError:  # of a script in Latin-1
            each = (stamps, contents)
            kept = [{key: _in_unicode(those) for key, those in one.items()} for one in each]
            return msgpack.encode({"stamps": kept[0], "contents": kept[1]})


def _in_unicode(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts that can be saved; the others are found again in the next run."""
    kept = dict[str, Any]()
    for name, value in facts.items():
        with suppress(UnicodeEncodeError):
            msgpack.encode(value)
            kept[name] = value
    return kept


def _content(source: FileSource) -> bytes:
    """The size and SHA-256 of a file; empty if it cannot be read, or is not what was read of it."""
    found, others = hashlib.sha256(), set(source.checks)
    try:
        with source.open() as content:
            for start in range(0, source.size, _PIECE):
                stop = min(start + _PIECE, source.size)
                found.update(content[start:stop])
                others.discard((start, stop))
            for start, stop in others:
                content[start:stop]
    except (InputError, ChangedError, ReadError, OSError):  # who needs the bytes says so
        return b""
    return _SIZE.pack(source.size) + found.digest()
