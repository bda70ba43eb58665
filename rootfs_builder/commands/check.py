"""`rootfs-builder check`: whether an image keeps the rules of a policy."""

from typing import TYPE_CHECKING

import click

from rootfs_builder.commands import documents, options, subjects
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.paths import printable

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.views.policy.checking import Checked


@click.command(
    cls=Verb,
    epilog="""\b
Example: rootfs-builder check hello.tar --policy policy.toml
  … check hello.tar --policy policy.toml --sarif check.sarif
""",
)
@click.argument("image", metavar="IMAGE|DIR|RECIPE", shell_complete=options.file_names)
@click.option(
    "--policy",
    multiple=True,
    required=True,
    metavar="FILE",
    shell_complete=options.file_names,
    help="The rules, a TOML file; may be given several times.",
)
@click.option("--sarif", metavar="FILE", help="Write what was found as SARIF 2.1.0.")
@click.option("--junit", metavar="FILE", help="Write what was found as JUnit's XML.")
@options.as_json("check")
@options.quiet
@options.no_limits
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    image: str,
    policy: tuple[str, ...],
    sarif: str | None,
    junit: str | None,
    as_json: bool,
    quiet: bool,
    no_limits: bool,
    debug: bool,
) -> None:
    """Check that an image keeps the rules of a policy.

    IMAGE is as for inspect, DIR is any other directory, and RECIPE is a .toml file, whose image is
    computed but not written. Exit code 5 means that a rule is broken; every file that breaks one is
    listed, with the reason.
    """
    del debug
    options.no_command(cmd, "check")
    for option, path in (("--sarif", sarif), ("--junit", junit)):
        if path in ("", "-"):
            raise UsageError(Mistake(option, "name a file"))
    found = _checked(image, policy, quiet=quiet, no_limits=no_limits)
    _write(found, sarif, junit)
    if as_json:
        documents.show(found)
    elif not quiet:
        for one in found.unchecked:
            click.echo(f"warning: not checked: {one}", err=True)
    from rootfs_builder.views.policy import checking

    checking.enforce(found, found.image)
    if not quiet and not as_json:
        count = len(found.rules)
        rules = "the rule" if count == 1 else f"all {count} rules"
        click.echo(f"{found.image}: keeps {rules} of {', '.join(map(printable, policy))}")


def _checked(image: str, files: tuple[str, ...], *, quiet: bool, no_limits: bool) -> "Checked":
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.pipeline import policies
    from rootfs_builder.views.policy import checking

    rules = policies.read(files)
    with (
        spinning(quiet=quiet) as spinner,
        subjects.opened(image, "check", spinner, no_limits=no_limits) as subject,
    ):
        settings = None if subject.config is None else subject.config.get("config") or {}
        return checking.check(
            rules,
            subject.plan,
            place=printable(image),
            user=None if settings is None else str(settings.get("User") or ""),
            licences=policies.licences(subject.plan),
        )


def _write(found: "Checked", sarif: str | None, junit: str | None) -> None:
    from rootfs_builder import output
    from rootfs_builder.views.policy import reports

    for path, render in ((sarif, reports.sarif), (junit, reports.junit)):
        if path is not None:
            with output.file(path) as file, output.errors(path):
                file.stream.write(render(found))
