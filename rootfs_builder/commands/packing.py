"""What `pack` and `build` share: the options that describe an image, and the image they describe.

The options stand here once: `pack` takes them from the command line, a recipe has them as keys.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.choices import COMPARES, COMPRESSIONS, FORMATS
from rootfs_builder.commands import jobserver, options, terminal
from rootfs_builder.commands.verb import Unless
from rootfs_builder.errors import Mistake, UsageError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.choices import Format
    from rootfs_builder.pipeline import Result
    from rootfs_builder.plan import Plan
    from rootfs_builder.recipe import Recipe
    from rootfs_builder.recipe.destination import Destination
    from rootfs_builder.views.documents.images import Packed

_SAYING = (  # what the end needs: it is there before anything is written, or nothing is
    "rootfs_builder.views.summary",
    "rootfs_builder.views.documents.images",
)
_OUTPUT = (
    click.option(
        "-o",
        "--output",
        cls=Unless,
        unless="dry_run",
        required=True,
        metavar="FILE",
        shell_complete=options.file_names,
        help="The archive; - is stdout, oci:DIR a directory.",
    ),
    click.option(
        "--format",
        "shape",
        type=click.Choice(FORMATS),
        help="Format of the archive: OCI layout, docker save, or both (the default).",
    ),
    click.option(
        "--iidfile",
        metavar="FILE",
        shell_complete=options.file_names,
        help="Write the image's ID, its config's digest.",
    ),
    click.option(
        "--metadata-file",
        metavar="FILE",
        shell_complete=options.file_names,
        help="Write name and digests in buildx's format.",
    ),
    click.option(
        "--max-size",
        metavar="SIZE",
        help="Fail if the files exceed SIZE in total, and list the largest.",
    ),
    options.policy,
)
_CONFIG = (
    click.option(
        "-t",
        "--tag",
        multiple=True,
        metavar="NAME[:TAG]",
        help="The image's name; may be given several times.",
    ),
    click.option(
        "--entrypoint", metavar="WORDS", help="Command to start, as plain text or a JSON array."
    ),
    click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Set a variable."),
    click.option(
        "-u",
        "--user",
        metavar="NAME[:GROUP]",
        help="Run as this user: a number, nonroot, or a name in the host's /etc/passwd.",
    ),
    click.option("-w", "--workdir", metavar="PATH", help="Start in this directory."),
    click.option("-l", "--label", multiple=True, metavar="KEY=VALUE", help="Add a label."),
    click.option("--annotation", multiple=True, metavar="KEY=VALUE", help="Annotate the manifest."),
    click.option("--expose", multiple=True, metavar="PORT[/PROTO]", help="Document a port."),
    click.option("--volume", multiple=True, metavar="PATH", help="Declare a volume."),
    click.option("--stop-signal", metavar="SIGNAL", help="Signal that stops the container."),
    click.option("--health-cmd", metavar="WORDS", help="Health-check command (exec form)."),
    click.option("--health-interval", metavar="TIME", help="Time between two checks: 30s."),
    click.option("--health-timeout", metavar="TIME", help="Longest duration of a check."),
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
        help="Two layers, system and own files (default); one; or one per package, at most N.",
    ),
    click.option(
        "--compression",
        type=click.Choice(COMPRESSIONS),
        help="Compression of layers (default: gzip); zstd needs docker 23 or newer.",
    ),
    click.option(
        "--compression-level",
        type=int,
        metavar="N",
        help="1 to 12 for gzip (default 6), 1 to 22 for zstd (3).",
    ),
    click.option(
        "--no-plan",
        is_flag=True,
        help="Leave out rootfs-builder.json, the reasons that `why` and `inspect` show.",
    ),
)

_EXERCISE = (
    click.option(
        "--exercise",
        multiple=True,
        metavar="CMD",
        help="Run CMD under strace, add the files it uses, and repeat it in the image.",
    ),
    click.option(
        "--exercise-compare",
        type=click.Choice(COMPARES),
        help="Compare exit code and stdout (default), exit code alone, or nothing.",
    ),
    click.option(
        "--exercise-probe",
        metavar="CMD",
        help="For a daemon: repeat CMD until it succeeds, then stop the daemon.",
    ),
    click.option(
        "--seccomp",
        metavar="FILE",
        shell_complete=options.file_names,
        help="Write a seccomp profile with the system calls of the exercises.",
    ),
    click.option(
        "--security-context",
        metavar="FILE",
        shell_complete=options.file_names,
        help="Write a Kubernetes securityContext, with volumes for written directories.",
    ),
)
_DEPFILE = click.option(
    "--depfile",
    metavar="FILE",
    shell_complete=options.file_names,
    help="Write a dependency file for make, ninja or CMake (FILE.mk: for make alone).",
)

_MAKE = "MAKELEVEL"  # a variable that is set where make is at work
BESIDE = ("iidfile", "metadata_file", "depfile", "seccomp", "security_context")
_NOT_OF_THE_RECIPE = (
    *BESIDE,
    "output",
    "sysroot",
    "base",
    "rule_files",
    "shape",
    "no_plan",
    "policy",
)


def table(function: options.F) -> options.F:
    """The executables and every option that describes an image or where it goes."""
    for decorate in (
        options.each(_EXERCISE),
        options.each(_CONFIG),
        options.strip,
        options.files,
        _DEPFILE,
        options.each(_OUTPUT),
        options.executables,
    ):
        function = decorate(function)
    return function


def check_output(values: Mapping[str, Any]) -> None:
    """Refuse a recipe that does not say where its image goes.

    Raises:
        UsageError: what is wrong with -o.
    """
    output = values.get("output", "")
    if not output:
        raise UsageError(Mistake("-o", 'missing; where the image goes: output = "hello.tar"'))
    if destination(values).is_stdout:
        raise UsageError(Mistake("-o", "a recipe's image goes to a file; name one", output))
    shape(values)


def check_several(several: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what an index of several platforms cannot have.

    Raises:
        UsageError: a file for one image, or a format without indexes.
    """
    for values in several:
        for option, path in _beside(values).items():
            if path is not None:
                text = "an index has several images; leave it out, or pack each for itself"
                raise UsageError(Mistake(option, text, path))
        if values.get("shape") == "docker":
            text = "a docker archive has one platform; hybrid and oci have an index"
            raise UsageError(Mistake("--format", text, "docker"))


