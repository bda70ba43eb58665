"""What the importer of Python needs for a small tree, one case a thing that the language does."""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rootfs_builder.findings import Finding
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.closure import Tree
from rootfs_builder.needs.clues import Clue
from rootfs_builder.needs.finder import Context, File, LeftOut, Library, Text, TextKind
from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.importers import python
from rootfs_builder.needs.importers.commands import Commands
from rootfs_builder.needs.importers.python import conditions, outside, reader
from rootfs_builder.needs.importers.python.interpreter import LEFT_OUT
from rootfs_builder.needs.importers.python.source import How
from rootfs_builder.needs.rules import load
from rootfs_builder.plan import PlanRoot
from tests import importing, trees
from tests.importing import Package

LIBRARY = "/usr/lib/python3.11"
SITE = "/usr/lib/python3/dist-packages"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
SCRIPT = "/home/me/app/run"
COMPILED = f"{SITE}/fast.cpython-311-x86_64-linux-gnu.so"
NAMED = {COMPILED: [b"yaml.cyaml", b"an", b"yaml.nothing", b"sys"]}  # texts in a library


class Packages:
    """Everything of a directory of /usr/share belongs to the package of its name.

    But in `all` each file is of another.
    """

    def installed(self, name):
        assert name
        return ()

    def of_all(self, paths):
        return SimpleNamespace(
            packages={
                one: Package(one if "/all/" in one else [*one.split("/"), "", "", ""][3])
                for one in paths
            }
        )

    def related(self, _):
        return SimpleNamespace(needed=(), required=(), least=(), essential=False)

    def requires(self, package, other):
        return package == other

    def reaches(self, package, other):
        return package == other

    def size(self, _):
        return 0

    def kin(self, _, *, needed):
        assert not needed
        return SimpleNamespace(own={f"{SITE}/yaml/__init__.py", "/usr/share/doc/yaml"})


def needs(
    files,
    *,
    script=SCRIPT,
    added=(),
    brought=(),
    arguments=(),
    variables=(),
    entry="",
    embeds=False,
    **options,
):
    """What is needed where a script is started, or the interpreter itself with arguments."""
    tree = {f"{LIBRARY}/os.py": "", f"{LIBRARY}/lib-dynload/": "dir 0755", f"{SITE}/": "dir 0755"}
    for path, text in files.items():
        tree[path] = (
            text if path.endswith("/") or text.startswith("symlink ") else f"file 0644 {text}"
        )
    tree = {
        path: w if w.startswith(("file", "dir", "symlink")) else f"file 0644 {w}"
        for path, w in tree.items()
    }
    root = PlanRoot(trees.plan(tree))
    elf_files = ElfFiles(root)
    nodes = tuple((path, root.lstat(path)) for path in added)
    trees_added = [Tree(path, path, ((path, node),)) for path, node in nodes]
    opened = options.pop("opened", "/usr/bin/python3")
    context = Context(
        program=SimpleNamespace(opened=opened, real="/usr/bin/python3.11"),
        objects=(SimpleNamespace(real="/usr/lib/x86_64-linux-gnu/libc.so.6"),),
        variables={"minor": "11", **options.pop("bound", {})},
        values=(),
        arguments=tuple(arguments),
        entry=entry,
        is_named=script is None,
        chosen=frozenset(),
        environment=dict(variables),
        search_path=("/usr/bin",),
        directory=options.pop("directory", "/"),
        user="",
        files=ImageFiles(elf_files, trees_added),
        elf_files=SimpleNamespace(
            imports=lambda path, symbols: symbols if embeds or ".so" in path else frozenset(),
            search=lambda path, _: [{"name": one} for one in NAMED.get(path, ())],
            contained=lambda _, texts: {b"sys\0", b"time\0"} & set(texts),
        ),
        packages=options.pop("packages", Packages()),
        given=options.pop("given", ()),
    )
    finder = python.make(context)
    found = [*finder.process()]
    if script is not None:
        found += finder.text(Text(script, TextKind.STARTED))
    for path in added:
        found += finder.text(Text(path, TextKind.ADDED))
    for path in brought:
        found += finder.text(Text(path, TextKind.BROUGHT))
    return found


def files(found):
    return {one.path for one in found if isinstance(one, File)}


def warnings(found):
    return [one.text for one in found if isinstance(one, Finding)]


def started(text, more=None, **options):
    return needs({SCRIPT: f"#!/usr/bin/python3\n{text}", **(more or {})}, **options)


PACKAGE = {f"{SITE}/yaml/__init__.py": "", f"{SITE}/yaml/cyaml.py": "import fast"}
FAST = {COMPILED: "x", f"{SITE}/fast.cpython-312-x.so": "x"}


