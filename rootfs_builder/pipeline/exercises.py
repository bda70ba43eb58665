"""The exercises of a recipe: each is run here, what it used is added, and it is run in the image.

The image is written if both runs agree. A daemon is stopped by the image's stop signal when its
probe has been answered, and the answers are compared.
"""

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import InputError, Mistake, VerificationError
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.image import Config, from_plan
from rootfs_builder.needs.rules import Rules
from rootfs_builder.paths import ImagePath, printable
from rootfs_builder.pipeline import first_missing, runs
from rootfs_builder.pipeline.first_missing import Missing
from rootfs_builder.pipeline.runs import Observed, Observer
from rootfs_builder.plan import Plan
from rootfs_builder.proof import exercise, least_privilege
from rootfs_builder.proof.difference import TEMPORARY
from rootfs_builder.proof.exercise import Probe, Result
from rootfs_builder.proof.observation import Use
from rootfs_builder.proof.sandbox import Command, Volume, command, rootfs
from rootfs_builder.proof.tracing import Limits, Running
from rootfs_builder.recipe import Recipe
from rootfs_builder.recipe.exercise import Exercise
from rootfs_builder.recipe.values import Added


class Ran(NamedTuple):
    """An exercise that was run here: how it ended, and how it compares with the plan before."""

    exercise: Exercise
    result: Result
    observed: Observed

    @property
    def shown(self) -> str:
        """It as it is typed."""
        return f"`{printable(shlex.join(self.exercise.command))}`"


class Exercises:
    """The exercises of one build."""

    def __init__(
        self,
        recipe: Recipe,
        sources: Sources,
        rules: Rules,
        *,
        facts: FileFacts | None = None,
        every_call: bool = False,
        limits: Limits = Limits(seconds=300),  # noqa: B008 - it is frozen
    ) -> None:
        self._recipe = recipe
        self._sources = sources
        self._rules = rules
        self._facts = facts
        self._limits = limits
        self._every_call = every_call
        self._ran: list[Ran] = []

    def complete(self) -> Recipe:
        """Run each here: the recipe, with what they used.

        Raises:
            InputError: one does not end, or its daemon does not answer.
            RootfsError: see `Tracer.find` and `planning.plan`.
        """
        recipe = self._recipe
        for one in recipe.exercises:
            ran = self._run(one, recipe)
            self._ran.append(ran)
            recipe = _with(recipe, ran)
        return recipe

    def _run(self, one: Exercise, recipe: Recipe) -> Ran:
        observer = Observer(recipe, self._sources, self._rules, facts=self._facts)
        first = runs.program(one.command[0], one.directory, recipe.search_path)
        planned = observer.plan(recipe)
        stops = _command(recipe, planned.plan, "").stop_signal
        answers: list[Result] = []
        with runs.surroundings(recipe) as environment:

            def ask(running: Running) -> None:
                answers.append(self._probe(one, environment[1]).ask(running))
                running.stop(stops, exercise.STOP)

            observed = observer.observe(
                (first, *one.command[1:]),
                runs.Machine(one.directory, self._limits),
                planned=planned,
                every_call=self._every_call,
                environment=environment,
                while_it_runs=ask if recipe.exercise_probe else None,
            )
        return Ran(one, self._result(one, observed, answers), observed)

    @staticmethod
    def _result(one: Exercise, observed: Observed, answers: list[Result]) -> Result:
        """How an exercise ended here.

        Raises:
            InputError: it did not, or its daemon did not answer.
        """
        traced = observed.traced
        if answers:
            if answers[0].code:
                said = traced.stderr.decode(errors="backslashreplace").strip()
                text = f"does not succeed here: {answers[0].end}\n{said}"
                raise InputError(Mistake("--exercise-probe", text))
            return answers[0]
        if traced.observation.code is None:
            text = f"{traced.observation.stopped}; of a daemon, --exercise-probe says when to stop"
            raise InputError(Mistake("--exercise", text, shlex.join(one.command)))
        return Result(exercise.code(traced.observation.code), traced.stdout, traced.stderr)

    def _probe(self, one: Exercise, environment: dict[bytes, bytes]) -> Probe:
        words = self._recipe.exercise_probe
        first = runs.program(words[0], one.directory, self._recipe.search_path)
        return Probe((first, *words[1:]), one.directory, environment)

    def seccomp(self) -> bytes:
        """A profile with what the exercises called, and what engines do."""
        return least_privilege.seccomp(
            call for ran in self._ran for call in ran.observed.traced.observation.calls
        )

    def security_context(self, plan: Plan, *, seccomp_file: str) -> bytes:
        """What a pod may take away from the image's container."""
        return least_privilege.security_context(
            plan.user,
            seccomp_file=seccomp_file,
            written={one for ran in self._ran for one in ran.observed.difference.written},
            capabilities={
                name.removeprefix("cap_").upper()
                for one in plan.entries
                if one.capability
                for name in capabilities.required(one.capability)
            },
        )

    def check(self, recipe: Recipe, plan: Plan) -> tuple[Finding, ...]:
        """Run each in the image of a plan: what to say of them.

        Raises:
            VerificationError: they do not agree; the difference, and the first missing file.
        """
        found: list[Finding] = []
        for ran in self._ran:
            difference = self._difference(ran, recipe, plan)
            if difference:
                raise VerificationError(Mistake("--exercise", difference, ran.shown))
            found += _findings(ran)
        return tuple(found)

    def _difference(self, ran: Ran, recipe: Recipe, plan: Plan) -> str:
        place = ran.observed.place
        inner = replace(
            _command(recipe, plan, place, *ran.exercise.command[1:]),
            network="host",
            volumes=tuple(
                Volume(one.source, one.destination, writable=False)
                for one in ran.observed.difference.inputs
            ),
        )
        with runs.surroundings(recipe) as (_, variables), rootfs.unpacked(plan) as root:
            probe = self._probe(ran.exercise, variables) if recipe.exercise_probe else None
            there = exercise.inside(root, inner, probe=probe, seconds=self._limits.seconds)
            found = exercise.compare(ran.result, there, recipe.exercise_compare)
            if not found:
                return ""
            seconds = exercise.STOP if probe else self._limits.seconds
            missing = first_missing.find(root.directory, inner, seconds=seconds)
        return f"{found}{_missing(missing, ran)}"


