"""`--add` → trees of files: what is there, less what `--exclude` and `.rootfsignore` leave out.

What is left out is not looked at: neither listed, nor searched for secrets, nor evidence. Where
one tree goes into another, the later one's files count if it goes deeper, as with COPY.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import InputError, Mistake, UsageError
from rootfs_builder.filesystem import patterns
from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.patterns import IGNORE_FILE, Matcher, Pattern
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk, Walker
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.needs import secrets, trees, unneeded
from rootfs_builder.needs.closure import Tree
from rootfs_builder.needs.startup import Startup
from rootfs_builder.paths import ImagePath, OpenedPath, SourcePath, below, join, name, parent
from rootfs_builder.paths import printable as shown
from rootfs_builder.recipe import Recipe
from rootfs_builder.recipe.values import Added

_MAX_IGNORE_FILE = 1 << 20  # bytes


class Additions(Struct, frozen=True):
    """The trees that the user adds; `missing` are those that are not there."""

    trees: tuple[Tree, ...]
    findings: tuple[Finding, ...]
    missing: tuple[Mistake, ...]


class _Found(Struct, frozen=True):
    """What one `--add` names, before anything in it is read."""

    added: Added
    tree: Tree
    matcher: Matcher | None = None


def placed(recipe: Recipe, sources: Sources) -> Recipe:
    """The recipe with the place of each tree, which a slash at the end of DEST leaves open."""
    if not any(one.into for one in recipe.added):
        return recipe
    walker = Walker(sources)
    return replace(recipe, added=tuple(_placed(one, sources, walker) for one in recipe.added))


def _placed(added: Added, sources: Sources, walker: Walker) -> Added:
    node = walker.walk(sources.locate(added.source)).node
    is_directory = node is not None and node.kind == "dir"
    place = added.into if added.into and is_directory else added.destination
    return replace(added, destination=place, into=None)


def collect(
    recipe: Recipe,
    sources: Sources,
    startup: Startup,
    *,
    host: LinkMap | None,
    facts: FileFacts | None = None,
) -> Additions:
    """The trees of a recipe that is `placed`; `host` is the process that may load what is in them.

    Raises:
        InputError: a tree that cannot be read, or that no image can hold.
        PolicyError: there are secrets that are not allowed.
        UsageError: DEST is relative, or a line of .rootfsignore is not a valid pattern.
    """
    walker = startup.elf_files.walker
    missing: list[Mistake] = []
    found: list[_Found] = []
    for added in recipe.added:
        walk = walker.walk(sources.locate(added.source))
        if walk.errno or walk.node is None:
            missing.append(_missing(added, walk, sources, walker))
        else:
            found.append(_look(added, walk, recipe.exclude, sources, walker))
    found = [*_without_covered(found)]
    _refuse_secrets(recipe, found, sources, walker, facts)
    for one in found:
        _refuse_special(one, sources)
    closed = [trees.with_closures(one.tree, startup, sources, host) for one in found]
    findings = [finding for _, of_tree in closed for finding in of_tree]
    findings += _without_effect(recipe.exclude, [one.matcher for one in found if one.matcher])
    findings += unneeded.find([one.tree for one in found], sources, facts or FileFacts())
    return Additions(tuple(tree for tree, _ in closed), tuple(findings), tuple(missing))


def _missing(added: Added, walk: Walk, sources: Sources, walker: Walker) -> Mistake:
    """The mistake of a source that is not there; an error where it is SRC:DEST, DEST relative."""
    source, colon, destination = added.source.rpartition(":")
    if colon and source and walker.walk(sources.locate(source)).node is not None:
        text = (
            f"{shown(destination)} is not an absolute path of the image; write "
            f"{shown(source)}:/{shown(destination)}"
        )
        raise UsageError(Mistake("--add", text, added.source))
    why = os.strerror(walk.errno)
    if set("*?[") & set(added.source):
        why += ", and wildcards are not expanded"
    text = f"{why}; SRC is a path on the host: is it right?"
    return Mistake("--add", text, added.source)


def _look(
    added: Added, walk: Walk, exclude: Sequence[Pattern], sources: Sources, walker: Walker
) -> _Found:
    """What is at a source, less what is left out."""
    real = SourcePath(walk.real)
    way = walk if _is_kept_link(added, real, sources, walker) else None
    place = added.destination if way is None else ImagePath(real)
    if added.bare:
        inside = frozenset[SourcePath]()
        with suppress(OSError):  # one that may be entered, and not be listed
            inside = frozenset(join(real, one) for one in sources.list(real))
        nodes = trees.nodes(sources, real, skip=inside.__contains__)
        return _Found(added, Tree(real, place, nodes, walk=way, clue=added.clue, left_out=inside))
    if walk.node is None or walk.node.kind != "dir":
        nodes = trees.nodes(sources, real)
        return _Found(added, Tree(real, place, nodes, walk=way, clue=added.clue))
    ignored = (*_ignored(added, real, sources, walker), *exclude)
    if not ignored:
        return _Found(added, Tree(real, place, trees.nodes(sources, real), walk=way))
    matcher = Matcher(real, ignored)
    nodes, left_out = trees.nodes_without(sources, real, matcher)
    return _Found(added, Tree(real, place, nodes, walk=way, left_out=left_out), matcher)


def _is_kept_link(added: Added, real: SourcePath, sources: Sources, walker: Walker) -> bool:
    """Whether it is a link of the system that is added at its own place: that stays a link.

    What it leads to is then found where it belongs, and with what lies around it.
    """
    path = sources.locate(added.source)
    if str(path) != added.destination or sources.outside(path) or sources.outside(real):
        return False
    key = join(walker.walk(OpenedPath(parent(path))).real, name(path))
    node = sources.lstat(key)
    return node is not None and node.kind == "symlink"


def _ignored(added: Added, real: SourcePath, sources: Sources, walker: Walker) -> Iterator[Pattern]:
    """The patterns of a .rootfsignore beside a directory, then of that in it.

    Those beside it are for paths that start where the file lies; what the user names is in
    whatever they say, and they are for what is below that.
    """
    path = sources.locate(added.source)
    if name(path) in {"", ".", ".."}:
        path = OpenedPath(real)
    beside = walker.walk(OpenedPath(parent(path)))
    if not beside.errno and beside.real != real:
        file = OpenedPath(join(beside.real, IGNORE_FILE))
        yield from _of_file(added, file, f"{name(path)}/", sources, walker)
    inside = [*_of_file(added, OpenedPath(join(real, IGNORE_FILE)), "", sources, walker)]
    if inside:
        yield Pattern(IGNORE_FILE)
    yield from inside


def _of_file(
    added: Added, path: OpenedPath, under: str, sources: Sources, walker: Walker
) -> Iterator[Pattern]:
    walk = walker.walk(path)
    if walk.errno == errno.ENOENT:
        return
    if walk.errno or walk.node is None or walk.node.kind != "file":
        raise _wrong_file(added, path, os.strerror(walk.errno or errno.EINVAL), sources)
    source = sources.open(walk.real)
    if source.size > _MAX_IGNORE_FILE:
        raise _wrong_file(added, path, f"over {_MAX_IGNORE_FILE:,} bytes", sources)
    try:
        yield from patterns.of_lines(read(source).decode(), under=under)
    except ValueError as error:  # UnicodeDecodeError is one
        raise _wrong_file(added, path, str(error), sources) from error


def _wrong_file(added: Added, path: str, why: str, sources: Sources) -> InputError:
    text = f"{shown(sources.display(path))}: {why}"
    return InputError(Mistake("--add", text, added.source), paths=(path,))


def _without_covered(found: Sequence[_Found]) -> Iterator[_Found]:
    """The trees, less the files for which a later tree, that goes deeper, has another."""
    for nth, one in enumerate(found):
        place = one.tree.destination
        if len(one.tree.nodes) == 1:
            yield one
            continue
        later = [
            other.tree
            for other in found[nth + 1 :]
            if other.tree.destination != place and below(other.tree.destination, place)
        ]
        covered = {path for tree in later for path in _places(tree)}
        if not covered:
            yield one
            continue
        nodes = tuple(
            (path, node)
            for path, node in one.tree.nodes
            if node.kind == "dir" or _place(one.tree, path) not in covered
        )
        yield replace(one, tree=replace(one.tree, nodes=nodes))


def _places(tree: Tree) -> Iterator[str]:
    return (_place(tree, path) for path, node in tree.nodes if node.kind != "dir")


def _place(tree: Tree, path: SourcePath) -> str:
    inside = path[len(tree.source.rstrip("/")) :]
    return tree.destination.rstrip("/") + inside or "/"


def _refuse_secrets(
    recipe: Recipe,
    found: Iterable[_Found],
    sources: Sources,
    walker: Walker,
    facts: FileFacts | None,
) -> None:
    """Stop at secrets that are not allowed, with the paths that allow them.

    A path that does not exist on this machine is one of the image.
    """
    if "/" in recipe.allow_sensitive:
        return
    walks = {path: walker.walk(sources.locate(path)) for path in recipe.allow_sensitive}
    allowed = [walk.real for walk in walks.values()]
    places = [path for path, walk in walks.items() if walk.errno]
    search = secrets.Secrets(sources, facts)
    refused: dict[str, tuple[secrets.Secret, ...]] = {}
    for one in found:
        source, top = one.added.source, one.tree.source.rstrip("/")
        of_tree = tuple(
            replace(secret, added=source.rstrip("/") + secret.path[len(top) :])
            for secret in search.among(one.tree.nodes)
            if not any(below(secret.path, path) for path in allowed)
            and not any(below(_place(one.tree, secret.path), place) for place in places)
        )
        refused[source] = tuple(dict.fromkeys((*refused.get(source, ()), *of_tree)))
    secrets.refuse(refused)


def _refuse_special(found: _Found, sources: Sources) -> None:
    for path, node in found.tree.nodes:
        if node.kind == "special":
            text = (
                f"{shown(sources.display(path))} is a device, FIFO or socket, "
                "which no image can hold"
            )
            raise InputError(Mistake("--add", text, found.added.source))


def _without_effect(exclude: Iterable[Pattern], matchers: Sequence[Matcher]) -> Iterator[Finding]:
    """A warning for each `--exclude` that matches nothing."""
    for one in exclude:
        if not any(matcher.may_match(one) for matcher in matchers):
            text = (
                f"--exclude {shown(str(one))}: nothing in what is added matches it; patterns start "
                "at SRC, and **/NAME is a name at any depth"
            )
            yield warning(Code.NOTHING_EXCLUDED, text)
