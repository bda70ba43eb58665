"""The doors of the house: which wing may import which, and what only one wing may do.

`WINGS` is the building order: a wing imports only wings above it. A broken door is a failing test,
and `test_the_check_itself` breaks each kind of door on purpose.
"""

import ast
from pathlib import Path

import pytest

from rootfs_builder.needs import general, importers

PACKAGE = Path(__file__).parent.parent / "rootfs_builder"

WINGS = (
    *("version", "choices", "paths", "errors", "findings", "platforms"),
    *("filesystem", "cache", "temporary", "output", "tools"),
    *("elf", "packages", "recipe", "loader", "needs", "plan", "image", "proof", "views"),
    *("pipeline", "commands", "cli"),
)
SIDES = ({"elf", "loader", "needs"}, {"image"})  # neither imports the other
SIBLINGS = {  # the same job for different formats: none imports another
    "packages": {
        path.stem for path in PACKAGE.glob("packages/*.py") if "def read(walker" in path.read_text()
    },
    "loader": {
        path.stem for path in PACKAGE.glob("loader/*.py") if "\nDIALECT = " in path.read_text()
    },
    "image.archives": {"docker", "oci", "skopeo_dir"},
    "needs.importers": set(importers.NAMES),
    "needs.general": {one.replace("-", "_") for one in general.NAMES},
    "commands": {
        path.stem for path in PACKAGE.glob("commands/*.py") if "@click.command" in path.read_text()
    },
}
ONLY_IN = {  # what is used → the wings that may use it
    "subprocess": {"tools"},
    "pty": {"tools"},
    "os.system": {"tools"},
    "os.fork": {"tools", "proof"},
    "os.execv": {"tools"},
    "os.execve": {"tools", "proof"},  # what runs in a root of its own, and nothing else
    "os.posix_spawn": {"tools"},
    "socket": set(),
    "urllib": set(),
    "http": set(),
    "ssl": set(),
    "time": {"cache", "commands", "proof"},  # sleep, deadlines, how long a run took: else a value
    "datetime.now": set(),
    "datetime.utcnow": set(),
    "tempfile": {"temporary"},
    "os.environ": {"commands", "cli", "temporary"},  # TMPDIR, as tempfile would
    "os.getenv": {"commands", "cli"},
    "sys.exit": {"commands", "cli"},
    "print": {"commands", "cli"},
}
MAX_LINES = 350
MAX_FUNCTION_LINES = 40  # without decorators and docstring


def modules():
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__main__.py"]


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def problems(name, source):
    """Every door that a module breaks, as sentences."""
    tree = ast.parse(source)
    wing = name.split(".")[0]
    for imported in _imports(tree):
        yield from _import_problems(name, wing, imported)
    for used in _used(tree):
        if used in ONLY_IN and wing not in ONLY_IN[used]:
            yield f"{name} uses {used}"
    if source.count("\n") > MAX_LINES:
        yield f"{name} has more than {MAX_LINES} lines: can one job leave?"
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = _lines(function)
            if lines > MAX_FUNCTION_LINES:
                yield f"{name}.{function.name} has {lines} lines, more than {MAX_FUNCTION_LINES}"


def _lines(function):
    """From `def` to the last line, less the docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


def _imports(tree):
    """The package's own modules that a module imports, below the package's name."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("rootfs_builder."):
                yield name.removeprefix("rootfs_builder.")


def _used(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Attribute | ast.Name):
            yield ast.unparse(node)


def _import_problems(name, wing, imported):
    other = imported.split(".")[0]
    if wing and WINGS.index(other) > WINGS.index(wing):
        yield f"{name} imports {other}, a wing below its own"
    for side, opposite in (SIDES, SIDES[::-1]):
        if wing in side and other in opposite:
            yield f"{name} imports {other}, of the other side of the house"
    for folder, siblings in SIBLINGS.items():
        pair = [one.removeprefix(f"{folder}.").split(".")[0] for one in (name, imported)]
        if pair[0] != pair[1] and siblings.issuperset(pair) and imported.startswith(f"{folder}."):
            yield f"{name} imports its sibling {pair[1]}"