def _command(recipe: Recipe, plan: Plan, start: str, *words: str) -> Command:
    """A command as a container of the image gets it."""
    config = Config(config=from_plan.settings(recipe, plan))
    return command.of(config, words, entrypoint=start or None)


def _with(recipe: Recipe, ran: Ran) -> Recipe:
    """The recipe with all that an exercise used."""
    lacking = ran.observed.difference.lacking
    clue = f"used by the exercise {ran.shown}"
    added = tuple(
        Added(one.source, ImagePath(one.destination), clue=clue, bare=one.bare) for one in lacking
    )
    written = [one.destination for one in lacking if one.use is Use.WRITTEN and one.bare]
    modes = recipe.modes
    if TEMPORARY in written and TEMPORARY not in dict(modes):
        modes = (*modes, (TEMPORARY, 0o1777))
    owners = recipe.owners
    if recipe.user:
        owners = (*owners, *((one, recipe.user) for one in written if one != TEMPORARY))
    known = dict(recipe.with_rules)
    rules = [(one, ()) for one in ran.observed.difference.supplies((*recipe.without, *known))]
    return replace(
        recipe,
        added=(*recipe.added, *added),
        modes=modes,
        owners=owners,
        with_rules=tuple(sorted((*recipe.with_rules, *rules))),
    )


def _missing(found: Missing | None, ran: Ran) -> str:
    """What the run in the image missed, and why it is not there if that is known."""
    if found is None:
        return ""
    kept = {one.path: one.rule for one in ran.observed.difference.alone}
    why = [
        f"\n{printable(path)} stays here: {kept[path].because}; {kept[path].instead}".rstrip("; ")
        for path in dict.fromkeys((found.first, found.last))
        if path in kept
    ]
    return found.text + "".join(why)


def _findings(ran: Ran) -> Iterator[Finding]:
    files, result = ran.observed.difference.files, ran.result
    text = f"{ran.shown} does the same in the image; files that it showed: {len(files)}"
    yield hint(Code.EXERCISED, text)
    if result.code:
        text = f"{ran.shown} does not succeed, neither here nor in the image: {result.end}"
        yield warning(Code.EXERCISE_FAILS, text)
    for one in ran.observed.difference.alone:
        if one.rule.because.startswith("a secret"):
            text = f"{printable(one.path)}, which {ran.shown} used, is left out: {one.rule.because}"
            yield warning(Code.SECRET_LEFT_OUT, f"{text}; {one.rule.instead}", one.path)
