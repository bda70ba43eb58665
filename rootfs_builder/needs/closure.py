"""What programs need, as values: the programs, trees of files, and what rules supply.

All paths are of the source; where each thing goes in the image, the layout says.
"""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.findings import Finding
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.needs.users import User
from rootfs_builder.paths import ImagePath, OpenedPath, SourcePath


class ProgramKind(StrEnum):
    """What a program is in the image for; the text is that of its reason."""

    EXECUTABLE = "executable"  # named by the user
    INTERPRETER = "interpreter"  # of a script
    ADDED = "added"  # in a tree


class Program(Struct, frozen=True, eq=False):
    """A file that execve(2) is given.

    `display_name` is how it was named, `key` the path of that name with every directory resolved,
    `by` the script that needs it (None: the user). `link_maps` has the start-up map at each hwcaps
    level that makes a difference, then one for each dlopen; a script has none.
    """

    display_name: str
    key: SourcePath
    walk: Walk
    by: "Program | None"
    kind: ProgramKind
    link_maps: tuple[LinkMap, ...] = ()

    @property
    def real(self) -> SourcePath:
        """Its resolved path."""
        return SourcePath(self.walk.real)


class Tree(Struct, frozen=True, eq=False):
    """Files that are copied unchanged: the nodes below `source`, itself first, to `destination`.

    `rule` is the rule that copies them, "" for `--add`; `walk` is the way to them from the rule's
    path, or from the link that the user adds at its own place. `left_out` is what `--exclude` keeps
    away: the outermost of these paths, and all below them. `anchor` is the file of the program, or
    the link to it, by whose place they are found. `programs` and `plugins` are the ELF files among
    them: programs can be started, plugins are loaded by a program. `clue` says who names it, where
    the rule's own clue does not.
    """

    source: SourcePath
    destination: ImagePath
    nodes: tuple[tuple[SourcePath, Node], ...]
    rule: str = ""
    walk: Walk | None = None
    anchor: SourcePath | None = None
    programs: tuple[Program, ...] = ()
    plugins: tuple[LinkMap, ...] = ()
    clue: str = ""
    left_out: frozenset[SourcePath] = frozenset()


class GeneratedLine(Struct, frozen=True, order=True):
    """Text for a generated file, which consists of the lines of all rules in this order."""

    path: ImagePath
    rule: str
    text: str


class GeneratedFile(Struct, frozen=True, order=True):
    """A generated file, or directory (`data` None)."""

    path: ImagePath
    rule: str
    mode: int
    data: bytes | None = None
    uid: int = 0
    gid: int = 0


class RuleApplication(Struct, frozen=True, order=True):
    """A rule that acted: on what evidence, in which program (by its `key`).

    `paths` are those that its sentence names.
    """

    rule: str
    because: str
    evidence: str
    program: SourcePath
    paths: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Why it acted, as text for a person."""
        return f"{self.because} ({self.evidence})"


class RuleOutput(Struct, frozen=True):
    """What rules supply besides libraries; `environment` is (variable, value).

    `left_out` are programs that are named and stay away, `too_large` those that are started, and
    stay away by their size. `published` are files of the system that
    not everybody may read here: these may go in because packages have published them.
    """

    trees: tuple[Tree, ...] = ()
    lines: tuple[GeneratedLine, ...] = ()
    made: tuple[GeneratedFile, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    applied: tuple[RuleApplication, ...] = ()
    left_out: tuple[OpenedPath, ...] = ()
    too_large: tuple[OpenedPath, ...] = ()
    published: frozenset[SourcePath] = frozenset()


class Closure(Struct, frozen=True):
    """Everything that the programs of a recipe need: facts only.

    `programs` are the user's and the interpreters of scripts, `added` the trees that the user
    adds, `user` is who the image runs as. The recipe, and the sources in which all paths are, are
    passed along with it.
    """

    programs: tuple[Program, ...]
    added: tuple[Tree, ...]
    supply: RuleOutput
    user: User | None
    findings: tuple[Finding, ...]

    @property
    def trees(self) -> tuple[Tree, ...]:
        """All trees, the user's first."""
        return (*self.added, *self.supply.trees)

    @property
    def all_programs(self) -> tuple[Program, ...]:
        """The programs, and those in trees."""
        return (*self.programs, *(one for tree in self.trees for one in tree.programs))

    def first_applied(self) -> dict[str, RuleApplication]:
        """Where each rule acted first, so that reasons lead to what the user named.

        That is in one of the user's programs, else in one that such a rule brought, and so on.
        """
        found: dict[str, RuleApplication] = {}
        named = (*self.programs, *(one for tree in self.added for one in tree.programs))
        reached = {program.key for program in named}
        while reached:
            new: dict[str, RuleApplication] = {}
            for one in self.supply.applied:
                if one.rule not in found and one.program in reached:
                    new.setdefault(one.rule, one)
            found |= new
            trees = [tree for tree in self.supply.trees if tree.rule in new]
            reached = {program.key for tree in trees for program in tree.programs}
        return found

    def plugins(self) -> Iterator[tuple[Program, LinkMap]]:
        """The link map of every plugin in trees, with the program that loads it."""
        hosts = {
            id(one.link_maps[0].program): one for one in self.all_programs[::-1] if one.link_maps
        }
        for tree in self.trees:
            for plugin in tree.plugins:
                yield hosts[id(plugin.program)], plugin

    def processes(self) -> Iterator[tuple[Program, LinkMap]]:
        """Every link map with its program."""
        for program in self.all_programs:
            for link_map in program.link_maps:
                yield program, link_map
        yield from self.plugins()
