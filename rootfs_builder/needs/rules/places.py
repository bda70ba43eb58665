"""A rule's path templates → the paths of the root, and of what the user adds, that they stand for.

What the user adds at a path of the image counts before what the root has there.
"""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from functools import partial

from rootfs_builder.filesystem.sources import Sources, in_system
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.rules import directives
from rootfs_builder.needs.rules.matching import Variables
from rootfs_builder.needs.rules.reach import Reach, anchor
from rootfs_builder.needs.rules.schema import Follow, Rule, expand
from rootfs_builder.paths import OpenedPath

_GLOB = re.compile(r"[*?\[]")


class Places:
    """The paths that exist and that rules may follow, see `reach`.

    `added` has the content of what the user adds, by path; `refused` each path that was not
    followed, with the rule, and whether a text has it as it is.
    """

    def __init__(
        self, sources: Sources, elf_files: ElfFiles, reach: Reach, added: Mapping[str, bytes]
    ) -> None:
        self.refused = set[tuple[OpenedPath, str, bool]]()
        self._sources = sources
        self._reach = reach
        self._elf_files = elf_files
        self._walker = elf_files.walker
        self._added = added
        self._globbed: dict[str, tuple[OpenedPath, ...]] = {}

    def paths(self, template: str, variables: Variables, rule: Rule) -> tuple[OpenedPath, ...]:
        """The existing paths that a rule's template with wildcards stands for."""
        start, found = anchor(template, variables, rule.landmarks), []
        for path, allowed in self.candidates(template, variables, rule):
            if allowed:
                found.append(path)
            else:
                self.refused.add((path, rule.name, start is None))
        return tuple(found)

    def candidates(
        self, template: str, variables: Variables, rule: Rule
    ) -> Iterator[tuple[OpenedPath, bool]]:
        """The same, each with whether the rule may follow it."""
        path = expand(template, variables)
        if path is None or not path.startswith("/"):
            return
        if path not in self._globbed:
            self._globbed[path] = tuple(self._glob(path))
        start = anchor(template, variables, rule.landmarks)
        for one in self._globbed[path]:
            yield one, self._reach.allows(one, start, template)

    def may_follow(self, path: OpenedPath, start: str | None, rule: str) -> bool:
        """Whether a path that a finder has may be followed, see `Reach.allows`."""
        allowed = self._reach.allows(path, start)
        if not allowed:
            self.refused.add((path, rule, start is None))
        return allowed

    def may_load(
        self, library: str, rule: str, start: str | None = None, template: str = ""
    ) -> bool:
        """Whether a process may be given a library that a rule or a note names.

        A name is looked up by the loader, and no path from the working directory. All others are
        as those of files, see `Reach.allows`; what a loader puts in for `$ORIGIN` leads anywhere.
        """
        path = OpenedPath(library)
        if "/" in path and "$" in path:
            return in_system(path) and ".." not in path.split("/")
        if not path.startswith("/"):
            return True
        if self._reach.allows(path, start, template):
            return not self._reach.is_closed(path)
        self.refused.add((path, rule, start is None))
        return False

    def search(self, path: OpenedPath, follow: Follow) -> list[dict[str, bytes]]:
        """The variables of each match of a pattern, or of each setting, in a file of the image.

        What no rule may publish has none: its words would be names of files in the image.
        """
        added = self._added_at(path)
        if added is not None:
            return directives.search(added, follow)
        if self._reach.is_closed(path):
            return []
        fact = f"says {follow.settings} {follow.text}"
        find = partial(directives.search, follow=follow)
        return self._elf_files.search_file(path, fact, find)

    def _glob(self, path: str) -> Iterator[OpenedPath]:
        found = [""]
        for part in path.strip("/").split("/"):
            if not _GLOB.search(part):
                found = [f"{one}/{part}" for one in found]
                continue
            found = [
                f"{one}/{entry}"
                for one in found
                for entry in sorted({*self._names(one or "/"), *self._names_added(one)})
                if fnmatch.fnmatchcase(entry, part) and (entry[0] != "." or part[0] == ".")
            ]
        for one in found:
            walk = self._walker.walk(OpenedPath(one))
            if (not walk.errno and walk.node is not None) or self._added_at(one) is not None:
                yield OpenedPath(one)

    def _added_at(self, path: str) -> bytes | None:
        """What the user adds at a path, also by the root's links to it."""
        if not self._added or path in self._added:
            return self._added.get(path)
        walk = self._walker.walk(OpenedPath(path))
        return None if walk.errno else self._added.get(walk.real)

    def _names_added(self, directory: str) -> set[str]:
        """The names of what the user adds in a directory and below it."""
        begin = f"{directory}/"
        return {one[len(begin) :].partition("/")[0] for one in self._added if one.startswith(begin)}

    def _names(self, directory: str) -> tuple[str, ...]:
        walk = self._walker.walk(OpenedPath(directory))
        if walk.errno or walk.node is None or walk.node.kind != "dir":
            return ()
        try:
            return self._sources.list(walk.real)
        except OSError:
            return ()
