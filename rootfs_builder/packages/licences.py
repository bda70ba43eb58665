"""What a package says of its licences → their short names, each once: `GPL-2+`, `MIT`.

Of several that one may choose from, all are named. Sources: Debian's machine-readable copyright
file (copyright-format 1.0) and, where it is prose, policy 12.5; SPDX expressions; the License tag
of rpm.
"""

import re

_FIELD = r"(?m)^License:[ \t]*(\S.*)$"  # compiled when a policy asks, not by every pack
_MACHINE = r"(?i)[\s\ufeff]*Format(?:-Specification)?:"
_COMMON = r"/usr/share/common-licenses/([\w.+-]*\w\+?)"
_EXCEPTION = r"(?i)\bwith\b.*?(?=\b(?:and|or)\b|[,()|;]|$)"
_BETWEEN = r"(?i)\b(?:and|or)\b|[,()|;]"


def terms(expression: str) -> tuple[str, ...]:
    """The licences of an expression, without exceptions to them."""
    plain = re.sub(_EXCEPTION, " ", expression)
    found = (" ".join(one.split()) for one in re.split(_BETWEEN, plain))
    return tuple(sorted({one for one in found if one}))


def of_copyright(text: str) -> tuple[str, ...]:
    """The licences that a copyright file of Debian names; of prose, those that every Debian has."""
    found = re.findall(_COMMON, text)
    if re.match(_MACHINE, text):
        found = [term for field in re.findall(_FIELD, text) for term in terms(field)]
    return tuple(sorted(set(found)))
