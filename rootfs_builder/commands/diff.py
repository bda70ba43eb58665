"""`rootfs-builder diff`: how one image differs from another."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from rootfs_builder.commands import documents, options, subjects
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import RootfsError, UsageError
from rootfs_builder.paths import escape_control

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.views.comparison import Comparison

DIFFERENT = 1  # the exit code, as of diff(1)


@click.command(
    cls=Verb,
    epilog="""\b
Example: rootfs-builder diff old.tar new.tar
  … diff hello.tar rootfs.toml
  docker save hello | rootfs-builder diff - hello.tar --markdown
""",
)
@click.argument("old", metavar="OLD", shell_complete=options.file_names)
@click.argument("new", metavar="NEW", shell_complete=options.file_names)
@click.option("--markdown", is_flag=True, help="Print Markdown, for a merge request.")
@options.as_json("diff")
@options.quiet
@options.verbose
@options.no_limits
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    old: str,
    new: str,
    markdown: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    no_limits: bool,
    debug: bool,
) -> None:
    """Show how NEW differs from OLD: config, packages, files, layers.

    Each is an image (as for inspect, or - for stdin), a directory such as stage writes, or a recipe
    (a .toml file). A recipe's image is computed, but not written, and its steps are not run.

    The exit code is 0 if nothing differs, 1 if something does, and 2 or more after an error.
    """
    del debug
    options.no_command(cmd, "diff")
    if as_json and markdown:
        raise UsageError("--json and --markdown: stdout takes one of them")
    if old == new == "-":
        raise UsageError("-: only one image can come from stdin")
    found = _compared(old, new, quiet=quiet, no_limits=no_limits)
    if as_json:
        documents.show(found)
    elif not quiet:
        from rootfs_builder.views import comparison_text

        shown = comparison_text.lines(found, verbose=verbose)
        for line in comparison_text.markdown(found) if markdown else shown:
            click.echo(escape_control(line))
    if not found.equal:
        raise click.exceptions.Exit(DIFFERENT)


def _compared(old: str, new: str, *, quiet: bool, no_limits: bool) -> "Comparison":
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.paths import printable
    from rootfs_builder.views import comparison

    places = (printable(old), printable(new))
    with ExitStack() as stack:
        spinner = stack.enter_context(spinning(quiet=quiet))
        first = subjects.opened(old, "diff", spinner, no_limits=no_limits)
        before = stack.enter_context(first)
        try:
            names = before.names
            second = subjects.opened(new, "diff", spinner, no_limits=no_limits, names=names)
            return comparison.of(before, stack.enter_context(second), places=places)
        except RootfsError as error:
            failure = error  # raised behind the block, which would put the first one's name to it
    raise failure
