"""The programs that a packaged program, or a library of its own source, spells out and starts."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from msgspec import Struct

from rootfs_builder.elf import counted
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.findings import Code, hint
from rootfs_builder.loader.resolution import Loaded
from rootfs_builder.needs import undeclared, utilities
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, Need
from rootfs_builder.needs.general import strings
from rootfs_builder.packages import Kin
from rootfs_builder.paths import SourcePath, decode, encode, name, parent, printable

_MOST_NAMED = 5  # programs in a program of the user's, besides utilities
_MOST_OWN = 30  # programs of one source: coreutils has 100, samba 40, git 5
# What stands before the name of a program. Linkers keep a text once that is the end of another:
# `tar` in `control.tar`.
_BEFORE = ("\0", "\0/", ".", "bin/")
_BARE = re.compile(r"[a-z][\w.+-]*")
_JOINED = ("%s/", ")/", "}/", "%s")  # to a directory that only the running program knows


class _Started(Struct, frozen=True):
    """A program that a command starts which another program spells out.

    `certain`: it has its path, a variable that is set for it, or an option and something that is
    filled in; a sentence has at most one of the last two, as a rule. `option`: it has an option,
    which is enough for a program of the same source. `first`: an option follows at once, enough for
    one that the package requires. `is_utility`: such a one of every system, for a shell. `plain`:
    it begins with an option, a path or a name that is no word of every day: `open it -%s` is none.
    """

    path: str
    certain: bool
    option: bool
    first: bool
    is_utility: bool
    plain: bool


class OwnPrograms:
    """Answers for the process of one context."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def needs(self, speaking: Iterable[Loaded], kin: Kin) -> Iterator[Need]:
        """The programs that the program, and the libraries that speak for it, spell out."""
        speaking = tuple(speaking)
        for loaded in speaking:
            yield from self._in_commands(loaded, kin)
        if self.starts:
            yield from self._in_go(kin) if self._is_go else ()
            yield from self._joined(speaking, kin)
            yield from self._named(kin)
            yield from self._utilities(kin) if self._context.is_named else ()

    def speaking(self, objects: Iterable[Loaded], kin: Kin) -> list[Loaded]:
        """The program, if it is among these, and the libraries of its own source.

        What a box of tools shares speaks only for one that the user names: libsystemd-shared is
        about all that systemd starts.
        """
        alone = not self._context.is_named and self._is_box(kin)
        program = self._context.program.real
        return [
            one
            for one in objects
            if one.real == program or (kin.owns(SourcePath(one.real)) and not alone)
        ]

    def _is_box(self, kin: Kin) -> bool:
        return len(dict(self._commands(kin.own))) > _MOST_OWN

    @cached_property
    def starts(self) -> bool:
        """Whether the program starts others."""
        return strings.starts(self._context.program.real, self._context.elf_files)

    @cached_property
    def _is_go(self) -> bool:
        """Whether it looks programs up in PATH as Go's os/exec does."""
        return bool(
            self._context.elf_files.contained(self._context.program.real, (strings.GO_EXEC,))
        )

    def _in_commands(self, by: Loaded, kin: Kin) -> Iterator[Need]:
        """Those of its own source, or certain and needed, with the shell that starts them.

        The user's program also gets a small one that is certain but not declared. Any other that is
        certain or needed is a hint: nobody knows when it is started. The texts of a box of tools
        are about them.
        """
        started = tuple(self._started(by))
        is_box = bool(started) and self._is_box(kin)
        for one in started:
            shown = f"{printable(name(by.opened))} runs {printable(name(one.path))}"
            clue = Clue(shown, (one.path,))
            real = self._context.files.real(one.path)
            if real is None or (is_box and kin.owns(real)):
                continue
            if kin.owns(real):
                comes = one.certain or one.option
            else:
                required = one.first and real in kin.declared
                known = one.certain and (kin.has(real) or self._comes_along(one))
                comes = one.is_utility or required or known
            if comes:
                yield File(one.path, clue, started=True)
                yield File(strings.SHELL, clue, started=True)
            elif one.certain or kin.has(real):
                yield LeftOut(one.path, clue)

    def _in_go(self, kin: Kin) -> Iterator[Need]:
        """The programs that a program in Go calls by constant names.

        They come if they are of its packages, or utilities of every system; for the user's own
        program if they are small.
        """
        context, program = self._context, self._context.program
        commands = context.files.commands(context.search_path)
        names = context.elf_files.go_commands(program.real).names
        for named in names:
            path = named if named.startswith("/") else commands.get(named, "")
            real = context.files.real(path)
            if real is None or real == program.real or not context.files.may_execute(path):
                continue
            clue = Clue(f"{printable(name(program.opened))} runs {printable(named)}", (path,))
            has = kin.has(real) or name(path) in utilities.ALL
            comes = has if kin.of else undeclared.is_small(path, context)
            stays = LeftOut(path, clue, large=kin.of is None)
            yield File(path, clue, started=True) if comes else stays
        bare = {one for one in names if _BARE.fullmatch(one)} - utilities.IN_VAIN
        absent = sorted(bare - commands.keys())
        if absent and not kin.of:
            text = f"{printable(program.opened)} may start what is not in the image's PATH: "
            text += f"{', '.join(absent)}; install what it is to do"
            yield hint(Code.COMMAND_MISSING, text, program.opened)

    def of_user(self, by: Loaded) -> Iterator[Need]:
        """The programs of the commands in an object of the user's own, if they are small.

        Large ones are a warning. Of names alone the utilities of every system come. Any other is a
        hint: nobody knows whether it is started.
        """
        elf_files, files = self._context.elf_files, self._context.files
        if not strings.starts(by.real, elf_files):
            return
        if by.real == self._context.program.real and self._is_go:
            yield from self._in_go(Kin())
            return  # its texts have no ends
        shown, come = printable(name(by.opened)), set[str]()
        for one in self._started(by):
            if one.certain or one.first or one.is_utility:
                come.add(name(one.path))
                clue = Clue(f"{shown} runs {printable(name(one.path))}", (one.path,))
                if undeclared.is_small(one.path, self._context):
                    yield File(one.path, clue, started=True)
                    yield File(strings.SHELL, clue, started=True)
                else:
                    yield LeftOut(one.path, clue, large=True)
        commands = files.commands(self._context.search_path)
        words = {decode(hit["word"]) for hit in elf_files.search(by.real, strings.WORDS)}
        words = words & commands.keys() - utilities.WORDS - come - {name(by.real)}
        words -= {*map(decode, elf_files.symbols(by.real, map(encode, words)))}
        others = words - utilities.ALL
        if len(others) > _MOST_NAMED:  # a vocabulary
            words -= {word for word in others if not utilities.is_rare(word)}
        for word in sorted(words):
            clue = Clue(f"{shown} names {printable(word)}", (commands[word],))
            path, is_utility = commands[word], word in utilities.ALL
            yield File(path, clue, started=True) if is_utility else LeftOut(path, clue)

    def of_paths(self, by: Loaded) -> Iterator[Need]:
        """The programs whose paths are whole strings of the user's object, if it starts any.

        Large ones are a warning; `/etc/x/up.sh` comes with what it starts itself.
        """
        files, elf_files = self._context.files, self._context.elf_files
        if not strings.starts(by.real, elf_files):
            return
        for path in sorted(
            {decode(hit["path"]) for hit in elf_files.search(by.real, strings.WHOLE)}
        ):
            real = files.real(path)
            if real in {None, by.real} or not (in_system(path) and files.may_execute(path)):
                continue
            clue = Clue(f"{printable(name(by.opened))} names {printable(path)}", (path,))
            small = undeclared.is_small(path, self._context)
            yield File(path, clue, started=True) if small else LeftOut(path, clue, large=True)

    def of_library(self, by: Loaded, kin: Kin, program: Kin) -> Iterator[Need]:
        """The programs of the commands in a library of others, if its package requires theirs.

        As that of libgnustep-base requires dpkg-architecture's. Also what it names that is called
        as a package that it requires, as gpg is for libgpgme; or that is of its own source, in a
        package that the program's requires: gdnc for those of GNUstep. The name of one of its
        functions is none, as pam_getenv(3).
        """
        files, elf_files = self._context.files, self._context.elf_files
        for one in self._started(by):
            real = files.real(one.path)
            if (one.first or one.certain) and real in kin.declared:
                shown = f"{printable(name(by.opened))} runs {printable(name(one.path))}"
                for path in (one.path, strings.SHELL):
                    yield File(path, Clue(shown, (one.path,)), started=True)
        if kin.of is None:
            return
        own, required = self._commands(kin.own), self._commands(kin.required)
        named = {one: path for one, path in own if files.real(path) in program.declared}
        if strings.starts(by.real, elf_files):
            named |= {one: path for one, path in required if one in kin.required_names}
        for word in self._spelt(by, named):
            path, shown = named[word], f"{printable(name(by.opened))} names {printable(word)}"
            declared = files.real(path) in program.declared
            if declared or undeclared.is_small(path, self._context, kin.of):
                yield File(path, Clue(shown, (path,)), started=True)

    def _spelt(self, by: Loaded, words: Iterable[str]) -> list[str]:
        """Those that are whole strings of a library, and names of no functions."""
        elf_files, texts = self._context.elf_files, {encode(f"\0{one}\0"): one for one in words}
        found = {texts[one] for one in elf_files.contained(by.real, texts)} if texts else set[str]()
        functions = elf_files.symbols(by.real, map(encode, found)) if found else ()
        return sorted(found.difference(map(decode, functions)))

    def _comes_along(self, one: _Started) -> bool:
        """For the user's program; a shell has some of the utilities itself, others are words."""
        user = self._context.is_named and one.plain and name(one.path) not in utilities.ALL
        return user and undeclared.is_small(one.path, self._context)

    def _started(self, by: Loaded) -> Iterator[_Started]:
        """The programs of PATH that are the first words of commands that an object spells out."""
        program, elf_files = self._context.program, self._context.elf_files
        if not elf_files.imports(by.real, strings.RUN):
            return
        files = self._context.files
        by_shell = elf_files.imports(by.real, strings.BY_SHELL)
        for hit in elf_files.search(by.real, strings.COMMANDS):
            known = {"filled", "option"} & hit.keys()
            word = decode(hit["word"]) if known else ""
            path = files.commands(self._context.search_path).get(word) if known else None
            if path is not None and "at" in hit:
                path = f"{decode(hit['at'])}{word}"
            elif path is not None and "set" in hit:
                places = decode(hit["set"]).strip().removeprefix("PATH=").split(":")
                each = (f"{one}/{word}" for one in places if one.startswith("/"))
                path = next(filter(files.is_file, each), path)
            if path is not None and files.is_file(path) and files.real(path) != program.real:
                usual = utilities.ALL - utilities.BUILT_IN if "first" in hit else frozenset[str]()
                usual |= utilities.FOR_FILES if "filled" in hit else frozenset()
                is_utility = bool(by_shell) and word in usual
                plain = bool({"at", "first"} & hit.keys()) or utilities.is_rare(word)
                certain = len(known) > 1 or not {"at", "set"}.isdisjoint(hit)
                yield _Started(path, certain, "option" in hit, "first" in hit, is_utility, plain)

    def _named(self, kin: Kin) -> Iterator[Need]:
        """The programs whose names are whole strings of the program, in PATH or beside it.

        The name of a function that it calls is none, as pam_getenv(3) is for most that call PAM.
        They are of its own source, but not of a box of tools, which name each other to people:
        `env` has "sha256sum" in it. Or of a package that its own requires, called as that or by no
        word of every day: `m4`, `ipmi-sel`. One that its package only recommends comes for the
        user's program if it is small. Any other is a hint: psql names a database `postgres`.
        """
        program, elf_files = self._context.program, self._context.elf_files
        own, required = dict(self._commands(kin.own)), dict(self._commands(kin.required))
        packages = {one.removesuffix("-utils") for one in kin.required_names}  # xz is of xz-utils
        packages |= kin.required_names
        called = {one: path for one, path in required.items() if one in packages}
        called |= dict(self._commands(kin.namesakes))
        paths = called | required | own
        rare = set(filter(utilities.is_rare, required))
        words = called.keys() | rare
        words |= own.keys() if len(own) <= _MOST_OWN else set()
        words -= {*map(decode, elf_files.imports(program.real, frozenset(map(encode, words))))}
        bare = {encode(one): one for one in words & (called.keys() | rare)}
        texts = {encode(f"\0{one}\0"): one for one in words}
        texts |= {encode(f"{at}{one}\0"): one for one in called for at in _BEFORE}
        if self._is_go or elf_files.contained(program.real, (counted.RUST,)):  # no ends
            texts |= bare
        found = frozenset(elf_files.contained(program.real, texts) if texts else ())
        whole = {texts[text] for text in found if text.endswith(b"\0")}
        for one in sorted({texts[text] for text in found}):
            shown = f"{printable(name(program.opened))} names {printable(one)}"
            clue, real = Clue(shown, (paths[one],)), self._context.files.real(paths[one])
            recommended = one in whole and self._is_recommended(paths[one], kin)
            comes = real in kin.declared or recommended
            yield File(paths[one], clue, started=True) if comes else LeftOut(paths[one], clue)

    def _utilities(self, kin: Kin) -> Iterator[Need]:
        """Those of every system, which no package declares: `diff` in wdiff."""
        program, elf_files = self._context.program, self._context.elf_files
        if self._is_box(kin) or not elf_files.imports(program.real, strings.RUN):
            return
        commands = self._context.files.commands(self._context.search_path)
        for one in self._spelt(program, utilities.TOOLS & commands.keys() - {name(program.real)}):
            shown = f"{printable(name(program.opened))} names {one}"
            yield File(commands[one], Clue(shown, (commands[one],)), started=True)

    def _is_recommended(self, path: str, kin: Kin) -> bool:
        """Whether it is a small program of another source that the user's program would have."""
        real = self._context.files.real(path)
        if real is None or not (self._context.is_named and kin.has(real)) or kin.owns(real):
            return False
        return undeclared.is_small(path, self._context)

    def _joined(self, speaking: Iterable[Loaded], kin: Kin) -> Iterator[Need]:
        """Those of its source that a text joins to a directory: `$(SBIN)/condor_procd`."""
        own = dict(self._commands(kin.own, links=True))
        texts = {encode(f"{at}{one}\0"): one for one in own for at in _JOINED}
        for by in speaking if texts else ():
            found = self._context.elf_files.contained(by.real, texts)
            for one in sorted({texts[text] for text in found}):
                shown = f"{printable(name(by.opened))} names {printable(one)}"
                yield File(own[one], Clue(shown, (own[one],)), started=True)

    def _commands(
        self, group: Iterable[SourcePath], *, links: bool = False
    ) -> Iterator[tuple[str, str]]:
        """The programs among files, by name: those that PATH finds, and those beside this one.

        With `links` also those that are links to programs.
        """
        program, files = SourcePath(self._context.program.real), self._context.files
        commands = files.commands(self._context.search_path)
        for path in group:
            last = name(path)
            if path == program:
                continue
            if last in commands:
                if files.real(commands[last]) == (files.real(path) if links else path):
                    yield last, commands[last]
            elif parent(path) == parent(program) and files.may_execute(path):
                yield last, path
