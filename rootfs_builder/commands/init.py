"""`rootfs-builder init`: a program in, a recipe for it out."""

import os

import click

from rootfs_builder.commands import options
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import OutputError

_RECIPE = "rootfs.toml"


@click.command(cls=Verb, epilog="Example: rootfs-builder init ./hello && rootfs-builder build")
@options.executables
@options.debug
@click.pass_obj
def command(cmd: tuple[str, ...] | None, /, *, executables: tuple[str, ...], debug: bool) -> None:
    """Write rootfs.toml for EXECUTABLE, with every other key commented out.

    Arguments after -- are passed to the program. An existing recipe is not changed.
    """
    del debug
    from rootfs_builder.commands import packing
    from rootfs_builder.commands.keys import keys
    from rootfs_builder.paths import name
    from rootfs_builder.recipe import keys as recipe_keys

    values = {
        "executables": executables,
        **({"command": cmd} if cmd else {}),
        "output": f"{name(executables[0].rstrip('/')) or 'image'}.tar",
    }
    packing.recipe(values)
    text = recipe_keys.template(values, keys())
    try:
        with open(_RECIPE, "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise OutputError(
            f"{_RECIPE}: already exists and is not changed; edit it, or remove it first"
        ) from None
    except OSError as error:
        raise OutputError(f"{_RECIPE}: cannot be written: {error.strerror}") from error
    click.echo(os.path.join(".", _RECIPE))
