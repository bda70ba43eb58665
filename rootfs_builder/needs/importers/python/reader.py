"""The bytes of a module or script → `Source`, by Python's own parser.

What a text does in every run is told from what it does in some: a function's body, an `if`, a
`try` that is ready for an ImportError. Conditions on the version and the platform are decided.
"""

import ast
import re
import warnings
from collections.abc import Iterable

from rootfs_builder.needs.importers.python import calls, conditions, place
from rootfs_builder.needs.importers.python.place import FILE, PREFIX, Place
from rootfs_builder.needs.importers.python.source import How, Import, Opened, Source

_LIBRARY = re.compile(r"(?:/[\w./+-]*/)?lib[\w.+-]+\.so\.\d[\d.]*")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_NAME = re.compile(r"[A-Za-z_]\w*")
_ZONE = re.compile(r"[A-Z][A-Za-z_+-]+(?:/[A-Z][\w+-]+)+|/[\w./-]*/zoneinfo/?")
_PROGRAM = re.compile(r"/(?:usr/)?s?bin/[\w.+-]+")
_WARNS = 12  # from 3.12 on `"\d"` is a warning that everybody sees: What's New In Python 3.12
_MOST_NAMED = 2000  # strings of one text
_LONGEST = 200  # characters of a name
_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.For, ast.AsyncFor, ast.While, ast.Match)
_PATHS = (ast.Attribute, ast.Call, ast.BinOp, ast.Subscript, ast.JoinedStr)
_LISTS = (ast.Tuple, ast.List, ast.Set)
_LEAVES = (ast.Name, ast.expr_context)
_ASSIGNS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_PLACE_WORDS = (b"__file__", b"sys.argv", b"sys.path", b"prefix")


def read(data: bytes, minor: int) -> Source:
    """What a text shows to Python 3.`minor`."""
    try:
        with warnings.catch_warnings(record=True) as told:  # about the text, which is not ours
            warnings.simplefilter("always")
            tree = ast.parse(data)
        return _Reader(minor, data).read(tree, warns=bool(told) and minor >= _WARNS)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Source(readable=False)


