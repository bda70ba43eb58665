"""What commands print that a shell script uses for places: dirname, readlink, pwd and the like."""

from collections.abc import Mapping

from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.importers.shell import conditions
from rootfs_builder.needs.importers.shell.script import Step
from rootfs_builder.needs.importers.shell.values import (
    Expander,
    Scope,
    Value,
    Values,
    base,
    directory,
    located,
    real,
    relative,
)
from rootfs_builder.paths import name

_SAYING = frozenset(("echo", "print", "printf"))
_UNAME = {"": "Linux", "-s": "Linux", "-o": "GNU/Linux"}
_MOST_DEPTH = 20  # functions whose output is another's


class Printer:
    """What steps print, by what is known of a script."""

    def __init__(
        self, files: ImageFiles, expander: Expander, functions: Mapping[str, Step]
    ) -> None:
        self._files = files
        self._expander = expander
        self._functions = functions
        self._depth = 0

    def values(self, steps: tuple[Step, ...], scope: Scope) -> Values:
        """What the last of some steps prints; nothing where that is not known."""
        if not steps:
            return ()
        step = steps[-1]
        if step.kind == "and":
            return self.values(step.steps[1], scope)
        if step.kind in ("or", "case"):
            return self._any(step.steps, scope)
        if step.kind == "subshell":
            return self.values(step.steps[0], scope)
        if step.kind == "if":
            return self._if(step, scope)
        return self._command(step, scope) if step.kind == "command" else ()

    def _any(self, sides: tuple[tuple[Step, ...], ...], scope: Scope) -> Values:
        found = [self.values(one, scope) for one in sides]
        return tuple(dict.fromkeys(one for each in found for one in each))

    def _if(self, step: Step, scope: Scope) -> Values:
        bodies = [step.steps[-1]] if len(step.steps) % 2 else []
        for at in range(len(step.steps) // 2 * 2 - 2, -1, -2):
            condition, body = step.steps[at : at + 2]
            truth = conditions.truth(condition, scope, self._expander)
            if truth is not False:
                bodies = [body] if truth else [body, *bodies]
        return self._any(tuple(bodies), scope)

    def _command(self, step: Step, scope: Scope) -> Values:
        words = self._expander.arguments(step.words, scope)
        called = name(_text(words[:1]))
        if called in self._functions:
            return self._function(called, words[1:], scope)
        options = [v.text for one in words[1:] for v in one[:1] if v.text.startswith("-")]
        rest = [one for one in words[1:] if not (one and one[0].text.startswith("-"))]
        first = rest[0] if rest else ()
        if called in ("command", "which", "type"):
            return self._in_path(first, scope)
        if called in _SAYING:
            return _said(called, rest)
        if called in ("readlink", "realpath"):
            return real(located(relative(first), scope), self._files)
        if called == "pwd":
            here = scope.get("PWD")
            return real(here, self._files) if "-P" in options else here
        if called == "uname":
            known = _UNAME.get("".join(options))
            return (Value(known),) if known and not rest else ()
        return _cut(called, rest)

    def _function(self, called: str, words: list[Values], scope: Scope) -> Values:
        """What a function prints, which changes directories and variables on the way."""
        if self._depth >= _MOST_DEPTH:
            return ()
        self._depth += 1
        inner = scope.copy()
        inner.arguments, inner.more = tuple(words), False
        body = self._functions[called].steps[0]
        for step in body[:-1]:
            self._prepare(step, inner)
        found = self.values(body, inner)
        self._depth -= 1
        return found

    def _prepare(self, step: Step, scope: Scope) -> None:
        if step.kind == "assign":
            values = tuple(v for one in step.words for v in self._expander.word(one, scope))
            scope.set(step.name, values, perhaps=False)
        elif step.kind == "command":
            words = self._expander.arguments(step.words, scope)
            if _text(words[:1]) == "cd" and words[1:]:
                scope.set("PWD", located(relative(words[-1]), scope), perhaps=False)

    def _in_path(self, names: Values, scope: Scope) -> Values:
        found = []
        for one in names:
            for top in scope.get("PATH")[:1]:
                each = (f"{place.rstrip('/')}/{one.text}" for place in top.text.split(":"))
                found += [Value(path) for path in each if self._files.is_file(path)][:1]
        return tuple(found)


def _text(words: list[Values]) -> str:
    return words[0][0].text if words and len(words[0]) == 1 else ""


def _cut(called: str, rest: list[Values]) -> Values:
    first = rest[0] if rest else ()
    if called == "dirname":
        return tuple(map(directory, first))
    if called == "basename":
        ending = _text(rest[1:2])
        return tuple(base(one, ending) for one in first)
    return ()


def _said(called: str, rest: list[Values]) -> Values:
    if called == "printf":
        rest = rest[1:]
    if not rest or not all(len(one) == 1 for one in rest):
        return rest[0] if len(rest) == 1 else ()
    place = next((one[0].place for one in rest if one[0].place), "")
    return (Value(" ".join(one[0].text for one in rest), place),)
