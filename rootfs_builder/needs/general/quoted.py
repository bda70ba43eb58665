"""Programs of PATH whose names are whole strings of a script, or of a module that came in."""

from collections.abc import Iterator
from functools import cached_property

from rootfs_builder.errors import InputError
from rootfs_builder.needs import utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, Need, Text, TextKind
from rootfs_builder.needs.general import settings, strings
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.needs.general.given import Given
from rootfs_builder.packages import Kin, Package
from rootfs_builder.paths import SourcePath, decode, name, printable

_CODE = (".cjs", ".js", ".lua", ".mjs", ".php", ".pl", ".pm", ".py", ".rb", ".tcl")
_MOST = 20  # names of programs in a module
_MOST_MODULES = 200  # ansible-core has 1,000


class Quoted:
    """Looks for them in the process of one context."""

    def __init__(self, context: Context, belongings: Belongings) -> None:
        self._context = context
        self._belongings = belongings

    @cached_property
    def given(self) -> Given:
        """The packages of the user's scripts."""
        return Given(self._context, self._belongings)

    @cached_property
    def _small(self) -> frozenset[Package]:
        """Those of them that have few modules."""
        files = self._context.packages.files
        return frozenset(
            one
            for one in self.given.packages
            if sum(path.endswith(_CODE) for path in files(one)) <= _MOST_MODULES
        )

    def in_module(self, text: Text, real: SourcePath | None) -> Iterator[Need]:
        """Programs whose names a module quotes, if its package requires theirs.

        What a module of the user's script quotes may be of a package that this needs at any
        distance; many names are words of every day, which do not count then, and of hundreds of
        modules each has its own trade. A text with very many is a table, and what a program in C
        has brought is its data.
        """
        if not text.path.endswith(_CODE):
            return
        quoted = strings.QUOTED.finditer(self._context.files.read(text.path) or b"")
        commands = self._context.files.commands(self._context.search_path)
        listed = self._listed(text)
        words = listed.union(decode(hit["word"]) for hit in quoted) & commands.keys()
        words -= utilities.ALL
        is_script = any(one.kind is TextKind.STARTED for one in self._context.given)
        owner = self._belongings.owner(real) if words and real is not None else None
        if owner is None or not is_script or len(words) > _MOST:
            return
        for word in sorted(words):
            path = self._context.files.real(commands[word])
            clue = Clue(f"{printable(name(text.path))} names {printable(word)}", (text.path,))
            if path is not None and self._starts(word, owner, self._belongings.owner(path)):
                yield File(commands[word], clue, started=True)
            elif word in listed and owner in self.given.packages:
                yield LeftOut(commands[word], clue)

    def _listed(self, text: Text) -> frozenset[str]:
        """The words of lists in which all are programs, and one is no word of every day."""
        data = settings.without_comments(self._context.files.read(text.path) or b"")
        commands, found = self._context.files.commands(self._context.search_path), set[str]()
        for hit in strings.LISTS.finditer(data):
            words = {*map(decode, strings.LISTED.findall(hit[hit.lastgroup or 0]))}
            if words <= commands.keys() and words - utilities.WORDS:
                found |= words
        return frozenset(found)

    def _starts(self, word: str, owner: Package, other: Package | None) -> bool:
        packages = self._context.packages
        try:
            if other is None or packages.related(other).essential:
                return False
            is_given = owner in self._small and utilities.is_rare(word)
            required = other != owner and packages.requires(owner, other)
            return required or (is_given and packages.reaches(owner, other))
        except InputError:  # which others say
            return False

    def in_script(self, text: Text, kin: Kin) -> Iterator[Need]:
        """The programs of PATH whose names are whole strings of a script, if they belong to it.

        Others that it looks for are a hint.
        """
        files, shown = self._context.files, printable(name(text.path))
        data = files.read(text.path) or b""
        sought = {
            decode(word)
            for hit in strings.SOUGHT.finditer(data)
            for word in hit[0].split(hit["quote"])[1::2]
        }
        code = settings.without_comments(data)
        sought |= self._listed(text)
        hits = (*strings.QUOTED.finditer(code), *strings.RUN_BY.finditer(code))
        words = sought.union(decode(hit["word"]) for hit in hits)
        commands = files.commands(self._context.search_path) if words else {}
        for word in sorted(words & commands.keys()):
            path, clue = commands[word], Clue(f"{shown} names {printable(word)}", (text.path,))
            real = files.real(path)
            if real is None or not files.is_file(real):
                continue
            if kin.has(real) or word in utilities.PLAIN:
                yield File(path, clue, started=True)
            elif word in sought:
                yield LeftOut(path, clue)
