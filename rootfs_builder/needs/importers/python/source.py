"""What a module or script in Python imports, opens and names, as a value; `reader` finds it."""

from enum import IntEnum

from msgspec import Struct


class How(IntEnum):
    """When a statement is reached, or how surely a module, the least certain first.

    EACH: a module that is one of many, of which a program loads those that it can. MAIN: if the
    file is started.
    """

    LATER = 0
    EACH = 1
    GUARDED = 2
    ALWAYS = 3
    MAIN = 4


_NAMES = """
aifc asynchat asyncore audioop cgi cgitb chunk crypt distutils imghdr imp mailcap nis nntplib
pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib
"""
REMOVED = frozenset(_NAMES.split())  # from the standard library since 3.12: no metadata names them


class Import(Struct, frozen=True, array_like=True):
    """An import: of `names` from `module`, or of it; `level` is the number of dots before.

    It is needed only where one of `unless` is missing. Names behind `*` are `__all__`: of a package
    those of modules are imported with it.
    """

    module: str
    names: tuple[str, ...]
    level: int
    line: int
    how: How
    unless: tuple[str, ...] = ()


class Opened(Struct, frozen=True, array_like=True):
    """A library by its name for dlopen(3), or as the linker names it (`linked`)."""

    name: str
    line: int
    how: How
    linked: bool = False


class EntryPoint(Struct, frozen=True, array_like=True):
    """An entry point of a distribution that is looked up by its name."""

    distribution: str
    group: str
    name: str


class Source(Struct, frozen=True, array_like=True):
    """What a text shows.

    `readable` says whether it is Python as we know it. `files` and `search` are paths: opened by
    the file's own place, and put on sys.path. `strings` are dotted names, `lists` the elements of
    lists with one of these. `dynamic` are beginnings of the names of modules that are put together
    when it runs, "" for one of its own package; in a loop with `*` behind it. `distributions` and
    `groups` are asked of the metadata; "" is the module's own. `zones` are names of time zones,
    and directories of them. Of the packages `resources` files are read. `programs` are started, by
    their names or paths, `lines` are run by a shell, and `commands` are names with an option, or
    paths of programs, which something else may start. It is `cut` where there were more strings
    than are kept; `warns` says whether Python warns when it compiles it.
    """

    readable: bool = True
    imports: tuple[Import, ...] = ()
    libraries: tuple[Opened, ...] = ()
    files: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()
    lists: tuple[tuple[str, ...], ...] = ()
    dynamic: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    entry_points: tuple[EntryPoint, ...] = ()
    groups: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    cut: bool = False
    warns: bool = False