def written(values: Mapping[str, Any]) -> dict[str, str | None]:
    """Where each file goes that is written, by its option."""
    return {"-o": values["output"], **_beside(values)}


def _beside(values: Mapping[str, Any]) -> dict[str, str | None]:
    return {f"--{name.replace('_', '-')}": values.get(name) for name in BESIDE}


def recipe(values: Mapping[str, Any], *, directory: str | None = None) -> "Recipe":
    """The recipe of these options; relative paths start at `directory`."""
    given = {key: one for key, one in values.items() if key not in _NOT_OF_THE_RECIPE}
    given["executables"] = values.get("executables", ())
    return options.recipe(directory=directory, shape=shape(values), **given)


def destination(values: Mapping[str, Any]) -> "Destination":
    """Where the image goes.

    Raises:
        UsageError: nothing can be written there.
    """
    from rootfs_builder.recipe.destination import Destination

    return Destination.parse(values.get("output", ""))


def shape(values: Mapping[str, Any]) -> "Format":
    """The format of what is written.

    Raises:
        UsageError: nothing can be written there, or not in this format.
    """
    return destination(values).format(values.get("shape"))


def pack(
    values: Mapping[str, Any],
    *,
    directory: str | None = None,
    epoch: int,
    cached: bool,
    quiet: bool,
    threads: int | None = None,
    planned: "Callable[[Plan], None]" = lambda _: None,
) -> "Result":
    """Write the image of these options; `planned` is called before anything is written."""
    from rootfs_builder import pipeline
    from rootfs_builder.commands import memory
    from rootfs_builder.commands import spinner as spinners

    silent = quiet or bool(values.get("exercise"))  # whose program says what it likes

    def begin(plan: "Plan") -> None:
        spinner.stop()
        for one in _SAYING:
            import_module(one)
        planned(plan)

    with spinners.spinning(quiet=silent) as spinner, terminal.progress(quiet=quiet) as progress:
        return pipeline.pack(
            recipe(values, directory=directory),
            destination(values),
            sysroot=values.get("sysroot"),
            base=values.get("base"),
            rule_files=values.get("rule_files") or (),
            epoch=epoch,
            with_plan=not values.get("no_plan"),
            policy_files=values.get("policy") or (),
            **{name: values.get(name) for name in BESIDE},
            keep=_keeps_times(values),
            cache=memory.cache() if cached else None,
            threads=jobserver.threads(threads),
            planned=begin,
            progress=progress,
            opened=spinner.opened,
        )


def _keeps_times(values: Mapping[str, Any]) -> bool:
    """Whether files with the same bytes keep their times.

    Build tools that read a depfile go by it; only make would then run for ever.
    """
    return values.get("depfile") is not None and _MAKE not in os.environ


def lines(result: "Result", output: str, seconds: float, *, verbose: bool = False) -> list[str]:
    """What was written, for a person; with `verbose` below a table of the files by kind."""
    from rootfs_builder.views import summary

    line = summary.packed(
        result.image, result.plan, output=output, archive=result.size, seconds=seconds
    )
    return [*(summary.of_kinds(result.plan) if verbose else ()), line]


def following(result: "Result", values: Mapping[str, Any]) -> list[str]:
    """The line that says what to type next."""
    from rootfs_builder.views import summary

    line = summary.following(result.image, destination(values), shape(values))
    return [line] if line else []


def name(result: "Result") -> str:
    """What was written, for a script: a line for each name."""
    return "\n".join(f"{one}@{result.image.digest}" for one in result.image.names)


def document(result: "Result") -> "Packed":
    """What `--json` says of an image."""
    from rootfs_builder.views.documents import images

    return images.packed(result.image, result.plan, result.size)
