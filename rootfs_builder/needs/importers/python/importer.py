"""One process of Python → what its arguments, scripts and added files need."""

import re
from collections.abc import Iterator, Sequence
from posixpath import join as path_join
from posixpath import normpath

from rootfs_builder.findings import Code, hint, warning
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, Need, Text, TextKind
from rootfs_builder.needs.importers.python import interpreter
from rootfs_builder.needs.importers.python.follow import TESTS, Follower
from rootfs_builder.needs.importers.python.interpreter import Interpreter, Scope
from rootfs_builder.needs.importers.python.modules import Module, Modules
from rootfs_builder.needs.importers.python.source import How
from rootfs_builder.paths import ancestors, below, decode, encode, join, name, parent, printable

_WITH_VALUE = frozenset("WX")  # options of Python whose value may be a word of its own
_TARGET = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):[A-Za-z_][\w.]*(?:\(.*\))?")
_MAIN = rb"\bpython[\d.]*[\"']? (?:-[bBdEiIOPqsSuvx]+ ){0,5}-m[ \"']?(?P<module>[A-Za-z_][\w.]*)"
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")
_MENTIONS = (
    b"CDLL",
    b"LoadLibrary",
    b"dlopen",
    b"find_library",
    b".so.",
    b"zoneinfo",
    b"TIME_ZONE",
    b"TIMEZONE",
)
_LEFT_OUT = frozenset(("__pycache__", "pip", "setuptools"))


class Nothing:
    """The importer of a process whose Python has no library."""

    def process(self) -> Iterator[Need]:
        """Nothing."""
        yield from ()

    def text(self, _: Text) -> Iterator[Need]:
        """Nothing."""
        yield from ()


