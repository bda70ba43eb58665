"""The tasks of `build`, here or on a worker: a recipe's steps, and one image.

Each is a function of plain values that any process may call, and call again: it then writes the
same. An error of the tree in `errors` is part of the outcome; a defect is raised.
"""

import os
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from msgspec import Struct, structs
from msgspec.structs import replace

from rootfs_builder.commands import batch, packing
from rootfs_builder.errors import RootfsError, UsageError
from rootfs_builder.findings import Level
from rootfs_builder.paths import decode
from rootfs_builder.recipe import steps
from rootfs_builder.recipe.keys import Step, StepResult
from rootfs_builder.version import __version__
from rootfs_builder.views import summary
from rootfs_builder.views.documents.images import Built, BuiltIndex


class BuildOptions(Struct, frozen=True):
    """How images are built: with `live` the output of steps is shown at once, else in the outcome.

    `threads` is how many compress one image; None means as many as make, or the machine, allows.
    """

    epoch: int
    cached: bool
    debug: bool
    live: bool = False
    threads: int | None = None
    version: str = __version__


class ImageTask(Struct, frozen=True):
    """One image: the values of its options, relative paths of which start at `folder`.

    `results` are the files that its steps make; `label` is its output, as messages name it. With
    `more` it is an index: they are the values of the images for other platforms.
    """

    values: dict[str, Any]
    results: tuple[StepResult, ...]
    steps: tuple[Step, ...]
    folder: str
    label: str
    more: tuple[dict[str, Any], ...] = ()


def run_steps(
    steps_: Sequence[Step], folder: str, label: str, options: BuildOptions
) -> batch.Outcome:
    """Run the steps of a recipe in its folder."""
    lines: list[str] = []

    def line(name: str, text: str) -> None:
        shown = f"{label}{name} | {text}"
        if options.live:
            click.echo(shown, err=True)
        else:
            lines.append(shown)

    def run() -> batch.Outcome:
        steps.run(steps_, folder, environment=dict(os.environb), line=line)
        return batch.Outcome()

    return replace(_outcome(run, options), lines=tuple(lines))


def build(task: ImageTask, options: BuildOptions) -> batch.Outcome:
    """Write one image."""

    def run() -> batch.Outcome:
        steps.check(task.results, task.folder, {step.name: step for step in task.steps})
        return _index(task, options) if task.more else _image(task, task.values, options)

    return _outcome(run, options)


def _image(task: ImageTask, values: Mapping[str, Any], options: BuildOptions) -> batch.Outcome:
    begun = time.monotonic()
    packed = packing.pack(
        values,
        directory=task.folder,
        epoch=options.epoch,
        cached=options.cached,
        quiet=not options.live,
        threads=options.threads,
    )
    lines = packing.lines(packed, task.label, time.monotonic() - begun)
    found = packed.plan.findings
    withheld = [f"{task.label} | {text}" for text in summary.withheld(found)]
    if options.live:
        lines += summary.findings(found)
    else:
        warnings = (one for one in found if one.level is Level.WARNING)
        lines += [f"{task.label} | {text}" for text in summary.findings(warnings)]
    document = Built(**structs.asdict(packing.document(packed)), output=task.label)
    return batch.Outcome(lines=tuple(lines), withheld=tuple(withheld), document=document)


def _index(task: ImageTask, options: BuildOptions) -> batch.Outcome:
    """An image for each platform, and then all of them in one archive."""
    from rootfs_builder import temporary
    from rootfs_builder.pipeline import joining

    several = (task.values, *task.more)
    packing.check_several(several)
    with temporary.directory("where the images of the platforms are kept") as folder:
        archives = [f"{folder}/{number}.tar" for number in range(len(several))]
        outcomes = [
            _image(task, {**values, "output": archive, "shape": "oci"}, options)
            for values, archive in zip(several, archives, strict=True)
        ]
        made = joining.index(
            archives, packing.destination(task.values), shape=packing.shape(task.values)
        )
    platforms = ", ".join(str(one.platform) for one in made.images)
    line = f"{made.names[0]} for {platforms}, packed to {task.label} ({summary.size(made.size)})"
    document = BuiltIndex(
        name=made.names[0],
        names=made.names,
        digest=made.digest,
        images=tuple(one.document for one in outcomes if isinstance(one.document, Built)),
        archive_bytes=made.size,
        output=task.label,
    )
    return batch.Outcome(
        lines=(*(text for one in outcomes for text in one.lines), line),
        withheld=tuple(text for one in outcomes for text in one.withheld),
        document=document,
    )


def _outcome(run: Callable[[], batch.Outcome], options: BuildOptions) -> batch.Outcome:
    try:
        if options.version != __version__:
            raise UsageError(
                f"a worker has rootfs-builder {__version__}, and {options.version} asks it: "
                "install the same"
            )
        return run()
    except (RootfsError, OSError) as error:
        found = error if isinstance(error, RootfsError) else _sentence(error)
        if options.debug:
            found.add_note(traceback.format_exc())  # a traceback does not leave its process
        return batch.Outcome(found)


def _sentence(error: OSError) -> RootfsError:
    shown = f"{decode(os.fsencode(error.filename))}: " if error.filename else ""
    return RootfsError(f"{shown}{error.strerror}")
