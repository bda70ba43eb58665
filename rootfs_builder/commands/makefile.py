"""`rootfs-builder makefile`: the integration with GNU make and CMake."""

import os

import click

import rootfs_builder
from rootfs_builder.commands import options
from rootfs_builder.commands.verb import Verb

_FOLDER = os.path.join(os.path.dirname(rootfs_builder.__file__), "build_tools")


@click.command(
    cls=Verb, epilog="Example: rootfs-builder makefile > rootfs.mk   # then: include rootfs.mk"
)
@click.option("--cmake", is_flag=True, help="Print the CMake module: rootfs_image(TARGET).")
@click.option("--path", is_flag=True, help="Print the path of the installed file instead.")
@options.debug
@click.pass_obj
def command(cmd: tuple[str, ...] | None, /, *, cmake: bool, path: bool, debug: bool) -> None:
    """Print a file that a Makefile includes: then `make hello.tar` packs hello.

    It is rebuilt when anything that the image depends on has changed.
    """
    del debug
    options.no_command(cmd, "makefile")
    file = os.path.join(_FOLDER, "RootfsImage.cmake" if cmake else "rootfs.mk")
    if path:
        click.echo(file)
        return
    with open(file, encoding="utf-8") as stream:
        click.echo(stream.read(), nl=False)