class Importer:
    """Reads what is started and added, and follows what that imports."""

    def __init__(self, context: Context, python: Interpreter) -> None:
        self._context = context
        self._files = context.files
        self._python = python
        self._modules = Modules(context, python)
        self._follower = Follower(self._modules)
        self._here = Scope(roots=(context.directory,))
        self._known = set[str | None]()

    def process(self) -> Iterator[Need]:
        """What `--with`, the arguments and the environment name."""
        value = self._context.variables.get("value")
        if value is not None:
            yield from self._asked(value)
            return
        if self._context.is_named:
            yield from self._told()
        for word in self._context.arguments:
            if target := _TARGET.fullmatch(word):
                self._name(target[1], How.ALWAYS, word)
            elif _DOTTED.fullmatch(word):
                self._name(word, How.GUARDED, word)
        for variable, text in self._context.environment.items():
            if _DOTTED.fullmatch(text):
                self._name(text, How.GUARDED, f"-e {variable}={text}")
        for directory in self._python.installed:
            if directory not in self._files.added_directories:
                self._environment(directory)
        yield from self._taken()

    def _told(self) -> Iterator[Need]:
        """What the interpreter's own arguments name, or the package of a program that has it."""
        if not interpreter.embeds(self._context):
            yield from self._arguments(self._context.arguments)
            return
        for module in sorted(set(interpreter.modules_of_source(self._context, self._python))):
            clue = Clue(f"its package has the module {printable(module)}")
            self._modules.reach(module, How.ALWAYS, Scope(), clue)

    def _taken(self) -> Iterator[Need]:
        """What is needed when all that was reached is read."""
        for module in self._modules.unread():
            self._follower.read(module)
        yield from self._modules.needed()

    def _asked(self, value: str) -> Iterator[Need]:
        """What one module needs that the user names, if it is not all of them."""
        if value != "*":
            self._modules.reach(value, How.ALWAYS, Scope(), Clue(f"--with python3-modules={value}"))
            yield from self._taken()

    def _name(self, module: str, level: How, word: str) -> None:
        self._modules.reach(module, level, self._here, Clue(f"the argument {printable(word)}"))

    def _arguments(self, words: Sequence[str]) -> Iterator[Need]:
        """`-m MODULE`, `-c CODE`, or nothing, with which it can do little without modules."""
        todo = list(words)
        while todo and todo[0].startswith("-") and todo[0] != "-":
            word = todo.pop(0)
            letters = word[1:]
            at = next((i for i, one in enumerate(letters) if one in "cm" or one in _WITH_VALUE), -1)
            if word.startswith("--") or at < 0:
                continue
            value = letters[at + 1 :] or (todo.pop(0) if todo else "")
            if letters[at] == "m":
                yield from self._main(value, f"the argument -m {printable(value)}")
                return
            if letters[at] == "c":
                source = self._modules.read(value.encode("utf-8", "surrogateescape"))
                self._follower.follow(source, Module("-c", How.MAIN, self._here))
                return
        if todo:
            path = normpath(path_join(self._context.directory, todo[0]))
            if self._files.is_file(path):
                self._started(path)
        else:
            yield from self._hint()

    def _main(self, module: str, where: str) -> Iterator[Need]:
        clue = Clue(where)
        found = self._modules.reach(module, How.MAIN, self._here, clue)
        if found is None or not found.whole:
            text = (
                f"{where}: no such module was found; install it, or --add the "
                "directory that has it and set PYTHONPATH with -e"
            )
            yield warning(Code.IMPORT_MISSING, text)
        elif found.is_package:
            self._modules.reach(f"{module}.__main__", How.MAIN, self._here, clue)

    def _hint(self) -> Iterator[Need]:
        """Said of an interpreter for which nobody says what it is to run."""
        scripts = any(one.endswith(".py") for one in self._files.added)
        if scripts or self._python.environments or "python3-modules" in self._context.chosen:
            return
        if any(self._files.names(one) for one in self._python.sites):
            text = (
                "Python's modules of packages are left out, as no script or argument imports any; "
                "name them (python3-modules=yaml), or all: --with python3-modules"
            )
            yield hint(Code.RULE_HINT, text)

    def _started(self, path: str) -> None:
        script = self._files.real(path)
        if script is not None:
            self._modules.begin(path)
            start = parent(script)
            scope = Scope((start, *self._here.roots), script, start)
            self._modules.visit(Module(path, How.MAIN, scope))

    def text(self, text: Text) -> Iterator[Need]:
        """What one text needs."""
        path = text.path
        if self._context.variables.get("value") is not None:
            return
        if self._python.is_beside and text.kind is TextKind.ADDED:
            return
        if self._python.is_installed(path):
            self._installed(path)
        elif text.kind is TextKind.STARTED:
            yield from self._run(text)
        elif text.kind is TextKind.ADDED:
            if not self._python.in_environment(path) and self._is_python(path):
                self._modules.begin(path)
                level = How.GUARDED if TESTS.search(path) else How.MAIN
                self._modules.visit(Module(path, level, self._around(path)))
        elif self._is_new(path) and self._is_python(path):
            scope = Scope((parent(path), self._above(path)), None, None)
            self._modules.visit(Module(path, How.GUARDED, scope))
        yield from self._taken()

    def _run(self, text: Text) -> Iterator[Need]:
        """Start a script, or the modules that a script of another language runs."""
        path = text.path
        if not (text.by or self._is_script(path)):
            for hit in re.finditer(_MAIN, self._files.read(path) or b""):
                module = decode(hit["module"])
                where = f"{printable(name(path))} runs python3 -m {printable(module)}"
                yield from self._main(module, where)
        elif text.by or self._is_ours(path):
            self._started(path)
            script = self._files.script(path)
            if script is not None and script.argument.startswith("/"):  # it runs that
                self._started(script.argument)

    def _around(self, path: str) -> Scope:
        """Where an added file finds modules: in every directory around it that is added, too."""
        added = self._files.added_directories
        above = tuple(one for one in ancestors(path) if one in added)
        return Scope((*above, *self._here.roots))

    def _above(self, path: str) -> str:
        """The directory above the packages that a file is in, which is on the path if they work."""
        directory = parent(path)
        while self._modules.is_package(directory):
            directory = parent(directory)
        return directory

    def _is_new(self, path: str) -> bool:
        """Whether a text that comes in is no module of those that are read when imported."""
        known = (*self._python.sites, self._python.library, *self._python.environments)
        units = self._modules.units
        here = (path, *ancestors(path))
        return not any(below(path, one) for one in known) and units.isdisjoint(here)

    def _is_python(self, path: str) -> bool:
        last = name(path)
        return last.endswith((".py", ".pyw")) or ("." not in last and self._is_script(path))

    def _is_script(self, path: str) -> bool:
        """Whether the first line, or that for a shell below it, which Python quotes, names it."""
        first, _, rest = self._files.head(path, 512).partition(b"\n")
        second = rest.partition(b"\n")[0]
        lines = (first, second) if second.startswith((b"'", b'"')) else (first,)
        program = encode(name(self._context.program.opened))
        return first.startswith(b"#!") and any(b"python" in one or program in one for one in lines)

    def _is_ours(self, path: str) -> bool:
        """Whether a script is for this Python: one of an environment is for that one's alone."""
        home = interpreter.home(self._context, path)
        is_here = home == parent(parent(self._context.program.opened))
        return is_here or not self._files.is_file(join(home, interpreter.SETTINGS))

    def _environment(self, directory: str) -> None:
        """Read the modules of an environment that are not added, but come with it."""
        todo = [directory]
        while todo:
            here = todo.pop()
            for one in self._files.names(here):
                path = join(here, one)
                if one in _LEFT_OUT:
                    continue
                if one.endswith(".py"):
                    self._installed(path)
                elif "." not in one and self._files.kind(path) == "dir":
                    todo.append(path)

    def _installed(self, path: str) -> None:
        """A module of an environment, once: libraries and zones of the system are not there."""
        real = self._files.real(path)
        if real in self._known or not path.endswith(".py"):
            return
        self._known.add(real)
        if self._files.fact(path, "python mentions 1", bool, _mentions, False):
            self._modules.installed_text(path)


def _mentions(data: bytes) -> bool:
    """Whether a module may open a library, or read time zones."""
    return any(one in data for one in _MENTIONS)
