"""Closure → Plan: every path with its content and the reasons for it.

Each path walk of the loader or the kernel becomes entries: the directories, every symlink verbatim,
the file at the end. All other entries are generated (ld.so.cache) or parent directories. System
files keep their modes; programs and libraries from elsewhere get 0755 or 0644, whatever the umask
was, and what is added from there the same, but no right that it did not have.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.filesystem.content import Source
from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walk, Walker
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import FoundBy, Loaded, RequestKind, Resolution
from rootfs_builder.needs.closure import Closure, ProgramKind, Tree
from rootfs_builder.packages import Owners
from rootfs_builder.paths import ImagePath, SourcePath, name, printable
from rootfs_builder.plan import (
    SET_ID_BITS,
    Entry,
    Plan,
    Reason,
    ReasonKind,
    access,
    conflicts,
    dangling,
    generated,
    hints,
    inheritance,
    long_paths,
    moves,
    overrides,
    ownership,
    routes,
    rule_findings,
    shebangs,
    with_parents,
)
from rootfs_builder.plan.inheritance import Inherited
from rootfs_builder.plan.layout import Layout, Start
from rootfs_builder.plan.moves import Move
from rootfs_builder.recipe import Recipe


def plan(
    closure: Closure,
    layout: Layout,
    recipe: Recipe,
    sources: Sources,
    *,
    facts: FileFacts | None = None,
    owners: Owners | None = None,
    base: Inherited | None = None,
) -> Plan:
    """The staging tree of a closure that was collected for `recipe` from `sources`.

    With `owners` its entries know their packages; `facts` are known of files already. What a `base`
    has is in the plan too, as `inherited`.

    Raises:
        UsageError: see overrides.apply.
        InputError: two different files for one path, both named; a path that no kernel takes; a
            package database that cannot be read.
    """
    planner = _Planner(closure, layout, sources, base)
    programs = planner.lay(recipe.at)
    wide = access.widened(planner.entries, planner.origins, closure)
    entries, unowned = ownership.assign_owners(
        (planner.entries | wide).values(), planner.origins, sources, owners, loaders=planner.loaders
    )
    there = frozenset(planner.origins.values())
    left_out = hints.left_out(closure, there, sources=sources, facts=facts)
    long = long_paths(planner.entries)
    findings = (*planner.findings(), *left_out, *long, *unowned)
    draft = Plan(
        with_parents(entries),
        programs,
        env=closure.supply.environment,
        user=closure.user.digits if closure.user else "",
        findings=tuple(dict.fromkeys(findings)),
    )
    lines = {layout.landings[one.path].path for one in closure.supply.lines}
    above = inheritance.applied(draft, base, lines=lines, origins=planner.origins, sources=sources)
    final = overrides.apply(above, closure, layout, recipe, sources)
    final = inheritance.settled(final, base)
    more = access.published(final, wide)
    for_user = access.lost(final, closure.user, planner.open) if closure.user else ()
    return replace(final, findings=(*final.findings, *more, *for_user))


_KINDS = {kind: ReasonKind(kind) for kind in RequestKind}


class _Planner:
    """The entries of one plan while they are put together, and where each was read."""

    def __init__(
        self, closure: Closure, layout: Layout, sources: Sources, base: Inherited | None
    ) -> None:
        self._closure = closure
        self._base = base
        self._layout = layout
        self._sources = sources
        self._walker = Walker(sources)
        self._interpreters = shebangs.Interpreters(layout, sources)
        self.entries: dict[ImagePath, Entry] = {}
        self.origins: dict[ImagePath, SourcePath] = {}  # of what is not generated
        self.loaders: set[ImagePath] = set()
        self.open: set[ImagePath] = set()  # directories in which everybody may write on the host
        self._ways: set[ImagePath] = set()  # directories that only what the user adds is in
        self._contents: dict[SourcePath, Source] = {}
        self._findings = list(closure.findings)
        self._because_of = self._rule_reasons()

    def _rule_reasons(self) -> dict[str, Reason]:
        """The reason for each file that a rule brings, by the rule."""
        programs = self._closure.all_programs
        paths = {program.key: self._layout.path_of(program) for program in programs}
        return {
            rule: Reason(ReasonKind.RULE, paths[one.program], rule, one.sentence)
            for rule, one in self._closure.first_applied().items()
        }

    def lay(self, at: ImagePath | None) -> tuple[ImagePath, ...]:
        """Enter everything; return the paths of the user's programs."""
        programs = []
        for start in self._layout.starts:
            self._start(start, at)
            if start.program.kind == ProgramKind.EXECUTABLE:
                programs.append(start.path)
        for tree in self._closure.trees:
            self._tree(tree)
        for _, link_map in self._closure.processes():
            self._link_map(link_map)
        for entry in generated.entries(self._closure, self._because_of):
            landing = self._landing(entry.path, entry.reasons[0], made=True)
            self._put(replace(entry, path=landing), None)
        draft = inheritance.whole(Plan(with_parents(self.entries.values())), self._base)
        self._findings += dangling.links(self._closure, self._layout, draft, self._sources)
        for entry in generated.configurations(self._closure, self._layout, draft, self._sources):
            self._put(entry, None)
        return tuple(dict.fromkeys(programs))

    def findings(self) -> Iterator[Finding]:
        """What rules added, then the findings of the closure and of the entries."""
        applied, because = self._closure.first_applied(), self._because_of
        yield from rule_findings.find(applied, because, self.entries, self.origins, self._sources)
        yield from self._findings

    def _start(self, start: Start, at: ImagePath | None) -> None:
        """A program: the steps to its file, and a link by which it is started."""
        program, path = start.program, start.path
        by = None if program.by is None else self._layout.path_of(program.by)
        asked = path if start.added else program.display_name
        reason = Reason(ReasonKind(program.kind), by, name(asked) if by is None else asked)
        if at is not None and program.kind == ProgramKind.EXECUTABLE:
            self._landing(at, reason)
        if start.kept:
            advice = "make that with an interpreter of the system"
            self._warn_of_build_path(program.real, "its environment", path, advice)
        self._walk(start.walk, start.move, reason, executable=True)
        if start.link:
            link = Entry(path, "symlink", 0o777, (reason,), target=start.link)
            self._put(link, program.key)
        if by is not None and not start.added:
            advice = "write #!/usr/bin/env NAME, or --add its directory"
            self._warn_of_build_path(program.key, "its first line", by, advice)

    def _link_map(self, link_map: LinkMap) -> None:
        loader = link_map.loader
        if loader is not None:
            walk = self._walker.walk(loader.interpreter)
            by = self._layout.file_of(link_map.program)
            self._warn_of_build_path(loader.interpreter, FoundBy.INTERPRETER, by)
            self.loaders.add(ImagePath(walk.real))
            kind = ReasonKind.INTERPRETER
            self._walk(walk, None, Reason(kind, by, loader.interpreter, FoundBy.INTERPRETER))
        for resolution in link_map.resolutions:
            if resolution.found is not None:
                self._resolution(resolution, resolution.found)

    def _resolution(self, resolution: Resolution, found: Loaded) -> None:
        request, candidate = resolution.request, resolution.candidate
        by, kind = self._layout.file_of(request.by), _KINDS[request.kind]
        if resolution.walk is None or candidate is None:
            asked = self._asked(request.name, self._layout.objects.get(found))
            reason = Reason(kind, by, asked, FoundBy.ALREADY_LOADED)
            self._because(self._layout.file_of(found), reason)
            return
        move = self._layout.resolutions.get(resolution)
        reason = Reason(kind, by, self._asked(request.name, move), candidate.found_by)
        if request.rule:
            self._walk(resolution.walk, move, self._because_of[request.rule])
        self._walk(resolution.walk, move, reason)
        if move is None:
            outside = self._sources.outside(candidate.path)
            path = candidate.path if outside else resolution.walk.real
            self._warn_of_build_path(path, candidate.found_by, by)

    @staticmethod
    def _asked(name: str, move: Move | None) -> str:
        """A name as it was asked for; an added library's path as it is in the image."""
        return moves.place(SourcePath(name), move)

    def _warn_of_build_path(
        self, path: str, found_by: str, by: ImagePath, advice: str = "build with $ORIGIN"
    ) -> None:
        if not self._sources.outside(path):
            return
        text = (
            f"{printable(self._sources.display(path))} keeps its path on the host, because "
            f"{printable(by)} looks for it there ({found_by}); {advice} to avoid that"
        )
        self._findings.append(warning(Code.BUILD_PATH, text, path, by))

    def _walk(
        self,
        walk: Walk,
        move: Move | None,
        reason: Reason,
        *,
        executable: bool = False,
        made: bool = False,
    ) -> None:
        """An entry for every step that has a place in the image."""
        for step in routes.steps(walk, move, self._sources):
            if step.node.kind == "symlink":
                why = replace(reason, kind=ReasonKind.SYMLINK)
                link = Entry(step.place, "symlink", 0o777, (why,), target=step.target)
                self._put(link, step.source)
            elif step.node.kind == "dir":
                why = replace(reason, kind=ReasonKind.DIRECTORY)
                keeps = step.stays and not self._sources.outside(step.source)
                mode = step.node.mode & 0o1777 if keeps else 0o755
                way = Entry(step.place, "dir", mode, (why,))
                self._put_way(way, step.source, alone=made or reason.kind == ReasonKind.ADDED)
            else:
                mode = self._mode(step.source, step.node)
                if executable and not mode & 0o111:
                    mode = 0o755
                self._file(step.source, step.place, step.node, reason, mode)

    def _mode(self, step: SourcePath, node: Node) -> int:
        """A file's mode in the image, without set-user-id bits."""
        if self._sources.outside(step):
            return 0o755 if node.mode & 0o111 else 0o644
        return node.mode & ~SET_ID_BITS

    def _file(
        self, step: SourcePath, place: ImagePath, node: Node, reason: Reason, mode: int
    ) -> None:
        mode |= node.mode & SET_ID_BITS
        content = self._content(step)
        capability = self._sources.capability(step)
        self._put(Entry(place, "file", mode, (reason,), content, capability=capability), step)

    def _content(self, step: SourcePath) -> Source:
        """A file's bytes; a script of the user's follows its interpreter, if that is added."""
        if step not in self._contents:
            source = self._sources.open(step)
            outside = self._sources.outside(step)
            place = self._interpreters.place
            self._contents[step] = shebangs.content(source, place) if outside else source
        return self._contents[step]

    def _put_way(self, way: Entry, origin: SourcePath, *, alone: bool) -> None:
        """A directory on the way to something.

        Everybody may enter it if it is there for what is added or made `alone`: here it may belong
        to an account that the image does not have. What else brings it brings its mode.
        """
        known = self.entries.get(way.path)
        if not alone or known is None or known.kind != "dir":
            self._put(replace(way, mode=way.mode | 0o755) if alone else way, origin)
        if alone and known is None:
            self._ways.add(way.path)

    def _put(self, entry: Entry, origin: SourcePath | None) -> None:
        known = self.entries.get(entry.path)
        if known is None:
            self.entries[entry.path] = entry
            if origin is not None:
                self.origins[entry.path] = origin
            return
        if entry.reasons[0].kind == ReasonKind.RULE and known.reasons[0].kind == ReasonKind.ADDED:
            return  # what the user adds counts
        old = conflicts.Claim(known, self.origins.get(entry.path))
        new = conflicts.Claim(entry, origin)
        if conflicts.stays(old, new, self._walker, self._sources) is new:
            self.entries[entry.path] = entry
            self.origins.pop(entry.path, None)
            if origin is not None:
                self.origins[entry.path] = origin
            entry = known
        elif entry.kind == "dir" and origin is not None and entry.path in self._ways:
            self.entries[entry.path] = replace(known, mode=entry.mode)
            self._ways.discard(entry.path)
        if entry.kind == "dir" and origin is None:
            self.entries[entry.path] = generated.widened(known, entry)
        elif entry.kind != "dir":  # one thing below a directory is reason enough for it
            for reason in entry.reasons:
                self._because(entry.path, reason)

    def _because(self, path: ImagePath, reason: Reason) -> None:
        entry = self.entries.get(path)
        if entry is None or reason in entry.reasons:
            return
        self.entries[path] = replace(entry, reasons=(*entry.reasons, reason))

    def _landing(self, path: ImagePath, reason: Reason, *, made: bool = False) -> ImagePath:
        """Where a chosen path is, with entries for the links of the root that lead there."""
        landing = self._layout.landings[path]
        if landing.walk is not None:
            self._walk(landing.walk, None, reason, made=made)
        return landing.path

    def _tree(self, tree: Tree) -> None:
        outside = self._sources.outside(tree.source)
        reason = (
            self._because_of[tree.rule]
            if tree.rule
            else Reason(ReasonKind.ADDED, None, tree.destination)
        )
        if tree.clue:
            reason = replace(reason, found_by=tree.clue)
        move, host = self._layout.trees[tree].move, self._layout.trees[tree].host
        if tree.walk is not None:
            self._walk(tree.walk, host, reason)
        if host is None:
            self._landing(tree.destination, reason)
        for path, node in tree.nodes:
            place = moves.place(path, move)
            if node.kind == "symlink":
                target = self._sources.readlink(path)
                inside = move.apply(SourcePath(target)) if target.startswith("/") else None
                target = self._sources.display(inside or target)
                self._put(Entry(place, "symlink", 0o777, (reason,), target=target), path)
            elif node.kind == "dir":
                mode = node.mode & (0o755 if outside else 0o1777)
                self.open.update((place,) if outside and node.mode & 0o002 else ())
                if place != "/":
                    self._put(Entry(place, "dir", mode, (reason,)), path)
            else:
                self._file(path, place, node, reason, self._mode(path, node) & node.mode)
