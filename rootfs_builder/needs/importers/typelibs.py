"""The namespaces of GObject that texts import → typelibs, and the libraries that these name.

PyGObject, GJS and their like find what a script imports in typelibs, and open the libraries that
are written there. A text says which version of a namespace it requires, or takes the only one.

Source: g_irepository_require(3); PyGObject, gi.require_version; GJS, imports.gi;
Glib::Object::Introspection(3pm), setup.
"""

import re
from collections.abc import Iterator

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Library, Need, Text, TextKind
from rootfs_builder.needs.importers.commands import Commands
from rootfs_builder.paths import decode, join, name, parent, printable

_LIBRARY = re.compile(r"libgirepository-[\d.]+\.so\.\d+")
_FIRST = ("GLib-2.0", "GObject-2.0", "GModule-2.0", "Gio-2.0", "GioUnix-2.0", "GLibUnix-2.0")
_IMPORTING = re.compile(
    rb"\bgi\.repository\b|\bimports\.gi\b|\bgi://|\bgi\.require|\brequire_version\b"
    rb"|\b\w+_gi\("  # a function of a program's own: import_from_gi('NM', '1.0')
)
_VERSIONED = re.compile(
    rb"""require_version\W+(?P<space>\w+)\W+(?P<version>[\d.]+)"""
    rb"""|_gi\(\W+(?P<space4>\w+)\W+(?P<version4>[\d.]+)"""
    rb"""|\bgi://(?P<space2>\w+)\?version=(?P<version2>[\d.]+)"""
    rb"""|\bimports\.gi\.versions\.(?P<space3>\w+)\s*=\s*["'](?P<version3>[\d.]+)"""
)
_BINDING = b"Glib::Object::Introspection"  # of Perl; who loads a module that calls it needs all
_OF_BINDING = re.compile(  # setup(basename => 'Gtk', version => '3.0'), or variables called so
    rb"""(?i:basename)\s*=>?\s*["'](?P<space>\w+)["'][^=]{0,80}(?i:version)\s*=>?\s*"""
    rb"""["'](?P<version>[\d.]+)["']"""
)
_ANY = re.compile(rb"(?:\bimport|,|\bgi\.|gi://)\s*(?P<space>[A-Z]\w+)")
_IN_TYPELIB = re.compile(
    rb"\b(?P<space>[A-Za-z]\w*-\d+\.\d+)(?=[|\x00])|(?P<library>lib[\w.+-]{1,100}\.so\.\d+)"
)
_SUFFIXES = (".js", ".lua", ".mjs", ".pm", ".py")


def make(context: Context) -> "Typelibs":
    """See FinderModule."""
    return Typelibs(context)


class Typelibs:
    """The finder of one process in which libgirepository is."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = context.files
        self._commands = Commands(context)
        self._found = set[str]()
        beside = (parent(one.real) for one in context.objects if _LIBRARY.match(name(one.real)))
        self._directory = join(next(beside, "/usr/lib"), "girepository-1.0")
        self._names = self._files.names(self._directory)

    def process(self) -> Iterator[Need]:
        """What every import needs, and what `--with` asks for."""
        for one in (*_FIRST, *self._context.values):
            yield from self._typelib(one, Clue(f"each import needs {printable(one)}"))

    def text(self, text: Text) -> Iterator[Need]:
        """What a script imports, or a module of its own: others are ready for none."""
        if text.kind is TextKind.BROUGHT and not text.path.endswith(_SUFFIXES):
            return
        data = self._files.read(text.path) or b""
        yield from self._bound(text, data)
        if _IMPORTING.search(data) is None:
            return
        if text.kind is TextKind.BROUGHT and not self._is_own(text.path):
            return
        shown = printable(name(text.path))
        asked = set[str]()
        for hit in _VERSIONED.finditer(data):
            space, version = (decode(one) for one in hit.groups() if one is not None)
            asked.add(space)
            yield from self._typelib(f"{space}-{version}", Clue(f"{shown} requires {space}"))
        for space in sorted({decode(hit["space"]) for hit in _ANY.finditer(data)} - asked):
            versions = [
                one for one in self._names if re.fullmatch(rf"{space}-[\d.]+\.typelib", one)
            ]
            if len(versions) == 1 and text.kind is not TextKind.SETTINGS:
                only = versions[0].removesuffix(".typelib")
                yield from self._typelib(only, Clue(f"{shown} imports {space}"))

    def _bound(self, text: Text, data: bytes) -> Iterator[Need]:
        """The namespaces that a text in Perl binds, whosever it is."""
        for hit in _OF_BINDING.finditer(data) if _BINDING in data else ():
            space, version = map(decode, hit.groups())
            clue = Clue(f"{printable(name(text.path))} binds {space}")
            yield from self._typelib(f"{space}-{version}", clue)

    def _is_own(self, path: str) -> bool:
        """Whether a module is of the package of a script that is given, or the user's."""
        if "/site-packages/" in path:
            return False
        owner = self._commands.owner(path)
        if owner is None:
            return not in_system(path)
        scripts = (one.path for one in self._context.given if one.kind is TextKind.STARTED)
        return any(self._commands.owner(one) == owner for one in scripts)

    def _typelib(self, space: str, clue: Clue) -> Iterator[Need]:
        """A namespace with its version, and those and the libraries that its typelib names."""
        path = join(self._directory, f"{space}.typelib")
        if space in self._found or not self._files.is_file(path):
            return
        self._found.add(space)
        yield File(path, clue)
        for hit in _IN_TYPELIB.finditer(self._files.read(path) or b""):
            if hit["library"] is not None:
                library = decode(hit["library"])
                yield Library(library, Clue(f"{space}.typelib names {library}"), optional=True)
            else:
                other = decode(hit["space"])
                yield from self._typelib(other, Clue(f"{space}.typelib names {printable(other)}"))
