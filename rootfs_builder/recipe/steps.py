"""The steps of a recipe, run in its folder → files for images.

A result is named by its path in the recipe's folder, whichever directory the step ran in: a file
that a step leaves elsewhere is not found, and the message names it.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice

from rootfs_builder import tools
from rootfs_builder.errors import EXECUTABLE, Mistake, NotFoundError, RootfsError, StepError
from rootfs_builder.paths import decode, encode, printable
from rootfs_builder.recipe.keys import AddedResult, Step, StepResult
from rootfs_builder.recipe.values import absolute

_NAMED = 5  # files that a message names


def run(
    steps: Iterable[Step],
    folder: str,
    *,
    environment: Mapping[bytes, bytes],
    line: Callable[[str, str], None],
) -> None:
    """Run steps in their order; `line` gets each step's name and a line of its output.

    Raises:
        StepError: one failed; the rest did not run.
    """
    for step in steps:
        shown = " ".join((step.run,) if isinstance(step.run, str) else step.run)
        added = {encode(name): encode(value) for name, value in step.env.items()}
        line(step.name, f"+ {shown}")
        try:
            code = tools.follow(
                ("/bin/sh", "-c", step.run) if isinstance(step.run, str) else step.run,
                directory=absolute(step.dir, folder),
                environment={**environment, **added},
                line=partial(line, step.name),
            )
        except RootfsError as error:
            raise StepError(f"step {step.name}: {error}") from error
        if code:
            ended = f"killed by signal {-code}" if code < 0 else f"exited with status {code}"
            command = printable(shown)
            raise StepError(f"step {step.name}: {command}: {ended} (see its output above)")


def check(results: Iterable[StepResult], folder: str, steps: Mapping[str, Step]) -> None:
    """Whether the steps made all results.

    Raises:
        NotFoundError: each result that is missing, and files of its name elsewhere.
    """
    mistakes = [
        _mistake(one, folder, absolute(steps[one.step].dir, folder))
        for one in results
        if not os.path.lexists(encode(absolute(one.path, folder)))
    ]
    if mistakes:
        raise NotFoundError(*mistakes)


def _mistake(result: StepResult, folder: str, directory: str) -> Mistake:
    name = encode(os.path.basename(result.path.rstrip("/")))
    found = {os.path.realpath(one) for top in (folder, directory) for one in _named(name, top)}
    base = os.path.realpath(encode(folder)) + b"/"
    places = ", ".join(printable(decode(one.removeprefix(base))) for one in sorted(found))
    found_ = f"there is {places}" if places else f"nothing in {printable(folder)} has that name"
    option = "--add" if isinstance(result, AddedResult) else EXECUTABLE
    return Mistake(option, f"the step {result.step} did not make it; {found_}", result.path)


def _named(name: bytes, top: str) -> Iterator[bytes]:
    """Some of the files and directories below `top` that have this name."""
    found = (
        os.path.join(here, name)
        for here, directories, files in os.walk(encode(top))
        if name in directories or name in files
    )
    return islice(found, _NAMED)
