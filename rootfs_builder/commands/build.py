"""`rootfs-builder build`: recipes in, the images that they describe out."""

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import click

from rootfs_builder.commands import documents, jobserver, options, recipe_files, terminal
from rootfs_builder.commands.recipe_files import Requested
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import InternalError, LostError, Mistake, RootfsError, UsageError
from rootfs_builder.paths import encode, printable

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from concurrent.futures import Executor

    from rootfs_builder.commands.batch import Outcome, Task
    from rootfs_builder.commands.building import BuildOptions
    from rootfs_builder.recipe.file import RecipeFile
    from rootfs_builder.recipe.keys import Key
    from rootfs_builder.views.documents.images import Built, BuiltIndex, NotBuilt

_SEVERAL = 8  # failed images that a sentence names


@click.command(cls=Verb, epilog="Example: rootfs-builder build services/*/rootfs.toml -j 4")
@click.argument("recipes", nargs=-1, metavar="[RECIPE...]", shell_complete=options.file_names)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a recipe key.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Build N images at a time (default: one per CPU).",
)
@click.option("--scheduler", metavar="ADDRESS", help="Build on the workers of a Dask cluster.")
@click.option(
    "--schema", is_flag=True, help="Print the JSON Schema of recipes; with --json, of that."
)
@click.option("--no-cache", is_flag=True, help="Do not read or write the cache.")
@options.json_alone
@options.quiet
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    recipes: tuple[str, ...],
    sets: tuple[str, ...],
    jobs: int | None,
    scheduler: str | None,
    schema: bool,
    no_cache: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Write the images that each RECIPE describes (default: rootfs.toml).

    A recipe's keys are the options of pack; its steps run first. Relative paths start at its
    folder. If one image fails, the others are still written.
    """
    options.no_command(cmd, "build")
    from rootfs_builder.commands.keys import keys

    if schema:
        click.echo(_schema(as_json=as_json), nl=False)
        return
    from rootfs_builder.commands.building import BuildOptions

    requested = _requested(recipes, sets, keys())
    workers = min(jobs or len(os.sched_getaffinity(0)), len(requested))
    epoch, threads = options.epoch(), None if len(requested) == 1 else 1
    built = _Built(requested, quiet=quiet, debug=debug)
    try:
        with jobserver.threads(workers) as at_once:
            live = at_once == 1 and scheduler is None and not quiet
            how = BuildOptions(epoch, not no_cache, debug, live, threads)
            _run(_tasks(requested, how), built, at_once=at_once, scheduler=scheduler)
    finally:
        built.show(as_json=as_json)
    built.report()


def _schema(*, as_json: bool) -> str:
    """The schema of recipes, or of what --json prints."""
    from rootfs_builder.commands.keys import keys
    from rootfs_builder.recipe import keys as recipe_keys
    from rootfs_builder.views import documents as views

    return views.schema("build") if as_json else recipe_keys.schema(keys())


def _requested(
    recipes: tuple[str, ...], sets: tuple[str, ...], keys: "tuple[Key, ...]"
) -> list[Requested]:
    """The images of all recipes.

    Raises:
        UsageError: every mistake in any of them.
    """
    here = options.working_directory()
    found: list[Requested] = []
    mistakes: list[Mistake | str] = []
    for path in recipes or [recipe_files.default()]:
        try:
            found += recipe_files.found(path, here, sets, keys)
        except UsageError as error:
            mistakes += error.mistakes
    mistakes += _clashes(found, here)
    if mistakes:
        raise UsageError(*mistakes)
    return found


def _clashes(found: list[Requested], here: str) -> Iterator[str]:
    """Mistakes about a file that two images write."""
    from rootfs_builder.commands import packing

    seen: dict[bytes, Requested] = {}
    for one in found:
        for option, path in packing.written(one.task.values).items():
            if path is None:
                continue
            other = seen.setdefault(os.path.realpath(encode(path)), one)
            if other is not one:
                what = f"another image of {printable(other.file.name)} writes it too"
                error = UsageError(Mistake(option, what, recipe_files.label(path, here)))
                yield one.file.located(one.image, error)


def _tasks(requested: list[Requested], how: "BuildOptions") -> "list[Task]":
    """The steps of each recipe, and its images after them."""
    from rootfs_builder.commands import building
    from rootfs_builder.commands.batch import Task

    first = {one.file.name: one for one in requested if one.file.steps}
    several = len({one.file.name for one in requested}) > 1
    tasks = []
    for name, one in first.items():
        label = f"{os.path.dirname(name) or '.'} " if several else ""
        arguments = (one.file.steps, one.task.folder, label, how)
        tasks.append(Task(_steps_of(one.file), building.run_steps, arguments))
    for one in requested:
        after = _steps_of(one.file) if one.file.steps else ""
        tasks.append(Task(one.task.label, building.build, (one.task, how), after))
    return tasks


def _steps_of(file: "RecipeFile") -> str:
    return f"the steps of {printable(file.name)}"


class _Built:
    """How each task ended, shown as it ends, and as a whole."""

    def __init__(self, requested: list[Requested], *, quiet: bool, debug: bool) -> None:
        self._requested = {one.task.label: one for one in requested}
        self._quiet = quiet
        self._debug = debug
        self._documents: dict[str, Built | BuiltIndex] = {}
        self._failed: dict[str, Exception] = {}

    def add(self, task: "Task", outcome: "Outcome") -> list[str]:
        """Remember how a task ended, and return the lines to show."""
        one = self._requested.get(task.name)
        error = outcome.error
        if one is not None and error is None:
            error = _not_here(one)
        if error is None:
            if one is not None:
                self._documents[task.name] = outcome.document
            return list(outcome.withheld if self._quiet else outcome.lines)
        if one is not None and isinstance(error, RootfsError):
            error = _located(error, one)
        self._failed[task.name] = error
        lines = list(outcome.lines)
        if len(self._requested) > 1:
            lines += [f"{task.name} | {line}" for line in self._message(error)]
        return lines

    def _message(self, error: Exception) -> list[str]:
        if self._debug:
            return "".join(traceback.format_exception(error)).splitlines()
        message = str(error) if isinstance(error, RootfsError) else terminal.defect(error)
        return message.splitlines()

    def show(self, *, as_json: bool) -> None:
        """The result of each image that is written, in the order of the recipes."""
        if as_json:
            each = (self._document(name) for name in self._requested)
            documents.show([one for one in each if one is not None])
            return
        written = (self._documents[one] for one in self._requested if one in self._documents)
        for one in written:
            for name in one.names:
                click.echo(f"{name}@{one.digest}")

    def _document(self, name: str) -> "Built | BuiltIndex | NotBuilt | None":
        """What --json prints of an image; nothing of one at which the run was stopped."""
        error = self._failed.get(name)
        if error is None:
            return self._documents.get(name)
        from rootfs_builder.views.documents import failure
        from rootfs_builder.views.documents.images import NotBuilt

        if not isinstance(error, RootfsError):
            error = InternalError(terminal.defect(error))
        return NotBuilt(name, failure(error, error.exit_code))

    def lost(self, scheduler: str) -> LostError:
        """The error for a cluster that is gone."""
        return LostError(
            f"--scheduler {scheduler}: gone in the middle; {len(self._documents)} of "
            f"{len(self._requested)} images are written, and the same command writes the rest"
        )

    def report(self) -> None:
        """Raise what went wrong, if anything: a defect as it is, and before any other error."""
        errors = list(self._failed.values())
        for error in errors:
            if len(self._requested) == 1 or not isinstance(error, RootfsError):
                raise error
        if errors:
            same = len({type(one).exit_code for one in errors if isinstance(one, RootfsError)}) == 1
            kind = type(errors[0]) if same else RootfsError
            names = [name for name in self._requested if name in self._failed]
            more = " …" if len(names) > _SEVERAL else ""
            raise kind(
                f"{len(names)} of {len(self._requested)} images are not written: "
                f"{', '.join(names[:_SEVERAL])}{more}"
            )


def _located(error: RootfsError, one: Requested) -> RootfsError:
    """The same error, with the places of the keys that it is about."""
    found = type(error)(one.file.located(one.image, error)).with_traceback(error.__traceback__)
    found.__cause__ = error.__cause__
    vars(found).update({**vars(error), "mistakes": found.mistakes})  # its notes, and `paths`
    return found


def _not_here(one: Requested) -> RootfsError | None:
    """The error for an image that a worker wrote in a folder of its own."""
    from rootfs_builder.recipe.destination import Destination

    if os.path.lexists(encode(Destination.parse(one.task.values["output"]).path)):
        return None
    what = "a worker wrote it, and it is not here: do all share this folder?"
    return RootfsError(Mistake("-o", what, one.task.label))


def _run(tasks: "list[Task]", built: _Built, *, at_once: int, scheduler: str | None) -> None:
    from concurrent.futures import BrokenExecutor

    from rootfs_builder.commands import batch, workers

    with ExitStack() as stack:
        start: Callable[[], Executor] = partial(workers.local, at_once)
        killed: type[Exception] = BrokenExecutor
        if scheduler is not None:
            cluster = workers.Cluster(scheduler)
            stack.callback(cluster.close)
            start, killed = cluster.executor, cluster.killed
            at_once = len(tasks)
        shown = stack.enter_context(terminal.counting(len(tasks), quiet=at_once == 1))
        try:
            for task, outcome in batch.run(tasks, start, at_once=at_once, killed=killed):
                for line in built.add(task, outcome):
                    shown.say(line)
                shown.advance()
        except LostError:
            raise built.lost(scheduler or "") from None
