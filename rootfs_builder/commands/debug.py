"""`rootfs-builder debug`: an image with a shell and tools on top, and how to use it."""

import shlex
from typing import TYPE_CHECKING

import click

from rootfs_builder.choices import FORMATS
from rootfs_builder.commands import documents, options, terminal
from rootfs_builder.commands.verb import Verb

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from collections.abc import Iterator

    from rootfs_builder.choices import Format
    from rootfs_builder.pipeline.debugging import Debugged
    from rootfs_builder.views.documents import images as documented


@click.command(cls=Verb, epilog="Example: rootfs-builder debug server.tar -o server-debug.tar")
@click.argument("image", metavar="IMAGE", shell_complete=options.file_names)
@options.archive
@click.option(
    "--with-tools",
    metavar="NAME,...",
    default="",
    help="Add these programs too, with the files they need: strace,gdb,curl.",
)
@click.option(
    "--sysroot",
    metavar="DIR|IMAGE",
    shell_complete=options.file_names,
    help="Take busybox and the tools from this root, not from /.",
)
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="Its name (default: IMAGE's, tag debug).")
@click.option(
    "--format", "shape", type=click.Choice(FORMATS), help="Format of the archive; see pack."
)
@options.as_json("debug")
@options.quiet
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    image: str,
    output: str,
    with_tools: str,
    sysroot: str | None,
    tag: str | None,
    shape: "Format | None",
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Write IMAGE with a static busybox in a layer on top: its own layers stay as they are.

    The shell is /busybox/sh, and busybox's other programs are commands of it.
    """
    del debug
    options.no_command(cmd, "debug")
    options.check_stdout(output, as_json=as_json)
    from rootfs_builder.pipeline import debugging

    tools = with_tools.split(",") if with_tools else []
    made = debugging.debug(
        image,
        output,
        tools=tools,
        sysroot=sysroot,
        tag=options.reference(tag),
        shape=shape,
        epoch=options.epoch(),
    )
    if not quiet:
        terminal.warnings(made.plan.findings)
        for line in _lines(made, output):
            terminal.say((line,))
    if as_json:
        documents.show(_document(made))
    elif output != "-" or not quiet:
        click.echo(f"{made.image.names[0]}@{made.image.digest}", err=output == "-")


def _lines(made: "Debugged", output: str) -> "Iterator[str]":
    """How this image is used, in words to type."""
    from rootfs_builder.pipeline.debugging import SHELL
    from rootfs_builder.recipe import reference

    name = made.image.names[0]
    short = reference.parse(name)
    called = short.repository.rpartition("/")[2]
    shown = f"{called}:{short.tag}" if short.repository == f"library/{called}" else name
    program = next(iter(made.image.config.config.command), "/etc/passwd")
    if output not in ("-", ""):
        yield f"{name}: {made.size:,} bytes in {output}"
    yield "instead of the image:"
    if not output.startswith("oci:"):
        yield f"  docker load -i {shlex.quote(output)}"
    yield f"  docker run -d --name {called}-debug {shown}"
    yield f"  docker exec -it -u 0 {called}-debug {SHELL}"
    yield f"  docker cp {called}-debug:{shlex.quote(program)} ."
    yield f"next to a container of the image, here called {called}:"
    yield (
        f"  docker run --rm -it -u 0 --pid container:{called} --network container:{called} "
        f"--cap-add SYS_PTRACE --entrypoint {SHELL} {shown}"
    )
    yield (f"  kubectl debug -it POD --image={name} --target={called} --profile=general -- {SHELL}")
    yield (
        f"  nsenter -t $(docker inspect -f '{{{{.State.Pid}}}}' {called}) -n -p "
        "ss -tlnp   # this machine's tools, as root"
    )


def _document(made: "Debugged") -> "documented.Debugged":
    from rootfs_builder.views.documents import images

    image = made.image
    return images.Debugged(
        name=image.names[0],
        digest=image.digest,
        config=image.config_digest,
        platform=str(image.platform),
        layers=tuple(layer.descriptor.digest for layer in image.layers),
        archive_bytes=made.size,
    )