IMPORTS = {
    "a package of data alone": (
        "import sys\nsys.path.append('/usr/share')\nresources.files('words')",
        {"/usr/share/words/a.dic": ""},
        {"/usr/share/words"},
    ),
    "all of its own package": (
        "import a.b",
        {f"{SITE}/a/__init__.py": "", f"{SITE}/a/b.py": "from . import *"},
        {f"{SITE}/a"},
    ),
    "a package comes whole": ("import yaml", PACKAGE, {f"{SITE}/yaml"}),
    "what a submodule imports comes with it": (
        "import yaml.cyaml",
        PACKAGE | FAST,
        {f"{SITE}/yaml", f"{SITE}/fast.cpython-311-x86_64-linux-gnu.so"},
    ),
    "an unread submodule brings nothing": ("import yaml", PACKAGE | FAST, {f"{SITE}/yaml"}),
    "a name from a package may be a module": (
        "from yaml import cyaml",
        PACKAGE | FAST,
        {f"{SITE}/yaml", f"{SITE}/fast.cpython-311-x86_64-linux-gnu.so"},
    ),
    "in a function": ("def f():\n    import yaml", PACKAGE, {f"{SITE}/yaml"}),
    "behind a try": (
        "try:\n    import yaml\nexcept ImportError: pass",
        PACKAGE,
        {f"{SITE}/yaml"},
    ),
    "not for types alone": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import yaml",
        PACKAGE | {f"{LIBRARY}/typing.py": ""},
        set(),
    ),
    "not for another system": (
        "import sys\nif sys.platform == 'win32':\n    import yaml",
        PACKAGE,
        set(),
    ),
    "not for an older version": (
        "import sys\nif sys.version_info < (3, 8):\n    import yaml",
        PACKAGE,
        set(),
    ),
    "an alternative is not needed": (
        "try:\n    import yaml\nexcept ImportError:\n    import fast",
        PACKAGE | FAST,
        {f"{SITE}/yaml"},
    ),
    "by a call": (
        "import importlib\nimportlib.import_module('yaml')",
        PACKAGE | {f"{LIBRARY}/importlib/__init__.py": ""},
        {f"{SITE}/yaml"},
    ),
    "by __import__": ("__import__('yaml')", PACKAGE, {f"{SITE}/yaml"}),
    "relative ones": (
        "import a.b",
        {
            f"{SITE}/a/__init__.py": "",
            f"{SITE}/a/b.py": "from . import c\nfrom .d import e",
            f"{SITE}/a/c.py": "import one",
            f"{SITE}/a/d.py": "import two",
            f"{SITE}/one.py": "",
            f"{SITE}/two.py": "",
        },
        {f"{SITE}/a", f"{SITE}/one.py", f"{SITE}/two.py"},
    ),
    "names made when it runs": (
        "import importlib, a\nimportlib.import_module('a.plugins.' + x)",
        {
            f"{LIBRARY}/importlib/__init__.py": "",
            f"{SITE}/a/__init__.py": "",
            f"{SITE}/a/plugins/__init__.py": "",
            f"{SITE}/a/plugins/p.py": "import one",
            f"{SITE}/one.py": "",
        },
        {f"{SITE}/a", f"{SITE}/one.py"},
    ),
    "an extension module names others": (
        "import fast",
        {
            COMPILED: "x",
            f"{SITE}/yaml/__init__.py": "",
            f"{SITE}/yaml/cyaml.py": "import one",
            f"{SITE}/one.py": "",
        },
        {COMPILED, f"{SITE}/yaml", f"{SITE}/one.py"},
    ),
    "the source of an extension module is beside it": (
        "import quick",
        {f"{SITE}/quick.abi3.so": "x", f"{SITE}/quick.py": "import one", f"{SITE}/one.py": ""},
        {f"{SITE}/quick.abi3.so", f"{SITE}/one.py"},
    ),
    "plugins by the name of their group": (
        "Manager(namespace='app.plugins')",
        {
            f"{SITE}/plugin.py": "",
            f"{SITE}/plugin-1.dist-info/entry_points.txt": "[app.plugins]\np=plugin:P",
        },
        {f"{SITE}/plugin.py", f"{SITE}/plugin-1.dist-info"},
    ),
    "names in lists": (
        "APPS = ['a.apps', 'one']",
        {f"{SITE}/a/__init__.py": "", f"{SITE}/a/apps.py": "", f"{SITE}/one.py": ""},
        {f"{SITE}/a", f"{SITE}/one.py"},
    ),
    "parts of a namespace": (
        "import ns.a",
        {f"{SITE}/ns/a/__init__.py": "", f"{SITE}/ns/b/__init__.py": ""},
        {f"{SITE}/ns/a"},
    ),
    "beside the script": (
        "import words\nimport shop.cart",
        {
            "/home/me/app/words.py": "import yaml",
            "/home/me/app/shop/__init__.py": "",
            "/home/me/app/shop/cart.py": "from . import prices",
            "/home/me/app/shop/prices.py": "",
            **PACKAGE,
        },
        {"/home/me/app/words.py", "/home/me/app/shop", f"{SITE}/yaml"},
    ),
    "a file by the script's place": (
        "from pathlib import Path\nopen(Path(__file__).parent / 'data' / 'a.txt')",
        {"/home/me/app/data/a.txt": "", f"{LIBRARY}/pathlib.py": ""},
        {"/home/me/app/data/a.txt"},
    ),
    "a directory by a name that is kept": (
        "from os.path import *\nHERE = dirname(abspath(__file__))\njoin(HERE, 'data', name)",
        {"/home/me/app/data/a.txt": ""},
        {"/home/me/app/data"},
    ),
    "a file below the prefix": (
        "import os, sys\nopen(os.path.join(sys.prefix, 'share', 'tool', 'a'))",
        {"/usr/share/tool/a": "", "/usr/share/tool/b": ""},
        {"/usr/share/tool/a"},
    ),
    "a place that begins anew at the prefix": (
        "import os, sys\nos.path.join(os.path.dirname(__file__), sys.prefix, 'share/tool/a')",
        {"/usr/share/tool/a": ""},
        {"/usr/share/tool/a"},
    ),
    "not all that is around it": (
        "import os\nos.listdir(os.path.dirname(__file__))",
        {"/home/me/app/b": ""},
        set(),
    ),
    "a directory put on sys.path": (
        "import sys\nsys.path.insert(0, '/usr/share/tool')\nimport inside",
        {"/usr/share/tool/inside.py": "import yaml", "/usr/share/tool/data": "", **PACKAGE},
        {"/usr/share/tool", "/usr/share/tool/inside.py", f"{SITE}/yaml"},
    ),
    "not all of one that many packages share": (
        "import sys\nsys.path.insert(0, '/usr/share/all')\nimport inside",
        {f"/usr/share/all/{one}": "" for one in ("inside.py", "a.py", "b.py", "c.py")},
        {"/usr/share/all/inside.py"},
    ),
    "one beside the script": (
        "import sys\nsys.path.append(join(dirname(__file__), 'lib'))\nimport inside",
        {"/home/me/app/lib/inside.py": ""},
        {"/home/me/app/lib", "/home/me/app/lib/inside.py"},
    ),
    "a directory that the code of a .pth file adds": (
        "import inside",
        {
            f"{SITE}/tool.pth": (
                "import os; d = '/usr/lib/tool'; d = os.path.join(os.getenv('T') or d, 'lib'); "
                "d in sys.path or sys.path.append(d)\n"
            ),
            "/usr/lib/tool/lib/inside.py": "",
        },
        {f"{SITE}/tool.pth", "/usr/lib/tool/lib/inside.py"},
    ),
    "a directory of a .pth file": (
        "import inside",
        {f"{SITE}/tool.pth": "# a\n../../tool\nimport os\n", "/usr/lib/tool/inside.py": ""},
        {f"{SITE}/tool.pth", "/usr/lib/tool/inside.py"},
    ),
    "the library's own windows": (
        "import tkinter",
        {
            f"{LIBRARY}/tkinter/__init__.py": "import _tkinter",
            f"{LIBRARY}/lib-dynload/_tkinter.cpython-311-x.so": "x",
        },
        {f"{LIBRARY}/tkinter", f"{LIBRARY}/lib-dynload/_tkinter.cpython-311-x.so"},
    ),
    "time zones": (
        "import zoneinfo\nzoneinfo.ZoneInfo('Europe/Berlin')",
        {
            f"{LIBRARY}/zoneinfo/__init__.py": "",
            "/usr/share/zoneinfo/UTC": "",
            "/usr/share/zoneinfo/Europe/Berlin": "",
            "/usr/share/zoneinfo/Europe/Paris": "",
        },
        {"/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/Europe/Berlin"},
    ),
    "the zones of a package that reads them itself": (
        "import zones",
        {
            f"{SITE}/zones/__init__.py": "DIRECTORY = '/usr/share/zoneinfo'",
            "/usr/share/zoneinfo/UTC": "",
            "/usr/share/zoneinfo/zone.tab": "",
            "/usr/share/zoneinfo/x": "",
        },
        {f"{SITE}/zones", "/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/zone.tab"},
    ),
    "a test directory that is imported": (
        "import a.tests.util",
        {
            f"{SITE}/a/__init__.py": "",
            f"{SITE}/a/tests/__init__.py": "",
            f"{SITE}/a/tests/util.py": "",
        },
        {f"{SITE}/a", f"{SITE}/a/tests/__init__.py", f"{SITE}/a/tests/util.py"},
    ),
}


