"""A tar → its members, by its headers alone, whoever wrote them: bounded in time and memory."""

import errno
import io
import tarfile
from typing import Any, BinaryIO

_LARGEST_HEADER = 1 << 20  # of a name, or attributes: docker takes no more (Go, archive/tar)


class _Headers:
    """A file for tarfile, which reads the headers of a tar and no more: none of them is huge."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > _LARGEST_HEADER + tarfile.BLOCKSIZE:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._file.read(size)


def members(file: BinaryIO) -> list[tarfile.TarInfo]:
    """The members of the tar from where `file` stands up to its end.

    Raises:
        tarfile.TarError: it is damaged, or a header has more than 1 MiB. Tarfile itself takes one
            that is cut off for one that ends, and ends in other errors where a header has absurd
            numbers.
        OSError: the file cannot be read.
    """
    found = []
    headers: Any = _Headers(file)
    try:
        with tarfile.open(fileobj=headers, mode="r:", encoding="utf-8") as archive:
            for member in archive:
                if member.size < 0:
                    raise tarfile.ReadError("a member of negative size")
                found.append(member)
    except (ValueError, OverflowError, MemoryError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # of a seek too far
            raise
        raise tarfile.ReadError("a header with numbers that cannot be") from error
    end = file.seek(0, io.SEEK_END)
    last = max((one.offset_data + sum(size for _, size in parts(one)) for one in found), default=0)
    file.seek(archive.offset)
    if last > end or file.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError("it is cut off")
    return found


def parts(member: tarfile.TarInfo) -> list[tuple[int, int]]:
    """Where the bytes go that stand in the archive one behind the other: places and sizes."""
    sparse: Any = member.sparse  # typeshed says bytes
    return [(0, member.size)] if sparse is None else sparse
