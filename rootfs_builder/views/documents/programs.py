"""The documents of verbs that look at programs and rules."""

from msgspec import Struct

from rootfs_builder.needs.closure import ProgramKind
from rootfs_builder.needs.rules import Rule
from rootfs_builder.plan import ReasonKind
from rootfs_builder.views.documents.images import Said

RuleList = tuple[Rule, ...]


class Object(Struct, frozen=True):
    """A file that a program loads.

    `name` is how it was asked for, `opened` where it was found, `real` that path without symlinks,
    `by` what needs it and `found_by` the loader's rule; null for the program itself.
    """

    name: str
    opened: str
    real: str
    size: int
    by: str | None
    found_by: str | None


class LinkMap(Struct, frozen=True):
    """What a program loads on one kind of CPU; after the `calls` of dlopen, if there are any."""

    hwcaps: tuple[str, ...]
    calls: tuple[str, ...]
    objects: tuple[Object, ...]


class Executable(Struct, frozen=True):
    """A program, or an interpreter of one; `real` is its path without symlinks."""

    path: str
    real: str
    kind: ProgramKind
    link_maps: tuple[LinkMap, ...]


class Tree(Struct, frozen=True):
    """What programs load; `files` are all of them, sorted."""

    executables: tuple[Executable, ...]
    files: tuple[str, ...]


class Cause(Struct, frozen=True):
    """A reason for a path: the kind, the name that was asked for, by what, and what found it."""

    path: str
    kind: ReasonKind
    asked: str
    by: str | None
    found_by: str


class Why(Struct, frozen=True):
    """Why a path is in an image: the chain up to what the user asked for, and all its reasons."""

    path: str
    kind: str
    size: int
    chain: tuple[Cause, ...]
    reasons: tuple[Cause, ...]


class Verified(Struct, frozen=True):
    """How many dynamic programs and files an image has, and what their loader would not find.

    `unchecked` is what could not be looked at.
    """

    programs: int
    files: int
    problems: tuple[str, ...]
    unchecked: tuple[str, ...]


class Applied(Struct, frozen=True):
    """A rule that acts for a program, and on what evidence."""

    name: str
    because: str
    evidence: str


class Matched(Struct, frozen=True):
    """The rules that act for a program."""

    rules: tuple[Applied, ...]
    findings: tuple[Said, ...]


class Lacking(Struct, frozen=True):
    """A path that a run used and the image lacks; where it belongs, how it was used, by what."""

    path: str
    destination: str
    use: str
    by: str
    directory: bool


class Left(Struct, frozen=True):
    """A path that a run used and no image should have."""

    path: str
    because: str


class Traced(Struct, frozen=True):
    """A run: its exit code, null if it did not start; the flags that bring what the image lacks."""

    exit_code: int | None
    stopped: str
    present: int
    flags: tuple[tuple[str, str], ...]
    lacking: tuple[Lacking, ...]
    inputs: tuple[str, ...]
    left_alone: tuple[Left, ...]
    missing: tuple[str, ...]