@pytest.mark.parametrize(("text", "more", "expected"), IMPORTS.values(), ids=IMPORTS)
def test_what_is_imported_comes(text, more, expected):
    found = started(text, more)
    assert files(found) == expected
    assert warnings(found) == []


def test_a_module_that_is_nowhere_is_a_warning_with_its_line():
    (text,) = warnings(started("import sys, time\nimport nowhere.at_all"))
    assert text.startswith(f"{SCRIPT}:3: the module nowhere.at_all was not found; install it")


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import nowhere\nexcept ImportError:\n    nowhere = None",
        "def f():\n    import nowhere",
        "if x:\n    import nowhere",
        "from contextlib import suppress\nwith suppress(ImportError):\n    import nowhere",
        "from six.moves import urllib",
    ],
)
def test_no_warning_where_the_script_is_ready_for_it(text):
    more = {f"{SITE}/six.py": "", f"{LIBRARY}/contextlib.py": ""}
    assert warnings(started(text, more)) == []


def test_a_package_at_times_imports_what_it_may_do_without():
    more = {
        f"{SITE}/a/__init__.py": "def f():\n    import needed\n    import extra",
        f"{SITE}/a-1.dist-info/METADATA": (
            "Metadata-Version: 2.1\nRequires-Dist: needed\nRequires-Dist: extra; extra == 'x'\n"
        ),
        f"{SITE}/needed.py": "",
        f"{SITE}/needed-1.egg-info": "Metadata-Version: 1.1\n",
        f"{SITE}/extra.py": "",
        f"{SITE}/extra-1.dist-info/METADATA": "Metadata-Version: 2.1\n",
    }
    assert files(started("import a", more)) == {
        f"{SITE}/{one}" for one in ("a", "a-1.dist-info", "needed.py", "needed-1.egg-info")
    }


@pytest.mark.parametrize("call", ["import extra", "utils.try_import('extra')"])
@pytest.mark.parametrize(("script", "out"), [("python3-run", {"extra.py"}), ("run", set())])
def test_what_the_scripts_own_module_imports_at_times_is_a_hint(call, script, out):
    """If no package declares it: osprofiler's driver for messages tries oslo_messaging."""
    metadata = "Metadata-Version: 2.1\n"
    more = {
        f"/usr/bin/{script}": "#!/usr/bin/python3\nimport a",
        f"{SITE}/a/__init__.py": f"def f():\n    {call}\n    try_import(name)",
        f"{SITE}/a-1.dist-info/METADATA": metadata,
        f"{SITE}/extra.py": "",
        f"{SITE}/extra-1.dist-info/METADATA": metadata,
    }
    found = needs(more, script=f"/usr/bin/{script}")
    assert files(found) == {f"{SITE}/a", f"{SITE}/a-1.dist-info"}
    assert {one.path.removeprefix(f"{SITE}/") for one in found if isinstance(one, LeftOut)} == out


def test_metadata_of_a_distribution_that_is_not_named_like_its_module():
    more = {
        f"{SITE}/cli/__init__.py": "",
        f"{SITE}/cli/main.py": "import one",
        f"{SITE}/one.py": "",
        f"{SITE}/Great_Tool-1.0.dist-info/entry_points.txt": (
            "[console_scripts]\ntool = cli.main:run\n"
        ),
        f"{SITE}/Great_Tool-1.0.dist-info/RECORD": "cli/__init__.py,,\n../../bin/tool,,\n",
        f"{SITE}/Great_Tool-1.0.dist-info/METADATA": "Metadata-Version: 2.1\n",
    }
    expected = {f"{SITE}/cli", f"{SITE}/one.py", f"{SITE}/Great_Tool-1.0.dist-info"}
    assert files(started("import cli.main", more)) == expected
    text = (
        "try:\n    from pkg_resources import load_entry_point\nexcept ImportError: pass\n"
        "load_entry_point('great-tool==1.0', 'console_scripts', 'tool')"
    )
    assert files(started(text, more)) == expected


def test_plugins_of_a_group_come():
    more = {
        f"{SITE}/plugin.py": "",
        f"{SITE}/plugin-1.dist-info/entry_points.txt": (
            "[app.plugins]\np = plugin:P\n[console_scripts]\nx = y:z\n"
        ),
        f"{LIBRARY}/importlib/metadata/__init__.py": "",
        f"{LIBRARY}/importlib/__init__.py": "",
    }
    text = "from importlib.metadata import entry_points\nentry_points(group='app.plugins')"
    found = started(text, more)
    assert files(found) == {f"{SITE}/plugin.py", f"{SITE}/plugin-1.dist-info"}


def test_libraries_are_opened_by_the_process():
    text = (
        "import ctypes, ctypes.util\nctypes.CDLL('liba.so.1')\nNAME = 'libb.so.2'\n"
        "ctypes.util.find_library('c')"
    )
    more = {
        f"{LIBRARY}/ctypes/__init__.py": "",
        f"{LIBRARY}/ctypes/util.py": "",
        f"{LIBRARIES}/libc.so.3": "",
        "/sbin/ldconfig": "",
    }
    needed = started(text, more)
    found = [one for one in needed if isinstance(one, Library)]
    assert "/sbin/ldconfig" in files(needed)  # by which find_library looks
    assert "/sbin/ldconfig" not in files(started("find_library('none')", more))
    more[f"{LIBRARIES}/libd.so.4.13"] = more[f"{LIBRARIES}/libd.so.4.13.1"] = ""
    versioned = started("import ctypes.util\nctypes.util.find_library('d')", more)
    assert [one.name for one in versioned if isinstance(one, Library)] == ["libd.so.4.13"]
    assert [(one.name, one.optional) for one in found] == [
        ("liba.so.1", False),
        ("libb.so.2", True),
        ("libc.so.3", True),
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-m", "yaml"), {f"{SITE}/yaml"}),
        (("-Im", "yaml", "-x"), {f"{SITE}/yaml"}),
        (("-c", "import yaml"), {f"{SITE}/yaml"}),
        (("-W", "error", "-cimport yaml"), {f"{SITE}/yaml"}),
        (("/srv/app.py", "x"), {f"{SITE}/yaml"}),
        (("app.py",), {f"{SITE}/yaml"}),
        (("-m", "sys", "yaml.cyaml:app"), {f"{SITE}/yaml"}),
        (("-m", "sys", "yaml.cyaml"), {f"{SITE}/yaml"}),
    ],
)
def test_arguments_of_the_interpreter(arguments, expected):
    tree = {**PACKAGE, "/srv/app.py": "import yaml", f"{LIBRARY}/sys.py": ""}
    found = needs(
        tree,
        script=None,
        added=["/srv/app.py"] if "app.py" in str(arguments) else [],
        arguments=arguments,
        directory="/srv",
    )
    assert files(found) == expected


