"""Source code in languages that no importer reads → the names that it uses, for a rule's variables.

Each language has the expression for its comments, which name nothing, and the one for what loads
something by its name. A comment's sign within a text in quotes begins none.

Source: C23, 6.10.3; Erlang reference manual, 8; SBCL manual, 14; PostgreSQL, CREATE EXTENSION and
LOAD; R, library() and `::`; execve(2), Interpreter scripts; SQLite, load_extension() and .load.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

_QUOTED = rb'(?P<kept>"(?:\\.|[^"\\\n\0])*"'
_BY_EITHER = rb"|'(?:\\.|[^'\\\n\0])*')|"


class _Language(Struct, frozen=True):
    """What is a comment in a language, beside texts in quotes, and what uses a `name`."""

    comments: re.Pattern[bytes]
    uses: re.Pattern[bytes]


def _language(comments: bytes, uses: bytes, *, quotes: bytes = _QUOTED + _BY_EITHER) -> _Language:
    return _Language(re.compile(quotes + comments, re.DOTALL), re.compile(uses, re.MULTILINE))


_LANGUAGES = {
    "c": _language(
        rb"//[^\n]*|/\*.*?\*/",
        rb'^[ \t]*#[ \t]*include(?:_next)?[ \t]*[<"](?P<name>[\w/.+-]+)\.h[>"]',
    ),
    "erlang": _language(rb"%[^\n\0]*", rb"(?<![\w:])(?P<name>[a-z]\w*):[a-z]\w*\("),
    "lisp": _language(
        rb";[^\n\0]*", rb"(?i)\(require\s+[\"':#]*(?P<name>[\w-]+)", quotes=_QUOTED + rb")|"
    ),
    "postgresql": _language(
        rb"--[^\n\0]*|/\*.*?\*/",
        rb"(?i)(?:\bcreate\s+extension\s+(?:if\s+not\s+exists\s+)?\"?|\bload\s+'(?:\$libdir/)?)"
        rb"(?P<name>[\w-]+)",
    ),
    "r": _language(
        rb"#[^\n\0]*",
        rb"\b(?:library|require|requireNamespace|loadNamespace)\(\s*[\"']?(?P<name>[A-Za-z][\w.]+)"
        rb"|(?<![\w.])(?P<other>[A-Za-z][\w.]+)::",
    ),
    "script": _language(rb"\n.*", rb"\A#![ \t]*(?P<name>/\S+)"),
    "sqlite": _language(
        rb"--[^\n\0]*|/\*.*?\*/",
        rb"(?:^\.load[ \t]+[\"']?|\0\.load |\bload_extension\(\s*[\"'])"
        rb"(?P<name>[\w./+-]+?)(?:\.so)?(?=[\"'\s\0]|$)",
    ),
}
NAMES = tuple(_LANGUAGES)


def found(text: bytes, code: Mapping[str, str]) -> Iterator[dict[str, bytes]]:
    """Each name that a text uses, by the variable that it sets: `code` has the languages."""
    for variable, language in code.items():
        known = _LANGUAGES[language]
        if known.uses.search(text):
            for hit in known.uses.finditer(known.comments.sub(rb"\g<kept>", text)):
                yield {variable: hit[hit.lastgroup or "name"]}
