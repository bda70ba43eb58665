"""`rootfs-builder pack`: programs in, an image archive out."""

from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.commands import dependencies, destinations, jobserver, options, terminal

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.image import Image
    from rootfs_builder.plan import Plan
    from rootfs_builder.recipe import Recipe
    from rootfs_builder.store import Store

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
    click.option(
        "--health-cmd", metavar="WORDS", help="What tells whether it works, run without a shell."
    ),
    click.option("--health-interval", metavar="TIME", help="The time between two checks: 30s."),
    click.option("--health-timeout", metavar="TIME", help="How long a check may take."),
    click.option("--health-start-period", metavar="TIME", help="How long it may fail at first."),
    click.option("--health-retries", metavar="N", help="How many failures are an end."),
    click.option("--platform", metavar="OS/ARCH", help="Insist on a platform."),
    click.option(
        "--layers",
        default="auto",
        metavar="auto|single|package[:N]",
        help="The system below your files (the default), one layer, or one a package, at most N.",
    ),
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
    click.option(
        "--no-plan",
        "with_plan",
        is_flag=True,
        default=True,
        flag_value=False,
        help="Leave out rootfs-builder.json, which tells `why` and `inspect` the reasons.",
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
    help="The archive; - is stdout, oci:DIR a directory.",
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["hybrid", "oci", "docker"]),
    help="What the archive is: an OCI layout, what docker save writes, or both (the default).",
)
@click.option(
    "--iidfile",
    metavar="FILE",
    shell_complete=options.file_names,
    help="Write the image's ID there, the digest of its config.",
)
@click.option(
    "--metadata-file",
    metavar="FILE",
    shell_complete=options.file_names,
    help="Write what buildx writes there: name and digests, as JSON.",
)
@click.option(
    "--max-size",
    metavar="SIZE",
    help="Fail, with the largest files, where all have more bytes together: 10MB.",
)
@dependencies.option
@options.files
@options.strip
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
    shape: str | None,
    iidfile: str | None,
    metadata_file: str | None,
    depfile: str | None,
    sysroot: str | None,
    rule_files: tuple[str, ...],
    no_cache: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    with_plan: bool,
    **given: Any,
) -> None:
    """Write a container image with EXECUTABLE and exactly the files it needs.

    The first EXECUTABLE is what the container starts; words behind -- are its arguments. docker
    load, podman load and skopeo (docker-archive: and oci-archive:) take the archive.
    """
    del debug
    shape = destinations.shape(output, shape, as_json=as_json)
    from rootfs_builder import assemble, metadata, record, split
    from rootfs_builder.commands.memory import Memory

    recipe = options.recipe(command=cmd or (), shape=shape, **given)
    epoch = options.epoch()
    depends = dependencies.Dependencies(depfile, output, rule_files)
    sources = options.sources(sysroot, depends.opened)
    rules = options.rules(rule_files)
    memory = Memory(recipe, sysroot, use=not no_cache)
    facts = memory.facts
    beside = {"--iidfile": iidfile, "--metadata-file": metadata_file, "--depfile": depfile}
    owners = depends.owners(sources, sysroot, facts) if recipe.layers > 1 else None
    closure, plan = assemble.plan(recipe, sources, rules=rules, facts=facts, owners=owners)
    if verbose:
        terminal.reasons(plan)
    platform = assemble.platform(recipe, closure)
    destinations.check(plan, {"-o": output, **beside})
    with options.scratch(wanted=recipe.strip) as scratch:
        plan = assemble.trimmed(recipe, plan, scratch)

        def build(store: "Store") -> "Image":
            with terminal.progress(plan.size, quiet=quiet) as progress:
                return assemble.image(
                    recipe,
                    plan,
                    store,
                    platform=platform,
                    epoch=epoch,
                    facts=facts,
                    progress=progress,
                )

        def extra(image: "Image") -> dict[str, bytes]:
            if not with_plan:
                return {}
            parts = split.by_change(plan, budget=recipe.layers)
            return {record.NAME: record.write(image, plan, parts=parts)}

        with jobserver.threads() as threads, destinations.beside(beside) as fill:
            fill("--depfile", depends.document())
            image, size = destinations.write(
                output,
                build,
                shape=shape,
                name=recipe.name,
                cache=memory.cache if recipe.codec.level else None,
                extra=extra,
                threads=threads,
            )
            fill("--iidfile", image.manifest.config.digest.encode())
            fill("--metadata-file", metadata.document(image, recipe.name))
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
            {
                "digest": layer.digest,
                "size": layer.size,
                "diff_id": diff_id,
                "content": history.created_by,
            }
            for layer, diff_id, history in zip(
                image.manifest.layers,
                image.config.rootfs.diff_ids,
                image.config.history,
                strict=True,
            )
        ],
        "files": sum(one.kind == "file" and one.path not in links for one in plan.entries),
        "bytes": plan.size,
        "archive_bytes": size,
        "findings": [{"level": one.level, "text": one.text} for one in plan.findings],
    }