def test_a_module_of_m_that_is_nowhere_is_a_warning():
    (text,) = warnings(needs({}, script=None, arguments=("-m", "nowhere")))
    assert text.startswith("the argument -m nowhere: no such module")


def test_a_shell_script_that_runs_a_module():
    """Such as pyuic6; a second line for the shell is only Python's where that quotes it."""
    run = '#!/bin/sh\nexec /usr/bin/python3 -m tool.run ${1+"$@"}\n'
    tree = {f"{SITE}/tool/__init__.py": "", f"{SITE}/tool/run.py": "import json\n"}
    assert files(needs({SCRIPT: run, **tree})) == {f"{SITE}/tool"}


def test_the_hint_about_modules_is_for_an_interpreter_alone():
    assert "python3-modules=yaml" in warnings(needs(PACKAGE, script=None))[0]
    assert warnings(needs(PACKAGE, script=None, arguments=["-c", "pass"])) == []
    assert warnings(started("pass", PACKAGE)) == []
    added = {**PACKAGE, "/venv/pyvenv.cfg": "home = /usr/bin\n"}
    assert warnings(needs(added, script=None, added=["/venv/pyvenv.cfg"])) == []


VENV = {
    "/venv/pyvenv.cfg": "home = /usr/bin\ninclude-system-site-packages = {}\n",
    "/venv/lib/python3.11/site-packages/a/__init__.py": (
        "import yaml\nimport ctypes\nctypes.CDLL('liba.so.1')"
    ),
}


@pytest.mark.parametrize(("system", "expected"), [("false", set()), ("true", {f"{SITE}/yaml"})])
def test_an_environment_sees_the_systems_modules_where_it_says_so(system, expected):
    tree = {path: text.format(system) for path, text in VENV.items()}
    tree |= {**PACKAGE, "/srv/app.py": "import a", f"{LIBRARY}/ctypes/__init__.py": ""}
    added = [*VENV, "/srv/app.py"]
    found = needs(
        tree, script=None, added=added, arguments=["/srv/app.py"], entry="/venv/bin/python"
    )
    assert files(found) == expected
    assert "liba.so.1" in {one.name for one in found if isinstance(one, Library)}
    assert warnings(found) == []


BY_SHELL = "/bin/sh\n'''exec' /venv/bin/python \"$0\" \"$@\"\n' '''"  # as pip writes it


@pytest.mark.parametrize("first", ["/venv/bin/python", BY_SHELL])
@pytest.mark.parametrize(
    ("opened", "expected"), [("/venv/bin/python3", 1), ("/usr/bin/python3", 0)]
)
def test_a_script_of_an_environment_is_for_its_own_python(first, opened, expected):
    """The system's is in the image, too, as the environment has a link to it."""
    tree = {
        "/venv/pyvenv.cfg": "home = /usr/bin\n",
        "/venv/bin/run": f"#!{first}\nimport a",
        "/venv/bin/a.py": "",
        **PACKAGE,
    }
    assert len(needs(tree, script="/venv/bin/run", opened=opened)) == expected


@pytest.mark.parametrize("first", ["/venv/bin/python", "/usr/bin/python3"])
def test_what_is_added_is_not_for_a_python_beside_that_of_the_environment(first):
    """As the system's is, which comes with /usr/bin/pip where a module starts pip."""
    tree = {
        "/venv/pyvenv.cfg": "home = /usr/bin\n",
        "/venv/lib/python3.11/site-packages/a.py": "import yaml",
        "/srv/app.py": f"#!{first}\nimport a",
        "/srv/more.py": "import yaml",
        **PACKAGE,
    }
    added, given = (
        [one for one in tree if one not in PACKAGE],
        [Text("/srv/app.py", TextKind.STARTED)],
    )
    found = needs(tree, script="/srv/app.py", added=added, given=given)
    assert files(found) == (set() if "venv" in first else {f"{SITE}/yaml"})


def test_tests_of_an_added_tree_warn_of_nothing():
    tree = {"/srv/app/test_x.py": "import pytest", "/srv/app/x.py": "import other"}
    (text,) = warnings(needs(tree, script=None, added=list(tree), arguments=["-c", ""]))
    assert "/srv/app/x.py:1: the module other" in text


def test_added_files_find_each_other_without_being_copied():
    tree = {
        "/srv/app/x.py": "import shop.cart",
        "/srv/app/shop/__init__.py": "",
        "/srv/app/shop/cart.py": "from . import x",
    }
    assert needs(tree, script=None, added=list(tree), arguments=["-c", ""]) == []


def test_pythonpath_is_searched():
    tree = {"/opt/mine/a.py": ""}
    found = started("import a", tree, variables={"PYTHONPATH": "/opt/mine"}.items())
    assert files(found) == {"/opt/mine/a.py"}


def test_distutils_is_setuptools_where_python_has_none():
    shims = {f"{SITE}/_distutils_hack/__init__.py": "", f"{SITE}/distutils-precedence.pth": ""}
    tree = {f"{SITE}/setuptools/__init__.py": "", f"{SITE}/setuptools/_distutils/version.py": ""}
    comes = {
        f"{SITE}/{one}" for one in ("setuptools", "_distutils_hack", "distutils-precedence.pth")
    }
    assert files(started("import distutils.version", tree | shims)) == comes
    assert len(warnings(started("import distutils.version", tree))) == 1  # nothing puts it there
    own = {f"{LIBRARY}/distutils/__init__.py": "", f"{LIBRARY}/distutils/version.py": ""}
    assert not comes & files(started("import distutils.version", tree | shims | own))


def test_a_value_of_with_brings_what_its_module_imports():
    tree = {**PACKAGE, f"{SITE}/yaml/__init__.py": "import one", f"{SITE}/one.py": ""}
    found = needs(tree, script=None, bound={"value": "yaml"})
    assert files(found) == {f"{SITE}/yaml", f"{SITE}/one.py"}


def test_a_script_that_cannot_be_read_is_a_warning():
    (text,) = warnings(started("print 'two'"))
    assert "is not Python as this version reads it" in text


