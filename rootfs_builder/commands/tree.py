"""`rootfs-builder tree`: the closure as it was found, in the paths of the source."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.commands import options, terminal
from rootfs_builder.commands.verb import Verb

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.filesystem.sources import Sources
    from rootfs_builder.loader.link_map import LinkMap
    from rootfs_builder.loader.resolution import Loaded, Resolution
    from rootfs_builder.needs.closure import Closure, Program


@click.command(
    cls=Verb,
    unlisted=("owner", "mode", "cap", "at"),
    epilog="Example: rootfs-builder tree /usr/bin/curl",
)
@options.executables
@options.files
@options.as_json
@options.quiet
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Show what EXECUTABLE loads: who needs what, where it was found, by which rule."""
    options.no_command(cmd, "tree")
    del debug
    from rootfs_builder.needs import additions, collector
    from rootfs_builder.pipeline import inputs, reading

    read = options.inputs(given)
    rules = inputs.rules(read.pop("rule_files"))
    with reading.opened(options.recipe(**given), **read) as opened:
        sources = opened.sources
        recipe = additions.placed(opened.recipe, sources)
        closure = collector.collect(recipe, sources, rules=rules)
    if not quiet:
        terminal.warnings(closure.findings)
    if as_json:
        import json

        click.echo(json.dumps(_facts(closure, sources), indent=2))
        return
    for program in closure.programs:
        click.echo(f"{_text(sources, program.key)}{_kind(program)}")
        for link_map in program.link_maps:
            asking = link_map.program
            if link_map.calls:
                asking = link_map.calls[-1].by
                click.echo(f"{_text(sources, asking.requested)} calls dlopen:")
            if link_map.hwcaps:
                click.echo(f"  on {link_map.hwcaps[0]}:")
            for line in _lines(sources, link_map, asking, "", set()):
                click.echo(line)


def _text(sources: "Sources", path: str) -> str:
    from rootfs_builder.paths import printable

    return printable(sources.display(path))


def _kind(program: "Program") -> str:
    if not program.link_maps:
        return " (script)"
    loader = program.link_maps[0].loader
    return " (static)" if loader is None else f" ({loader.name}, {loader.interpreter})"


def _lines(
    sources: "Sources", link_map: "LinkMap", loaded: "Loaded", indent: str, shown: "set[Loaded]"
) -> Iterator[str]:
    """One line a request of `loaded`; what stood above already is not opened up again."""
    from rootfs_builder.loader.resolution import RequestKind

    shown.add(loaded)
    asked = [one for one in link_map.resolutions if one.request.by is loaded]
    for one in asked:
        last = one is asked[-1]
        kind = "" if one.request.kind is RequestKind.NEEDED else f"{one.request.kind} "
        name = _text(sources, one.request.name)
        opened = one.found is not None and one.candidate is not None and one.found not in shown
        yield f"{indent}{'└' if last else '├'}─ {kind}{name} ({_where(sources, one)})"
        if opened and one.found is not None:
            below = indent + ("   " if last else "│  ")
            yield from _lines(sources, link_map, one.found, below, shown)


def _where(sources: "Sources", one: "Resolution") -> str:
    if one.found is None:
        return "not found, and not required"
    if one.candidate is None:
        return "already loaded"
    return f"{_text(sources, one.found.real)}, {one.candidate.found_by}"


def _facts(closure: "Closure", sources: "Sources") -> dict[str, Any]:
    files: set[str] = set()
    executables = []
    for program in closure.programs:
        files.add(program.real)
        maps = []
        for link_map in program.link_maps:
            files.update(loaded.real for loaded in link_map.objects)
            maps.append(
                {
                    "hwcaps": list(link_map.hwcaps),
                    "calls": [_text(sources, call.name) for call in link_map.calls],
                    "objects": [_object(sources, loaded) for loaded in link_map.objects],
                }
            )
        executables.append(
            {
                "path": _text(sources, program.key),
                "real": _text(sources, program.real),
                "kind": program.kind,
                "link_maps": maps,
            }
        )
    return {"executables": executables, "files": sorted(_text(sources, one) for one in files)}


def _object(sources: "Sources", loaded: "Loaded") -> dict[str, Any]:
    return {
        "name": _text(sources, loaded.requested),
        "opened": _text(sources, loaded.opened),
        "real": _text(sources, loaded.real),
        "by": _text(sources, loaded.by.real) if loaded.by else None,
        "found_by": loaded.candidate.found_by if loaded.candidate else None,
    }
