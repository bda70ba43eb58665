"""A path that a rule copies → the tree of files there, and where the links in it lead.

Secrets and the ways to them are left out: only --add takes those.
"""

import re
from collections.abc import Collection, Container
from posixpath import normpath

from msgspec import Struct

from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import Sources, in_system
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs import secrets, trees, unneeded
from rootfs_builder.needs.closure import Tree
from rootfs_builder.needs.rules.reach import Reach
from rootfs_builder.needs.startup import Startup
from rootfs_builder.paths import (
    ImagePath,
    OpenedPath,
    SourcePath,
    ancestors,
    below,
    join,
    parent,
    printable,
)

_Nodes = tuple[tuple[SourcePath, Node], ...]
_ENVIRONMENT = "pyvenv.cfg"  # beside the lib of a virtual environment: PEP 405


class Copy(Struct, frozen=True):
    """What a rule copies for the process `host`: all but `omit`.

    `script` is the script by whose place it was found, if it was one's; `start` is where the rule's
    path begins, see `reach.anchor`. `clue` says who names it, where the rule's own clue does not.
    """

    rule: str
    omit: tuple[str, ...]
    host: LinkMap | None
    script: SourcePath | None = None
    start: str | None = None
    clue: str = ""

    @property
    def program(self) -> Loaded | None:
        """The program of the process."""
        return self.host.program if self.host else None


