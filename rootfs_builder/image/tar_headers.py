"""A tar → its members, by its headers alone, whoever wrote them: bounded in time and memory.

USTAR, PAX, GNU's long names and sparse files, and the tars from before these (POSIX.1-2017, pax;
GNU tar, "Basic Tar Format"). Python's tarfile keeps every header, copies a global one for each
member, and ends in recursion where headers for one member follow each other.
"""

from collections.abc import Iterator
from typing import Literal, Protocol

from msgspec import Struct

from rootfs_builder.filesystem import capabilities
from rootfs_builder.image import sparse
from rootfs_builder.image.limits import Meter
from rootfs_builder.image.tar import BLOCK
from rootfs_builder.image.tar_fields import TarError, decimal, number, text
from rootfs_builder.paths import decode, shortened

Kind = Literal["file", "dir", "symlink", "hardlink", "special"]

_CAPABILITY = f"SCHILY.xattr.{capabilities.ATTRIBUTE}".encode()
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"S": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"5": "dir",
}
_WITHOUT_CONTENT = b"123456"  # whatever their size says
_WANTED = {b"path", b"linkpath", b"size", b"uid", b"gid", _CAPABILITY, *sparse.KEYS}
_MOST_IN_A_ROW = 100  # headers for one member; a real one has three
COUNTED = ("members", "members of the archive and its layers")  # a limit, and what it is of
_LARGEST = (1 << 63) - 1

Records = dict[bytes, bytes]  # of PAX headers: those that are wanted


class Stream(Protocol):
    """The bytes of a tar, from the first to the last."""

    @property
    def position(self) -> int:
        """How many bytes were passed."""

    def read(self, size: int) -> bytes:
        """The next bytes; fewer at the end alone."""

    def skip(self, size: int) -> None:
        """Pass over the content of a member; raises TarError where it is cut off."""


class Member(Struct, frozen=True):
    """A member: its content lies at `offset` in the tar.

    `size` counts holes too; `parts` are those of a sparse file, as an Extent has them.
    """

    name: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    offset: int
    link: str = ""
    parts: bytes | None = None
    capability: bytes = b""


def members(stream: Stream, meter: Meter) -> Iterator[Member]:
    """The members of the tar, up to its end.

    Raises:
        TarError: it is damaged; says which member is.
        LimitError: it has more members, or larger headers, than an image may have.
    """
    reader = _Reader(stream, meter)
    while (member := reader.next()) is not None:
        yield member


class _Reader:
    def __init__(self, stream: Stream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter
        self._common: Records = {}  # of global headers, for all members that follow
        self._taken = 0  # bytes of the headers of one member, so far

    def next(self) -> Member | None:
        """The next member, None at the end."""
        records: Records = {}
        self._taken = 0
        for earlier in range(_MOST_IN_A_ROW):
            block = self._header()
            if block is None:
                if earlier:
                    raise TarError("it is cut off after a header")
                return None
            kind = block[156:157]
            if kind == b"g":
                self._common.update(_records(self._extended(block)))
            elif kind in b"xX":
                records.update(_records(self._extended(block)))
            elif kind in b"LK":
                key = b"path" if kind == b"L" else b"linkpath"
                records[key] = text(self._extended(block))
            else:
                self._meter.count(*COUNTED)
                return self._member(block, self._common | records if self._common else records)
        raise TarError(f"more than {_MOST_IN_A_ROW} headers for one member")

    def _header(self) -> bytes | None:
        """The next header; None where the tar ends."""
        start = self._stream.position
        block = self._stream.read(BLOCK)
        if not block and not start:
            raise TarError("it is empty")
        if block.count(0) == len(block):
            return None
        if len(block) < BLOCK:
            raise TarError("it is cut off")
        try:
            fits = number(block[148:156]) in _checksums(block)
        except TarError:
            fits = False
        if not fits:
            place = f"the block at byte {start:,}" if start else "its first block"
            raise TarError(f"{place} is not a tar header")
        return block

    def _extended(self, block: bytes) -> bytes:
        """The content of a header that describes the next member."""
        return self._whole(number(block[124:136]))

    def _whole(self, size: int) -> bytes:
        """The next bytes, as a part of a header, and the rest of their last block."""
        if size < 0:
            raise TarError("a header with a negative size")
        self._taken += size
        self._meter.compare("header", "bytes of the headers of one member", self._taken)
        self._meter.count("headers", "bytes of all headers", size)
        data = self._stream.read(size)
        if len(data) < size:
            raise TarError("it is cut off in a header")
        self._stream.read(-size % BLOCK)
        return data

    def _member(self, block: bytes, records: Records) -> Member:
        name = records.get(sparse.NAME) or records.get(b"path") or _name(block)
        try:
            return self._described(decode(name), block, records)
        except TarError as error:
            raise TarError(f"{shortened(decode(name))}: {error}") from error

    def _described(self, name: str, block: bytes, records: Records) -> Member:
        flag = block[156:157]
        kind = _KINDS.get(flag, "special")
        if flag == b"\0" and name.endswith("/"):  # from before there was a flag for it
            kind = "dir"
        size = _of(records, b"size", block[124:136])
        if not 0 <= size <= _LARGEST:
            raise TarError("an invalid size")
        parts = None
        if kind == "file":
            holes = sparse.read(block, records, size, self._whole)
            if holes is not None:
                self._meter.unpack(max(holes.size - holes.stored, 0), zeros=True)
                parts, whole, size = holes.parts, holes.size, holes.stored
        offset = self._stream.position
        if flag not in _WITHOUT_CONTENT and kind != "dir":
            self._stream.skip(size)
            self._stream.read(-size % BLOCK)
        return Member(
            name,
            kind,
            number(block[100:108]) & 0o7777,
            _of(records, b"uid", block[108:116]),
            _of(records, b"gid", block[116:124]),
            size if parts is None else whole,
            offset,
            decode(records.get(b"linkpath") or text(block[157:257])),
            parts,
            records.get(_CAPABILITY, b""),
        )


def _checksums(block: bytes) -> tuple[int, int]:
    """Of a header's bytes, its own checksum counted as blanks: as they are, and as signed ones."""
    total = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if block.isascii():
        return total, total
    signed = sum(byte > 127 for byte in block[:148] + block[156:])  # noqa: PLR2004 - 7 bits
    return total, total - 256 * signed


def _name(block: bytes) -> bytes:
    name, prefix = text(block[:100]), text(block[345:500])
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def _of(records: Records, key: bytes, field: bytes) -> int:
    """A number of a PAX record, or else of the header's field."""
    value = records.get(key)
    if not value:
        return number(field)
    return decimal(value)


def _records(data: bytes) -> Records:
    """The wanted records of a PAX header: each is `LENGTH KEY=VALUE` and a line feed."""
    found: Records = {}
    places: list[bytes] = []
    at = 0
    while at < len(data) and data[at]:
        blank = data.find(b" ", at, at + 20)
        digits = data[at:blank] if blank > 0 else b""
        end = at + int(digits) if digits.isdigit() else 0
        if not at <= blank < end or end > len(data) or data[end - 1] != ord("\n"):
            raise TarError("a damaged PAX header")
        key, _, value = data[blank + 1 : end - 1].partition(b"=")
        if key in sparse.PLACES:
            places.append(value)
        elif key in _WANTED:
            found[key] = value
        at = end
    return found | {sparse.MAP: b",".join(places)} if places else found
