"""What the user should know of a build, as values: they are returned, and printed at the end."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How much a finding matters: a rule added something, could add it, or something is wrong."""

    ADDED = "added"
    HINT = "hint"
    WARNING = "warning"


class Code(StrEnum):
    """What a finding is about; scripts may compare these, so a code never changes its meaning."""

    RULE_ADDED = "rule-added"
    RULE_HINT = "rule-hint"
    RULE_FOUND_NOTHING = "rule-found-nothing"
    RULE_LIBRARY_MISSING = "rule-library-missing"
    STATIC_PROGRAM = "static-program-loads-nothing"
    DLOPEN_LEFT_OUT = "dlopen-left-out"
    DLOPEN_MISSING = "dlopen-missing"
    PACKAGE_FILES_LEFT_OUT = "package-files-left-out"
    PACKAGES_LEFT_OUT = "packages-left-out"
    PROGRAMS_LEFT_OUT = "programs-left-out"
    SECRET_LEFT_OUT = "secret-left-out"  # noqa: S105 - not a password
    OUT_OF_REACH = "out-of-reach"
    FOREIGN_FILES = "foreign-files"
    NOT_EXECUTABLE = "not-executable"
    NEEDS_HIDDEN = "needs-hidden"
    LIBRARY_MISSING = "library-missing"
    INTERPRETER_MISSING = "interpreter-missing"
    IMPORT_MISSING = "import-missing"
    COMMAND_MISSING = "command-missing"
    LOADER_MISSING = "loader-missing"
    LOADER_GUESSED = "loader-guessed"
    PRELOAD_NOT_COPIED = "preload-not-copied"
    RELATIVE_RUNPATH = "relative-runpath"
    BUILD_PATH = "build-path"
    DANGLING_SYMLINK = "dangling-symlink"
    LONG_PATH = "long-path"
    UNNEEDED_FILES = "unneeded-files"
    NOTHING_EXCLUDED = "nothing-excluded"
    NOT_STRIPPED = "not-stripped"
    CLOSED_TO_USER = "closed-to-user"
    NOT_WRITABLE = "not-writable"
    PUBLISHED = "published"
    SET_ID_DROPPED = "set-id-dropped"
    CAPABILITIES_KEPT = "capabilities-kept"
    CAPABILITIES_NEEDED = "capabilities-needed"
    PRIVILEGED_SCRIPT = "privileged-script"
    PRIVILEGED_ORIGIN = "privileged-origin"
    RESOLVES_DIFFERENTLY = "resolves-differently"
    OWNERS_UNKNOWN = "owners-unknown"
    NOT_IN_DEPFILE = "not-in-depfile"
    HEALTH_CHECK_IGNORED = "health-check-ignored"
    EXERCISED = "exercised"
    EXERCISE_FAILS = "exercise-fails"
    UNSEEN = "unseen"
    LINKS_SUPPLIED = "links-supplied"
    TRIGGERS_NOT_RUN = "triggers-not-run"
    OUTPUT_LEFTOVER = "output-leftover"
    OUTPUT_NAME = "output-name"


WITHHELD = frozenset((Code.SECRET_LEFT_OUT, Code.OUT_OF_REACH))  # said even where little is
MINOR = frozenset(  # said after others: the image works the same
    (
        Code.HEALTH_CHECK_IGNORED,
        Code.LONG_PATH,
        Code.NOT_IN_DEPFILE,
        Code.NOT_STRIPPED,
        Code.OUTPUT_LEFTOVER,
        Code.OUTPUT_NAME,
        Code.UNNEEDED_FILES,
    )
)


class Finding(Struct, frozen=True):
    """One line for the user: what it is, then what to type.

    `paths` are the paths that the text names, of the source or the image, not escaped: who passes
    a finding on need not look for them in a sentence. `rule` is the rule that a hint is about, if
    `--with` takes it.
    """

    level: Level
    code: Code
    text: str
    paths: tuple[str, ...] = ()
    rule: str = ""


def added(code: Code, text: str, *paths: str) -> Finding:
    """What a rule added."""
    return Finding(Level.ADDED, code, text, paths)


def hint(code: Code, text: str, *paths: str) -> Finding:
    """What could be added or left out, with the flag."""
    return Finding(Level.HINT, code, text, paths)


def warning(code: Code, text: str, *paths: str) -> Finding:
    """What may keep the program from working, and what to do."""
    return Finding(Level.WARNING, code, text, paths)
