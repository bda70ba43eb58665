"""`rootfs-builder pack`: programs in, an image archive out."""

import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from rootfs_builder.commands import options, terminal
from rootfs_builder.errors import OutputError, UsageError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from collections.abc import Callable

    from rootfs_builder.image import Image
    from rootfs_builder.plan import Plan
    from rootfs_builder.recipe import Recipe

    Write = Callable[[BinaryIO], tuple[Image, int]]

_CONFIG = (
    click.option("-t", "--tag", metavar="NAME[:TAG]", help="The image's name."),
    click.option("--entrypoint", metavar="WORDS", help="What starts, as words or a JSON array."),
    click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Set a variable."),
    click.option(
        "-u",
        "--user",
        metavar="NAME[:GROUP]",
        help="Run as this user: digits, nonroot, or a name in the /etc/passwd here.",
    ),
    click.option("-w", "--workdir", metavar="PATH", help="Start in this directory."),
    click.option("-l", "--label", multiple=True, metavar="KEY=VALUE", help="Add a label."),
    click.option("--annotation", multiple=True, metavar="KEY=VALUE", help="Annotate the manifest."),
    click.option("--expose", multiple=True, metavar="PORT[/PROTO]", help="Document a port."),
    click.option("--volume", multiple=True, metavar="PATH", help="Declare a volume."),
    click.option("--stop-signal", metavar="SIGNAL", help="What asks the program to stop."),
    click.option("--platform", metavar="OS/ARCH", help="Insist on a platform."),
    click.option(
        "--compression",
        type=click.Choice(["gzip", "zstd", "none"]),
        default="gzip",
        help="How layers are compressed; zstd needs docker 23 or newer. The default is gzip.",
    ),
    click.option(
        "--compression-level",
        type=int,
        metavar="N",
        help="1 to 12 for gzip (6 is the default), 1 to 22 for zstd (3).",
    ),
)


@click.command(
    epilog="Example: rootfs-builder pack ./server -o server.tar -t server:1.0 -u 1000 -- --port 80"
)
@options.executables
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    shell_complete=options.file_names,
    help="The archive; - is stdout.",
)
@options.files
@options.each(_CONFIG)
@click.option("--no-cache", is_flag=True, help="Remember nothing, and use nothing remembered.")
@options.as_json
@options.quiet
@options.verbose
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    output: str,
    sysroot: str | None,
    rule_files: tuple[str, ...],
    no_cache: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Write a container image with EXECUTABLE and exactly the files it needs.

    The first EXECUTABLE is what the container starts; words behind -- are its arguments. docker
    load, podman load and skopeo (docker-archive: and oci-archive:) take the archive.
    """
    del debug
    _check_output(output, as_json=as_json)
    from rootfs_builder import assemble
    from rootfs_builder.commands.memory import Memory

    recipe = options.recipe(command=cmd or (), **given)
    epoch = options.epoch()
    rules = options.rules(rule_files)
    memory = Memory(recipe, sysroot, use=not no_cache)
    facts = memory.facts
    closure, plan = assemble.plan(recipe, options.sources(sysroot), rules=rules, facts=facts)
    if verbose:
        terminal.reasons(plan)
    platform = assemble.platform(recipe, closure)
    if output != "-":
        _check_no_input(output, plan)

    def write(stream: BinaryIO) -> "tuple[Image, int]":
        from rootfs_builder.archives import hybrid
        from rootfs_builder.store import Store

        cache = memory.cache if recipe.codec.level else None
        store = Store(stream, cache, front=hybrid.FRONT)
        with terminal.progress(plan.size, quiet=quiet) as progress:
            image = assemble.image(
                recipe, plan, store, platform=platform, epoch=epoch, facts=facts, progress=progress
            )
        hybrid.write(image, store, name=recipe.name)
        return image, stream.tell()

    image, size = _to_stdout(write) if output == "-" else _to_file(output, write)
    memory.keep()
    if not quiet:
        where = "on stdout" if output == "-" else f"in {output}"
        line = f"{recipe.name} for {_platform(image)}: {size:,} bytes {where}"
        terminal.summary(plan, line)
    result = f"{recipe.name}@{image.descriptor.digest}"
    if as_json:
        import json

        result = json.dumps(_facts(recipe, plan, image, size), indent=2)
    if output != "-" or not quiet:
        click.echo(result, err=output == "-")


def _check_output(output: str, *, as_json: bool) -> None:
    if output == "-" and sys.stdout.isatty():
        raise UsageError(
            "-o -: an archive is not for a terminal; redirect it: … -o - | docker load"
        )
    if output == "-" and as_json:
        raise UsageError("-o - and --json: stdout takes one of them")
    options.destination(output)


def _check_no_input(output: str, plan: "Plan") -> None:
    """Refuse `pack ./hello -o hello`: it would replace the program."""
    from rootfs_builder.paths import printable
    from rootfs_builder.root import FileSource

    try:
        info = os.stat(os.fsencode(output))
    except OSError:
        return
    for entry in plan.entries:
        source = entry.content
        if isinstance(source, FileSource) and source.stamp[:2] == (info.st_dev, info.st_ino):
            raise UsageError(
                f"-o {output}: would be overwritten, and goes into the image as "
                f"{printable(entry.path)}; name another file"
            )


def _to_file(output: str, write: "Write") -> "tuple[Image, int]":
    from rootfs_builder import output as outputs

    with outputs.file(options.text(output)) as stream:
        return write(stream)


def _to_stdout(write: "Write") -> "tuple[Image, int]":
    """The archive is complete before its first byte is written."""
    import shutil  # 10 ms with tempfile, for this case alone
    import tempfile

    try:
        directory = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise OutputError(
            "-o -: no directory can be written that could keep the archive until it is complete; "
            "TMPDIR names one"
        ) from error
    with tempfile.TemporaryFile(dir=directory) as stream:
        try:
            result = write(stream)
            stream.seek(0)
        except OSError as error:
            raise OutputError(
                f"-o -: {error.strerror} in {directory}, where the archive is kept until it is "
                "complete; TMPDIR names another directory"
            ) from error
        shutil.copyfileobj(stream, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
        return result


def _platform(image: "Image") -> str:
    """The platform as one word."""
    parts = (image.config.os, image.config.architecture, image.config.variant)
    return "/".join(part for part in parts if isinstance(part, str))


def _facts(recipe: "Recipe", plan: "Plan", image: "Image", size: int) -> dict[str, Any]:
    from rootfs_builder.plan import hard_links

    links = hard_links(plan.entries)
    return {
        "name": str(recipe.name),
        "digest": image.descriptor.digest,
        "config": image.manifest.config.digest,
        "platform": _platform(image),
        "layers": [
            {"digest": layer.digest, "size": layer.size, "diff_id": diff_id}
            for layer, diff_id in zip(
                image.manifest.layers, image.config.rootfs.diff_ids, strict=True
            )
        ],
        "files": sum(one.kind == "file" and one.path not in links for one in plan.entries),
        "bytes": plan.size,
        "archive_bytes": size,
        "findings": [{"level": one.level, "text": one.text} for one in plan.findings],
    }
