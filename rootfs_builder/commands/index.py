"""`rootfs-builder index`: images for several platforms as one."""

from typing import TYPE_CHECKING

import click

from rootfs_builder.choices import FORMATS
from rootfs_builder.commands import documents, options
from rootfs_builder.commands.verb import Verb

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.choices import Format
    from rootfs_builder.pipeline.joining import Joined
    from rootfs_builder.views.documents import images as documented


@click.command(
    cls=Verb, epilog="Example: rootfs-builder index amd64.tar arm64.tar -o server.tar -t server:1.0"
)
@click.argument(
    "images", nargs=-1, required=True, metavar="IMAGE...", shell_complete=options.file_names
)
@options.archive
@click.option(
    "-t", "--tag", metavar="NAME[:TAG]", help="Its name (default: the images' common name)."
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(FORMATS),
    help="hybrid (the default), or oci; docker has no form for several platforms.",
)
@options.as_json("index")
@options.quiet
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    images: tuple[str, ...],
    output: str,
    tag: str | None,
    shape: "Format | None",
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Join images for several platforms: an engine takes the one for its machine.

    Each keeps its digest. Engines without support for indexes use the first image.
    """
    del debug
    options.no_command(cmd, "index")
    options.check_stdout(output, as_json=as_json)
    from rootfs_builder.pipeline import joining

    made = joining.index(images, output, tag=options.reference(tag), shape=shape)
    if not quiet:
        platforms = ", ".join(str(one.platform) for one in made.images)
        where = "on stdout" if output == "-" else f"in {output}"
        click.echo(f"{made.names[0]} for {platforms}: {made.size:,} bytes {where}", err=True)
    if as_json:
        documents.show(_document(made))
    elif output != "-" or not quiet:
        click.echo(f"{made.names[0]}@{made.digest}", err=output == "-")


def _document(made: "Joined") -> "documented.Joined":
    from rootfs_builder.views.documents import images

    members = (
        images.Member(str(one.platform), one.digest, one.config_digest) for one in made.images
    )
    return images.Joined(made.names[0], made.names, made.digest, tuple(members), made.size)