def test_the_siblings_that_are_found_by_their_text():
    assert SIBLINGS["packages"] >= {"apk", "dpkg", "rpm"}
    assert SIBLINGS["loader"] == {"glibc", "musl"}
    assert "pack" in SIBLINGS["commands"]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_keeps_the_doors(path):
    assert list(problems(name_of(path), path.read_text())) == []


def cycles(sources):
    """The modules that import each other, in whatever way, under TYPE_CHECKING too.

    `sources` has the text of each module. That a module of a package is only imported after the
    package itself is no import that it makes.
    """
    graph = {
        name: {_module(imported, sources) for imported in _imports(ast.parse(text))}
        for name, text in sources.items()
    }
    reached = {name: _reached(graph, name) for name in graph}
    each = {
        tuple(sorted(one for one in reached[name] if name in reached[one]))
        for name in graph
        if name in reached[name]
    }
    return sorted(each)


def _module(imported, known):
    """The module of `from MODULE import NAME`, where the name may be a module itself."""
    return imported if imported in known else imported.rpartition(".")[0]


def _reached(graph, start):
    """All that a module imports, and what that imports, and so on."""
    seen, todo = set(), [start]
    while todo:
        new = graph.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return seen


def test_no_modules_import_each_other():
    assert cycles({name_of(path): path.read_text() for path in modules()}) == []


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ({"a": "from rootfs_builder.b import X", "b": "import rootfs_builder.c", "c": ""}, []),
        (
            {"a": "from rootfs_builder.b import X", "b": "def f():\n    import rootfs_builder.a"},
            [("a", "b")],
        ),
        (
            {
                "a": "if TYPE_CHECKING:\n    from rootfs_builder import b",
                "b": "import rootfs_builder.c",
                "c": "from rootfs_builder.a import X",
                "d": "import rootfs_builder.a",
            },
            [("a", "b", "c")],
        ),
        (
            {"a": "from rootfs_builder.a import b", "a.b": "from rootfs_builder.a import X"},
            [("a", "a.b")],
        ),
        ({"a": "from rootfs_builder.a import b", "a.b": ""}, []),
    ],
)
def test_the_check_for_cycles_itself(sources, found):
    assert cycles(sources) == found


def test_every_wing_is_in_the_table():
    found = {name_of(path).split(".")[0] for path in modules()} - {""}
    assert found == set(WINGS)


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("filesystem.root", "from rootfs_builder import elf", "a wing below its own"),
        ("elf.symbols", "from rootfs_builder.plan import Plan", "a wing below its own"),
        ("image.layers", "from rootfs_builder.loader import glibc", "other side of the house"),
        (
            "needs.trees",
            "def f():\n    from rootfs_builder import image",
            "other side of the house",
        ),
        ("loader.musl", "from rootfs_builder.loader import glibc", "its sibling glibc"),
        ("loader.musl", "from rootfs_builder.loader.glibc import LOADER", "its sibling glibc"),
        ("commands.why", "from rootfs_builder.commands.tree import command", "its sibling"),
        ("plan.stage", "import subprocess", "uses subprocess"),
        ("image.store", "import socket", "uses socket"),
        ("image.layers", "from time import time", "uses time"),
        ("pipeline", "datetime.now()", "datetime.now"),
        ("plan.planner", "x = os.environ['A']", "os.environ"),
        ("plan.stage", "sys.exit(1)", "sys.exit"),
        ("needs.collector", "print('x')", "uses print"),
        ("image.store", "import tempfile", "uses tempfile"),
        ("elf", "\n" * 351, "more than 350 lines"),
        ("elf", "def f():\n" + "    x = 1\n" * 40, "elf.f has 41 lines"),
        ("elf", "class A:\n    def f():\n" + "        x = 1\n" * 40, "elf.f has 41 lines"),
    ],
)
def test_the_check_itself(name, source, words):
    assert any(words in problem for problem in problems(name, source))


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n" + "    x = 1\n" * 39,
        'def f():\n    """Why.\n\n    More.\n    """\n' + "    x = 1\n" * 39,
        "@g(\n    1,\n)\ndef f():\n" + "    x = 1\n" * 39,
    ],
)
def test_a_function_of_forty_lines_is_short_enough(source):
    assert list(problems("elf", source)) == []
