"""`rootfs-builder pack`: programs in, an image archive out."""

import sys
import time
from typing import Any

import click

from rootfs_builder.commands import documents, options, packing, terminal
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import UsageError


@click.command(
    cls=Verb,
    epilog="""\b
Example: rootfs-builder pack ./hello -o hello.tar
  … pack ./server -o server.tar -t server:1.0 -u 1000 -- --port 80
  … pack /usr/bin/python3 --add app:/app -o app.tar -- /app/main.py
""",
)
@packing.table
@click.option(
    "--dry-run",
    is_flag=True,
    is_eager=True,
    help="Write no image; describe it.",
)
@click.option("--print-recipe", is_flag=True, help="Write no image; print its recipe.")
@click.option("--no-cache", is_flag=True, help="Do not read or write the cache.")
@options.as_json("pack")
@options.quiet
@options.verbose
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    dry_run: bool,
    print_recipe: bool,
    no_cache: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Write a container image with EXECUTABLE and exactly the files it needs.

    The first EXECUTABLE is what the container starts; arguments after -- are passed to it. docker
    load, podman load and skopeo take the archive.
    """
    del debug
    values = {"command": cmd or (), **given}
    if print_recipe:
        _print_recipe(values)
        return
    if dry_run:
        _dry_run(values, cached=not no_cache, as_json=as_json, quiet=quiet, verbose=verbose)
        return
    _write(values, cached=not no_cache, as_json=as_json, quiet=quiet, verbose=verbose)


def _write(
    values: dict[str, Any], *, cached: bool, as_json: bool, quiet: bool, verbose: bool
) -> None:
    output = "-" if packing.destination(values).is_stdout else values["output"]
    if output == "-" and sys.stdout.isatty():
        raise UsageError(
            "-o -: an archive is not for a terminal; redirect it: … -o - | docker load"
        )
    options.check_stdout(output, as_json=as_json)
    begun = time.monotonic()
    packed = packing.pack(
        values,
        epoch=options.epoch(),
        cached=cached,
        quiet=quiet,
        planned=terminal.reasons if verbose else lambda _: None,
    )
    lines = packing.lines(packed, output, time.monotonic() - begun, verbose=verbose)
    ending = packing.following(packed, values)
    terminal.show(lines, packed.plan.findings, quiet=quiet, verbose=verbose, ending=ending)
    if as_json:
        documents.show(packing.document(packed))
    elif output != "-" or not quiet:
        click.echo(packing.name(packed), err=output == "-")


def _print_recipe(values: dict[str, Any]) -> None:
    from rootfs_builder.commands import keys
    from rootfs_builder.recipe import keys as recipe_keys

    packing.check_output(values)
    packing.recipe(values)  # or it would be printed with its mistakes
    click.echo(recipe_keys.document(values, keys.keys()), nl=False)


def _dry_run(
    values: dict[str, Any], *, cached: bool, as_json: bool, quiet: bool, verbose: bool
) -> None:
    from rootfs_builder import pipeline
    from rootfs_builder.commands import memory
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.views import summary

    recipe = packing.recipe({**values, "output": values["output"] or "-"})
    read = options.inputs(values)
    with spinning(quiet=quiet) as spinner:
        read |= {"cache": memory.kept() if cached else None, "opened": spinner.opened}
        found = pipeline.plan(recipe, policy_files=values["policy"], **read)
    if verbose:
        terminal.reasons(found.plan)
    table = summary.of_kinds(found.plan) if verbose else ()
    line = f"would be packed for {found.platform}: {summary.contents(found.plan)}"
    terminal.show([*table, line], found.plan.findings, quiet=quiet, verbose=verbose)
    if as_json:
        from rootfs_builder.views.documents import images

        documents.show(images.planned(found.plan, found.platform))
