"""A blob → the bytes of its tar, in order: as they lie there, or out of a decompressor.

What is decompressed is written to a scratch file where it is content of a member, at the place that
it has in the tar. Headers and zeros are left out, as holes: they cost no disk.
"""

import gzip
import hashlib
import io
import re
import zlib
from typing import BinaryIO

import zstandard

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import Content
from rootfs_builder.filesystem.slices import Slice
from rootfs_builder.image import DOCKER, LAYER
from rootfs_builder.image.limits import Meter
from rootfs_builder.image.tar import BLOCK
from rootfs_builder.image.tar_fields import TarError

DAMAGE = (TarError, zlib.error, zstandard.ZstdError, EOFError, gzip.BadGzipFile)

_UNIT = 1 << 18
_INPUT = 1 << 16  # bytes: what a decompressor takes is counted in these
_ZEROS = bytes(_UNIT)
_TAR_MAGIC = slice(257, 262)
_COMPRESSIONS = {
    "gzip": rb"\x1f\x8b",
    "zstd": rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",  # a frame, or one to be skipped: pzstd's
    "bzip2": rb"BZh",
    "xz": rb"\xfd7zXZ\0",
}


def is_tar(start: bytes) -> bool:
    """Whether the first block of a file is a header of POSIX's or GNU's."""
    return start[_TAR_MAGIC] == b"ustar"


def compression(start: bytes) -> str:
    """How a tar whose first block this is was compressed; `none` where it was not.

    The name of a tar's first file can look like the magic of a compressed one, so the tar's own
    magic comes first (POSIX.1-2017, pax, "ustar Interchange Format").
    """
    if is_tar(start):
        return "none"
    found = (one for one, magic in _COMPRESSIONS.items() if re.match(magic, start))
    return next(found, "none")


def compression_of(content: Content, media_type: str = "") -> str:
    """How an open layer is compressed: by its media type, or by its bytes where that is silent.

    Raises:
        InputError: in a way that no engine is sure to read.
    """
    if media_type in (LAYER, DOCKER[LAYER]):
        return "none"
    ending = re.search(r"[+.](gzip|zstd)\Z", media_type)
    found = ending[1] if ending else compression(content[0:BLOCK])
    if found not in ("gzip", "zstd", "none"):
        raise InputError(f"compressed by {found}; gzip, zstd or none is read")
    return found


def decompressed(file: BinaryIO, scratch: BinaryIO, meter: Meter) -> BinaryIO:
    """`file` itself, or, if it is compressed, `scratch` with what was in it.

    Raises:
        InputError: it is damaged, or compressed in a way that is not read.
        LimitError: more comes out of it than may.
    """
    whole = Slice(file, 0, file.seek(0, io.SEEK_END))
    file.seek(0)
    with whole.open() as content:
        found = compression_of(content)
        if found == "none":
            return file
        stream = Decompressed(content, found, scratch, meter)
        try:
            stream.drain(keep=True)
        except DAMAGE as error:
            raise InputError(f"corrupt compressed data: {error}") from error
    scratch.seek(0)
    return scratch


class Plain:
    """The stream of a tar that lies there as it is."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.position = 0

    def read(self, size: int) -> bytes:
        """See Stream."""
        data = self._content[self.position : self.position + size]
        self.position += len(data)
        return data

    def skip(self, size: int) -> None:
        """See Stream."""
        self.position += size
        if self.position > len(self._content):
            raise TarError("it is cut off")


class Decompressed:
    """The stream of a compressed tar; `start` is where it begins in the scratch file.

    Each byte that comes out is counted and hashed. Raises what the decompressors do: DAMAGE.
    """

    def __init__(
        self,
        content: Content,
        how: str,
        scratch: BinaryIO,
        meter: Meter,
        *,
        algorithm: str = "sha256",
    ) -> None:
        self._raw = _Reader(content)
        raw = io.BufferedReader(self._raw, _INPUT)
        self._stream: gzip.GzipFile | zstandard.ZstdDecompressionReader
        if how == "gzip":
            self._stream = gzip.GzipFile(fileobj=raw)
        else:
            self._stream = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        self._scratch = scratch
        self._meter = meter
        self._taken = 0  # bytes of the input that are counted
        self._hash = hashlib.new(algorithm)
        self._piece = memoryview(b"")
        self.position = 0
        self.start = -(-scratch.seek(0, io.SEEK_END) // BLOCK) * BLOCK

    def read(self, size: int) -> bytes:
        """See Stream."""
        found = self._next(size)
        if len(found) == size:
            return bytes(found)
        pieces = [bytes(found)]
        size -= len(found)
        while size and (found := self._next(size)):
            pieces.append(bytes(found))
            size -= len(found)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """See Stream."""
        while size:
            place = self.start + self.position
            found = self._next(size)
            if not found:
                raise TarError("it is cut off")
            self._keep(place, found)
            size -= len(found)

    def drain(self, *, keep: bool = False) -> None:
        """Pass over all that is left; the scratch file is as long as the tar then."""
        while found := self._next(_UNIT):
            if keep:
                self._keep(self.start + self.position - len(found), found)
        self._scratch.truncate(self.start + self.position)
        self._scratch.flush()

    @property
    def digest(self) -> str:
        """The digest of what has come out."""
        return f"{self._hash.name}:{self._hash.hexdigest()}"

    def _keep(self, place: int, found: memoryview) -> None:
        if not _is_zeros(found):
            self._scratch.seek(place)
            self._scratch.write(found)

    def _next(self, size: int) -> memoryview:
        """At most `size` of the next bytes, none at the end."""
        if not self._piece:
            piece = self._stream.read(_UNIT)
            taken, self._taken = self._raw.position - self._taken, self._raw.position
            self._meter.unpack(len(piece), taken, zeros=_is_zeros(piece))
            self._hash.update(piece)
            self._piece = memoryview(piece)
        found, self._piece = self._piece[:size], self._piece[size:]
        self.position += len(found)
        return found


def _is_zeros(piece: "bytes | memoryview") -> bool:
    return piece == _ZEROS[: len(piece)]


class _Reader(io.RawIOBase):
    """Content as a file, for decompressors."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        data = self._content[self.position : self.position + len(buffer)]
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)
