"""A directory of modules → those that arguments, variables and configurations choose by name.

A module is a shared object in a directory that is spelt out, and too large or too little certain to
come whole. It is called by its file's name, by that without `lib` and `.so`, or by what sets it
apart from the others beside it: `libsane-test.so.1` is `test`, `python3_plugin.so` is `python3`.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Text, TextKind
from rootfs_builder.needs.general import settings
from rootfs_builder.paths import below, decode, name, printable

_MODULE = re.compile(r"(?:lib)?(?P<stem>[\w.+-]+?)\.so(?:\.\d+)*")
_WORD = re.compile(rb"[\w.+-]{2,80}")
_FEW = 3  # modules, of which nobody can tell what sets them apart


class Modules:
    """The directories of modules of one process, and what of them is chosen."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._called: dict[str, Mapping[str, set[str]]] = {}

    def add(self, directory: str) -> bool:
        """Look in one more directory; whether it is one of modules."""
        if directory not in self._called:
            self._called[directory] = _called(self._context.files.names(directory))
        return bool(self._called[directory])

    def told(self) -> Iterator[File]:
        """The modules that the image's command line and variables name, and what the user adds."""
        context = self._context
        for word in (*context.arguments, *context.environment.values()):
            yield from self._chosen(os.fsencode(word), "an argument or a variable")
        for text in context.given:
            yield from self.text(text)

    def text(self, text: Text) -> Iterator[File]:
        """The modules that a configuration names."""
        if self._called and (text.kind is not TextKind.BROUGHT or below(text.path, "/etc")):
            found = settings.read(text, self._context.files)
            yield from self._chosen(found, printable(name(text.path)))

    def _chosen(self, text: bytes, where: str) -> Iterator[File]:
        words = set(map(decode, _WORD.findall(text)))
        for directory, called in self._called.items():
            for word in sorted(called.keys() & words):
                for one in sorted(called[word]):
                    yield File(f"{directory}/{one}", Clue(f"{where} names {printable(word)}"))


def _called(names: tuple[str, ...]) -> Mapping[str, set[str]]:
    """The files of the modules among the names, by what each may be called."""
    stems = {one: hit["stem"] for one in names if (hit := _MODULE.fullmatch(one))}
    each = {*stems.values()}
    apart = len(each) >= _FEW
    before = _same(each) if apart else 0
    after = _same({one[::-1] for one in each}) if apart else 0
    found = defaultdict[str, set[str]](set)
    for one, stem in stems.items():
        short = stem[before : len(stem) - after]
        for word in (one, one.partition(".so")[0], stem, short):
            found[word].add(one)
    return found


def _same(texts: set[str]) -> int:
    """How many characters all of the texts begin with."""
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    return next((at for at, (one, other) in pairs if one != other), len(first))
