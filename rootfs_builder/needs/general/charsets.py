"""The character sets that a program, its arguments or settings name as whole strings.

gconv-modules lists the modules that convert them (iconv(1), glibc iconv/gconv_conf.c): a `module`
line has the character set, INTERNAL, and the file; an `alias` line gives another name.
"""

import re
from collections.abc import Iterable, Iterator

from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text
from rootfs_builder.needs.general import settings
from rootfs_builder.paths import decode, encode, name, printable

NAMED = (
    rb"\x00(?=[bceghijkmstuvwBCEGHIJKMSTUVW])"  # which is quicker to tell than the names
    rb"(?P<name>(?i:big-?5|cn-|cp|euc|gb|georgian|hp-|ibm|iso|johab|koi|ks_?c|mac|ms|shift|"
    rb"sjis|tcvn|tis|uhc|utf-|viscii|win)[\w:.+()-]{0,24})(?=\x00)"
)
IN_TEXT = (
    rb"(?<![\w./-])(?P<name>(?i:big-?5|cp|euc|gb|ibm|iso|koi|shift|sjis|tis|utf-|windows)[\w-]{0,16})"
    rb"(?![\w./-])"
)
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
        """The character sets that are compiled in, or are arguments."""
        program, arguments = self._context.program, self._context.arguments
        hits = self._context.elf_files.search(program.real, NAMED)
        yield from self._named((hit["name"] for hit in hits), printable(name(program.opened)))
        words = "\n".join((*arguments, *self._context.environment.values()))
        yield from self._in_text(encode(words), "an argument or variable")

    def text(self, text: Text) -> Iterator[Need]:
        """Those that a configuration names."""
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
        if len({*known.values()}) <= _MOST:
            for one, module in known.items():
                clue = Clue(f"{where} names the character set {printable(one)}")
                yield File(f"{self._directory}/{module}.so", clue)

    def _read(self) -> dict[str, str]:
        """The module of each character set, by all its names."""
        files, directory = self._context.files, self._directory
        more = (
            f"{directory}/gconv-modules.d/{one}"
            for one in files.names(f"{directory}/gconv-modules.d")
        )
        aliases: dict[str, str] = {}
        modules: dict[str, str] = {}
        for path in (f"{directory}/gconv-modules", *more):
            for line in decode(files.read(path) or b"").splitlines():
                match [one.partition("//")[0] for one in line.split()]:
                    case ["alias", first, second]:
                        aliases[first.upper()] = second.upper()
                    case ["module", first, "INTERNAL", file, *_]:
                        modules[first.upper()] = name(file).removesuffix(".so")
        return modules | {one: modules[real] for one, real in aliases.items() if real in modules}
