"""IMAGE as a user names it → the images in that file, directory or stream, whoever made them."""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from rootfs_builder import temporary
from rootfs_builder.errors import InputError, LimitError, NotFoundError
from rootfs_builder.filesystem.content import Source
from rootfs_builder.image import Image, archives, provenance, streams
from rootfs_builder.image.archives import members as archive_members
from rootfs_builder.image.limits import NO_LIMITS, Limits, Meter
from rootfs_builder.image.tar import BLOCK
from rootfs_builder.image.unpack import Reader
from rootfs_builder.paths import decode, encode, printable

_SCHEMES = ("oci:", "dir:")  # as skopeo calls directories


class Found:
    """What is at the place: `images`, and `directory` where it is one.

    `meter` has the limits, and what reading them has cost so far.
    """

    def __init__(
        self,
        images: tuple[Image, ...],
        find: Callable[[str], Source | None],
        meter: Meter,
        directory: str = "",
    ) -> None:
        self.images = images
        self._find = find
        self.meter = meter
        self.directory = directory

    @property
    def record(self) -> Source | None:
        """The document about one of the images, the first that has one."""
        return next(filter(None, map(self.record_of, self.images)), None)

    def record_of(self, image: Image) -> Source | None:
        """The document beside the images that may be about this one."""
        return self._find(provenance.name_of(image)) or self._find(provenance.NAME)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """What reads the images' layers; their files can be read as long as the block runs."""
        with temporary.scratch() as scratch:
            yield Reader(scratch, self.meter)


def is_image(path: str) -> bool:
    """Whether a path looks like an image, and so not like a program or a root."""
    raw = encode(path)
    if path == "-":
        return True
    if os.path.isdir(raw):
        try:
            return bool(archives.read(archive_members.of_directory(decode(os.path.realpath(raw)))))
        except (InputError, LimitError):
            return True  # a damaged one, or one that is too large
    if not os.path.isfile(raw):
        return False
    try:
        with open(raw, "rb") as file:
            start = file.read(BLOCK)
    except OSError:
        return False
    return streams.is_tar(start) or streams.compression(start) != "none"


@contextmanager
def at(path: str, verb: str, *, no_limits: bool = False) -> Iterator[Found]:
    """The images at a path or, for `-`, on stdin, as long as the block runs.

    A tar without the documents of an image is one layer, as `docker export` writes it; a directory
    without them has no images.

    Raises:
        NotFoundError: nothing is there.
        InputError: it is no image, or a damaged one; errors of the block get the name in front.
        LimitError: reading it would cost more than it may, unless there are `no_limits`.
    """
    limits = NO_LIMITS if no_limits else Limits()
    raw = encode(path)
    shown = "stdin" if path == "-" else printable(path)
    if path != "-" and not os.path.exists(raw):
        raise NotFoundError(
            f"{shown}: no such file or directory; for an image that an engine has: "
            f"docker save {shown} | rootfs-builder {verb} -",
            paths=(path,),
        )
    if path != "-" and stat.S_ISCHR(os.stat(raw).st_mode):
        raise InputError(f"{shown}: a device; name a file or directory", paths=(path,))
    try:
        if os.path.isdir(raw):
            directory = decode(os.path.realpath(raw))
            members = archive_members.of_directory(directory, Meter(limits))
            images = archives.read(members)
            yield Found(images, members.find, members.meter, directory)
            return
        with _archive(raw, limits) as (file, meter):
            members = archive_members.of_archive(file, meter)
            images = archives.read(members) or (archive_members.of_tree(file),)
            yield Found(images, members.find, meter)
    except NotFoundError as error:
        raise NotFoundError(f"{shown}: {error}", paths=(path,)) from error
    except LimitError as error:
        raise LimitError(f"{shown}: {error}", paths=(path,)) from error
    except InputError as error:
        text = f"{shown}: {_program(raw, shown) or error}"
        raise InputError(text, paths=(path,)) from error


def _program(path: bytes, shown: str) -> str:
    """What to type where the image is none, but a program."""
    if path == b"-" or not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return ""
    return (
        f"a program, not an image; `rootfs-builder tree {shown}` resolves it, "
        f"`rootfs-builder pack {shown} -o x.tar` makes an image"
    )


@contextmanager
def _archive(path: bytes, limits: Limits) -> Iterator[tuple[BinaryIO, Meter]]:
    """The archive at a path, or on stdin, as a file with a tar, and the meter of what it costs."""
    with ExitStack() as stack:
        file: BinaryIO = sys.stdin.buffer if path == b"-" else stack.enter_context(open(path, "rb"))
        if not file.seekable():
            copy = stack.enter_context(temporary.scratch())
            shutil.copyfileobj(file, copy, 1 << 20)
            file = copy
        meter = Meter(limits, file.seek(0, os.SEEK_END))
        yield streams.decompressed(file, stack.enter_context(temporary.scratch()), meter), meter
