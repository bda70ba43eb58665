"""A path that a rule found → whether it may go into the image.

A program's text is not the user's word: else whoever wrote it chooses which files of the machine
that builds are published. So what a rule finds counts where the system keeps its files, below what
the rule itself spells out, and in the folder of the user's own program or script. There are no
other doors: every path of every rule comes through `Reach.allows`, and so does every link in what
is copied.

The folder of a script is what is in the directory it lies in, and if that is called bin, in the one
around it. That of a program in a bin is lib*, share and etc beside it. A script that only the first
line of another names has none: that line is a text, too.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import Sources, in_system
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.needs.closure import Program
from rootfs_builder.paths import (
    MOUNTED,
    Key,
    OpenedPath,
    SourcePath,
    ancestors,
    below,
    name,
    parent,
    printable,
)

PLACES = frozenset(("above", "beside", "called", "prefix", "script"))  # variables no text binds

_SPELT_OUT = re.compile(r"[^*?\[{]*")
_VARIABLE = re.compile(r"\{(\w+)\}")
_BIN = ("bin", "sbin")
_OF_A_PROGRAM = re.compile(r"lib[^/]*|share|etc")
_INSTALLED = frozenset(("dist-packages", "node_modules", "site-packages"))  # with hidden names
_EVERYBODY_READS, _EVERYBODY_ENTERS = 0o004, 0o001
_STARTS = 0o6111  # by anybody, or as somebody else
_OTHERS_READ, _OTHERS_ENTER = 0o044, 0o011
_AS_READING = 2  # bits between who may enter and who may read


def anchor(template: str, variables: Mapping[str, str], landmarks: Collection[str]) -> str | None:
    """The place that a rule's template starts from, None if that comes from a text.

    It is what the template spells out before its first variable or wildcard, or the value of its
    first variable, if that is a place of the program, of the script or of a landmark.
    """
    spelt = _SPELT_OUT.match(template)
    head = spelt[0] if spelt else ""
    if head == template:
        return template
    if head:
        return parent(head) if parent(head) != "/" else None
    first = _VARIABLE.match(template)
    known = first is not None and (first[1] in PLACES or first[1] in landmarks)
    return variables.get(first[1]) if first and known else None


class Reach:
    """Answers for the rules of one build; `programs` are what the user packs.

    `is_published` says of a file of the system whether everybody has it as it is; `published` are
    those that may go in for that reason alone.
    """

    def __init__(
        self,
        walker: Walker,
        programs: Iterable[Program],
        is_published: Callable[[SourcePath], bool] = lambda _: False,
    ) -> None:
        self._walker = walker
        self._is_published = is_published
        self.published = set[SourcePath]()
        self._folders = set[Key]()
        self._prefixes = set[Key]()  # of programs
        self._named = set[str]()  # around scripts that the user has not named
        self._entered = dict[Key, bool]()
        self._openers = dict[tuple[Key, SourcePath], int]()
        for program in programs:
            for path in (program.key, program.real):
                if not in_system(path):
                    self._add(parent(path), program)
        self._named -= self._folders

    def _add(self, directory: Key, program: Program) -> None:
        script = not program.link_maps
        above = [parent(directory)] if name(directory) in _BIN else []
        above = [one for one in above if not _is_home(one)]
        if script and program.by is not None:
            self._named |= {directory, parent(directory)}
        elif script:
            self._folders |= {one for one in (directory, *above) if not _is_top(one)}
        else:
            self._prefixes |= {one for one in above if not _is_top(one)}

    def allows(self, path: str, start: str | None, template: str = "") -> bool:
        """Whether a rule may follow an absolute path that it has from `template`.

        `start` is the template's `anchor`. Hidden names that only a text has, or that links lead
        to, are not followed in folders of the user: people keep their keys there.
        """
        if start is not None and (".." in path.split("/") or not below(path, start)):
            start = None
        return self._allows(path, start, template.split("/"))

    def leads(self, link: SourcePath, start: str | None) -> bool:
        """Whether a link within what a rule copies may be followed."""
        return self._allows(link, start, ())

    def _allows(self, path: str, start: str | None, meant: Collection[str]) -> bool:
        walk = self._walker.walk(OpenedPath(path))
        if walk.errno or walk.node is None:
            return True  # at most what the user adds at this path of the image
        real = walk.real
        if walk.node.kind != "special" and any(below(Sources.display(real), m) for m in MOUNTED):
            return False  # what the kernel says of this machine
        if in_system(real) or (in_system(path) and ".." not in path.split("/")):
            return True
        around = self._around(real, start, whole=path == start)
        return any(_first_hidden(real, one, meant) is None for one in around)

    def _around(self, real: Key, start: str | None, *, whole: bool = False) -> Iterator[Key]:
        """The places of the user's programs and scripts that a resolved path is in.

        A folder is in none of them itself; the place that a rule's path starts from is if it is
        `whole` that the rule means.
        """
        yield from (one for one in self._folders if real != one and below(real, one))
        yield from (one for one in self._prefixes if _is_of_program(real, one))
        if start is not None and start not in self._named and not _is_top(start):
            begin = self._walker.walk(OpenedPath(start))
            if not begin.errno and below(real, begin.real) and (whole or real != begin.real):
                yield begin.real

    def is_closed(self, path: OpenedPath) -> bool:
        """Whether a path leads to a file of the system that not everybody may read."""
        walk = self._walker.walk(path)
        if walk.errno or walk.node is None or not in_system(path):
            return False
        return bool(self.unreadable([(SourcePath(walk.real), walk.node)], None))

    def hidden(self, paths: Iterable[SourcePath], top: SourcePath) -> dict[SourcePath, SourcePath]:
        """The hidden files of a tree in a folder of the user, by the outermost hidden name."""
        if not any(below(top, one) for one in self._folders):
            return {}
        found = ((path, _first_hidden(path, top, ())) for path in paths)
        return {path: one for path, one in found if one is not None}

    def unreadable(
        self,
        nodes: Iterable[tuple[SourcePath, Node]],
        owner: SourcePath | None,
        start: str | None = None,
    ) -> dict[SourcePath, str]:
        """The files of a tree that a rule must not publish, and why.

        Of what lies in a folder of the user, those that fewer may read than the program or script
        `owner`. Of all else, those that not everybody may read here, unless everybody has them
        from a package: they may hold passwords.
        """
        found: dict[SourcePath, str] = {}
        for path, node in nodes:
            if node.kind != "file":
                continue
            users = owner is not None and not in_system(owner) and not in_system(path)
            if owner is None or not users or not any(self._around(path, start)):
                if not self._is_open(path, node):
                    found[path] = "it is not readable by everyone on this machine"
            elif self._readers(owner) & ~(node.mode & self._entering(parent(path), owner)):
                found[path] = f"it is readable by fewer users than {printable(name(owner))}"
        return found

    def _is_open(self, path: SourcePath, node: Node) -> bool:
        """Whether everybody may read a file here, or has it.

        What only some may start is never published: its mode says who may, and that must stay.
        """
        if node.mode & _EVERYBODY_READS and self._everybody_enters(parent(path)):
            return True
        is_open = not node.mode & _STARTS and in_system(path) and self._is_published(path)
        if is_open:
            self.published.add(path)
        return is_open

    def _everybody_enters(self, directory: Key) -> bool:
        """Whether everybody may open files by their names in a resolved directory.

        The root directory is open: that of a sysroot may be a temporary directory of the user's.
        """
        if directory == "/":
            return True
        if directory not in self._entered:
            node = self._walker.walk(directory).node
            here = node is not None and bool(node.mode & _EVERYBODY_ENTERS)
            self._entered[directory] = here and self._everybody_enters(parent(directory))
        return self._entered[directory]

    def _readers(self, path: SourcePath) -> int:
        """Who besides its owner may read a file, as bits of a mode; of a link, who finds it."""
        node = self._walker.root.lstat(path)
        if node is not None and node.kind == "symlink":
            above = self._walker.walk(parent(path)).node
            return (above.mode & _OTHERS_ENTER) << _AS_READING if above else _OTHERS_READ
        return node.mode & _OTHERS_READ if node else _OTHERS_READ

    def _entering(self, directory: Key, owner: SourcePath) -> int:
        """Who may come to a directory from the one around `owner`, as bits of reading."""
        known = (directory, owner)
        if known not in self._openers:
            bits = _OTHERS_READ
            for one in (directory, *ancestors(directory)):
                if below(owner, one):
                    break
                node = self._walker.walk(one).node
                bits &= (node.mode & _OTHERS_ENTER) << _AS_READING if node else 0
            self._openers[known] = bits
        return self._openers[known]


def _is_top(directory: str) -> bool:
    """Whether a directory is all of this machine, or of the sysroot: the folder of nothing."""
    return Sources.display(directory) in ("", "/")


def _is_home(directory: str) -> bool:
    """Whether a directory is somebody's home, whose bin says nothing about what is beside it."""
    shown = Sources.display(directory)
    return shown == "/root" or parent(shown) == "/home"


def _first_hidden(path: SourcePath | Key, top: str, meant: Collection[str]) -> SourcePath | None:
    """The outermost path below `top` whose name begins with a dot, but for what packages have."""
    if not _INSTALLED.isdisjoint(top.split("/")):
        return None
    at = top
    for part in path[len(top) + 1 :].split("/"):
        at = f"{at}/{part}"
        if part in _INSTALLED:
            return None
        if part.startswith(".") and part not in meant:
            return SourcePath(at)
    return None


def _is_of_program(path: str, prefix: str) -> bool:
    if path == prefix or not below(path, prefix):
        return False
    return _OF_A_PROGRAM.fullmatch(path[len(prefix) + 1 :].partition("/")[0]) is not None
