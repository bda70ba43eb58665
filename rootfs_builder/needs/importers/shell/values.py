"""Words of a shell script → the texts that they can be, where its own text decides that.

A variable can have several values: those that its branches give it. Nothing is known of what is
read, counted, or given as an argument.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import zip_longest
from posixpath import normpath

from msgspec import Struct

from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.importers.shell.script import Part, Step, Word
from rootfs_builder.paths import SourcePath, join

MOST = 64  # values of a word
_LONGEST = 4096  # characters of one from which a pattern is cut, as of a path
_WILD = frozenset("*?[")
_FROM_OUTSIDE = frozenset(
    [
        "COLUMNS",
        "DISPLAY",
        "EDITOR",
        "EUID",
        "GROUPS",
        "HOME",
        "HOSTNAME",
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "LINES",
        "LINENO",
        "LOGNAME",
        "OLDPWD",
        "OPTARG",
        "OPTIND",
        "PAGER",
        "PPID",
        "PWD",
        "RANDOM",
        "REPLY",
        "SECONDS",
        "SHELL",
        "SHLVL",
        "TERM",
        "UID",
        "USER",
        "VISUAL",
        "?",
        "$",
        "!",
        "#",
        "-",
        "_",
    ]
)  # what whoever starts it sets, or the shell


class Value(Struct, frozen=True):
    """A text; `place` is the script by whose own place it was found, "" for none."""

    text: str
    place: str = ""


Values = tuple[Value, ...]  # none: nothing is known
EMPTY = (Value(""),)


class Scope:
    """The variables of a shell; `arguments` are those of a function, None if nobody knows them.

    `options` are the names of variables that hold an argument. `begins` has the words with which
    the value of a variable surely begins, where nobody knows how it goes on: `CMD="tail -n $1"`.
    """

    def __init__(self, environment: dict[str, str], search_path: str) -> None:
        self._environment = environment | {"PATH": search_path}
        self._values: dict[str, Values] = {}
        self.arguments: tuple[Values, ...] | None = None
        self.more = False  # whether there may be arguments after those that are known
        self.options = set[str]()
        self.begins = dict[str, tuple[str, ...]]()
        self._unsure = set[str]()  # variables that may have other values, too

    def copy(self) -> "Scope":
        """The variables of a subshell."""
        made = Scope(self._environment, self._environment["PATH"])
        made._values, made._unsure = dict(self._values), set(self._unsure)
        made.begins = dict(self.begins)
        made.arguments, made.more, made.options = self.arguments, self.more, self.options
        return made

    def get(self, name: str) -> Values:
        """The values of a variable."""
        if name in self._values:
            return self._values[name]
        if name.isdigit():
            return self._argument(int(name))
        if name in ("@", "*"):
            return self.all_arguments[0] if len(self.all_arguments) == 1 else ()
        if name in self._environment:
            return (Value(self._environment[name]),)
        return () if name in _FROM_OUTSIDE else EMPTY

    def _argument(self, number: int) -> Values:
        if self.arguments is None:
            return ()
        if number <= len(self.arguments):
            return self.arguments[number - 1]
        return () if self.more else EMPTY

    @property
    def all_arguments(self) -> tuple[Values, ...]:
        """All of "$@", with a last one that is not known for those that may follow."""
        known = self.arguments or ()
        return (*known, ()) if self.arguments is None or self.more else known

    def set_arguments(self, words: list[Values], *, perhaps: bool) -> None:
        """Set --: what follows one that is not known may be at any place."""
        count = next((at for at, values in enumerate(words) if not values), len(words))
        known = tuple(words[:count])
        if perhaps and self.arguments:
            both = zip_longest(known, self.arguments, fillvalue=())
            known = tuple(tuple(dict.fromkeys((*new, *old))) for new, old in both)
        self.more = count < len(words) or (perhaps and (self.more or self.arguments is None))
        self.arguments = known

    def is_sure(self, word: Word) -> bool:
        """Whether the script itself decides what a word is, in each of its values."""
        return all(map(self._is_sure, word))

    def _is_sure(self, part: Part) -> bool:
        if part.kind == "variable":
            known = part.text in self._values and part.text not in self._unsure
            if part.text.isdigit() and part.text != "0":
                known = self.arguments is not None and bool(self._argument(int(part.text)))
            return known and all(map(self.is_sure, part.words))
        return part.kind != "unknown"

    def set(self, name: str, values: Values, *, perhaps: bool, sure: bool = True) -> None:
        """Assign; `perhaps` keeps what it was, after what it is now."""
        self.begins.pop(name, None)
        if not values or not sure:
            self._unsure.add(name)
        elif not perhaps:
            self._unsure.discard(name)
        old = self._values.get(name, ()) if perhaps else ()
        if perhaps and name in self._environment and name not in self._values:
            old = (Value(self._environment[name]),)
        self._values[name] = tuple(dict.fromkeys((*values, *old)))[:MOST]


class Expander:
    """Puts values into words; `output` says what steps print, which are run for that."""

    def __init__(
        self, files: ImageFiles, output: Callable[[tuple[Step, ...], Scope], Values]
    ) -> None:
        self.files = files
        self._output = output

    def arguments(self, words: Iterable[Word], scope: Scope) -> list[Values]:
        """Words as a command has them: split, with all arguments for "$@".

        One that is empty in some of its values has EMPTY among them, and may be none at all.
        """
        found: list[Values] = []
        for word in words:
            if [(p.kind, p.text) for p in word if p.text or p.kind != "text"] in (
                [("variable", "@")],
                [("variable", "*")],
            ):
                found += scope.all_arguments
                continue
            values = self.word(word, scope)
            if not values and len(word) == 1 and not word[0].quoted:
                found += [(Value(one),) for one in scope.begins.get(word[0].text, ())]
            splits = any(part.kind != "text" and not part.quoted for part in word)
            if not splits:
                found.append(values)
            elif len(values) == 1:
                found += [(Value(one, values[0].place),) for one in values[0].text.split()]
            else:
                each = [Value(v.text.split()[0], v.place) for v in values if v.text.split()]
                found.append((*each, *(EMPTY if len(each) < len(values) else ())))
        return found

    def word(self, word: Word, scope: Scope) -> Values:
        """The values of a word."""
        each = [self._part(part, scope) for part in word]
        if not all(each):
            return ()
        found = [_joined(one) for one in itertools.islice(itertools.product(*each), MOST)]
        wild = any(p.kind == "text" and not p.quoted and _WILD & set(p.text) for p in word)
        if wild:
            found = [one for value in found for one in self._glob(value)][:MOST]
        return tuple(dict.fromkeys(found))

    def beginning(self, word: Word, scope: Scope) -> tuple[str, ...]:
        """The words with which one begins of which not all is known."""
        text = ""
        for part in word:
            values = self._part(part, scope)
            if len(values) != 1:
                break
            text += values[0].text
        whole = text[: max(map(text.rfind, " \t\n")) + 1]
        return tuple(whole.split())

    def _part(self, part: Part, scope: Scope) -> Values:
        if part.kind == "text":
            text = part.text
            if text.startswith("~") and not part.quoted:
                return ()
            return (Value(text),)
        if part.kind == "run":
            return self._output(part.steps, scope)
        if part.kind == "unknown":
            if part.steps:
                self._output(part.steps, scope)
            return ()
        return self._variable(part, scope)

    def _variable(self, part: Part, scope: Scope) -> Values:
        values, operator = scope.get(part.text), part.operator
        if not operator:
            return values
        other = self.word(part.words[0], scope) if part.words else ()
        known = tuple(value for value in values if value.text)
        kind = operator.lstrip(":")
        if kind in ("-", "="):
            found = known if known and known == values else (*known, *other)
            if kind == "=" and found:
                scope.set(part.text, found, perhaps=False)
            return found
        if kind == "+":
            return other if known else values
        if kind == "?":
            return known
        pattern = part.words[0][0].text if len(part.words[0]) == 1 else ""
        return tuple(Value(_cut(one.text, kind, pattern), one.place) for one in values)

    def _glob(self, value: Value) -> Iterator[Value]:
        if not value.text.startswith("/"):
            yield value
            return
        found = [""]
        for part in value.text.strip("/").split("/"):
            if not _WILD & set(part):
                found = [f"{one}/{part}" for one in found]
                continue
            found = [
                f"{one}/{name}"
                for one in found
                for name in self.files.names(one or "/")
                if fnmatchcase(name, part) and (name[0] != "." or part[0] == ".")
            ]
        yield from (Value(one, value.place) for one in found if self.files.kind(one))


def _joined(values: Iterable[Value]) -> Value:
    values = tuple(values)
    place = next((one.place for one in values if one.place), "")
    return Value("".join(one.text for one in values), place)


def _cut(text: str, operator: str, pattern: str) -> str:
    """`${NAME%pattern}` and its like."""
    if len(text) > _LONGEST:
        return text
    longest = len(operator) > 1
    lengths = range(len(text) + 1)
    order = reversed(lengths) if longest else lengths
    if operator[0] == "%":
        ends = (size for size in order if fnmatchcase(text[len(text) - size :], pattern))
        return text[: len(text) - next(ends, 0)]
    return text[next((size for size in order if fnmatchcase(text[:size], pattern)), 0) :]


def real(values: Values, files: ImageFiles) -> Values:
    """Where paths lead when their links are followed."""
    found = []
    for one in values:
        path = files.real(one.text) if one.text.startswith("/") else None
        if path is not None:
            own = one.place and one.text == one.place
            found.append(Value(path, path if own else one.place))
        elif one.text.startswith("/"):
            found.append(Value(normpath(one.text), one.place))
    return tuple(found)


def directory(value: Value) -> Value:
    """dirname(1)."""
    text = value.text.rstrip("/")
    above = text.rpartition("/")[0]
    return Value(above or ("/" if value.text.startswith("/") else "."), value.place)


def base(value: Value, ending: str = "") -> Value:
    """basename(1)."""
    found = SourcePath(value.text.rstrip("/")).rpartition("/")[2]
    return Value(found.removesuffix(ending) if found != ending else found, value.place)


def located(values: Values, scope: Scope) -> Values:
    """Paths, from the directory that the script has changed to; others from it are not known."""
    found = []
    for one in values:
        if one.text.startswith("/"):
            found.append(Value(normpath(one.text), one.place))
        elif "/" in one.text:
            found += [
                Value(normpath(join(here.text, one.text)), here.place)
                for here in scope.get("PWD")
                if here.text.startswith("/")
            ]
    return tuple(found)


def relative(values: Values) -> Values:
    """Names as paths from the working directory."""
    return tuple(v if "/" in v.text else Value(join(".", v.text), v.place) for v in values)
