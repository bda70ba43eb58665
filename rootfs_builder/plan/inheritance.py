"""A plan over the tree of a base image: what the base has already, and what goes on top of it.

What both have with the same content and mode is not packed again. A directory stays as the base has
it, unless a rule needs it wider. A file of lines, such as /etc/passwd, gets the lines that it
lacks: the base's own lines count. Any other difference is a conflict, which names both owners.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder import packages
from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import BytesSource, Source, chunks, read
from rootfs_builder.filesystem.root import Root, tree
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import ImagePath, Key, OpenedPath, SourcePath, name, printable
from rootfs_builder.plan import Entry, Plan, PlanRoot, ReasonKind, generated, with_parents
from rootfs_builder.recipe import Recipe

_UNIT = 1 << 20
_SHOWN = 3  # conflicts that a message has
_BY_NAME = ("passwd", "group", "shadow", "gshadow", "nsswitch.conf")  # NAME: is there once


class Inherited(Struct, frozen=True):
    """The tree of a base image; `numbers` has the layer of each path, `name` is what messages say.

    Of directories that several layers have, it is the topmost.
    """

    plan: Plan
    numbers: Mapping[ImagePath, int]
    name: str

    @property
    def entries(self) -> dict[ImagePath, Entry]:
        """Its entries by their paths."""
        return {entry.path: entry for entry in self.plan.entries}

    def owner(self, path: ImagePath) -> str:
        """Which package of the base a path belongs to, as words."""
        found = packages.owners(PlanRoot(self.plan)).of_all((SourcePath(path),)).packages
        return _owner(found.get(SourcePath(path)))


def _owner(package: packages.Package | None) -> str:
    return "of no package" if package is None else f"of {package.name} {package.version}"


def whole(plan: Plan, base: Inherited | None) -> Plan:
    """The tree that an image has with its base: the base's, with the plan laid over it."""
    if base is None:
        return plan
    entries = base.entries | {entry.path: entry for entry in plan.entries}
    return replace(plan, entries=with_parents(entries.values()))


def applied(
    plan: Plan,
    base: Inherited | None,
    *,
    lines: AbstractSet[ImagePath],
    origins: Mapping[ImagePath, SourcePath],
    sources: Sources,
) -> Plan:
    """The plan, in which what the base has is `inherited`.

    `lines` are the generated files that consist of lines, `origins` says where each entry was read.

    Raises:
        InputError: the base has something else at a path; both owners are named.
    """
    if base is None:
        return plan
    known = base.entries
    entries, conflicts = [], []
    for entry in plan.entries:
        below = known.get(entry.path)
        found = entry if below is None else _over(below, entry, lines, origins)
        if found is None:
            conflicts.append(_conflict(entry, base, origins, sources))
        entries.append(found or entry)
    if conflicts:
        raise _refused(conflicts)
    return replace(plan, entries=tuple(entries))


def _refused(conflicts: list[str]) -> InputError:
    more = len(conflicts) - _SHOWN
    rest = [f"and {more} more files differ"] if more > 0 else []
    return InputError("\n".join((*conflicts[:_SHOWN], *rest)))


def _over(
    below: Entry,
    entry: Entry,
    lines: AbstractSet[ImagePath],
    origins: Mapping[ImagePath, SourcePath],
) -> Entry | None:
    """What becomes of an entry where the base has `below`; None if both cannot be."""
    stays = replace(below, reasons=entry.reasons, inherited=True)
    if entry.kind != below.kind:
        return None
    if entry.kind == "dir":
        by_rule = entry.reasons[0].kind is ReasonKind.RULE and entry.path not in origins
        wide = generated.widened(stays, entry) if by_rule else stays
        return wide if _same_rights(wide, below) else replace(wide, inherited=False)
    if entry.kind == "symlink":
        return stays if entry.target == below.target else None
    if entry.content is None or below.content is None:
        return None
    if entry.content.identity == below.content.identity:
        return stays
    if entry.path in lines and isinstance(entry.content, BytesSource):
        text = _with_lines(read(below.content), entry.content.data, entry.path)
        return stays if text is None else replace(stays, content=text, inherited=False)
    if entry.reasons[0].kind is ReasonKind.GENERATED:
        return replace(stays, content=entry.content, inherited=False)
    if entry.mode != below.mode or not same(entry.content, below.content):
        return None
    return replace(stays, content=entry.content)  # what was resolved to it stays comparable


