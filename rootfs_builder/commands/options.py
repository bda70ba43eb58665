"""Command-line options that several verbs have, and what they mean: the Recipe, the inputs."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rootfs_builder.choices import DLOPEN, EPOCH, HWCAPS
from rootfs_builder.commands.verb import OptionalValue
from rootfs_builder.errors import InputError, Mistake, UsageError
from rootfs_builder.paths import decode

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from click.shell_completion import CompletionItem

    from rootfs_builder.recipe import Recipe
    from rootfs_builder.recipe.reference import Reference

F = TypeVar("F", bound=Callable[..., Any])


def file_names(_ctx: click.Context, _param: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Let the shell complete a path."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(typed, type="file")]


def directories(_ctx: click.Context, _param: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Let the shell complete a directory."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(typed, type="dir")]


_FILES = (
    click.option(
        "--sysroot",
        metavar="DIR|IMAGE",
        shell_complete=file_names,
        help="Take libraries, loader and interpreters from this root instead of /.",
    ),
    click.option(
        "--base",
        metavar="IMAGE",
        shell_complete=file_names,
        help="Build on top of this image, as FROM does; its files are not packed again.",
    ),
    click.option(
        "-L",
        "--library-path",
        multiple=True,
        metavar="DIR",
        shell_complete=directories,
        help="Also look for libraries here, as with LD_LIBRARY_PATH.",
    ),
    click.option(
        "--include-lib",
        multiple=True,
        metavar="NAME",
        help="Add a library that the program loads by dlopen, with its dependencies.",
    ),
    click.option(
        "--add",
        multiple=True,
        metavar="SRC[:DEST]",
        shell_complete=file_names,
        help="Add a file or directory; ELF files in it get their libraries.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out matching paths of --add, as in .dockerignore: **/__pycache__.",
    ),
    click.option(
        "--allow-sensitive",
        cls=OptionalValue,
        multiple=True,
        metavar="[=PATH]",
        shell_complete=file_names,
        help="Let --add include secrets such as private keys: all, or those at PATH.",
    ),
    click.option(
        "--hwcaps",
        type=click.Choice(HWCAPS),
        help="Include libraries built for special CPUs: all (the default), or none.",
    ),
    click.option("--at", metavar="PATH", help="Path of the program in the image."),
    click.option(
        "--owner",
        multiple=True,
        metavar="PATH=USER[:GROUP]",
        help="Owner of PATH, recursively (default: root).",
    ),
    click.option(
        "--mode",
        multiple=True,
        metavar="PATH=MODE",
        help="The mode of PATH, in octal digits; 4755 sets the user id.",
    ),
    click.option(
        "--cap",
        multiple=True,
        metavar="PATH=CAPABILITIES",
        help="File capabilities, as setcap takes them: ./server=cap_net_bind_service+ep; or none.",
    ),
    click.option(
        "--with",
        "with_",
        multiple=True,
        metavar="NAME[=VALUE]",
        help="Make this rule act (`rootfs-builder rules` lists the rules).",
    ),
    click.option(
        "--without",
        multiple=True,
        metavar="NAME",
        help="Stop this rule from acting; all stops every rule not named by --with.",
    ),
    click.option(
        "--rules",
        "rule_files",
        multiple=True,
        metavar="FILE",
        shell_complete=file_names,
        help="Read rules of your own from a TOML file.",
    ),
    click.option(
        "--nss",
        metavar="files|keep|SERVICE,...",
        help="Look up users and hosts in files and DNS, as on the host, or in these services.",
    ),
    click.option(
        "--dlopen",
        type=click.Choice(DLOPEN),
        help="Lowest priority of dlopen notes to follow (default: recommended).",
    ),
)

strip = click.option(
    "--strip",
    is_flag=True,
    help="Remove symbols, with binutils' strip.",
)
archive = click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    shell_complete=file_names,
    help="The archive; - is stdout, oci:DIR a directory.",
)
quiet = click.option(
    "-q", "--quiet", is_flag=True, help="Print only errors and withheld files on stderr."
)
verbose = click.option("-v", "--verbose", is_flag=True, help="List every file and why it is there.")
debug = click.option("--debug", is_flag=True, help="Show a traceback with an error.")


def each(options: tuple[Callable[[F], F], ...]) -> Callable[[F], F]:
    """Options as one decorator, in the order in which help shows them."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def files(function: F) -> F:
    """The options that decide which files go in."""
    return each(_FILES)(function)


