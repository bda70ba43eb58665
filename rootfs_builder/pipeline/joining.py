"""Images of several platforms → one index, in an archive that every engine takes.

One descriptor in index.json leads to the index, which is a blob, and manifest.json lists the first
image alone: what reads neither would take the wrong platform, or none (measured: docs/formats.md).
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.cache import Cache
from rootfs_builder.choices import Format
from rootfs_builder.errors import InputError, Mistake, NotFoundError, UsageError
from rootfs_builder.image import Image, canonical, digests, found, provenance
from rootfs_builder.image.archives import docker
from rootfs_builder.image.found import Found
from rootfs_builder.image.store import Store
from rootfs_builder.paths import decode, encode, name, printable
from rootfs_builder.pipeline import destinations
from rootfs_builder.plan import Plan
from rootfs_builder.recipe import reference
from rootfs_builder.recipe.destination import Destination
from rootfs_builder.recipe.reference import Reference


class Joined(Struct, frozen=True):
    """An index that was written: its names and digest, its images, and its bytes there."""

    names: tuple[str, ...]
    digest: str
    images: tuple[Image, ...]
    size: int


def index(
    paths: Iterable[str],
    output: str | Destination,
    *,
    tag: Reference | None = None,
    shape: Format | None = None,
) -> Joined:
    """Write an index of the images in archives or OCI layouts, in their order.

    Without a `tag` it has the names that all of them have.

    Raises:
        UsageError: two images are for one platform, or their names differ.
        NotFoundError, InputError, LimitError: one cannot be read.
    """
    destination = output if isinstance(output, Destination) else Destination.parse(output)
    wanted = destination.format(shape)
    if wanted == "docker":
        what = "a docker archive has one image for one platform; hybrid and oci have an index"
        raise UsageError(Mistake("--format", what, wanted))
    with ExitStack() as stack:
        read = tuple(stack.enter_context(_images(path)) for path in paths)
        each = [(path, one) for path, there in read for one in there.images]
        _check_platforms(each)
        images = tuple(one if one.manifest else docker.completed(one) for _, one in each)
        called = (str(tag),) if tag else _names([one for _, one in each], destination)
        images = tuple(replace(one, names=called) for one in images)
        real = tuple(decode(os.path.realpath(encode(path))) for path, _ in read)
        destinations.check(Plan(()), destination, {}, read=real)
        with destinations.opened(destination, keep=False, cache=Cache()) as place:
            document = place.write_index(images, Store(place.stream), wanted, _records(read))
    return Joined(called, digests.of_bytes(document), images, place.size)


@contextmanager
def _images(path: str) -> Iterator[tuple[str, Found]]:
    """What is at a path, and the path without a scheme."""
    place = path.removeprefix("oci:")
    with ExitStack() as stack:
        read = stack.enter_context(found.at(place, "inspect"))
        if not read.images or not all(one.document for one in read.images):
            raise InputError(f"{printable(path)}: files without the config of an image")
        opened = stack.pop_all()
    try:
        yield place, read
    finally:
        opened.close()  # what goes wrong with it open is not about this image


def _records(read: Iterable[tuple[str, Found]]) -> dict[str, bytes]:
    """The document about each image that has one, which says why its files are there."""
    found = {}
    for _, there in read:
        for image in there.images:
            try:
                record = provenance.load(there.record_of(image), (image,), there.meter)
            except NotFoundError:
                continue
            found[provenance.name_of(image)] = canonical(record)
    return found


def _check_platforms(images: Iterable[tuple[str, Image]]) -> None:
    seen: dict[str, str] = {}
    for path, image in images:
        platform = str(image.platform)
        other = seen.get(platform)
        seen[platform] = path
        if other is not None:
            raise UsageError(
                f"{printable(other)} and {printable(path)} are both for {platform}; an index has "
                "one image for each platform"
            )


def _names(images: Iterable[Image], destination: Destination) -> tuple[str, ...]:
    """The names that all images have, or that of the file where none has any."""
    found = {one.names for one in images if one.names}
    if len(found) > 1:
        names = sorted({one for each in found for one in each})
        raise UsageError(f"the images are called {', '.join(map(printable, names))}; -t NAME says")
    own = reference.from_file_name(os.path.splitext(name(destination.target))[0])
    return next(iter(found), (str(own),))