def _same_rights(one: Entry, other: Entry) -> bool:
    return (one.mode, one.uid, one.gid) == (other.mode, other.uid, other.gid)


def _with_lines(base: bytes, wanted: bytes, path: ImagePath) -> BytesSource | None:
    """The base's text with the lines that it lacks; None if it lacks none."""
    by_name = name(path) in _BY_NAME
    known = {_key(line, by_name=by_name) for line in base.splitlines()}
    lines = wanted.splitlines(keepends=True)
    new = [line for line in lines if _key(line, by_name=by_name) not in known]
    if not new:
        return None
    end = b"" if not base or base.endswith(b"\n") else b"\n"
    return BytesSource(base + end + b"".join(new))


def _key(line: bytes, *, by_name: bool) -> bytes:
    """What a line is about: an account, a database of the name service switch; else all of it."""
    return line.partition(b":")[0].strip() if by_name else line.strip()


def same(one: Source, other: Source) -> bool:
    """Whether two files have the same bytes."""
    return one.size == other.size and all(
        left == right for left, right in zip(chunks(one, _UNIT), chunks(other, _UNIT), strict=True)
    )


def _conflict(
    entry: Entry, base: Inherited, origins: Mapping[ImagePath, SourcePath], sources: Sources
) -> str:
    origin = origins.get(entry.path)
    where = "generated" if origin is None else printable(sources.display(origin))
    if entry.package is not None:
        where += f" {_owner(entry.package)}"
    return _text(entry.path, where, base)


def _text(path: ImagePath, where: str, base: Inherited) -> str:
    shown = printable(path)
    return (
        f"{shown}: two different files for one path of the image: {where}, and that of the base "
        f"{printable(base.name)}, {base.owner(path)}; --at or --add SRC:DEST gives it another path"
    )


def check_named(recipe: Recipe, sources: Sources, base: Inherited) -> None:
    """Refuse a file of the system that the user names and of which the base has another one.

    Files that nobody names are the base's, where it has them.

    Raises:
        InputError: there is one; both owners are named.
    """
    system = sources.system
    walker = Walker(system)
    known, conflicts = base.entries, []
    owners = packages.owners(system)
    for path in (*recipe.executables, *(one.source for one in recipe.added)):
        located = sources.locate(path)
        if sources.beside(located):
            continue
        for place, content in _files(located, system, walker):
            below = known.get(ImagePath(place))
            if below is None or below.content is None or same(content, below.content):
                continue
            package = owners.of_all((SourcePath(place),)).packages[SourcePath(place)]
            where = f"{printable(sources.display(place))} {_owner(package)}"
            conflicts.append(_text(ImagePath(place), where, base))
    if conflicts:
        raise _refused(conflicts)


def _files(path: OpenedPath, root: Root, walker: Walker) -> Iterator[tuple[Key, Source]]:
    """The files at a path and below it."""
    walk = walker.walk(path)
    if walk.errno or walk.node is None:
        return
    for place, node in tree(root, walk.real):
        if node.kind == "file":
            yield place, root.open(place)


def settled(plan: Plan, base: Inherited | None) -> Plan:
    """The plan, in which what options have changed is no longer inherited."""
    if base is None:
        return plan
    known = base.entries

    def one(entry: Entry) -> Entry:
        if not entry.inherited:
            return entry
        below = known[entry.path]
        same_file = entry.capability == below.capability and _same_rights(entry, below)
        return replace(entry, inherited=same_file, package=None)

    return replace(plan, entries=tuple(map(one, plan.entries)))


def own(plan: Plan) -> Plan:
    """What is packed on top of a base: what is not inherited, and the directories above that."""
    if not any(entry.inherited for entry in plan.entries):
        return plan
    needed = {entry.path for entry in plan.entries if not entry.inherited}
    for path in tuple(needed):
        while (path := ImagePath(path.rpartition("/")[0])) and path not in needed:
            needed.add(path)
    return replace(plan, entries=tuple(one for one in plan.entries if one.path in needed))


def rejoined(plan: Plan, own_: Plan) -> Plan:
    """The plan, with the entries of `own_` in place of those that it was made of."""
    changed = {entry.path: entry for entry in own_.entries}
    return replace(plan, entries=tuple(changed.get(one.path, one) for one in plan.entries))
