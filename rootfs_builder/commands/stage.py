"""`rootfs-builder stage`: the same files as pack, in a directory."""

from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.commands import documents, options, terminal
from rootfs_builder.commands.verb import Verb

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.plan import Plan
    from rootfs_builder.recipe import Recipe


@click.command(
    cls=Verb,
    epilog="Example: rootfs-builder stage ./server -o out   # then COPY out / in a Dockerfile",
)
@options.executables
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    shell_complete=options.directories,
    help="A new or empty directory.",
)
@options.files
@options.strip
@options.as_json("stage")
@options.quiet
@options.verbose
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    output: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Write EXECUTABLE and exactly the files it needs into a directory."""
    del debug
    options.no_command(cmd, "stage")
    from rootfs_builder.recipe import destination
    from rootfs_builder.views import summary
    from rootfs_builder.views.documents import images

    destination.check_directory(output)
    read = options.inputs(given)
    how = {**read, "epoch": options.epoch()}
    plan = _written(options.recipe(**given), output, how, quiet=quiet, verbose=verbose)
    document = images.staged(plan, output)
    lines = [*(summary.of_kinds(plan) if verbose else ()), summary.contents(plan)]
    terminal.show(lines, plan.findings, quiet=quiet, verbose=verbose)
    if not quiet:
        said = "an image has to set it, by ENV in a Dockerfile"
        terminal.say(f"variable {variable}: {said}" for variable in document.env)
    if as_json:
        documents.show(document)
    else:
        click.echo(output)


def _written(
    recipe: "Recipe", output: str, how: dict[str, Any], *, quiet: bool, verbose: bool
) -> "Plan":
    """Write the directory."""
    from rootfs_builder import pipeline
    from rootfs_builder.commands import memory
    from rootfs_builder.commands.spinner import spinning

    cache = memory.kept()
    with spinning(quiet=quiet) as spinner:

        def begin(plan: "Plan") -> None:
            spinner.stop()
            if verbose:
                terminal.reasons(plan)

        return pipeline.stage(
            recipe, output, cache=cache, planned=begin, opened=spinner.opened, **how
        )
