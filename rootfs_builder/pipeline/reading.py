"""What a build reads, as one value: the roots, and the base image if there is one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.pipeline import inputs
from rootfs_builder.pipeline.inputs import Opened
from rootfs_builder.recipe import Recipe

if TYPE_CHECKING:  # only a build that reads an image pays for it
    from rootfs_builder.pipeline.bases import Base


class Inputs(Struct, frozen=True):
    """What a build reads: the roots, the base image if there is one, and the images' files.

    `recipe` is the one that was asked for, with the settings that it inherits from the base.
    """

    recipe: Recipe
    sources: Sources
    base: "Base | None" = None
    files: tuple[str, ...] = ()


@contextmanager
def opened(
    recipe: Recipe,
    sysroot: str | None = None,
    base: str | None = None,
    *,
    record: Opened = inputs.as_it_is,
) -> Iterator[Inputs]:
    """What the build of `recipe` reads; files of images can be read as long as the block runs.

    `sysroot` is a directory or an image, and `base` an image. For `record` see `inputs.sources`.

    Raises:
        UsageError, NotFoundError, InputError: one of them is not what it has to be.
        LimitError: reading an image would cost more than it may.
    """
    if base is None and (sysroot is None or not inputs.is_image(sysroot)):
        yield Inputs(recipe, inputs.sources(sysroot, record))
        return
    from rootfs_builder.pipeline import bases

    with ExitStack() as stack:
        yield Inputs(*stack.enter_context(bases.opened(recipe, sysroot, base, record=record)))
