"""`rootfs-builder report`: an image as one page to look at, offline."""

import sys
from typing import TYPE_CHECKING

import click

from rootfs_builder.commands import images, options
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import InputError, UsageError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.image import Image
    from rootfs_builder.views.inspection import Inspection


@click.command(cls=Verb, epilog="Example: rootfs-builder report hello.tar -o report.html")
@click.argument("image", metavar="IMAGE", shell_complete=options.file_names)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE|-",
    shell_complete=options.file_names,
    help="Where to write the page; - is stdout.",
)
@click.option("--platform", metavar="OS/CPU", help="Which image, where IMAGE has several.")
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
    platform: str | None,
    quiet: bool,
    no_limits: bool,
    debug: bool,
) -> None:
    """Write a page about an image: what takes the bytes, and why each file is there.

    It is one HTML file that loads nothing. IMAGE is what `inspect` takes: an archive or a
    directory, whoever made it, or - for stdin. Why a file is there is known of images that we
    wrote.
    """
    del debug
    options.no_command(cmd, "report")
    from rootfs_builder.views import report
    from rootfs_builder.views.report import page

    seen = _seen(image, platform, no_limits=no_limits)
    written = page.html(report.of(seen, title=image))
    _write(output, written)
    if not quiet and output != "-":
        from rootfs_builder.commands import terminal
        from rootfs_builder.views import summary

        terminal.say((f"{output}: {summary.size(len(written))}",))


def _seen(path: str, platform: str | None, *, no_limits: bool) -> "Inspection":
    from rootfs_builder.views import inspection

    with images.found(path, "report", no_limits=no_limits) as found, found.reader() as reader:
        return inspection.of(_one(found.images, platform), found.record, reader)


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
