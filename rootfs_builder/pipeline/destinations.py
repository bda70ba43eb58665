"""Where an image goes: a file, stdout, or the directory of an OCI layout; and the files beside it.

Whatever the destination, blobs are written to a file first; an archive is that file.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

from msgspec import Struct

from rootfs_builder import output, temporary
from rootfs_builder.cache import Cache
from rootfs_builder.cache.memory import LastOutput
from rootfs_builder.errors import InputError, UsageError
from rootfs_builder.filesystem.content import Content, FileSource
from rootfs_builder.image import Image, archives
from rootfs_builder.image.archives import sinks
from rootfs_builder.image.archives.sinks import Sink
from rootfs_builder.image.store import Store
from rootfs_builder.paths import decode, encode, printable
from rootfs_builder.plan import Plan, ReasonKind
from rootfs_builder.recipe.destination import Destination, DestinationKind
from rootfs_builder.version import __version__

_PIECE = 1 << 20  # bytes


class Written(Struct, frozen=True):
    """A blob that was written: `size` in bytes; only where it is now can it be read."""

    size: int
    digest: str

    @property
    def identity(self) -> str:
        """See Source."""
        return self.digest

    def open(self) -> Content:
        """See Source; there is nothing to open.

        Raises:
            InputError: always.
        """
        raise InputError(f"{self.digest}: written already; read it from the archive or layout")


def _archive(store: Store) -> Sink:
    return sinks.Archive(store, temporary.scratch)


class Place:
    """Where one image is being written.

    Its blobs go to `stream`; `sink` gives what takes the rest of it; `size` is in bytes. When it is
    there, `remarks` has a sentence for what of an old one could not be removed.
    """

    def __init__(self, stream: BinaryIO, sink: Callable[[Store], Sink] = _archive) -> None:
        self.stream = stream
        self.size = 0
        self.remarks: list[str] = []
        self._sink = sink

    def has(self, seal: bytes) -> bool:
        """Whether what the last run wrote there is what this one would, and stays."""
        del seal
        return False

    def write(self, image: Image, store: Store, shape: str, beside: Mapping[str, bytes]) -> None:
        """Finish what the store has begun."""
        sink = self._sink(store)
        archives.write(image, sink, shape=shape, beside=beside)
        self.size = sink.end()

    def write_index(
        self,
        images: tuple[Image, ...],
        store: Store,
        shape: str,
        beside: Mapping[str, bytes],
    ) -> bytes:
        """Write images as one index: its document."""
        sink = self._sink(store)
        document = archives.write_index(images, sink, shape=shape, beside=beside)
        self.size = sink.end()
        return document


class _File(Place):
    """An archive in a file; one that the last run wrote stays if it would be the same."""

    def __init__(self, file: output.OutputFile, last: LastOutput) -> None:
        super().__init__(file.stream)
        self._file = file
        self._last = last
        self._seal = b""

    def has(self, seal: bytes) -> bool:
        self._seal = seal
        return self._last.was(seal, self._file.stamp) and self._file.stay()

    def keep(self) -> None:
        """Remember what is there now, when the file is at its place."""
        self.size = self._file.stamp[2]
        self._last.keep(self._seal, self._file.stamp)


@contextmanager
def opened(destination: Destination, *, keep: bool, cache: Cache) -> Iterator[Place]:
    """The place that an image is written to; it is complete or untouched after the block.

    With `keep` a file that has the same bytes already stays, with its time. stdout gets its first
    byte when the archive is complete.

    Raises:
        OutputError: it cannot be written.
    """
    if destination.is_stdout:
        with temporary.file() as stream:
            with temporary.disk_errors("where the archive is kept until it is complete", "-o -"):
                yield Place(stream)
                stream.seek(0)
            import shutil  # 4 ms, for this case alone

            shutil.copyfileobj(stream, sys.stdout.buffer, _PIECE)
            sys.stdout.buffer.flush()
    elif destination.is_layout:
        remarks: list[str] = []
        with (
            output.layout(destination.path, remarks.append) as directory,
            temporary.file(directory) as stream,
        ):
            place = Place(stream, lambda _: sinks.Directory(directory))
            yield place
        place.remarks += remarks
    else:
        last = LastOutput(cache, destination.path)
        with output.file(destination.path, keep=keep) as file:
            file_place = _File(file, last)
            yield file_place
        file_place.keep()


def seal(image: Image, shape: str, beside: Mapping[str, bytes]) -> bytes:
    """The SHA-256 of what decides each byte of an archive: known before there is one."""
    names = " ".join(image.names)
    found = hashlib.sha256(f"{__version__} {shape} {image.digest} {names}\n".encode())
    for name, data in beside.items():
        found.update(f"{name} {len(data)}\n".encode() + data)
    return found.digest()


@contextmanager
def beside(
    files: Mapping[str, str | None], *, keep: bool
) -> Iterator[Callable[[str, bytes], None]]:
    """What takes the content of each file, by its option: they are there when all is done."""
    with ExitStack() as stack:
        streams = {
            option: stack.enter_context(output.file(path, keep=keep)).stream
            for option, path in files.items()
            if path is not None
        }

        def fill(option: str, content: bytes) -> None:
            if option in streams:
                with output.errors(files[option] or ""):
                    streams[option].write(content)
                    output.sync(streams[option])  # a full disk shows before anything is renamed

        yield fill


def check(
    plan: Plan,
    destination: Destination,
    files: Mapping[str, str | None],
    *,
    read: tuple[str, ...] = (),
) -> None:
    """Refuse `pack ./hello -o hello`, which would replace the program, and one file for two.

    `files` are those that are written beside the image, by their options; `read` are images that
    it is made of.

    Raises:
        UsageError: which option, and what to do.
    """
    archive = destination.path if destination.kind is DestinationKind.ARCHIVE else None
    seen: dict[str, str] = {}
    for option, path in {"-o": archive, **files}.items():
        if path is None:
            continue
        if path in {"", "-"} and option != "-o":
            raise UsageError(f"{option}: name a file; stdout has the name and digest")
        shown = printable(path)
        other = seen.setdefault(decode(os.path.realpath(encode(path))), option)
        if other != option:
            raise UsageError(f"{other} {shown}: {option} names the same file; name another")
        if decode(os.path.realpath(encode(path))) in read:
            raise UsageError(
                f"{option} {shown}: would be overwritten, and the image is made of it; name "
                "another file"
            )
        with suppress(OSError):
            _check_overwrites(plan, option, path, os.stat(encode(path)))


def _check_overwrites(plan: Plan, option: str, path: str, info: os.stat_result) -> None:
    for entry in plan.entries:
        source = entry.content
        if isinstance(source, FileSource) and source.stamp[:2] == (info.st_dev, info.st_ino):
            shown, advice = printable(entry.path), ""
            if entry.reasons[0].kind == ReasonKind.ADDED and entry.reasons[0].asked != entry.path:
                advice = f", or --exclude '**/{os.path.basename(shown)}'"
            raise UsageError(
                f"{option} {printable(path)}: would be overwritten, and goes into the image as "
                f"{shown}; name another file{advice}"
            )
