"""`--exercise` and `--exercise-probe`: commands of this machine, in exec form."""

from msgspec import Struct

from rootfs_builder.errors import UsageError
from rootfs_builder.recipe import exec_form


class Exercise(Struct, frozen=True):
    """`--exercise CMD`: a run that shows what the program needs, from a directory of this machine.

    The first word is one of the programs; in the image the same words are run.
    """

    command: tuple[str, ...]
    directory: str


def parse(text: str, directory: str) -> Exercise:
    """A command that `directory` is the working directory of.

    Raises:
        UsageError: see `exec_form.parse`.
    """
    return Exercise(exec_form.parse(text), directory)


def probe(text: str) -> tuple[str, ...]:
    """A command of this machine, which has a shell: for that, `sh -c '…'`.

    Raises:
        UsageError: see `exec_form.parse`.
    """
    try:
        return exec_form.parse(text)
    except UsageError:
        if exec_form.is_for_a_shell(text):
            raise UsageError(f"{text!r} is for a shell: ask for one, sh -c '…'") from None
        raise