class _Reader:
    """Walks one tree; lists have what `Source` says, as dicts for their order."""

    def __init__(self, minor: int, data: bytes) -> None:
        self._minor = minor
        self._looks_for_files = any(word in data for word in _PLACE_WORDS)
        self._names = dict[str, Place]()
        self._values = dict[str, ast.expr]()  # what names were given, which may be a command
        self._sure = dict[str, How]()  # how surely names were given that
        self._imports = list[Import]()
        self._libraries = dict[str, Opened]()
        self._files = dict[str, None]()
        self._search = dict[str, None]()
        self._strings = dict[str, None]()
        self._lists = dict[tuple[str, ...], None]()
        self._zones = dict[str, None]()
        self._asked = calls.Asked()
        self._called = frozenset[str]()  # functions that run when the module is imported

    def read(self, tree: ast.Module, *, warns: bool) -> Source:
        """All that it shows."""
        self._called = _called_at_once(tree)
        self._block(tree.body, How.ALWAYS)
        asked = self._asked.of_metadata(self._imports)
        return Source(
            imports=(*self._imports, *asked.imports),
            libraries=tuple(self._libraries.values()),
            files=tuple(self._files),
            search=tuple(self._search),
            strings=tuple(self._strings)[:_MOST_NAMED],
            lists=tuple(self._lists),
            dynamic=tuple(asked.dynamic),
            distributions=tuple(asked.distributions),
            required=tuple(asked.required),
            entry_points=tuple(asked.entry_points),
            groups=tuple(asked.groups),
            zones=tuple(self._zones),
            resources=tuple(asked.resources),
            programs=tuple(asked.programs),
            lines=tuple(asked.lines),
            commands=tuple(asked.commands),
            cut=len(self._strings) > _MOST_NAMED,
            warns=warns,
        )

    def _block(self, body: Iterable[ast.stmt], how: How, unless: tuple[str, ...] = ()) -> None:
        for one in body:
            self._statement(one, how, unless)

    def _statement(self, node: ast.stmt, how: How, unless: tuple[str, ...]) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._imports.append(Import(alias.name, (), 0, node.lineno, how, unless))
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            module = node.module or ""
            self._imports.append(Import(module, names, node.level, node.lineno, how, unless))
        elif isinstance(node, ast.If):
            self._if(node, how, unless)
        elif isinstance(node, (ast.Try, ast.TryStar)):
            self._try(node, how)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            self._with(node, how)
        elif isinstance(node, _ASSIGNS):
            self._assign(node, how)
        else:
            around = self._asked.in_loop
            self._asked.in_loop |= isinstance(node, _LOOPS)
            self._children(node, how, self._inside(node, how))
            self._asked.in_loop = around

    def _inside(self, node: ast.stmt, how: How) -> How:
        """When the body of a statement is reached."""
        if isinstance(node, ast.FunctionDef) and node.name in self._called:
            return min(how, How.GUARDED)
        return How.LATER if isinstance(node, _LATER) else how

    def _children(self, node: ast.AST, how: How, inside: How) -> None:
        """The parts of a statement: expressions, and blocks that are reached as `inside` says."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self._statement(child, inside, ())
            elif isinstance(child, ast.expr):
                self._expression(child, how)
            else:
                if isinstance(child, ast.arguments):
                    self._asked.defaults(child)
                self._children(child, how, inside)

    def _if(self, node: ast.If, how: How, unless: tuple[str, ...]) -> None:
        holds = conditions.truth(node.test, self._minor)
        self._expression(node.test, how)
        if conditions.is_main(node.test):
            self._block(node.body, How.MAIN if how is How.ALWAYS else how)
        elif holds is not False:
            self._block(node.body, how if holds else How.LATER, unless)
        if holds is not True:
            self._block(node.orelse, how if holds is False else How.LATER, unless)

    def _try(self, node: ast.Try | ast.TryStar, how: How) -> None:
        is_ready = conditions.catches_missing(node.handlers)
        inside = min(how, How.GUARDED) if is_ready else how
        before = len(self._imports)
        self._block(node.body, inside)
        plain = all(isinstance(one, ast.Import) for one in node.body)
        tried = tuple(one.module for one in self._imports[before:]) if plain else ()
        for handler in node.handlers:
            self._block(handler.body, min(inside, How.GUARDED) if is_ready else How.LATER, tried)
        self._block(node.orelse, min(inside, How.GUARDED))
        self._block(node.finalbody, how)

    def _with(self, node: ast.With | ast.AsyncWith, how: How) -> None:
        is_ready = False
        for item in node.items:
            self._expression(item.context_expr, how)
            if isinstance(item.context_expr, ast.Call):
                call = item.context_expr
                is_ready |= place.called(call) == "suppress" and any(
                    map(conditions.is_import_error, call.args)
                )
        self._block(node.body, min(how, How.GUARDED) if is_ready else how)

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, how: How) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is None:
            return
        if any(_is_search_path(one) for one in targets):
            self._searched(node.value)
        if isinstance(node.value, ast.List | ast.Tuple) and any(map(_is_all, targets)):
            each = [one.value for one in node.value.elts if isinstance(one, ast.Constant)]
            names = tuple(one for one in each if isinstance(one, str))
            self._imports.append(Import("", ("*", *names), 1, node.lineno, How.EACH))
        self._expression(node.value, how)
        found = place.evaluate(node.value, self._names)
        for target in targets:
            self._asked.given(target, node.value)
            if isinstance(target, ast.Name) and not isinstance(node, ast.AugAssign):
                if found is not None:
                    self._names[target.id] = found
                self._values[target.id] = node.value
                self._sure[target.id] = how
            else:
                self._expression(target, how)

    def _searched(self, node: ast.expr) -> None:
        """Directories that are put on sys.path: each text in the expression."""
        found = place.evaluate(node, self._names)
        if found is not None and not found.open:
            if found.text.startswith((FILE, "/")):
                self._search[found.text] = None
        elif found is None:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._searched(child)

    def _expression(self, node: ast.AST, how: How) -> None:
        """All that is in an expression; tables of a thousand constants are common."""
        todo = [node]
        while todo:
            node = todo.pop()
            if isinstance(node, _LEAVES):
                continue
            if isinstance(node, ast.Constant):
                self._constant(node.value, node.lineno)
            elif isinstance(node, _PATHS):
                if self._looks_for_files and self._is_beside(node):
                    continue
                if isinstance(node, ast.Call):
                    self._call(node, how)
                todo += _parts(node)
            elif isinstance(node, _LISTS):
                self._list(node)
                todo += node.elts
            elif isinstance(node, ast.Dict):
                todo += (*filter(None, node.keys), *node.values)
            elif isinstance(node, ast.Lambda):
                self._expression(node.body, How.LATER)
            else:
                todo += ast.iter_child_nodes(node)

    def _is_beside(self, node: ast.expr) -> bool:
        """Whether an expression is a path by the file's own place, which is kept."""
        found = place.evaluate(node, self._names)
        if found is None or not found.text.startswith((FILE, f"{PREFIX}/")):
            return False
        self._files[found.text] = None
        return True

    def _constant(self, text: object, line: int) -> None:
        if not isinstance(text, str):
            return
        if " -" in text:
            self._asked.text(text)
        if len(text) > _LONGEST or ("." not in text and "/" not in text):
            return
        if _MODULE.fullmatch(text):
            self._strings[text] = None
        elif _LIBRARY.fullmatch(text):
            self._libraries.setdefault(text, Opened(text, line, How.GUARDED))
        elif _ZONE.fullmatch(text):
            self._zones[text] = None
        elif _PROGRAM.fullmatch(text):
            self._asked.commands[text] = None

    def _list(self, node: ast.List | ast.Tuple | ast.Set) -> None:
        """A list in which one is the dotted name of a module may have names without a dot."""
        each = [one.value for one in node.elts if isinstance(one, ast.Constant)]
        names = [one for one in each if isinstance(one, str) and len(one) <= _LONGEST]
        self._asked.words(each)
        if any("." in one and _MODULE.fullmatch(one) for one in names):
            single = tuple(filter(_NAME.fullmatch, names))
            if single:
                self._lists[tuple(names)] = None

    def _call(self, node: ast.Call, how: How) -> None:
        what = place.called(node)
        arguments = [place.evaluate(one, self._names) for one in node.args]
        if _is_search_call(node, what):
            for one in node.args:
                self._searched(one)
            return
        opened = calls.opened(what, arguments, node, self._surely(node.args[:1], how))
        if opened is not None:
            self._libraries[opened.name or f"\0{opened.linked}"] = opened
        self._asked.call(node, what, arguments, how)
        for one in node.args[:1]:
            self._asked.run(node, what, one, self._values)

    def _surely(self, arguments: list[ast.expr], how: How) -> How:
        """How surely an argument is what its name was given, as in `if not x: x = "…"`."""
        names = (one.id for one in arguments if isinstance(one, ast.Name))
        return How.GUARDED if any(self._sure.get(one, how) < how for one in names) else how


