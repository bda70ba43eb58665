"""`rootfs-builder rules`: what may be added beyond libraries, and which rules a program matches."""

from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.commands import documents, options, terminal
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.paths import escape_control

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.needs.closure import RuleApplication
    from rootfs_builder.needs.rules import Rule, Rules
    from rootfs_builder.plan import Plan
    from rootfs_builder.recipe import Recipe
    from rootfs_builder.views.documents.programs import Matched


@click.command(cls=Verb, epilog="Example: rootfs-builder rules --match /usr/bin/curl")
@click.option(
    "--match",
    metavar="EXECUTABLE",
    shell_complete=options.file_names,
    help="Show which rules act for this program.",
)
@click.option(
    "--explain",
    metavar="NAME",
    help="Show why this rule acts for EXECUTABLE, or which evidence it lacks.",
)
@click.argument(
    "executable", required=False, metavar="[EXECUTABLE]", shell_complete=options.file_names
)
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="As for pack; evidence.")
@click.option("-u", "--user", metavar="NAME[:GROUP]", help="As for pack; evidence.")
@options.files
@options.as_json("rules")
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    match: str | None,
    explain: str | None,
    executable: str | None,
    as_json: bool,
    debug: bool,
    **given: Any,
) -> None:
    """List the rules: what each adds, on what evidence, and its source.

    A rule acts if its evidence is found; --with NAME makes it act, --without NAME stops it. With
    --explain, arguments after -- are those of EXECUTABLE.
    """
    del debug
    from rootfs_builder.pipeline import inputs

    _check(match, explain, executable)
    read = options.inputs(given)
    if explain is not None:
        recipe = options.recipe(executables=(executable,), command=cmd or (), **given)
        _explain(explain, recipe, read, as_json=as_json)
        return
    options.no_command(cmd, "rules")
    if match is None:
        _list(inputs.rules(read["rule_files"]), as_json=as_json)
    else:
        _match(options.recipe(executables=(match,), **given), read, as_json=as_json)


def _check(match: str | None, explain: str | None, executable: str | None) -> None:
    if match is not None and explain is not None:
        raise UsageError("--match and --explain: one of them")
    if explain is not None and executable is None:
        raise UsageError(Mistake("--explain", "for which program? name EXECUTABLE", explain))
    if explain is None and executable is not None:
        raise UsageError(
            f"{executable}: unexpected; --match {executable} shows the rules that act for it"
        )


def _match(recipe: "Recipe", read: dict[str, Any], *, as_json: bool) -> None:
    from rootfs_builder import pipeline
    from rootfs_builder.commands import memory
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.findings import Level
    from rootfs_builder.views import summary

    cache = memory.kept()
    with spinning(quiet=False) as spinner:
        closure, plan, _ = pipeline.plan(recipe, **read, cache=cache, opened=spinner.opened)
    applied = closure.supply.applied
    if as_json:
        documents.show(_document(applied, plan))
        return
    for one in applied:
        click.echo(f"{one.rule:<18} {one.evidence}")
    terminal.say(summary.findings(one for one in plan.findings if one.level is not Level.ADDED))


def _document(applied: "tuple[RuleApplication, ...]", plan: "Plan") -> "Matched":
    from rootfs_builder.views.documents import images
    from rootfs_builder.views.documents.programs import Applied, Matched

    rules = tuple(Applied(one.rule, one.because, str(one.evidence)) for one in applied)
    return Matched(rules, images.findings(plan))


def _explain(name: str, recipe: "Recipe", read: dict[str, Any], *, as_json: bool) -> None:
    from rootfs_builder import pipeline
    from rootfs_builder.commands import explanation, memory
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.needs.rules import explain, requests
    from rootfs_builder.pipeline import inputs

    rule = requests.rule_named(inputs.rules(read["rule_files"]), name, "--explain")
    cache = memory.kept()
    with (
        spinning(quiet=False) as spinner,
        pipeline.collected(recipe, **read, cache=cache, opened=spinner.opened) as one,
    ):
        found = explain.explain(rule, one.recipe, one.sources, one.closure, one.rules)
    if as_json:
        documents.show(found)
        return
    for line in explanation.lines(rule, found):
        click.echo(escape_control(line))


def _list(known: "Rules", *, as_json: bool) -> None:
    if as_json:
        documents.show(known)
        return
    for rule in known:
        click.echo(f"{rule.name:<18} {_how(rule):<10} {rule.because}")


def _how(rule: "Rule") -> str:
    """When a rule acts, in one word."""
    if not rule.evidence:
        return "asked"
    return "hinted" if rule.hint else "found"
