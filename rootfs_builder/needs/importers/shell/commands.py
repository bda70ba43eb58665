"""One command of a shell script → what it runs: a program, a function, another command, a file."""

import re
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from rootfs_builder.needs.importers.shell.names import ASKING, OF_THE_SHELL, SHELLS, WRAPPERS
from rootfs_builder.needs.importers.shell.script import Step
from rootfs_builder.needs.importers.shell.uses import Mode
from rootfs_builder.needs.importers.shell.values import Scope, Value, Values, located, relative
from rootfs_builder.paths import name

_SAYING = frozenset(("echo", "printf", "print", "[", "test"))  # files are no files to them
_UNKNOWN = '"$?"'  # a word of an evaluated text
_RUNNING = ("-exec", "-execdir", "-ok", "-okdir")  # options of find(1)


# A program that runs the script which its first argument names.
_INTERPRETER = re.compile(r"(?:lua|node(?:js)?|perl|php|python|ruby|tclsh|(?:ba|da|k|z)?sh)[\d.]*")

_CODE = frozenset(("--eval", "--print", "-E", "-c", "-e", "-m", "-p"))  # their options
_WITH_VALUE = frozenset(("--import", "--require", "-C", "-I", "-W", "-X", "-d", "-r"))

_Special = Callable[[list[Values], Scope, Mode], bool]


class Follower(Protocol):
    """Who follows a script, and is told what one command of it does."""

    functions: dict[str, Step]
    open: bool

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
        """Note what is used."""

    def function(self, called: str, words: list[Values], scope: Scope, mode: Mode) -> bool:
        """Follow a function."""

    def source(self, values: Values, line: int, scope: Scope, mode: Mode) -> None:
        """Follow a file that is sourced."""

    def text(self, text: str, scope: Scope, mode: Mode) -> bool:
        """Follow a text that is evaluated."""


class Commands:
    """The commands of one script."""

    def __init__(self, run: Follower) -> None:
        self._run = run
        self._line = 0
        self._special: dict[str, _Special] = {
            ".": self._source,
            "source": self._source,
            "cd": self._cd,
            "pushd": self._cd,
            "eval": self._eval,
            "exit": self._exit,
            "return": self._exit,
            "getopts": self._getopts,
            "read": self._read,
            "set": self._set,
            "shift": self._shift,
            "trap": self._trap,
        }

    def follow(self, words: list[Values], line: int, scope: Scope, mode: Mode) -> bool:
        """Follow one command; whether the shell ends with it."""
        self._line = line
        if not words or not words[0]:
            self._run.open |= bool(words)
            for values in words[1:]:
                self._run.use("file", values, line, mode)
            return False
        if _may_vanish(words):
            self.follow(words[1:], line, scope, replace(mode, branch=True))
        called = words[0][0].text if len(words[0]) == 1 else ""
        if called in self._run.functions and not mode.apart:
            return self._run.function(called, words[1:], scope, mode)
        if called in self._special and not mode.apart:
            return self._special[called](words[1:], scope, mode)
        if called in ASKING:
            for values in () if called == "command" and not _looks_up(words) else words[1:]:
                self._run.use("sought", values, line, mode)
        if called in WRAPPERS:
            return self._wrapper(called, words, scope, mode)
        self._program(words, scope, mode, last=False)
        return False

    def _program(self, words: list[Values], scope: Scope, mode: Mode, *, last: bool) -> None:
        """A program, with the commands that some are given."""
        line = self._line
        self._run.use("command", placed(words[0], scope), line, mode, last=last)
        called = name(words[0][0].text)
        if words[0][0].text not in _SAYING:
            at = _script(words) if _INTERPRETER.fullmatch(called) else 0
            for number, values in enumerate(words[1:], 1):
                kind, by = ("script", words[0][0].text) if number == at else ("file", "")
                self._run.use(kind, placed(values, scope), line, mode, by=by)
        if called == "find":
            for at, values in enumerate(words):
                if values and values[0].text in _RUNNING:
                    self.follow(words[at + 1 :], line, scope, replace(mode, apart=True))
        if called == "run-parts" and words[1:]:
            self._run.use("commands", placed(words[-1], scope), line, mode)
        if called in SHELLS:
            options = [values[0].text if values else "" for values in words]
            each = (n for n, one in enumerate(options) if n and one[:1] == "-" and "c" in one)
            at = next(each, 0)
            if at:
                self._eval(words[at + 1 : at + 2], scope.copy(), replace(mode, apart=False))

    def _wrapper(self, called: str, words: list[Values], scope: Scope, mode: Mode) -> bool:
        """A command that runs the one that stands after its options."""
        if mode.apart or (called not in OF_THE_SHELL and called != "time"):
            self._run.use("command", words[0], self._line, mode)
            mode = replace(mode, apart=True)
        rest = _inner(called, words[1:])
        if not rest or not rest[0]:
            self._run.open |= bool(rest)
            return False
        if called not in ("exec", "command"):
            self.follow(rest, self._line, scope, mode)
            return False
        while _may_vanish(rest):  # exec $TRACER program
            self._program(rest, scope, mode, last=False)
            rest = rest[1:]
        if not rest[0]:
            self._run.open = True
            return False
        inner = rest[0][0].text if len(rest[0]) == 1 else ""
        if called == "command" and inner in self._special:
            return self._special[inner](rest[1:], scope, mode)
        if inner in WRAPPERS:
            self._wrapper(inner, rest, scope, mode)
        else:
            self._program(rest, scope, mode, last=called == "exec")
        return called == "exec" and not mode.perhaps

    def _source(self, words: list[Values], scope: Scope, mode: Mode) -> bool:
        if words:
            self._run.source(words[0], self._line, scope, mode)
        return False

    def _cd(self, words: list[Values], scope: Scope, _mode: Mode) -> bool:
        places = [one for one in words if not (one and one[0].text[:1] == "-")]
        values = located(relative(places[0]), scope) if places else ()
        scope.set("PWD", values, perhaps=False)
        return False

    def _eval(self, words: list[Values], scope: Scope, mode: Mode) -> bool:
        first = words[0] if words else ()
        self._run.open |= not first
        others = [one[0].text if len(one) == 1 else _UNKNOWN for one in words[1:]]
        ends = [self._run.text(" ".join((one.text, *others)), scope, mode) for one in first]
        return bool(ends) and all(ends)

    def _exit(self, _words: list[Values], _scope: Scope, mode: Mode) -> bool:
        return not mode.perhaps

    def _trap(self, words: list[Values], scope: Scope, mode: Mode) -> bool:
        if words and len(words[0]) == 1 and words[0][0].text not in ("", "-"):
            self._run.text(words[0][0].text, scope.copy(), replace(mode, branch=True))
        return False

    def _getopts(self, words: list[Values], scope: Scope, _mode: Mode) -> bool:
        for one in words[1:2]:
            for value in one:
                scope.set(value.text, (), perhaps=False)
                scope.options.add(value.text)
        return False

    def _read(self, words: list[Values], scope: Scope, _mode: Mode) -> bool:
        for one in words:
            for value in one:
                if value.text.isidentifier():
                    scope.set(value.text, (), perhaps=False)
        return False

    def _set(self, words: list[Values], scope: Scope, mode: Mode) -> bool:
        rest = _behind_options(words)
        if rest is not None:
            scope.set_arguments(rest, perhaps=mode.perhaps)
        return False

    def _shift(self, words: list[Values], scope: Scope, mode: Mode) -> bool:
        known = scope.arguments
        scope.arguments = known[1:] if known and not words and not mode.perhaps else None
        return False


