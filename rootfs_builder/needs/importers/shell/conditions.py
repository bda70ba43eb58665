"""What a shell script asks: whether a condition is decided by its text, and what it asks for."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.importers.shell.names import ASKING
from rootfs_builder.needs.importers.shell.script import Step, Word
from rootfs_builder.needs.importers.shell.values import Expander, Scope, Values, located, relative
from rootfs_builder.paths import join, name, parent

_PRESENT = ("-e", "-f", "-r", "-x")
_WORKING = frozenset(("case", "for", "if", "loop"))
_ENDING = frozenset(("exit", "return"))


def truth(steps: tuple[Step, ...], scope: Scope, expander: Expander) -> bool | None:
    """Whether a condition holds, if the script's own text decides that."""
    if not steps:
        return None
    step = steps[-1]
    if step.kind == "not":
        inner = truth(step.steps[0], scope, expander)
        return None if inner is None else not inner
    if step.kind in ("and", "or"):
        sides = [truth(one, scope, expander) for one in step.steps]
        decides = step.kind == "or"
        if decides in sides:
            return decides
        return None if None in sides else not decides
    if step.kind == "test":
        return _test(step.name, step.words, scope, expander)
    if step.kind == "command":
        return _command(step.words, scope, expander)
    return None


def _command(words: tuple[Word, ...], scope: Scope, expander: Expander) -> bool | None:
    first = _only(words[0], scope, expander) if words else None
    if first in ("true", ":"):
        return True
    if first == "false":
        return False
    unary, binary = 3, 4
    if first == "test" and len(words) == unary:
        return _test(plain(words[1]), words[2:], scope, expander)
    if first == "test" and len(words) == binary:
        return _test(plain(words[2]), (words[1], words[3]), scope, expander)
    return None


def _test(operator: str, words: tuple[Word, ...], scope: Scope, expander: Expander) -> bool | None:
    """A test of texts that the script itself assigns: others are set by who starts it."""
    if not all(map(scope.is_sure, words)):
        return None
    texts = [_only(word, scope, expander) for word in words]
    if None in texts:
        return None
    known = [one or "" for one in texts]
    if operator in ("-h", "-L") and len(known) == 1:
        values = located(relative(expander.word(words[0], scope)), scope)
        return is_link(values[0].text, expander.files) if len(values) == 1 else None
    if operator in ("-n", "-z") and len(known) == 1:
        return bool(known[0]) == (operator == "-n")
    if operator in ("=", "==", "!=") and len(known) > 1:
        return fnmatchcase(known[0], known[1]) == (operator != "!=")
    return None


def is_link(path: str, files: ImageFiles) -> bool:
    """Whether a path is that of a link, which scripts follow to where they are."""
    above, real = files.real(parent(path)), files.real(path)
    return above is not None and real is not None and real != join(above, name(path))


def _only(word: Word, scope: Scope, expander: Expander) -> str | None:
    if any(part.kind in ("run", "unknown") for part in word):
        return None  # what runs was followed already, and knows no single answer
    values = expander.word(word, scope)
    return values[0].text if len(values) == 1 else None


def plain(word: Word) -> str:
    """The text of a word without anything that is put in."""
    return "".join(part.text for part in word) if all(p.kind == "text" for p in word) else ""


def asked(steps: tuple[Step, ...], scope: Scope, expander: Expander) -> frozenset[str]:
    """The commands and files that are there if a condition holds."""
    return frozenset(_asked(steps, scope, expander))


def _asked(steps: tuple[Step, ...], scope: Scope, expander: Expander) -> Iterator[str]:
    for step in steps:
        if step.kind in ("and", "or", "subshell"):
            for one in step.steps:
                yield from _asked(one, scope, expander)
        elif step.kind == "test" and step.name in _PRESENT:
            yield from (one.text for word in step.words for one in expander.word(word, scope))
        elif step.kind == "command" and step.words:
            first = plain(step.words[0])
            rest = step.words[1:]
            tests = first in ("test", "[") and plain(rest[0] if rest else ()) in _PRESENT
            if tests or first in ASKING:
                each = [expander.word(word, scope) for word in rest]
                yield from (v.text for values in each for v in values if v.text[:1] != "-")


def tests(steps: tuple[Step, ...]) -> bool:
    """Whether a condition is one that asks, and is no work that goes on if it is done."""
    if not steps:
        return False
    step = steps[-1]
    if step.kind in ("and", "or", "not"):
        return any(map(tests, step.steps))
    if step.kind == "command" and step.words:
        return plain(step.words[0]) in ("[", "test", "false", "true", *ASKING)
    return step.kind == "test"


def links(steps: tuple[Step, ...], scope: Scope) -> dict[str, Values]:
    """The variables that a loop tests for being links, which it then follows."""
    found: dict[str, Values] = {}
    for step in steps:
        words = step.words
        if step.kind == "command" and words and plain(words[0]) in ("test", "["):
            operator, words = plain(words[1] if len(words) > 1 else ()), words[2:3]
        else:
            operator = step.name if step.kind == "test" else ""
        if operator in ("-h", "-L"):
            parts = [part for word in words for part in word if part.kind == "variable"]
            found |= {part.text: scope.get(part.text) for part in parts}
        for one in step.steps:
            found |= links(one, scope)
    return found


def fails(steps: tuple[Step, ...], functions: Mapping[str, Step]) -> bool:
    """Whether steps do no work, and end with an error."""
    if any(step.kind in _WORKING for step in steps):
        return False
    return _ends_in_error(steps, functions)


def _ends_in_error(steps: tuple[Step, ...], functions: Mapping[str, Step]) -> bool:
    last = steps[-1] if steps else None
    if last is not None and last.kind == "subshell":
        return _ends_in_error(last.steps[0], functions)
    if last is None or last.kind != "command" or not last.words:
        return False
    first = plain(last.words[0])
    code = plain(last.words[1]) if len(last.words) > 1 else ""
    if first in functions:
        return _ends_in_error(functions[first].steps[0], {})
    return first in _ENDING and code.lstrip("-").isdigit() and int(code) != 0


def exits(steps: tuple[Step, ...]) -> bool:
    """Whether a function always ends the shell."""
    last = steps[-1] if steps else None
    if last is None or last.kind != "command" or not last.words:
        return False
    return plain(last.words[0]) in ("exit", "exec") and len(last.words) > 1


def is_idle(steps: tuple[Step, ...]) -> bool:
    """Whether steps are there so that a command may fail."""
    words = steps[-1].words if steps and steps[-1].kind == "command" else ()
    return len(words) == 1 and plain(words[0]) in (":", "true")
