"""Everything that can go wrong, as one tree.

    RootfsError              exit 1   the job cannot go on
    ├── UsageError           exit 2   options that are malformed or contradict the program
    │   └── OptionsError     exit 2   … each with the option that it is about
    ├── InputError           exit 1   a file is not what it has to be
    │   └── ElfError         exit 1   … an ELF file that no loader would take
    ├── ChangedError         exit 1   a file changed while it was being read
    ├── NotFoundError        exit 3   something needed is not there
    ├── VerificationError    exit 4   the image does not resolve as the source did
    ├── PolicyError          exit 5   a secret by accident, or more bytes than allowed
    ├── StepError            exit 1   what a recipe runs first failed
    ├── LostError            exit 1   what did the work for us is gone
    └── OutputError          exit 1   the result could not be written

A message is a sentence for the person at the terminal: it names the thing and says what to do.
A negative answer that is no failure is a value (`None`, a `Finding`), never one of these.
"""

from typing import ClassVar


class RootfsError(Exception):
    """The root of the tree; `exit_code` is what the command line ends with (DESIGN: exit codes)."""

    exit_code: ClassVar[int] = 1


class UsageError(RootfsError):
    """Options that are malformed, or that contradict each other or the program."""

    exit_code = 2


class OptionsError(UsageError):
    """What is wrong with options: `found` has each option, which of its values, and a sentence."""

    def __init__(self, found: "tuple[tuple[str, int | None, str], ...]") -> None:
        super().__init__(found)
        self.found = found

    def __str__(self) -> str:
        return "\n".join(f"{option}: {sentence}" for option, _, sentence in self.found)


class InputError(RootfsError):
    """A file is not what it has to be; the message names it, and `paths` has its path if known."""

    def __init__(self, message: str, *, paths: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.paths = paths


class ElfError(InputError):
    """An ELF file that no loader would take; the message is in the loader's own words."""


class ChangedError(RootfsError):
    """A file is no longer what it was when it was first looked at."""


class NotFoundError(RootfsError):
    """Something needed is not there: its name, who needs it, where was looked."""

    exit_code = 3


class VerificationError(RootfsError):
    """Resolving inside the image gives something else than resolving in the source."""

    exit_code = 4


class PolicyError(RootfsError):
    """A secret, or more bytes, would get into the image than the user allows."""

    exit_code = 5


class StepError(RootfsError):
    """What a recipe runs first failed, or could not be run."""


class LostError(RootfsError):
    """What did the work for us is gone: a cluster's scheduler."""


class OutputError(RootfsError):
    """The result could not be written; what stood there before is untouched."""


def of_code(code: int) -> type[RootfsError]:
    """The error that ends with this exit code, the most general of several."""
    return next((one for one in RootfsError.__subclasses__() if one.exit_code == code), RootfsError)
