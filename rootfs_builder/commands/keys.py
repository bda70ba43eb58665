"""The options that describe an image → the keys of a recipe: click's options are the one table."""

import re
from typing import TYPE_CHECKING

import click

from rootfs_builder.commands import packing

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.recipe.keys import Key, Kind

_ARGUMENTS = "command"  # the words behind --, which click never sees


def keys() -> "tuple[Key, ...]":
    """Every key of an image, in the order of --help."""
    from rootfs_builder.recipe.keys import Key

    words = Key(_ARGUMENTS, _ARGUMENTS, ("--",), "texts", "The program's arguments.", "WORD")
    table = click.command()(packing.table(lambda: None))
    programs, *others = map(_key, table.params)
    return (programs, words, *others)


def _key(param: click.Parameter) -> "Key":
    from rootfs_builder.recipe.keys import Key

    name = str(param.name)
    if not isinstance(param, click.Option):
        return Key(name, name, ("EXECUTABLE",), "programs", "The programs.", "./hello")
    return Key(
        name=max(param.opts, key=len).removeprefix("--"),
        parameter=name,
        options=tuple(param.opts),
        kind=_kind(param),
        help=param.help or "",
        metavar=param.metavar or "",
        choices=tuple(getattr(param.type, "choices", ())),
        default=None if param.multiple else param.default,
        is_path=re.search("FILE|DIR", param.metavar or "") is not None,
    )


def _kind(param: click.Option) -> "Kind":
    metavar = param.metavar or ""
    if param.is_flag:
        return "flag"
    if isinstance(param.type, click.Choice):
        return "choice"
    if param.type is click.INT:
        return "number"
    if metavar.startswith("SRC"):
        return "files"
    if param.multiple:
        return "pairs" if re.match("[A-Z]+=[A-Z]", metavar) else "texts"
    return "words" if metavar == "WORDS" else "text"
