"""The text of a TOML file → the line of each key and element, which tomli does not report.

The text is known to be TOML, so only what nests is read: headers, keys, arrays, inline tables, and
strings, which may contain anything. Source: TOML 1.1.
"""

import re

Path = tuple[str | int, ...]  # ("rule", "when", 0, "libc"): keys, and indexes into arrays

_STRINGS = (r'"""(?:\\.|[^\\])*?"""(?!")', r"'''.*?'''(?!')", r'"(?:\\.|[^"\\])*"', r"'[^']*'")
_STRING = "|".join(_STRINGS)
_BLANK = re.compile(r"(?:[\s,]|#[^\n]*)*")
_SCALAR = re.compile(rf"(?s:{_STRING})|[^,\]}}#\n]+")
_KEY = re.compile(rf"[ \t]*((?s:{_STRING})|[\w-]+)[ \t]*(\.?)")


class Lines:
    """The lines of keys and elements in a TOML text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = (0, 1)  # a position and its line
        self._lines: dict[Path, int] = {}
        self._elements: dict[Path, int] = {}  # of each array of tables, the last one's index
        self._statements()

    def of(self, path: Path) -> int:
        """The line of the value at `path`, or of the nearest table around it that has one."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def _statements(self) -> None:
        table: Path = ()
        while self._next():
            if self._next() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _next(self) -> str:
        """The first character after blanks, commas and comments; "" at the end."""
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def _header(self) -> Path:
        of_array = self._text.startswith("[[", self._at)
        self._at += 1 + of_array
        start = self._at
        path: Path = ()
        keys = self._keys()
        for depth, key in enumerate(keys, 1):
            path = (*path, key)
            self._mark(path, start)
            if of_array and depth == len(keys):
                self._elements[path] = self._elements.get(path, -1) + 1
            if path in self._elements:
                path = (*path, self._elements[path])
                self._mark(path, start)
        self._at += 1 + of_array
        return path

    def _pair(self, table: Path) -> None:
        start = self._at
        for key in self._keys():
            table = (*table, key)
            self._mark(table, start)
        self._at += 1  # =
        self._value(table)

    def _keys(self) -> list[str]:
        keys = []
        dot = "."
        while dot and (found := _KEY.match(self._text, self._at)):
            self._at = found.end()
            word, dot = found[1], found[2]
            keys.append(_unquoted(word) if word[0] in "\"'" else word)
        return keys

    def _value(self, path: Path) -> None:
        opening = self._next()
        self._mark(path, self._at)
        if opening in ("[", "{"):
            self._at += 1
            index = 0
            while self._next() not in ("]", "}"):
                if opening == "[":
                    self._value((*path, index))
                    index += 1
                else:
                    self._pair(path)
            self._at += 1
        else:
            found = _SCALAR.match(self._text, self._at)
            self._at = found.end() if found else len(self._text)

    def _mark(self, path: Path, position: int) -> None:
        """Record the line of `path`, which is at `position`; positions only grow."""
        known, line = self._counted
        line += self._text.count("\n", known, position)
        self._counted = (position, line)
        self._lines.setdefault(path, line)


def _unquoted(word: str) -> str:
    import tomli

    return str(tomli.loads(f"key = {word}")["key"])
