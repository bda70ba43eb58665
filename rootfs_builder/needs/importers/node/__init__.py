"""Modules for Node.js: what a script imports beside it, and packages with what they depend on.

The text of a script, and of what lies beside it, says what it imports. A package comes as its
directory, with the packages that its package.json names, and those that its first files ask for.
"""

from collections import deque
from collections.abc import Iterator
from posixpath import normpath

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder.filesystem.sources import Sources, in_system
from rootfs_builder.findings import Code, hint, warning
from rootfs_builder.needs import interpreters
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, Finder, LeftOut, Need, Text, TextKind
from rootfs_builder.needs.importers.command_calls import How
from rootfs_builder.needs.importers.commands import Commands
from rootfs_builder.needs.importers.node import imports
from rootfs_builder.needs.importers.node.imports import Request
from rootfs_builder.needs.importers.node.packages import (
    MACHINES,
    MOST_MODULES,
    SCRIPTS,
    Package,
    Packages,
)
from rootfs_builder.paths import SourcePath, below, decode, join, name, parent, printable

_OF_NODE = """
assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel
dns domain events fs http http2 https inspector module net os path perf_hooks process punycode
querystring readline repl stream string_decoder sys timers tls trace_events tty url util v8 vm wasi
worker_threads zlib
"""
_OWN = frozenset(_OF_NODE.split())
_STARTING = ("child_process", "node:child_process", "cross-spawn", "execa")
_SEEMING = (How.PERHAPS, How.PASSED)
_TYPED = (".ts", ".cts", ".mts")
_MOST_FILES = 20_000  # of one program
_MOST_BYTES = 1 << 23  # of a script, into which others may have been bundled
_MOST_COMMANDS = 10  # that a module seems to start: more are a table of all that there may be
_FIRST_FILES = 50  # of a package, in which it asks for most of what it needs
_PLACES = rb"(?P<place>/(?<![\w/.+-]/)[\w/.+-]{1,200}/nodejs)(?=[:/\x00])"
_OTHER_SYSTEMS = ("android", "darwin", "freebsd", "openbsd", "sunos", "win32")
_OMIT = (".bin", ".cache", ".github", "__tests__", "*.js.map")


def make(context: Context) -> Finder:
    """The finder for one process of Node.js."""
    return _Node(context)


class _Place(Struct, frozen=True):
    """Who asks: the script that was started, by its resolved path; None for what is added.

    `started` is the script, or the module that is added. Its `package`, if it is of one, comes
    whole.
    """

    script: SourcePath | None
    warns: bool
    started: str
    package: str = ""


