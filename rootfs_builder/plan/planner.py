"""Closure → Plan: every path with its content and the reasons for it.

Each walk that the loader or the kernel will do is replayed into entries: the directories, every
symlink verbatim, the file at the end. What no walk names is generated (ld.so.cache) or a parent
directory. System files keep their modes; what comes from elsewhere gets 0755 or 0644, so that a
umask decides nothing.
"""

import posixpath
from collections.abc import Iterator

from msgspec.structs import replace

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.root import Node, Source
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.findings import Code, Finding, added, warning
from rootfs_builder.loader.link_map import FoundBy, LinkMap, Loaded, Resolution
from rootfs_builder.needs.closure import Closure, Program, Tree
from rootfs_builder.packages import Owners
from rootfs_builder.paths import ImagePath, name, parent, printable
from rootfs_builder.plan import (
    SET_ID_BITS,
    Entry,
    Plan,
    Reason,
    generated,
    hints,
    long_paths,
    overrides,
    ownership,
    shebangs,
    with_parents,
)
from rootfs_builder.plan.placement import Move, Placement


def plan(closure: Closure, *, owners: Owners | None = None) -> Plan:
    """The staging tree of a closure; with `owners`, its entries know their packages.

    Raises:
        InputError: two different files for one path, both named; a path that no kernel takes; a
            package database that cannot be read.
    """
    return _Planner(closure).plan(owners)


