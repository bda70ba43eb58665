"""Calls by which Python loads what no import statement names: modules, metadata, libraries."""

import ast
import re
from collections.abc import Iterable, Sequence

from rootfs_builder.needs.importers.python.place import FILE, Place
from rootfs_builder.needs.importers.python.source import EntryPoint, How, Import, Opened

_OPENS = frozenset(("CDLL", "PyDLL", "LoadLibrary", "dlopen", "cdll"))
_IMPORTS = frozenset(("import_module", "__import__", "run_module", "importorskip"))
_LISTS_MODULES = frozenset(("iter_modules", "walk_packages", "load_all_modules"))
_METADATA = frozenset(("importlib.metadata", "importlib_metadata", "pkg_resources"))
_ASKS = frozenset(("distribution", "from_name", "metadata", "requires", "version"))
_REQUIRES = frozenset(("get_distribution", "require", "load_entry_point", "get_entry_map"))
_GROUPS = frozenset(("entry_points", "iter_entry_points", "select", "load_setuptools_entrypoints"))
_RESOURCES = frozenset(
    (
        "as_file",
        "contents",
        "files",
        "open_binary",
        "open_text",
        "path",
        "read_binary",
        "read_text",
        "resource_filename",
        "resource_stream",
        "resource_string",
        "get_data",
    )
)
_RUNS = frozenset(
    (
        "Popen",
        "call",
        "check_call",
        "check_output",
        "create_subprocess_exec",
        "execlp",
        "execvp",
        "find_executable",
        "getoutput",
        "popen",
        "run",
        "system",
        "which",
    )
)
_PROGRAM = re.compile(r"[\w/.+-]+")
_OWN_NAMES = frozenset(("__name__", "__package__"))


class Asked:
    """What the calls of one text ask for; see `Source`."""

    def __init__(self) -> None:
        self.imports = list[Import]()
        self.dynamic = dict[str, None]()
        self.distributions = dict[str, None]()
        self.required = dict[str, None]()
        self.entry_points = dict[EntryPoint, None]()
        self.groups = dict[str, None]()
        self.programs = dict[str, None]()
        self.resources = dict[str, None]()
        self.in_loop = False

    def call(self, node: ast.Call, what: str, arguments: Sequence[Place | None], how: How) -> None:
        """Take a call in; `arguments` are what is known of its arguments."""
        if what in _IMPORTS and node.args:
            self._module(node, arguments, how)
        elif what in _LISTS_MODULES:
            self.dynamic["*"] = None
        elif what in _ASKS or what in _REQUIRES:
            self._metadata(node, what, arguments)
        elif what in _GROUPS:
            named = [one.value for one in node.keywords if one.arg == "group"]
            self.groups |= dict.fromkeys(filter(None, map(_literal, (*node.args, *named))))
        elif what in _RESOURCES and arguments and (package := _whole(arguments[0])):
            self.imports.append(Import(package, (), 0, node.lineno, How.LATER))
            self.resources[package] = None

        elif what in _RUNS and node.args:
            self._program(node.args[0])

    def _program(self, node: ast.expr) -> None:
        """The first word of a command: a text, or a list of texts."""
        if isinstance(node, ast.List | ast.Tuple) and node.elts:
            node = node.elts[0]
        word = (_beginning(node).split() or [""])[0]
        if _PROGRAM.fullmatch(word):
            self.programs[word] = None

    def _module(self, node: ast.Call, arguments: Sequence[Place | None], how: How) -> None:
        name = _whole(arguments[0])
        if name is None:
            beginning = _beginning(node.args[0])
            known = beginning if beginning.endswith(".") else ""
            self.dynamic[f"{known}*" if self.in_loop else known] = None
            return
        module = name.lstrip(".")
        # A module that is not there raises an ImportError wherever its name is text.
        certain = min(how, How.GUARDED) if how is not How.MAIN else How.GUARDED
        level = len(name) - len(module)
        self.imports.append(Import(module, (), level, node.lineno, certain))

    def _metadata(self, node: ast.Call, what: str, arguments: Sequence[Place | None]) -> None:
        first = node.args[0] if node.args else None
        name = _whole(arguments[0]) if arguments else None
        if isinstance(first, ast.Name) and first.id in _OWN_NAMES:
            name = ""
        if name is None:
            return
        into = self.required if what in _REQUIRES else self.distributions
        into[name] = None
        texts = [_whole(one) for one in arguments[1:3]]
        if what == "load_entry_point" and len(texts) == 2 and texts[0] and texts[1]:  # noqa: PLR2004
            self.entry_points[EntryPoint(name, texts[0], texts[1])] = None

    def of_metadata(self, imports: Iterable[Import]) -> "Asked":
        """This; without questions about metadata where nothing is imported that answers them."""
        modules = {one.module for one in imports}
        modules |= {f"{one.module}.{name}" for one in imports for name in one.names}
        if not any(one.startswith(known) for one in modules for known in _METADATA):
            for each in (self.distributions, self.required, self.entry_points, self.groups):
                each.clear()
        return self


def opened(what: str, arguments: Sequence[Place | None], line: int, how: How) -> Opened | None:
    """The library that a call opens, or looks for."""
    name = _whole(arguments[0]) if arguments else None
    if not name:
        return None
    if what == "find_library":
        return Opened(name, line, min(how, How.GUARDED), linked=True)
    if what in _OPENS and ".so" in name:
        return Opened(name, line, How.ALWAYS if how is How.MAIN else how)
    return None


def _whole(place: Place | None) -> str | None:
    """A text that is known to its end."""
    if place is None or place.open or place.text.startswith(FILE):
        return None
    return place.text


def _literal(node: ast.expr) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def _beginning(node: ast.expr) -> str:
    """How a text begins that is put together from pieces."""
    while isinstance(node, ast.BinOp):
        node = node.left
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value  # "a.{}".format(b)
    text = _literal(node) or ""
    return text.partition("{")[0].partition("%")[0]
