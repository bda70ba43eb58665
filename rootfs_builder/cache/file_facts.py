"""What was found out about files, kept for as long as they stay as they were.

A file stays as it was while its stamp does: device, inode, size, mtime, ctime. A file that changed
shortly before the run began is not kept: it could change once more and keep its times. That takes
one tick of the file system's clock, or a page that is not written back yet (`write_back`). Facts
are functions of the bytes alone.
"""

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from msgspec import MsgspecError, Raw, msgpack

from rootfs_builder.cache import write_back
from rootfs_builder.filesystem.root import FileSource, Source

_STAMP = struct.Struct("<QQQqq")
_MISSING: Any = object()
T = TypeVar("T")


class FileFacts:
    """Facts by file and name. `saved` is what `serialize` gave in an earlier run."""

    def __init__(self, saved: bytes | memoryview = b"") -> None:
        self._values: dict[tuple[Source, str], Any] = {}
        self._saved: dict[bytes, dict[str, Raw]] = {}
        self._learnt = False
        with suppress(MsgspecError):  # of another version
            self._saved = msgpack.decode(saved, type=dict[bytes, dict[str, Raw]]) if saved else {}

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
            raw = self._saved.get(_STAMP.pack(*source.stamp), {}).get(name)
            if raw is not None:
                with suppress(MsgspecError):
                    self._values[key] = msgpack.decode(raw, type=kind)
        return self._values.get(key, _MISSING)

    def serialize(self, started: int) -> bytes | None:
        """The facts that were of use in a run, to be kept; None if all of them were kept before.

        `started` is the file system's time when the run began, in nanoseconds.
        """
        if not self._learnt:
            return None
        kept: dict[bytes, dict[str, Any]] = {}
        stays = write_back.unchanged_since(started)
        for (source, name), value in self._values.items():
            if isinstance(source, FileSource) and stays(source):
                kept.setdefault(_STAMP.pack(*source.stamp), {})[name] = value
        return msgpack.encode(kept)
