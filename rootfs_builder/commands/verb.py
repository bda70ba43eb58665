"""The click command of each verb, whose errors say in values what is wrong."""

import click


class ExtraArgumentsError(click.UsageError):
    """More arguments than the verb takes."""

    def __init__(self, arguments: list[str], ctx: click.Context) -> None:
        super().__init__(f"unexpected: {' '.join(arguments)}", ctx)
        self.arguments = arguments


class OptionalValue(click.Option):
    """An option whose value, if it has one, follows `=`; without one it means "/", all.

    click's own optional values would also take the argument after the option: the program.
    """

    ALL = "/"

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Show the value as it is typed: --option[=VALUE]."""
        record = super().get_help_record(ctx)
        return record and (record[0].replace(" [=", "[="), record[1])


class Verb(click.Command):
    """A command whose errors of parsing have its context, and name arguments that are too many."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments of the verb."""
        ctx.allow_extra_args = True
        optional = [param for param in self.params if isinstance(param, OptionalValue)]
        bare = {name for param in optional for name in param.opts}
        args = [f"{arg}={OptionalValue.ALL}" if arg in bare else arg for arg in args]
        try:
            self._refuse_again(self.make_parser(ctx).parse_args([*args])[2], ctx)
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if rest and not ctx.resilient_parsing:
            raise ExtraArgumentsError(rest, ctx)
        return rest

    @staticmethod
    def _refuse_again(given: list[click.Parameter], ctx: click.Context) -> None:
        """Refuse an option that takes one value and was given several: none of them counts more."""
        known = set[str]()
        for one in given:
            single = isinstance(one, click.Option) and not (one.multiple or one.is_flag)
            if single and one.name in known:
                raise click.UsageError(f"{one.opts[-1]}: given more than once; give it once", ctx)
            known.add(one.name or "")
