"""A path that a rule found → whether it may go into the image.

A program's text is not the user's word: else whoever wrote it chooses which files of the machine
that builds are published. So what a rule finds counts where the system keeps its files, below what
the rule itself spells out, and in the folder of the user's own program or script. There are no
other doors: every path of every rule comes through `Reach.allows`, and so does every link in what
is copied.

The folder of a script is the directory it lies in, and if that is called bin, the one around it.
That of a program in a bin is lib, libexec, share and etc beside it.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.needs.closure import Program
from rootfs_builder.paths import Key, OpenedPath, SourcePath, below, name, parent, printable

PLACES = frozenset(("above", "beside", "called", "prefix", "script"))  # variables no text binds

_SPELT_OUT = re.compile(r"[^*?\[{]*")
_VARIABLE = re.compile(r"\{(\w+)\}")
_BIN = ("bin", "sbin")
_OF_A_PROGRAM = re.compile(r"lib[^/]*|share|etc")
_EVERYBODY_READS, _EVERYBODY_ENTERS, _OTHERS_READ = 0o004, 0o001, 0o044


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
    """Answers for the rules of one build; `programs` are what the user packs."""

    def __init__(self, walker: Walker, programs: Iterable[Program]) -> None:
        self._walker = walker
        self._folders = set[Key]()
        self._prefixes = set[Key]()  # of programs
        self._entered = dict[Key, bool]()
        for program in programs:
            for path in (program.key, program.real):
                if not in_system(path):
                    self._add(parent(path), script=not program.link_maps)

    def _add(self, directory: Key, *, script: bool) -> None:
        if script and directory != "/":
            self._folders.add(directory)
        if name(directory) in _BIN and parent(directory) != "/":
            (self._folders if script else self._prefixes).add(parent(directory))

    def allows(self, path: str, start: str | None, template: str = "") -> bool:
        """Whether a rule may follow an absolute path that it has from `template`.

        `start` is the template's `anchor`. Hidden names that only a text has are not followed in
        folders of the user: people keep their keys there.
        """
        meant = {"", ".", "..", *template.split("/")}
        hidden = {one for one in path.split("/") if one.startswith(".")} - meant
        if start is not None and (".." in path.split("/") or not below(path, start)):
            start = None
        return self._allows(path, start, hidden)

    def leads(self, link: SourcePath, start: str | None) -> bool:
        """Whether a link within what a rule copies may be followed."""
        return self._allows(link, start, set())

    def _allows(self, path: str, start: str | None, hidden: AbstractSet[str]) -> bool:
        walk = self._walker.walk(OpenedPath(path))
        if walk.errno:
            return True  # at most what the user adds at this path of the image
        real = walk.real
        if in_system(real) or (in_system(path) and ".." not in path.split("/")):
            return True
        within = [one for one in self._folders if below(real, one)]
        within += [one for one in self._prefixes if _is_of_program(real, one)]
        if start is not None:
            begin = self._walker.walk(OpenedPath(start))
            within += [begin.real] if not begin.errno and below(real, begin.real) else []
        return any(hidden.isdisjoint(real[len(one) :].split("/")) for one in within)

    def unreadable(
        self, nodes: Iterable[tuple[SourcePath, Node]], owner: SourcePath | None
    ) -> dict[SourcePath, str]:
        """The files of a tree that a rule must not publish, and why.

        Of the system's, those that not everybody may read here: they may hold passwords. Of what
        lies in a folder of the user, those that fewer may read than the program or script `owner`.
        """
        found: dict[SourcePath, str] = {}
        for path, node in nodes:
            if node.kind != "file":
                continue
            if owner is None or in_system(owner) or in_system(path):
                if not (node.mode & _EVERYBODY_READS and self._everybody_enters(parent(path))):
                    found[path] = "it is not readable by everyone on this machine"
            elif self._readers(owner) & ~node.mode:
                found[path] = f"it is readable by fewer users than {printable(name(owner))}"
        return found

    def _everybody_enters(self, directory: Key) -> bool:
        """Whether everybody may open files by their names in a resolved directory."""
        if directory not in self._entered:
            node = self._walker.walk(directory).node
            here = node is not None and bool(node.mode & _EVERYBODY_ENTERS)
            above = directory == "/" or self._everybody_enters(parent(directory))
            self._entered[directory] = here and above
        return self._entered[directory]

    def _readers(self, path: SourcePath) -> int:
        """Who besides its owner may read a file, as bits of a mode."""
        node = self._walker.walk(path).node
        return node.mode & _OTHERS_READ if node else _OTHERS_READ


def _is_of_program(path: str, prefix: str) -> bool:
    if path == prefix or not below(path, prefix):
        return False
    return _OF_A_PROGRAM.fullmatch(path[len(prefix) + 1 :].partition("/")[0]) is not None
