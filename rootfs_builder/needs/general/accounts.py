"""The accounts that a program becomes: those that it has compiled in, or is told.

A whole string of a program that looks accounts up by name and changes its user is an account if the
root has a system account of that name; so is the name of the program, or of its package, and what
that package makes when it is installed. What a configuration or an argument calls a user is one if
the root has it at all, and of a script what is called as its package, or made by it. A group counts
only if the program looks groups up.
"""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import cached_property

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Account, Context, Need, Text, TextKind
from rootfs_builder.needs.general import settings
from rootfs_builder.packages import Package
from rootfs_builder.paths import SourcePath, decode, encode, name, printable

_CHANGES = frozenset(
    (
        b"initgroups",
        b"setegid",
        b"seteuid",
        b"setgid",
        b"setgroups",
        b"setregid",
        b"setresgid",
        b"setresuid",
        b"setreuid",
        b"setuid",
    )
)
_LOOKS_UP = frozenset((b"getpwnam", b"getpwnam_r"))
_LOOKS_UP_GROUPS = frozenset((b"getgrnam", b"getgrnam_r"))
_EVERYDAY_GROUPS = ("clock", "input", "render", "users")  # of every system: words of every day
_PACKAGES = 100  # uid: below it are those of every system, most of them words of every day
_OF_EVERY_SYSTEM = ("news", "proxy", "uucp", "www-data")  # but those that are no everyday words
_FIRST_PERSON = 1000  # uid: below it are accounts of the system; login.defs(5), SYS_UID_MAX
_IN_EVERY_IMAGE = ("root", "nobody")
_SYSUSERS = re.compile(r"/usr/lib/sysusers\.d/[^/]+\.conf")
_USER = re.compile(r"(?m)^u!?[ \t]+[^ \t\n]+")
_WORD = re.compile(r"(?<![\w./-])[A-Za-z_][\w-]*(?![\w./-])")
_OWNER = re.compile(
    rb"(?:\bchown\b|\binstall\b|\bowner\b)[^\n]*?"
    rb"(?<![\w./:-])(?P<user>[a-z_][\w-]*):(?P<group>[a-z_][\w-]*)(?![\w:/-])"
)
TOLD = (
    rb"(?im)(?:^|[\x00\s])(?:-u\x00?|--?user(?:name)?[=\x00]"
    rb"|(?:[\w-]+[._-])?(?:user(?:id|name)?|group(?:id|name)?|setuid)(?:[ \t]*[=:][ \t]*|[ \t]+))"
    rb'"?(?P<account>[a-z_][\w.-]*)(?=["\s;\x00]|$)'
)


def make(context: Context) -> "Accounts":
    """The finder for one process."""
    return Accounts(context)