def test_what_the_rule_leaves_out_of_the_library_is_what_an_import_brings():
    (rule,) = [one for one in load() if one.name == "python3"]
    names = {one.removesuffix(".py").removesuffix("*.so") for one in rule.omit}
    assert names >= LEFT_OUT
    windows = {"idlelib", "lib2to3", "tkinter", "turtle", "turtledemo", "ensurepip"}
    assert names & sys.stdlib_module_names & windows <= LEFT_OUT


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("sys.version_info >= (3, 11)", True),
        ("sys.version_info[0] == 2", False),
        ("sys.version_info[:2] < (3, 12)", True),
        ("sys.version_info.minor > 20", False),
        ("sys.platform.startswith('win')", False),
        ("os.name == 'nt' or sys.platform == 'linux'", True),
        ("not TYPE_CHECKING and x", None),
        ("sys.platform in ('darwin', 'win32')", False),
        ("x == 1", None),
        ("sys.version_info < x", None),
        ("sys.version_info < 'a'", None),
    ],
)
def test_conditions_that_are_known(test, expected):
    assert conditions.truth(ast.parse(test, mode="eval").body, 11) is expected


def test_all_of_pythons_own_library_is_read():
    for path in sorted(Path(ast.__file__).parent.glob("*.py"))[:40]:
        source = reader.read(path.read_bytes(), sys.version_info.minor)
        tops = {one.module for one in source.imports if one.how is How.ALWAYS and not one.level}
        assert source.readable
        tree = ast.parse(path.read_bytes())
        plain = {
            one.module for one in tree.body if isinstance(one, ast.ImportFrom) and not one.level
        }
        assert tops >= plain


def distribution(name, *requires):
    lines = "".join(f"Requires-Dist: {one}\n" for one in requires)
    return {f"{SITE}/{name}-1.dist-info/METADATA": f"Metadata-Version: 2.1\n{lines}"}


def modules(found):
    return {path[len(SITE) + 1 :] for path in files(found) if not path.endswith(".dist-info")}


@pytest.mark.parametrize(("package", "comes"), [("run", {"a", "one.py"}), ("other", {"a"})])
def test_of_the_scripts_own_plugins_comes_what_they_can_do_without(monkeypatch, package, comes):
    packages = importing.Packages({"/usr/bin/run": "run", f"{SITE}/a/plugins/p.py": package})
    monkeypatch.setattr(Packages, "of_all", lambda _, paths: packages.of_all(paths))
    tree = {
        "/usr/bin/run": "#!/usr/bin/python3\nimport a",
        f"{LIBRARY}/importlib/__init__.py": "",
        f"{SITE}/a/__init__.py": (
            "import importlib\nfor one in names:\n    importlib.import_module('a.plugins.' + one)"
        ),
        f"{SITE}/a/plugins/__init__.py": "",
        f"{SITE}/a/plugins/p.py": "try:\n    import one\nexcept ImportError: pass\nimport two",
        f"{SITE}/one.py": "",
        f"{SITE}/two.py": "",
        **distribution("a"),
        **distribution("one"),
        **distribution("two"),
    }
    assert modules(needs(tree, script="/usr/bin/run")) == comes


def test_what_the_system_package_needs_is_no_less_than_what_the_metadata_say(monkeypatch):
    """As Debian's docutils imports roman, which it has patched into it."""
    owner = {"a": "a", "one.py": "one", "two.py": "two"}
    monkeypatch.setattr(
        Packages,
        "of_all",
        lambda _, paths: SimpleNamespace(
            packages={one: owner.get(one[len(SITE) + 1 :].split("/")[0]) for one in paths}
        ),
    )
    monkeypatch.setattr(
        Packages, "related", lambda *_: SimpleNamespace(needed=("one",), required=())
    )
    monkeypatch.setattr(Packages, "requires", lambda *_: False)
    more = {
        f"{SITE}/a/__init__.py": "names = ['a.late']",
        f"{SITE}/a/late.py": "import one\nimport two",
        f"{SITE}/one.py": "",
        f"{SITE}/two.py": "",
        **distribution("a"),
        **distribution("one"),
        **distribution("two"),
    }
    assert modules(started("import a", more)) == {"a", "one.py"}


def test_what_the_scripts_package_requires_comes_where_another_may_use_it(monkeypatch):
    """As refnx requires PyQt6, which qtpy tries among others and does not declare."""
    packages = importing.Packages(
        {"/usr/bin/run": "run", f"{SITE}/one.py": "one", f"{SITE}/a.py": "a"},
        {"run": ("a", "one")},
    )
    monkeypatch.setattr(Packages, "of_all", lambda _, paths: packages.of_all(paths))
    monkeypatch.setattr(Packages, "requires", lambda _, one, other: packages.requires(one, other))
    monkeypatch.setattr(
        Packages,
        "related",
        lambda _, one: SimpleNamespace(needed=(), required=packages.needs.get(one, ())),
    )
    tree = {
        "/usr/bin/run": "#!/usr/bin/python3\nimport a",
        f"{SITE}/a.py": "def f():\n    import one\n    import two",
        f"{SITE}/one.py": "",
        f"{SITE}/two.py": "",
        **distribution("a"),
        **distribution("one"),
        **distribution("two"),
    }
    assert modules(needs(tree, script="/usr/bin/run")) == {"a.py", "one.py"}


def test_a_part_of_a_toolkit_requires_the_toolkit(monkeypatch):
    """As PyMca requires PyQt5.QtSvg, whose package requires that of PyQt5, and tries others."""
    packages = importing.Packages(
        {f"{SITE}/a.py": "a", f"{SITE}/qt.py": "qt", f"{SITE}/other.py": "other"},
        {"a": ("qt-svg", "another"), "qt-svg": ("qt",), "another": ("other",)},
    )
    monkeypatch.setattr(Packages, "of_all", lambda _, paths: packages.of_all(paths))
    monkeypatch.setattr(Packages, "related", lambda *_: SimpleNamespace(needed=(), required=()))
    monkeypatch.setattr(Packages, "requires", lambda _, one, other: packages.requires(one, other))
    more = {
        f"{SITE}/a.py": "def f():\n    try: import qt\n    except ImportError: import other",
        f"{SITE}/qt.py": "",
        f"{SITE}/other.py": "",
        **distribution("a"),
        **distribution("qt"),
        **distribution("other"),
    }
    assert modules(started("import a", more)) == {"a.py", "qt.py"}


def test_a_file_that_is_run_by_its_name():
    """As PyMca's commands run the text of one in a package that they import."""
    script = "import a.b as target\nexec(open(join(dirname(target.__file__), 'run.py')).read())"
    more = {
        f"{SITE}/a/__init__.py": "",
        f"{SITE}/a/b/__init__.py": "",
        f"{SITE}/a/b/run.py": "import one",
        f"{SITE}/one.py": "",
        f"{SITE}/run.py": "import two",
        f"{SITE}/two.py": "",
    }
    assert modules(started(script, more)) == {"a", "one.py"}


