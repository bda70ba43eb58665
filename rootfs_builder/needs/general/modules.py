"""Directories that a program spells out → the files there that the user's words choose.

Modules are chosen by arguments, variables and configurations; any other file by an argument alone,
where words are few and deliberate: `tesseract -l deu`. A file is called by its name, by what stands
before the first dot, or by what sets it apart from the others beside it: `libsane-test.so.1` is
`test`, `python3_plugin.so` is `python3`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Text, TextKind
from rootfs_builder.needs.general import settings
from rootfs_builder.paths import below, decode, encode, name, printable

_MODULE = re.compile(r"(?:lib)?(?P<stem>[\w.+-]+?)\.so(?:\.\d+)*")
_WORD = re.compile(rb"[\w.-]{2,80}")
_LOADS = re.compile(rb"(?i)(?<!auto)(?<!no)load|module|plugin")  # in a line that chooses
_LOADS_ALL = re.compile(rb"(?i)\bautoload\s*[=:]?\s*(?:1|on|true|yes)\b")
_FEW = 3  # modules, of which nobody can tell what sets them apart
_MOST = 2_000  # entries of a directory in which somebody chooses

Called = Mapping[str, set[str]]


class Modules:
    """The directories of one process, and what of them is chosen."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._modules: dict[str, Called] = {}
        self._files: dict[str, Called] = {}

    def add(self, directory: str) -> None:
        """Look in one more directory, and in those that are in it."""
        files = self._context.files
        if directory in self._modules:
            return
        names = files.names(directory)[:_MOST]
        for one in (directory, *(f"{directory}/{one}" for one in names if "." not in one)):
            inside = names if one == directory else files.names(one)[:_MOST]
            self._modules[one], self._files[one] = _modules(inside), _stems(inside)

    def told(self) -> Iterator[File]:
        """What the image's command line and variables choose."""
        context = self._context
        for word in context.arguments:
            where = f"the argument {printable(word)}"
            yield from self._chosen(encode(word), where, (self._modules, self._files))
        for variable, value in context.environment.items():
            yield from self._chosen(encode(value), f"-e {variable}", (self._modules,))

    def spared(self, directory: str) -> frozenset[str]:
        """The modules of a directory, and of those in it, that the user does not choose.

        Nor does the program, or a module that is chosen, have the name of one as a whole string.
        None where he chooses none: then nobody can tell which are needed.
        """
        self.add(directory)
        called = defaultdict[str, set[str]](set)
        for one, table in self._modules.items():
            for word, names in table.items() if below(one, directory) else ():
                called[word].update(f"{one}/{file}" for file in names)
        chosen = set[str]().union(*(called[word] for word in called.keys() & self._deliberate))
        if not chosen:
            return frozenset()
        texts = {f"\0{word}\0".encode(errors="surrogateescape"): word for word in called}
        todo = [self._context.program.real, *chosen]
        while todo:
            real = self._context.files.real(todo.pop())
            found = self._context.elf_files.contained(real, texts) if real is not None else ()
            more = set[str]().union(*(called[texts[one]] for one in found)) - chosen
            chosen |= more
            todo += more
        return frozenset(set[str]().union(*called.values()) - chosen)

    @cached_property
    def _deliberate(self) -> frozenset[str]:
        """The words of the arguments, and of the lines of the user's configurations that load."""
        context = self._context
        found = [*map(encode, context.arguments)]
        for text in context.given:
            if text.kind is TextKind.ADDED:
                data = settings.read(text, context.files, any_name=True)
                if _LOADS_ALL.search(data):
                    return frozenset()
                found += filter(_LOADS.search, data.splitlines())
        return frozenset(decode(word) for one in found for word in _WORD.findall(one))

    def text(self, text: Text) -> Iterator[File]:
        """The modules that a configuration, or any text that the user adds, names."""
        if any(self._modules.values()) and (
            text.kind is not TextKind.BROUGHT or below(text.path, "/etc")
        ):
            files = self._context.files
            is_added = text.kind is TextKind.ADDED  # whatever its name: a script of awk, an LDIF
            found = settings.read(text, files, any_name=is_added)
            yield from self._chosen(found, printable(name(text.path)), (self._modules,))

    def _chosen(
        self, text: bytes, where: str, tables: Iterable[Mapping[str, Called]]
    ) -> Iterator[File]:
        words = set(map(decode, _WORD.findall(text)))
        each = [(directory, called) for table in tables for directory, called in table.items()]
        for directory, called in each:
            for word in sorted(called.keys() & words):
                for path in sorted(f"{directory}/{one}" for one in called[word]):
                    if self._context.files.is_file(path):
                        yield File(path, Clue(f"{where} names {printable(word)}", (path,)))


def is_module(name: str) -> bool:
    """Whether a file is called as what dlopen(3) loads."""
    return _MODULE.fullmatch(name) is not None


def _modules(names: Iterable[str]) -> Called:
    """The modules among the names, by what each may be called."""
    stems = {one: hit["stem"] for one in names if (hit := _MODULE.fullmatch(one))}
    each = {*stems.values()}
    apart = len(each) >= _FEW
    before = _same(each) if apart else 0
    after = _same({one[::-1] for one in each}) if apart else 0
    found = defaultdict[str, set[str]](set)
    for one, stem in stems.items():
        short = stem[before : len(stem) - after]
        base = one.partition(".so")[0]
        for word in (one, base, stem, short):
            found[word].add(one)
        found[f"{base}.la"] |= {one, f"{base}.la"}  # of libtool, which reads it first
    return found


def _stems(names: Iterable[str]) -> Called:
    """The other files, by their names with and without what follows the first dot."""
    found = defaultdict[str, set[str]](set)
    for one in names:
        if not _MODULE.fullmatch(one):
            for word in (one, one.partition(".")[0]):
                found[word].add(one)
    return found


def _same(texts: set[str]) -> int:
    """How many characters all of the texts begin with."""
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    return next((at for at, (one, other) in pairs if one != other), len(first))
