"""The steps of a shell script → what it uses: commands, files that it sources or names.

Steps are followed in their order, functions where they are called, files where they are sourced.
Both sides of a branch are, unless its condition is decided by the script's own text. Nothing is
run.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from msgspec.structs import replace

from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.importers.shell import commands, conditions, printed, steps
from rootfs_builder.needs.importers.shell.script import Script, Step
from rootfs_builder.needs.importers.shell.uses import Mode, Use
from rootfs_builder.needs.importers.shell.values import (
    Expander,
    Scope,
    Value,
    Values,
    located,
    real,
)

_MOST_STEPS = 50_000  # of one script, with all that it sources
_MOST_CALLS = 8  # of a function, with arguments or guards of their own
_MOST_PASSED = 400  # of one that hands its arguments on, as to start what they name
_MOST_DEPTH = 100  # of steps within others, through functions and sourced files


class Run:
    """One script, started as `path`; `load` gives the steps of a file that is sourced.

    `uses` are what it uses, each once; `cut` says that not all of it was followed, `open` that it
    sources or evaluates what is not known, `lost` that it sources such a file.
    """

    def __init__(
        self, path: str, scope: Scope, files: ImageFiles, load: Callable[[str], Script | None]
    ) -> None:
        self.uses = dict[Use, None]()
        self.functions = dict[str, Step]()
        self.cut = self.open = self.lost = False
        self.files = files
        self.path = path
        self._load = load
        self.expander = Expander(files, self._output)
        self._file = path
        self._left = _MOST_STEPS
        self._depth = 0
        self._mode = Mode()
        self._known = set[object]()
        self._followed = Counter[str]()
        self._handing_on = set[str]()  # functions that give their arguments to a command
        self._files_of = dict[str, str]()  # where functions stand
        self._commands = commands.Commands(self)
        self._printer = printed.Printer(files, self.expander, self.functions)
        scope.set("0", (Value(path, path),), perhaps=False)
        scope.set("BASH_SOURCE", (Value(path, path),), perhaps=False)
        self.scope = scope

    def follow(self, script: Script) -> None:
        """Follow a script, then its functions that it calls by a name that is not known here."""
        self.steps(script.steps, self.scope, Mode())
        for called in [*self.functions]:
            if not self._followed[called]:
                self._body(called, self.scope.copy(), Mode(sometimes=True), None)

    def steps(self, each: Iterable[Step], scope: Scope, mode: Mode) -> bool:
        """Follow steps; whether nothing after them is reached."""
        if self._depth >= _MOST_DEPTH:
            self.cut = True
            return False
        self._depth += 1
        try:
            return any(self._step(step, scope, mode) for step in each)
        finally:
            self._depth -= 1

    def _step(self, step: Step, scope: Scope, mode: Mode) -> bool:
        self._left -= 1
        if self._left < 0:
            self.cut = True
            return True
        before, self._mode = self._mode, mode
        ended: bool = getattr(self, f"_do_{step.kind}")(step, scope, mode)
        self._mode = before
        return ended

    def _output(self, steps: tuple[Step, ...], scope: Scope) -> Values:
        """What steps print, which are followed for it."""
        inner = scope.copy()
        self.steps(steps, inner, self._mode)
        return self._printer.values(steps, inner)

    def use(
        self,
        kind: str,
        values: Values,
        line: int,
        mode: Mode,
        *,
        last: bool = False,
        by: str = "",
    ) -> None:
        """Note what is used; what is not known says nothing."""
        if values:
            self.uses[Use(kind, values, self._file, line, mode, last, by)] = None

    def _do_assign(self, step: Step, scope: Scope, mode: Mode) -> bool:
        each = [self.expander.word(word, scope) for word in step.words]
        values = tuple(dict.fromkeys(one for values in each for one in values))
        parts = [part for word in step.words for part in word if part.kind == "variable"]
        if any(p.text.isdigit() or p.text in ("@", "*") or p.text in scope.options for p in parts):
            scope.options.add(step.name)
        sure = all(map(scope.is_sure, step.words)) and all(each)
        scope.set(step.name, values, perhaps=mode.perhaps, sure=sure)
        if not values and len(step.words) == 1 and not mode.perhaps:
            scope.begins[step.name] = self.expander.beginning(step.words[0], scope)
        return False

    def _do_append(self, step: Step, scope: Scope, mode: Mode) -> bool:
        for word in step.words:
            self.use("file", self.expander.word(word, scope), step.line, mode)
        scope.set(step.name, (), perhaps=True)
        return False

    def _do_export(self, step: Step, scope: Scope, mode: Mode) -> bool:
        self.use("setting", scope.get(step.name), step.line, mode, by=step.name)
        return False

    def _do_word(self, step: Step, scope: Scope, _mode: Mode) -> bool:
        for word in step.words:
            self.expander.word(word, scope)
        return False

    def _do_read(self, step: Step, scope: Scope, mode: Mode) -> bool:
        for word in step.words:
            self.use("file", self.expander.word(word, scope), step.line, mode)
        return False

    def _do_function(self, step: Step, _scope: Scope, _mode: Mode) -> bool:
        self.functions[step.name] = step
        if commands.hands_on(step):
            self._handing_on.add(step.name)
        self._files_of[step.name] = self._file
        return False

    def _do_if(self, step: Step, scope: Scope, mode: Mode) -> bool:
        ends = []
        for at in range(0, len(step.steps) - 1, 2):
            condition, body = step.steps[at : at + 2]
            if self.steps(condition, scope, mode):
                return True
            truth = conditions.truth(condition, scope, self.expander)
            if truth is False:
                continue
            if truth is True:
                return self.steps(body, scope, mode)
            ends.append(self._branch(body, scope, self._guarded(condition, scope, mode)))
        if len(step.steps) % 2:
            ends.append(self._branch(step.steps[-1], scope, replace(mode, branch=True)))
            return all(ends)
        return False

    def _guarded(self, condition: tuple[Step, ...], scope: Scope, mode: Mode) -> Mode:
        """The mode of what is done if a condition holds."""
        asked = conditions.asked(condition, scope, self.expander)
        return replace(mode, branch=True, guards=mode.guards | asked)

    def _branch(self, body: tuple[Step, ...], scope: Scope, mode: Mode) -> bool:
        fails = conditions.fails(body, self.functions)
        return self.steps(body, scope, replace(mode, sometimes=mode.sometimes or fails))

    def _do_case(self, step: Step, scope: Scope, mode: Mode) -> bool:
        subject = tuple(v for word in step.words for v in self.expander.word(word, scope))
        names = [part.text for word in step.words for part in word if part.kind == "variable"]
        decided = all(map(scope.is_sure, step.words))
        option = any(n.isdigit() or n in scope.options for n in names)
        for patterns, body in zip(step.patterns, step.steps, strict=True):
            texts = [one.text for word in patterns for one in self.expander.word(word, scope)]
            hits = [v for v in subject if any(fnmatchcase(v.text, one) for one in texts)]
            if decided and subject and not hits:
                continue
            if decided and len(subject) == 1:
                return self.steps(body, scope, mode)
            sometimes = mode.sometimes or (option and all(map(_is_option, texts)))
            self._branch(body, scope, replace(mode, branch=True, sometimes=sometimes))
        return False

    def _do_loop(self, step: Step, scope: Scope, mode: Mode) -> bool:
        condition, body = step.steps
        self.steps(condition, scope, mode)
        links = conditions.links(condition, scope)
        if conditions.truth(condition, scope, self.expander) is not False:
            inner = self._guarded(condition, scope, mode)
            branch = mode.branch or conditions.tests(condition)
            self.steps(body, scope, replace(inner, branch=branch))
        for variable, values in links.items():
            scope.set(variable, real(values, self.files), perhaps=True)
        return False

    def _do_for(self, step: Step, scope: Scope, mode: Mode) -> bool:
        values = self.expander.arguments(step.words, scope)
        if not step.words or any(p.text in ("@", "*") for word in step.words for p in word):
            scope.options.add(step.name)
        each = () if not all(values) else tuple(v for one in values for v in one)
        scope.set(step.name, each, perhaps=False)
        self.steps(step.steps[0], scope, mode)
        return False

    def _do_and(self, step: Step, scope: Scope, mode: Mode) -> bool:
        left, right = step.steps
        if self.steps(left, scope, mode):
            return True
        truth = conditions.truth(left, scope, self.expander)
        if truth is False:
            return False
        inner = mode if truth or not conditions.tests(left) else replace(mode, branch=True)
        asked = conditions.asked(left, scope, self.expander)
        ended = self._branch(right, scope, replace(inner, guards=mode.guards | asked))
        return ended and inner is mode and truth is True

    def _do_or(self, step: Step, scope: Scope, mode: Mode) -> bool:
        left, right = step.steps
        idle = conditions.is_idle(right)
        self.steps(left, scope, replace(mode, tolerated=True, sometimes=mode.sometimes or idle))
        if conditions.truth(left, scope, self.expander) is not True:
            self._branch(right, scope, replace(mode, branch=True))
        return False

    def _do_cut(self, _step: Step, _scope: Scope, _mode: Mode) -> bool:
        self.cut = True
        return False

    def _do_not(self, step: Step, scope: Scope, mode: Mode) -> bool:
        return self.steps(step.steps[0], scope, mode)

    def _do_subshell(self, step: Step, scope: Scope, mode: Mode) -> bool:
        self.steps(step.steps[0], scope.copy(), mode)
        return False

    def _do_test(self, step: Step, scope: Scope, _mode: Mode) -> bool:
        for word in step.words:
            self.expander.word(word, scope)
        return False

    def _do_command(self, step: Step, scope: Scope, mode: Mode) -> bool:
        words = self.expander.arguments(step.words, scope)
        return self._commands.follow(words, step.line, scope, mode)

    def function(self, called: str, words: list[Values], scope: Scope, mode: Mode) -> bool:
        """Follow a function that is called; whether the shell ends with it."""
        return self._body(called, scope, mode, tuple(words))

    def _body(
        self, called: str, scope: Scope, mode: Mode, arguments: tuple[Values, ...] | None
    ) -> bool:
        """Follow a function once for each mode and arguments."""
        plain = replace(mode, guards=frozenset())
        function = self.functions[called]
        most = _MOST_PASSED if called in self._handing_on else _MOST_CALLS
        if arguments is not None and self._followed[called] >= most:
            mode, arguments = plain, None
        key = called, mode, arguments
        if key in self._known:
            return False
        self._known.add(key)
        self._followed[called] += 1
        body = function.steps[0]
        before, scope.arguments = scope.arguments, arguments
        more, scope.more = scope.more, False
        file, self._file = self._file, self._files_of[called]
        self.steps(body, scope, mode)
        scope.arguments, scope.more, self._file = before, more, file
        return conditions.exits(body)

    def source(self, values: Values, line: int, scope: Scope, mode: Mode) -> None:
        """Follow a file that is sourced; one that is not there is for the finder to say."""
        self.open |= not values
        self.lost |= not values
        values = self._found(values, scope)
        self.use("source", values, line, mode)
        for value in values:
            key = value.text, mode
            script = None if key in self._known else self._load(value.text)
            self._known.add(key)
            if script is None:
                self.open = True
                continue
            before, self._file = self._file, value.text
            place = scope.get("BASH_SOURCE")
            scope.set("BASH_SOURCE", (value,), perhaps=False)
            self.steps(script.steps, scope, mode)
            scope.set("BASH_SOURCE", place, perhaps=False)
            self._file = before

    def _found(self, values: Values, scope: Scope) -> Values:
        """Where files are that are sourced: a name alone is looked up as a command is."""
        found = list(located(values, scope))
        for one in values:
            if "/" not in one.text:
                places = [v.text.split(":") for v in scope.get("PATH")][:1]
                each = [f"{top.rstrip('/')}/{one.text}" for tops in places for top in tops]
                found += [Value(path) for path in each if self.files.is_file(path)][:1]
        return tuple(found)

    def text(self, text: str, scope: Scope, mode: Mode) -> bool:
        """Follow a text that is evaluated."""
        return self.steps(steps.parse(text.encode("utf-8", "surrogateescape")).steps, scope, mode)


def _is_option(pattern: str) -> bool:
    """Whether a pattern is for an option: actions and files are what a script is for."""
    return pattern.startswith("-")
