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

from rootfs_builder.errors import InputError
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
        """The modules of a directory, and of those in it, that nobody asks for and that cost much.

        None where the user chooses none, since then nobody can tell which are needed. One that is
        linked to nothing new stays: it is small, and another may need its symbols. So does one
        whose name is a whole string of the program, or of a module that is chosen.
        """
        self.add(directory)
        called = defaultdict[str, set[str]](set)
        for one, table in self._modules.items():
            for word, names in table.items() if below(one, directory) else ():
                called[word].update(f"{one}/{file}" for file in names)
        loaded, named = self._user_words
        if loaded.isdisjoint(called):
            return frozenset()
        texts = {f"\0{word}\0".encode(errors="surrogateescape"): word for word in called}
        chosen = {
            one for word in called if not named.isdisjoint(_parts(word)) for one in called[word]
        }
        known = {one.soname or name(one.opened) for one in self._context.objects}
        todo = [self._context.program.real, *chosen]
        while todo:
            path = todo.pop()
            known |= needed(path, self._context)
            found = self._contained(path, texts)
            more = set[str]().union(*(called[texts[one]] for one in found)) - chosen
            chosen |= more
            todo += more
        others = set[str]().union(*called.values()) - chosen
        return frozenset(one for one in others if not needed(one, self._context) <= known)

    def _contained(self, module: str, texts: Iterable[bytes]) -> frozenset[bytes]:
        real = self._context.files.real(module)
        try:
            found = self._context.elf_files.contained(real, texts) if real is not None else ()
        except InputError:  # libtool's description of a module
            return frozenset()
        return frozenset(found)

    @cached_property
    def _user_words(self) -> tuple[set[str], set[str]]:
        """The words by which the user chooses what is loaded, and all that he says.

        He chooses by arguments, and in lines of his configurations that load something.
        """
        context = self._context
        lines = [*map(encode, context.arguments)]
        loading, loads_all = [*lines], False
        for text in context.given:
            if text.kind is TextKind.ADDED:
                data = settings.read(text, context.files, any_name=True)
                loads_all |= _LOADS_ALL.search(data) is not None
                lines += data.splitlines()
                loading += filter(_LOADS.search, data.splitlines())
        chosen = set[str]() if loads_all else _words(loading)
        return chosen, _words(lines)

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
        words = _words((text,))
        each = [(directory, called) for table in tables for directory, called in table.items()]
        for directory, called in each:
            for word in sorted(called.keys() & words):
                for path in sorted(f"{directory}/{one}" for one in called[word]):
                    if self._context.files.is_file(path):
                        yield File(path, Clue(f"{where} names {printable(word)}", (path,)))


def _words(lines: Iterable[bytes]) -> set[str]:
    return {decode(word) for one in lines for word in _WORD.findall(one)}


def _parts(word: str) -> set[str]:
    """A module's name, and what is between the hyphens and underscores in it."""
    return {word, *re.split(r"[_-]", word)}


def needed(module: str, context: Context) -> set[str]:
    """The libraries that a module is linked to."""
    real = context.files.real(module)
    try:
        elf = context.elf_files.file(real) if real is not None else None
    except InputError:  # no ELF file: libtool's description, a script of the linker
        return set()
    return set(map(decode, elf.needed)) if elf is not None else set()


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
