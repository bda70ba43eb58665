"""Added trees → what in them no image is likely to need, with the `--exclude` that leaves it out.

Nothing that is added is left out for that: what the user names goes in. A warning is about what
does harm, a hint about what costs bytes.

What venv(3) puts into an environment so that packages can be installed is needed by no program,
unless one imports it: all files of Python in a tree are searched for that. A rule that takes an
environment leaves it out. distutils comes with setuptools where Python has it no more.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.filesystem import patterns
from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, hint, warning
from rootfs_builder.needs.closure import Tree
from rootfs_builder.needs.trees import Nodes
from rootfs_builder.paths import SourcePath, below, join, name, parent, printable

_SHOWN = 3  # paths that a line names
_LARGE = 5_000_000  # bytes, below which nobody wants to read of tests
_HISTORY = frozenset((".git", ".hg", ".svn", ".bzr"))
_TESTS = frozenset(("tests", "test", "include"))
_MODULES = ("/site-packages/", "/dist-packages/")
_INSTALLERS = {  # what installs packages: top-level modules, and other files at their place
    "pip": r"pip(?:-[^/]*)?",
    "setuptools": r"setuptools(?:-[^/]*)?|pkg_resources|_distutils_hack|distutils-precedence\.pth",
    "wheel": r"wheel(?:-[^/]*)?",
}
_INSTALLER_OF = ("", *(3 * ("pip", "setuptools", "wheel")))  # by the groups of the next
_IMPORTED = (  # whatever may import one: this only decides whether something is said
    rb"(?m)(?:(?:^|[;:])[ \t]*(?:import|from)[ \t]+|(?:__import__|import_module)\([ \t]*[\"'])"
    rb"(?:(pip)|(setuptools|pkg_resources|distutils)|(wheel))\b"
    rb"|^Requires-Dist:[ \t]*(?:(pip)|(setuptools)|(wheel))\b(?![^\n]*extra)"
    rb"|\A(?:(pip)|(setuptools)|(wheel))\Z"  # an argument: python -m pip
)
_LITERALS = (
    b"pip",
    b"setuptools",
    b"pkg_resources",
    b"distutils",
    b"wheel",
)  # quicker than the pattern
_TAR = 512  # bytes of a header, POSIX pax, "ustar Interchange Format"
_EXTENDED = b"xg"  # types of headers that only say more of the next one
_OF_AN_IMAGE = (  # what an archive of an image begins with: OCI's, docker's
    rb"(?:blobs|oci-layout|index\.json|manifest\.json|repositories|[0-9a-f]{64})(?:/|\.json)?[^\0]*\0"
)
_LAYOUT = "oci-layout"


class _Part(Struct, frozen=True):
    """A file or directory in an added tree, with the bytes of all its files."""

    path: SourcePath
    inside: str
    size: int


def find(trees: Sequence[Tree], sources: Sources, facts: FileFacts) -> Iterator[Finding]:
    """A line for each kind of such files."""
    yield from _twice(trees, sources)
    history = _named(trees, _HISTORY.__contains__)
    yield from _line(history, sources, warning, "all that ever was in your sources")
    images = [part for tree in trees for part in _images(tree, sources)]
    yield from _line(images, sources, warning, "container images")
    installers = _installers(trees, sources, facts)
    bytecode = [
        one
        for one in _named(trees, "__pycache__".__eq__)
        if not any(below(one.path, other.path) for other in installers)
    ]
    why = "bytecode, without which Python compiles each module at every start"
    yield from _line(bytecode, sources, hint, why)
    why = "what installs packages, and nothing of Python that is added imports"
    yield from _line(installers, sources, hint, why, anywhere="**/*-packages")
    tests = [
        one
        for one in _named(trees, _TESTS.__contains__)
        if any(part in one.path for part in _MODULES)
    ]
    if sum(one.size for one in tests) >= _LARGE:
        why = "tests or headers of packages"
        yield from _line(tests, sources, hint, why, anywhere="**/*-packages/**")


def _line(
    parts: Sequence[_Part],
    sources: Sources,
    level: Callable[..., Finding],
    why: str,
    *,
    anywhere: str = "**",
) -> Iterator[Finding]:
    """One line for all of a kind, with the flags that leave them out.

    A pattern is for one of a few paths, else for a name `anywhere`.
    """
    if not parts:
        return
    size = sum(one.size for one in parts)
    first = parts[0].path
    more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
    few = len(parts) <= _SHOWN
    wanted = {
        patterns.literal(one.inside) if few else f"{anywhere}/{patterns.literal(name(one.path))}"
        for one in parts
    }
    flags = " ".join(f"--exclude {shlex.quote(one)}" for one in sorted(wanted))
    text = (
        f"{printable(sources.display(first))}{more} ({size:,} bytes): {why}; "
        f"to leave it out: {printable(flags)}"
    )
    yield level(Code.UNNEEDED_FILES, text, first)


def _inside(tree: Tree, path: SourcePath) -> str:
    return path[len(tree.source.rstrip("/")) + 1 :]


def _sizes(tree: Tree, tops: Iterable[SourcePath]) -> Iterator[_Part]:
    """The outermost of some paths of a tree, with the bytes at and below each."""
    sizes: dict[SourcePath, int] = {}
    wanted, top = set(tops), None
    for path, node in tree.nodes:  # parents come first
        if top is None or not below(path, top):
            top = path if path in wanted else None
        if top is not None:
            sizes[top] = sizes.get(top, 0) + (node.size if node.kind == "file" else 0)
    yield from (_Part(path, _inside(tree, path), size) for path, size in sizes.items())


def _named(trees: Sequence[Tree], is_name: Callable[[str], bool]) -> list[_Part]:
    """The directories that have such a name, but for the trees themselves."""
    return [
        part
        for tree in trees
        for part in _sizes(
            tree,
            (
                path
                for path, node in tree.nodes
                if node.kind == "dir" and is_name(name(path)) and path != tree.source
            ),
        )
    ]


def _twice(trees: Sequence[Tree], sources: Sources) -> Iterator[Finding]:
    """A warning for each directory that is in another tree, and goes to another place as well."""
    for tree in (one for one in trees if one.nodes and one.nodes[0][1].kind == "dir"):
        for other in trees:
            if tree.source == other.source or not below(tree.source, other.source):
                continue
            inside = _inside(other, tree.source)
            again = f"{other.destination.rstrip('/')}/{inside}"
            if again == tree.destination or all(path != tree.source for path, _ in other.nodes):
                continue
            shown, flag = sources.display(tree.source), shlex.quote(patterns.literal(inside))
            text = (
                f"{printable(shown)} is included twice, as {printable(tree.destination)} and "
                f"{printable(again)}; to leave out the second: --exclude {printable(flag)}"
            )
            yield warning(Code.UNNEEDED_FILES, text, tree.source)


def _images(tree: Tree, sources: Sources) -> Iterator[_Part]:
    """Archives of images, and the directories of OCI layouts."""
    there = {path for path, _ in tree.nodes}
    tops = [
        parent(path)
        for path in there
        if name(path) == _LAYOUT and join(parent(path), "index.json") in there
    ]
    tops += [path for path, node in tree.nodes if _is_image(path, node, sources)]
    yield from _sizes(tree, (path for path in tops if path != tree.source))


def _is_image(path: SourcePath, node: Node, sources: Sources) -> bool:
    if node.kind != "file" or node.size < 2 * _TAR or node.size % _TAR:
        return False
    with sources.open(path).open() as content:
        header = content[0:_TAR]
        if header[156] in _EXTENDED and re.fullmatch(rb"[0-7]{11}", header[124:135]):
            start = _TAR + -(-int(header[124:135], 8) // _TAR) * _TAR
            header = content[start : start + _TAR]
    return header[257:262] == b"ustar" and re.match(_OF_AN_IMAGE, header) is not None


def without_installers(
    tree: Tree, sources: Sources, facts: FileFacts, *, imported: Iterable[str] = ()
) -> Nodes:
    """The nodes of a tree without what installs packages, unless something there imports it.

    `imported` are those that something else imports.
    """
    tops = {
        path
        for (_, installer), paths in _installed([tree], sources, facts).items()
        if installer not in imported
        for path in paths
    }
    return tuple(_outside(tree.nodes, tops)) if tops else tree.nodes


def imported_installers(text: bytes) -> set[str]:
    """Which installers a text imports, or requires."""
    if not any(literal in text for literal in _LITERALS):
        return set()
    return {_INSTALLER_OF[hit.lastindex or 0] for hit in re.finditer(_IMPORTED, text)}


def _installers(trees: Sequence[Tree], sources: Sources, facts: FileFacts) -> list[_Part]:
    """The parts of installers, less those that something else that is added imports."""
    return [
        part
        for (nth, _), paths in _installed(trees, sources, facts).items()
        for part in _sizes(trees[nth], paths)
    ]


def _installed(
    trees: Sequence[Tree], sources: Sources, facts: FileFacts
) -> dict[tuple[int, str], list[SourcePath]]:
    """The paths of each installer that nothing imports, by the number of its tree and its name."""
    tops: dict[tuple[int, str], list[SourcePath]] = {}
    for nth, tree in enumerate(trees):
        for path, _ in tree.nodes:
            if f"/{name(parent(path))}/" in _MODULES:
                for installer, pattern in _INSTALLERS.items():
                    if re.fullmatch(pattern, name(path)):
                        tops.setdefault((nth, installer), []).append(path)
    if not tops:
        return {}
    within = {path for paths in tops.values() for path in paths}
    imported = {
        installer
        for tree in trees
        for path, node in _outside(tree.nodes, within)
        if node.kind == "file" and path.endswith((".py", "/METADATA"))
        for installer in _imports(path, sources, facts)
    }
    return {key: paths for key, paths in tops.items() if key[1] not in imported}


def _outside(nodes: Nodes, tops: set[SourcePath]) -> Iterator[tuple[SourcePath, Node]]:
    """The nodes of a tree, parents first, that are neither at nor below some paths."""
    top: SourcePath | None = None
    for path, node in nodes:
        if top is None or not below(path, top):
            top = path if path in tops else None
        if top is None:
            yield path, node


def _imports(path: SourcePath, sources: Sources, facts: FileFacts) -> list[str]:
    source = sources.open(path)
    return facts.get_or_compute(
        source, "installers", str, lambda: " ".join(sorted(imported_installers(read(source))))
    ).split()
