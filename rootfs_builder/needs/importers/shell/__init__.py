"""Shell scripts: the commands that they run, the files that they source, and those that they name.

A script is followed when it is started: one of the user's, or one that another starts. A command is
looked up as the shell does, in the image's PATH or that which the script sets; a path may begin at
the script's own place. What is run for an option alone, in an error, or after the script has asked
whether it is there, is left out, and one hint names it; but for utilities of every system, and what
the script's package depends on. Where it sources files that are not known, the shell's texts of its
own source are read as if it did.
"""

from collections.abc import Iterator

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs import interpreters, utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Finder, LeftOut, Need, Text, TextKind
from rootfs_builder.needs.general import standards
from rootfs_builder.needs.importers.shell import steps
from rootfs_builder.needs.importers.shell.answers import Answers
from rootfs_builder.needs.importers.shell.names import SHELLS
from rootfs_builder.needs.importers.shell.run import Run
from rootfs_builder.needs.importers.shell.script import VERSION, Script
from rootfs_builder.needs.importers.shell.uses import Mode
from rootfs_builder.needs.importers.shell.values import Scope, Value
from rootfs_builder.paths import join, name, printable

_MOST_SOURCED = 10  # files of one script that may be those which it sources
_FACT = f"shell {VERSION}"


def make(context: Context) -> Finder:
    """The finder for one shell."""
    return _Shell(context)


class _Shell:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = context.files
        self._answers = Answers(context)
        self._lost = dict[str, list[str]]()  # scripts that source unknown files, and what came in

    def process(self) -> Iterator[Need]:
        """What a shell is told to run: a text after -c, or a script."""
        if name(self._context.program.opened) not in SHELLS:
            return
        words = self._context.arguments
        for at, word in enumerate(words):
            if word.startswith("-") and "c" in word and not word.startswith("--"):
                text = words[at + 1] if len(words) > at + 1 else ""
                yield from self._follow("sh -c", steps.parse(text.encode()))
                return
            if not word.startswith(("-", "+")):
                path = word if word.startswith("/") else join(self._context.directory, word)
                known = in_system(path) or self._files.is_added(path)
                if known and self._is_mine(path):
                    yield File(path, Clue(f"{printable(word)} is an argument"), started=True)
                    yield from self._script(path)
                return

    def text(self, text: Text) -> Iterator[Need]:
        """What a script needs that this shell runs."""
        if text.kind is TextKind.STARTED and (text.by or self._is_mine(text.path)):
            yield from self._script(text.path)
        elif text.kind is TextKind.ADDED:
            yield from self._perhaps(text.path)
        elif text.kind is TextKind.BROUGHT and self._lost and self._is_shells(text.path):
            for path, sourced in self._lost.items():
                if self._answers.is_kin(text.path, path) and len(sourced) < _MOST_SOURCED:
                    sourced.append(text.path)
                    yield from self._again(path, sourced)

    def _perhaps(self, path: str) -> Iterator[Need]:
        """The utilities of a script in a directory that the user adds, as the shell is there.

        Whether somebody starts it is not known: any other program is a hint.
        """
        if not (self._files.may_execute(path) and standards.may_be_started(path)):
            return
        for need in self._script(path) if self._is_mine(path) else ():
            if isinstance(need, File) and not self._files.is_added(need.path):
                is_utility = name(need.path) in utilities.ALL
                yield need if is_utility else LeftOut(need.path, need.clue)
            elif isinstance(need, LeftOut):
                yield need

    def _again(self, path: str, sourced: list[str]) -> Iterator[Need]:
        """What a script needs that has sourced these files before it began."""
        script = self._load(path)
        if script is not None:
            run = self._run(path)
            for one in sourced:
                run.source((Value(one),), 0, run.scope, Mode(sometimes=True))
            run.follow(script)
            yield from self._answers.needs(run, path, whole=False)

    def _is_shells(self, path: str) -> bool:
        """Whether a text may be one that a shell sources."""
        script = self._files.script(path)
        if script is not None and name(script.looked_up or script.interpreter) not in SHELLS:
            return False
        found = self._load(path)
        return found is not None and found.whole and bool(found.steps)

    def _script(self, path: str) -> Iterator[Need]:
        script = self._load(path)
        if script is not None:
            yield from self._follow(path, script)

    def _follow(self, path: str, script: Script) -> Iterator[Need]:
        run = self._run(path)
        run.follow(script)
        if run.lost:
            self._lost[path] = []
        yield from self._answers.needs(run, path, whole=script.whole)

    def _run(self, path: str) -> Run:
        scope = Scope(dict(self._context.environment), ":".join(self._context.search_path))
        return Run(path, scope, self._files, self._load)

    def _load(self, path: str) -> Script | None:
        """The steps of a file of the image; None where there is none."""
        if not self._files.is_file(path) or self._files.head(path, 4).startswith(b"\x7fELF"):
            return None
        return self._files.fact(path, _FACT, Script, steps.parse, Script())

    def _is_mine(self, path: str) -> bool:
        return interpreters.runs(self._context, path)
