"""A recipe and a command of this machine → what the command used that the recipe's image lacks.

The command runs with the variables of the image alone and with an empty HOME and TMPDIR, as it will
in a container: what an earlier run left behind there would hide what it needs.
"""

import os
import pwd
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from msgspec.structs import replace

from rootfs_builder import temporary
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import InputError, Mistake, NotFoundError, UsageError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs.rules import Rules
from rootfs_builder.paths import ImagePath, decode, encode, join, printable
from rootfs_builder.pipeline import planning
from rootfs_builder.pipeline.planning import Planned
from rootfs_builder.plan import Plan
from rootfs_builder.proof import flags, tracing
from rootfs_builder.proof.difference import Difference, Sorter
from rootfs_builder.proof.flags import Flag
from rootfs_builder.proof.host_state import HostState
from rootfs_builder.proof.places import Places
from rootfs_builder.proof.tracing import Limits, Running, Traced, Tracer
from rootfs_builder.recipe import Recipe


class Machine(NamedTuple):
    """Where a run takes place, and what it may take."""

    directory: str
    limits: Limits = Limits()


class Observed(NamedTuple):
    """A run, and how it compares with what the recipe's image has.

    `place` is where its program is in the image.
    """

    place: ImagePath
    planned: Planned
    traced: Traced
    difference: Difference


def program(word: str, directory: str, search_path: Iterable[str]) -> str:
    """The file that the first word of a command means here: an absolute path.

    Raises:
        NotFoundError: there is none.
        InputError: it may not be executed.
    """
    places = [directory] if "/" in word else [*search_path]
    plain = re.sub(r"\A(\./+)+", "", word)
    found = [os.path.join(encode(place), encode(plain)) for place in places]
    there = [one for one in found if os.path.isfile(one)]
    for one in there:
        if os.access(one, os.X_OK):
            return decode(one)
    if there:
        raise InputError(f"{printable(word)}: not executable; chmod +x {printable(word)}")
    where = "no such file" if "/" in word else f"not in PATH ({':'.join(search_path)})"
    raise NotFoundError(f"{printable(word)}: {where}")


@contextmanager
def surroundings(
    recipe: Recipe, *, empty_home: bool = True, inherited: Mapping[bytes, bytes] | None = None
) -> Iterator[tuple[str, dict[bytes, bytes]]]:
    """A directory for the HOME and TMPDIR of a run, and its variables."""
    with temporary.directory("HOME and TMPDIR of a run") as scratch:
        found = {b"PATH": encode(":".join(recipe.search_path))}
        if recipe.library_path:
            found[b"LD_LIBRARY_PATH"] = encode(":".join(recipe.library_path))
        for variable, folder in (("HOME", "home"), ("TMPDIR", "tmp")):
            os.mkdir(encode(join(scratch, folder)), 0o700)
            found[encode(variable)] = encode(join(scratch, folder))
        if not empty_home:
            kept = inherited or {}
            found |= {one: kept[one] for one in (b"HOME", b"TMPDIR") if one in kept}
        found |= {encode(variable): encode(value) for variable, value in recipe.env}
        yield scratch, found


def _home() -> str:
    """The home of whoever asks for a run, whatever variables say."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


class Observer:
    """Runs commands of this machine and compares what they use with a recipe's image."""

    def __init__(
        self, recipe: Recipe, sources: Sources, rules: Rules, *, facts: FileFacts | None = None
    ) -> None:
        self.recipe = recipe
        self.sources = sources
        self._rules = rules
        self._facts = FileFacts() if facts is None else facts
        self._tracer = Tracer.find()

    def plan(self, recipe: Recipe) -> Planned:
        """The plan of a recipe."""
        return planning.plan(recipe, self.sources, rules=self._rules, facts=self._facts)

    def observe(
        self,
        command: tuple[str, ...],
        machine: Machine,
        *,
        planned: Planned,
        inputs: bool = True,
        every_call: bool = False,
        environment: tuple[str, dict[bytes, bytes]],
        said: Callable[[bytes], None] = lambda _: None,
        while_it_runs: Callable[[Running], None] | None = None,
    ) -> Observed:
        """Run a command, whose first word is a file's absolute path, and sort what it used.

        With `inputs`, files that its other words name are what it works on.
        """
        scratch, variables = environment
        place = self.place(command[0], planned.plan)
        places = self._places(command, place, machine.directory, variables)
        here = (command[0], *map(places.here, command[1:]))
        mapped = {one: encode(places.here(decode(value))) for one, value in variables.items()}
        run = tracing.Run(here, places.directory, mapped, every_call)
        traced = tracing.trace(
            run, self._tracer, machine.limits, said=said, while_it_runs=while_it_runs
        )
        sorter = Sorter(self.sources, HostState(home=_home(), run=scratch), places)
        mine = set(self.recipe.command)
        works_on = [one for one in here[1:] if one not in mine] if inputs else []
        found = sorter.sort(traced.observation, planned.plan, input_words=works_on)
        return Observed(place, planned, traced, found)

    def _places(
        self,
        command: tuple[str, ...],
        place: ImagePath,
        directory: str,
        variables: Mapping[bytes, bytes],
    ) -> Places:
        """Where a run finds things; it starts in what is added at the image's directory."""
        recipe = self.recipe
        places = Places(
            command[0],
            place,
            directory,
            recipe.workdir or "/",
            (*command[1:], *(decode(value) for value in variables.values())),
            tuple((one.source, one.destination) for one in recipe.added if not one.clue),
        )
        start = places.added_as(recipe.workdir) if recipe.workdir else None
        return places if start is None else replace(places, directory=start)

    def place(self, path: str, plan: Plan) -> ImagePath:
        """Where a program of the recipe is in the image.

        Raises:
            UsageError: it is none of the recipe's programs.
        """
        own = dict(zip(self.recipe.executables, plan.programs, strict=False))
        real = os.path.realpath(encode(path))
        for executable, place in own.items():
            if os.path.realpath(encode(executable)) == real:
                return place
        raise UsageError(
            Mistake("", f"none of the packed programs; name it as another EXECUTABLE: {path}", path)
        )

    def flags(self, observed: Observed) -> tuple[Flag, ...]:
        """The options of pack that bring what is lacking."""

        def with_rule(rule: str) -> Plan:
            more = (*self.recipe.with_rules, (rule, ()))
            return self.plan(replace(self.recipe, with_rules=more)).plan

        known = (*self.recipe.without, *dict(self.recipe.with_rules))
        supplies = observed.difference.supplies(known)
        found = flags.of(
            observed.difference.lacking,
            observed.planned.closure,
            observed.planned.plan,
            self.sources,
            with_rule,
        )
        return (*(Flag("--with", one, ()) for one in supplies), *found)
