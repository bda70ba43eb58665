"""IMAGE on the command line → the images in that file, directory or stream, whoever made them."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO

from rootfs_builder.errors import InputError, NotFoundError
from rootfs_builder.paths import decode, encode, printable

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.filesystem.content import Source
    from rootfs_builder.image import Image

_TAR_MAGIC = slice(257, 262)
_BLOCK = 512


class Found:
    """What is at the place: `images`, `record` beside them, `directory` where it is one."""

    def __init__(
        self, images: "tuple[Image, ...]", record: "Source | None", directory: str = ""
    ) -> None:
        self.images = images
        self.record = record
        self.directory = directory


def is_image(path: str) -> bool:
    """Whether a path looks like an image, and so not like a program."""
    from rootfs_builder.image import archives, unpack
    from rootfs_builder.image.archives import members as archive_members

    raw = encode(path)
    if path == "-":
        return True
    if os.path.isdir(raw):
        try:
            return bool(archives.read(archive_members.of_directory(decode(os.path.realpath(raw)))))
        except InputError:
            return True  # a damaged one
    if not os.path.isfile(raw):
        return False
    try:
        with open(raw, "rb") as file:
            start = file.read(_BLOCK)
    except OSError:
        return False
    return start[_TAR_MAGIC] == b"ustar" or unpack.compression(start) != "none"


@contextmanager
def found(path: str, verb: str) -> Iterator[Found]:
    """The images at a path or, for `-`, on stdin, as long as the block runs.

    A tar without the documents of an image is one layer, as `docker export` writes it; a directory
    without them has no images.

    Raises:
        NotFoundError: nothing is there.
        InputError: it is no image, or a damaged one; errors of the block get the name in front.
    """
    from rootfs_builder.image import archives
    from rootfs_builder.image import provenance as record
    from rootfs_builder.image.archives import members as archive_members

    raw = encode(path)
    shown = "stdin" if path == "-" else printable(path)
    if path != "-" and not os.path.exists(raw):
        raise NotFoundError(
            f"{shown}: no such file or directory; for an image that an engine has: "
            f"docker save {shown} | rootfs-builder {verb} -"
        )
    if path != "-" and stat.S_ISCHR(os.stat(raw).st_mode):
        raise InputError(f"{shown}: a device; name a file or directory")
    try:
        if os.path.isdir(raw):
            directory = decode(os.path.realpath(raw))
            members = archive_members.of_directory(directory)
            yield Found(archives.read(members), members(record.NAME), directory)
            return
        with _archive(raw) as file:
            members = archive_members.of_archive(file)
            images = archives.read(members) or (archive_members.of_tree(file),)
            yield Found(images, members(record.NAME))
    except NotFoundError as error:
        raise NotFoundError(f"{shown}: {error}") from error
    except InputError as error:
        raise InputError(f"{shown}: {_program(raw, shown) or error}") from error


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
def _archive(path: bytes) -> Iterator[BinaryIO]:
    """The archive at a path, or on stdin: as a file, and as a tar if it is compressed."""
    from rootfs_builder import temporary
    from rootfs_builder.image import unpack

    with ExitStack() as stack:
        file: BinaryIO = sys.stdin.buffer if path == b"-" else stack.enter_context(open(path, "rb"))
        if not file.seekable():
            import shutil

            copy = stack.enter_context(temporary.scratch())
            shutil.copyfileobj(file, copy, 1 << 20)
            file = copy
        yield unpack.decompressed(file, stack.enter_context(temporary.scratch()))
