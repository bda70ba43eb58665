"""The click command of each verb, whose errors say in values what is wrong."""

import click


class ExtraArgumentsError(click.UsageError):
    """More arguments than the verb takes."""

    def __init__(self, arguments: list[str], ctx: click.Context) -> None:
        super().__init__(f"unexpected: {' '.join(arguments)}", ctx)
        self.arguments = arguments


class Verb(click.Command):
    """A command whose errors of parsing have its context, and name arguments that are too many."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments of the verb."""
        ctx.allow_extra_args = True
        try:
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if rest and not ctx.resilient_parsing:
            raise ExtraArgumentsError(rest, ctx)
        return rest
