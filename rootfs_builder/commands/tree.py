"""`rootfs-builder tree`: the closure as it was found, in the paths of the source."""

from collections.abc import Iterator
from typing import Any

import click

from rootfs_builder.commands import options


@click.command(epilog="Example: rootfs-builder tree /usr/bin/curl")
@options.executables
@options.files
@options.as_json
@options.talk
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None, /, *, sysroot: str | None, as_json: bool, **given: Any
) -> None:
    """Show what EXECUTABLE loads: who needs what, where it was found, by which rule."""
    options.no_command(cmd, "tree")
    for talk in ("quiet", "verbose", "debug"):
        given.pop(talk)
    from rootfs_builder import collector

    sources = options.sources(sysroot)
    closure = collector.collect(options.recipe(**given), sources)
    if as_json:
        import json

        click.echo(json.dumps(_facts(closure), indent=2))
        return
    for program in closure.programs:
        click.echo(f"{_text(closure, program.key)}{_kind(program)}")
        for link_map in program.link_maps:
            if link_map.hwcaps:
                click.echo(f"  on {link_map.hwcaps[0]}:")
            for line in _lines(closure, link_map, link_map.program, "", set()):
                click.echo(line)


def _text(closure: Any, path: str) -> str:
    from rootfs_builder.paths import printable

    return printable(closure.sources.shown(path))


def _kind(program: Any) -> str:
    if not program.link_maps:
        return " (script)"
    loader = program.link_maps[0].loader
    return " (static)" if loader is None else f" ({loader.name}, {loader.interpreter})"


def _lines(closure: Any, link_map: Any, loaded: Any, indent: str, shown: set[Any]) -> Iterator[str]:
    """One line a request of `loaded`; what stood above already is not opened up again."""
    shown.add(loaded)
    asked = [one for one in link_map.resolutions if one.request.by is loaded]
    for index, one in enumerate(asked):
        last = index == len(asked) - 1
        again = one.found in shown
        if one.walk is None or again:
            where = "already loaded" if one.walk is None else _text(closure, one.found.real)
        else:
            where = f"{_text(closure, one.found.real)}, {one.candidate.found_by}"
        kind = "" if one.request.kind == "NEEDED" else f"{one.request.kind} "
        yield f"{indent}{'└' if last else '├'}─ {kind}{_text(closure, one.request.name)} ({where})"
        if not again and one.walk is not None:
            below = indent + ("   " if last else "│  ")
            yield from _lines(closure, link_map, one.found, below, shown)


def _facts(closure: Any) -> dict[str, Any]:
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
                    "objects": [_object(closure, loaded) for loaded in link_map.objects],
                }
            )
        executables.append(
            {
                "path": _text(closure, program.key),
                "real": _text(closure, program.real),
                "kind": program.kind,
                "link_maps": maps,
            }
        )
    return {"executables": executables, "files": sorted(_text(closure, one) for one in files)}


def _object(closure: Any, loaded: Any) -> dict[str, Any]:
    return {
        "name": _text(closure, loaded.requested),
        "opened": _text(closure, loaded.opened),
        "real": _text(closure, loaded.real),
        "by": _text(closure, loaded.by.real) if loaded.by else None,
        "found_by": loaded.candidate.found_by if loaded.candidate else None,
    }
