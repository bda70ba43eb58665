"""Perl: the modules that programs load, and what lies where File::ShareDir and FindBin look.

A program is followed through all modules that it can load, in the directories of its own @INC: the
compiled-in ones, PERL5LIB, -I, `use lib`. The rule `perl` brings most of the core library: what of
it is loaded by name comes whatever that leaves out; of any other module the file, its part of auto/
and its data come.
"""

import re
from collections.abc import Iterator

from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text, TextKind
from rootfs_builder.needs.general import settings
from rootfs_builder.needs.importers.perl import source
from rootfs_builder.needs.importers.perl.imports import Import, Kind
from rootfs_builder.needs.importers.perl.texts import PerlTexts
from rootfs_builder.needs.importers.perl.walk import PerlWalk
from rootfs_builder.paths import decode, parent, printable

_MODULE = re.compile(rb"(?<![\w:])[A-Z]\w*(?:::\w+)+(?![\w:])")


def make(context: Context) -> "PerlFinder":
    """The importer for one process of perl."""
    return PerlFinder(context)


class PerlFinder:
    """Follows each program, and each module that comes in by itself."""

    def __init__(self, context: Context) -> None:
        self._texts = PerlTexts(context)
        environment = context.environment
        asked, self._script = source.options(context.arguments)
        more, _ = source.options(environment.get("PERL5OPT", "").split())
        libraries = (one for one in context.searched("PERL5LIB").split(":") if one)
        self._options = (*(Import(Kind.LIBRARY, one, 0) for one in libraries), *asked, *more)

    def process(self) -> Iterator[Need]:
        """What the options of perl load; a script among its arguments."""
        if self._options:
            yield from PerlWalk(self._texts, self._options).needs()
        script = self._script or ""
        if script.startswith("/") and self._texts.is_perl(script):
            yield File(script, Clue(f"the argument {printable(script)} names it", (script,)))

    def _is_for_tests(self, text: Text) -> bool:
        """Whether a text comes in that lies with tests, which prove(1) runs: nobody starts it."""
        names = self._texts.files.names(parent(text.path))
        return text.kind is TextKind.BROUGHT and any(one.endswith(".t") for one in names)

    def text(self, text: Text) -> Iterator[Need]:
        """What a program or module loads, and the modules that a configuration names."""
        if text.path in self._texts.done or self._is_for_tests(text):
            return
        if self._texts.is_started(text, b"perl") or self._texts.is_perl(text.path):
            yield from PerlWalk(self._texts, self._options, text).needs()
            return
        words = {decode(one) for one in _MODULE.findall(settings.read(text, self._texts.files))}
        modules = tuple(Import(Kind.MAYBE, one, 0, guarded=True) for one in sorted(words))
        if modules:
            yield from PerlWalk(self._texts, self._options, named=modules, by=text.path).needs()
