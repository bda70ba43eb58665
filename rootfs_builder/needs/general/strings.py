"""The bytes of a program or a text → the absolute paths that are spelt out in them.

A path ends where no name goes on, so a list with `:` or `;` gives each of its paths. One that ends
in a template's first character (`%s`, `*`, `${NAME}`) stands for the directory before it. What a
program looks for from its own place on (`/../share/NAME`, `lib/NAME`) is relative. Where a
language lays texts end to end without a NUL (Go, Rust), the next one follows at once: how much of
it is a path only the root can tell.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from rootfs_builder.elf.texts import UNTERMINATED
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.general import settings
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.paths import Key, decode

_TOPS = rb"usr|etc|opt|lib(?:32|64|x32)?|nix|s?bin|var|run|srv|home|root|tmp|dev|proc|sys"
_PATH = rb"/(?:" + _TOPS + rb")/[\w.+~@=/-]{1,400}[%$*{\[?]?"
_OTHER = r"/(?:var|run|srv|home|root|tmp|dev|proc|sys)/"  # no directory of the system's
_SOURCE_CODE = (
    r".*\.(?:ad[abs]|asm|cc?|cpp|cxx|f90|go|hh?|hpp|hs|java|mli?|nim|pas|pyx|rs|S|s|swift|vala|zig)"
)
_BINARY = 4096  # bytes at the beginning, of which no text has a NUL
_RELATIVE = rb"(?P<path>(?:libexec|lib|share)/[\w.+-][\w.+~@=/-]{1,200})"
RELATIVE = rb"\x00/?" + _RELATIVE + rb"(?=[\x00/%$])"  # a whole string
ABOVE = rb"\.\./" + _RELATIVE  # from the program's directory on; C++ lays the next one behind it
BESIDE = rb"\x00%s/(?P<path>[\w.+-]{3,100})(?=[\x00/])"  # joined to what it was built for
FACT = "paths v7"  # its name among facts of files
TEMPLATE = "%$*{[?"
LIBRARIES = (  # as a whole string, for dlopen(3)
    rb"\x00(?P<name>(?:/[\w.+/-]{1,200}/)?lib[\w.+-]{1,100}\.so(?:\.\d+)*)(?=\x00)"
)
_WITHIN = re.compile(rb"lib(?:(?!lib)[\w+.-]){1,60}?\.so\.\d+")  # where no text ends
WITHIN_FACT = "sonames within v2"
TEMPLATES = rb"(?P<name>lib[\w-]{3,60}%s[\w-]{0,20}\.so(?:\.\d+)?)(?=\x00)"  # of libraries
COMMANDS = (  # a word with arguments, for system(3): what is filled in, an option, one at once
    rb"\x00(?P<set>[A-Z]+=[^\x00 ]* )?(?P<at>/(?:usr/)?bin/)?(?P<word>[a-z][\w.+-]{1,40})(?= )"
    rb"(?=(?P<filled> [^\x00]{0,100}%s)?)"
    rb"(?=(?P<option>(?: [^\x00]{0,100})? --?\w)?)(?=(?P<first> --?[a-zA-Z])?)"
)
# A variable of a configuration or a script: `prefix = /usr`, `prefix /usr`, `DIR="$prefix/lib"`.
_SET = re.compile(
    rb"""(?m)^[ \t]*(?:(?:export|local|my|our|readonly|set)[ \t]+)*[$]?(?P<name>[A-Za-z_]\w*)"""
    rb"""(?:[ \t]*[:=]{1,2}[ \t]*|[ \t]+)"""
    rb"""["']?(?P<value>[/$][\w.+~@=/{}()$-]{1,200})["']?;?[ \t]*$"""
)
_USED = re.compile(rb"\$(?:\{(?P<braces>\w+)\}|\((?P<brackets>\w+)\)|(?P<name>\w+))")
_JOINED = re.compile(_USED.pattern + rb"(?:/[\w.+~@=-]+)+[/%$*{\[?]*")
_DEPTH = 5  # variables in the values of variables
_LONGEST = 1000  # characters of a path that is put together
XDG = frozenset((b"g_get_system_data_dirs",))  # XDG Base Directory Specification
XDG_VARIABLE = b"XDG_DATA_DIRS"
QUOTED = re.compile(rb"""(?P<quote>["'])(?P<word>[a-z][\w.+-]{1,40})(?P=quote)""")
SOUGHT = re.compile(  # what a function looks for in PATH, by its name
    rb"""(?:which|can_run|find_?(?:exec?|executable|program|command))\(\s?"""
    rb"""(?P<quote>["'])[\w.+-]{1,40}(?P=quote)(?:,\s?(?P=quote)[\w.+-]{1,40}(?P=quote)){0,9}"""
)
_LISTED = rb"""(?:'[\w.+-]{1,40}'|"[\w.+-]{1,40}")"""
LISTS = re.compile(  # of words: `['lsblk', 'udevadm']`, `qw(dig host)`
    rb"[\[({]\s*(?P<quoted>%b(?:\s*,\s*%b){1,30}),?\s*[\])}]" % (_LISTED, _LISTED)
    + rb"|(?:qw|%w)[\[({/](?P<bare>\s*[\w.+-]{1,40}(?:\s+[\w.+-]{1,40}){1,30}\s*)[\])}/]"
)
RUN_BY = re.compile(  # Tcl's `exec NAME` and `open "|NAME ..."`
    rb"""(?:["']\|[ ]*|\bexec[ ]+(?:-\w+[ ]+)*)(?P<word>[a-z][\w.+-]+)(?=[\s"'])"""
)
LISTED = re.compile(rb"[\w.+-]+")
PROGRAMS = rb"\x00(?P<path>/(?:usr/)?s?bin/[\w.+-]{1,40})(?=\x00)"
WHOLE = rb"\x00(?P<path>/[\w.+@/-]{2,250})(?=\x00)"
WORDS = rb"\x00(?P<word>[a-z][\w.+-]{1,40})(?=\x00)"
SHELL = "/bin/sh"  # of system(3) and popen(3)
BY_SHELL = frozenset((b"popen", b"system"))
RUN = frozenset(
    (b"execlp", b"execvp", b"execvpe", b"popen", b"posix_spawnp", b"system", b"g_spawn_async")
)
GO_EXEC = b"executable file not found in $PATH"  # os/exec, ErrNotFound
_EXEC = RUN | {
    *(b"execl", b"execle", b"execv", b"execve", b"posix_spawn", b"apr_proc_create", b"uv_spawn"),
    *(b"g_spawn_*sync*", b"g_subprocess_*new*", b"g_subprocess_launcher_spawn*"),
    *(b"_ZN8QProcess5start*", b"_ZN8QProcess7execute*"),
}
DLOPEN = frozenset(  # and what libraries make of it: GLib, libtool, Qt
    (
        *(b"dlmopen", b"dlopen", b"g_module_open", b"lt_dlopen", b"lt_dlopenext"),
        *(b"_ZN13QPluginLoaderC1ERK7QStringP7QObject", b"_ZN13QPluginLoader8instanceEv"),
    )
)


