"""Recipe + Root → Closure: everything the programs need, each with the request that brought it.

One worklist. A program enters, is looked at, and puts what it asks for on the list: an ELF file its
interpreter and libraries, a script the program of its first line. Nothing is run. All that is
missing is collected before it is reported, so that one run of the user finds all of it.
"""

import errno
import os
from collections import deque
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder import elf, executable, missing, process, sensitive
from rootfs_builder.errors import ElfError, InputError, NotFoundError, UsageError
from rootfs_builder.executable import Script
from rootfs_builder.link_map import LinkMap, Loaded, Loader
from rootfs_builder.paths import ImagePath, OpenedPath, decode, join, name, parent, printable
from rootfs_builder.plan import Finding
from rootfs_builder.process import Objects
from rootfs_builder.recipe import Recipe
from rootfs_builder.root import Node, tree
from rootfs_builder.sources import Sources
from rootfs_builder.values import Added
from rootfs_builder.walk import Walk

_MAX_SCRIPTS = 5  # a script whose interpreter is a script whose …


class Program(Struct, frozen=True, eq=False):
    """A file that execve(2) is given.

    `shown` is how it was named, `key` the path of that name with every directory resolved, `by`
    the script that needs it (None: the user). `link_maps` has the start-up map at each hwcaps level
    that makes a difference, then one for each dlopen; a script has none.
    """

    shown: str
    key: ImagePath
    walk: Walk
    by: "Program | None"
    kind: str
    link_maps: tuple[LinkMap, ...] = ()

    @property
    def real(self) -> ImagePath:
        """Its resolved path."""
        return self.walk.real


class AddedTree(Struct, frozen=True, eq=False):
    """What `--add` brings: the nodes below `source`, itself first, that go to `destination`.

    `programs` and `plugins` are the ELF files among them: the one start by themselves, the others
    are loaded by the first program.
    """

    source: ImagePath
    destination: ImagePath
    nodes: tuple[tuple[ImagePath, Node], ...]
    programs: tuple[Program, ...] = ()
    plugins: tuple[LinkMap, ...] = ()


class Closure(Struct, frozen=True):
    """Everything a plan is made from, in the paths of the source."""

    recipe: Recipe
    sources: Sources
    objects: Objects
    programs: tuple[Program, ...]
    added: tuple[AddedTree, ...]
    findings: tuple[Finding, ...]

    def host(self, plugin: LinkMap) -> Program:
        """The program that loads a plugin."""
        return next(
            program
            for program in self.programs
            if program.link_maps and program.link_maps[0].program is plugin.program
        )


class _Todo(Struct, frozen=True):
    shown: str
    path: OpenedPath
    by: Program | None = None
    kind: str = "executable"
    depth: int = 0


def collect(recipe: Recipe, sources: Sources) -> Closure:
    """Find everything that the recipe's programs need.

    Raises:
        InputError: a program or an added file is not what it has to be.
        NotFoundError: all that is missing: its name, who needs it, where was looked.
        UsageError: an option that the programs cannot take.
    """
    return _Collector(recipe, sources).run()


