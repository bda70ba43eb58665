"""Ruby: what programs require, and the gems that they activate.

A program is followed through all that it can load: in $LOAD_PATH, which options, RUBYLIB and the
program itself extend, and in gems, which come whole, with those that they depend on. The rule
`ruby` brings most of the core library: what of it is required comes whatever that leaves out.
"""

from collections.abc import Iterator

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text, TextKind
from rootfs_builder.needs.importers.ruby import source
from rootfs_builder.needs.importers.ruby.gems import RubyTexts
from rootfs_builder.needs.importers.ruby.source import Import, Kind
from rootfs_builder.needs.importers.ruby.walk import RubyWalk
from rootfs_builder.paths import printable

_AT_START = ("did_you_mean", "error_highlight", "syntax_suggest/core")  # Ruby's gem_prelude.rb


def make(context: Context) -> "RubyFinder":
    """The importer for one process of ruby."""
    return RubyFinder(context)


class RubyFinder:
    """Follows each program, and each library that comes in by itself."""

    def __init__(self, context: Context) -> None:
        self._texts = RubyTexts(context)
        environment = context.environment
        asked, self._script = source.options(context.arguments)
        more, _ = source.options(environment.get("RUBYOPT", "").split())
        libraries = (one for one in context.searched("RUBYLIB").split(":") if one)
        gems = (Import(Kind.GEM, one, 0) for one in context.values)
        paths = (Import(Kind.LIBRARY, one, 0) for one in libraries)
        start = (Import(Kind.FEATURE, one, 0, guarded=True) for one in _AT_START)
        self._options = (*paths, *gems, *start, *asked, *more)

    def process(self) -> Iterator[Need]:
        """What the options of ruby require; a script among its arguments."""
        yield from RubyWalk(self._texts, self._options).needs()
        script = self._script or ""
        if script.startswith("/") and self._texts.is_ruby(script):
            yield File(script, Clue(f"the argument {printable(script)} names it", (script,)))

    def text(self, text: Text) -> Iterator[Need]:
        """What a program or library requires; what comes with a gem is read where it is reached."""
        if text.path in self._texts.done or not (
            self._texts.is_started(text, b"ruby") or self._texts.is_ruby(text.path)
        ):
            return
        if text.kind is not TextKind.BROUGHT or not in_system(text.path):
            yield from RubyWalk(self._texts, self._options, text).needs()
