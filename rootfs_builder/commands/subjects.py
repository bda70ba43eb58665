"""IMAGE, DIR or RECIPE on the command line → the Subject that it is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rootfs_builder.commands import options
from rootfs_builder.errors import InputError, UsageError
from rootfs_builder.paths import encode, printable

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.commands.recipe_files import Requested
    from rootfs_builder.commands.spinner import Spinner
    from rootfs_builder.views.subject import Subject


@contextmanager
def opened(
    path: str, verb: str, spinner: "Spinner", *, no_limits: bool, names: tuple[str, ...] = ()
) -> Iterator["Subject"]:
    """The subject at a path, whose files can be read as long as the block runs.

    Of several images it is the one that has one of the `names`. The spinner counts what is read.

    Raises:
        RootfsError: nothing is there, it is damaged, or it is several images.
    """
    if path.endswith(".toml") and os.path.isfile(encode(path)):
        with (
            _built(path, names) as archive,
            _read(archive, verb, spinner, no_limits=no_limits, names=names) as subject,
        ):
            yield subject
        return
    with _read(path, verb, spinner, no_limits=no_limits, names=names) as subject:
        yield subject


@contextmanager
def _read(
    path: str, verb: str, spinner: "Spinner", *, no_limits: bool, names: tuple[str, ...]
) -> Iterator["Subject"]:
    from rootfs_builder.filesystem.root import DirectoryRoot
    from rootfs_builder.image import found as images
    from rootfs_builder.views import subject

    with images.at(path, verb, no_limits=no_limits) as found:
        spinner.reading(found)
        if found.directory and not found.images:
            if no_limits:
                raise UsageError("--no-limits: only IMAGE has limits, not DIR")
            try:
                seen = subject.of_directory(spinner.opened(DirectoryRoot(found.directory)))
            except OSError as error:
                shown = printable(os.fsdecode(error.filename or path))
                raise InputError(f"{shown}: {error.strerror}") from error
            yield seen
            return
        fitting = [one for one in found.images if not names or set(names) & set(one.names)]
        candidates = fitting or found.images
        if len(candidates) != 1:
            each = ", ".join(one.names[0] if one.names else "?" for one in candidates)
            raise InputError(f"{len(candidates)} images ({each}); save the one that is meant")
        with found.reader() as reader:
            yield subject.of_image(candidates[0], found.record_of(candidates[0]), reader)


@contextmanager
def _built(path: str, names: tuple[str, ...]) -> Iterator[str]:
    """An archive of what a recipe makes now; nothing that the recipe names is written.

    Its steps are not run: what they have made is packed.
    """
    from rootfs_builder import temporary
    from rootfs_builder.commands import packing, recipe_files
    from rootfs_builder.commands.keys import keys
    from rootfs_builder.recipe import steps

    found = [*recipe_files.found(path, options.working_directory(), (), keys())]
    one = _meant(found, path, names)
    if one.task.more:
        raise InputError(f"{printable(path)}: an index for several platforms; name one image of it")
    steps.check(one.task.results, one.task.folder, {step.name: step for step in one.task.steps})
    with temporary.directory("where the recipe's image is kept") as directory:
        place = f"{directory}/image"
        layout = packing.destination(one.task.values).is_layout
        values = {
            **one.task.values,
            **dict.fromkeys(packing.BESIDE),
            "output": f"oci:{place}" if layout else place,
        }
        packing.pack(
            values, directory=one.task.folder, epoch=options.epoch(), cached=True, quiet=True
        )
        yield place


def _meant(found: "list[Requested]", path: str, names: tuple[str, ...]) -> "Requested":
    """The image of a recipe that is meant: the only one, or that which has one of the names."""
    from rootfs_builder.commands import packing

    def called(one: "Requested") -> set[str]:
        return set(map(str, packing.recipe(one.task.values, directory=one.task.folder).names))

    fitting = [one for one in found if called(one) & set(names)] if len(found) > 1 else found
    if len(fitting) != 1:
        each = ", ".join(min(called(one)) for one in found)
        raise InputError(
            f"{printable(path)}: {len(found)} images ({each}), and none or several of them "
            "have the name of the other image"
        )
    return fitting[0]