class _Collector:
    def __init__(self, recipe: Recipe, sources: Sources) -> None:
        self._recipe = recipe
        self._sources = sources
        self._objects = Objects(sources)
        self._missing: list[str] = []
        self._library_path = tuple(self._directory(path) for path in recipe.library_path)
        self._programs: list[Program] = []
        self._findings: list[Finding] = []
        self._secrets: dict[str, tuple[sensitive.Secret, ...]] = {}

    def run(self) -> Closure:
        todo = deque(
            _Todo(shown, self._sources.locate(path))
            for shown, path in zip(self._recipe.shown, self._recipe.executables, strict=True)
        )
        while todo:
            todo.extend(self._program(todo.popleft()))
        self._stop_if_missing()
        for wanted in self._recipe.include_libraries:
            self._include(wanted)
        added = tuple(self._add(one) for one in self._recipe.added)
        sensitive.refuse(self._secrets)
        self._stop_if_missing()
        return Closure(
            self._recipe,
            self._sources,
            self._objects,
            tuple(self._programs),
            added,
            tuple(dict.fromkeys(self._findings)),
        )

    def _directory(self, path: str) -> OpenedPath:
        located = self._sources.locate(path)
        node = self._objects.walker.walk(located).node
        if node is None or node.kind != "dir":
            self._missing.append(f"-L {printable(path)}: no such directory")
        return located

    def _stop_if_missing(self) -> None:
        if self._missing:
            raise NotFoundError("\n".join(dict.fromkeys(self._missing)))

    def _program(self, todo: _Todo) -> list[_Todo]:
        """Take one program in; what it asks for is the answer."""
        shown = printable(todo.shown)
        walk = self._objects.walker.walk(todo.path)
        by = f"\n  needed by {printable(todo.by.shown)}, as its interpreter" if todo.by else ""
        if walk.errno in (errno.ENOENT, errno.ENOTDIR):
            advice = by or "; is it built, and is the path right?"
            self._missing.append(f"{shown}: no such file{advice}")
            return []
        if walk.errno or walk.node is None:
            why = "a symlink that leads back to itself" if walk.errno == errno.ELOOP else ""
            raise InputError(f"{shown}: {why or 'cannot be read: ' + os.strerror(walk.errno)}{by}")
        try:
            found = executable.look(shown, walk, self._objects)
        except InputError as error:
            raise InputError(f"{error}{by}") from error
        if not walk.node.mode & 0o111:
            self._findings.append(
                Finding("warning", f"{shown} is not executable here; in the image it is (0755)")
            )
        above = self._objects.walker.walk(OpenedPath(parent(todo.path)))
        key = join(above.real, name(todo.path))
        program = Program(todo.shown, key, walk, todo.by, todo.kind)
        if isinstance(found, Script):
            self._programs.append(program)
            return self._interpreters(program, found, todo.depth + 1)
        try:
            link_maps = self._start(program, found)
        except NotFoundError as error:
            self._missing.append(str(error))
            return []
        for link_map in link_maps:
            self._missing += self._not_found(link_map)
        self._programs.append(replace(program, link_maps=link_maps))
        return []

    def _interpreters(self, program: Program, script: Script, depth: int) -> list[_Todo]:
        if depth > _MAX_SCRIPTS:
            raise InputError(f"{printable(program.shown)}: scripts that start scripts, over 5 deep")
        interpreter = OpenedPath(script.interpreter)
        found = [_Todo(script.interpreter, interpreter, program, "interpreter", depth)]
        if script.looked_up is not None:
            path = self._in_path(script.looked_up, program)
            if path is not None:
                found.append(_Todo(script.looked_up, path, program, "interpreter", depth))
        return found

    def _in_path(self, wanted: str, program: Program) -> OpenedPath | None:
        if wanted.startswith("/"):
            return OpenedPath(wanted)
        for directory in self._recipe.search_path:
            path = OpenedPath(f"{directory.rstrip('/')}/{wanted}")
            node = self._objects.walker.walk(path).node
            if node is not None and node.kind == "file" and node.mode & 0o111:
                return path
        self._missing.append(
            f"{printable(wanted)}: no such file in the image's PATH, "
            f"{':'.join(self._recipe.search_path)}\n"
            f"  needed by {printable(program.shown)}, as its interpreter"
        )
        return None

    def _start(self, program: Program, file: elf.ElfFile) -> tuple[LinkMap, ...]:
        """The link maps of an ELF program, one for each kind of CPU that makes a difference."""
        source = self._objects.source(program.real)
        loaded = Loaded(program.shown, OpenedPath(program.key), program.walk, source, file)
        loader = self._loader(program, file)
        maps = process.levels(
            loaded,
            loader,
            self._objects,
            library_path=self._library_path,
            hwcaps=self._recipe.hwcaps,
        )
        doubts = missing.doubts(maps[0], self._sources.shown)
        self._findings += [Finding("warning", text) for text in doubts]
        kept = [maps[0]]
        for link_map in maps[1:]:
            lacking = next(self._not_found(link_map), None)
            if lacking is None or link_map.platform == maps[0].platform:
                kept.append(link_map)
            else:  # on such a CPU it does not start here either
                text = f"where $PLATFORM is {link_map.platform}: {lacking}"
                self._findings.append(Finding("warning", text))
        return tuple(kept)

    def _loader(self, program: Program, file: elf.ElfFile) -> Loader | None:
        """The rules of the program's own interpreter; None for a static one.

        Raises:
            NotFoundError: there is no file of that name.
            InputError: it is no loader, or a damaged one.
        """
        if file.interpreter is None:
            return None
        shown = printable(program.shown)
        interpreter = OpenedPath(decode(file.interpreter))
        node = self._objects.walker.walk(interpreter).node
        if node is None or node.kind != "file":
            raise NotFoundError(
                f"{printable(interpreter)}: not found\n"
                f"  needed by {shown}, as the dynamic loader that starts it\n"
                "  install the libc it was built for, or name a root that has it: --sysroot DIR"
            )
        try:
            loader = self._objects.loader(interpreter)
        except ElfError as error:
            raise InputError(f"{printable(interpreter)}: a damaged loader: {error}") from error
        if loader is None:
            raise InputError(
                f"{shown}: its interpreter {printable(interpreter)} is no dynamic loader of "
                "glibc or musl; no other is known"
            )
        self._findings += [Finding("warning", doubt) for doubt in loader.doubts]
        if loader.preload:
            names = ", ".join(map(printable, loader.preload))
            text = f"ld.so.preload of this machine, which names {names}, is not copied"
            self._findings.append(Finding("warning", text))
        return loader

    def _not_found(self, link_map: LinkMap) -> Iterator[str]:
        return missing.sentences(link_map, self._sources.shown)

    def _dynamic(self) -> list[int]:
        """Which programs call dlopen: those that the user named, or their interpreters."""
        dynamic = [
            index
            for index, program in enumerate(self._programs)
            if program.link_maps and program.link_maps[0].loader
        ]
        return [index for index in dynamic if self._programs[index].by is None] or dynamic

    def _include(self, wanted: str) -> None:
        """`--include-lib NAME`: what each dynamic program gets from dlopen(NAME)."""
        if not self._dynamic():
            raise UsageError(f"--include-lib {wanted}: no program here has a dynamic loader")
        for index in self._dynamic():
            program = self._programs[index]
            started = [one for one in program.link_maps if one.startup == len(one.objects)]
            called = [process.dlopen(one, wanted, one.program, self._objects) for one in started]
            self._missing += [text for one in called for text in self._not_found(one)]
            self._programs[index] = replace(program, link_maps=(*program.link_maps, *called))

    def _add(self, added: Added) -> AddedTree:
        shown = f"--add {printable(added.source)}"
        path = self._sources.locate(added.source)
        walk = self._objects.walker.walk(path)
        if walk.errno or walk.node is None:
            self._missing.append(f"{shown}: {os.strerror(walk.errno)}")
            return AddedTree(ImagePath(path), added.destination, ())
        try:
            nodes = tuple(tree(self._sources, walk.real))
        except OSError as error:
            where = printable(decode(os.fsencode(error.filename)))
            raise InputError(f"{where}: cannot be read: {error.strerror}") from error
        if not self._recipe.allow_sensitive:
            self._secrets[shown] = sensitive.found(self._sources, nodes)
            if self._secrets[shown]:
                return AddedTree(walk.real, added.destination, nodes)
        for special, node in nodes:
            if node.kind == "special":
                raise InputError(
                    f"{shown}: {printable(self._sources.shown(special))} is a device, FIFO or "
                    "socket, which no image can hold"
                )
        return self._with_closures(AddedTree(walk.real, added.destination, nodes))

    def _with_closures(self, added: AddedTree) -> AddedTree:
        """The closure of every ELF file below an added tree; what is missing there is a warning."""
        programs: list[Program] = []
        plugins: list[LinkMap] = []
        for path, node in added.nodes:
            if node.kind != "file" or not self._is_elf(path):
                continue
            try:
                file = self._objects.file(path)
            except ElfError:
                continue  # data that looks like ELF, or an object file: packed as it is
            walk = self._objects.walker.walk(path)
            if file.interpreter is not None:
                program = Program(self._sources.shown(path), path, walk, None, "added")
                try:
                    found = self._start(program, file)
                except (NotFoundError, InputError) as error:
                    self._findings.append(Finding("warning", str(error)))
                    continue
                programs.append(replace(program, link_maps=found))
            elif file.dependencies and self._dynamic():
                started = self._programs[self._dynamic()[0]].link_maps[0]
                plugins.append(process.dlopen(started, path, started.program, self._objects))
                found = (plugins[-1],)
            else:
                continue
            for link_map in found:
                for sentence in self._not_found(link_map):
                    self._findings.append(Finding("warning", sentence))
        return replace(added, programs=tuple(programs), plugins=tuple(plugins))

    def _is_elf(self, path: ImagePath) -> bool:
        with self._objects.source(path).open() as content:
            return content[0:4] == elf.MAGIC
