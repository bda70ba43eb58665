"""The steps of a recipe, run in its folder → files that go into images.

A result is named by its path in the recipe's folder, whichever directory the step ran in: what a
step leaves elsewhere is not found, and the message names it.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice

from rootfs_builder import tools
from rootfs_builder.errors import NotFoundError, RootfsError, StepError
from rootfs_builder.paths import decode, encode, printable
from rootfs_builder.recipe.keys import Program, Step
from rootfs_builder.recipe.values import absolute

_NAMED = 5  # files that a message names


def run(
    steps: Iterable[Step],
    folder: str,
    *,
    environment: Mapping[bytes, bytes],
    line: Callable[[str, str], None],
) -> None:
    """Run steps in their order; `line` gets each step's name and a line that it says.

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
            ended = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
            raise StepError(f"step {step.name}: {printable(shown)}: {ended}; its output says why")


def check(results: Iterable[Program], folder: str, steps: Mapping[str, Step]) -> None:
    """Whether the steps made what the recipe says.

    Raises:
        NotFoundError: each result that is not there, and files of its name that are.
    """
    lacking = [
        _sentence(one, folder, absolute(steps[one.step].dir, folder))
        for one in results
        if not os.path.lexists(encode(absolute(one.path, folder)))
    ]
    if lacking:
        raise NotFoundError("\n".join(lacking))


def _sentence(result: Program, folder: str, directory: str) -> str:
    name = encode(os.path.basename(result.path.rstrip("/")))
    found = {os.path.realpath(one) for top in (folder, directory) for one in _named(name, top)}
    base = os.path.realpath(encode(folder)) + b"/"
    places = ", ".join(printable(decode(one.removeprefix(base))) for one in sorted(found))
    way = f"; there is {places}" if places else f"; nothing in {printable(folder)} has that name"
    return f"{printable(result.path)}: the step {result.step} did not make it{way}"


def _named(name: bytes, top: str) -> Iterator[bytes]:
    """Some of the files and directories below `top` that have this name."""
    found = (
        os.path.join(here, name)
        for here, directories, files in os.walk(encode(top))
        if name in directories or name in files
    )
    return islice(found, _NAMED)
