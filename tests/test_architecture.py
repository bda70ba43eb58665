"""The doors of the house: which room may import which, and what only one room may do.

`ROOMS` is the building order: a room imports only rooms above it. A broken door is a failing test,
and `test_the_check_itself` breaks each kind of door on purpose.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "rootfs_builder"

ROOMS = (
    "errors",
    "paths",
    "capabilities",
    "root",
    "slices",
    "cache",
    "facts",
    "locale_archive",
    "walk",
    "depfile",
    "packages",
    "elf",
    "elf_symbols",
    "dlopen_notes",
    "plan",
    "toml_lines",
    "toml_tables",
    "codecs",
    "reference",
    "values",
    "recipe",
    "recipe_keys",
    "recipe_file",
    "tools",
    "steps",
    "batch",
    "sources",
    "ownership",
    "nss",
    "sensitive",
    "users",
    "link_map",
    "loaders",
    "objects",
    "process",
    "missing",
    "executable",
    "closure",
    "given",
    "evidence",
    "startup",
    "trees",
    "rules",
    "rule_files",
    "calls",
    "supplies",
    "collector",
    "placement",
    "relocation",
    "generated",
    "attributes",
    "mentions",
    "planner",
    "stripped",
    "budget",
    "replay",
    "verify",
    "tar",
    "image",
    "store",
    "split",
    "layers",
    "tar_headers",
    "unpack",
    "record",
    "archives",
    "inspection",
    "metadata",
    "stage",
    "output",
    "assemble",
    "commands",
    "cli",
)
ONLY = {
    "capabilities": {"errors"},
    "locale_archive": {"errors", "paths", "root"},
    "packages": {"errors", "paths", "root", "facts", "walk"},
    "elf": {"errors"},
    "elf_symbols": {"errors", "elf"},
    "dlopen_notes": {"errors", "elf"},
    "image": {"errors", "paths"},
    "codecs": {"errors"},
}
ELF_SIDE = {
    "elf",
    "elf_symbols",
    "dlopen_notes",
    "link_map",
    "loaders",
    "process",
    "missing",
    "executable",
    "objects",
    "evidence",
    "startup",
    "trees",
    "rules",
    "rule_files",
    "calls",
    "supplies",
    "collector",
}
OCI_SIDE = {"image", "codecs", "store", "layers", "unpack", "archives", "metadata"}
FOLDERS_OF_SIBLINGS = {"packages", "loaders", "archives", "commands"}
NOT_SIBLINGS = {
    "packages.database",
    "packages.wal",
    "loaders.ld_cache",
    "loaders.ld_so",
    "archives.packed",
    "archives.written",
    "commands.destinations",
    "commands.images",
    "commands.dependencies",
    "commands.jobserver",
    "commands.memory",
    "commands.building",
    "commands.keys",
    "commands.options",
    "commands.packing",
    "commands.terminal",
    "commands.workers",
}
PROCESS_ROOMS = {"tools"}
TERMINAL_ROOMS = {"commands", "cli"}
MAX_LINES = 350


def modules():
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__main__.py"]


def room_of(name):
    return name.split(".")[0]


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(tree):
    """The package's own modules that a module imports, below the package's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("rootfs_builder."):
                yield name.removeprefix("rootfs_builder.")


def problems(name, source):
    """Every door that a module breaks, as sentences."""
    tree = ast.parse(source)
    room = room_of(name)
    for imported in imports(tree):
        yield from _import_problems(name, room, imported)
    for node in ast.walk(tree):
        yield from _deed_problems(name, room, node)
    if source.count("\n") > MAX_LINES:
        yield f"{name} has more than {MAX_LINES} lines: can one job leave?"


def _import_problems(name, room, imported):
    other = room_of(imported)
    if other not in ROOMS:  # a name of the package itself, such as __version__
        return
    if other != room and ROOMS.index(other) > ROOMS.index(room):
        yield f"{name} imports {other}, a room below itself"
    if room in ONLY and other not in ONLY[room] | {room}:
        yield f"{name} imports {other}; it may import {sorted(ONLY[room])} only"
    sides = [side for side in (ELF_SIDE, OCI_SIDE) if room in side]
    for side, opposite in ((ELF_SIDE, OCI_SIDE), (OCI_SIDE, ELF_SIDE)):
        if side in sides and other in opposite:
            yield f"{name} imports {other}, of the other side of the house"
    if room == other and room in FOLDERS_OF_SIBLINGS and "." in name:
        sibling = ".".join(imported.split(".")[:2])
        if sibling not in NOT_SIBLINGS | {name, room} and (PACKAGE / _file(sibling)).exists():
            yield f"{name} imports its sibling {sibling}"


def _file(name):
    return name.replace(".", "/") + ".py"


FORBIDDEN_MODULES = {
    "subprocess": PROCESS_ROOMS,
    "pty": PROCESS_ROOMS,
    "socket": set(),
    "urllib": set(),
    "http": set(),
    "ssl": set(),
    "time": set(),  # the time comes in as a value
    "tempfile": TERMINAL_ROOMS,  # temporary paths are passed in
}
FORBIDDEN_NAMES = {
    "os.environ": TERMINAL_ROOMS,
    "os.getenv": TERMINAL_ROOMS,
    "sys.exit": TERMINAL_ROOMS,
    "print": TERMINAL_ROOMS,
    "datetime.now": set(),
    "datetime.utcnow": set(),
    "os.system": PROCESS_ROOMS,
    "os.fork": PROCESS_ROOMS,
    "os.execv": PROCESS_ROOMS,
    "os.posix_spawn": PROCESS_ROOMS,
}


def _deed_problems(name, room, node):
    """What only some rooms may do."""
    used = set()
    if isinstance(node, ast.Import):
        used = {alias.name.split(".")[0] for alias in node.names}
    elif isinstance(node, ast.ImportFrom) and node.module:
        used = {node.module.split(".")[0]}
    for module in used & FORBIDDEN_MODULES.keys():
        if room not in FORBIDDEN_MODULES[module]:
            yield f"{name} imports {module}"
    spelt = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
    if spelt in FORBIDDEN_NAMES and room not in FORBIDDEN_NAMES[spelt]:
        yield f"{name} uses {spelt}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_keeps_the_doors(path):
    assert list(problems(name_of(path), path.read_text())) == []


def test_every_room_is_in_the_table():
    found = {name_of(path).split(".")[0] for path in modules()} - {""}
    assert found == set(ROOMS)


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("root", "from rootfs_builder import elf", "a room below itself"),
        ("elf", "from rootfs_builder.paths import decode", "may import ['errors'] only"),
        ("layers", "from rootfs_builder.loaders import glibc", "other side of the house"),
        ("collector", "def f():\n    from rootfs_builder import image", "other side of the house"),
        ("loaders.musl", "from rootfs_builder.loaders import glibc", "its sibling loaders.glibc"),
        ("commands.why", "from rootfs_builder.commands.tree import command", "its sibling"),
        ("stage", "import subprocess", "imports subprocess"),
        ("store", "import socket", "imports socket"),
        ("layers", "from time import time", "imports time"),
        ("assemble", "datetime.now()", "datetime.now"),
        ("planner", "x = os.environ['A']", "os.environ"),
        ("stage", "sys.exit(1)", "sys.exit"),
        ("collector", "print('x')", "uses print"),
        ("store", "import tempfile", "imports tempfile"),
        ("elf", "\n" * 351, "more than 350 lines"),
    ],
)
def test_the_check_itself(name, source, words):
    assert any(words in problem for problem in problems(name, source))
