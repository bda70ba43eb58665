"""The character sets that a program, its arguments or settings name as whole strings.

So does a library that calls g_convert: gdk-pixbuf's PNG is in Latin-1. A library that the program
itself is linked to counts if it calls iconv_open and names few: Guile's texts are in Latin-1.

gconv-modules lists the modules that convert them (iconv(1), glibc iconv/gconv_conf.c): a `module`
line has the character set, INTERNAL, and the file; an `alias` line gives another name.
"""

import re
from collections.abc import Iterable, Iterator

from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text
from rootfs_builder.needs.general import settings
from rootfs_builder.needs.general.belongings import Belongings
from rootfs_builder.paths import SourcePath, below, decode, encode, name, printable

NAMED = (
    rb"\x00(?=[bceghijkmstuvwBCEGHIJKMSTUVW])"  # which is quicker to tell than the names
    rb"(?P<name>(?i:big-?5|cn-|cp|euc|gb|georgian|hp-|ibm|iso|johab|koi|ks_?c|mac|ms|shift|"
    rb"sjis|tcvn|tis|uhc|utf-|viscii|win)[\w:.+()-]{0,24})(?=\x00)"
)
IN_TEXT = (
    rb"(?<![\w./-])(?P<name>(?i:big-?5|cp|euc|gb|ibm|iso|koi|shift|sjis|tis|utf-|windows)[\w-]{0,16})"
    rb"(?![\w./-])"
)
_CALLS = frozenset((b"g_convert",))
_ITSELF = frozenset((b"iconv_open",))
_FEW = 10  # that a library names for itself
_MOST = 40  # that is a table of all it knows, not what it uses


def make(context: Context) -> "CharacterSets":
    """The finder for one process; its rule says where the modules lie, as {gconv}."""
    return CharacterSets(context)


class CharacterSets:
    """Looks in a program's own strings, its arguments and configurations."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._directory = context.variables["gconv"]
        self._modules: dict[str, str] | None = None

    def process(self) -> Iterator[Need]:
        """Those that are arguments, or compiled into the program or libraries of its source."""
        program, arguments = self._context.program, self._context.arguments
        belongings = Belongings(self._context)
        kin = belongings.kin(belongings.owner(SourcePath(program.real)), needed=False)
        imports = self._context.elf_files.imports
        for one in self._context.objects:
            is_own = one is program or kin.owns(SourcePath(one.real))
            speaks = is_own or bool(imports(one.real, _CALLS))
            if speaks or (one.by is program and imports(one.real, _ITSELF)):
                names = self._names(one, is_own=is_own)
                if speaks or len(names) <= _FEW:
                    yield from self._named(names, printable(name(one.opened)))
        words = "\n".join((*arguments, *self._context.environment.values()))
        yield from self._in_text(encode(words), "an argument or variable")

    def _names(self, one: Loaded, *, is_own: bool) -> list[bytes]:
        """Those in an object; unless `is_own`, only those with digits: others may be words."""
        names = (hit["name"] for hit in self._context.elf_files.search(one.real, NAMED))
        return [text for text in names if is_own or re.search(rb"\d", text)]

    def text(self, text: Text) -> Iterator[Need]:
        """Those that a configuration names."""
        if not below(text.path, self._directory):
            data = settings.read(text, self._context.files)
            yield from self._in_text(data, printable(name(text.path)))

    def _in_text(self, data: bytes, where: str) -> Iterator[Need]:
        yield from self._named((hit["name"] for hit in re.finditer(IN_TEXT, data)), where)

    def _named(self, names: Iterable[bytes], where: str) -> Iterator[Need]:
        each = {decode(one).upper() for one in names}
        if not each:
            return
        if self._modules is None:
            self._modules = self._read()
        known = {one: self._modules[one] for one in sorted(each) if one in self._modules}
        if not known or len({*known.values()}) > _MOST:
            return
        for one, module in known.items():
            clue = Clue(f"{where} names the character set {printable(one)}")
            yield File(f"{self._directory}/{module}.so", clue)
        for path in self._tables():
            yield File(path, Clue("glibc reads it"))

    def _tables(self) -> tuple[str, ...]:
        """The files that list the modules."""
        more = f"{self._directory}/gconv-modules.d"
        each = (f"{more}/{one}" for one in self._context.files.names(more))
        return (f"{self._directory}/gconv-modules", *each)

    def _read(self) -> dict[str, str]:
        """The module of each character set, by all its names."""
        files = self._context.files
        aliases: dict[str, str] = {}
        modules: dict[str, str] = {}
        for path in self._tables():
            for line in decode(files.read(path) or b"").splitlines():
                match [one.partition("//")[0] for one in line.split()]:
                    case ["alias", first, second]:
                        aliases[first.upper()] = second.upper()
                    case ["module", first, "INTERNAL", file, *_]:
                        modules[first.upper()] = name(file).removesuffix(".so")
        return modules | {one: modules[real] for one, real in aliases.items() if real in modules}
