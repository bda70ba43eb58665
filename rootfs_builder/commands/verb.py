"""The click command of each verb, whose errors say in values what is wrong."""

import os
import re
from itertools import pairwise
from typing import Any

import click

GROUPS = {  # in the order of --help; options that are in none of them go into the last
    "Output": (
        *("output", "shape", "compression", "compression_level", "layers", "platform", "no_plan"),
        *("iidfile", "metadata_file", "max_size", "policy", "strip", "dry_run", "print_recipe"),
    ),
    "Image config": (
        *("tag", "entrypoint", "env", "user", "workdir", "label", "annotation", "expose"),
        *("volume", "stop_signal", "health_cmd", "health_interval", "health_timeout"),
        *("health_start_period", "health_retries"),
    ),
    "Files": ("add", "exclude", "allow_sensitive", "at", "sysroot", "base"),
    "Ownership": ("owner", "mode", "cap"),
    "Libraries": ("library_path", "include_lib", "hwcaps", "dlopen", "nss"),
    "Rules": ("with_", "without", "rule_files"),
    "Exercise": ("exercise", "exercise_compare", "exercise_probe", "seccomp", "security_context"),
    "Build": ("depfile", "no_cache", "sets", "jobs", "scheduler"),
    "Diagnostics": (),
}
_LAST = [*GROUPS][-1]
_FEW = 12  # options that need no groups


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


class Unless(click.Option):
    """A required option that an eager flag, named by `unless`, makes needless."""

    def __init__(self, *args: Any, unless: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self._unless = unless

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """See click.Option."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            if ctx.params.get(self._unless):
                return None
            raise


class Verb(click.Command):
    """A command whose errors of parsing have its context, and name arguments that are too many.

    `unlisted` are parameters that its help leaves out: they are taken so that the words of one verb
    fit another, and change nothing that this one shows.
    """

    def __init__(self, *args: Any, unlisted: tuple[str, ...] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        for param in self.params:
            if isinstance(param, click.Option) and param.name in unlisted:
                param.hidden = True

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in groups, unless they are few."""
        found: dict[str, list[tuple[str, str]]] = {title: [] for title in GROUPS}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                found[group(param.name or "")].append(record)
        if sum(map(len, found.values())) <= _FEW:
            found = {"Options": [one for each in found.values() for one in each]}
        for title, records in found.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments of the verb."""
        ctx.allow_extra_args = True
        optional = [param for param in self.params if isinstance(param, OptionalValue)]
        bare = {name for param in optional for name in param.opts}
        args = [f"{arg}={OptionalValue.ALL}" if arg in bare else arg for arg in args]
        try:
            self._refuse_spellings(args, ctx)
            self._refuse_again(self.make_parser(ctx).parse_args([*args])[2], ctx)
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if rest and not ctx.resilient_parsing:
            raise ExtraArgumentsError(rest, ctx)
        if ctx.params.get("quiet") and ctx.params.get("verbose"):
            raise click.UsageError("-q and -v: one of them", ctx)
        return rest

    def _refuse_spellings(self, args: list[str], ctx: click.Context) -> None:
        """Refuse what click takes for something else: `-o=FILE`, and a volume after -v."""
        takes = {
            name for one in self.params if not getattr(one, "is_flag", False) for name in one.opts
        }
        for arg in args:
            found = re.fullmatch("(-[A-Za-z])=(.*)", arg)
            if found and found[1] in takes:
                text = f"{arg}: a short option has no =; write {found[1]} {found[2]}"
                raise click.UsageError(text, ctx)
        if not {"executables", "verbose"} <= {one.name for one in self.params}:
            return
        for flag, value in pairwise(args):
            if flag == "-v" and value.startswith("/") and not os.path.isfile(value):
                text = (
                    f"-v {value}: -v lists files here; --volume declares a volume of the image, "
                    "and docker run -v mounts one"
                )
                raise click.UsageError(text, ctx)

    @staticmethod
    def _refuse_again(given: list[click.Parameter], ctx: click.Context) -> None:
        """Refuse an option that takes one value and was given several: none of them counts more."""
        known = set[str]()
        for one in given:
            single = isinstance(one, click.Option) and not (one.multiple or one.is_flag)
            if single and one.name in known:
                raise click.UsageError(f"{one.opts[-1]}: given more than once; give it once", ctx)
            known.add(one.name or "")


def group(name: str) -> str:
    """The group of an option in a verb's help."""
    return next((title for title, names in GROUPS.items() if name in names), _LAST)
