"""What is done of recipes, here or elsewhere: their steps, and one image of them.

Each is a function of plain values that any process may call, and call again: it writes what it
wrote before.
"""

import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder import __version__
from rootfs_builder.commands import batch, packing, terminal
from rootfs_builder.errors import RootfsError, UsageError
from rootfs_builder.findings import Level
from rootfs_builder.paths import decode, encode
from rootfs_builder.recipe import steps
from rootfs_builder.recipe.keys import Program, Step


class Way(Struct, frozen=True):
    """How it is done: `live` shows what steps say while they say it, else their outcome has it.

    So many `threads` compress an image; None means as many as make, or the machine, allows.
    """

    epoch: int
    cached: bool
    debug: bool
    live: bool = False
    threads: int | None = None
    version: str = __version__


class Job(Struct, frozen=True):
    """One image: its options, whose paths are absolute or start at `folder`, and what makes it.

    `label` is where it goes, as people are told.
    """

    values: dict[str, Any]
    results: tuple[Program, ...]
    steps: tuple[Step, ...]
    folder: str
    label: str


def run_steps(steps_: Sequence[Step], folder: str, label: str, way: Way) -> batch.Outcome:
    """Run the steps of a recipe in its folder."""
    said: list[str] = []

    def line(name: str, text: str) -> None:
        shown = f"{label}{name} | {text}"
        if way.live:
            click.echo(shown, err=True)
        else:
            said.append(shown)

    def run() -> batch.Outcome:
        steps.run(steps_, folder, environment=dict(os.environb), line=line)
        return batch.Outcome()

    return replace(_outcome(run, way), said=tuple(said))


def build(job: Job, way: Way) -> batch.Outcome:
    """Write one image."""

    def run() -> batch.Outcome:
        steps.check(job.results, job.folder, {step.name: step for step in job.steps})
        packed = packing.pack(
            typed(job.values),
            directory=job.folder,
            epoch=way.epoch,
            cached=way.cached,
            quiet=not way.live,
            threads=way.threads,
        )
        line = packing.line(packed, job.label)
        warnings = [one for one in packed.plan.findings if one.level is Level.WARNING]
        told = (f"{job.label} | {text}" for text in terminal.finding_lines(warnings))
        lines = terminal.summary_lines(packed.plan, line) if way.live else [line, *told]
        facts = {**packing.facts(packed), "output": job.label}
        return batch.Outcome(said=tuple(lines), facts=facts)

    return _outcome(run, way)


def typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a recipe as click would give them: texts as the locale makes arguments."""
    return {key: _typed(value) for key, value in values.items()}


def _typed(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_typed, value))
    return os.fsdecode(encode(value)) if isinstance(value, str) else value


def _outcome(run: Callable[[], batch.Outcome], way: Way) -> batch.Outcome:
    try:
        if way.version != __version__:
            raise UsageError(
                f"a worker has rootfs-builder {__version__}, and {way.version} asks it: install "
                "the same"
            )
        return run()
    except RootfsError as error:
        text = traceback.format_exc() if way.debug else str(error)
        return batch.Outcome(error.exit_code, text)
    except OSError as error:
        shown = f"{decode(os.fsencode(error.filename))}: " if error.filename else ""
        return batch.Outcome(1, f"{shown}{error.strerror}")
