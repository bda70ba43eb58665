"""`rootfs-builder why`: the chain of reasons from one file up to what the user asked for."""

from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.commands import options, terminal
from rootfs_builder.errors import NotFoundError

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.plan import Entry, Plan, Reason

    Chain = list[tuple[Entry, Reason]]

_MOST = 5  # further reasons that are shown to a person


@click.command(epilog="Example: rootfs-builder why /usr/bin/curl libcrypto.so.3")
@click.argument("executable", shell_complete=options.file_names)
@click.argument("path")
@options.files
@options.as_json
@options.quiet
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    executable: str,
    path: str,
    sysroot: str | None,
    rule_files: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Explain why PATH is in the image of EXECUTABLE.

    PATH is a path of the image, or a file name or SONAME alone.
    """
    options.no_command(cmd, "why")
    del debug
    from rootfs_builder import assemble

    recipe = options.recipe(executables=(executable,), **given)
    _, plan = assemble.plan(recipe, options.sources(sysroot), rules=options.rules(rule_files))
    if not quiet:
        terminal.warnings(plan.findings)
    entry = _find(plan, options.text(path))
    chain = _chain(plan, entry)
    if as_json:
        import json

        click.echo(json.dumps(_facts(entry, chain), indent=2))
        return
    for depth, (one, reason) in enumerate(chain):
        click.echo(f"{'   ' * depth}{_sentence(one, reason)}")
    for reason in entry.reasons[1 : 1 + _MOST]:
        click.echo(f"also {_request(reason)}")
    if len(entry.reasons) > 1 + _MOST:
        click.echo(f"and {len(entry.reasons) - 1 - _MOST} more; --json has them all")


def _find(plan: "Plan", text: str) -> "Entry":
    """The entry that `text` names: its path, a path through symlinks, or a name alone."""
    from rootfs_builder.paths import OpenedPath, name, printable
    from rootfs_builder.plan import PlanRoot
    from rootfs_builder.walk import Walker

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
    near = f"; there is {', '.join(printable(entry.path) for entry in same)}" if same else ""
    raise NotFoundError(f"{printable(text)}: not in the image{near}; `tree` shows what is")


def _chain(plan: "Plan", entry: "Entry") -> "Chain":
    by_path = {one.path: one for one in plan.entries}
    chain = [(entry, entry.reasons[0])]
    seen = {entry.path}
    while chain[-1][1].by is not None and chain[-1][1].by not in seen:
        above = by_path[chain[-1][1].by]
        seen.add(above.path)
        chain.append((above, above.reasons[0]))
    return chain


def _sentence(entry: "Entry", reason: "Reason") -> str:
    from rootfs_builder.paths import printable

    arrow = f" -> {printable(entry.target)}" if entry.target else ""
    return f"{printable(entry.path)}{arrow}: {_request(reason)}"


def _request(reason: "Reason") -> str:
    from rootfs_builder.paths import printable

    words = [reason.kind, printable(reason.asked)]
    if reason.by is not None:
        words += ["of", printable(reason.by)]
    found = f" ({reason.found_by})" if reason.found_by else ""
    return " ".join(word for word in words if word) + found


def _facts(entry: "Entry", chain: "Chain") -> dict[str, Any]:
    from rootfs_builder.paths import printable

    def reason(path: str, one: "Reason") -> dict[str, Any]:
        return {
            "path": printable(path),
            "kind": one.kind,
            "asked": printable(one.asked),
            "by": printable(one.by) if one.by else None,
            "found_by": one.found_by,
        }

    return {
        "path": printable(entry.path),
        "kind": entry.kind,
        "size": entry.size,
        "chain": [reason(one.path, why) for one, why in chain],
        "reasons": [reason(entry.path, one) for one in entry.reasons],
    }
