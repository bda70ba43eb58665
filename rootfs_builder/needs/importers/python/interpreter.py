"""A process → where its Python looks for modules, as getpath.py and site.py find it.

An environment is a directory with a pyvenv.cfg: its modules are all in the image, and those of the
system are out of its sight, unless that file says otherwise.
"""

import sys
from collections.abc import Iterable, Iterator
from posixpath import normpath

from msgspec import Struct

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.sources import in_system
from rootfs_builder.needs.finder import Context, TextKind
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.importers.python import reader
from rootfs_builder.paths import SourcePath, below, join, name, parent

SETTINGS = "pyvenv.cfg"
LEFT_OUT = frozenset(  # of the standard library, by the rule python3
    (
        "_tkinter",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "test",
        "tkinter",
        "turtle",
        "turtledemo",
    )
)
_MODULES = (  # of packages, below the prefix; Debian's, then everybody's
    "local/lib/python{0}/dist-packages",
    "lib/python3/dist-packages",
    "lib/python{0}/dist-packages",
    "local/lib/python{0}/site-packages",
    "lib/python{0}/site-packages",
    "lib64/python{0}/site-packages",
)
_STARTS = frozenset((b"Py_Initialize", b"Py_InitializeEx", b"Py_InitializeFromConfig"))
_LIBS = ("lib", "lib64")
_MARKS = ("/site-packages", "/dist-packages")


class Scope(Struct, frozen=True):
    """Where the modules of a program are looked for before the installed ones.

    `script` is the script by whose place they are found, `start` its directory.
    """

    roots: tuple[str, ...] = ()
    script: SourcePath | None = None
    start: str | None = None


class Interpreter(Struct, frozen=True):
    """The Python of one process.

    `library` has its standard library, `sites` the directories with modules of packages, those of
    .pth files too: `links` says which file names such a directory. `environments` are directories,
    `installed` those in them with modules; `isolated` says whether the system's are out of sight.
    `is_beside` says that the user's script runs in an environment and this Python does not: none of
    what is added is for it.
    """

    minor: str
    library: str
    sites: tuple[str, ...]
    links: dict[str, str]
    environments: tuple[str, ...]
    installed: tuple[str, ...]
    isolated: bool
    is_beside: bool

    @property
    def standard(self) -> tuple[str, ...]:
        """The directories of the standard library."""
        return (self.library, f"{self.library}/lib-dynload")

    def prefix(self, path: str) -> str:
        """What `sys.prefix` is to a text: its environment, or where the interpreter is."""
        inside = (one for one in self.environments if below(path, one))
        return next(inside, parent(parent(self.library)))

    def in_environment(self, path: str) -> bool:
        """Whether a path lies in an environment."""
        return any(below(path, one) for one in self.environments)

    def is_installed(self, path: str) -> bool:
        """Whether a path is that of a module in an environment, or in a directory like theirs."""
        return any(below(path, one) for one in self.installed)


def find(context: Context) -> Interpreter | None:
    """The Python of a process; None where it has no library."""
    files, minor = context.files, context.variables["minor"]
    called = parent(parent(context.program.opened))
    added = [parent(one) for one in files.added if name(one) == SETTINGS]
    here = [called] if files.is_file(join(called, SETTINGS)) else []
    settings = {one: _settings(files, join(one, SETTINGS)) for one in (*here, *added)}
    homes = [parent(one["home"]) for one in settings.values() if one.get("home")]
    prefixes = (called, parent(parent(context.program.real)), *homes, "/usr/local", "/usr")
    library = next(_libraries(files, prefixes, minor), None)
    if library is None:
        return None
    own = (f"{one}/{lib}/python3.{minor}/site-packages" for one in settings for lib in _LIBS)
    marks = ((one, mark) for one in files.added for mark in _MARKS if mark in one)
    alike = {one[: one.index(mark) + len(mark)] for one, mark in marks}
    beside, prefix = not here and _is_beside(context), parent(parent(library))
    sites = [f"{prefix}/{one.format(f'3.{minor}')}" for one in _MODULES]
    sites = [one for one in dict.fromkeys(sites) if files.kind(one) == "dir"]
    links = dict(_links(files, sites, int(minor.rstrip("t"))))
    return Interpreter(
        minor,
        library,
        (*sites, *links),
        links,
        tuple(settings),
        () if beside else tuple(dict.fromkeys((*own, *sorted(alike)))),
        _is_isolated(context, settings, bool(here)),
        beside,
    )


