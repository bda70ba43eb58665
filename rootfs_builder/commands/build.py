"""`rootfs-builder build`: recipes in, the images that they describe out."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from rootfs_builder.commands import jobserver, options, terminal
from rootfs_builder.errors import (
    InputError,
    LostError,
    NotFoundError,
    RootfsError,
    UsageError,
    of_code,
)
from rootfs_builder.paths import encode, printable

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.commands.batch import Outcome, Task
    from rootfs_builder.commands.building import Job, Way
    from rootfs_builder.recipe.file import File, Image
    from rootfs_builder.recipe.keys import Key

_NAMES = ("rootfs.toml", "pyproject.toml")  # what is read without a name
_MAX_RECIPE = 1 << 24
_SEVERAL = 8  # failed images that a sentence names


class _Wanted(NamedTuple):
    """An image of a recipe, and the job that writes it."""

    file: "File"
    image: "Image"
    job: "Job"


@click.command(epilog="Example: rootfs-builder build services/*/rootfs.toml -j 4")
@click.argument("recipes", nargs=-1, metavar="[RECIPE...]", shell_complete=options.file_names)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Say a key otherwise.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="How many images at a time; without, one for each CPU.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Let the workers of a Dask cluster do it.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of recipes, for editors.")
@click.option("--no-cache", is_flag=True, help="Remember nothing, and use nothing remembered.")
@options.as_json
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
    """Write the images that each RECIPE describes: rootfs.toml, if none is named.

    A recipe's keys are the options of pack; its steps run first. Relative paths start at its
    folder. Where one image fails the others are written all the same.
    """
    options.no_command(cmd, "build")
    from rootfs_builder.commands.keys import keys

    if schema:
        from rootfs_builder.recipe import keys as recipe_keys

        click.echo(recipe_keys.schema(keys()), nl=False)
        return
    from rootfs_builder.commands.building import Way

    found = _wanted(recipes, [options.text(one) for one in sets], keys())
    wanted = min(jobs or len(os.sched_getaffinity(0)), len(found))
    epoch, threads = options.epoch(), None if len(found) == 1 else 1
    built = _Built(found, quiet=quiet)
    try:
        with jobserver.threads(wanted) as at_once:
            live = at_once == 1 and scheduler is None and not quiet
            way = Way(epoch, cached=not no_cache, debug=debug, live=live, threads=threads)
            _run(_tasks(found, way), built, at_once=at_once, scheduler=scheduler)
    finally:
        built.show(as_json=as_json)
    built.report()


def _wanted(recipes: tuple[str, ...], sets: list[str], keys: "tuple[Key, ...]") -> list[_Wanted]:
    """The images of all recipes.

    Raises:
        UsageError: every mistake in any of them.
    """
    here = options.working_directory()
    found: list[_Wanted] = []
    mistakes = []
    for path in [options.text(one) for one in recipes] or [_default()]:
        try:
            found += _of_file(path, here, sets, keys)
        except UsageError as error:
            mistakes.append(str(error))
    mistakes += _clashes(found, here)
    if mistakes:
        raise UsageError("\n".join(mistakes))
    return found


def _clashes(found: list[_Wanted], here: str) -> Iterator[str]:
    """What is wrong with files that two images write."""
    from rootfs_builder.commands import packing

    seen: dict[bytes, _Wanted] = {}
    for one in found:
        for option, path in packing.written(one.job.values).items():
            if path is None:
                continue
            other = seen.setdefault(os.path.realpath(encode(path)), one)
            if other is not one:
                by = f"another image of {printable(other.file.name)} writes it too"
                yield one.file.located(one.image, f"{option} {_label(path, here)}: {by}")


def _label(path: str, here: str) -> str:
    """A path as people are told."""
    label = os.path.relpath(path, here)
    return path if label.startswith("../") else label


def _default() -> str:
    found = next((name for name in _NAMES if os.path.exists(name)), None)
    if found is None:
        raise NotFoundError(
            f"{_NAMES[0]}: no such file here; rootfs-builder init ./hello writes one, or name a "
            "recipe"
        )
    return found


def _of_file(path: str, here: str, sets: list[str], keys: "tuple[Key, ...]") -> "Iterable[_Wanted]":
    from rootfs_builder.commands import packing
    from rootfs_builder.commands.building import Job, typed
    from rootfs_builder.recipe import file as recipe_file
    from rootfs_builder.recipe.values import absolute

    if os.path.isdir(encode(path)):
        path = f"{path.rstrip('/')}/{_NAMES[0]}"
    folder = os.path.dirname(absolute(path, here))
    checks = (packing.check_output, lambda one: packing.recipe(typed(one), directory=folder))
    file = recipe_file.read(_text(path), path, keys=keys, checks=checks, sets=sets)
    for image in file.images:
        values = _absolute(image.values, folder, keys)
        job = Job(values, image.results, file.steps, folder, _label(values["output"], here))
        yield _Wanted(file, image, job)


def _text(path: str) -> str:
    from rootfs_builder.pipeline import inputs

    shown = printable(path)
    advice = "; rootfs-builder init ./hello writes a recipe"
    data = inputs.beginning(path, shown, _MAX_RECIPE + 1, advice=advice)
    if data[:4] == b"\x7fELF":
        raise UsageError(
            f"{shown}: a program, where a recipe is expected; rootfs-builder init {shown} writes "
            "one, and pack needs none"
        )
    if len(data) > _MAX_RECIPE:
        raise InputError(f"{shown}: over {_MAX_RECIPE:,} bytes, which no recipe has")
    return inputs.toml_text(data, shown)


def _absolute(values: Mapping[str, Any], folder: str, keys: "tuple[Key, ...]") -> dict[str, Any]:
    """The values, with paths that start nowhere."""
    from rootfs_builder.recipe.destination import Destination
    from rootfs_builder.recipe.values import absolute

    def placed(path: str) -> str:
        return absolute(path, folder)

    found = dict(values)
    for key in keys:
        value = values.get(key.parameter)
        if key.is_path and value:
            many = isinstance(value, tuple)
            found[key.parameter] = tuple(map(placed, value)) if many else placed(value)
    found["output"] = str(Destination.parse(values["output"]).under(folder))
    return found


def _tasks(found: list[_Wanted], way: "Way") -> "list[Task]":
    """What is to be done: the steps of each recipe, and then its images."""
    from rootfs_builder.commands import building
    from rootfs_builder.commands.batch import Task

    first = {one.file.name: one for one in found if one.file.steps}
    several = len({one.file.name for one in found}) > 1
    tasks = []
    for name, one in first.items():
        label = f"{os.path.dirname(name) or '.'} " if several else ""
        arguments = (one.file.steps, one.job.folder, label, way)
        tasks.append(Task(_steps_of(one.file), building.run_steps, arguments))
    for one in found:
        after = _steps_of(one.file) if one.file.steps else ""
        tasks.append(Task(one.job.label, building.build, (one.job, way), after))
    return tasks


def _steps_of(file: "File") -> str:
    return f"the steps of {printable(file.name)}"


class _Built:
    """How each task ended, shown as it ends, and as a whole."""

    def __init__(self, found: list[_Wanted], *, quiet: bool) -> None:
        self._wanted = {one.job.label: one for one in found}
        self._quiet = quiet
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._failed: dict[str, Outcome] = {}

    def add(self, task: "Task", outcome: "Outcome") -> list[str]:
        """Remember how a task ended: the lines to be shown of it."""
        one = self._wanted.get(task.name)
        if one is not None and not outcome.code:
            outcome = _seen(one, outcome)
        lines = list(outcome.said) if outcome.code or not self._quiet else []
        if outcome.code:
            error = outcome.error
            error = error if one is None else one.file.located(one.image, error)
            self._failed[task.name] = type(outcome)(outcome.code, error)
            if len(self._wanted) > 1:
                lines += [f"{task.name} | {line}" for line in error.splitlines()]
        elif one is not None:
            self._facts[task.name] = outcome.facts
        return lines

    def show(self, *, as_json: bool) -> None:
        """The result of each image that is written, in the order of the recipes."""
        facts = [self._facts[name] for name in self._wanted if name in self._facts]
        if as_json:
            import json

            click.echo(json.dumps(facts, indent=2))
            return
        for one in facts:
            click.echo(f"{one['name']}@{one['digest']}")

    def lost(self, scheduler: str) -> LostError:
        """What to say when the cluster is gone."""
        return LostError(
            f"--scheduler {scheduler}: gone in the middle; {len(self._facts)} of "
            f"{len(self._wanted)} images are written, and the same command writes the rest"
        )

    def report(self) -> None:
        """Raise what went wrong, if anything."""
        if not self._failed:
            return
        codes = {outcome.code for outcome in self._failed.values()}
        error: type[RootfsError] = of_code(codes.pop() if len(codes) == 1 else 1)
        if len(self._wanted) == 1:
            raise error(next(iter(self._failed.values())).error)
        names = [name for name in self._wanted if name in self._failed]
        more = " …" if len(names) > _SEVERAL else ""
        raise error(
            f"{len(names)} of {len(self._wanted)} images are not written: "
            f"{', '.join(names[:_SEVERAL])}{more}"
        )


def _seen(one: _Wanted, outcome: "Outcome") -> "Outcome":
    """The same, if what a worker wrote is here."""
    from rootfs_builder.recipe.destination import Destination

    path = Destination.parse(one.job.values["output"]).path
    if os.path.lexists(encode(path)):
        return outcome
    what = f"-o {one.job.label}: a worker wrote it, and it is not here: do all share this folder?"
    return type(outcome)(1, what)


def _run(tasks: "list[Task]", built: _Built, *, at_once: int, scheduler: str | None) -> None:
    from rootfs_builder.commands import batch, workers

    with ExitStack() as stack:
        if scheduler is None:
            start = lambda: workers.local(at_once)  # noqa: E731 - one name for two ways
        else:
            cluster = workers.Cluster(scheduler)
            stack.callback(cluster.close)
            start = cluster.executor
            at_once = len(tasks)
        shown = stack.enter_context(terminal.counting(len(tasks), quiet=at_once == 1))
        try:
            for task, outcome in batch.run(tasks, start, at_once=at_once):
                for line in built.add(task, outcome):
                    shown.say(line)
                shown.advance()
        except LostError:
            raise built.lost(scheduler or "") from None
