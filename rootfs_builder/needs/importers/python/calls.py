"""Calls by which Python loads what no import statement names: modules, metadata, libraries."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence

from rootfs_builder.needs.importers import commands
from rootfs_builder.needs.importers.commands import UNKNOWN
from rootfs_builder.needs.importers.python.place import FILE, PREFIX, Place, called
from rootfs_builder.needs.importers.python.source import EntryPoint, How, Import, Opened

_OPENS = frozenset(("CDLL", "PyDLL", "LoadLibrary", "dlopen", "cdll"))
_TRIES = "try_import"  # of oslo.utils; many have a function of that name for other things
_IMPORTS = frozenset(("import_module", "__import__", "run_module", "importorskip", _TRIES))
_READS_MODULES = frozenset(("SourceFileLoader", "load_source", "spec_from_file_location"))
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
        "run",
        "spawn",
        "which",
        "_which",  # of a program's own
    )
)
_BY_SHELL = frozenset(
    ("create_subprocess_shell", "getoutput", "getstatusoutput", "popen", "system")
)
_MAY_RUN = re.compile(r"exec|run|spawn|cmd|command")  # as `execute("grep", "-F", …)` does
_FINDS = re.compile(r"(?:^|_)(?:binary|executable|program)(?:_path)?$")  # a path, by its name
_METHODS = ("popen", "system")  # names that others have, too
_PROGRAM = re.compile(r"[\w/.+-]+")
# What is called so has programs; a variable `command` has most often a word of the script itself.
_PARAMETER = re.compile(r"(?:binary|\bbin|_bin|cmd|command|exe|executable|prog|program)$")
_VARIABLE = re.compile(r"(?:_bin|binar(?:y|ies)|executables?|exes?|progs?|programs?)$")
_FILLED_IN = re.compile(r"%\w|\{[^{}]*\}")
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
        self.lines = dict[str, None]()
        self.commands = dict[str, None]()
        self.resources = dict[str, None]()
        self.in_loop = False

    def call(self, node: ast.Call, what: str, arguments: Sequence[Place | None], how: How) -> None:
        """Take a call in; `arguments` are what is known of its arguments."""
        if what in _IMPORTS and node.args and (what != _TRIES or _whole(arguments[0]) is not None):
            self._module(node, arguments, how)
        elif what in _READS_MODULES and node.args and arguments[0] is None:
            self._some(node)
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

    def run(
        self, node: ast.Call, what: str, command: ast.expr, names: Mapping[str, ast.expr]
    ) -> None:
        """Take in what a call runs: a program, or a line for a shell; `names` have values."""
        if isinstance(command, ast.Name):
            command = names.get(command.id, command)
        shell = any(one.arg == "shell" and _is_true(one.value) for one in node.keywords)
        if what in _BY_SHELL or (shell and what in _RUNS):
            line = _line(command, names)
            if line.strip(UNKNOWN) or shell or what not in _METHODS or _is_of_os(node.func):
                self.lines[line] = None
        elif what in _RUNS:
            if isinstance(command, ast.List | ast.Tuple):
                command = command.elts[0] if command.elts else command
            word = _line(command, names)
            if _PROGRAM.fullmatch(word):
                self.programs[word] = None
            elif " " in word and _may_be_line(node):
                self.lines[word] = None
        elif _MAY_RUN.search(what) or _FINDS.search(what):
            listed = isinstance(command, ast.List | ast.Tuple) and command.elts
            word = _literal(listed[0] if listed else command) or ""
            known = listed or _FINDS.search(what) or _is_option(node.args[1:2])
            if known and _PROGRAM.fullmatch(word):
                self.programs[word] = None

    def defaults(self, node: ast.arguments) -> None:
        """Take in the programs that parameters have as defaults, as in `gpgbinary='gpg'`."""
        last = reversed([*node.posonlyargs, *node.args])
        pairs = (
            *zip(last, reversed(node.defaults), strict=False),
            *zip(node.kwonlyargs, node.kw_defaults, strict=True),
        )
        for parameter, default in pairs:
            value = default.value if isinstance(default, ast.Constant) else None
            text = value if isinstance(value, str) else ""
            if _PARAMETER.search(parameter.arg) and _PROGRAM.fullmatch(text):
                self.programs[text] = None

    def given(self, target: ast.expr, value: ast.expr) -> None:
        """Take in the programs that a variable is called as, as in `self.executables = ["dot"]`."""
        called = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if _VARIABLE.search(called):
            each = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
            words = filter(None, map(_literal, each))
            self.programs |= dict.fromkeys(filter(_PROGRAM.fullmatch, words))

    def text(self, text: str) -> None:
        """Take in a text that may be a command."""
        found = commands.TEXT.fullmatch(text)
        if found:
            self.commands[found["word"]] = None

    def words(self, texts: Sequence[object]) -> None:
        """Take in the elements of a list that may be a command."""
        match texts:
            case [str(first), str(second), *_] if second.startswith("-"):
                if _PROGRAM.fullmatch(first):
                    self.commands[first] = None

    def _module(self, node: ast.Call, arguments: Sequence[Place | None], how: How) -> None:
        name = _whole(arguments[0])
        if name is None:
            self._some(node)
            return
        module = name.lstrip(".")
        # A module that is not there raises an ImportError wherever its name is text.
        certain = min(how, How.GUARDED) if how is not How.MAIN else How.GUARDED
        level = len(name) - len(module)
        self.imports.append(Import(module, (), level, node.lineno, certain))

    def _some(self, node: ast.Call) -> None:
        """One whose name is put together."""
        beginning = _beginning(node.args[0])
        known = beginning if beginning.endswith(".") else ""
        self.dynamic[f"{known}*" if self.in_loop else known] = None

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


def opened(what: str, arguments: Sequence[Place | None], node: ast.Call, how: How) -> Opened | None:
    """The library that a call opens, or looks for; "" stands for a computed name."""
    name, line = _whole(arguments[0]) if arguments else None, node.lineno
    if not name:
        linked = what == "find_library"
        computed = bool(arguments) and arguments[0] is None and (linked or what in _OPENS)
        if computed and not _is_known(node.args[0]):
            return Opened("", line, How.GUARDED, linked)
        return None
    if what == "find_library":
        return Opened(name, line, min(how, How.GUARDED), linked=True)
    if what in _OPENS and ".so" in name:
        return Opened(name, line, How.ALWAYS if how is How.MAIN else how)
    return None


def _is_known(node: ast.expr) -> bool:
    """Whether it is a constant, or what find_library makes of one."""
    if isinstance(node, ast.Call) and called(node) == "find_library" and node.args:
        node = node.args[0]
    return isinstance(node, ast.Constant)


def _whole(place: Place | None) -> str | None:
    """A text that is known to its end."""
    if place is None or place.open or place.text.startswith((FILE, PREFIX)):
        return None
    return place.text


def _is_option(nodes: Sequence[ast.expr]) -> bool:
    return any((_literal(one) or "").startswith("-") for one in nodes)


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _line(node: ast.expr, names: Mapping[str, ast.expr]) -> str:
    """A text, with UNKNOWN for what only the running program knows."""
    text = _literal(node)
    if text is not None:
        return text
    if isinstance(node, ast.Name) and node.id in names:
        return _literal(names[node.id]) or UNKNOWN
    if isinstance(node, ast.JoinedStr):
        return "".join(_line(one, names) for one in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _line(node.left, names) + _line(node.right, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _FILLED_IN.sub(UNKNOWN, _line(node.left, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _FILLED_IN.sub(UNKNOWN, _line(node.func.value, names))
    return UNKNOWN


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


def _may_be_line(call: ast.Call) -> bool:
    """Whether a text with spaces is for a shell, as no program is called so.

    `shell=True` may be among keywords that are passed on, or in a function that another module has.
    """
    function = call.func
    of = function.value if isinstance(function, ast.Attribute) else None
    is_other = isinstance(of, ast.Name) and of.id not in ("asyncio", "os", "self", "subprocess")
    return is_other or any(one.arg is None for one in call.keywords)


def _is_of_os(function: ast.expr) -> bool:
    """Whether a function is called by its name alone, or as one of the module os."""
    if isinstance(function, ast.Attribute):
        return isinstance(function.value, ast.Name) and function.value.id == "os"
    return True
