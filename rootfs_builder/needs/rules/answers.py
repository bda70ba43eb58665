"""What a finder needs → trees, libraries, lines, directories, and the texts that come with them."""

from collections.abc import Iterator
from functools import partial

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader.executable import Script
from rootfs_builder.needs import general, utilities
from rootfs_builder.needs.closure import Tree
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Account, File, LeftOut, Library, Text, TextKind, Wanted
from rootfs_builder.needs.rules import Rule
from rootfs_builder.needs.rules.dlopen_calls import Process
from rootfs_builder.needs.rules.files import FileOutput, RuleFiles
from rootfs_builder.needs.rules.loads import Effect, Loads
from rootfs_builder.needs.rules.outputs import Outputs
from rootfs_builder.needs.users import User
from rootfs_builder.paths import below, name, printable

_MOST_SCRIPTS = 5  # a script whose interpreter is a script whose …


class Answers:
    """Does what needs ask for."""

    def __init__(
        self,
        files: RuleFiles,
        outputs: Outputs,
        loads: Loads,
        *,
        user: User | None,
        search_path: tuple[str, ...],
    ) -> None:
        self._findings = set[Finding]()
        self._files = files
        self._outputs = outputs
        self._loads = loads
        self._elf_files = files.image.elf_files
        self._user = user
        self._search_path = search_path

    def findings(self) -> set[Finding]:
        """What is to be said; of directories that are left out the outermost, each once."""
        left_out = {one for one in self._findings if one.code is Code.PACKAGE_FILES_LEFT_OUT}
        kept = dict[str, Finding]()  # by directory, which is the last path of each
        for one in sorted(left_out, key=lambda one: (one.paths[-1], len(one.text), one.text)):
            if not any(below(one.paths[-1], known) for known in kept if known != one.paths[-1]):
                kept[one.paths[-1]] = one
        return self._findings - left_out | {*kept.values()}

    def answer(self, need: Wanted, rule: Rule, maps: Process) -> tuple[Text, ...]:
        """Do what one need asks for, in the process whose finder has it; the texts that come in."""
        texts: list[Text] = []
        if isinstance(need, Finding):
            self._findings.add(need)
            return ()
        if isinstance(need, LeftOut) or (isinstance(need, File) and _is_in_vain(need)):
            self._outputs.leave_out(need.path, large=isinstance(need, LeftOut) and need.large)
            return ()
        if isinstance(need, Library):
            added = self._library(need, rule, maps)
        elif isinstance(need, File):
            added = self._file(need, rule, maps, texts)
        elif isinstance(need, Account):
            lines = self._files.known_account(rule, need.name, is_group=need.is_group)
            added = self._take(lines, rule)
        else:
            added = self._take(self._files.directory(rule, need, self._user), rule)
        if added:
            self._outputs.remember(rule.name, rule.because, need.clue, maps)
        return tuple(texts)

    def _library(self, need: Library, rule: Rule, maps: Process) -> bool:
        """Open a library, and its alternatives: all that are there."""
        names = [
            one for one in (need.name, *need.alternatives) if self._files.may_open(one, rule.name)
        ]
        if need.left_out:
            self._findings |= {*self._loads.left_out(names, need.clue.text, maps)}
            return False
        load = partial(self._loads.load, rule=rule, maps=maps)
        done = [load(one, optional=True) for one in names]
        if names and not any(done):
            load(names[0], optional=need.optional)
        return Effect.ADDED in done

    def _file(
        self, need: File, rule: Rule, maps: Process, texts: list[Text], depth: int = 0
    ) -> bool:
        """Take a file; `texts` grows by those that come with it."""
        host = maps[0] if maps[0].loader else None
        there = need.started and self._files.image.is_added(need.path)
        output = FileOutput(found=True) if there else self._files.place(rule, need, host)
        added = self._take(output, rule)
        texts += (Text(path, TextKind.BROUGHT) for tree in output.trees for path in _texts(tree))
        if need.by and output.found:
            texts.insert(0, Text(need.path, TextKind.STARTED, need.by))
        script = self._files.image.script(need.path) if need.started and output.found else None
        if script is not None and depth < _MOST_SCRIPTS:
            texts.insert(0, Text(need.path, TextKind.STARTED))
            for other in self._interpreters(need, script):
                added |= self._file(other, rule, maps, texts, depth + 1)
        return added

    def _take(self, output: FileOutput, rule: Rule) -> bool:
        """Keep files; a tree has programs and plugins to be looked at. Whether any are new.

        Who starts or names a program decides nothing about the directory that it is in.
        """
        self._outputs.add(output)
        for tree in output.trees:
            self._loads.calls.enter_tree(tree)
            is_program = self._files.image.may_execute(tree.destination)
            if rule.finder in general.NAMES:
                self._leave_out_interpreters(tree)
            elif not is_program:
                self._files.image.cover(tree.destination, by_rule=False)
        return bool(output.trees or output.lines or output.made)

    def _leave_out_interpreters(self, tree: Tree) -> None:
        """What starts the scripts of a tree is a hint: nobody knows when they are started."""
        for path in _texts(tree):
            image = self._files.image
            script = image.script(path) if image.may_execute(path) else None
            if script is not None:
                for one in (script.interpreter, self._in_path(script.looked_up or "")):
                    if one is not None:
                        self._outputs.leave_out(one)

    def _interpreters(self, need: File, script: Script) -> Iterator[File]:
        shown = printable(need.path)
        clue = Clue(f"it is the interpreter of {shown}", (need.path,))
        yield File(script.interpreter, clue, started=True)
        if script.looked_up is None:
            return
        path = self._in_path(script.looked_up)
        if path is not None:
            yield File(path, clue, started=True)
            return
        command = printable(script.looked_up)
        text = f"{shown}: its interpreter {command} is not in the image's PATH; install it"
        self._findings.add(warning(Code.INTERPRETER_MISSING, text, need.path))

    def _in_path(self, command: str) -> str | None:
        if command.startswith("/"):
            return command
        each = (f"{directory.rstrip('/')}/{command}" for directory in self._search_path)
        return next((path for path in each if self._files.image.is_file(path)), None)


def _texts(tree: Tree) -> Iterator[str]:
    """The paths of the files of a tree that may be texts, as they are in the root."""
    programs = {one.real for one in tree.programs} | {one.program.real for one in tree.plugins}
    for path, node in tree.nodes:
        if node.kind == "file" and path not in programs and in_system(path):
            yield path


def _is_in_vain(need: File) -> bool:
    """Whether a program is started that has nobody to talk to in a container."""
    return need.started and name(need.path) in utilities.IN_VAIN
