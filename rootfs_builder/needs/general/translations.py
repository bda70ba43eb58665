"""The translated messages of a program and its libraries, in the languages that the image sets.

A catalog is called as its domain, which is a whole string of who looks it up. Those of strerror(3)
and getopt(3) are the C library's own.

Source: gettext(3), textdomain(3); GNU gettext manual, Locating Message Catalog Files.
"""

import re
from collections.abc import Iterable, Iterator

from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text
from rootfs_builder.paths import decode, encode, name, printable

_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
_LANGUAGE = re.compile(r"(?P<language>[a-z]{2,3})(?P<country>_[A-Z]{2})?[^@]*(?P<modifier>@\w+)?")
_CATALOGS = "/usr/share/locale"
_CALLS = frozenset((b"*gettext*", b"*textdomain*"))
_IN_TEXT = (b"gettext", b"textdomain")
_QUOTED = re.compile(rb"""(?P<quote>["'])(?P<domain>[\w.+-]{2,60})(?P=quote)""")


def make(context: Context) -> "Translations":
    """The finder for one process."""
    return Translations(context)


class Translations:
    """Looks in the objects of a process, and in its scripts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        names = context.files.names
        each = (f"{_CATALOGS}/{one}/LC_MESSAGES" for one in _languages(context.environment.items()))
        self._catalogs: dict[str, list[str]] = {}  # by domain
        for directory in each:
            for one in names(directory):
                self._catalogs.setdefault(one.removesuffix(".mo"), []).append(f"{directory}/{one}")

    def process(self) -> Iterator[Need]:
        """The catalogs of the program and its libraries."""
        elf_files = self._context.elf_files
        texts = {encode(f"\0{one}\0"): one for one in self._catalogs}
        for one in self._context.objects if texts else ():
            if elf_files.imports(one.real, _CALLS):
                found = elf_files.contained(one.real, texts)
                yield from self._needs(name(one.opened), (texts[text] for text in found))
            elif (one.soname or "").startswith("libc.so."):
                yield from self._needs(name(one.opened), ("libc",))

    def text(self, text: Text) -> Iterator[Need]:
        """The catalogs of a script or module."""
        data = (self._context.files.read(text.path) or b"") if self._catalogs else b""
        if any(one in data for one in _IN_TEXT):
            domains = (decode(hit["domain"]) for hit in _QUOTED.finditer(data))
            yield from self._needs(name(text.path), domains)

    def _needs(self, by: str, domains: Iterable[str]) -> Iterator[Need]:
        for domain in sorted({*domains}):
            clue = Clue(f"{printable(by)} names {printable(domain)}")
            yield from (File(path, clue) for path in self._catalogs.get(domain, ()))


def _languages(variables: Iterable[tuple[str, str]]) -> list[str]:
    """The directories of the languages that variables set, as setlocale(3) tries them."""
    found: list[str] = []
    for variable, value in variables:
        for one in value.split(":") if variable in _VARIABLES else ():
            hit = _LANGUAGE.fullmatch(one)
            if hit is not None:
                language, country, modifier = (one or "" for one in hit.groups())
                found += (f"{language}{country}{modifier}", f"{language}{country}")
                found += (f"{language}{modifier}", language)
    return list(dict.fromkeys(found))
