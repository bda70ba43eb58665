"""A root → its ELF files and loaders, each read once, and what stands in their bytes."""

import hashlib
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, cast

from rootfs_builder import elf
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.elf import counted, dlopen_notes, go_commands, immediates, tails, texts
from rootfs_builder.elf import symbols as elf_symbols
from rootfs_builder.elf.dlopen_notes import Note
from rootfs_builder.elf.go_commands import GoCommands
from rootfs_builder.elf.headers import Buffer
from rootfs_builder.errors import ElfError, InputError
from rootfs_builder.filesystem.content import Source, read
from rootfs_builder.filesystem.root import Root
from rootfs_builder.filesystem.sources import BaseSearch
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.loader import dialects
from rootfs_builder.loader.protocol import Loader
from rootfs_builder.paths import Key, OpenedPath, decode, encode, printable

_MOST_KEPT = 128 << 20  # bytes of data, which many search one after the other
_MOST_READ = 16 << 20  # bytes: a loader, its cache, a text that somebody wrote
T = TypeVar("T")
_TOO_LARGE = f"larger than {_MOST_READ >> 20} MiB"


class ElfFiles:
    """The ELF files and the loaders of one root, each read once.

    Over a `base` its libraries are taken before those of the system.
    """

    def __init__(
        self,
        root: Root,
        facts: FileFacts | None = None,
        *,
        base: BaseSearch | None = None,
    ) -> None:
        self.root = root
        self.base = base
        self.facts = facts or FileFacts()
        self.walker = Walker(root)
        self._read: dict[Key, elf.ElfFile | elf.Header | ElfError] = {}
        self._sources: dict[Key, Source] = {}
        self._whole_strings: dict[Key, bytes] = {}
        self._kept: dict[Key, bytes] = {}  # data of the files that were asked last
        self._symbols: tuple[Key | None, frozenset[bytes]] = (None, frozenset())  # imports, too
        self._loaders: dict[OpenedPath, Loader | None] = {}
        self._import_facts: dict[frozenset[bytes], str] = {}  # by the symbols that are looked for

    def source(self, path: Key) -> Source:
        """The content at a resolved path; one Source a path, however often it is asked."""
        if path not in self._sources:
            self._sources[path] = self.root.open(path)
        return self._sources[path]

    def file(self, path: Key) -> elf.ElfFile:
        """Read an ELF file; raises ElfError, again each time it is asked."""
        if path not in self._read:
            source = self.source(path)
            try:
                self._read[path] = self._file(source)
            except ElfError as error:
                self._read[path] = error
        found = self._read[path]
        if isinstance(found, ElfError):
            raise found
        if isinstance(found, elf.Header):
            raise ElfError("only ET_DYN and ET_EXEC can be loaded")
        return found

    def _file(self, source: Source) -> elf.ElfFile | elf.Header:
        known = self.facts.get(source, "elf", elf.ElfFile)
        if known is not None:
            return known
        with source.open() as content:
            header = elf.header(content)
            if header.type not in (elf.ET_EXEC, elf.ET_DYN):
                return header
            file = elf.read(content)
        self.facts.put(source, "elf", file)
        return file

    def content(self, path: OpenedPath) -> bytes | None:
        """All bytes of the small regular file that `path` leads to; None where there is none.

        Raises:
            InputError: it is larger than such files are.
        """
        return _content(path, self.walker)

    def search_file(
        self, path: OpenedPath, fact: str, find: Callable[[bytes], list[dict[str, bytes]]]
    ) -> list[dict[str, bytes]]:
        """What `find` finds in the regular file that `path` leads to, remembered as `fact`.

        Of a file larger than any that a person writes, only the beginning is searched.
        """
        walk = self.walker.walk(path)
        if walk.node is None or walk.node.kind != "file":
            return []
        source = self.source(walk.real)
        return self.facts.get_or_compute(
            source,
            fact,
            list[dict[str, bytes]],
            lambda: find(_beginning(source)),
        )

    def loader(self, interpreter: OpenedPath) -> Loader | None:
        """The loader at `interpreter`; None if there is none that we know.

        Raises:
            ElfError: it is a damaged file.
        """
        if interpreter not in self._loaders:
            self._loaders[interpreter] = self._identify(interpreter)
        return self._loaders[interpreter]

    def _identify(self, interpreter: OpenedPath) -> Loader | None:
        walk = self.walker.walk(interpreter)
        if walk.node is None or walk.node.kind != "file":
            return None
        header, source = self.file(walk.real).header, self.source(walk.real)
        if source.size > _MOST_READ:
            raise ElfError(_TOO_LARGE)
        data = read(source)
        loader = dialects.identify(interpreter, header, data, self.content)
        if loader is None or self.base is None:
            return loader
        return loader.supplied(partial(_content, walker=Walker(self.base.supplies)))

    def header(self, path: Key) -> elf.Header:
        """The ELF header alone, where the rest may be broken; raises ElfError."""
        try:
            return self.file(path).header
        except ElfError:
            with self.source(path).open() as content:
                return elf.header(content)

    def imports(self, path: Key, symbols: frozenset[bytes]) -> frozenset[bytes]:
        """The undefined symbols of an ELF file that fit some globs; none of a damaged table."""
        if symbols not in self._import_facts:
            digest = hashlib.sha256(b"\0".join(sorted(symbols))).hexdigest()
            self._import_facts[symbols] = f"imports of {digest}"
        source, fact = self.source(path), self._import_facts[symbols]
        return self.facts.get_or_compute(
            source,
            fact,
            frozenset[bytes],
            lambda: elf_symbols.matching(symbols, self._imports(path)),
        )

    def _imports(self, path: Key) -> frozenset[bytes]:
        if self._symbols[0] != path:
            found = frozenset[bytes]()
            with self.source(path).open() as content, suppress(ElfError):
                found = elf_symbols.imports(content)
            self._symbols = path, found
        return self._symbols[1]

    def symbols(self, path: Key, names: Iterable[bytes]) -> frozenset[bytes]:
        """Which names the dynamic symbols of an ELF file have; none in a damaged table."""
        with self.source(path).open() as content, suppress(ElfError):
            return elf_symbols.among(content, names)
        return frozenset()

    def notes(self, path: Key) -> tuple[Note, ...]:
        """What the file says that it may dlopen."""
        file = self.file(path)
        if not file.notes:
            return ()
        try:
            with self.source(path).open() as content:
                return dlopen_notes.read(content, file.notes, order=file.header.order)
        except ElfError:
            return ()

    def contained(self, path: Key, wanted: Iterable[bytes]) -> frozenset[bytes]:
        """Which of the texts stand in the data of an ELF file; each is looked for once."""
        known = self.facts.get(self.source(path), "texts 6", dict[bytes, bool]) or {}
        wanted = frozenset(wanted)
        if new := wanted - known.keys():
            found = {*texts.contained(self._data(path), self._strings(path), new)}
            known |= {text: text in found for text in new}
            self.facts.put(self.source(path), "texts 6", known)
        return frozenset(text for text in wanted if known[text])

    def search(self, path: Key, pattern: bytes) -> list[dict[str, bytes]]:
        """The groups of each match of a pattern in the data of an ELF file, none twice."""
        where = self._strings if texts.is_of_whole_strings(pattern) else self._data
        return self.facts.get_or_compute(
            self.source(path),
            f"matches 6 {decode(pattern)}",
            list[dict[str, bytes]],
            lambda: groups(re.finditer(pattern, where(path))),
        )

    def fact(self, path: Key, fact: str, kind: Any, find: Callable[[bytes], T]) -> T:
        """What `find` makes of the data of an ELF file, remembered: see `ImageFiles.fact`."""
        source = self.source(path)
        return self.facts.get_or_compute(source, fact, kind, lambda: find(self._data(path)))

    def go_commands(self, path: Key) -> GoCommands:
        """What a program in Go starts; nothing that another one does."""
        return self._in_x86_64(path, go_commands.FACT, GoCommands, go_commands.find)

    def _strings(self, path: Key) -> bytes:
        """The whole strings of the data, taken out once."""
        if path not in self._whole_strings:
            self._whole_strings[path] = texts.whole_strings(self._data(path))
        return self._whole_strings[path]

    def _data(self, path: Key) -> bytes:
        """The bytes that are data when it runs: neither code nor debug information.

        Behind them stand the names that a program in Rust has, which its data do not end, the
        paths and commands that the code has in pieces, a path after a dot: nobody takes one for a
        name that begins there, as some are none; and the texts of a program that begin in others.
        """
        data = self._kept.pop(path, None)
        if data is None:
            data = self._data_read(path)
        self._kept[path] = data
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return data

    def _data_read(self, path: Key) -> bytes:
        with self.source(path).open() as content:
            data = b"".join(content[at : at + size] for at, size in self.file(path).data)
        names = tuple[str, ...]()
        if counted.RUST in data:
            names = self._in_x86_64(path, counted.FACT, tuple[str, ...], counted.names)
        more = [b"\0%b\0" % encode(one) for one in names]
        for one in self._in_code(path):
            more.append((b"\0.%b\0" if one.startswith(b"/") else b"\0%b\0") % one)
        more += (b"\0%b\0" % one for one in self._ends(path, data))
        return b"".join((data, *more))

    def _ends(self, path: Key, data: bytes) -> tuple[bytes, ...]:
        """The texts of a program that are the ends of others; those of libraries are not read."""
        file = self.file(path)
        is_program = file.interpreter is not None or not file.dependencies
        if not is_program or any(one in data for one in texts.UNTERMINATED):
            return ()
        return self._in_x86_64(path, tails.FACT, tuple[bytes, ...], tails.texts)

    def _in_code(self, path: Key) -> tuple[bytes, ...]:
        """The paths and commands that an ELF file has in its code."""
        code = self.file(path).code

        def find(content: Buffer) -> tuple[bytes, ...]:
            each = [content[at : at + size] for at, size in code]
            return tuple(sorted({one for some in each for one in immediates.texts(some)}))

        return self._in_x86_64(path, immediates.FACT, tuple[bytes, ...], find)

    def _in_x86_64(self, path: Key, fact: str, kind: Any, find: Callable[[Buffer], T]) -> T:
        """What `find` makes of an ELF file for x86-64, remembered; an empty `kind` for others."""
        source = self.source(path)

        def compute() -> T:
            with source.open() as content:
                return find(content)

        if self.file(path).header.machine != immediates.MACHINE:
            return cast("T", kind())
        return self.facts.get_or_compute(source, fact, kind, compute)


def _content(path: OpenedPath, walker: Walker) -> bytes | None:
    walk = walker.walk(path)
    if walk.node is None or walk.node.kind != "file":
        return None
    source = walker.root.open(walk.real)
    if source.size > _MOST_READ:
        text = f"{printable(path)}: {_TOO_LARGE}; remove or rebuild it"
        raise InputError(text, paths=(path,))
    return read(source)


def groups(found: Iterable[re.Match[bytes]]) -> list[dict[str, bytes]]:
    """The groups of each match that have a value, none twice."""
    each: dict[tuple[tuple[str, bytes], ...], None] = {}
    for hit in found:
        each[tuple((name, one) for name, one in hit.groupdict().items() if one is not None)] = None
    return list(map(dict, each))


def _beginning(source: Source) -> bytes:
    with source.open() as content:
        return content[0 : min(source.size, _MOST_READ)]
