"""Recipe + Root + rules → Closure: all that the programs need, each with what brought it.

One worklist. A program enters, is looked at, and puts what it asks for on the list: an ELF file its
interpreter and libraries, a script the program of its first line. Nothing is run. All that is
missing is collected before it is reported, so that one run of the user finds all of it.
"""

import errno
import os
from collections import deque
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder import elf
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import (
    EXECUTABLE,
    InputError,
    Mistake,
    NotFoundError,
    UsageError,
    VerificationError,
)
from rootfs_builder.filesystem.root import Node
from rootfs_builder.filesystem.sources import Sources, in_system
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.loader import executable, loading, missing, preload
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.executable import Script
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.missing import MissingVersion
from rootfs_builder.needs import additions, hidden, unfound, users
from rootfs_builder.needs.closure import Closure, Program, ProgramKind, Tree
from rootfs_builder.needs.rules import Rules, worklist
from rootfs_builder.needs.startup import LoaderState, NoLoader, Startup
from rootfs_builder.packages import Owners
from rootfs_builder.paths import (
    OpenedPath,
    SourcePath,
    absolute,
    below,
    join,
    name,
    parent,
    printable,
)
from rootfs_builder.recipe import Recipe

_BINS = ("/bin", "/venv/bin", "/.venv/bin", "/node_modules/.bin")  # of what is added
_MAX_SCRIPTS = 5  # a script whose interpreter is a script whose …


class _Todo(Struct, frozen=True):
    display_name: str
    path: OpenedPath
    by: Program | None = None
    kind: ProgramKind = ProgramKind.EXECUTABLE
    depth: int = 0


def collect(
    recipe: Recipe,
    sources: Sources,
    *,
    rules: Rules,
    facts: FileFacts | None = None,
    owners: Owners | None = None,
) -> Closure:
    """Find everything that the recipe's programs need; `facts` are known of files already.

    `owners` knows the packages of the sources. What the recipe adds is `additions.placed`.

    Raises:
        InputError: a program or an added file is not what it has to be.
        NotFoundError: all that is missing: its name, who needs it, where was looked.
        VerificationError: a library of the base image is too old.
        UsageError: an option that the programs cannot take.
    """
    return _Collector(recipe, sources, rules, facts, owners).run()