@pytest.mark.parametrize(
    ("given", "optional"),
    [
        ("name = 'libnone.so'", False),
        ("if not (name := find_library('none')):\n    name = 'libnone.so'", True),
    ],
)
def test_a_library_whose_name_is_another_in_most_runs_is_optional(given, optional):
    found = started(f"import ctypes\n{given}\nctypes.CDLL(name)", {f"{SITE}/a.py": ""})
    assert [one.optional for one in found if isinstance(one, Library)] == [optional]


@pytest.mark.parametrize(
    ("text", "computes"),
    [
        ("import ctypes\nctypes.CDLL(find('usb'))", True),
        ("for one in names:\n    one = find_library(one)", True),
        ("import ctypes\nctypes.CDLL(None)", False),
        ("import ctypes\nctypes.CDLL(ctypes.util.find_library('c'))", False),
        ("import ctypes\nctypes.CDLL('libusb.so.1')", False),
    ],
)
def test_a_library_of_a_computed_name_is_one_that_the_package_requires(monkeypatch, text, computes):
    """As PyUSB's, whose package requires libusb's, to which nothing is linked."""
    usb = Library("libusb-1.0.so.0", Clue("usb"), optional=True)
    monkeypatch.setattr(outside.unlinked, "of", lambda *_, of_others: [usb] if of_others else [])
    assert (usb in started("import a", {f"{SITE}/a.py": text})) == computes


def test_a_package_gets_the_plugins_of_what_is_needed_anyway():
    more = {
        f"{SITE}/a.py": "Manager('a.plugins')\nimport b",
        f"{SITE}/b/__init__.py": "",
        f"{SITE}/b/plugin.py": "import one",
        f"{SITE}/b-1.dist-info/entry_points.txt": "[a.plugins]\nb = b.plugin\n",
        f"{SITE}/c.py": "",
        f"{SITE}/c-1.dist-info/entry_points.txt": "[a.plugins]\nc = c\n",
        f"{SITE}/one.py": "",
        **distribution("a", "b"),
        **distribution("b", "one"),
        **distribution("c"),
    }
    assert modules(started("import a", more)) == {"a.py", "b", "one.py"}


def test_what_a_module_calls_when_it_is_imported_is_no_later_import():
    more = {
        f"{SITE}/a.py": (
            "def b():\n    c()\ndef c():\n    import one\ndef d():\n    import two\nb()"
        ),
        f"{SITE}/one.py": "",
        f"{SITE}/two.py": "",
        **distribution("a"),
        **distribution("one"),
        **distribution("two"),
    }
    assert modules(started("import a", more)) == {"a.py", "one.py"}


NEEDS = {"yaml": ("aid",)}
PROGRAMS = {"/usr/bin/aid": "x", "/usr/bin/cat": "x", "/bin/sh": "x"}


@pytest.mark.parametrize(
    "text",
    [
        "subprocess.run(['aid', '-x'])",
        "subprocess.check_output('aid -x', shell=True)",
        "shutil.which('aid')",
        "other.program_path('aid')",
        "syscall.run('aid ' + given, verbose=True)",
        "_which('aid')",
        "command = ['aid', where]\nPopen(command)",
        "call(f'aid {where}', shell=True)",
        "call('aid %s' % where, shell=True)",
        "run_all('aid --list one')",
        "self.aid(['aid', '--list'])",
        "putils.execute('aid', '-F', 'text', path)",
        "_run_and_get_stdout(['aid'])",
        "self.single_executables = ['other', 'aid']",
        "sorter_program = 'aid'",
    ],
)
def test_a_program_that_is_started_is_a_hint(text):
    found = started(f"import os\n{text}\n", PROGRAMS)
    assert {one.path for one in found if isinstance(one, LeftOut)} == {"/usr/bin/aid"}


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("subprocess.run(['/usr/bin/aid', '-x'])", {"/usr/bin/aid"}),
        ("subprocess.run(['cat', path])", {"/usr/bin/cat"}),
        ("os.system('cat ' + path)", {"/usr/bin/cat", "/bin/sh"}),
        ("os.popen(f'cat {path} | aid')", {"/usr/bin/cat", "/bin/sh"}),
        ("os.system(given)", {"/bin/sh"}),
        ("subprocess.run(given, shell=True)", {"/bin/sh"}),
        ("library.system(given)", set()),
        ("library.system('cat')", {"/usr/bin/cat", "/bin/sh"}),
        ("line = 'cat %s' % path\nPopen(line, **options)", {"/usr/bin/cat", "/bin/sh"}),
        ("Popen('cat x', stdin=path)", set()),
        ("tool = 'cat'\nos.system(tool + ' ' + path)", {"/usr/bin/cat", "/bin/sh"}),
    ],
)
def test_a_program_that_no_one_can_do_without_comes(text, comes):
    assert files(started(f"import os\n{text}\n", PROGRAMS)) == comes


@pytest.mark.parametrize(
    "text",
    ["parser.add('aid', '-x')", "execute('aid', 'x')", "execute('aid')", "execute(aid, '-x')"],
)
def test_words_that_run_nothing(text):
    assert not [one for one in started(text, PROGRAMS) if isinstance(one, LeftOut)]


def test_a_space_before_the_interpreter_changes_nothing():
    """As in onionprobe: python3 is no script that it would be given."""
    tree = PROGRAMS | {"/usr/bin/python3": "x", SCRIPT: "#! /usr/bin/python3\nimport os\n"}
    tree[SCRIPT] += "os.system('cat x')"
    assert files(needs(tree)) == {"/usr/bin/cat", "/bin/sh"}


def test_a_module_that_comes_as_data_finds_its_own_package():
    """As those that bup, a program in C with Python in it, has in a directory of its own."""
    tree = {
        "/usr/lib/own/own/__init__.py": "",
        "/usr/lib/own/own/part/__init__.py": "",
        "/usr/lib/own/own/part/one.py": "from own import fast",
        "/usr/lib/own/own/fast.cpython-311-x86_64-linux-gnu.so": "",
    }
    found = files(needs(tree, script=None, brought=["/usr/lib/own/own/part/one.py"]))
    assert "/usr/lib/own/own" in found


def test_a_module_that_lies_beside_all_packages_does_not_load_all_of_them():
    """As one of twisted's dependencies: carbon-cache had 1.3 GB."""
    tree = {
        f"{SITE}/alone.py": "def load(name):\n    return __import__(name)",
        f"{SITE}/other.py": "import third",
        f"{SITE}/third.py": "",
    }
    assert files(started("import alone", tree)) == {f"{SITE}/alone.py"}


