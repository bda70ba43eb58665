"""Command-line options of builds, and the Recipe, Sources and Rules that they describe."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rootfs_builder.errors import InputError, Mistake, NotFoundError, UsageError
from rootfs_builder.paths import decode, encode

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from click.shell_completion import CompletionItem

    from rootfs_builder.cache.file_facts import Facts
    from rootfs_builder.filesystem.root import Root
    from rootfs_builder.filesystem.sources import Sources
    from rootfs_builder.needs.rules import Rules
    from rootfs_builder.recipe import Recipe

_MAX_RULES = 1 << 24
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
        metavar="DIR",
        shell_complete=directories,
        help="Take libraries, loader and scripts' interpreters from this root, not from /.",
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
        help="Add a library that the program loads by dlopen, and what it needs.",
    ),
    click.option(
        "--add",
        multiple=True,
        metavar="SRC[:DEST]",
        shell_complete=file_names,
        help="Add a file or directory; ELF files in it get their libraries.",
    ),
    click.option(
        "--allow-sensitive",
        is_flag=True,
        help="Let --add include secrets: accounts, passwords, private keys.",
    ),
    click.option(
        "--hwcaps",
        type=click.Choice(["all", "baseline"]),
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
        help="Add what this rule adds (`rootfs-builder rules` lists the rules).",
    ),
    click.option(
        "--without", multiple=True, metavar="NAME", help="Leave out what this rule would add."
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
        help="How users and hosts are looked up: files and DNS, as here, or by these services too.",
    ),
    click.option(
        "--dlopen",
        type=click.Choice(["required", "recommended", "suggested", "none"]),
        help="Lowest priority of dlopen notes to follow (default: recommended).",
    ),
)

strip = click.option(
    "--strip",
    is_flag=True,
    help="Remove symbols and debug sections, with binutils' strip.",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Only errors on stderr.")
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


executables = click.argument(
    "executables", nargs=-1, required=True, metavar="EXECUTABLE...", shell_complete=file_names
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


def no_command(command: tuple[str, ...] | None, verb: str) -> None:
    """Refuse arguments after `--` for a verb that starts nothing."""
    if command is not None:
        raise UsageError(f"{verb} starts nothing, so arguments after -- have no meaning here")


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


def rules(files: tuple[str, ...] = (), facts: "Facts | None" = None) -> "Rules":
    """The rules, with those of the user's files."""
    from rootfs_builder.needs import rules as rule_room

    return rule_room.load(tuple((file, _rules_text(file)) for file in files), facts=facts)


def _rules_text(file: str) -> str:
    data = beginning(encode(file), ("--rules", file), _MAX_RULES + 1)
    if len(data) > _MAX_RULES:
        raise InputError(
            Mistake("--rules", f"over {_MAX_RULES:,} bytes, which no rules have", file)
        )
    return toml_text(data, ("--rules", file))


def beginning(path: bytes, about: tuple[str, str], size: int, *, advice: str = "") -> bytes:
    """At most the first `size` bytes of a file that the user names.

    Mistakes are `about` an option, or none, and its value; `advice` says what to do if there is no
    such file.
    """
    option, value = about
    try:
        with open(path, "rb") as stream:
            return stream.read(size)
    except FileNotFoundError:
        raise NotFoundError(Mistake(option, f"no such file{advice}", value)) from None
    except OSError as error:
        raise InputError(Mistake(option, str(error.strerror), value)) from error


def toml_text(data: bytes, about: tuple[str, str]) -> str:
    """The text of a file in TOML; a mistake is `about` an option, or none, and its value."""
    option, value = about
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InputError(Mistake(option, "not UTF-8 text, which TOML is", value)) from None


def sources(
    sysroot: str | None, opened: "Callable[[Root, str], Root]" = lambda root, _: root
) -> "Sources":
    """What the build reads: this machine, or `sysroot` and, for other files, this machine.

    `opened` may replace the Root of each directory by another.
    """
    from rootfs_builder.filesystem.root import DirectoryRoot
    from rootfs_builder.filesystem.sources import Sources

    machine = opened(DirectoryRoot(), "/")
    if sysroot is None:
        return Sources(machine)
    if not sysroot:
        raise UsageError(Mistake("--sysroot", "the directory has no name"))
    directory = os.path.realpath(encode(sysroot))
    if os.path.exists(directory) and not os.path.isdir(directory):
        raise InputError(Mistake("--sysroot", "not a directory", sysroot))
    if not os.path.isdir(directory):
        raise NotFoundError(Mistake("--sysroot", "no such directory", sysroot))
    if directory == b"/":
        return Sources(machine)
    shown = decode(directory)
    return Sources(machine, opened(DirectoryRoot(shown), shown), shown)


@contextmanager
def scratch(*, wanted: bool) -> Iterator[str]:
    """A temporary directory if `wanted`, else ""."""
    if not wanted:
        yield ""
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="rootfs-builder.") as directory:
        yield decode(os.fsencode(directory))


def epoch() -> int:
    """SOURCE_DATE_EPOCH, in seconds since 1970; 0 if it is not set."""
    from rootfs_builder.image.tar import MAX_TIME

    value = os.environ.get("SOURCE_DATE_EPOCH", "").strip() or "0"
    if not value.isascii() or not value.isdigit() or int(value) > MAX_TIME:
        raise UsageError(f"SOURCE_DATE_EPOCH={value}: seconds since 1970, 0 to {MAX_TIME}")
    return int(value)
