"""`rootfs-builder completion`: the completion script of a shell."""

import click

from rootfs_builder.commands import options
from rootfs_builder.commands.verb import Verb

VARIABLE = "_ROOTFS_BUILDER_COMPLETE"  # the name that click looks for in the environment


@click.command(cls=Verb, epilog='Example: eval "$(rootfs-builder completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
@options.debug
@click.pass_context
def command(ctx: click.Context, /, *, shell: str, debug: bool) -> None:
    """Print the completion script for a shell, to be evaluated in its start file.

    bash: ~/.bashrc, zsh: ~/.zshrc after compinit, both with the line below. fish:
    rootfs-builder completion fish > ~/.config/fish/completions/rootfs-builder.fish
    """
    del debug
    options.no_command(ctx.obj, "completion")
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has the three that the choice allows
    script = found(ctx.find_root().command, {}, "rootfs-builder", VARIABLE)
    click.echo(script.source(), nl=False)
