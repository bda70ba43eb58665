"""What code that looks for needs is given, and what it answers.

A rule is data: it says when it holds. Where data cannot say what is then needed, the rule names a
finder: the importer of a language, or a kind of general evidence. A finder is made once for each
process in which its rule holds. It is asked about the process, then about each text that the user
gives or that comes in. It only adds, and sees neither other finders' answers nor an order.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from rootfs_builder.findings import Finding
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.packages import Owners
from rootfs_builder.paths import SourcePath


class TextKind(StrEnum):
    """How a text comes into the image: it is started, the user adds it, or a need brings it.

    SETTINGS lie below /etc and come by a rule, which knows what of their paths is needed.
    """

    STARTED = "started"
    ADDED = "added"
    BROUGHT = "brought"
    SETTINGS = "settings"


class Text(Struct, frozen=True):
    """A file that may be a script, a module, a configuration; `ImageFiles.read` has its bytes.

    `path` is the one by which it is started, named or added: a link stays one. `by` is the program
    that is given it to run, "" where its first line says which that is.
    """

    path: str
    kind: TextKind
    by: str = ""


class Context(Struct, frozen=True, eq=False):
    """What a finder may look at.

    `objects` are all objects of the process of `program`; `is_named` says whether the user names
    that. `variables` are those that the rule's patterns and landmarks bind, `values` what
    `--with RULE=VALUE,…` asks for, `chosen` the rules of `--with` and `--without`. `arguments` are
    what follows the first word of the image's command line, `entry` is that word where the user
    says so. `environment` are the image's variables, `search_path` the directories of its PATH,
    `directory` is where it starts, and `user` whom it runs as, "" for nobody named. `packages` says
    who owns a file. `given` are the texts that the user names or adds, `exported` the variables
    that scripts have set until now.
    """

    program: Loaded
    objects: tuple[Loaded, ...]
    variables: Mapping[str, str]
    values: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    search_path: tuple[str, ...]
    directory: str
    user: str
    files: ImageFiles
    elf_files: ElfFiles
    packages: Owners
    given: tuple[Text, ...] = ()
    entry: str = ""
    is_named: bool = False
    chosen: frozenset[str] = frozenset()
    exported: Mapping[str, str] = {}

    def searched(self, variable: str) -> str:
        """A variable of directories for modules: the image's, or that of a script."""
        return self.environment.get(variable) or self.exported.get(variable, "")


class File(Struct, frozen=True):
    """A file or directory is needed, where it is; `clue` says who names it.

    `start` is the directory from which it is found by the program's or script's own place, and
    `script` the script whose place that is; without them a text alone names it, and then it has to
    be in the system's directories. `omit` are names that are left out below it. What is `started`
    comes with its interpreter, and is read as a script; so is what a program, `by`, is given to
    run, which is that interpreter.
    """

    path: str
    clue: Clue
    start: str | None = None
    script: SourcePath | None = None
    omit: tuple[str, ...] = ()
    started: bool = False
    by: str = ""


class Library(Struct, frozen=True):
    """The process opens a library, by its SONAME or path, with dlopen(3).

    If it and its `alternatives` are not there, that is a warning, unless it is `optional`. One that
    is `left_out` is a hint if it is there.
    """

    name: str
    clue: Clue
    optional: bool = False
    left_out: bool = False
    alternatives: tuple[str, ...] = ()


class Account(Struct, frozen=True):
    """The process looks an account up by its name; one that the root has gets its lines.

    A user gets those of its group, too; a group has no other line.
    """

    name: str
    clue: Clue
    is_group: bool = False


class Directory(Struct, frozen=True):
    """The process expects a directory, in which it writes: it is made, for the image's user.

    `shared` is one in which others have their files, too. One that is `fixed` is only read.
    """

    path: str
    clue: Clue
    shared: bool = False
    fixed: bool = False


class LeftOut(Struct, frozen=True):
    """A program is only sometimes started, or a module imported: it stays away, and is a hint.

    Or it is started for certain, and is too `large` to be included by itself: then it is a warning.
    """

    path: str
    clue: Clue
    large: bool = False


class Exported(Struct, frozen=True):
    """A script sets a variable for the programs that it starts."""

    name: str
    value: str


Wanted = File | Library | Account | Directory | LeftOut | Finding  # of the image, and of the user
Need = Wanted | Exported


class Finder(Protocol):
    """One kind of finder, in one process."""

    def process(self) -> Iterator[Need]:
        """What the process and its arguments themselves show."""

    def text(self, text: Text) -> Iterator[Need]:
        """What a text shows; nothing for one that it cannot read."""


@runtime_checkable
class Watcher(Protocol):
    """A finder that looks at what a process loads later, too."""

    def loaded(self, objects: tuple[Loaded, ...]) -> Iterator[Need]:
        """What is shown by an object that dlopen(3) has opened, the first, and those it needs."""


@runtime_checkable
class Multicall(Protocol):
    """A finder for programs that do other things by other names, which are links to them."""

    def called(self, path: str) -> Iterator[Need]:
        """What is needed if the program is started by a path."""


@runtime_checkable
class Last(Protocol):
    """A finder that is asked when no other has anything more to say."""

    def last(self, there: AbstractSet[str], told: AbstractSet[Finding]) -> Iterator[Need]:
        """What is needed besides the paths that are `there`, or of which findings have `told`."""


class FinderModule(Protocol):
    """A module of importers/ or general/."""

    def make(self, context: Context) -> Finder:
        """Its finder for one process."""
