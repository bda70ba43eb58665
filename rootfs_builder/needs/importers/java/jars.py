"""A jar → the entries of the Class-Path of its manifest."""

import io
import re
import zipfile
import zlib

from rootfs_builder.errors import ChangedError, InputError
from rootfs_builder.filesystem.content import Content, Source

ENDINGS = (".jar", ".war")
_MANIFEST = "META-INF/MANIFEST.MF"
_MOST_BYTES = 256 << 20  # of a jar, whose directory is read whole
_MOST_MANIFEST = 1 << 20
_UNREADABLE = (
    *(InputError, ChangedError),
    *(zipfile.BadZipFile, zlib.error, EOFError, ValueError),  # damaged or truncated
    *(KeyError, RuntimeError),  # without a manifest; encrypted, or in another compression
)
_CONTINUED = re.compile(r"\r?\n ")
_CLASS_PATH = re.compile(r"(?im)^Class-Path: ([^\r\n]*)")


def class_path(source: Source) -> tuple[str, ...]:
    """The entries as written, without duplicates. Empty if the file is not a readable jar."""
    if source.size > _MOST_BYTES:
        return ()
    try:
        with source.open() as content:
            text = _manifest(content)
    except _UNREADABLE:
        return ()
    found = _CLASS_PATH.search(_CONTINUED.sub("", text))
    return tuple(dict.fromkeys(found[1].split())) if found else ()


def _manifest(content: Content) -> str:
    with zipfile.ZipFile(io.BufferedReader(_Seekable(content))) as jar, jar.open(_MANIFEST) as file:
        return file.read(_MOST_MANIFEST).decode("utf-8", "replace")


class _Seekable(io.RawIOBase):
    """The bytes of a source as a file, which is what zipfile reads."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max((0, self._at, len(self._content))[whence] + offset, 0)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._content[self._at : min(self._at + len(buffer), len(self._content))]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