def _parts(node: ast.expr) -> Iterable[ast.AST]:
    """What the most frequent expressions are made of, without operators."""
    if isinstance(node, ast.Attribute):
        return (node.value,)
    if isinstance(node, ast.Call):
        return (node.func, *node.args, *node.keywords)
    if isinstance(node, ast.BinOp):
        return (node.left, node.right)
    return ast.iter_child_nodes(node)


def _called_at_once(tree: ast.Module) -> frozenset[str]:
    """The functions of a module that run when it is imported, as it calls them itself."""
    functions: dict[str, list[ast.stmt]] = {}
    todo: list[ast.stmt] = []
    for one in tree.body:
        if isinstance(one, ast.FunctionDef):
            functions[one.name] = one.body
        elif not isinstance(one, ast.ClassDef | ast.AsyncFunctionDef):
            todo.append(one)
    found: set[str] = set()
    while functions and todo:
        for node in ast.walk(todo.pop()):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                name = node.func.id
                if name in functions and name not in found:
                    found.add(name)
                    todo += functions[name]
    return frozenset(found)


def _is_all(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__all__"


def _is_search_path(node: ast.expr) -> bool:
    """`sys.path`, or a part of it."""
    if isinstance(node, ast.Subscript):
        node = node.value
    owner = node.value if isinstance(node, ast.Attribute) and node.attr == "path" else None
    return isinstance(owner, ast.Name) and owner.id == "sys"


def _is_search_call(node: ast.Call, what: str) -> bool:
    """`sys.path.insert(…)` and its kind."""
    if what == "addsitedir":
        return True
    if what not in ("append", "extend", "insert") or not isinstance(node.func, ast.Attribute):
        return False
    return _is_search_path(node.func.value)