def _behind_options(words: list[Values]) -> list[Values] | None:
    """What `set` makes the arguments; None if it has options alone: `set -euo pipefail`."""
    texts = iter(values[0].text if values else "" for values in words)
    for at, text in enumerate(texts):
        if text in ("--", "-"):
            return words[at + 1 :] if text == "--" or at + 1 < len(words) else None
        if text[:1] not in ("-", "+"):
            return words[at:]
        if "o" in text:  # of which the next word is the name
            next(texts, None)
    return None


def _may_vanish(words: list[Values]) -> bool:
    """Whether the first of several words may be none, so that the next one is the command.

    An option is none.
    """
    if len(words) == 1 or any(one.text.startswith("-") for one in words[1]):
        return False
    return any(not one.text for one in words[0])


def _script(words: list[Values]) -> int:
    """Which word after an interpreter is its script; 0 where an option has the code."""
    at = 1
    while at < len(words):
        text = words[at][0].text if words[at] else ""
        if text in _CODE:
            return 0
        if text[:1] != "-":
            return at
        at += 2 if text in _WITH_VALUE else 1
    return 0


def placed(values: Values, scope: Scope) -> Values:
    """Words, of which those that are paths are as `located` has them."""
    plain = tuple(one for one in values if "/" not in one.text)
    paths = located(tuple(one for one in values if one.text[:1] in ("/", ".")), scope)
    others = tuple(o for o in values if "/" in o.text and o.text[0] not in ("/", "."))
    return (*plain, *paths, *others)


def _looks_up(words: list[Values]) -> bool:
    """Whether `command` only says where a program is."""
    return any(one.text in ("-v", "-V") for values in words[1:2] for one in values)


def _inner(called: str, words: list[Values]) -> list[Values]:
    """The command within one that runs another; none where that only looks it up."""
    rest, wrapper = words, WRAPPERS[called]
    before = wrapper.words
    while rest:
        text = rest[0][0].text if rest[0] else ""
        if text.startswith("-"):
            if called == "command" and text in ("-v", "-V"):
                return []
            rest = rest[2:] if text in wrapper.valued.split() else rest[1:]
        elif called in ("env", "sudo") and "=" in text.partition("/")[0]:
            rest = rest[1:]
        elif before:
            rest, before = rest[1:], before - 1
        else:
            break
    return rest or [(Value(one),) for one in wrapper.default.split()]


def hands_on(function: Step) -> bool:
    """Whether a function gives all of its arguments to a command."""
    all_of_them = any(
        part.kind == "variable" and part.text in ("@", "*")
        for word in function.words
        for part in word
    )
    return (function.kind == "command" and all_of_them) or any(
        hands_on(step) for steps in function.steps for step in steps
    )