def _is_isolated(context: Context, settings: dict[str, dict[str, str]], called: bool) -> bool:
    """Whether it runs in an environment that does not have the system's modules."""
    inside = called or any(below(context.entry, one) for one in settings)
    system = "include-system-site-packages"
    return inside and not any(one.get(system) == "true" for one in settings.values())


def _is_beside(context: Context) -> bool:
    """Whether something starts this Python for a program that is a script of an environment."""
    started = () if context.is_named else context.given
    scripts = (one.path for one in started if one.kind is TextKind.STARTED)
    return any(context.files.is_file(join(home(context, one), SETTINGS)) for one in scripts)


def home(context: Context, path: str) -> str:
    """The directory whose bin has the Python that a script's first line names; "" for none."""
    script = context.files.script(path)
    program = (script.second or script.interpreter) if script else ""
    if "/" not in program:
        program = context.files.commands(context.search_path).get(program, "")
    return parent(parent(program))


def _libraries(files: ImageFiles, prefixes: Iterable[str], minor: str) -> Iterator[str]:
    for prefix in prefixes:
        for lib in _LIBS:
            directory = f"{prefix.rstrip('/')}/{lib}/python3.{minor}"
            if files.is_file(f"{directory}/os.py"):
                yield directory


def _settings(files: ImageFiles, path: str) -> dict[str, str]:
    """The keys of a pyvenv.cfg, with values in lower case but for paths."""
    found = {}
    for line in (files.read(path) or b"").decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        value = value.strip()
        found[key.strip().lower()] = value if "/" in value else value.lower()
    return found


def _links(files: ImageFiles, sites: Iterable[str], minor: int) -> Iterator[tuple[str, str]]:
    """The directories that .pth files put on sys.path, each with the file."""
    for site in sites:
        for one in files.names(site):
            if not one.endswith(".pth"):
                continue
            text = (files.read(join(site, one)) or b"").decode("utf-8", "replace")
            for directory in _listed(text, site, minor):
                if files.kind(directory) == "dir":
                    yield directory, join(site, one)


def _listed(text: str, site: str, minor: int) -> Iterator[str]:
    """What the lines of a .pth file name, or add to sys.path where they are code."""
    for line in map(str.strip, text.splitlines()):
        if line.startswith(("import ", "import\t")):
            found = reader.read(line.encode("utf-8", "replace"), minor).search
            yield from (normpath(one) for one in found if one.startswith("/"))
        elif line and not line.startswith("#"):
            yield normpath(join(site, line) if line[0] != "/" else line)


def embeds(context: Context) -> bool:
    """Whether the program of a process is another, which has Python in it."""
    return bool(context.elf_files.imports(context.program.real, _STARTS))


def modules_of_source(context: Context, python: Interpreter) -> Iterator[str]:
    """The modules that packages of the program's source have installed."""
    packages, program = context.packages, SourcePath(context.program.real)
    try:
        owner = packages.of_all((program,)).packages[program] if in_system(program) else None
        own = packages.kin(owner, needed=False).own if owner is not None else ()
    except InputError:  # which others say
        return
    for path in own:
        for site in python.sites:
            if below(path, site):
                yield path[len(site) + 1 :].partition("/")[0].partition(".")[0]


def is_built_in(module: str, context: Context) -> bool:
    """Whether a module is in the interpreter itself, which has the names of such as texts.

    Ours says which names may be; a version that is not ours may have more with an underscore.
    """
    if module not in sys.stdlib_module_names and not module.startswith("_"):
        return False
    text = f"{module}\0".encode()  # a linker keeps one text where it is the end of another
    own = [one for one in context.objects if name(one.real).startswith("libpython")]
    objects = (context.program, *own)
    return any(text in context.elf_files.contained(one.real, (text,)) for one in objects)


def opened_directories(context: Context) -> tuple[str, ...]:
    """Where the libraries of a process lie."""
    return tuple(dict.fromkeys(str(parent(one.real)) for one in context.objects))
