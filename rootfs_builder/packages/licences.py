"""What a package says of its licences → their short names, each once: `GPL-2+`, `MIT`.

Of several that one may choose from, all are named. Sources: Debian's machine-readable copyright
file (copyright-format 1.0) and, where it is prose, policy 12.5; SPDX expressions; the License tag
of rpm.
"""

import re

_FIELD = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE)
_MACHINE = re.compile(r"\AFormat(?:-Specification)?:", re.IGNORECASE)
_COMMON = re.compile(r"/usr/share/common-licenses/([\w.+-]*\w\+?)")
_EXCEPTION = re.compile(r"\bwith\b.*?(?=\b(?:and|or)\b|[,()|;]|$)", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:and|or)\b|[,()|;]", re.IGNORECASE)


def terms(expression: str) -> tuple[str, ...]:
    """The licences of an expression, without exceptions to them."""
    plain = _EXCEPTION.sub(" ", expression)
    found = (" ".join(one.split()) for one in _BETWEEN.split(plain))
    return tuple(sorted({one for one in found if one}))


def of_copyright(text: str) -> tuple[str, ...]:
    """The licences that a copyright file of Debian names; of prose, those that every Debian has."""
    found = _COMMON.findall(text)
    if _MACHINE.match(text.lstrip("\ufeff\n ")):
        found = [term for field in _FIELD.findall(text) for term in terms(field)]
    return tuple(sorted(set(found)))