class _Collector:
    def __init__(
        self,
        recipe: Recipe,
        sources: Sources,
        rules: Rules,
        facts: FileFacts | None,
        owners: Owners | None,
    ) -> None:
        self._recipe = recipe
        self._rules = rules
        self._sources = sources
        self._facts = facts
        self._elf_files = ElfFiles(sources, facts, base=sources.base)
        self._owners = owners or Owners(sources, facts)
        self._missing: list[str | Mistake] = []
        self._asking: dict[str, None] = {}  # the paths of what needs it
        self._older: list[MissingVersion] = []
        library_path = tuple(self._directory(path) for path in recipe.library_path)
        self._startup = Startup(
            sources,
            self._elf_files,
            library_path=library_path,
            preload=preload.of(recipe),
            hwcaps=recipe.hwcaps,
        )
        self._programs: list[Program] = []
        self._not_executable: list[Finding] = []
        self._findings: list[Finding] = []

    def run(self) -> Closure:
        todo = deque(
            _Todo(shown, self._sources.locate(path))
            for shown, path in zip(
                self._recipe.display_names, self._recipe.executables, strict=True
            )
        )
        while todo:
            todo.extend(self._program(todo.popleft()))
        self._stop_if_missing()
        for library in self._recipe.include_libraries:
            self._include(library)
        added = additions.collect(
            self._recipe, self._sources, self._startup, host=self._host(), facts=self._facts
        )
        self._missing += added.missing
        self._findings += added.findings
        self._stop_if_missing()
        return self._supplied(tuple(self._programs), added.trees)

    def _supplied(self, programs: tuple[Program, ...], added: tuple[Tree, ...]) -> Closure:
        """The closure, with what the rules bring."""
        user, home = self._recipe.user, dict(self._recipe.env).get("HOME", "")
        known = users.resolve(user, self._sources, home=home) if user else None
        result = worklist.run(
            self._recipe,
            self._sources,
            self._startup,
            self._rules,
            programs=programs,
            added=added,
            owners=self._owners,
            user=known,
        )
        findings = (*self._not_executable, *self._findings, *result.findings)
        return Closure(
            result.programs,
            result.added,
            result.output,
            known,
            tuple(dict.fromkeys(findings)),
        )

    def _directory(self, path: str) -> OpenedPath:
        located = self._sources.locate(path)
        node = self._elf_files.walker.walk(located).node
        if node is None or node.kind != "dir":
            text = "no such directory"
            if self._sources.sysroot and self._elf_files.walker.walk(OpenedPath(path)).node:
                there = printable(self._sources.machine_path(path))
                text = f"no such directory on this machine; that of the sysroot is {there}"
            self._missing.append(Mistake("-L", text, path))
        return located

    def _stop_if_missing(self) -> None:
        if self._older:
            from rootfs_builder.needs import older

            raise VerificationError(*older.texts(self._older, self._elf_files))
        if self._missing:
            raise NotFoundError(*dict.fromkeys(self._missing), paths=tuple(self._asking))

    def _program(self, todo: _Todo) -> list[_Todo]:
        """Take one program in; what it asks for is the answer."""
        shown, option = printable(todo.display_name), "" if todo.by else EXECUTABLE
        walk = self._elf_files.walker.walk(todo.path)
        by = (
            f"\n  needed by {printable(todo.by.display_name)}, as its interpreter"
            if todo.by
            else ""
        )
        if walk.errno in (errno.ENOENT, errno.ENOTDIR):
            text = f"no such file{by}"
            if not by:
                text = unfound.advice(todo.display_name, todo.path, self._elf_files.walker)
            self._missing.append(Mistake(option, text, todo.display_name))
            return []
        if walk.errno or walk.node is None:
            why = "a symlink that leads back to itself" if walk.errno == errno.ELOOP else ""
            text = why or f"cannot be read: {os.strerror(walk.errno)}"
            raise InputError(Mistake(option, f"{text}{by}", todo.display_name))
        try:
            found = executable.look(todo.display_name, walk, self._elf_files)
        except InputError as error:
            wrong = (one._replace(option=option, text=f"{one.text}{by}") for one in error.mistakes)
            raise InputError(*wrong, paths=error.paths) from error
        if not walk.node.mode & 0o111:
            text = f"{shown} is not executable here; in the image it is (0755)"
            self._not_executable.append(
                warning(Code.NOT_EXECUTABLE, text, *absolute((todo.display_name, todo.path)))
            )
        above = self._elf_files.walker.walk(OpenedPath(parent(todo.path)))
        key = SourcePath(join(above.real, name(todo.path)))
        program = Program(todo.display_name, key, walk, todo.by, todo.kind)
        if isinstance(found, Script):
            self._check_named(program, walk.node)
            self._programs.append(program)
            return self._interpreters(program, found, todo.depth + 1)
        self._start(program, found)
        return []

    def _check_named(self, script: Program, node: Node) -> None:
        """Refuse a script that only the first line of another names, and not the user."""
        if script.by is None:
            return
        own = (one.real for one in self._programs if one.by is None)
        added = (self._sources.locate(one.source) for one in self._recipe.added)
        allowed = (parent(script.by.real), *own, *added)
        readable = in_system(script.real) and node.mode & 0o004
        if not (readable or any(below(script.real, one) for one in allowed)):
            shown, by = printable(script.display_name), printable(script.by.display_name)
            raise InputError(
                f"{shown}: a script outside the system directories that only the first line of "
                f"{by} names; to include it, name it as another EXECUTABLE",
                paths=absolute((script.display_name, script.by.display_name)),
            )

    def _start(self, program: Program, file: elf.ElfFile) -> None:
        started = self._startup.start(program, file)
        if isinstance(started, NoLoader):
            if started.state not in (LoaderState.ABSENT, LoaderState.FOREIGN):
                raise InputError(started.text, paths=started.paths)
            self._missing.append(Mistake("", started.text, advice=started.advice))
            self._asking |= dict.fromkeys(started.paths)
            return
        self._findings += started.findings
        self._findings += hidden.in_program(program, self._recipe, self._sources, self._elf_files)
        self._missing += self._lacking(started.link_maps)
        self._programs.append(replace(program, link_maps=started.link_maps))

    @property
    def _advice(self) -> str:
        return missing.IN_SYSROOT if self._sources.sysroot else missing.ADVICE

    def _lacking(self, link_maps: Iterable[LinkMap]) -> Iterator[Mistake]:
        for link_map in link_maps:
            for one in missing.find(link_map):
                if isinstance(one, MissingVersion) and self._sources.in_base(one.provider):
                    self._older.append(one)
                else:
                    text = missing.text(one, self._sources.display, self._advice)
                    self._asking[self._sources.display(one.by)] = None
                    yield Mistake("", text, advice=self._advice)

    def _interpreters(self, program: Program, script: Script, depth: int) -> list[_Todo]:
        if depth > _MAX_SCRIPTS:
            raise InputError(
                f"{printable(program.display_name)}: scripts that start scripts, over 5 deep"
            )
        interpreter = OpenedPath(script.interpreter)
        found = [_Todo(script.interpreter, interpreter, program, ProgramKind.INTERPRETER, depth)]
        if script.looked_up is not None:
            path = self._in_path(script.looked_up, program)
            if path is not None:
                found.append(_Todo(script.looked_up, path, program, ProgramKind.INTERPRETER, depth))
        return found

    def _in_path(self, command: str, program: Program) -> OpenedPath | None:
        if command.startswith("/"):
            return OpenedPath(command)
        if "/" in command:  # execvp(3) does not look that up
            self._missing.append(
                f"{printable(command)}: a path relative to the working directory\n"
                f"  needed by {printable(program.display_name)}, as its interpreter"
            )
            return None
        path, _ = self._found(command, self._recipe.search_path)
        if path is None:
            searched = ":".join(self._recipe.search_path)
            added = [
                f"{one.destination.rstrip('/')}{bin_}"
                for one in self._recipe.added
                for bin_ in _BINS
            ]
            _, place = self._found(command, added)
            advice = f"\n  {printable(place)} has one: -e PATH={place}:{searched}" if place else ""
            self._missing.append(
                f"{printable(command)}: no such file in the image's PATH, {searched}\n"
                f"  needed by {printable(program.display_name)}, as its interpreter{advice}"
            )
        return path

    def _found(self, command: str, directories: Iterable[str]) -> tuple[OpenedPath | None, str]:
        """The first program of this name, and the directory of the image that has it."""
        for directory in directories:
            for path in self._sources_of(f"{directory.rstrip('/')}/{command}"):
                node = self._elf_files.walker.walk(path).node
                if node is not None and node.kind == "file" and node.mode & 0o111:
                    return path, directory
        return None, ""

    def _sources_of(self, path: str) -> Iterator[OpenedPath]:
        """Where what the image has at a path may be: in what is added there, else in the root."""
        for added in self._recipe.added:
            if below(path, added.destination):
                inside = path.removeprefix(added.destination.rstrip("/"))
                yield self._sources.locate(added.source.rstrip("/") + inside)
        yield OpenedPath(path)

    def _dynamic(self) -> list[int]:
        """Which programs call dlopen: those that the user named, or their interpreters."""
        dynamic = [
            index
            for index, program in enumerate(self._programs)
            if program.link_maps and program.link_maps[0].loader
        ]
        return [index for index in dynamic if self._programs[index].by is None] or dynamic

    def _include(self, library: str) -> None:
        """`--include-lib NAME`: what each dynamic program gets from dlopen(NAME)."""
        if not self._dynamic():
            raise UsageError(
                Mistake("--include-lib", "no program here has a dynamic loader", library)
            )
        for index in self._dynamic():
            program = self._programs[index]
            called = [
                loading.dlopen(one, library, one.program, self._elf_files)
                for one in program.link_maps
                if not one.calls
            ]
            self._missing += self._lacking(called)
            self._programs[index] = replace(program, link_maps=(*program.link_maps, *called))

    def _host(self) -> LinkMap | None:
        """The process that loads what is added: the first that the user named.

        Of a script the last of its interpreters, which is not env(1).
        """
        dynamic = [self._programs[index] for index in self._dynamic()]
        if not dynamic:
            return None
        first = dynamic[0]
        if first.by is not None:
            first = [one for one in dynamic if one.by is first.by][-1]
        return first.link_maps[0]
