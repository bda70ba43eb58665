"""`rootfs-builder why`: the chain of reasons from one file up to what the user asked for."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from rootfs_builder.commands import documents, options, terminal
from rootfs_builder.commands.verb import Verb
from rootfs_builder.errors import NotFoundError, UsageError
from rootfs_builder.paths import escape_control

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.plan import Cause, Entry, Plan, Reason
    from rootfs_builder.views.documents import programs as documented

_OF_BOTH = ("as_json", "quiet", "no_limits", "debug")
_MOST = 5  # further reasons, or paths of the same name, that are shown to a person


@click.command(cls=Verb, epilog="Example: rootfs-builder why /usr/bin/curl libcrypto.so.3")
@click.argument("source", metavar="EXECUTABLE|IMAGE", shell_complete=options.file_names)
@click.argument("path")
@options.files
@options.as_json("why")
@options.quiet
@options.no_limits
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    source: str,
    path: str,
    as_json: bool,
    quiet: bool,
    no_limits: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Explain why PATH is in IMAGE, or would be in the image of EXECUTABLE.

    PATH is a path in the image, or only a file name or SONAME. IMAGE was written by `pack`, or is -
    for stdin; options that decide which files are included apply only to EXECUTABLE.
    """
    options.no_command(cmd, "why")
    del debug
    read = options.inputs(given)
    from rootfs_builder.image import found as images

    lists = "inspect -v"
    if images.is_image(source):
        plan = _of_image(source, quiet=quiet, no_limits=no_limits)
    elif no_limits:
        raise UsageError("--no-limits: only IMAGE has limits, not EXECUTABLE")
    else:
        lists = "tree"
        from rootfs_builder import pipeline
        from rootfs_builder.commands import memory
        from rootfs_builder.commands.spinner import spinning

        recipe = options.recipe(executables=(source,), **given)
        with spinning(quiet=quiet) as spinner:
            cache = memory.kept()
            plan = pipeline.plan(recipe, **read, cache=cache, opened=spinner.opened).plan
    if not quiet:
        terminal.warnings(plan.findings)
    _show(plan, _find(plan, path, lists), as_json=as_json)


def _show(plan: "Plan", entry: "Entry", *, as_json: bool) -> None:
    """Print the chain of reasons for an entry."""
    from rootfs_builder.plan import chain

    found = chain(plan, entry.path)
    if as_json:
        documents.show(_document(entry, found))
        return
    for line in _lines(entry, found):
        shown = escape_control(line)
        indent = " " * (len(shown) - len(shown.lstrip()) + 2)
        click.echo(terminal.wrapped(shown, indent) if sys.stdout.isatty() else shown)


def _of_image(path: str, *, quiet: bool, no_limits: bool) -> "Plan":
    """The plan of the image that its document is about."""
    from rootfs_builder.commands.spinner import spinning
    from rootfs_builder.image import found as images
    from rootfs_builder.image import provenance

    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") == ParameterSource.COMMANDLINE
        if given and isinstance(option, click.Option) and option.name not in _OF_BOTH:
            raise UsageError(f"{option.opts[0]}: IMAGE has its files; only EXECUTABLE takes this")
    with (
        spinning(quiet=quiet) as spinner,
        images.at(path, "why", no_limits=no_limits) as found,
        found.reader() as reader,
    ):
        spinner.reading(found)
        record = provenance.load(found.record, found.images, found.meter)
        image = next(one for one in found.images if one.config_digest == record.config)
        return provenance.unpacked(image, record, reader).plan


def _find(plan: "Plan", text: str, lists: str) -> "Entry":
    """The entry that `text` names: its path, a path through symlinks, or a name alone.

    `lists` is the verb that lists all.
    """
    from rootfs_builder.filesystem.walk import Walker
    from rootfs_builder.paths import OpenedPath, name, printable
    from rootfs_builder.plan import PlanRoot

    by_path: dict[str, Entry] = {entry.path: entry for entry in plan.entries}
    if text in by_path:
        return by_path[text]
    if text.startswith("/"):
        walk = Walker(PlanRoot(plan)).walk(OpenedPath(text))
        if not walk.errno and walk.real in by_path:
            return by_path[walk.real]
    for entry in plan.entries:
        if entry.kind == "file" and any(reason.asked == text for reason in entry.reasons):
            return entry
    same = [entry for entry in plan.entries if name(entry.path) == name(text)]
    if same and "/" not in text:
        return same[0]
    shown = ", ".join(printable(entry.path) for entry in same[:_MOST])
    more = f" and {len(same) - _MOST} more" if len(same) > _MOST else ""
    near = f"; there is {shown}{more}" if same else ""
    raise NotFoundError(f"{printable(text)}: not in the image{near}; `{lists}` shows what is")


def _lines(entry: "Entry", chain: "tuple[Cause, ...]") -> Iterator[str]:
    for depth, (one, reason) in enumerate(chain):
        yield f"{'   ' * depth}{_sentence(one, reason)}"
    others = [reason for reason in entry.reasons if reason is not chain[0][1]]
    for reason in others[:_MOST]:
        yield f"also {reason.sentence}"
    if len(others) > _MOST:
        yield f"and {len(others) - _MOST} more; --json has them all"


def _sentence(entry: "Entry", reason: "Reason") -> str:
    from rootfs_builder.paths import printable

    arrow = f" -> {printable(entry.target)}" if entry.target else ""
    return f"{printable(entry.path)}{arrow}: {reason.sentence}"


def _document(entry: "Entry", chain: "tuple[Cause, ...]") -> "documented.Why":
    from rootfs_builder.paths import printable
    from rootfs_builder.views.documents import programs

    def cause(path: str, one: "Reason") -> "documented.Cause":
        by = printable(one.by) if one.by else None
        return programs.Cause(printable(path), one.kind, printable(one.asked), by, one.found_by)

    return programs.Why(
        path=printable(entry.path),
        kind=entry.kind,
        size=entry.size,
        chain=tuple(cause(one.path, why) for one, why in chain),
        reasons=tuple(cause(entry.path, one) for one in entry.reasons),
    )
