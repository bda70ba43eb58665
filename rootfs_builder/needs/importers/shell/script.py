"""A shell script as values: its steps, with their words. They are remembered by the file."""

from msgspec import Struct

VERSION = 6  # of what is remembered


class Part(Struct, frozen=True, array_like=True):
    """A piece of a word: text as it is, or what `kind` says is put in.

    `text`, `variable` (by its name; an operator such as `:-` or `%` has its word in `words`), `run`
    (the output of `steps`), `unknown`. What is not `quoted` is split into words.
    """

    kind: str
    text: str = ""
    operator: str = ""
    words: "tuple[tuple[Part, ...], ...]" = ()
    steps: "tuple[Step, ...]" = ()
    quoted: bool = True


Word = tuple[Part, ...]


class Step(Struct, frozen=True, array_like=True):
    """What a shell does at a line.

    `command` has its words. `assign` puts one, or those of an array, into `name`; `append` adds
    to it; `export` says that programs see it. `read` is a file that a redirection opens.
    `function` has its body, `if` conditions and bodies in turn and at most one body more, `case` a
    body for each of the `patterns`, `loop` its condition and body, `for` its words and body. `and`,
    `or`, `not`, `pipe`, `subshell` have steps alone. `test` is `[` with its operator as `name`.
    """

    kind: str
    line: int = 0
    name: str = ""
    words: tuple[Word, ...] = ()
    steps: "tuple[tuple[Step, ...], ...]" = ()
    patterns: tuple[tuple[Word, ...], ...] = ()


class Script(Struct, frozen=True, array_like=True):
    """The steps of a script; `whole` says whether all of its text was understood."""

    steps: tuple[Step, ...] = ()
    whole: bool = True