def starts(path: Key, elf_files: ElfFiles) -> bool:
    """Whether a program or a library starts other programs."""
    return bool(elf_files.imports(path, _EXEC) or elf_files.contained(path, (GO_EXEC,)))


class Strings(Struct, frozen=True):
    """The paths below the system's directories, sorted, each as it is spelt.

    The last character of one may be of TEMPLATE. Where they are `unterminated`, more may follow.
    """

    paths: tuple[str, ...] = ()
    unterminated: bool = False

    @property
    def whole(self) -> list[str]:
        """Those that are not templates, without empty parts, sorted."""
        each = (one for one in self.paths if one[-1] not in TEMPLATE)
        return sorted({"/" + "/".join(filter(None, one.split("/"))) for one in each})


def of_program(data: bytes) -> Strings:
    """The paths in the data of a program."""
    return Strings(_paths(data), any(one in data for one in UNTERMINATED))


def sonames_within(data: bytes) -> tuple[str, ...]:
    """The SONAMEs in the data of a program that lays texts end to end."""
    if not any(one in data for one in UNTERMINATED):
        return ()
    return tuple(sorted({decode(hit[0]) for hit in _WITHIN.finditer(data)}))


def in_text(path: str, files: ImageFiles) -> Strings:
    """The same for a file, remembered."""
    return files.fact(path, "paths of text v4", Strings, of_text, Strings())


def of_text(data: bytes) -> Strings:
    """The paths in a text; none in a binary file."""
    if b"\0" in data[:_BINARY]:
        return Strings()
    plain = settings.without_comments(data)
    return Strings(_paths(b"\n".join((plain, *_joined(plain)))))


def _joined(data: bytes) -> Iterator[bytes]:
    """The words of a text that begin with a variable, with the one value that it is seen to get."""
    values = dict[bytes, bytes]()
    for hit in _SET.finditer(data):
        known = values.setdefault(hit["name"], hit["value"])
        values[hit["name"]] = known if known == hit["value"] else b""

    def value(used: re.Match[bytes]) -> bytes:
        return values.get(used["braces"] or used["brackets"] or used["name"]) or used[0]

    for hit in _JOINED.finditer(data) if values else ():
        word = hit[0]
        for _ in range(_DEPTH):
            word = _USED.sub(value, word) if len(word) <= _LONGEST else b"$"
        if not word.startswith(b"$"):
            yield word


def _paths(data: bytes) -> tuple[str, ...]:
    found = {decode(hit[0]) for hit in re.finditer(_PATH, data)}
    return tuple(sorted(one for one in found if not _is_none(one)))


def _is_none(path: str) -> bool:
    """Whether it is where nobody's data are, or the place of some source code."""
    return bool(re.match(_OTHER, path) or re.fullmatch(_SOURCE_CODE, path) or "/../" in path)
