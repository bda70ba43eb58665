r"""The patterns of a .dockerignore → which paths of a tree are left out.

Docker documents the syntax in "docker build: .dockerignore files"; what it leaves open is decided
as moby's patternmatcher does. A pattern is for a whole path from the tree's root: `*` and `?` stay
within a name, `**` is any number of directories, `[a-z]` and `\` are those of Go's filepath.Match.
What matches a directory holds for all below it; of several patterns the last one counts, and one
that begins with `!` takes back.

No library of Python has this syntax: pathspec's is git's, where a name matches at any depth.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from rootfs_builder.paths import Key, parent

IGNORE_FILE = ".rootfsignore"
_CHARACTER = r"(?:[^\]\\-]|\\.)"
_RANGE = rf"(?P<first>{_CHARACTER})(?:-(?P<last>{_CHARACTER}))?"
_RANGES = rf"(?:{_CHARACTER}(?:-{_CHARACTER})?)+"
_PART = re.compile(
    rf"(?s)(?P<deep>\*\*/?)|(?P<star>\*)|(?P<one>\?)|\[(?P<no>\^?+)(?P<ranges>{_RANGES})\]"
    r"|\\?(?P<same>.)"
)
_SPECIAL = re.compile(r"([\\*?\[]|\A!)")


class Pattern(Struct, frozen=True):
    """One pattern, without its `!`: `keeps` says that it takes back what others leave out.

    `under` is what comes before a path of the tree, for patterns of a file that lies around it.
    """

    text: str
    keeps: bool = False
    under: str = ""

    def __str__(self) -> str:
        """The pattern as it is written."""
        return f"{'!' if self.keeps else ''}{self.text}"


def parse(text: str, *, under: str = "") -> Pattern | None:
    """One pattern; None where it stands for nothing.

    Raises:
        ValueError: it is none, and why.
    """
    text = text.strip()
    keeps = text.startswith("!")
    text = text[1:].strip() if keeps else text
    if not text:
        if keeps:
            raise ValueError("'!' takes back nothing: !PATTERN")
        return None
    text = posixpath.normpath(text).lstrip("/")
    _expression(text)
    return None if text in {"", "."} else Pattern(text, keeps, under)


def of_lines(text: str, *, under: str = "") -> Iterator[Pattern]:
    """The patterns of a file, one a line; a line that begins with # is a comment.

    Raises:
        ValueError: a line is not a valid pattern; which one, and why.
    """
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.startswith("#"):
            continue
        try:
            found = parse(line, under=under)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if found is not None:
            yield found


def literal(path: str) -> str:
    """The pattern that matches one path alone."""
    return _SPECIAL.sub(r"\\\1", path)


class Matcher:
    """Answers for the paths below `top`, a resolved directory, which is never left out itself."""

    def __init__(self, top: Key, patterns: Sequence[Pattern]) -> None:
        self._top = top
        self._patterns = tuple((one, re.compile(_expression(one.text))) for one in patterns)
        self._matched: dict[Key, frozenset[int]] = {}
        self._used: set[Pattern] = set()
        self.takes_back = any(one.keeps for one in patterns)

    def leaves_out(self, path: Key) -> bool:
        """Whether a resolved path below the top is left out."""
        matched = self._of(path)
        return bool(matched) and not self._patterns[max(matched)][0].keeps

    def may_match(self, pattern: Pattern) -> bool:
        """Whether one of the patterns matches a path that was asked for, or what lies below it.

        Nothing is known of what lies in a directory that was left out.
        """
        if pattern in self._used:
            return True
        closed = [self._inside(path) for path in self._matched if self.leaves_out(path)]
        if "**" in pattern.text:
            return bool(closed)
        expressions = [re.compile(_expression(part)) for part in pattern.text.split("/")]
        return any(_begins(one.split("/"), expressions) for one in closed)

    def _inside(self, path: str) -> str:
        return path[len(self._top.rstrip("/")) + 1 :]

    def _of(self, path: Key) -> frozenset[int]:
        """Which patterns match a path, or a directory around it."""
        if path == self._top:
            return frozenset()
        if path not in self._matched:
            inside = self._inside(path)
            own = {
                nth
                for nth, (pattern, expression) in enumerate(self._patterns)
                if expression.fullmatch(pattern.under + inside)
            }
            self._used.update(self._patterns[nth][0] for nth in own)
            self._matched[path] = self._of(parent(path)) | own
        return self._matched[path]


def _begins(parts: Sequence[str], expressions: Sequence[re.Pattern[str]]) -> bool:
    """Whether a path is that of a directory around what the expressions match."""
    each = zip(parts, expressions, strict=False)
    return len(parts) < len(expressions) and all(one.fullmatch(part) for part, one in each)


def _expression(pattern: str) -> str:
    """The regular expression of a pattern, for paths without a slash at either end.

    Raises:
        ValueError: a class of characters is none.
    """
    found, at = "(?s)", 0
    while at < len(pattern):
        part = _PART.match(pattern, at)
        if part is None or part[0] in {"[", "\\"}:
            rest, first = pattern[at:], pattern[at]
            raise ValueError(
                f"{pattern!r}: {rest!r} is not a valid pattern; for a {first} write \\{first}"
            )
        at = part.end()
        if part["deep"]:
            anywhere = at == len(pattern) or (part.start() == 0 and part[0] == "**")
            found += ".*" if anywhere else "(?:.*/)?"
        elif part["star"]:
            found += "[^/]*"
        elif part["one"]:
            found += "[^/]"
        elif part["ranges"]:
            found += f"(?!/)[{part['no']}{''.join(_ranges(part['ranges']))}]"
        else:
            found += re.escape(part["same"])
    return found


def _ranges(text: str) -> Iterator[str]:
    """The ranges of a class of characters, in the syntax of Python's expressions."""
    for found in re.finditer(f"(?s){_RANGE}", text):
        first, last = found["first"][-1], (found["last"] or found["first"])[-1]
        if last < first:
            raise ValueError(f"{found[0]!r}: {last} comes before {first}")
        yield f"{re.escape(first)}-{re.escape(last)}"
