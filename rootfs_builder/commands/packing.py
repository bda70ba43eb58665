"""What `pack` and `build` share: the options that describe an image, and the image they describe.

The options stand here once: `pack` takes them from the command line, a recipe has them as keys.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from rootfs_builder.commands import dependencies, destinations, jobserver, options, terminal
from rootfs_builder.errors import Mistake, UsageError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.cache import Cache
    from rootfs_builder.cache.file_facts import Facts
    from rootfs_builder.image import Image, Platform
    from rootfs_builder.image.store import Store
    from rootfs_builder.plan import Plan
    from rootfs_builder.recipe import Recipe

_OUTPUT = (
    click.option(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        shell_complete=options.file_names,
        help="The archive; - is stdout, oci:DIR a directory.",
    ),
    click.option(
        "--format",
        "shape",
        type=click.Choice(["hybrid", "oci", "docker"]),
        help="What the archive is: an OCI layout, what docker save writes, or both (the default).",
    ),
    click.option(
        "--iidfile",
        metavar="FILE",
        shell_complete=options.file_names,
        help="Write the image's ID there, the digest of its config.",
    ),
    click.option(
        "--metadata-file",
        metavar="FILE",
        shell_complete=options.file_names,
        help="Write what buildx writes there: name and digests, as JSON.",
    ),
    click.option(
        "--max-size",
        metavar="SIZE",
        help="Fail if the files exceed SIZE in total, and list the largest.",
    ),
)
_CONFIG = (
    click.option("-t", "--tag", metavar="NAME[:TAG]", help="The image's name."),
    click.option(
        "--entrypoint", metavar="WORDS", help="Command that starts, as words or a JSON array."
    ),
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
    click.option("--stop-signal", metavar="SIGNAL", help="Signal that stops the container."),
    click.option("--health-cmd", metavar="WORDS", help="Health-check command (exec form)."),
    click.option("--health-interval", metavar="TIME", help="Time between two checks: 30s."),
    click.option("--health-timeout", metavar="TIME", help="Longest time that a check may take."),
    click.option(
        "--health-start-period",
        metavar="TIME",
        help="Start period: failures during it do not count.",
    ),
    click.option("--health-retries", metavar="N", help='Consecutive failures before "unhealthy".'),
    click.option("--platform", metavar="OS/ARCH", help="Require this platform."),
    click.option(
        "--layers",
        metavar="auto|single|package[:N]",
        help="The system below your files (the default), one layer, or one a package, at most N.",
    ),
    click.option(
        "--compression",
        type=click.Choice(["gzip", "zstd", "none"]),
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
        is_flag=True,
        help="Leave out rootfs-builder.json, which tells `why` and `inspect` the reasons.",
    ),
)

_BESIDE = ("iidfile", "metadata_file", "depfile")
_NOT_OF_THE_RECIPE = (
    *_BESIDE,
    "output",
    "sysroot",
    "rule_files",
    "shape",
    "no_plan",
)


def table(function: options.F) -> options.F:
    """The executables and every option that describes an image or where it goes."""
    for decorate in (
        options.each(_CONFIG),
        options.strip,
        options.files,
        dependencies.option,
        options.each(_OUTPUT),
        options.executables,
    ):
        function = decorate(function)
    return function


class Packed(NamedTuple):
    """An image that is written: of what, and how many bytes it takes."""

    recipe: "Recipe"
    plan: "Plan"
    image: "Image"
    size: int


def check_output(values: Mapping[str, Any]) -> None:
    """Refuse a recipe that does not say where its image goes.

    Raises:
        UsageError: what is wrong with -o.
    """
    output = values.get("output", "")
    if not output:
        raise UsageError(Mistake("-o", 'missing; where the image goes: output = "hello.tar"'))
    if output == "-":
        raise UsageError(Mistake("-o", "a recipe's image goes to a file; name one", "-"))
    shape(values)


def written(values: Mapping[str, Any]) -> dict[str, str | None]:
    """Where each file goes that is written, by its option."""
    return {"-o": values["output"], **_beside(values)}


def _beside(values: Mapping[str, Any]) -> dict[str, str | None]:
    return {f"--{name.replace('_', '-')}": values.get(name) for name in _BESIDE}


def recipe(values: Mapping[str, Any], *, directory: str | None = None) -> "Recipe":
    """The recipe of these options; relative paths start at `directory`."""
    given = {key: one for key, one in values.items() if key not in _NOT_OF_THE_RECIPE}
    given["executables"] = values.get("executables", ())
    return options.recipe(directory=directory, shape=shape(values), **given)


def shape(values: Mapping[str, Any]) -> str:
    """The format of what is written.

    Raises:
        UsageError: nothing can be written there, or not in this format.
    """
    return destinations.shape(values.get("output", ""), values.get("shape"))


def pack(
    values: Mapping[str, Any],
    *,
    directory: str | None = None,
    epoch: int,
    cached: bool,
    quiet: bool,
    threads: int | None = None,
    seen: "Callable[[Plan], None]" = lambda _: None,
) -> Packed:
    """Write the image of these options; `seen` gets what will be in it."""
    from rootfs_builder import pipeline
    from rootfs_builder.cache import Cache
    from rootfs_builder.commands.memory import Memory
    from rootfs_builder.image import buildx_metadata
    from rootfs_builder.plan import split

    wanted = recipe(values, directory=directory)
    output, sysroot = values["output"], values.get("sysroot")
    rule_files = values.get("rule_files") or ()
    depends = dependencies.Dependencies(values.get("depfile"), output, rule_files)
    sources = options.sources(sysroot, depends.opened)
    memory = Memory(wanted, sysroot, use=cached)
    facts = memory.facts
    rules = options.rules(rule_files, facts)
    owners = depends.owners(sources, sysroot, facts) if wanted.layers > 1 else None
    closure, plan = pipeline.plan(wanted, sources, rules=rules, facts=facts, owners=owners)
    seen(plan)
    platform = pipeline.platform(wanted, closure)
    beside = _beside(values)
    destinations.check(plan, written(values))
    with options.scratch(wanted=wanted.strip) as scratch:
        plan = pipeline.trimmed(wanted, plan, scratch)
        parts = split.by_change(plan, budget=wanted.layers)
        build = _build(
            wanted, plan, parts, platform=platform, epoch=epoch, facts=facts, quiet=quiet
        )
        keep = destinations.kept(values.get("depfile"))
        with jobserver.threads(threads) as usable, destinations.beside(beside, keep=keep) as fill:
            fill("--depfile", depends.document())
            packed = _written(
                wanted,
                plan,
                parts,
                build,
                output=output,
                with_plan=not values.get("no_plan"),
                cache=memory.cache if wanted.codec.level else Cache(),
                threads=usable,
                keep=keep,
            )
            fill("--iidfile", packed.image.manifest.config.digest.encode())
            fill("--metadata-file", buildx_metadata.document(packed.image, wanted.name))
    memory.keep()
    return packed


def _build(
    wanted: "Recipe",
    plan: "Plan",
    parts: "tuple[Plan, ...]",
    *,
    platform: "Platform",
    epoch: int,
    facts: "Facts",
    quiet: bool,
) -> "Callable[[Store], Image]":
    """What packs the plan into a store, and shows how far it is."""
    from rootfs_builder import pipeline

    def build(store: "Store") -> "Image":
        with terminal.progress(plan.size, quiet=quiet) as bar:
            return pipeline.image(
                wanted,
                plan,
                store,
                parts=parts,
                platform=platform,
                epoch=epoch,
                facts=facts,
                progress=bar,
            )

    return build


def _written(
    wanted: "Recipe",
    plan: "Plan",
    parts: "tuple[Plan, ...]",
    build: "Callable[[Store], Image]",
    *,
    output: str,
    with_plan: bool,
    cache: "Cache",
    threads: int,
    keep: bool,
) -> Packed:
    from rootfs_builder.image import provenance

    def more(image: "Image") -> dict[str, bytes]:
        if not with_plan:
            return {}
        return {provenance.NAME: provenance.write(image, plan, parts=parts)}

    job = destinations.Job(build, more, wanted.shape, wanted.name, cache, threads)
    image, size = destinations.write(output, job, keep=keep)
    return Packed(wanted, plan, image, size)


def line(packed: Packed, output: str) -> str:
    """What was written, for a person."""
    where = "on stdout" if output == "-" else f"in {output}"
    return f"{packed.recipe.name} for {_platform(packed.image)}: {packed.size:,} bytes {where}"


def result(packed: Packed) -> str:
    """What was written, for a script."""
    return f"{packed.recipe.name}@{packed.image.descriptor.digest}"


def _platform(image: "Image") -> str:
    """The platform as one word."""
    parts = (image.config.os, image.config.architecture, image.config.variant)
    return "/".join(part for part in parts if isinstance(part, str))


def facts(packed: Packed) -> dict[str, Any]:
    """What `--json` says of an image."""
    from rootfs_builder.plan import hard_links

    recipe, plan, image, size = packed
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
        "findings": [
            {"level": one.level, "code": one.code, "text": one.text} for one in plan.findings
        ],
    }
