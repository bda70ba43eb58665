"""Everything that can go wrong, as one tree.

    RootfsError              exit 1   the job cannot go on
    ├── UsageError           exit 2   options that are malformed or contradict the program
    ├── InputError           exit 1   a file is not what it has to be
    │   └── ElfError         exit 1   … an ELF file that no loader would take
    ├── ChangedError         exit 1   a file changed while it was being read
    ├── ReadError            exit 1   the system could not tell what a file is or has
    ├── NotFoundError        exit 3   something needed is not there
    ├── VerificationError    exit 4   the image does not resolve as the source did
    ├── PolicyError          exit 5   a secret by accident, or more bytes than allowed
    │   └── LimitError       exit 5   … an image of others that would cost more than it may
    ├── StepError            exit 1   a step of a recipe failed
    ├── LostError            exit 1   the worker or scheduler that did the work is gone
    ├── OutputError          exit 1   the result could not be written
    └── InternalError        exit 1   a defect of this program

A message is a sentence for the person at the terminal: it names the thing and says what to do. A
`Mistake` in an option is a value until it is printed: a recipe prints it with the line of its key.
A negative answer that is no failure is a value too (`None`, a `Finding`), never one of these.
"""

from typing import ClassVar, NamedTuple

from rootfs_builder.paths import printable

EXIT_CODES = {  # as the man page and the documentation explain them
    0: "Done.",
    1: "The job failed: a file is damaged, something could not be read or written, a step failed.",
    2: "The command line or a recipe is wrong.",
    3: "Something needed was not found.",
    4: "The image would not resolve as the host does, or `verify` found something missing.",
    5: "Refused: the image would contain a secret or exceed --max-size, or somebody else's image "
    "exceeds a limit.",
}
EXECUTABLE = "EXECUTABLE"  # as an option: the programs, which need no other name


class Mistake(NamedTuple):
    """A mistake in an option, or in no particular one, "".

    `value` is the option's value if the text does not name it, `position` which of several it is.
    `advice` says what to type, if that is not what follows the first semicolon of a text in one
    line, as it most often is.
    """

    option: str
    text: str
    value: str = ""
    position: int | None = None
    advice: str = ""

    @property
    def hint(self) -> str:
        """What to type; empty if the text does not say it."""
        return self.advice or ("" if "\n" in self.text else self.text.partition("; ")[2])

    @property
    def about(self) -> str:
        """The text, after the value that it is about."""
        return f"{printable(self.value)}: {self.text}" if self.value else self.text

    def __str__(self) -> str:
        if not self.option or (self.option == EXECUTABLE and self.value):
            return self.about
        return f"{self.option}{' ' if self.value else ': '}{self.about}"


class RootfsError(Exception):
    """The root of the tree: one or more sentences, or mistakes.

    `exit_code` is what the command line ends with (DESIGN: exit codes), `code` what `--json` calls
    it. `paths` are the files that it is about, as far as they are known, not escaped.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "failed"

    def __init__(self, *parts: str | Mistake, paths: tuple[str, ...] = ()) -> None:
        super().__init__(*parts)
        self.paths = paths
        self.mistakes = tuple(
            Mistake("", part) if isinstance(part, str) else part for part in parts
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.mistakes))


class UsageError(RootfsError):
    """Options that are malformed, or that contradict each other or the program."""

    exit_code = 2
    code = "usage"


class InputError(RootfsError):
    """A file is not what it has to be."""

    code = "input"


class ElfError(InputError):
    """An ELF file that no loader would take; the message is in the loader's own words."""

    code = "elf"


class ChangedError(RootfsError):
    """A file is no longer what it was when it was first looked at."""

    code = "changed"


class ReadError(RootfsError):
    """The system failed to examine a file, as with EIO: nothing may treat that as an answer.

    What a file is or lacks is an InputError, which some who ask can do without.
    """

    code = "read"


class NotFoundError(RootfsError):
    """Something needed is not there: its name, what needs it, which places were searched."""

    exit_code = 3
    code = "not-found"


class VerificationError(RootfsError):
    """Resolving inside the image gives something else than resolving in the source."""

    exit_code = 4
    code = "verification"


class PolicyError(RootfsError):
    """A secret, or more bytes, would get into the image than the user allows."""

    exit_code = 5
    code = "policy"


class LimitError(PolicyError):
    """An image of others would cost more memory, time or disk than reading one may."""

    code = "limit"


class StepError(RootfsError):
    """A step of a recipe failed, or could not be run."""

    code = "step"


class LostError(RootfsError):
    """A worker died again and again, or the scheduler of a cluster is gone."""

    code = "lost"


class OutputError(RootfsError):
    """The result could not be written; what was there before is untouched."""

    code = "output"


class InternalError(RootfsError):
    """A defect of this program, for the person who meets it."""

    code = "internal"
