"""`rootfs-builder run`: start an image without an engine."""

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.choices import NETWORKS, WAYS
from rootfs_builder.commands import options
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import Mistake, UsageError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from collections.abc import Iterator

    from rootfs_builder.image import Config, Image
    from rootfs_builder.proof.sandbox import Command, Rootfs, Volume

_CONTAINER = (
    click.option(
        "--entrypoint", metavar="PROGRAM", help="Start this program; the image's Cmd is dropped."
    ),
    click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Set a variable."),
    click.option("-u", "--user", metavar="NAME[:GROUP]", help="Run as this user of the image."),
    click.option("-w", "--workdir", metavar="PATH", help="Start in this directory."),
    click.option(
        "-v",
        "--volume",
        "volumes",
        multiple=True,
        metavar="SRC:DEST[:ro]",
        shell_complete=options.file_names,
        help="Mount a file or directory of the host.",
    ),
    click.option(
        "--network",
        type=click.Choice(NETWORKS),
        default="none",
        help="Network: only loopback (the default), or the host's.",
    ),
    click.option("--dns", multiple=True, metavar="ADDRESS", help="Use this name server."),
    click.option(
        "--add-host",
        "hosts",
        multiple=True,
        metavar="NAME:ADDRESS",
        help="Add a line to /etc/hosts.",
    ),
    click.option("-i", "--interactive", is_flag=True, help="Pass stdin to the program."),
    click.option("-t", "--tty", "terminal", is_flag=True, help="Give the program a terminal."),
    click.option(
        "--timeout", metavar="TIME", help="Stop the program after this time: 30s; exit code 124."
    ),
    click.option(
        "-m", "--memory", metavar="SIZE", help="Memory limit for the data of each process: 512MiB."
    ),
    click.option("--platform", metavar="OS/ARCH", help="The image to start, if IMAGE has several."),
    click.option("--way", type=click.Choice(WAYS), help="Isolate the program this way, or fail."),
)


@click.command(
    cls=Verb, epilog="Example: rootfs-builder run -it --network host app.tar -- --verbose"
)
@click.argument("image", metavar="IMAGE|DIR", shell_complete=options.file_names)
@options.each(_CONTAINER)
@options.quiet
@options.no_limits
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    image: str,
    way: str | None,
    quiet: bool,
    no_limits: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Start an image without an engine; the exit code is the program's.

    IMAGE is as for inspect; DIR is any other directory, which is not changed. Arguments after --
    replace the image's Cmd. The program is isolated with bubblewrap if it is installed, otherwise
    with namespaces, otherwise (as root) with chroot; stderr shows which.
    """
    del debug
    from rootfs_builder.proof import sandbox
    from rootfs_builder.proof.sandbox import ways
    from rootfs_builder.proof.sandbox.signals import PassedOn

    if image == "-" and given["interactive"]:
        raise UsageError("-i: stdin is the image already; name a file")
    with _started(image, cmd, quiet=quiet, no_limits=no_limits, given=given) as (rootfs, wanted):
        chosen = ways.choose(rootfs, wanted, wanted=None if way is None else sandbox.Way(way))
        if not quiet:
            click.echo(f"{image}: {chosen.sentence(wanted)}", err=True)
        with (
            PassedOn() as signals,
            sandbox.start(rootfs, wanted, chosen=chosen) as running,
        ):
            signals.to(running)
            outcome = running.wait()
    if outcome.message:
        click.echo(f"rootfs-builder: {outcome.message}", err=True)
    sys.exit(outcome.code)


@contextmanager
def _started(
    path: str,
    cmd: tuple[str, ...] | None,
    *,
    quiet: bool,
    no_limits: bool,
    given: dict[str, Any],
) -> "Iterator[tuple[Rootfs, Command]]":
    """The root directory at a path, and what is to run in it."""
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.image import Config
    from rootfs_builder.image import found as images
    from rootfs_builder.proof.sandbox import rootfs

    platform = given.pop("platform")
    with (
        spinning(quiet=quiet) as spinner,
        images.at(path, "run", no_limits=no_limits) as found,
    ):
        spinner.reading(found)
        if found.directory and not found.images:
            if platform is not None or no_limits:
                option = "--no-limits" if no_limits else "--platform"
                raise UsageError(f"{option}: only for IMAGE, not DIR")
            spinner.stop()
            with rootfs.over(found.directory) as root:
                yield root, _command(Config(), cmd, **given)
            return
        chosen = _chosen(found.images, platform)
        wanted = _command(chosen.config, cmd, **given)
        with found.reader() as reader:
            plan = reader.unpacked(chosen.layers).plan
            spinner.stop()  # its thread, too: what comes now forks
            with rootfs.unpacked(plan) as root:
                yield root, wanted


def _chosen(found: "tuple[Image, ...]", platform: str | None) -> "Image":
    """The image of a platform; without one that of this machine's, or the first."""
    import os

    from rootfs_builder import platforms
    from rootfs_builder.recipe import values

    wanted = None if platform is None else values.platform(platform)
    machine = platforms.architecture(os.uname().machine) if wanted is None else wanted.architecture
    fits = [one for one in found if one.platform.architecture == machine]
    if not fits and wanted is not None:
        there = ", ".join(str(one.platform) for one in found)
        raise UsageError(Mistake("--platform", f"no such image is there, but {there}", str(wanted)))
    return fits[0] if fits else found[0]


def _command(
    config: "Config",
    cmd: tuple[str, ...] | None,
    *,
    env: tuple[str, ...],
    volumes: tuple[str, ...],
    dns: tuple[str, ...],
    hosts: tuple[str, ...],
    timeout: str | None,
    memory: str | None,
    interactive: bool,
    **given: Any,
) -> "Command":
    from msgspec.structs import replace

    from rootfs_builder.proof.sandbox import command as commands
    from rootfs_builder.recipe import values

    for one in env:
        values.variable(one)
    return replace(
        commands.of(config, cmd, env=env, **given),
        volumes=tuple(map(_volume, volumes)),
        dns=dns,
        hosts=tuple(map(_host, hosts)),
        interactive=interactive,
        seconds=None if timeout is None else values.duration(timeout) / 10**9,
        memory=None if memory is None else values.size(memory),
    )


def _host(text: str) -> tuple[str, str]:
    """NAME:ADDRESS, where the address may have colons."""
    name, colon, address = text.partition(":")
    if not name or not colon or not address:
        raise UsageError(Mistake("--add-host", "write NAME:ADDRESS", text))
    return name, address


def _volume(text: str) -> "Volume":
    """SRC:DEST, with :ro or :rw or without."""
    from rootfs_builder.proof.sandbox import Volume
    from rootfs_builder.recipe import values

    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not source or not target.startswith("/") or mode not in ("", "ro", "rw"):
        what = "write SRC:DEST, and :ro if it is only to be read; DEST is an absolute path"
        raise UsageError(Mistake("--volume", what, text))
    return Volume(values.absolute(source, options.working_directory()), target, mode != "ro")
