"""What an image lacks → the options of `pack` that bring it.

A library that dlopen finds by its name is `--include-lib`, what a rule of a hint brings `--with`,
if half of what that adds was used. Anything else is `--add`: a directory of which most was used
as a whole.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from msgspec import Struct

from rootfs_builder.errors import RootfsError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.loader import loading
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.closure import Closure
from rootfs_builder.paths import OpenedPath, ancestors, encode, name
from rootfs_builder.plan import Plan
from rootfs_builder.proof.difference import Lacking
from rootfs_builder.proof.observation import Use

_FEW = 3  # files of a directory that are named one by one
_MOST_RULES = 8  # hints that are tried: each is a plan


class Flag(Struct, frozen=True):
    """An option with its value, and what it brings of what the run used."""

    option: str
    value: str
    brings: tuple[Lacking, ...]

    @property
    def words(self) -> tuple[str, str]:
        """It as arguments."""
        return self.option, self.value


def of(
    lacking: Iterable[Lacking],
    closure: Closure,
    plan: Plan,
    sources: Sources,
    with_rule: Callable[[str], Plan],
) -> tuple[Flag, ...]:
    """The options that bring what is lacking; `with_rule` plans again with one more rule.

    Bare directories have none: they come with what is in them.
    """
    rest = [one for one in lacking if not one.bare]
    found: list[Flag] = []
    for flag in _rules(rest, plan, with_rule):
        found.append(flag)
        rest = [one for one in rest if one not in flag.brings]
    libraries = _Libraries(closure, sources)
    for one in rest[:]:
        if libraries.opens(one):
            found.append(Flag("--include-lib", name(one.source), (one,)))
            rest.remove(one)
    return (*found, *_added(rest))


def _rules(lacking: list[Lacking], plan: Plan, with_rule: Callable[[str], Plan]) -> Iterator[Flag]:
    """The rules of hints that bring mostly what was used."""
    hinted = dict.fromkeys(one.rule for one in plan.findings if one.rule)
    known = {one.path for one in plan.entries}
    for rule in list(hinted)[:_MOST_RULES] if lacking else ():
        with suppress(RootfsError):  # a rule that brings nothing here, or wants a value
            new = {e.path for e in with_rule(rule).entries if e.kind != "dir"} - known
            brings = tuple(one for one in lacking if one.destination in new)
            if len(brings) * 2 >= len(new) > 0:
                yield Flag("--with", rule, brings)


class _Libraries:
    """What the programs of a closure would get from dlopen by a name."""

    def __init__(self, closure: Closure, sources: Sources) -> None:
        self._elf_files = ElfFiles(sources)
        maps = (program.link_maps[0] for program in closure.programs if program.link_maps)
        self._maps = [one for one in maps if one.loader is not None]

    def opens(self, one: Lacking) -> bool:
        """Whether dlopen of its name alone finds this file."""
        if one.use is not Use.OPENED and one.use is not Use.MAPPED:
            return False
        if ".so" not in name(one.source) or one.source != one.destination:
            return False
        real = self._elf_files.walker.walk(OpenedPath(one.source)).real
        for link_map in self._maps:
            called = loading.dlopen(link_map, name(one.source), link_map.program, self._elf_files)
            answer = called.resolutions[0].found
            if answer is not None and answer.real == real:
                return True
        return False


def _added(lacking: list[Lacking]) -> Iterator[Flag]:
    """Each file, or the outermost directory of which half was used."""
    within: dict[tuple[str, str], list[Lacking]] = {}
    for one in lacking:
        for pair in _around(one):
            within.setdefault(pair, []).append(one)
    done = set[Lacking]()
    for (source, destination), those in sorted(within.items(), key=lambda each: len(each[0][0])):
        rest = [one for one in those if one not in done]
        if len(rest) > _FEW and _has_at_most(source, len(rest) * 2):
            yield Flag("--add", _pair(source, destination), tuple(rest))
            done.update(rest)
    for one in lacking:
        if one not in done:
            yield Flag("--add", _pair(one.source, one.destination), (one,))


def _around(one: Lacking) -> Iterator[tuple[str, str]]:
    """The directories around a file, here and in the image, that could come as a whole."""
    for directory in ancestors(one.source):
        inside = one.source.removeprefix(directory)
        if one.destination.endswith(inside) and one.destination != inside:
            yield directory, one.destination.removesuffix(inside)


def _has_at_most(directory: str, most: int) -> bool:
    """Whether a directory holds no more files than that."""
    count = 0
    for _, _, files in os.walk(encode(directory)):
        count += len(files)
        if count > most:
            return False
    return True


def _pair(source: str, destination: str) -> str:
    """SRC or SRC:DEST."""
    plain = source == destination and ":/" not in source
    return source if plain else f"{source}:{destination}"
