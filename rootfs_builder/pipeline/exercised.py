"""A recipe → the same with what its exercises use, and what proves them in its image.

Nothing that runs a program is imported where no exercise asks for it.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import Mistake, UsageError
from rootfs_builder.paths import printable
from rootfs_builder.pipeline import inputs
from rootfs_builder.plan import Plan
from rootfs_builder.recipe import Recipe

Parts = tuple[Plan, ...]
Fill = Callable[[str, bytes], None]  # the file that an option names
Check = Callable[[Fill, tuple[Plan, Parts]], tuple[Plan, Parts]]


_FILLED = ("--seccomp", "--security-context")


def _nothing(_: Fill, layered: tuple[Plan, Parts]) -> tuple[Plan, Parts]:
    return layered


def of(
    recipe: Recipe,
    other: str | None,
    rule_files: Iterable[str],
    facts: FileFacts,
    files: Mapping[str, str | None],
) -> tuple[Recipe, Check]:
    """The recipe after its exercises were run here, and what runs them in the image of its plan.

    `other` is a place that files come from: exercises run on this machine.

    That gives the plan with what is to be said of them, and its parts as they are, and fills the
    `files` that are asked for, by their options.

    Raises:
        UsageError: a file that only an exercise can fill; files that are not from this machine.
        RootfsError: see `Exercises.complete`.
    """
    asked = {one: files[one] for one in _FILLED if files.get(one) is not None}
    if not recipe.exercises:
        if asked:
            text = "says what a run did: give one with --exercise"
            raise UsageError(*(Mistake(option, text) for option in asked))
        return recipe, _nothing
    if other is not None:
        text = (
            f"runs the program here, and {printable(other)} is another system: verify IMAGE -- CMD"
        )
        raise UsageError(Mistake("--exercise", text))
    from rootfs_builder.pipeline.exercises import Exercises

    exercises = Exercises(
        recipe,
        inputs.sources(None),
        inputs.rules(rule_files, facts),
        facts=facts,
        every_call="--seccomp" in asked,
    )
    complete = exercises.complete()

    def check(fill: Fill, layered: tuple[Plan, Parts]) -> tuple[Plan, Parts]:
        whole, parts = layered
        found = (*whole.findings, *exercises.check(complete, whole))
        fill("--seccomp", exercises.seccomp())
        profile = asked.get("--seccomp") or ""
        fill("--security-context", exercises.security_context(whole, seccomp_file=profile))
        return replace(whole, findings=found), parts

    return complete, check
