"""`rootfs-builder init`: a program in, a recipe for it out."""

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from rootfs_builder.commands import options
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import OutputError, UsageError

_RECIPE = "rootfs.toml"
_QUESTIONS = (  # the parameter of an option, and what is asked; several answers have blanks between
    ("user", "User that runs it: root, nonroot, a name or a number", "root"),
    ("expose", "Ports that it listens on, such as 8080 53/udp", "none"),
    ("add", "Files to add, such as site:/srv/site", "none"),
)


def _is_asked() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


class _Executables(click.Argument):
    """EXECUTABLE..., for which a terminal is asked."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """See click.Argument."""
        self.required = not (_is_asked() and not ctx.resilient_parsing)
        return super().process_value(ctx, value)


@click.command(cls=Verb, epilog="Example: rootfs-builder init ./hello && rootfs-builder build")
@click.argument(
    "executables",
    nargs=-1,
    cls=_Executables,
    required=True,
    metavar="EXECUTABLE...",
    shell_complete=options.file_names,
)
@options.debug
@click.pass_obj
def command(cmd: tuple[str, ...] | None, /, *, executables: tuple[str, ...], debug: bool) -> None:
    """Write rootfs.toml for EXECUTABLE, with every other key commented out.

    On a terminal it asks for the program, its user, ports and files. Arguments after -- are passed
    to the program. An existing recipe is not changed.
    """
    del debug
    from rootfs_builder.commands import packing
    from rootfs_builder.commands.keys import keys
    from rootfs_builder.recipe import keys as recipe_keys

    if os.path.lexists(_RECIPE):
        raise _there()
    values = _values(executables, cmd)
    packing.recipe(values)
    text = recipe_keys.template(values, keys())
    try:
        with open(_RECIPE, "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise _there() from None
    except OSError as error:
        raise OutputError(f"{_RECIPE}: cannot be written: {error.strerror}") from error
    click.echo(os.path.join(".", _RECIPE))


def _there() -> OutputError:
    return OutputError(f"{_RECIPE}: already exists and is not changed; edit it, or remove it first")


def _values(executables: tuple[str, ...], cmd: tuple[str, ...] | None) -> dict[str, Any]:
    """The values of the recipe's keys, as they are given or answered."""
    from rootfs_builder.paths import name

    values: dict[str, Any] = {}
    if not executables:
        executables = (_ask("Program, such as ./hello", "", lambda text: text),)
    values["executables"] = executables
    if cmd:
        values["command"] = cmd
    values["output"] = f"{name(executables[0].rstrip('/')) or 'image'}.tar"
    for parameter, question, default in _QUESTIONS if _is_asked() else ():
        found = _ask(question, default, _reader(values, parameter))
        if found:
            values[parameter] = found
    return values


def _reader(values: dict[str, Any], parameter: str) -> Callable[[str], Any]:
    """What reads the value of an option, which has to fit the others."""
    from rootfs_builder.commands import packing
    from rootfs_builder.recipe.options import BY_PARAMETER

    def read(text: str) -> Any:
        value = tuple(text.split()) if BY_PARAMETER[parameter].takes_many else text
        packing.recipe({**values, parameter: value})
        return value

    return read


def _ask(question: str, default: str, read: Callable[[str], Any]) -> Any:
    """The answer to a question, asked until it can be read; None where the default is taken."""
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        click.echo(shown, nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            raise click.Abort
        text = line.strip()
        if default and text in ("", default):
            return None
        try:
            if text:
                return read(text)
        except UsageError as error:
            click.echo(str(error), err=True)