@pytest.mark.parametrize(("text", "comes"), [(r"x = '\d'", True), (r"x = r'\d'", False)])
def test_a_module_that_python_warns_of_comes_with_its_bytecode(monkeypatch, text, comes):
    monkeypatch.setattr(reader, "_WARNS", 11)
    compiled = f"{SITE}/__pycache__/odd.cpython-311.pyc"
    tree = {f"{SITE}/odd.py": text, compiled: "bytecode"}
    assert (compiled in files(started("import odd", tree))) is comes


def test_python_warns_of_escapes_since_3_12():
    assert [reader.read(rb"x = '\d'", minor).warns for minor in (11, 12)] == [False, True]


def test_what_a_module_of_others_starts_is_a_hint():
    module = {f"{SITE}/yaml.py": "import os\nos.system('cat x')"}
    found = started("import yaml", PROGRAMS | module)
    assert files(found) == {f"{SITE}/yaml.py"}
    hints = {one.path for one in found if isinstance(one, LeftOut)}
    assert hints == {"/usr/bin/cat", "/bin/sh"}


def test_a_command_of_a_module_whose_package_requires_the_program_comes():
    """As python3-pymummer's `show-snps -T`; nobody else's text is one."""
    tree = PROGRAMS | {f"{SITE}/yaml.py": "LINE = 'aid -x ' + given"}
    for owner, comes in (("aid", {"/usr/bin/aid"}), ("other", set())):
        packages = importing.Packages({f"{SITE}/yaml.py": "yaml", "/usr/bin/aid": owner}, NEEDS)
        found = started("import yaml", tree, packages=packages)
        assert files(found) == {f"{SITE}/yaml.py"} | comes


def test_a_directory_of_all_modules_on_the_path_brings_none():
    site = "/opt/venv/lib/python3.11/site-packages"
    text = "import os, sys\nsys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))"
    tree = {
        "/opt/venv/pyvenv.cfg": "home = /usr/bin\n",
        "/opt/venv/bin/run": "#!/opt/venv/bin/python\nimport own.cli",
        f"{site}/own/__init__.py": "",
        f"{site}/own/cli.py": text,
        f"{site}/pip/__init__.py": "",
    }
    options = {"script": "/opt/venv/bin/run", "opened": "/opt/venv/bin/python"}
    found = files(needs(tree, packages=importing.Packages(), **options))
    assert not [one for one in found if one == site or "pip" in one]


def test_an_environment_gets_the_program_of_a_package_that_is_called_as_its_own(monkeypatch):
    """As graphviz starts `dot`, which Debian's graphviz has."""
    monkeypatch.setattr("rootfs_builder.needs.undeclared.is_small", lambda *_: True)
    site = "/venv/lib/python3.11/site-packages"
    tree = {
        "/venv/pyvenv.cfg": "home = /usr/bin\n",
        "/venv/bin/run": "#!/venv/bin/python\nimport own",
        f"{site}/own.py": "import aid",
        f"{site}/aid/__init__.py": "from . import run\nTOOL = Path('cat')",
        f"{site}/aid/run.py": "import subprocess\ndef run(one): subprocess.run([one])",
    }
    options = {"script": "/venv/bin/run", "added": list(tree), "opened": "/venv/bin/python"}
    for owner, comes in (("aid", {"/usr/bin/cat"}), ("other", set())):
        packages = importing.Packages({"/usr/bin/cat": owner})
        assert files(needs(tree | PROGRAMS, packages=packages, **options)) == comes


@pytest.mark.parametrize("home", ["/venv", "/opt/venv"])
def test_what_the_modules_of_an_environment_start(home):
    """Its own ones what they start; others' only what they are called as: GitPython's git does.

    Each is read once, though it is in the image under one path and here under two.
    """
    site = f"{home}/lib/python3.11/site-packages"
    own = "import subprocess, aid, other\nsubprocess.run(['cat', 'x'])"
    tree = {
        f"{home}/pyvenv.cfg": "home = /usr/bin\n",
        f"{home}/bin/run": f"#!{home}/bin/python\nfrom own.cli import main",
        f"{site}/own/__init__.py": "",
        f"{site}/own/cli.py": own,
        f"{site}/aid/__init__.py": "import subprocess\nTOOL = 'aid'\nsubprocess.run([TOOL, x])",
        f"{site}/other.py": "import os\nos.system('ls x')",
    }
    programs = PROGRAMS | {"/usr/bin/ls": "x"}
    options = {"script": f"{home}/bin/run", "added": list(tree), "opened": f"{home}/bin/python"}
    options["packages"] = importing.Packages()
    found = needs(tree | programs, **options)
    assert files(found) == {"/usr/bin/aid", "/usr/bin/cat"}
    assert {one.path for one in found if isinstance(one, LeftOut)} == {"/usr/bin/ls", "/bin/sh"}


@pytest.mark.parametrize(
    ("by", "script", "own"),
    [
        ("/app/lib/x.py", "/app/run", True),
        ("/app/lib/x.py", "/app/bin/run", True),
        ("/app/lib/x.py", "/app/tools/run", False),
        ("/app/node_modules/a/x.js", "/app/run.js", False),
        ("/app/node_modules/a/lib/x.js", "/app/node_modules/a/bin/run.js", True),
        ("/app/node_modules/@a/b/x.js", "/app/node_modules/@a/b/run.js", True),
        ("/app/node_modules/@a/c/x.js", "/app/node_modules/@a/b/run.js", False),
        ("/app/node_modules/a/node_modules/b/x.js", "/app/node_modules/a/run.js", False),
        ("/usr/lib/x.py", "/app/run", False),
        ("/opt/app/lib/x.py", "/opt/app/bin/run", True),
        ("/usr/local/lib/node_modules/a/x.js", "/usr/local/lib/node_modules/a/bin/run.js", True),
        ("/usr/local/lib/python3.13/os.py", "/usr/local/bin/run", False),
    ],
)
def test_the_users_code_around_a_script_is_its_own(by, script, own):
    packages = importing.Packages()
    context = SimpleNamespace(files=importing.Files({by: "", script: ""}), packages=packages)
    assert Commands(context).is_own(by, script) is own


def test_a_program_that_is_a_parameters_default_is_started():
    """As python-gnupg's gpg; any other default is a word."""
    text = "def run(x, gpgbinary='aid', mode='cat'): pass"
    module = {f"{SITE}/yaml.py": text}
    found = started("import yaml", PROGRAMS | module)
    assert {one.path for one in found if isinstance(one, LeftOut)} == {"/usr/bin/aid"}


