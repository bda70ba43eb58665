"""A path of this machine → why no image should have it, by the rules of `host_state.toml`.

To add one: write its table there.
"""

import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from posixpath import normpath

from msgspec import Struct, convert

from rootfs_builder.paths import below, decode


class Kept(Struct, frozen=True):
    """A rule: such paths stay on the machine, because of this; `instead` is what else to type.

    `supply` is the rule of `needs` that gives an image its own.
    """

    because: str
    paths: tuple[str, ...]
    instead: str = ""
    supply: str = ""


class HostState:
    """The rules, with the directories of one run."""

    def __init__(self, *, home: str, run: str) -> None:
        self.run = run
        self._places = {"home": home.rstrip("/") or "/nobody", "run": run}
        self._rules = [(self._pattern(rule), rule) for rule in _rules().values()]

    def _pattern(self, rule: Kept) -> re.Pattern[str]:
        each = []
        for path in rule.paths:
            filled = path.format_map(self._places)
            each.append(translate(filled.rstrip("/")))
            if filled.endswith("/"):
                each.append(translate(filled + "*"))
        return re.compile("|".join(each))

    def why(self, path: str, within: Iterable[str] = ()) -> Kept | None:
        """The rule by which a path stays on the machine; None if it does not.

        `within` are directories of the user's: what is in one is not judged by a rule that would
        take the whole directory, such as a project below /tmp.
        """
        plain = normpath(path)
        around = [one for one in within if below(plain, one)]
        for pattern, rule in self._rules:
            if pattern.match(plain) and not any(map(pattern.match, around)):
                return rule
        return None


def _rules() -> Mapping[str, Kept]:
    import tomli

    file = os.path.join(os.path.dirname(__file__), "host_state.toml")
    with open(file, "rb") as stream:
        return convert(tomli.loads(decode(stream.read())), dict[str, Kept])
