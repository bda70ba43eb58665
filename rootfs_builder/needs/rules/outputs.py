"""What all rules add, one application after another → the `RuleOutput` of a closure, sorted."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from rootfs_builder.findings import Finding
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.closure import (
    GeneratedFile,
    GeneratedLine,
    RuleApplication,
    RuleOutput,
    Tree,
)
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.rules.dlopen_calls import Process
from rootfs_builder.needs.rules.files import FileOutput
from rootfs_builder.paths import OpenedPath, SourcePath, named_in


class Outputs:
    """Grows while rules act; `findings` are about the files, in the order in which they came."""

    def __init__(self) -> None:
        self.trees = list[Tree]()
        self.findings = list[Finding]()
        self._lines = set[GeneratedLine]()
        self._made = set[GeneratedFile]()
        self._environment = dict[str, set[tuple[str, str]]]()
        self._left_out = set[OpenedPath]()
        self._too_large = set[OpenedPath]()
        self._acted = dict[tuple[str, Loaded], tuple[int, Clue, str]]()

    def add(self, output: FileOutput) -> None:
        """Keep the files of one application."""
        self.trees += output.trees
        self.findings += output.findings
        self._lines.update(output.lines)
        self._made.update(output.made)

    def leave_out(self, path: str, *, large: bool = False) -> None:
        """Remember a program that is named and stays away, or that is started and too large."""
        (self._too_large if large else self._left_out).add(OpenedPath(path))

    @property
    def left_out(self) -> AbstractSet[str]:
        """The programs that are named and stay away."""
        return self._left_out | self._too_large

    def set(self, variable: str, value: str, rule: str) -> None:
        """Set a variable of the image; of several rules the first by name counts."""
        self._environment.setdefault(variable, set()).add((rule, value))

    def remember(self, name: str, because: str, clue: Clue, maps: Process) -> None:
        """Remember that a rule acted; of several clues the one nearest to the start."""
        key = (name, maps[0].program)
        found = (len(maps[0].calls), clue, because)
        self._acted[key] = min(self._acted.get(key, found), found)

    def whole(self, with_calls: Callable[[tuple[Tree, ...]], tuple[Tree, ...]]) -> RuleOutput:
        """All of it; `with_calls` gives the programs of trees what they were made to load."""
        trees = sorted(self.trees, key=lambda tree: (tree.destination, tree.source))
        environment = {name: min(values)[1] for name, values in sorted(self._environment.items())}
        applied = sorted(
            RuleApplication(
                name, because, clue.text, SourcePath(program.opened), named(because, clue)
            )
            for (name, program), (_, clue, because) in self._acted.items()
        )
        return RuleOutput(
            with_calls(tuple(trees)),
            tuple(sorted(self._lines)),
            tuple(sorted(self._made, key=lambda one: (one.path, one.rule))),
            tuple(environment.items()),
            tuple(applied),
            tuple(sorted(self._left_out)),
            tuple(sorted(self._too_large)),
        )


def named(text: str, clue: Clue) -> tuple[str, ...]:
    """The paths in a rule's own text, and in the clue beside it."""
    return tuple(dict.fromkeys((*named_in(text), *clue.paths)))