def test_a_module_that_only_its_own_package_has_where_it_works_out_comes(monkeypatch):
    """As those of spades, whose directory a function returns."""
    tree = {"/usr/share/own/parts/part.py": "import more", "/usr/share/own/parts/more.py": ""}
    script = {"/usr/bin/run": "#!/usr/bin/python3\nsys.path.append(setup.home())\nimport part"}
    kin = SimpleNamespace(own={*tree, *script})
    monkeypatch.setattr(Packages, "kin", lambda *_, **__: kin)
    found = needs(tree | script, script="/usr/bin/run")
    assert {*tree} <= files(found)
    assert not warnings(found)
    both = {f"{SITE}/more.py": "", "/usr/bin/run": f"{script['/usr/bin/run']}\nimport more"}
    found = needs(tree | both, script="/usr/bin/run")
    assert f"{SITE}/more.py" in files(found)  # it may be first on sys.path
    guarded = {"/usr/bin/run": "#!/usr/bin/python3\ntry: import part\nexcept ImportError: pass"}
    assert files(needs(tree | guarded, script="/usr/bin/run")) == set()


def test_a_ceiling_that_is_reached_is_a_line_with_its_flag():
    zones = ", ".join(f"'Here/Z{'abcdefghijklmnopqrstuvwxyz'[at]}'" for at in range(21))
    (said,) = warnings(started(f"all = [{zones}]"))
    assert said.endswith("run names 21 time zones, which are left out: --with tzdata")
    names = "\n".join(f"'a.b{at}'" for at in range(2001))
    (said,) = warnings(started(names))
    assert said.endswith(": --with python3-modules=NAME,…")
    tree = {f"/opt/it/lib/f{at}.py": "" for at in range(2001)}
    (said,) = warnings(started("import sys\nsys.path.append('/opt/it/lib')", tree))
    assert said.endswith("and is left out: --add /opt/it/lib:/opt/it/lib")


def test_a_program_with_python_in_it_has_the_modules_of_its_source_and_its_own_arguments():
    tree = PACKAGE | FAST | {"/srv/run.py": "import other", f"{SITE}/other.py": ""}
    tree[f"{SITE}/yaml/__init__.py"] = "import fast"
    found = needs(tree, script=None, arguments=("/srv/run.py",), embeds=True)
    assert files(found) == {f"{SITE}/yaml", COMPILED}


def test_all_of_a_module_beside_is_imported():
    tree = {
        f"{SITE}/a/__init__.py": "",
        f"{SITE}/a/b.py": "from .c import *",
        f"{SITE}/a/c.py": "from yaml import load",
        **PACKAGE,
    }
    assert files(started("import a.b", tree)) == {f"{SITE}/a", f"{SITE}/yaml"}


def test_a_text_may_name_what_a_package_has_from_a_module_of_its_own():
    """As `jinja2_time.TimeExtension`; a package alone is a word of any kind."""
    tree = {f"{SITE}/a/__init__.py": "from .b import Name", f"{SITE}/a/b.py": ""}
    assert files(started("load('a.Name')", tree)) == {f"{SITE}/a"}
    assert files(started("load('a.Other')", tree)) == set()


MINE = "/usr/share/mine"  # of one package, as Packages says


def test_modules_of_all_are_imported_with_the_package():
    """As pygopherd's handlers are, of which one imports what left the standard library."""
    tree = {
        f"{SITE}/a/__init__.py": "__all__ = ['b', 'none']",
        f"{SITE}/a/b.py": "import imp, yaml",
        f"{SITE}/imp.py": "",
        **PACKAGE,
    }
    assert files(started("import a", tree)) == {f"{SITE}/a", f"{SITE}/imp.py", f"{SITE}/yaml"}
    tree[f"{SITE}/a/__init__.py"] = "__all__ = ['none']"
    assert files(started("import a", tree)) == {f"{SITE}/a"}


def test_a_script_that_the_first_line_gives_to_python_runs():
    tree = {SCRIPT: "#!/usr/bin/python3 /usr/share/mine/it.py\n", **PACKAGE}
    assert files(needs(tree | {f"{MINE}/it.py": "import yaml"})) == {f"{SITE}/yaml"}


def test_where_names_are_made_any_module_of_the_scripts_package_may_be_imported():
    """As mailman's commands are; what one of them only names is a hint."""
    package = "/usr/share/python3/dist-packages"  # so that script and modules have one owner
    tree = {
        "/usr/share/python3/run": "#!/usr/bin/python3\nimport a.load",
        f"{package}/a/__init__.py": "",
        f"{package}/a/load.py": "import importlib\nimportlib.import_module(f'{x}.{y}')",
        f"{package}/a/commands/__init__.py": "",
        f"{package}/a/commands/one.py": "import nntplib\nTOOL = '/usr/bin/cat'",
        f"{SITE}/nntplib.py": "",
        **PROGRAMS,
    }
    found = needs(tree, script="/usr/share/python3/run", variables={"PYTHONPATH": package})
    assert f"{SITE}/nntplib.py" in files(found)
    assert "/usr/bin/cat" not in files(found)
    assert {one.path for one in found if isinstance(one, LeftOut)} == {"/usr/bin/cat"}
    tree[f"{package}/a/load.py"] = "SourceFileLoader(f'a.commands.{x}', f'{y}/{x}.py').load()"
    assert f"{SITE}/nntplib.py" in files(
        needs(tree, script="/usr/share/python3/run", variables={"PYTHONPATH": package})
    )
    tree[f"{package}/a/load.py"] += "\nimport a.commands.one"  # now it is imported, surely
    found = needs(tree, script="/usr/share/python3/run", variables={"PYTHONPATH": package})
    assert "/usr/bin/cat" in files(found)


@pytest.mark.parametrize(("path", "comes"), [("/usr/bin/cat", True), ("/usr/bin/aid", False)])
def test_the_path_of_a_program_that_a_text_names(path, comes):
    found = started(f"TOOL = '{path}'", PROGRAMS)
    assert files(found) == ({path} if comes else set())


@pytest.mark.parametrize(("source", "comes"), [("tool", True), ("another", False)])
def test_what_a_lazy_module_of_the_scripts_source_imports_at_once_comes(monkeypatch, source, comes):
    """As pymoc's for catalogues, whose package only suggests healpy."""
    owners = {SCRIPT: "tool", f"{SITE}/own/lazy.py": source}
    monkeypatch.setattr(Commands, "owner", lambda _, path: Package(owners.get(path, "")))
    monkeypatch.setattr(Commands, "comes_along", lambda *_: True)
    tree = {
        f"{SITE}/own-1.dist-info/METADATA": "Name: own\nVersion: 1\nRequires-Dist: astro\n",
        f"{SITE}/own-1.dist-info/top_level.txt": "own\n",
        f"{SITE}/other-1.dist-info/METADATA": "Name: other\nVersion: 1\n",
        f"{SITE}/other-1.dist-info/top_level.txt": "other\n",
        f"{SITE}/own/__init__.py": "def f():\n    from . import lazy",
        f"{SITE}/own/lazy.py": "import other\ndef g():\n    import third",
        f"{SITE}/other.py": "",
    }
    assert (f"{SITE}/other.py" in files(started("import own", tree))) is comes