class Copied(Struct, frozen=True):
    """The trees that a copy adds; `found` says whether anything was there, new or not."""

    found: bool = False
    trees: tuple[Tree, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __or__(self, other: "Copied") -> "Copied":
        return Copied(
            self.found or other.found,
            (*self.trees, *other.trees),
            (*self.findings, *other.findings),
        )


class TreeCopies:
    """Takes each tree once for each program, as each has its own way to what a plugin needs.

    Where two search alike, what the plugins need is there for both: Samba has two hundred, and
    forty programs that load them.

    What the user adds at a path of the image is there, and not taken from the root. What the user
    leaves out is not taken with what lies around it, but where a rule asks for that alone.
    """

    def __init__(
        self,
        sources: Sources,
        startup: Startup,
        reach: Reach,
        added: Container[str],
        *,
        left_out: frozenset[SourcePath] = frozenset(),
        imported: Collection[str] = (),
    ) -> None:
        self._sources = sources
        self._reach = reach
        self._added = added
        self._left_out = left_out
        self._imported = imported  # of what installs packages, see `unneeded`
        self._startup = startup
        self._walker = startup.elf_files.walker
        self._facts = startup.elf_files.facts
        self._secrets = secrets.Secrets(sources, self._facts)
        self._taken: dict[tuple[str, tuple[str, ...]], dict[Loaded | None, bool]] = {}

    def take(self, path: OpenedPath, copy: Copy) -> Copied:
        """Take what is at a path, and what the links in it lead to."""
        if path in self._added:
            return Copied(found=True)
        taken = self._taken.setdefault((path, copy.omit), {})
        if copy.program in taken:
            return Copied(taken[copy.program])
        known = tuple(taken)
        walk = self._walker.walk(path)
        if walk.errno or walk.node is None or walk.node.kind == "special":
            taken[copy.program] = False
            return Copied()
        nodes, findings = self._without_secrets(SourcePath(walk.real), copy)
        taken[copy.program] = bool(nodes)
        if not nodes:
            return Copied(findings=findings)
        tree, more = self._tree(walk, nodes, copy, known)
        result = Copied(True, (tree,), (*findings, *more))
        for inside, node in nodes:
            if node.kind == "symlink" and not self._leads_up(inside):
                result |= self._follow(inside, copy)
        return result

    def has_taken(self, path: OpenedPath, omit: tuple[str, ...]) -> bool:
        """Whether all of what is at a path but for `omit` came for some program."""
        return any(self._taken.get((path, omit), {}).values())

    def _follow(self, link: SourcePath, copy: Copy) -> Copied:
        """Take what a link leads to, and is within reach."""
        if self._reach.leads(link, copy.start):
            return self.take(OpenedPath(link), copy)
        real = SourcePath(self._walker.walk(link).real)
        return Copied(findings=(out_of_reach(self._sources, "", real, copy.rule),))

    def _without_secrets(self, path: SourcePath, copy: Copy) -> tuple[_Nodes, tuple[Finding, ...]]:
        """What is at a path and may be copied, and a warning for each secret; () for a secret."""
        left_out = self._left_out - {path, *ancestors(path)}
        skip = left_out.__contains__ if left_out else None
        there = _kept(trees.nodes(self._sources, path, skip=skip), copy.omit)
        if self._sources.lstat(join(parent(path), _ENVIRONMENT)) is not None:
            tree = Tree(path, ImagePath(path), there)
            there = unneeded.without_installers(
                tree, self._sources, self._facts, imported=self._imported
            )
        hidden = self._reach.hidden((one for one, _ in there), path)
        there = tuple((p, n) for p, n in there if p not in hidden)
        unreadable = self._reach.unreadable(there, _owner(copy, path), copy.start)
        secret = {one.path: one.why for one in self._secrets.among(there)}
        found = unreadable | secret
        why_hidden = dict.fromkeys(hidden.values(), "its name begins with a dot")
        findings = tuple(
            _left_out(self._sources, one, why, is_secret=one in secret)
            for one, why in (why_hidden | found).items()
        )
        if path in found:
            return (), findings
        return tuple((p, n) for p, n in there if n.kind != "special" and p not in found), findings

    def _tree(
        self, walk: Walk, nodes: _Nodes, copy: Copy, known: tuple[Loaded | None, ...]
    ) -> tuple[Tree, tuple[Finding, ...]]:
        """The tree, with what `known` programs have not shown that its files need."""
        real = SourcePath(walk.real)
        anchor = copy.script or (_anchor(copy.program, real) if copy.program else None)
        tree = Tree(real, ImagePath(real), nodes, copy.rule, walk, anchor, clue=copy.clue)
        host = copy.host
        if any(_search_alike(one, copy.program) for one in known):
            host = None
        return trees.with_closures(tree, self._startup, self._sources, host, again=bool(known))

    def _leads_up(self, link: SourcePath) -> bool:
        """Whether a link leads to a directory that it is in: no reason to take all of that."""
        walk = self._walker.walk(link)
        return not walk.errno and below(link, walk.real)


def _search_alike(one: Loaded | None, other: Loaded | None) -> bool:
    """Whether what two programs load finds its libraries in the same places."""
    if one is None or other is None:
        return one is other
    ways = [(each.elf.interpreter, each.elf.rpath, each.elf.runpath) for each in (one, other)]
    absolute = not any(b"$" in (way or b"") for way in ways[0])
    return ways[0] == ways[1] and (absolute or one.origin == other.origin)


def prefix(path: SourcePath) -> SourcePath:
    """The directory that has a program in its bin."""
    return parent(parent(path))


def _anchor(program: Loaded, path: SourcePath) -> SourcePath | None:
    """By which of the program's own places a path is found: its file's, or its name's."""
    places = (SourcePath(program.real), SourcePath(program.opened))
    return next((one for one in places if below(path, prefix(one))), None)


def _owner(copy: Copy, path: SourcePath) -> SourcePath | None:
    """The program or script for whose readers a tree is meant."""
    if copy.script is not None or copy.program is None:
        return copy.script
    return _anchor(copy.program, path) or SourcePath(copy.program.real)


def _left_out(sources: Sources, path: SourcePath, why: str, *, is_secret: bool) -> Finding:
    allow = f"--allow-sensitive={printable(sources.machine_path(path))} " if is_secret else ""
    flags = allow + _flag(sources, path, path if in_system(path) else "")
    text = f"{printable(sources.display(path))} was not included: {why}; to include it: {flags}"
    return warning(Code.SECRET_LEFT_OUT, text, *_named(sources, path))


def out_of_reach(sources: Sources, path: str, real: SourcePath, rule: str) -> Finding:
    """The warning about a file that only a text names; `path` is its place, "" where unknown."""
    text = (
        f"{printable(sources.display(real))} was not included: rule {printable(rule)} found it "
        "named in a program or script, but it is outside the system directories and not next to "
        f"the script by a visible name; to include it: {_flag(sources, real, path)}"
    )
    return warning(Code.OUT_OF_REACH, text, *_named(sources, real))


def many_out_of_reach(sources: Sources, directory: str, real: list[str], rule: str) -> Finding:
    """The same about many paths in a directory, of which nobody may want all."""
    first = SourcePath(real[0])
    text = (
        f"{len(real)} paths in {printable(sources.display(SourcePath(directory)))} were not "
        f"included: rule {printable(rule)} found them named in a program or script, but they are "
        "outside the system directories and not next to the script by a visible name; to include "
        f"one: {_flag(sources, first, first)}"
    )
    return warning(Code.OUT_OF_REACH, text, *_named(sources, first))


def _named(sources: Sources, path: SourcePath) -> dict[str, None]:
    """The paths that the texts above have of a file."""
    return dict.fromkeys((path, sources.machine_path(path)))


def _flag(sources: Sources, path: SourcePath, place: str) -> str:
    """What adds a file; `place` is its path in the image, "" where the layout decides that."""
    shown = printable(sources.display(normpath(place))) if place else "PATH-IN-IMAGE"
    return f"--add {printable(sources.machine_path(path))}:{shown}"


def _kept(nodes: _Nodes, omit: tuple[str, ...]) -> _Nodes:
    """The nodes of a tree, less those that a rule leaves out, and all below these."""
    if not omit:
        return nodes
    top = nodes[0][0]
    left_out = re.compile("|".join(map(_omitted, omit)))
    return tuple(
        (path, node)
        for path, node in nodes
        if path == top or not left_out.fullmatch(path[len(top) + 1 :])
    )


def _omitted(pattern: str) -> str:
    """A pattern of `omit` for paths within a tree: a name matches at any depth."""
    wild = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return f"{'' if '/' in pattern else '(?:.*/)?'}{wild}(?:/.*)?"