class Accounts:
    """Looks in a program's own strings, in its arguments and configurations."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known = _accounts(context.files.read("/etc/passwd") or b"")

    def process(self) -> Iterator[Need]:
        """The accounts that are compiled in, asked for by `--with`, or told by arguments."""
        for one in self._context.values:
            yield Account(one, Clue(f"--with accounts={one}"))
        yield from self._compiled_in()
        yield from self._groups()
        arguments = "".join(f"\0{word}" for word in (*self._context.arguments, ""))
        yield from self._told(encode(arguments), "an argument")

    def text(self, text: Text) -> Iterator[Need]:
        """The accounts that a configuration names, and a script, if they are its package's."""
        files, shown = self._context.files, printable(name(text.path))
        yield from self._told(settings.read(text, files), shown)
        real = files.real(text.path)
        if text.kind is TextKind.STARTED and real is not None:
            data = settings.without_comments(files.read(text.path) or b"")
            for one in sorted(self._of_package(name(text.path), real) & self._known.keys()):
                word = rb"(?<![\w.-])" + re.escape(encode(one)) + rb"(?![\w.-])"
                if _PACKAGES <= self._known[one] < _FIRST_PERSON and re.search(word, data):
                    yield Account(one, Clue(f"{shown} names the account {printable(one)}"))
            yield from self._owners(data, shown)
        elif text.kind is TextKind.ADDED:
            yield from self._owners(settings.read(text, files), shown)

    def _owners(self, data: bytes, shown: str) -> Iterator[Need]:
        """The owners that a text gives to files: a user and a group that the system has."""
        system = (one for one, uid in self._known.items() if uid < _FIRST_PERSON)
        users = {*_IN_EVERY_IMAGE, *system}
        groups = {one for one, gid in self._groups_here.items() if gid < _FIRST_PERSON}
        for hit in _OWNER.finditer(data):
            user, group = decode(hit["user"]), decode(hit["group"])
            if user in users and group in groups:
                clue = Clue(f"{shown} names the owner {user}:{group}")
                if user not in _IN_EVERY_IMAGE:
                    yield Account(user, clue)
                if group not in _IN_EVERY_IMAGE:
                    yield Account(group, clue, is_group=True)

    @cached_property
    def _groups_here(self) -> dict[str, int]:
        return _accounts(self._context.files.read("/etc/group") or b"")

    def _compiled_in(self) -> Iterator[Need]:
        program, elf_files = self._context.program, self._context.elf_files
        system = {
            one: uid
            for one, uid in self._known.items()
            if _PACKAGES <= uid < _FIRST_PERSON or one in _OF_EVERY_SYSTEM
        }
        if not system or not elf_files.imports(program.real, _CHANGES):
            return
        named, called = self._named(system), name(program.opened)
        found = named | self._of_package(called, program.real).intersection(system)
        for one in self._without_functions(found.difference(_IN_EVERY_IMAGE)):
            verb = "names" if one in named else "has"
            yield Account(one, Clue(f"{printable(called)} {verb} the account {one}"))

    def _groups(self) -> Iterator[Need]:
        """The groups that a program looks up by names that are compiled in: whom it lets in."""
        program, elf_files = self._context.program, self._context.elf_files
        if not elf_files.imports(program.real, _LOOKS_UP_GROUPS):
            return
        here = self._groups_here.items()
        known = {one: gid for one, gid in here if _PACKAGES <= gid < _FIRST_PERSON}
        for one in self._without_functions(self._named(known).difference(_EVERYDAY_GROUPS)):
            clue = Clue(f"{printable(name(program.opened))} looks up the group {one}")
            yield Account(one, clue, is_group=True)

    def _named(self, known: Mapping[str, int]) -> set[str]:
        """Those of some accounts that are whole strings of the program."""
        texts = {encode(f"\0{one}\0"): one for one in known}
        # A linker lets a string share the end of another one, as of the name of its directory.
        texts |= {encode(f"/{one}\0"): one for one in known}
        found = self._context.elf_files.contained(self._context.program.real, texts)
        return {texts[text] for text in found}

    def _without_functions(self, names: AbstractSet[str]) -> list[str]:
        """Those that are no functions which the program calls, as bind(2) is, sorted."""
        program, elf_files = self._context.program, self._context.elf_files
        functions = elf_files.imports(program.real, frozenset(map(encode, names)))
        return sorted(names - {*map(decode, functions)})

    @cached_property
    def _becomes(self) -> bool:
        """Whether the program looks users up, or one of its libraries that becomes one."""
        imports = self._context.elf_files.imports
        libraries = (one.real for one in self._context.objects)
        return bool(imports(self._context.program.real, _LOOKS_UP)) or any(
            imports(one, _LOOKS_UP) and imports(one, _CHANGES) for one in libraries
        )

    def _of_package(self, called: str, path: str) -> set[str]:
        """How an account may be called that is for a program or its package alone."""
        names, made, real = {called}, set[str](), SourcePath(path)
        if in_system(real):
            with suppress(InputError):  # which others say
                owner = self._context.packages.of_all((real,)).packages[real]
                if owner is not None:
                    names |= {owner.name, owner.source}
                    made = self._made(owner)
        return names | {f"_{one}" for one in names} | made

    def _made(self, owner: Package) -> set[str]:
        """The accounts that a package makes when it is installed. Source: sysusers.d(5)."""
        packages, files = self._context.packages, self._context.files
        texts = [packages.installation(owner)]
        for one in sorted(filter(_SYSUSERS.fullmatch, packages.files(owner))):
            texts += (hit[0] for hit in _USER.finditer(decode(files.read(one) or b"")))
        words = {word for text in texts for word in _WORD.findall(text)} & self._known.keys()
        return {one for one in words if _PACKAGES <= self._known[one] < _FIRST_PERSON}

    def _told(self, data: bytes, where: str) -> Iterator[Need]:
        if not self._becomes:
            return
        for one in sorted({decode(hit["account"]) for hit in re.finditer(TOLD, data)}):
            if one in self._known and one not in _IN_EVERY_IMAGE:
                yield Account(one, Clue(f"{where} names the account {printable(one)}"))


def _accounts(passwd: bytes) -> dict[str, int]:
    """Names and ids of passwd(5) or group(5)."""
    found: dict[str, int] = {}
    for line in decode(passwd).split("\n"):
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdecimal():  # noqa: PLR2004 - NAME:x:ID
            found.setdefault(fields[0], int(fields[2]))
    return found
