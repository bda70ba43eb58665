"""`rootfs-builder cache`: what is remembered for later runs."""

import click

from rootfs_builder.commands import options
from rootfs_builder.commands.verb import Verb
from rootfs_builder.paths import printable


@click.command(cls=Verb, epilog="Example: rootfs-builder cache info")
@click.argument("action", type=click.Choice(["info", "clear"]), metavar="info|clear")
@options.debug
@click.pass_obj
def command(cmd: tuple[str, ...] | None, /, *, action: str, debug: bool) -> None:
    """Show or clear the cache.

    It is in rootfs-builder below XDG_CACHE_HOME, or ~/.cache; what was used longest ago goes first.
    """
    del debug
    options.no_command(cmd, "cache")
    from rootfs_builder.cache import LIMIT
    from rootfs_builder.commands import memory

    cache = memory.cache()
    entries = list(cache.entries())
    size = sum(entry.size for entry in entries)
    shown = printable(memory.directory())
    if not cache:
        click.echo(f"{shown}: cannot be written, so nothing is remembered")
    elif action == "info":
        click.echo(f"{shown}: {len(entries):,} entries, {size:,} bytes of {LIMIT:,}")
    else:
        cache.clear()
        click.echo(f"{shown}: {len(entries):,} entries forgotten, {size:,} bytes")
