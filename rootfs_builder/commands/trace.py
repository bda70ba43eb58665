"""`rootfs-builder trace`: run a command here, and say what the image of its program lacks."""

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.commands import documents, options
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import UsageError
from rootfs_builder.paths import escape_control

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.pipeline.runs import Observed
    from rootfs_builder.proof.flags import Flag
    from rootfs_builder.recipe import Recipe


@click.command(
    cls=Verb,
    epilog="Example: rootfs-builder trace -- ./server --selftest",
)
@options.files_here
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Set a variable.")
@click.option("-w", "--workdir", metavar="PATH", help="Working directory of the image's program.")
@click.option("--keep-home", is_flag=True, help="Use your own HOME and TMPDIR, not empty ones.")
@options.timeout
@click.option(
    "--write-recipe",
    metavar="FILE",
    shell_complete=options.file_names,
    help="Write a recipe that packs the program with everything the run used.",
)
@options.as_json("trace")
@options.quiet
@click.option("-v", "--verbose", is_flag=True, help="Also list paths that were not found.")
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    keep_home: bool,
    timeout: str,
    write_recipe: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    rule_files: tuple[str, ...],
    **given: Any,
) -> None:
    """Run the command after -- on the host under strace, and show what its image would lack.

    The command gets only PATH and the variables of -e, and an empty HOME and TMPDIR. The options of
    pack that add the missing files go to stdout, the command's own output to stderr. Ctrl-C stops
    the command and shows what it has used so far.
    """
    del debug
    if not cmd:
        raise UsageError("say what to run: rootfs-builder trace -- ./server --selftest")
    recipe, first = _program(cmd, given)
    words = (first, *cmd[1:])
    observed, flags = _observe(
        recipe, words, rule_files, keep_home=keep_home, timeout=timeout, quiet=quiet
    )
    from rootfs_builder.views import runs as view

    found = (observed.traced.observation, observed.difference, flags)
    if not quiet:
        for line in view.lines(cmd, *found, verbose=verbose):
            click.echo(escape_control(line), err=True)
    if as_json:
        documents.show(view.document(*found))
    else:
        for flag in flags:
            click.echo(" ".join(map(_quoted, flag.words)))
    if write_recipe:
        values = {"rule_files": rule_files, **given}
        _write_recipe(write_recipe, recipe.executables[0], values, flags)


def _program(cmd: tuple[str, ...], given: dict[str, Any]) -> "tuple[Recipe, str]":
    """The recipe of an image with the program that a command starts, and that program."""
    from rootfs_builder.pipeline import runs

    recipe = options.recipe(executables=(cmd[0],), **given)
    first = runs.program(cmd[0], options.working_directory(), recipe.search_path)
    if "/" not in cmd[0]:
        recipe = options.recipe(executables=(first,), **given)
    return recipe, first


def _observe(
    recipe: "Recipe",
    words: tuple[str, ...],
    rule_files: tuple[str, ...],
    *,
    keep_home: bool,
    timeout: str,
    quiet: bool,
) -> "tuple[Observed, tuple[Flag, ...]]":
    from rootfs_builder.pipeline import inputs, runs
    from rootfs_builder.proof.tracing import Limits

    observer = runs.Observer(recipe, inputs.sources(None), inputs.rules(rule_files))
    machine = runs.Machine(options.working_directory(), Limits(seconds=options.seconds(timeout)))
    with runs.surroundings(recipe, empty_home=not keep_home, inherited=os.environb) as environment:
        observed = observer.observe(
            words,
            machine,
            planned=observer.plan(recipe),
            environment=environment,
            said=(lambda _: None) if quiet else _pass_on,
        )
    return observed, observer.flags(observed)


def _pass_on(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)


def _write_recipe(
    file: str, executable: str, given: dict[str, Any], flags: "tuple[Flag, ...]"
) -> None:
    """A recipe of the program with these flags."""
    from rootfs_builder import output
    from rootfs_builder.commands import keys
    from rootfs_builder.paths import name
    from rootfs_builder.recipe import keys as recipe_keys

    values = {key: value for key, value in given.items() if value is not None}
    values |= {"executables": (executable,), "output": f"{name(executable)}.tar"}
    for parameter, option in (
        ("add", "--add"),
        ("include_lib", "--include-lib"),
        ("with_", "--with"),
    ):
        more = tuple(flag.value for flag in flags if flag.option == option)
        values[parameter] = (*given[parameter], *more)
    with output.file(file) as written:
        written.stream.write(recipe_keys.document(values, keys.keys()).encode())
