"""`rootfs-builder tree`: the closure as it was found, in the paths of the source."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from rootfs_builder.commands import documents, options, terminal
from rootfs_builder.commands.verb import Verb

if TYPE_CHECKING:  # imported when it is used: --help must be quick
    from rootfs_builder.filesystem.sources import Sources
    from rootfs_builder.loader.link_map import LinkMap
    from rootfs_builder.loader.resolution import Loaded, Resolution
    from rootfs_builder.needs.closure import Closure, Program
    from rootfs_builder.views.documents import programs as documented


@click.command(
    cls=Verb,
    unlisted=("owner", "mode", "cap", "at"),
    epilog="Example: rootfs-builder tree /usr/bin/curl --depth 1",
)
@options.executables
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    metavar="LEVELS",
    help="Show only this many levels (default: all).",
)
@options.files
@options.as_json("tree")
@options.quiet
@options.debug
@click.pass_obj
def command(
    cmd: tuple[str, ...] | None,
    /,
    *,
    depth: int | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Show what EXECUTABLE loads: each library, what needs it, and where it was found.

    Sizes are those of the file, and of the file with everything loaded for it. Each file is shown
    once, below the first object that needs it.
    """
    options.no_command(cmd, "tree")
    del debug
    from rootfs_builder import pipeline
    from rootfs_builder.commands import memory
    from rootfs_builder.commands.spinner import spinning

    read = options.inputs(given)
    recipe, cache = options.recipe(**given), memory.kept()
    with (
        spinning(quiet=quiet) as spinner,
        pipeline.collected(recipe, **read, cache=cache, opened=spinner.opened) as found,
    ):
        closure, sources = found.closure, found.sources
    if not quiet:
        terminal.warnings(closure.findings)
    if as_json:
        documents.show(_document(closure, sources))
        return
    for program in closure.programs:
        for line in _program(sources, program, depth):
            click.echo(_wrapped(line) if sys.stdout.isatty() else line)


def _wrapped(line: str) -> str:
    """The line for a terminal: the branches of the tree go on beside what is wrapped."""
    lead = line[: len(line) - len(line.lstrip("│├└─ "))]
    return terminal.wrapped(line, f"{lead.replace('├─', '│ ').replace('└─', '  ')}  ")


def _program(sources: "Sources", program: "Program", depth: int | None) -> Iterator[str]:
    head = f"{_text(sources, program.key)}{_kind(program)}"
    maps = program.link_maps
    if maps and not maps[0].calls:
        tree = _Tree(sources, maps[0], depth)
        head += f", {tree.sizes(maps[0].program, 0)}{tree.repeated(maps[0].program)}"
    yield head
    for link_map in maps:
        tree = _Tree(sources, link_map, depth)
        asking = link_map.program
        if link_map.calls:
            asking = link_map.calls[-1].by
            yield f"{_text(sources, asking.requested)} calls dlopen:"
        if link_map.hwcaps:
            yield f"  on {link_map.hwcaps[0]}:"
        yield from tree.lines(asking)


def _text(sources: "Sources", path: str) -> str:
    from rootfs_builder.paths import printable

    return printable(sources.display(path))


def _kind(program: "Program") -> str:
    if not program.link_maps:
        return " (script)"
    loader = program.link_maps[0].loader
    return " (static)" if loader is None else f" ({loader.name}, {loader.interpreter})"


class _Tree:
    """The lines of one link map: who asks for what, each object once, where it was loaded for.

    Below `depth` levels the lines say how much is there.
    """

    def __init__(self, sources: "Sources", link_map: "LinkMap", depth: int | None) -> None:
        self._sources = sources
        self._depth = depth
        self._asked: dict[Loaded, list[Resolution]] = {}
        self._first: dict[Loaded, Resolution] = {}
        for one in link_map.resolutions:
            self._asked.setdefault(one.request.by, []).append(one)
            if one.found is not None and one.candidate is not None:
                self._first.setdefault(one.found, one)

    def lines(self, loaded: "Loaded", indent: str = "", level: int = 1) -> Iterator[str]:
        """What was loaded for an object, and in one line what it needs and was there already."""
        if self._depth is not None and level > self._depth:
            return
        some = [one for one in self._asked.get(loaded, ()) if not self._is_repeated(one)]
        for one in some:
            last = one is some[-1]
            yield f"{indent}{'└' if last else '├'}─ {self._line(one, level)}"
            if one.found is not None:
                yield from self.lines(one.found, indent + ("   " if last else "│  "), level + 1)

    def repeated(self, loaded: "Loaded") -> str:
        """The names that an object asks for and that were loaded for another."""
        some = [self._name(one) for one in self._asked.get(loaded, ()) if self._is_repeated(one)]
        return f"; needs {', '.join(some)} (already loaded)" if some else ""

    def sizes(self, loaded: "Loaded", level: int) -> str:
        """The bytes of an object, and of all that was loaded for it."""
        from rootfs_builder.views import summary

        below = [*self._below(loaded)]
        own = summary.size(loaded.source.size)
        if not below:
            return own
        whole = summary.size(loaded.source.size + sum(one.source.size for one in below))
        hidden = self._depth is not None and level >= self._depth
        return f"{own}, {whole} with {len(below)} {'more' if hidden else 'below'}"

    def _is_repeated(self, one: "Resolution") -> bool:
        """Whether what answers it was loaded for another request."""
        return one.found is not None and self._first.get(one.found) is not one

    def _below(self, loaded: "Loaded") -> "Iterator[Loaded]":
        for one in self._asked.get(loaded, ()):
            if one.found is not None and not self._is_repeated(one):
                yield one.found
                yield from self._below(one.found)

    def _line(self, one: "Resolution", level: int) -> str:
        if one.found is None or one.candidate is None:
            return f"{self._name(one)} (not found, and not required)"
        where = f"{_text(self._sources, one.found.real)}, {one.candidate.found_by}"
        size = self.sizes(one.found, level)
        return f"{self._name(one)} ({where}), {size}{self.repeated(one.found)}"

    def _name(self, one: "Resolution") -> str:
        from rootfs_builder.loader.resolution import RequestKind

        kind = "" if one.request.kind is RequestKind.NEEDED else f"{one.request.kind} "
        return f"{kind}{_text(self._sources, one.request.name)}"


def _document(closure: "Closure", sources: "Sources") -> "documented.Tree":
    from rootfs_builder.views.documents import programs

    files: set[str] = set()
    executables = []
    for program in closure.programs:
        files.add(program.real)
        files.update(one.real for each in program.link_maps for one in each.objects)
        maps = (
            programs.LinkMap(
                link_map.hwcaps,
                tuple(_text(sources, call.name) for call in link_map.calls),
                tuple(_object(sources, loaded) for loaded in link_map.objects),
            )
            for link_map in program.link_maps
        )
        path, real = _text(sources, program.key), _text(sources, program.real)
        executables.append(programs.Executable(path, real, program.kind, tuple(maps)))
    return programs.Tree(tuple(executables), tuple(sorted(_text(sources, one) for one in files)))


def _object(sources: "Sources", loaded: "Loaded") -> "documented.Object":
    from rootfs_builder.views.documents import programs

    return programs.Object(
        name=_text(sources, loaded.requested),
        opened=_text(sources, loaded.opened),
        real=_text(sources, loaded.real),
        size=loaded.source.size,
        by=_text(sources, loaded.by.real) if loaded.by else None,
        found_by=loaded.candidate.found_by if loaded.candidate else None,
    )
