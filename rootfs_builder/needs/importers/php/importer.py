"""One process of PHP → the files that its scripts include, and their directories of classes.

What an autoloader loads nobody can read from it. So Composer's directory comes whole with those
that composer.json names, and a directory in which a script puts a file's name together, too.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from posixpath import join as path_join
from posixpath import normpath

import msgspec
from msgspec import Struct

from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, warning
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Need, Text, TextKind
from rootfs_builder.needs.importers.commands import SHELL, Commands
from rootfs_builder.needs.importers.php import source
from rootfs_builder.needs.importers.php.source import FILE, Include, Source
from rootfs_builder.paths import SourcePath, below, join, name, parent, printable

_SUFFIXES = (".php", ".inc", ".phtml", ".phar.php")
_COMPOSER = "composer/autoload_real.php"  # in the directory vendor
_LEFT_OUT = ("test/*", "tests", "Tests", ".git")


class _Script(Struct, frozen=True):
    """A file to be read; `start` is the directory of the script that led to it, `script` that."""

    path: str
    start: str | None = None
    script: SourcePath | None = None
    certain: bool = False


class Importer:
    """Follows includes from what is started and added."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = context.files
        self._added = frozenset(context.files.added)
        self._added_all = self._added | context.files.added_directories
        self._include_path = (context.directory, *context.variables.get("includes", "").split(":"))
        self._commands = Commands(context)
        self._read = set[_Script]()
        self._whole = set[str]()
        self._todo = deque[_Script]()
        self._needs = dict[Need, None]()

    def process(self) -> Iterator[Need]:
        """The script or code among the arguments."""
        words = list(self._context.arguments) if self._context.is_named else []
        while words:
            word = words.pop(0)
            if word in ("-r", "-B", "-R", "-E") and words:
                code = f"<?php {words.pop(0)}".encode("utf-8", "surrogateescape")
                here = _Script(join(self._context.directory, "-r"), certain=True)
                self._follow(source.read(code), here)
            elif word in ("-c", "-d", "-z", "-S", "-t") and words:
                words.pop(0)
            elif not word.startswith("-") or (word == "-f" and words):
                path = words.pop(0) if word == "-f" else word
                self._start(normpath(path_join(self._context.directory, path)))
                break
        yield from self._taken()

    def text(self, text: Text) -> Iterator[Need]:
        """What one text needs."""
        if text.kind is TextKind.STARTED:
            if text.by or self._is_php(text.path):
                self._start(text.path)
        elif self._is_php(text.path):
            certain = text.kind is TextKind.ADDED and "/vendor/" not in text.path
            self._todo.append(_Script(text.path, certain=certain))
        yield from self._taken()

    def _is_php(self, path: str) -> bool:
        if "." in name(path):
            return path.endswith(_SUFFIXES)
        line = self._files.head(path, 256).split(b"\n")[0]
        return line.startswith(b"#!") and b"php" in line

    def _start(self, path: str) -> None:
        script = self._files.real(path)
        if script is not None and self._files.is_file(path):
            self._todo.append(_Script(path, parent(script), script, certain=True))

    def _taken(self) -> Iterator[Need]:
        """What is needed, when all that was reached is read."""
        while self._todo:
            script = self._todo.popleft()
            if script not in self._read:
                self._read.add(script)
                found = self._files.fact(script.path, "php 3", Source, source.read, Source())
                self._follow(found, script)
        needs, self._needs = self._needs, {}
        yield from needs

    def _follow(self, shown: Source, script: _Script) -> None:
        for one in shown.includes:
            self._include(one, script)
        for command in shown.commands:
            by = str(script.script or script.path)
            needs = self._commands.run(command.text, script.path, by, is_line=command.is_line)
            self._needs.update(dict.fromkeys(needs))
            if command.is_line:  # popen(3) has a shell for the plainest, too
                shell = self._commands.needs(SHELL, script.path, by)
                self._needs.update(dict.fromkeys(shell))
        clue = Clue(f"{printable(name(script.path))} opens it relative to its own location")
        for text in shown.files:
            for path in self._places(text, script):
                if not below(script.path, path):
                    self._bring(path, script, clue)

    def _places(self, text: str, script: _Script) -> list[str]:
        """Where a path may lead: by the file's own place as it is named, and where it is."""
        if not text.startswith(FILE):
            around = (*self._include_path, parent(script.path))
            each = (
                [text] if text.startswith("/") else [path_join(one, text) for one in around if one]
            )
            return [normpath(one) for one in each]
        real = self._files.real(script.path) if script.path not in self._added else None
        bases = dict.fromkeys((script.path, real or script.path))
        return [normpath(text.replace(FILE, one, 1)) for one in bases]

    def _include(self, one: Include, script: _Script) -> None:
        clue = Clue(f"{printable(name(script.path))} includes it")
        places = [path for path in self._places(one.path, script) if self._files.kind(path)]
        for path in places:
            if self._files.is_file(path):
                self._bring(path, script, clue)
                self._read_included(path, script)
                self._composer(path, script)
                break
            if one.open and one.path.startswith(FILE) and self._files.kind(path) == "dir":
                if not below(script.path, path) or self._is_own(path):
                    self._bring(path, script, clue)
                break
        if not places and one.certain and script.certain and not one.open:
            self._missing(one, script)

    def _read_included(self, path: str, script: _Script) -> None:
        if path not in self._added:  # else it is a text itself
            self._todo.append(_Script(path, script.start, script.script, script.certain))

    def _composer(self, path: str, script: _Script) -> None:
        """The directory of Composer's autoloader, and those that the project's own file names."""
        vendor = parent(path)
        if not self._files.is_file(join(vendor, _COMPOSER)):
            return
        clue = Clue(f"{printable(name(script.path))} loads classes by Composer")
        self._bring(vendor, script, clue)
        project = parent(vendor)
        for one in _autoloaded(self._files.read(join(project, "composer.json")) or b""):
            self._bring(normpath(path_join(project, one)), script, clue)

    def _is_own(self, directory: str) -> bool:
        """Whether a directory of the system around a file is one library's, not all libraries'."""
        return in_system(directory) and directory not in self._include_path

    def _bring(self, path: str, script: _Script, clue: Clue) -> None:
        if path in self._added_all or path in self._whole or self._files.kind(path) is None:
            return
        self._whole.add(path)
        start = script.start if script.start and below(path, script.start) else None
        omit = _LEFT_OUT if self._files.kind(path) == "dir" else ()
        owner = None if in_system(path) else script.script
        self._needs[File(path, clue, start, owner, omit)] = None

    def _missing(self, one: Include, script: _Script) -> None:
        text = (
            f"{printable(script.path)}:{one.line}: {printable(one.path.replace(FILE, '__FILE__'))} "
            "is required and was not found; install it, or --add it"
        )
        self._needs[warning(Code.IMPORT_MISSING, text, script.path)] = None


class _Autoload(Struct):
    """Where classes are, as composer.json has it."""

    psr_4: dict[str, str | list[str]] = msgspec.field(name="psr-4", default_factory=dict)
    psr_0: dict[str, str | list[str]] = msgspec.field(name="psr-0", default_factory=dict)
    classmap: list[str] = []
    files: list[str] = []


class _Project(Struct):
    """The part of composer.json that says where classes are."""

    autoload: _Autoload = msgspec.field(default_factory=_Autoload)


def _autoloaded(text: bytes) -> list[str]:
    """The files and directories of a project's own classes, relative to it."""
    project = _Project()
    with suppress(msgspec.MsgspecError):
        project = msgspec.json.decode(text, type=_Project)
    found = [*project.autoload.classmap, *project.autoload.files]
    for each in (*project.autoload.psr_4.values(), *project.autoload.psr_0.values()):
        found += [each] if isinstance(each, str) else each
    return found
