"""What TeX's programs look up by name: formats, macros, fonts, maps and configuration.

Kpathsea finds them in trees, which the files texmf.cnf list; those lie in directories that are
compiled in (Kpathsea, 3.2.1 and 4.1). A tree is searched by the names in its `ls-R` (ibid., 3.4).
A program gets what its packages have there, and those that these require at any distance. Of what
was made when they were installed it gets the formats that are called as it is (ibid., 6.1), the
font maps, and small configuration.
"""

import posixpath
import re
from collections.abc import Iterator
from functools import cached_property

from rootfs_builder.findings import Code, hint
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text
from rootfs_builder.needs.general import asked, cover
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.packages import Package
from rootfs_builder.paths import SourcePath, below, decode, join, name, printable

_COMPILED_IN = rb"(?P<path>/[\w/.-]+/web2c)(?=[,}:;\x00])"
_CONFIGURATION = "texmf.cnf"
_TREE = re.compile(r"^\s*(TEXMF[A-Z]+)\s*=\s*(\S+)\s*$", re.MULTILINE)
_ABOVE = "TEXMFROOT"  # which is no tree
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_MADE = "/var/lib/texmf"  # by the scripts of packages: TEXMFSYSVAR, as distributions have it
_NEEDLESS = re.compile(r"(?:.*/)?(?:doc|source)(?:/.*)?")
_FORMATS, _MAPS = "web2c", "fonts/map"  # maps are there twice: psfonts_t1.map is psfonts.map

_MORE = (
    "only macros and fonts of the packages that it requires are included; to add a package: "
    "--with tex=texlive-latex-extra"
)


def make(context: Context) -> "Tex":
    """The finder for one process."""
    return Tex(context)


class Tex:
    """Brings the parts of the trees that one program looks into."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = context.files

    def process(self) -> Iterator[Need]:
        """See Finder."""
        for path in self._configurations:
            yield File(path, Clue(f"kpathsea names {printable(path)}", (path,)))
        for variable, tree in self._trees.items():
            if self._files.is_file(f"{tree}/ls-R"):
                yield File(f"{tree}/ls-R", self._clue(variable, tree))
        yield from self.called(self._context.program.opened)
        if self._trees:
            yield hint(Code.RULE_HINT, _MORE)

    def called(self, path: str) -> Iterator[Need]:
        """See Multicall: latex and pdflatex are links to pdftex."""
        packages = self._packages(path)
        files = {one for package in packages for one in self._context.packages.files(package)}
        for variable, tree in self._trees.items():
            clue = self._clue(variable, tree)
            if tree == _MADE:
                each = self._made(tree, tree, name(path))
                yield from (File(one, clue, start=tree) for one in each)
            else:
                yield from (File(one, clue) for one in self._of_packages(tree, files))

    def text(self, text: Text) -> Iterator[Need]:
        """Nothing: what a document needs, its author installs as packages."""
        del text
        return iter(())

    @staticmethod
    def _clue(variable: str, tree: str) -> Clue:
        return Clue(f"{_CONFIGURATION} sets {variable} to {printable(tree)}", (tree,))

    @cached_property
    def _trees(self) -> dict[str, str]:
        """The trees, by their variables."""
        trees = dict[str, str]()
        for path in self._configurations:
            trees = _trees(decode(self._files.read(path) or b"")) | trees
        return trees

    @cached_property
    def _configurations(self) -> tuple[str, ...]:
        """The files texmf.cnf; the first that sets a variable counts."""
        each = (
            f"{decode(hit['path'])}/{_CONFIGURATION}"
            for one in self._context.objects
            if name(one.opened).startswith("libkpathsea.")
            for hit in self._context.elf_files.search(one.real, _COMPILED_IN)
        )
        found = {self._files.real(one): one for one in each if self._files.is_file(one)}
        return tuple(found.values())

    def _packages(self, path: str) -> set[Package]:
        """Those of the program and of this name of it, what they need, and what that requires."""
        belongings, related = Belongings(self._context), self._context.packages.related
        real = self._context.program.real
        owners = {belongings.owner(SourcePath(one)) for one in (path, real)}
        own = {one for one in owners if one is not None}
        own.update(asked.packages(self._context, "tex"))
        todo = [*own, *(other for one in own for other in related(one).needed)]
        found = set(todo)
        while todo:
            new = {*related(todo.pop()).required} - found
            found |= new
            todo += new
        return found

    def _of_packages(self, tree: str, files: set[SourcePath]) -> Iterator[SourcePath]:
        """The fewest paths that have the files of packages in a tree, but for documentation."""
        top = self._files.real(tree)
        inside = frozenset(
            one
            for one in files
            if top and below(one, top) and not _NEEDLESS.fullmatch(one[len(top) + 1 :])
        )
        if top and inside:
            yield from cover.fewest(top, inside, self._files.names, lambda _: False)

    def _made(self, directory: str, tree: str, called: str) -> Iterator[str]:
        """What no package has in a tree and the program may open if it is called so."""
        here = self._files.real(directory)
        for path in (join(directory, one) for one in self._files.names(directory)):
            inside = path[len(tree) + 1 :]
            if self._files.kind(path) == "dir":
                if self._files.real(path) == f"{here}/{name(path)}":  # no link, which may go round
                    yield from self._made(path, tree, called)
            elif below(inside, _FORMATS):
                first, ending = posixpath.splitext(name(path))
                if first == called and ending != ".log":
                    yield path
            elif not (below(inside, _MAPS) and "_" in name(path)):
                yield path


def _trees(text: str) -> dict[str, str]:
    """The directories that a configuration sets variables to."""
    values = dict[str, str]()
    for variable, value in _TREE.findall(text):
        values.setdefault(variable, value)
    found = dict[str, str]()
    for variable, value in values.items():
        path = _VARIABLE.sub(lambda hit: values.get(hit[1], ""), value)
        if path.startswith("/") and variable != _ABOVE and not re.search(r"[{},;:$~]", path):
            found.setdefault(variable, path)
    return found
