"""`rootfs-builder report`: an image as one page to look at, offline."""

import sys
from typing import TYPE_CHECKING

import click

from rootfs_builder.commands import options
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import InputError, RootfsError, UsageError
from rootfs_builder.paths import printable

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.commands.spinner import Spinner
    from rootfs_builder.image import Image
    from rootfs_builder.views.report import Report
    from rootfs_builder.views.report.changes import Changes
    from rootfs_builder.views.subject import Subject


@click.command(
    cls=Verb,
    epilog="Example: rootfs-builder report hello.tar -o report.html --against old.tar",
)
@click.argument("image", metavar="IMAGE", shell_complete=options.file_names)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE|-",
    shell_complete=options.file_names,
    help="Where to write the page; - is stdout.",
)
@click.option(
    "--against",
    metavar="OLD",
    shell_complete=options.file_names,
    help="Also show what changed since this image, directory or recipe's result.",
)
@click.option("--platform", metavar="OS/CPU", help="The image to use, if IMAGE has several.")
@options.quiet
@options.no_limits
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    image: str,
    output: str,
    against: str | None,
    platform: str | None,
    quiet: bool,
    no_limits: bool,
    debug: bool,
) -> None:
    """Write a page about an image: its size by package and layer, and why each file is there.

    The page is one HTML file that loads nothing from elsewhere. IMAGE is any archive or directory
    that `inspect` reads, or - for stdin. Only images by rootfs-builder have the reasons.
    """
    del debug
    options.no_command(cmd, "report")
    from rootfs_builder.views.report import page

    if image == against == "-":
        raise UsageError("-: only one image can come from stdin")
    written = page.html(_report(image, against, platform, quiet=quiet, no_limits=no_limits))
    _write(output, written)
    if not quiet and output != "-":
        from rootfs_builder.commands import terminal
        from rootfs_builder.views import summary

        terminal.say((f"{output}: {summary.size(len(written))}",))


def _report(
    path: str, against: str | None, platform: str | None, *, quiet: bool, no_limits: bool
) -> "Report":
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.image import found as images
    from rootfs_builder.views import inspection, report, subject

    title = printable(path)
    with (
        spinning(quiet=quiet) as spinner,
        images.at(path, "report", no_limits=no_limits) as found,
        found.reader() as reader,
    ):
        spinner.reading(found)
        one = _one(found.images, platform)
        seen = inspection.of(one, found.record, reader)
        if against is None:
            return report.of(seen, title=title)
        now = subject.of_image(one, found.record, reader)
        try:
            changes = _changes(against, now, spinner, no_limits=no_limits)
            return report.of(seen, title=title, changes=changes)
        except RootfsError as error:
            failure = error  # raised behind the block, which would put the image's name to it
    raise failure


def _changes(against: str, now: "Subject", spinner: "Spinner", *, no_limits: bool) -> "Changes":
    """What an image has that the one at `against` has not, or has otherwise."""
    from rootfs_builder.commands import subjects
    from rootfs_builder.views import comparison
    from rootfs_builder.views.report import changes

    old = subjects.opened(against, "report", spinner, no_limits=no_limits, names=now.names)
    with old as before:
        places = (printable(against), "")
        return changes.of(comparison.of(before, now, places=places))


def _one(found: "tuple[Image, ...]", platform: str | None) -> "Image":
    """The image that is meant."""
    if not found:
        raise InputError("no image is in it; `verify` takes any directory")
    some = [one for one in found if platform in (None, str(one.platform))]
    if len(some) == 1:
        return some[0]
    have = ", ".join(dict.fromkeys(str(one.platform) for one in found))
    if not some:
        raise UsageError(f"--platform {platform}: not in it; it has {have}")
    raise UsageError(f"{len(some)} images are in it, for {have}; pick one with --platform")


def _write(destination: str, page: bytes) -> None:
    if destination == "-":
        sys.stdout.buffer.write(page)
        return
    from rootfs_builder import output

    with output.file(destination) as file:
        file.stream.write(page)
