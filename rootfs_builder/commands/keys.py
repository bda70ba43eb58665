"""click's options → the keys of a recipe; what they mean is in `recipe.options`."""

from typing import TYPE_CHECKING

import click

from rootfs_builder.commands import packing

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.recipe.keys import Key


def keys() -> "tuple[Key, ...]":
    """Every key of an image, in the order of --help."""
    from rootfs_builder.recipe.keys import Key
    from rootfs_builder.recipe.options import BY_PARAMETER

    # click never sees the arguments after --
    arguments = Key("command", BY_PARAMETER["command"], ("--",), "The program's arguments.", "WORD")
    table = click.command()(packing.table(lambda: None))
    programs, *others = map(_key, table.params)
    return (programs, arguments, *others)


def _key(param: click.Parameter) -> "Key":
    from rootfs_builder.recipe.keys import Key
    from rootfs_builder.recipe.options import BY_PARAMETER, EXECUTABLES

    if not isinstance(param, click.Option):
        name = EXECUTABLES.parameter
        return Key(name, EXECUTABLES, (EXECUTABLES.name,), "The programs.", "./hello")
    return Key(
        name=max(param.opts, key=len).removeprefix("--"),
        option=BY_PARAMETER[str(param.name)],
        options=tuple(param.opts),
        help=param.help or "",
        metavar=param.metavar or "",
    )