class _Planner:
    def __init__(self, closure: Closure) -> None:
        self._closure = closure
        self._sources = closure.sources
        self._walker = closure.objects.walker
        self._placement = Placement(closure)
        self._entries: dict[ImagePath, Entry] = {}
        self._origins: dict[ImagePath, ImagePath] = {}  # of what is not generated
        self._contents: dict[ImagePath, Source] = {}
        self._findings = list(closure.findings)
        self._because_of = self._rule_reasons()

    def _rule_reasons(self) -> dict[str, Reason]:
        """The reason that a file has which a rule brings."""
        images = {one.key: self._placement.image_path(one) for one in self._closure.all_programs}
        return {
            rule: Reason("rule", images[one.program], rule, one.sentence)
            for rule, one in self._closure.first_applied().items()
        }

    def plan(self, owners: Owners | None) -> Plan:
        programs = []
        for program in self._closure.programs:
            path = self._program(program)
            if program.kind == "executable":
                programs.append(path)
        for tree in self._closure.trees:
            self._tree(tree)
        for program, link_map in self._closure.processes():
            self._link_map(link_map, program)
        for entry in generated.entries(self._closure, self._because_of):
            landing = self._landing(entry.path, entry.reasons[0])
            self._put(replace(entry, path=landing), None)
        draft = Plan(with_parents(self._entries.values()))
        self._findings += shebangs.dangling(self._closure, draft)
        for entry in generated.configurations(self._closure, self._placement, draft):
            self._put(entry, None)
        values = self._entries.values()
        entries, unowned = ownership.settle(values, self._origins, self._sources, owners)
        whole = Plan(
            with_parents(entries),
            tuple(dict.fromkeys(programs)),
            env=self._closure.supply.environment,
            user=self._closure.user.digits if self._closure.user else "",
            findings=tuple(dict.fromkeys((*self._said(), *unowned))),
        )
        return overrides.apply(whole, self._closure, self._placement)

    def _said(self) -> Iterator[Finding]:
        yield from self._added_by_rules()
        yield from self._findings
        yield from hints.left_out(self._closure, frozenset(self._origins.values()))
        yield from long_paths(self._entries)

    def _added_by_rules(self) -> Iterator[Finding]:
        paths = {rule: one.paths for rule, one in self._closure.first_applied().items()}
        for rule, reason in sorted(self._because_of.items()):
            text = f"{printable(rule)}: {printable(reason.found_by)}"
            yield added(Code.RULE_ADDED, text, *paths[rule])

    def _program(self, program: Program) -> ImagePath:
        path = self._placement.image_path(program)
        by = None if program.by is None else self._placement.image_path(program.by)
        asked = path if self._placement.is_added(program) else program.shown
        reason = Reason(program.kind, by, name(asked) if by is None else asked)
        move = self._placement.of_program(program)
        if program.kind == "executable" and self._closure.recipe.at is not None:
            self._landing(self._closure.recipe.at, reason)
        if self._placement.stays(program):
            advice = "make that with an interpreter of the system"
            self._warn_of_build_path(program.real, "its environment", path, advice)
        if self._placement.is_added(program):
            self._added_program(program, reason)
            return path
        named = program.kind == "interpreter" or not self._sources.outside(program.key)
        if named and (move is None or program.key != path):
            self._walk(program.walk, move, reason, executable=True)
        else:  # the link it was named by is of this machine, or is where the program itself goes
            self._walk(self._walker.walk(program.real), move, reason, executable=True)
        if path not in self._entries:
            file = program.real if move is None else move.apply(program.real) or program.real
            target = name(file) if parent(file) == parent(path) else file
            link = Entry(path, "symlink", 0o777, (reason,), target=target)
            self._put(link, program.key)
        if program.by is not None and by is not None:
            advice = "write #!/usr/bin/env NAME, or --add its directory"
            self._warn_of_build_path(program.key, "its first line", by, advice)
        return path

    def _added_program(self, program: Program, reason: Reason) -> None:
        """A program in an added tree, or one of the system that a link in the tree leads to."""
        place = self._placement.added_path(program.real)
        if place is None:
            behind = replace(program.walk, steps=self._placement.behind_link(program))
            self._walk(behind, None, reason, executable=True)
        elif program.walk.node is not None:
            self._file(program.real, place, program.walk.node, reason, executable=True)

    def _link_map(self, link_map: LinkMap, program: Program) -> None:
        loader = link_map.loader
        if loader is not None:
            walk = self._walker.walk(loader.interpreter)
            by = self._image_of(link_map.program, program)
            self._warn_of_build_path(loader.interpreter, FoundBy.INTERPRETER, by)
            reason = Reason("interpreter", by, loader.interpreter, FoundBy.INTERPRETER)
            self._walk(walk, None, reason)
        for resolution in link_map.resolutions:
            if resolution.found is not None:
                self._resolution(resolution, resolution.found, program)

    def _resolution(self, resolution: Resolution, found: Loaded, program: Program) -> None:
        request, candidate = resolution.request, resolution.candidate
        by = self._image_of(request.by, program)
        if resolution.walk is None or candidate is None:
            asked = self._asked(request.name, self._placement.of(found, found.candidate, program))
            reason = Reason(request.kind, by, asked, FoundBy.ALREADY_LOADED)
            self._because(self._image_of(found, program), reason)
            return
        move = self._placement.of(found, candidate, program)
        reason = Reason(request.kind, by, self._asked(request.name, move), candidate.found_by)
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
        return name if move is None else move.apply(name) or name

    def _warn_of_build_path(
        self, path: str, found_by: str, by: ImagePath, advice: str = "build with $ORIGIN"
    ) -> None:
        if not self._sources.outside(path):
            return
        text = (
            f"{printable(self._sources.shown(path))} keeps its path of this machine, because "
            f"{printable(by)} looks for it there ({found_by}); {advice} to avoid that"
        )
        self._findings.append(warning(Code.BUILD_PATH, text, path, by))

    def _image_of(self, loaded: Loaded, program: Program) -> ImagePath:
        """The path of an object's file in the image."""
        move = self._placement.of(loaded, loaded.candidate, program)
        if move is None:
            return loaded.real
        return move.apply(loaded.real) or ImagePath(move.respell(loaded.opened))

    def _walk(
        self, walk: Walk, move: Move | None, reason: Reason, *, executable: bool = False
    ) -> None:
        """An entry for every step that has a place in the image."""
        for step in walk.steps:
            node = self._sources.lstat(step)
            if node is None or step == "/":
                continue
            place = self._place(step, move)
            if place is None:
                continue
            if node.kind == "symlink":
                target = self._link_target(step, move)
                if target is None:  # it leads to where nothing has a place: the file stands here
                    assert walk.node is not None  # noqa: S101 - only arrived walks are planned
                    self._file(walk.real, place, walk.node, reason, executable=executable)
                    return
                why = Reason("symlink", reason.by, reason.asked, reason.found_by)
                self._put(Entry(place, "symlink", 0o777, (why,), target=target), step)
            elif node.kind == "dir":
                mode = (
                    node.mode & 0o1777
                    if place == step and not self._sources.outside(step)
                    else 0o755
                )
                why = Reason("directory", reason.by, reason.asked, reason.found_by)
                self._put(Entry(place, "dir", mode, (why,)), step)
            else:
                self._file(step, place, node, reason, executable=executable)

    def _place(self, step: ImagePath, move: Move | None) -> ImagePath | None:
        if move is None:
            return step if "\0" not in step else None
        moved = move.apply(step)
        if moved is not None:
            return moved
        return None if self._sources.outside(step) else step

    def _link_target(self, link: ImagePath, move: Move | None) -> str | None:
        """A link's target in the image: verbatim, unless it leads out of what is moved."""
        target = self._sources.readlink(link)
        if move is None:
            return target
        whole = ImagePath(posixpath.normpath(posixpath.join(parent(link), target)))
        moved = move.apply(whole)
        if moved is not None:
            return moved if target.startswith("/") else target
        return None if self._sources.outside(whole) else whole

    def _file(
        self, step: ImagePath, place: ImagePath, node: Node, reason: Reason, *, executable: bool
    ) -> None:
        mode = node.mode & ~SET_ID_BITS
        if self._sources.outside(step):
            mode = 0o755 if node.mode & 0o111 else 0o644
        if executable and not mode & 0o111:
            mode = 0o755
        mode |= node.mode & SET_ID_BITS
        content = self._content(step)
        capability = self._sources.capability(step)
        self._put(Entry(place, "file", mode, (reason,), content, capability=capability), step)

    def _content(self, step: ImagePath) -> Source:
        """A file's bytes; a script of the user's follows its interpreter, if that is added."""
        source = self._closure.objects.source(step)
        if not self._sources.outside(step):
            return source
        if step not in self._contents:
            self._contents[step] = shebangs.content(source, self._placement.added_path)
        return self._contents[step]

    def _put(self, entry: Entry, origin: ImagePath | None) -> None:
        known = self._entries.get(entry.path)
        if known is None:
            self._entries[entry.path] = entry
            if origin is not None:
                self._origins[entry.path] = origin
            return
        if entry.reasons[0].kind == "rule" and known.reasons[0].kind == "added":
            return  # what the user adds counts
        same = (known.kind, known.content, known.target) == (
            entry.kind,
            entry.content,
            entry.target,
        )
        if not same:
            first, second = (
                "generated" if one is None else printable(self._sources.shown(one))
                for one in (self._origins.get(entry.path), origin)
            )
            rules = [one.asked for one in (*entry.reasons, *known.reasons) if one.kind == "rule"]
            way_out = f"--without {rules[0]}" if rules else "place one with --add SRC:DEST"
            raise InputError(
                f"{printable(entry.path)}: two different files for one path of the image: "
                f"{first} and {second}; rename one, or {way_out}"
            )
        if entry.kind == "dir" and origin is None:
            self._entries[entry.path] = generated.widened(known, entry)
        elif entry.kind != "dir":  # one thing below a directory is reason enough for it
            for reason in entry.reasons:
                self._because(entry.path, reason)

    def _because(self, path: ImagePath, reason: Reason) -> None:
        entry = self._entries.get(path)
        if entry is None or reason in entry.reasons:
            return
        self._entries[path] = replace(entry, reasons=(*entry.reasons, reason))

    def _landing(self, path: ImagePath, reason: Reason) -> ImagePath:
        """Where a path that the user chose lies, with entries for the root's links to it."""
        landing, walk = self._placement.landing(path)
        if walk is not None:
            self._walk(walk, None, reason)
        return landing

    def _tree(self, tree: Tree) -> None:
        outside = self._sources.outside(tree.source)
        reason = (
            self._because_of[tree.rule] if tree.rule else Reason("added", None, tree.destination)
        )
        move, host = self._placement.of_tree(tree), self._placement.host_of(tree)
        if tree.walk is not None:
            self._walk(tree.walk, host, reason)
        if host is None:
            self._landing(tree.destination, reason)
        for path, node in tree.nodes:
            place = move.apply(path) or path
            if node.kind == "symlink":
                target = self._sources.readlink(path)
                inside = move.apply(target) if target.startswith("/") else None
                target = self._sources.shown(inside or target)
                self._put(Entry(place, "symlink", 0o777, (reason,), target=target), path)
            elif node.kind == "dir":
                mode = 0o755 if outside else node.mode & 0o1777
                if place != "/":
                    self._put(Entry(place, "dir", mode, (reason,)), path)
            else:
                self._file(path, place, node, reason, executable=False)