def files_here(function: F) -> F:
    """The same for a verb that runs something, which is on this machine: without --sysroot."""
    return each(_FILES[1:])(function)


executables = click.argument(
    "executables", nargs=-1, required=True, metavar="EXECUTABLE...", shell_complete=file_names
)
no_limits = click.option(
    "--no-limits",
    is_flag=True,
    help="Read IMAGE without limits on memory, time and disk.",
)
timeout = click.option(
    "--timeout",
    default="60s",
    metavar="TIME",
    help="Longest time for the command: 90s, 5m (default: 60s).",
)

policy = click.option(
    "--policy",
    multiple=True,
    metavar="FILE",
    shell_complete=file_names,
    help="Fail if the image breaks a rule of this policy, a TOML file.",
)


json_alone = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


def as_json(verb: str) -> Callable[[F], F]:
    """The options that print JSON, and the JSON Schema of what a verb prints so."""

    def show(ctx: click.Context, _param: click.Parameter, value: object) -> None:
        if value and not ctx.resilient_parsing:
            from rootfs_builder.views import documents

            click.echo(documents.schema(verb), nl=False)
            ctx.exit()

    schema = click.option(
        "--schema",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Print the JSON Schema of --json.",
    )
    return each((json_alone, schema))


def check_stdout(output: str, *, as_json: bool) -> None:
    """Refuse an archive on a stdout that is for JSON."""
    if output == "-" and as_json:
        raise UsageError("-o - and --json: stdout takes one of them")


def no_command(command: tuple[str, ...] | None, verb: str) -> None:
    """Refuse arguments after `--` for a verb that starts nothing."""
    if command is not None:
        raise UsageError(f"{verb} starts nothing, so arguments after -- have no meaning here")


def seconds(text: str) -> float:
    """The value of --timeout.

    Raises:
        UsageError: it is not a time.
    """
    from rootfs_builder.recipe import values

    try:
        return values.duration(text) / 10**9
    except UsageError as error:
        raise UsageError(Mistake("--timeout", str(error))) from None


def recipe(*, directory: str | None = None, **options: Any) -> "Recipe":
    """The Recipe that options describe; relative paths start at `directory`, or here."""
    from rootfs_builder import recipe as recipes

    return recipes.from_options(directory=directory or working_directory(), **options)


def working_directory() -> str:
    """Where relative paths of the command line start."""
    try:
        return decode(os.getcwdb())
    except FileNotFoundError:
        raise InputError("the working directory does not exist any more; cd to another") from None


def inputs(given: dict[str, Any]) -> dict[str, Any]:
    """What a build reads besides its recipe, as arguments of `pipeline.plan`; `given` loses it."""
    return {name: given.pop(name) for name in ("sysroot", "base", "rule_files")}


def reference(tag: str | None) -> "Reference | None":
    """The name that -t gives."""
    from rootfs_builder.errors import Mistake
    from rootfs_builder.recipe import reference as references

    try:
        return None if tag is None else references.parse(tag)
    except UsageError as error:
        raise UsageError(*(Mistake("--tag", one.text) for one in error.mistakes)) from None


def epoch() -> int:
    """SOURCE_DATE_EPOCH, in seconds since 1970; EPOCH if it is not set."""
    from rootfs_builder.image.tar import MAX_TIME

    value = os.environ.get("SOURCE_DATE_EPOCH", "").strip() or str(EPOCH)
    if not value.isascii() or not value.isdigit() or int(value) > MAX_TIME:
        raise UsageError(f"SOURCE_DATE_EPOCH={value}: seconds since 1970, 0 to {MAX_TIME}")
    return int(value)
