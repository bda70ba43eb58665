"""Why an entry is in the image, as a value: what kind of request it was, and who made it."""

from enum import StrEnum

from msgspec import Struct

from rootfs_builder.paths import ImagePath, printable


class ReasonKind(StrEnum):
    """What sort of request an entry answers; the text is part of `--json` and of `why`."""

    EXECUTABLE = "executable"  # named by the user
    INTERPRETER = "interpreter"  # of a script, or the dynamic loader of a program
    ADDED = "added"  # with --add
    NEEDED = "NEEDED"
    AUXILIARY = "AUXILIARY"
    FILTER = "FILTER"
    PRELOAD = "preload"
    DLOPEN = "dlopen"
    SYMLINK = "symlink"  # on the way to something else
    DIRECTORY = "directory"  # on the way, too
    RULE = "rule"
    GENERATED = "generated"
    IMAGE = "image"  # read from an image that gives no reasons


class Reason(Struct, frozen=True):
    """Why an entry is there: `by` (a path of the plan, None for the user) asked for it.

    `asked` is the name as it was asked for, `found_by` the rule of the loader, or the evidence,
    that led to the entry.
    """

    kind: ReasonKind
    by: ImagePath | None = None
    asked: str = ""
    found_by: str = ""

    @property
    def sentence(self) -> str:
        """The reason as a sentence."""
        words = [self.kind, printable(self.asked)]
        if self.by is not None:
            words += ["of", printable(self.by)]
        found = f" ({self.found_by})" if self.found_by else ""
        return " ".join(word for word in words if word) + found
