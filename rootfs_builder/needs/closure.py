"""Everything a plan is made from, as values: programs, trees of files, and what rules supply.

All paths are of the source; where each thing goes in the image is `placement`'s job.
"""

from collections.abc import Iterator

from msgspec import Struct

from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.findings import Finding
from rootfs_builder.loader.elf_files import Objects
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.needs.users import User
from rootfs_builder.paths import ImagePath
from rootfs_builder.recipe import Recipe


class Program(Struct, frozen=True, eq=False):
    """A file that execve(2) is given.

    `shown` is how it was named, `key` the path of that name with every directory resolved, `by`
    the script that needs it (None: the user). `link_maps` has the start-up map at each hwcaps level
    that makes a difference, then one for each dlopen; a script has none.
    """

    shown: str
    key: ImagePath
    walk: Walk
    by: "Program | None"
    kind: str
    link_maps: tuple[LinkMap, ...] = ()

    @property
    def real(self) -> ImagePath:
        """Its resolved path."""
        return self.walk.real


class Tree(Struct, frozen=True, eq=False):
    """Files that come as they are: the nodes below `source`, itself first, go to `destination`.

    `rule` is the rule that copies them, "" for `--add`; `walk` how the rule's path leads there.
    `anchor` is the program's file, or the link to it, by whose place they were found, and will be.
    `programs` and `plugins` are the ELF files among them: the one start by themselves, the others
    are loaded by a program.
    """

    source: ImagePath
    destination: ImagePath
    nodes: tuple[tuple[ImagePath, Node], ...]
    rule: str = ""
    walk: Walk | None = None
    anchor: ImagePath | None = None
    programs: tuple[Program, ...] = ()
    plugins: tuple[LinkMap, ...] = ()


class Line(Struct, frozen=True, order=True):
    """Text for a generated file; a file is the lines of all rules, in this order."""

    path: ImagePath
    rule: str
    text: str


class Made(Struct, frozen=True, order=True):
    """A file or directory (`data` None) that stands nowhere on this machine as it is."""

    path: ImagePath
    rule: str
    mode: int
    data: bytes | None = None
    uid: int = 0
    gid: int = 0


class Applied(Struct, frozen=True, order=True):
    """A rule that acted: on what evidence, in which program (by its `key`).

    `paths` are those that its sentence names.
    """

    rule: str
    because: str
    evidence: str
    program: ImagePath
    paths: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Why, in words."""
        return f"{self.because} ({self.evidence})"


class Supply(Struct, frozen=True):
    """What rules bring beside libraries; `environment` is (variable, value)."""

    trees: tuple[Tree, ...] = ()
    lines: tuple[Line, ...] = ()
    made: tuple[Made, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    applied: tuple[Applied, ...] = ()


class Closure(Struct, frozen=True):
    """Everything a plan is made from."""

    recipe: Recipe
    sources: Sources
    objects: Objects
    programs: tuple[Program, ...]
    added: tuple[Tree, ...]
    supply: Supply
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

    def first_applied(self) -> dict[str, Applied]:
        """Where each rule acted first, so that reasons lead to what the user named.

        That is in one of the user's programs, else in one that such a rule brought, and so on.
        """
        found: dict[str, Applied] = {}
        given = (*self.programs, *(one for tree in self.added for one in tree.programs))
        reached = {program.key for program in given}
        while reached:
            new: dict[str, Applied] = {}
            for one in self.supply.applied:
                if one.rule not in found and one.program in reached:
                    new.setdefault(one.rule, one)
            found |= new
            trees = [tree for tree in self.supply.trees if tree.rule in new]
            reached = {program.key for tree in trees for program in tree.programs}
        return found

    def host(self, plugin: LinkMap) -> Program:
        """The program that loads a plugin."""
        return next(
            program
            for program in self.all_programs
            if program.link_maps and program.link_maps[0].program is plugin.program
        )

    def processes(self) -> Iterator[tuple[Program, LinkMap]]:
        """Every link map with its program."""
        for program in self.all_programs:
            for link_map in program.link_maps:
                yield program, link_map
        for tree in self.trees:
            for plugin in tree.plugins:
                yield self.host(plugin), plugin