class _Node:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = context.files
        variable = context.searched("NODE_PATH")
        places = (*(one for one in variable.split(":") if one.startswith("/")), *self._compiled())
        self._packages = Packages(context.files, tuple(dict.fromkeys(places)))
        machine = context.program.elf.header.machine
        self._machine = MACHINES.get(machine, "")
        foreign = [f"prebuilds/{one}-*" for one in _OTHER_SYSTEMS]
        foreign += [f"prebuilds/linux-{m}*" for m in MACHINES.values() if m != self._machine]
        self._omit = (*_OMIT, *foreign)
        self._commands = Commands(context)

    def _compiled(self) -> Iterator[str]:
        """The package directories that are compiled into Node.js."""
        for one in self._context.objects:
            if one is self._context.program or (one.soname or "").startswith("libnode"):
                for hit in self._context.elf_files.search(one.real, _PLACES):
                    yield decode(hit["place"])

    def process(self) -> Iterator[Need]:
        """What the script needs that is an argument."""
        for word in self._context.arguments:
            if word.startswith("-"):
                continue
            path = word if word.startswith("/") else join(self._context.directory, word)
            found = self._packages.beside(name(path), parent(path))
            if found is not None and (in_system(found) or self._files.is_added(found)):
                clue = Clue(f"{printable(word)} is an argument")
                yield from self._started(found, clue)
            return

    def text(self, text: Text) -> Iterator[Need]:
        """What a script needs that is started, or a module that the user adds."""
        if interpreters.starts(self._context, text):
            yield from self._started(text.path, None)
        elif (
            text.kind is TextKind.ADDED
            and text.path.endswith(SCRIPTS)
            and "/node_modules/" not in text.path
        ):
            yield from self._follow(text.path, _Place(None, warns=False, started=text.path))

    def _started(self, path: str, clue: Clue | None) -> Iterator[Need]:
        real = self._files.real(path)
        if real is None:
            return
        added = self._files.is_added(path)
        at = path if added else real
        if self._files.size(path) > _MOST_BYTES:
            shown = f"{printable(Sources.display(path))}: too large to be read; what it starts"
            text = f"{shown} may be missing: name that as further EXECUTABLE"
            yield warning(Code.IMPORT_MISSING, text, path)
        place = _Place(None if added else real, warns=True, started=at)
        if clue is not None:
            yield File(path, clue, omit=self._omit)
        package = self._packages.around(at)
        if package is None:
            yield from self._follow(at, place)
            return
        why = Clue(f"{printable(name(path))} is of {printable(name(package))}", (path,))
        yield from self._whole(Package(package, parent(package)), why, place)
        yield from self._follow(at, replace(place, warns=False, package=package))
        yield from self._others(package, at)

    def _others(self, package: str, script: str) -> Iterator[Need]:
        """The programs that modules of a script's package start: it may load any by its name."""
        modules = self._packages.modules(package)
        if len(modules) > MOST_MODULES:
            text = f"{printable(package)} has over {MOST_MODULES} modules; what others start may be"
            yield hint(Code.COMMAND_MISSING, f"{text} missing: name it as EXECUTABLE", package)
        for path in modules[:MOST_MODULES]:
            requests = self._requests(path)
            yield from self._seeming(requests, path, script)
            for request in requests:
                yield from self._run(request, path, script)

    def _follow(self, path: str, place: _Place) -> Iterator[Need]:
        """A file, and those beside it that it leads to."""
        todo, known = deque([path]), {path}
        while todo:
            here = todo.popleft()
            yield from self._described(here, place)
            requests = tuple(self._each(here))
            yield from self._seeming(requests, here, path)
            for request in requests:
                if request.runs is not None:
                    yield from self._run(request, here, path)
                    continue
                clue = Clue(f"{printable(name(here))}:{request.line} names {request.text}", (here,))
                found = self._beside(request, here)
                if found is None:
                    yield from self._module(request, here, clue, place)
                    continue
                if self._is_other_script(found):
                    yield File(found, clue, started=True)
                elif not below(path, found) and not _is_inside(found, place):
                    yield self._file(found, clue, place)
                if found not in known and found.endswith(SCRIPTS):
                    known.add(found)
                    todo.append(found)
            if len(known) > _MOST_FILES:
                text = f"{printable(path)} has over {_MOST_FILES} modules; not all were followed"
                yield warning(Code.IMPORT_MISSING, text, path)
                return

    def _is_other_script(self, path: str) -> bool:
        """Whether a file that a module names by its place is a script for another interpreter."""
        is_own = path.endswith(SCRIPTS) or b"node" in self._files.head(path, 128)
        return not is_own and self._files.head(path, 2) == b"#!"

    def _run(self, request: Request, here: str, script: str) -> Iterator[Need]:
        if request.runs is None:
            return
        if request.runs is How.NAMED:
            yield from self._commands.named(request.text, here, script)
        elif request.runs not in _SEEMING:
            is_line = request.runs is How.LINE
            yield from self._commands.run(request.text, here, script, is_line=is_line)

    def _seeming(self, requests: tuple[Request, ...], here: str, script: str) -> Iterator[Need]:
        """The programs that a module seems to start: those of a long list are all left out."""
        words = [one.text for one in requests if one.runs in _SEEMING]
        for need in (one for word in words for one in self._commands.perhaps(word, here, script)):
            is_one_of_many = isinstance(need, File) and len(words) > _MOST_COMMANDS
            yield LeftOut(need.path, need.clue) if is_one_of_many else need

    def _requests(self, path: str) -> tuple[Request, ...]:
        language = "typescript" if path.endswith(_TYPED) else "javascript"
        return self._files.fact(
            path,
            f"node {language} {imports.VERSION}",
            tuple[Request, ...],
            lambda text: imports.find(text, language),
            (),
            most=_MOST_BYTES,
        )

    def _each(self, path: str) -> Iterator[Request]:
        """The requests of a module; of one for any module of a directory, one for each."""
        for request in self._requests(path):
            if request.runs is not None or not request.text.endswith("/*"):
                yield request
                continue
            directory = request.text.removesuffix("*")
            for one in self._files.names(normpath(join(parent(path), directory))):
                if one.endswith(SCRIPTS):
                    yield replace(request, text=f"{directory}{one}")

    def _described(self, path: str, place: _Place) -> Iterator[Need]:
        """The package.json that says what kind of modules a directory has."""
        above = self._packages.above(path)
        if above is not None and not _is_inside(path, place):
            clue = Clue(f"it describes {printable(name(path))}", (path,))
            yield self._file(f"{above}/package.json", clue, place, above)

    def _beside(self, request: Request, here: str) -> str | None:
        """The file, or directory of files, that a request is for by the place of a module."""
        text, directory = request.text, parent(here)
        if text.startswith("#"):
            above = self._packages.above(here)
            target = self._packages.description(above).imports.get(text) if above else None
            return self._packages.beside(target, above) if target and above else None
        if not text.startswith((".", "/")):
            return None
        found = self._packages.beside(text, "" if text.startswith("/") else directory)
        if found is None and request.file:
            path = f"{directory}/{text}".replace("/./", "/")
            return path if self._files.kind(path) is not None else None
        return found

    def _module(self, request: Request, here: str, clue: Clue, place: _Place) -> Iterator[Need]:
        """A request for a module that is no file beside."""
        text = request.text
        if request.file or text.startswith(("node:", "#", "data:", "http:", "https:", "file:")):
            return
        package = None if text.startswith((".", "/")) else self._packages.find(text, here)
        if package is not None:
            yield from self._whole(package, clue, place)
            return
        above = self._packages.above(here)
        own = above is not None and self._packages.description(above).name == text.split("/")[0]
        if text.split("/")[0] in _OWN or own or request.guarded or not place.warns:
            return
        shown = f"{printable(Sources.display(here))}:{request.line}"
        lacks = f"{shown} imports {printable(text)}, which is nowhere"
        yield warning(Code.IMPORT_MISSING, f"{lacks}; install it with npm, or --add it", here)

    def _whole(self, package: Package, clue: Clue, place: _Place) -> Iterator[Need]:
        """A package, and those that it depends on."""
        todo, known = deque([(package, clue)]), {package.path}
        while todo:
            one, why = todo.popleft()
            yield self._file(one.path, why, place, one.start)
            real = self._files.real(one.path)
            if real is None or self._files.is_file(one.path):
                continue
            at = one.path if self._files.is_added(one.path) else real
            described = self._packages.description(at)
            for other in self._linked(at):
                if other not in known:
                    known.add(other)
                    why = Clue(f"{printable(name(at))} has a link to a file of it", (at,))
                    todo.append((Package(other, parent(other)), why))
            first = tuple(self._first(at, described.main))
            yield from self._programs(first, place)
            asked = (module for path in first for module in self._asked(path))
            for module in dict.fromkeys((*described.needed, *described.optional, *asked)):
                found = self._packages.find(module, f"{at}/package.json")
                if found is not None and found.path not in known and self._fits(found):
                    known.add(found.path)
                    todo.append((found, Clue(f"{printable(name(at))} depends on {module}", (at,))))

    def _linked(self, package: str) -> Iterator[str]:
        """The packages to whose files a package has links: Node.js looks beside the real file."""
        for one in self._files.names(package):
            real = self._files.real(f"{package}/{one}") if one.endswith(SCRIPTS) else None
            other = None if real is None or below(real, package) else self._packages.around(real)
            if other is not None:
                yield other

    def _first(self, package: str, main: str) -> Iterator[str]:
        """The first modules of a package, that lead to each other."""
        first = self._packages.beside(main or "index", package)
        todo = deque([first] if first is not None and first.endswith(SCRIPTS) else [])
        known = set(todo)
        while todo:
            here = todo.popleft()
            yield here
            for request in self._requests(here):
                found = None if request.runs is not None else self._beside(request, here)
                if found is None or not (found.endswith(SCRIPTS) and below(found, package)):
                    continue
                if found not in known and len(known) < _FIRST_FILES:
                    known.add(found)
                    todo.append(found)

    def _asked(self, path: str) -> Iterator[str]:
        """The packages that a module asks for, whatever the package.json of its own says."""
        for request in self._requests(path):
            text = request.text
            if request.runs is not None or text.endswith("/*") or text.startswith((".", "/", "#")):
                continue
            if ":" not in text and self._beside(request, path) is None:
                yield "/".join(text.split("/")[: 2 if text.startswith("@") else 1])

    def _programs(self, modules: tuple[str, ...], place: _Place) -> Iterator[Need]:
        """The programs that the first modules of another package start."""
        requests = [(path, one) for path in modules for one in self._requests(path)]
        for path, one in requests:
            if one.runs is not None:
                yield from self._run(one, path, place.started)
        starts = any(one.text in _STARTING for _, one in requests)
        for path in modules:
            for word in self._commands.quoted(path, starts=starts):
                yield from self._commands.perhaps(word, path, place.started)

    def _fits(self, package: Package) -> bool:
        """Whether a package is for this system and machine."""
        described = self._packages.description(package.path)
        libc = "musl" if b"musl" in (self._context.program.elf.interpreter or b"") else "glibc"
        each = ((described.systems, "linux"), (described.machines, self._machine))
        return all(_admits(words, one) for words, one in (*each, (described.libcs, libc)))

    def _file(self, path: str, clue: Clue, place: _Place, start: str | None = None) -> File:
        if place.script is None or in_system(path):
            return File(path, clue, omit=self._omit)
        return File(path, clue, start or parent(place.script), place.script, omit=self._omit)


def _is_inside(path: str, place: _Place) -> bool:
    """Whether a file comes with the package of who asks."""
    return bool(place.package) and below(path, place.package)


def _admits(words: tuple[str, ...], one: str) -> bool:
    if not words or not one:
        return True
    refused = [word[1:] for word in words if word.startswith("!")]
    wanted = [word for word in words if not word.startswith("!")]
    return one not in refused and (not wanted or one in wanted)
