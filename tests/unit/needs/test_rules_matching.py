"""What a rule brings to an image, on what evidence: each over a root made for it.

Nothing in these rules is of the tool's own: what those know is tested with real programs.
"""

import itertools
import json
import os
import subprocess

import pytest

from rootfs_builder import elf
from rootfs_builder.errors import NotFoundError, UsageError
from tests.loader.oracle import GLIBC, MUSL
from tests.rule_bench import LIB, PROGRAM, Bench, libc, library, program, rule

LIBC = f"{LIB}/libc.so.6"
CALLS = 'when = { imports = ["frob"] }\n'  # what PROGRAM does, unless a test makes it anew
MARK = "MARK-a7f3"
STATIC = f'void _start(void) {{ for (;;); }} const char *text = "{MARK}";'
TEXT = {"capture_output": True, "text": True}
X = 'write = { "/x" = "x" }'
KEY = """\
-----BEGIN {} KEY-----
MC4CAQAwBQYDK2VwBCIEIHRoaXMgaXMgbm8ga2V5OyBhIHRlc3QgbWFkZSBpdCEh
-----END {} KEY-----
""".replace("{}", "PRIVATE")  # or this file would be one

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")


@pytest.fixture
def bench(linker, tmp_path):
    """A root with PROGRAM, which calls frob, and its libc."""
    bench = Bench(tmp_path / "root", linker)
    bench.fill({PROGRAM: program("frob"), LIBC: libc("frob", "twist")})
    return bench


@pytest.fixture
def static(cc, bench):
    """/app/static, with a text in it."""
    cc(STATIC, name="static", where=bench.root / "app", args=("-nostdlib", "-static"))
    return "/app/static"


def acts(bench, when, *programs, **options):
    """The evidence in words; None where the rule does not act."""
    result = bench.plan(rule(f"when = {when}\n{X}"), *programs, **options)
    assert ("/x" in result.paths) == ("one" in result.applied)
    return result.applied.get("one")


# --- evidence ---


def test_a_function_that_the_program_calls_is_evidence(bench):
    assert acts(bench, '{ imports = ["other", "frob"] }') == "prog calls frob"
    assert acts(bench, '{ own-imports = ["other", "frob"] }') == "prog calls frob"
    assert acts(bench, '{ imports = ["fro", "frobs"] }') is None


@pytest.mark.parametrize("glob", ["fro*", "fr?b64", "f[a-r]*"])
def test_a_function_may_be_named_by_a_glob(bench, glob):
    bench.fill({PROGRAM: program("frob64", "twist"), LIBC: libc("frob64", "twist")})
    assert acts(bench, f'{{ imports = ["other", "{glob}"] }}') == "prog calls frob64"
    assert acts(bench, f'{{ own-imports = ["{glob}"] }}') == "prog calls frob64"
    assert acts(bench, f'{{ imports = ["x{glob}"] }}') is None


def test_a_function_that_a_library_calls_is_evidence_for_imports_alone(bench):
    deep = library("libdeep.so.1", "twist")
    mid = library("libmid.so.1", links=(deep,))
    bench.fill({PROGRAM: program("frob", libraries=(mid,))})
    bench.fill({f"{LIB}/libmid.so.1": mid, f"{LIB}/libdeep.so.1": deep})
    assert acts(bench, '{ imports = ["twist"] }') == "libdeep.so.1 calls twist"
    assert acts(bench, '{ own-imports = ["twist"] }') is None


@pytest.mark.parametrize(
    ("name", "own"), [("libprog.so.1", True), ("libprog-2.0.so.0", True), ("libprogs.so.1", False)]
)
def test_the_library_that_is_called_as_the_program_is_its_own(bench, name, own):
    """As librecode does all that recode does."""
    called = library(name, "twist")
    bench.fill({PROGRAM: program("frob", libraries=(called,)), f"{LIB}/{name}": called})
    assert acts(bench, '{ own-imports = ["twist"] }') == (f"{name} calls twist" if own else None)


@pytest.mark.parametrize(
    ("place", "own"),
    [
        ("/opt/mill/lib", True),
        ("/usr/local/lib", True),
        ("/home/me/lib", True),
        ("/usr/lib/mill", False),
        ("/opt/venv/lib/site-packages", False),
    ],
)
def test_a_library_that_was_built_here_is_the_programs_own(bench, place, own):
    deep = library("libdeep.so.1", "twist")
    mid = library("libmid.so.1", links=(deep,), runpath=place)
    bench.fill({PROGRAM: program("frob", libraries=(mid,), runpath=place)})
    bench.fill({f"{place}/libmid.so.1": mid, f"{place}/libdeep.so.1": deep})
    assert acts(bench, '{ imports = ["twist"] }') == "libdeep.so.1 calls twist"
    assert (acts(bench, '{ own-imports = ["twist"] }') is not None) is own


@pytest.mark.parametrize("name", ["libresolv.so.2", "libm.so.6", "libnss_files.so.2"])
def test_what_the_libc_itself_calls_is_no_evidence(bench, name):
    part = library(name, "twist")
    bench.fill({PROGRAM: program("frob", libraries=(part,)), f"{LIB}/{name}": part})
    assert acts(bench, '{ imports = ["twist"] }') is None


def test_the_soname_of_a_library_is_evidence(bench):
    lib = library("libplug.so.3")
    bench.fill({PROGRAM: program("frob", libraries=(lib,)), f"{LIB}/libplug.so.3": lib})
    assert acts(bench, '{ sonames = ["libno.so.*", "libplug.so.*"] }') == "libplug.so.3 is loaded"
    assert acts(bench, '{ sonames = ["libplug.so.2", "plug", "*.so.3.*"] }') is None


def test_the_name_of_a_librarys_file_is_evidence_too(bench):
    lib = library("libplug.so.3")
    bench.fill({PROGRAM: program("frob", libraries=(lib,)), f"{LIB}/libplug.so.3": "-> libplug.so"})
    bench.fill({f"{LIB}/libplug.so": lib})
    assert acts(bench, '{ sonames = ["libplug.so.3"] }') == "libplug.so.3 is loaded"


def test_the_name_of_the_program_is_none(bench):
    assert acts(bench, '{ sonames = ["*prog*"] }') is None


def test_a_text_in_the_program_is_evidence(bench):
    bench.fill({PROGRAM: program("frob", source=f'const char *text = "{MARK}";')})
    assert acts(bench, f'{{ text = ["no-such-text", "{MARK}"] }}') == f"prog names {MARK}"
    assert acts(bench, f'{{ text = ["{MARK}\\u0000"] }}') == f"prog names {MARK}"
    assert acts(bench, f'{{ text = ["{MARK}x"] }}') is None


def test_a_text_in_a_library_is_none(bench):
    lib = library("libplug.so.3", source=f'const char *text = "{MARK}";')
    bench.fill({PROGRAM: program("frob", libraries=(lib,)), f"{LIB}/libplug.so.3": lib})
    assert acts(bench, f'{{ text = ["{MARK}"] }}') is None


@pytest.mark.parametrize("before", [0, 3, 9, 17])
def test_a_text_is_found_wherever_it_stands_in_a_large_file(bench, before):
    bench.fill({PROGRAM: program("frob", source="char pad[5 << 20] = { 1 };")})
    data = bytearray((bench.root / PROGRAM[1:]).read_bytes())
    (start,) = [offset for offset, size in elf.read(bytes(data)).data if size > 5 << 20]
    place = start + (4 << 20) - before  # what is read at once ends there
    data[place : place + len(MARK)] = MARK.encode()
    bench.fill({PROGRAM: bytes(data)})
    assert acts(bench, f'{{ text = ["{MARK}"] }}') == f"prog names {MARK}"


def test_a_text_that_is_not_loaded_is_none(bench):
    with (bench.root / PROGRAM[1:]).open("ab") as file:
        file.write(MARK.encode())  # as debug information is
    assert acts(bench, f'{{ text = ["{MARK}"] }}') is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"command": ("-c", f"/x/{MARK}")}, f"the argument /x/{MARK}"),
        ({"env": (f"CONF=/x/{MARK}",)}, "-e CONF"),
        ({"add": ("/home/conf:/etc/conf",)}, "app.conf"),
        ({"add": ("/home/conf/app.conf:/app.conf",)}, "app.conf"),
        ({"add": ("/home/large:/etc/large",)}, None),  # data, not configuration
        ({"env": (f"{MARK}=x",)}, None),
        ({"label": (f"x={MARK}",)}, None),
    ],
    ids=str,
)
def test_a_text_in_what_the_user_gives_is_evidence(bench, options, why):
    bench.fill({"/home/conf/app.conf": f"dir = {MARK}\n", "/home/large": "x" * 99_999 + MARK})
    if "add" in options:
        options = {"add": (f"{bench.root}{options['add'][0]}",)}
    assert acts(bench, f'{{ text = ["{MARK}"] }}', **options) == (why and f"{why} names {MARK}")


def test_the_libc_is_evidence(bench, static):
    kinds = {PROGRAM: "glibc", static: "static"}
    if os.path.exists(MUSL):
        kinds["/app/musl"] = "musl"
        bench.fill({"/app/musl": program("frob", interpreter=MUSL)})
    for path, kind in kinds.items():
        assert acts(bench, f'{{ libc = ["{kind}"] }}', path) == f"it is {kind}"
        others = {"glibc", "musl", "static"} - {kind}
        assert acts(bench, f"{{ libc = {json.dumps(sorted(others))} }}", path) is None
        assert acts(bench, f"{{ libc = {json.dumps(sorted({kind, *others}))} }}", path)


@pytest.mark.parametrize(
    ("version", "acted"),
    [("2.4", True), ("2.33", True), ("2.34", False), ("2.41", False), ("3.0", False)],
)
def test_a_version_before_another_is_evidence(bench, version, acted):
    bench.fill({LIBC: libc("frob", version=f"GLIBC_{version}")})
    bench.fill({PROGRAM: program("frob", version=f"GLIBC_{version}")})
    assert (acts(bench, '{ before = "2.34" }') is not None) == acted


def test_without_a_glibc_there_is_no_version_before_another(bench, static):
    assert acts(bench, '{ before = "9.99" }', static) is None
    bench.fill({PROGRAM: program(version="OTHER_1.0"), LIBC: libc(version="OTHER_1.0")})
    assert acts(bench, '{ before = "9.99" }') is None


def test_a_variable_of_the_image_is_evidence(bench):
    assert acts(bench, '{ env = ["A", "TZ"] }', env=("TZ=UTC",)) == "-e TZ=UTC"
    assert acts(bench, '{ env = ["A", "TZ"] }', env=("T=UTC",)) is None
    assert acts(bench, '{ env = ["TZ"] }', env=("TZ=",)) is None


def test_a_variable_of_the_machine_is_none(bench, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    assert acts(bench, '{ env = ["TZ"] }') is None


def test_a_user_is_evidence(bench):
    assert acts(bench, "{ user = true }", user="1000") == "-u 1000"
    assert acts(bench, "{ user = true }") is None


@pytest.mark.parametrize(
    ("when", "acted"),
    [
        ('{ imports = ["frob"], text = ["frob"], libc = ["glibc"], user = true }', True),
        ('{ imports = ["frob"], text = ["no-such-text"] }', False),
        ('{ imports = ["no"], text = ["frob"] }', False),
        ('{ imports = ["frob"], libc = ["musl"] }', False),
        ('{ imports = ["frob"], before = "2.0" }', False),
        ('{ imports = ["frob"], env = ["TZ"] }', False),
        ('[{ imports = ["no"] }, { text = ["frob"] }]', True),
        ('[{ imports = ["frob"], text = ["no-such"] }, { imports = ["no"], user = true }]', False),
    ],
)
def test_all_keys_of_a_table_must_hold_and_of_the_tables_any(bench, when, acted):
    assert (acts(bench, when, user="1000") is not None) == acted


def test_every_key_of_the_table_that_holds_is_told(bench):
    when = '[{ imports = ["no"] }, { imports = ["frob"], text = ["frob"] }]'
    assert acts(bench, when) == "prog calls frob, prog names frob"


def test_a_rule_acts_for_the_program_that_shows_the_evidence(bench):
    bench.fill({"/app/other": program("twist")})
    result = bench.plan(rule('when = { imports = ["twist"] }\n' + X), PROGRAM, "/app/other")
    assert result.chain("/x") == [("/x", "rule"), ("/app/other", "executable")]


def test_the_interpreter_of_a_script_shows_evidence(bench):
    bench.fill({"/app/script": f"#!{PROGRAM}\n"})
    result = bench.plan(rule(CALLS + X), "/app/script")
    assert [path for path, _ in result.chain("/x")] == ["/x", PROGRAM, "/app/script"]


def test_a_library_that_the_user_includes_shows_evidence(bench):
    bench.fill({f"{LIB}/libplug.so.3": library("libplug.so.3", "twist")})
    when = '{ imports = ["twist"] }'
    assert acts(bench, when) is None
    assert acts(bench, when, include_lib=("libplug.so.3",)) == "libplug.so.3 calls twist"


def test_a_library_that_a_rule_brings_shows_evidence(bench):
    bench.fill({f"{LIB}/libplug.so.3": library("libplug.so.3", "twist")})
    text = rule('when = { imports = ["twist"] }\n' + X)
    text += rule(CALLS + 'load = ["libplug.so.3"]', "zero")
    assert bench.plan(text).applied["one"] == "libplug.so.3 calls twist"
    assert bench.plan(text, without=("zero",)).applied == {}


def test_an_added_program_shows_evidence(bench):
    bench.fill({"/home/tools/extra": program("twist")})
    added = (f"{bench.root}/home/tools:/tools",)
    assert acts(bench, '{ imports = ["twist"] }', add=added) == "extra calls twist"


# --- patterns and values ---


def test_a_pattern_finds_in_the_program_what_a_path_is_made_of(bench):
    bench.fill({PROGRAM: program("frob", source='const char *text = "DIR=/opt/data";')})
    bench.fill({"/opt/data/file": "found"})
    text = rule(CALLS + "find = { text = ['DIR=(?P<dir>[/\\w]+)'] }\ncopy = ['{dir}/file']")
    assert bench.plan(text).tree == {"/opt/data/file": "found"}


def test_each_library_in_which_all_patterns_are_found_counts(bench):
    libraries = {
        "libplug.so.1": 'const char *text = "DIR=/opt/one;END";',
        "libplug.so.2": 'const char *text = "DIR=/opt/two;END";',
        "libplug.so.3": 'const char *text = "DIR=/opt/three;";',
        "libother.so.1": 'const char *text = "DIR=/opt/four;END";',
    }
    made = {name: library(name, source=source) for name, source in libraries.items()}
    bench.fill({PROGRAM: program("frob", libraries=tuple(made.values()))})
    bench.fill({f"{LIB}/{name}": one for name, one in made.items()})
    bench.fill({f"/opt/{name}/f": name for name in ("one", "two", "three", "four")})
    find = "find = { soname = 'libplug.so.*', text = ['DIR=(?P<dir>[^;]+)', ';END'] }\n"
    result = bench.plan(rule(CALLS + find + "copy = ['{dir}/f']"))
    assert result.tree == {"/opt/one/f": "one", "/opt/two/f": "two"}


TWO = """
[[one.find]]
text = ['DIR=(?P<dir>[^;]+)']
[[one.find]]
soname = "libplug.so.1"
text = ['DIR=(?P<dir>[^;]+)']
"""
BOTH = """
[one.find]
program = true
soname = "libplug.so.1"
text = ['DIR=(?P<dir>[^;]+)']
"""


@pytest.mark.parametrize("find", [TWO, BOTH], ids=["two tables", "one of both"])
def test_each_match_of_a_pattern_counts_and_each_table(bench, find):
    lib = library("libplug.so.1", source='const char *text = "DIR=/opt/lib;";')
    texts = 'const char *text = "DIR=/opt/one;DIR=/opt/two;DIR=/opt/none;";'
    bench.fill({PROGRAM: program("frob", source=texts, libraries=(lib,))})
    bench.fill({f"{LIB}/libplug.so.1": lib})
    bench.fill({f"/opt/{name}/f": name for name in ("one", "two", "lib", "other")})
    text = rule(CALLS + 'missing = "install it"\ncopy = ["{dir}/f"]' + find)
    result = bench.plan(text)
    assert result.tree == {"/opt/one/f": "one", "/opt/two/f": "two", "/opt/lib/f": "lib"}
    assert result.said("warning") == []


@pytest.mark.parametrize("text", ["", ", text = ['no-such', 'host']"], ids=["name", "patterns"])
def test_plugins_are_found_beside_the_library_that_opens_them(bench, text):
    real = "/opt/host/libhost.so.1.2"
    host = library("libhost.so.1", source='const char *text = "no-such-host";')
    bench.fill({PROGRAM: program("frob", libraries=(host,)), real: host})
    bench.fill({f"{LIB}/libhost.so.1": f"-> {real}", "/opt/host/plugins/p": "found"})
    find = f"find = {{ soname = 'libhost.so.*'{text} }}\n"
    result = bench.plan(rule(CALLS + find + "copy = ['{beside}/plugins']"))
    assert result.tree["/opt/host/plugins/p"] == "found"


def test_beside_the_program_is_nothing(bench):
    bench.fill({f"{PROGRAM.rpartition('/')[0]}/plugins/p": "not found"})
    find = "find = { text = ['frob'] }\n"
    assert bench.plan(rule(CALLS + find + "copy = ['{beside}/plugins']")).tree == {}


def test_a_plugin_shows_evidence_and_the_library_to_search_was_there_before(bench):
    host = library("libhost.so.1", source='const char *text = "DIR=/opt/data;";')
    bench.fill({PROGRAM: program("frob", libraries=(host,)), f"{LIB}/libhost.so.1": host})
    bench.fill({"/opt/plug/p.so": library("p.so", "twist"), "/opt/data/f": "found"})
    brings = rule(CALLS + 'copy = ["/opt/plug"]', "a")
    find = "find = { soname = 'libhost.so.1', text = ['DIR=(?P<dir>[^;]+)'] }\n"
    needs = rule('when = { imports = ["twist"] }\n' + find + "copy = ['{dir}/f']", "b")
    assert bench.plan(brings + needs).tree == {"/opt/data/f": "found"}


def test_a_script_is_evidence_as_all_that_the_user_gives(bench):
    bench.fill({"/app/script": f"#!{PROGRAM}\nsay {MARK}\n"})
    (bench.root / "app/script").chmod(0o755)
    assert acts(bench, f'{{ text = ["{MARK}"] }}', "/app/script") == f"script names {MARK}"


GIVEN = """\
copy = ["{dir}/{module}.m"]
follow = [{ file = "{dir}/{module}.m", text = '(?m)^use (?P<module>\\w+)' }]
[one.find]
text = ['DIR=(?P<dir>[^;]+)']
words = ['(?m)^use (?P<module>\\w+)', '(?m)^need (?P<module>\\w+)']
"""


@pytest.mark.parametrize(
    ("options", "brought"),
    [
        ({"command": ("use a",)}, {"/opt/one/a.m"}),
        ({"command": ("need a\nuse none",)}, {"/opt/one/a.m"}),
        ({"command": ("use b",)}, {"/opt/two/b.m", "/opt/one/a.m", "/opt/two/c.m"}),
        ({"add": ("/app/file:/file",)}, {"/opt/two/c.m", "/opt/one/a.m"}),
        ({"command": ("use none", "misuse a")}, set()),
    ],
    ids=["one", "another pattern", "each of what is named", "what is added", "none"],
)
def test_what_the_user_gives_names_what_is_looked_for_in_all_places(bench, options, brought):
    texts = 'const char *text = "DIR=/opt/one;DIR=/opt/two;";'
    bench.fill({PROGRAM: program("frob", source=texts), "/app/file": "use c\n"})
    bench.fill({"/opt/one/a.m": "-", "/opt/two/b.m": "use a\nuse c\n", "/opt/two/c.m": "use a\n"})
    options = {**options, "add": tuple(f"{bench.root}{one}" for one in options.get("add", ()))}
    result = bench.plan(rule(CALLS + GIVEN), **options)
    assert set(result.tree) - {"/file"} == brought


def test_what_the_user_gives_may_name_a_long_chain(bench):
    bench.fill({PROGRAM: program("frob", source='const char *text = "DIR=/opt/one;";')})
    bench.fill({f"/opt/one/m{n}.m": f"use m{n + 1}\n" for n in range(500)})
    assert len(bench.plan(rule(CALLS + GIVEN), command=("use m0",)).tree) == 500


LANDMARKS = 'copy = ["{home}"]\nlandmarks = { home = ["{prefix}/lib/mark", "/usr/lib/it/mark"] }\n'


@pytest.mark.parametrize(
    ("files", "brought"),
    [
        (["/usr/lib/it/mark", "/usr/lib/it/f"], ["/usr/lib/it/f", "/usr/lib/it/mark"]),
        (["/opt/it/lib/mark", "/usr/lib/it/mark"], ["/opt/it/lib/mark"]),
        (["/opt/it/lib/other", "/usr/lib/it/mark"], ["/usr/lib/it/mark"]),
        (["/opt/it/lib/other"], []),
    ],
    ids=["elsewhere", "beside the program", "no landmark beside it", "none"],
)
def test_a_landmark_says_which_directory_it_is(bench, files, brought):
    bench.fill(dict.fromkeys(files, "text"))
    bench.fill({"/opt/it/bin/prog": program("frob"), "/usr/bin/prog": "-> /opt/it/bin/prog"})
    assert sorted(bench.plan(rule(CALLS + LANDMARKS), "/usr/bin/prog").tree) == sorted(
        [*brought, "/usr/bin/prog"]
    )


OMITTED = {
    "/d/test": ["test"],
    "/d/a/test": ["test"],
    "/d/a/test/deep": ["test"],
    "/d/x/a": ["x/*"],
    "/d/b.pod": ["*.pod", "?.pod"],
    "/d/a/b.pod": ["*.pod", "a/b.*", "?/?.pod"],
    "/d/d": ["d"],
}


@pytest.mark.parametrize(
    ("path", "pattern"), [(path, one) for path, all_ in OMITTED.items() for one in all_]
)
def test_what_a_rule_omits_is_left_out_with_all_in_it(bench, path, pattern):
    bench.fill({path: "text", "/d/kept": "text"})
    result = bench.plan(rule(CALLS + f'copy = ["/d"]\nomit = ["{pattern}"]'))
    assert result.tree == {"/d/kept": "text"}


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/d/tests", "test"),
        ("/d/tests", "test/x"),
        ("/d/a/x/b", "x/*"),
        ("/d/a/x/b", "*/b"),
        ("/d/apod", "*.pod"),
        ("/d/.hidden", "d"),
    ],
)
def test_what_a_rule_omits_is_no_more_than_it_says(bench, path, pattern):
    bench.fill({path: "text"})
    result = bench.plan(rule(CALLS + f'copy = ["/d"]\nomit = ["{pattern}"]'))
    assert result.tree == {path: "text"}


def test_what_the_user_excludes_comes_by_no_rule_that_takes_what_lies_around_it(bench):
    bench.fill({"/d/a": "a", "/d/x/b": "b", "/d/x/c": "c"})
    excluded = {"add": (f"{bench.root}/d:/d",), "exclude": ("x",)}
    assert bench.plan(rule(CALLS + 'copy = ["/d"]'), **excluded).tree == {"/d/a": "a"}
    alone = bench.plan(rule(CALLS + 'copy = ["/d/x/b"]'), **excluded)
    assert alone.tree == {"/d/a": "a", "/d/x/b": "b"}


SITE = "/d/env/lib/python3/site-packages"


@pytest.mark.parametrize(
    ("tree", "left_out"),
    [
        ({}, {"pip", "setuptools"}),
        ({f"{SITE}/x/y.py": "from distutils import util"}, {"pip"}),
        ({f"{SITE}/x/y.py": "import os, sys\nimport pip"}, {"setuptools"}),
        ({"/d/env/pyvenv.cfg": None}, set()),
    ],
)
def test_a_virtual_environment_comes_without_what_installs_packages(bench, tree, left_out):
    bench.fill({f"{SITE}/{name}/a.py": "import pip" for name in ("pip", "setuptools", "x")})
    bench.fill({f"{SITE}/x/a.py": ""})
    if "/d/env/pyvenv.cfg" not in tree:
        bench.fill({"/d/env/pyvenv.cfg": ""} | tree)
    result = bench.plan(rule(CALLS + 'copy = ["/d/env/lib"]'))
    there = {path.split("/")[6] for path in result.tree}
    assert there == {"pip", "setuptools", "x"} - left_out


def test_what_the_users_own_words_import_of_installers_comes(bench):
    bench.fill({f"{SITE}/pip/a.py": "", "/d/env/pyvenv.cfg": ""})
    text = rule(CALLS + 'copy = ["/d/env/lib"]')
    assert bench.plan(text).tree == {}
    for command in (("-c", "import os; import pip"), ("-m", "pip")):
        assert bench.plan(text, command=command).tree == {f"{SITE}/pip/a.py": ""}


def test_of_two_rules_for_one_directory_each_omits_its_own(bench):
    bench.fill({"/d/a": "a", "/d/b": "b", "/d/c": "c"})
    first = rule(CALLS + 'copy = ["/d"]\nomit = ["a", "c"]', "first")
    second = rule(CALLS + 'copy = ["/d"]\nomit = ["b", "c"]', "second")
    assert bench.plan(first + second).tree == {"/d/a": "a", "/d/b": "b"}


def test_a_group_that_matches_nothing_leaves_out_what_it_is_part_of(bench):
    bench.fill({"/x": "x"})
    find = "find = { text = ['fro(?P<tail>bb+)?'] }\n"
    result = bench.plan(rule(CALLS + find + "copy = ['/x', '/etc/{tail}']"))
    assert result.tree == {"/x": "x"}


def test_without_its_pattern_a_rule_brings_nothing(bench):
    text = rule(CALLS + "find = { text = ['no-such-text'] }\n" + X)
    assert bench.plan(text).applied == {}


VALUES = """\
when = [{ imports = ["frob"] }, { env = ["KIND", "SORT"] }]
values = ["a", "b"]
named = { some = ["c", "d"] }
copy = ["/data/{value}"]
"""


@pytest.mark.parametrize(
    ("options", "brought"),
    [
        ({}, "ab"),
        ({"with_": ("one",)}, "ab"),
        ({"with_": ("one=c",)}, "c"),
        ({"with_": ("one=c", "one=d,a")}, "acd"),
        ({"with_": ("one=all",)}, "abcde"),
        ({"with_": ("one=some,e",)}, "cde"),
        ({"env": ("KIND=e",)}, "e"),
        ({"env": ("KIND=e", "SORT=d")}, "de"),
        ({"env": ("KIND=",)}, "ab"),
        ({"env": ("KIND=e",), "with_": ("one=c",)}, "c"),
        ({"env": ("KIND=e",), "with_": ("one",)}, "e"),
        ({"env": ("KIND=some",)}, ""),  # a word of ours, not of the program's
    ],
    ids=str,
)
def test_a_value_is_what_is_asked_for_else_what_the_image_says_else_the_default(
    bench, options, brought
):
    bench.fill({f"/data/{one}": one for one in "abcde"})
    assert "".join(sorted(bench.plan(rule(VALUES), **options).tree.values())) == brought


def test_all_is_what_there_is_unless_the_rule_says_else(bench):
    bench.fill({f"/data/{one}": one for one in "abc"})
    text = VALUES.replace("some =", "all =").replace('"c", "d"', '"[bc]"')
    assert set(bench.plan(rule(text), with_=("one=all",)).tree) == {"/data/b", "/data/c"}


def test_of_a_value_that_is_not_here_nothing_else_goes_in_either(bench):
    bench.fill({"/data/a": "a", "/data/always": "always"})
    text = rule(CALLS + 'values = ["no", "nor"]\ncopy = ["/data/{value}", "/data/always"]')
    assert bench.plan(text).tree == {}
    assert bench.plan(text, with_=("one=a",)).tree == {"/data/a": "a", "/data/always": "always"}


def test_a_program_that_a_rule_brings_finds_libraries_from_its_place_where_others_find_them(bench):
    deep = library("libdeep.so.1")
    bench.fill({f"{LIB}/libdeep.so.1.2": deep, f"{LIB}/libdeep.so.1": "-> libdeep.so.1.2"})
    bench.fill({PROGRAM: program("frob", libraries=(deep,))})
    runpath = f"$ORIGIN/..{LIB}"
    bench.fill({"/bin/aid": program("twist", libraries=(deep,), runpath=runpath)})
    paths = bench.plan(rule(CALLS + 'copy = ["/bin/aid"]')).paths
    assert {"/bin/aid", f"{LIB}/libdeep.so.1", f"{LIB}/libdeep.so.1.2"} <= paths


# --- hints, --with, --without ---

HINT = 'hint = "there is more"\n'


def test_a_hint_says_what_the_rule_would_add_and_adds_nothing(bench):
    result = bench.plan(rule(CALLS + HINT + X))
    assert result.paths == bench.plan("").paths
    assert result.said("hint") == ["there is more: --with one (prog calls frob)"]


def test_a_hint_that_is_followed_is_not_said(bench):
    result = bench.plan(rule(CALLS + HINT + X), with_=("one",))
    assert result.tree == {"/x": "x\n"}
    assert result.said("hint") == []
    assert result.said("added") == ["one: of one (--with one)"]


def test_a_hint_of_a_rule_that_is_left_out_is_not_said(bench):
    assert bench.plan(rule(CALLS + HINT + X), without=("one",)).plan.findings == ()


def test_a_hint_of_a_rule_that_can_add_nothing_names_no_option(bench):
    result = bench.plan(rule(CALLS + HINT))
    assert result.said("hint") == ["there is more (prog calls frob)"]
    with pytest.raises(UsageError, match="it adds nothing: there is more"):
        bench.plan(rule(CALLS + HINT), with_=("one",))


def test_a_hint_is_said_once_for_programs_that_show_the_same(bench):
    bench.fill({"/opt/app/prog": program("frob")})
    assert len(bench.plan(rule(CALLS + HINT), PROGRAM, "/opt/app/prog").said("hint")) == 1


MORE = 'values = ["a"]\ncopy = ["/data/{value}"]\nmore = "for b: --with one=b"\n'


def test_of_a_rule_that_acts_it_is_said_what_more_there_is(bench):
    bench.fill({"/data/a": "a", "/data/b": "b", "/opt/app/prog": program("frob", "twist")})
    result = bench.plan(rule(CALLS + MORE), PROGRAM, "/opt/app/prog")
    assert result.tree == {"/data/a": "a"}
    assert result.said("hint") == ["for b: --with one=b"]


def test_what_more_there_is_is_not_said_where_it_is_asked_for_or_the_rule_brings_nothing(bench):
    assert bench.plan(rule(CALLS + MORE)).said("hint") == []
    bench.fill({"/data/a": "a", "/data/b": "b"})
    result = bench.plan(rule(CALLS + MORE), with_=("one=b",))
    assert (result.tree, result.said("hint")) == ({"/data/b": "b"}, [])
    assert bench.plan(rule(CALLS + MORE), without=("one",)).plan.findings == ()


def test_a_hint_is_said_once_with_the_evidence_of_the_nearest_program(bench):
    helper = {"/usr/bin/aid": program("frob")}
    bench.fill(helper | {PROGRAM: program("frob", "twist")})
    text = rule('when = { imports = ["twist"] }\ncopy = ["/usr/bin/aid"]')
    hints = bench.plan(text + rule(CALLS + HINT + X, "two")).said("hint")
    assert hints == ["there is more: --with two (prog calls frob)"]


@pytest.mark.parametrize("brought", ["by a rule", "by --add", "as a program", "not"])
def test_a_hint_of_files_that_are_in_is_not_said(bench, brought):
    bench.fill({"/bin/aid": program(), "/x": "x"})
    text = rule(CALLS + HINT + 'copy = ["/bin/aid"]', "two")
    if brought == "by a rule":
        text += rule(CALLS + 'copy = ["/bin/aid"]', "three")
    programs = (PROGRAM, "/bin/aid") if brought == "as a program" else (PROGRAM,)
    options = {"add": (f"{bench.root}/bin/aid:/bin/aid",)} if brought == "by --add" else {}
    result = bench.plan(text, *programs, **options)
    assert ("/bin/aid" in result.paths) == (brought != "not")
    assert len(result.said("hint")) == (brought == "not")


def test_a_hint_of_files_that_are_not_here_is_not_said(bench):
    assert bench.plan(rule(CALLS + HINT + 'copy = ["/none"]')).said("hint") == []


@pytest.mark.parametrize("part", ["/lib/it", "/lib/it/one"])
def test_a_hint_of_a_directory_is_not_said_where_another_rule_brings_all_of_it(bench, part):
    """As of Python's library, which is found by its landmark."""
    bench.fill({"/lib/it/one": "1", "/lib/it/two": "2"})
    found = 'copy = ["{library}"]\n[hinted.landmarks]\nlibrary = ["/lib/it/one"]\n'
    text = rule(CALLS + f'copy = ["{part}"]\n') + rule(CALLS + HINT + found, "hinted")
    assert bool(bench.plan(text).said("hint")) == (part != "/lib/it")


def test_hints_stand_in_one_order(bench):
    names = [f"r{number}" for number in range(9)]
    text = "".join(rule(CALLS + f'hint = "{name}"\n' + X, name) for name in reversed(names))
    assert [one[:2] for one in bench.plan(text).said("hint")] == names


def test_with_needs_no_evidence(bench):
    assert bench.plan(rule(X)).tree == {}
    result = bench.plan(rule(X), with_=("one",))
    assert result.tree == {"/x": "x\n"}
    assert result.applied == {"one": "--with one"}


def test_without_leaves_out_that_rule_alone(bench):
    text = rule(CALLS + X) + rule(CALLS + 'write = { "/y" = "y" }', "two")
    result = bench.plan(text, without=("one",))
    assert result.tree == {"/y": "y\n"}
    assert result.applied == {"two": "prog calls frob"}


def test_with_and_without_of_one_rule_contradict_each_other(bench):
    with pytest.raises(UsageError, match="--with one: --without one says the opposite"):
        bench.plan(rule(X), with_=("one",), without=("one",))


# --- load ---


def test_what_a_rule_loads_has_its_libraries_too(bench):
    dep = library("libdep.so.1")
    bench.fill({f"{LIB}/libplug.so.1": library("libplug.so.1", links=(dep,))})
    bench.fill({f"{LIB}/libdep.so.1": dep})
    result = bench.plan(rule(CALLS + 'load = ["libplug.so.1"]'))
    assert {f"{LIB}/libplug.so.1", f"{LIB}/libdep.so.1"} <= result.paths
    assert result.chain(f"{LIB}/libdep.so.1") == [
        (f"{LIB}/libdep.so.1", "NEEDED"),
        (f"{LIB}/libplug.so.1", "rule"),
        (PROGRAM, "executable"),
    ]
    assert result.said("warning") == []


FIND = "find = { soname = 'libhost.so.1', text = ['libhost'] }\n"


@pytest.mark.parametrize(
    ("find", "found"), [("", "/usr/lib/plug.so"), (FIND, "/opt/host/plug.so")], ids=["libc", "host"]
)
def test_the_one_whose_bytes_were_searched_loads_by_its_own_path_else_the_libc(bench, find, found):
    host = library("libhost.so.1", runpath="/opt/host")
    bench.fill({PROGRAM: program("frob", libraries=(host,)), f"{LIB}/libhost.so.1": host})
    bench.fill({"/usr/lib/plug.so": library("plug.so"), "/opt/host/plug.so": library("plug.so")})
    result = bench.plan(rule(CALLS + find + 'load = ["plug.so"]'))
    plugs = {path for path in result.paths if path.endswith("/plug.so")}
    assert plugs == {found}
    assert result.said("warning") == []


def test_a_host_that_comes_with_a_rule_loads_by_its_own_path(bench):
    bench.fill({f"{LIB}/libhost.so.1": library("libhost.so.1", runpath="/opt/host")})
    bench.fill({"/opt/host/plug.so": library("plug.so")})
    text = rule(CALLS + 'load = ["libhost.so.1"]', "zero")
    text += rule("when = { sonames = ['libhost.so.1'] }\n" + FIND + 'load = ["plug.so"]')
    assert "/opt/host/plug.so" in bench.plan(text).paths


def test_a_plugin_is_loaded_by_its_path(bench):
    bench.fill({PROGRAM: program("frob", source='const char *text = "DIR=/opt/mods";')})
    bench.fill({"/opt/mods/m.so": library("m.so")})
    find = "find = { text = ['DIR=(?P<dir>[/\\w]+)'] }\n"
    assert "/opt/mods/m.so" in bench.plan(rule(CALLS + find + "load = ['{dir}/m.so']")).paths


def test_a_library_that_is_not_here_is_a_warning(bench):
    result = bench.plan(rule(CALLS + 'load = ["libno.so.1"]\n' + X))
    (text,) = result.said("warning")
    assert text.startswith("one: libno.so.1 was not found, and of one; install it")
    assert "--without one" in text
    assert "/x" in result.paths


def test_a_library_whose_library_is_not_here_is_left_out_with_a_warning(bench):
    plug = library("libplug.so.1", links=(library("libno.so.1"),))
    bench.fill({f"{LIB}/libplug.so.1": plug})
    result = bench.plan(rule(CALLS + 'load = ["libplug.so.1"]'))
    assert len(result.said("warning")) == 1
    assert result.paths == bench.plan("").paths


def test_a_library_that_is_asked_for_and_not_here_stops_it(bench):
    with pytest.raises(NotFoundError, match="--with one: not on this machine; get it"):
        bench.plan(rule('load = ["libno.so.1"]\nmissing = "get it"'), with_=("one",))


def test_a_library_that_the_program_has_already_is_nothing_new(bench):
    lib = library("libplug.so.1")
    bench.fill({PROGRAM: program("frob", libraries=(lib,)), f"{LIB}/libplug.so.1": lib})
    text = rule(CALLS + 'load = ["libplug.so.1"]')
    assert bench.plan(text).plan.findings == ()
    assert bench.plan(text, with_=("one",)).plan.findings == ()


def test_a_static_program_loads_nothing_which_is_a_warning(bench, static):
    bench.fill({f"{LIB}/libplug.so.1": library("libplug.so.1")})
    text = rule(f'when = [{{ text = ["{MARK}"] }}]\nload = ["libplug.so.1"]\n' + X)
    result = bench.plan(text, static)
    assert result.paths == {static, "/x"}
    (text,) = result.said("warning")
    assert "a static program loads no library, so libplug.so.1 is left out" in text


# --- copy ---


def copied(bench, *items, **options):
    return bench.plan(rule(CALLS + f"copy = [{', '.join(items)}]"), **options).tree


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/etc/d/a", ["a"]),
        ("/etc/d/a*", ["a", "ab", "abc"]),
        ("/etc/d/a?", ["ab"]),
        ("/etc/d/[ax]b", ["ab"]),
        ("/etc/d/.*", [".hidden"]),
        ("/etc/d/*", ["a", "ab", "abc", "b/c"]),
        ("/etc/*/b/?", ["b/c"]),
        ("/*/d/ab", ["ab"]),
        ("/etc/d", [".hidden", "a", "ab", "abc", "b/c"]),
        ("/etc/d/no*", []),
        ("/etc/d/a/*", []),
        ("/etc/d/A", []),
    ],
)
def test_a_path_with_wildcards_is_what_a_shell_takes_it_for(bench, pattern, found):
    names = (".hidden", "a", "ab", "abc", "b/c")
    bench.fill({f"/etc/d/{name}": name for name in names})
    assert copied(bench, json.dumps(pattern)) == {f"/etc/d/{name}": name for name in found}
    if found and pattern[-2:] not in ("/d", "/*", ".*"):  # there the shell gives directories
        done = subprocess.run(["sh", "-c", f"echo {bench.root}{pattern}"], check=True, **TEXT)
        assert done.stdout.split() == [f"{bench.root}/etc/d/{name}" for name in found]


def test_a_directory_goes_in_with_all_in_it_and_its_modes(bench):
    bench.fill({"/srv/d/a": "a", "/srv/d/empty": None, "/srv/d/deep/er/b": "b"})
    (bench.root / "srv/d/deep").chmod(0o711)
    (bench.root / "srv/d/a").chmod(0o464)
    result = bench.plan(rule(CALLS + 'copy = ["/srv/d"]'))
    assert result.tree == {"/srv/d/a": "a", "/srv/d/deep/er/b": "b"}
    assert "/srv/d/empty" in result.directories
    assert result.directories["/srv/d/deep"].mode == 0o711
    (mode,) = [entry.mode for entry in result.plan.entries if entry.path == "/srv/d/a"]
    assert mode == 0o464


@pytest.mark.parametrize("target", ["real", "/etc/real", "../etc/./real"])
def test_a_link_on_the_way_is_kept_and_what_it_leads_to_goes_in(bench, target):
    bench.fill({"/etc/real/file": "text", "/etc/real/other": "", "/etc/link": f"-> {target}"})
    tree = {"/etc/link": f"-> {target}", "/etc/real/file": "text"}
    assert copied(bench, '"/etc/link/file"') == tree


@pytest.mark.parametrize("target", ["../../far/away", "/far/away", "/way/away"])
def test_a_link_to_elsewhere_brings_what_it_leads_to(bench, target):
    bench.fill({"/etc/d/link": f"-> {target}", "/far/away": "-> there", "/far/there": "text"})
    bench.fill({"/way": "-> far", "/far/not": "this"})
    tree = {"/etc/d/link": f"-> {target}", "/far/away": "-> there", "/far/there": "text"}
    tree |= {"/way": "-> far"} if "way/" in target else {}
    assert copied(bench, '"/etc/d"') == tree
    assert copied(bench, '"/etc/d/link"') == tree


def test_a_link_to_a_directory_brings_the_directory(bench):
    bench.fill({"/etc/d/link": "-> /opt/d", "/opt/d/a": "a", "/opt/d/back": "-> /etc/d"})
    tree = {"/etc/d/link": "-> /opt/d", "/opt/d/a": "a", "/opt/d/back": "-> /etc/d"}
    assert copied(bench, '"/etc/d"') == tree


@pytest.mark.parametrize("target", ["nowhere", "/no/where", "link", "loop"])
def test_a_link_that_leads_nowhere_stays_in_its_directory_and_is_nothing_alone(bench, target):
    bench.fill({"/etc/d/link": f"-> {target}", "/etc/d/loop": "-> link", "/etc/d/a": "a"})
    tree = {"/etc/d/link": f"-> {target}", "/etc/d/loop": "-> link", "/etc/d/a": "a"}
    assert copied(bench, '"/etc/d"') == tree
    assert copied(bench, '"/etc/d/link"', '"/etc/d/a"') == {"/etc/d/a": "a"}


@pytest.mark.parametrize("target", ["..", ".", "/", "../../etc", "/etc/d"])
def test_a_link_to_a_directory_that_it_is_in_brings_no_more_of_it(bench, target):
    bench.fill({"/etc/d/up": f"-> {target}", "/etc/d/a": "a", "/etc/other": "no"})
    assert copied(bench, '"/etc/d"') == {"/etc/d/up": f"-> {target}", "/etc/d/a": "a"}


def test_what_no_image_can_hold_is_left_out(bench):
    bench.fill({"/etc/d/a": "a"})
    os.mkfifo(bench.root / "etc/d/fifo")
    assert copied(bench, '"/etc/d"', '"/etc/d/fifo"') == {"/etc/d/a": "a"}


def test_a_library_among_what_is_copied_has_its_libraries(bench):
    dep = library("libdep.so.1")
    bench.fill({"/usr/lib/plug/p.so": library("p.so", links=(dep,)), f"{LIB}/libdep.so.1": dep})
    result = bench.plan(rule(CALLS + 'copy = ["/usr/lib/plug"]'))
    assert {"/usr/lib/plug/p.so", f"{LIB}/libdep.so.1"} <= result.paths


def test_a_plugin_that_lacks_something_is_a_warning(bench):
    bench.fill({"/usr/lib/plug/p.so": library("p.so", links=(library("libno.so.1"),))})
    result = bench.plan(rule(CALLS + 'copy = ["/usr/lib/plug"]'))
    (text,) = result.said("warning")
    assert text.startswith("libno.so.1: not found")
    assert "/usr/lib/plug/p.so" in result.paths


@pytest.mark.parametrize("turn", [1, -1])
def test_a_plugin_has_its_libraries_whichever_program_comes_first(bench, static, turn):
    dep = library("libdep.so.1")
    bench.fill({"/usr/lib/plug/p.so": library("p.so", links=(dep,)), f"{LIB}/libdep.so.1": dep})
    when = f'when = [{{ imports = ["frob"] }}, {{ text = ["{MARK}"] }}]\n'
    result = bench.plan(rule(when + 'copy = ["/usr/lib/plug"]'), *(PROGRAM, static)[::turn])
    assert f"{LIB}/libdep.so.1" in result.paths


@pytest.mark.parametrize("turn", [1, -1])
def test_a_plugin_has_what_each_program_would_give_it(bench, turn):
    plug = library("p.so", links=(library("libdep.so.1"),))
    bench.fill({"/usr/lib/plug/p.so": plug, "/opt/deps/libdep.so.1": library("libdep.so.1")})
    bench.fill({"/app/other": program("frob", rpath="/opt/deps")})
    programs = (PROGRAM, "/app/other")[::turn]
    result = bench.plan(rule(CALLS + 'copy = ["/usr/lib/plug"]'), *programs)
    assert "/opt/deps/libdep.so.1" in result.paths


def test_a_program_among_what_is_copied_starts_in_the_image_and_shows_evidence(bench):
    lib = library("libown.so.1")
    bench.fill({"/usr/lib/helpers/help": program("twist", libraries=(lib,))})
    bench.fill({f"{LIB}/libown.so.1": lib})
    text = rule(CALLS + 'copy = ["/usr/lib/helpers"]', "zero")
    text += rule('when = { own-imports = ["twist"] }\n' + X)
    result = bench.plan(text)
    assert f"{LIB}/libown.so.1" in result.paths
    assert result.applied["one"] == "help calls twist"
    # Of a chain the last is a program that the user named.
    assert result.chain("/x")[-1] == (PROGRAM, "executable")


# --- secrets ---

SECRETS = {"/etc/shadow": "root:hash", "/opt/d/key.pem": KEY, "/home/u/.ssh/id": "id"}


@pytest.mark.parametrize("path", SECRETS)
@pytest.mark.parametrize("way", ["path", "glob", "link", "link to link", "in a link"])
def test_a_secret_never_comes_by_a_rule(bench, path, way):
    bench.fill({**SECRETS, "/opt/other": "other"})
    bench.fill({"/etc/link": f"-> {path}", "/etc/link2": "-> /etc/link"})
    bench.fill({"/etc/linked": f"-> {os.path.dirname(path)}"})
    item = {
        "path": f'"{path}"',
        "glob": f'"{path[:-1]}*"',
        "link": '"/etc/link"',
        "link to link": '"/etc/link2"',
        "in a link": f'"/etc/linked/{os.path.basename(path)}"',
    }[way]
    for options in ({}, {"allow_sensitive": ("/",)}):
        result = bench.plan(rule(CALLS + f'copy = [{item}, "/opt/other"]'), **options)
        assert result.tree == {"/opt/other": "other"}
        (text,) = result.said("warning")
        assert text.startswith(f"{path} was not included: ")


def test_a_directory_comes_without_the_secrets_in_it_or_behind_its_links(bench):
    bench.fill(SECRETS)
    bench.fill({"/opt/d/ok": "ok", "/opt/d/link": "-> /etc/shadow", "/opt/d/deep/k": KEY})
    bench.fill({"/opt/d/home": "-> /home/u"})
    os.link(bench.root / "etc/shadow", bench.root / "opt/d/hard")
    result = bench.plan(rule(CALLS + 'copy = ["/opt/d"]'))
    links = {"/opt/d/link": "-> /etc/shadow", "/opt/d/home": "-> /home/u"}
    assert result.tree == {"/opt/d/ok": "ok", **links}
    left_out = ["/etc/shadow", "/home/u/.ssh/id", "/opt/d/deep/k", "/opt/d/hard", "/opt/d/key.pem"]
    said = result.said("warning")
    assert sorted(text.partition(" was ")[0] for text in said) == left_out


def test_a_rule_that_is_asked_for_a_secret_alone_stops_it(bench):
    bench.fill(SECRETS)
    with pytest.raises(NotFoundError, match="--with one"):
        bench.plan(rule('copy = ["/etc/shadow"]'), with_=("one",))


# --- write, directories, environment ---


def test_the_lines_of_several_rules_are_one_file_without_doubles(bench):
    text = rule(CALLS + 'write = { "/etc/f" = "b\\nshared\\n" }', "b")
    text += rule(CALLS + 'write = { "/etc/f" = "\\na\\nshared" }', "a")
    text += rule(CALLS + 'write = { "/etc/f" = "c\\nc" }', "c")
    result = bench.plan(text)
    assert result.tree == {"/etc/f": "a\nshared\nb\nc\nc\n"}
    assert result.chain("/etc/f")[0] == ("/etc/f", "rule")
    (entry,) = [one for one in result.plan.entries if one.path == "/etc/f"]
    assert [why.asked for why in entry.reasons] == ["a", "b", "c"]
    assert entry.mode == 0o644


def test_a_file_may_be_empty(bench):
    assert bench.plan(rule(CALLS + 'write = { "/etc/f" = "" }')).tree == {"/etc/f": ""}


def test_a_file_is_written_where_the_roots_links_lead(bench):
    bench.fill({"/etc/link": "-> real", "/etc/real/other": "no"})
    result = bench.plan(rule(CALLS + 'write = { "/etc/link/f" = "f" }'))
    assert result.tree == {"/etc/link": "-> real", "/etc/real/f": "f\n"}


RULES_OF_D = ('write = { "/etc/d/x" = "rule" }', 'copy = ["/etc/d"]', 'copy = ["/etc/d/x"]')


@pytest.mark.parametrize("body", RULES_OF_D)
def test_what_the_user_adds_counts(bench, body):
    bench.fill({"/etc/d/x": "machine", "/home/f": "mine", "/home/d/x": "mine", "/home/d/y": "y"})
    for added in (f"{bench.root}/home/f:/etc/d/x", f"{bench.root}/home/d:/etc/d"):
        assert bench.plan(rule(CALLS + body), add=(added,)).tree["/etc/d/x"] == "mine"


def test_what_the_user_adds_stands_beside_what_the_rule_brings(bench):
    bench.fill({"/etc/d/x": "machine", "/etc/d/z": "z", "/home/d/x": "mine", "/home/d/y": "y"})
    result = bench.plan(rule(CALLS + 'copy = ["/etc/d"]'), add=(f"{bench.root}/home/d:/etc/d",))
    assert result.tree == {"/etc/d/x": "mine", "/etc/d/y": "y", "/etc/d/z": "z"}


@pytest.mark.parametrize("names", [("one", "two"), ("two", "one")])
def test_what_a_rule_writes_stays_before_what_another_copies(bench, names):
    bench.fill({"/etc/f": "machine"})
    bodies = ('copy = ["/etc/f"]', 'write = { "/etc/f" = "x" }')
    text = "".join(rule(CALLS + body, name) for body, name in zip(bodies, names, strict=True))
    assert bench.plan(text).tree == {"/etc/f": "x\n"}


def test_a_directory_has_its_mode(bench):
    body = 'directories = { "/var/spool" = "1777", "/run/a" = "700" }\n'
    body += 'write = { "/var/spool/f" = "f" }'
    result = bench.plan(rule(CALLS + body))
    assert result.directories["/var/spool"].mode == 0o1777
    assert result.directories["/run/a"].mode == 0o700
    assert result.directories["/run"].mode == 0o755


ONE_DIRECTORY = ("/etc/real/a", "/etc/link/a", "/etc/real/a")


@pytest.mark.parametrize(
    ("modes", "mode"),
    [
        (("700", "755"), 0o755),
        (("750", "705"), 0o755),
        (("700", "1777"), 0o1777),
        (("777", "1777"), 0o1777),  # some programs refuse a directory for all that is not sticky
        (("500", "300", "1000"), 0o1700),
    ],
)
def test_a_directory_of_several_rules_does_for_each(bench, modes, mode):
    bench.fill({"/etc/link": "-> real", "/etc/real": None})
    for named in itertools.permutations(zip(modes, ONE_DIRECTORY, strict=False)):
        bodies = [CALLS + f'directories = {{ "{path}" = "{one}" }}' for one, path in named]
        result = bench.plan("".join(rule(one, f"r{at}") for at, one in enumerate(bodies)))
        made = result.directories["/etc/real/a"]
        assert made.mode == mode
        assert {why.asked for why in made.reasons} == result.applied.keys()


@pytest.mark.parametrize("copied", ["/srv/d", "/srv/d/f"])
def test_a_directory_that_is_copied_too_does_for_both(bench, copied):
    bench.fill({"/srv/d/f": "f"})
    text = rule(CALLS + f'copy = ["{copied}"]', "copies")
    for mode, wanted in (("1777", 0o1777), ("700", 0o755)):
        more = rule(CALLS + f'directories = {{ "/srv/d" = "{mode}" }}')
        assert bench.plan(text + more).directories["/srv/d"].mode == wanted


def test_a_home_that_another_rule_makes_as_well_is_the_users(bench):
    account = 'when = { user = true }\ngenerates = "user"'
    makes = CALLS + 'directories = { "/home/nonroot" = "711" }'
    for bodies in itertools.permutations((account, makes)):
        text = "".join(rule(one, f"r{at}") for at, one in enumerate(bodies))
        home = bench.plan(text, user="nonroot").directories["/home/nonroot"]
        assert (home.mode, home.uid, home.gid) == (0o711, 65532, 65532)


def test_a_home_of_two_users_is_for_both(bench):
    bench.fill({"/etc/passwd": "a:x:12:12::/home/both:/\nb:x:11:11::/home/both:/\n"})
    for names in (["a", "b"], ["b", "a"]):
        result = bench.plan(rule(CALLS + f"accounts = {json.dumps(names)}"))
        home = result.directories["/home/both"]
        assert (home.mode, home.uid, home.gid) == (0o1777, 11, 11)


def test_a_variable_is_set_unless_the_user_sets_it(bench):
    text = rule(CALLS + 'environment = { A = "1", B = "{value}" }\nvalues = ["2"]')
    assert bench.plan(text).plan.env == (("A", "1"), ("B", "2"))
    assert bench.plan(text, env=("B=mine",)).plan.env == (("A", "1"),)
    assert bench.plan(text, env=("B=",)).plan.env == (("A", "1"),)
    assert bench.plan(text, without=("one",)).plan.env == ()


def test_a_variable_that_follows_from_one_of_the_users_is_not_set(bench):
    when = 'when = [{ imports = ["frob"] }, { env = ["LC_ALL"] }]\n'
    text = rule(when + 'values = ["x"]\nenvironment = { LANG = "{value}" }')
    assert bench.plan(text).plan.env == (("LANG", "x"),)
    assert bench.plan(text, env=("LC_ALL=y",)).plan.env == ()


def test_a_rule_whose_variables_the_user_sets_adds_nothing(bench):
    text = rule(CALLS + 'environment = { A = "1" }')
    assert bench.plan(text, env=("A=2",)).plan.findings == ()
    assert bench.plan(text, env=("A=2",), with_=("one",)).plan.env == ()


# --- what is not on this machine ---


def test_what_is_missing_is_a_warning_with_the_way_out(bench):
    text = rule(CALLS + 'copy = ["/no"]\nmissing = "install it"')
    assert bench.plan(text).said("warning") == ["one brings nothing: install it (prog calls frob)"]
    (said,) = bench.plan(rule(CALLS + 'copy = ["/no"]')).said("warning")
    assert said == "one brings nothing: of one; install that, or --without one (prog calls frob)"
    normal = rule(CALLS + 'copy = ["/no"]\noptional = true')
    assert bench.plan(normal).plan.findings == ()


def test_of_several_values_of_the_rules_own_one_is_enough(bench):
    text = rule(CALLS + 'copy = ["/data/{value}"]\nvalues = ["a", "b"]\nmissing = "install it"')
    assert bench.plan(text).said("warning") == ["one brings nothing: install it (prog calls frob)"]
    bench.fill({"/data/b": "b"})
    assert bench.plan(text).said("warning") == []


def test_of_several_values_of_the_environment_each_is_to_be_there(bench):
    when = 'when = { imports = ["frob"], env = ["A", "B"] }\nvalues = ["a"]\n'
    bench.fill({"/data/b": "b"})
    text = rule(when + 'copy = ["/data/{value}"]\nmissing = "install it"')
    assert len(bench.plan(text, env=("A=b", "B=c")).said("warning")) == 1
    assert bench.plan(text, env=("A=b", "B=b")).said("warning") == []


def test_what_is_asked_for_and_missing_stops_it_and_all_is_named(bench):
    bench.fill({"/data/a": "a"})
    text = rule('copy = ["/data/{value}"]\nmissing = "install it"')
    text += rule('copy = ["/no"]', "two")
    with pytest.raises(NotFoundError) as caught:
        bench.plan(text, with_=("one=a,b,c", "two"))
    assert str(caught.value).splitlines() == [
        "--with one=b: not on this machine; install it",
        "--with one=c: not on this machine; install it",
        "--with two: not on this machine",
    ]


# --- locales ---

LOCALE = """\
when = [{ imports = ["frob"] }, { env = ["LC_ALL", "LANG"] }]
values = ["C.UTF-8"]
missing = "make it"
locale = ["{value}"]
environment = { LANG = "{value}" }
"""
LOCALES = "/usr/lib/locale"


@pytest.mark.parametrize("spelt", ["C.utf8", "C.UTF-8"])
def test_a_locale_comes_with_its_files_and_its_variable(bench, spelt):
    bench.fill({f"{LOCALES}/{spelt}/LC_CTYPE": "ctype", f"{LOCALES}/de_DE.utf8/LC_CTYPE": "no"})
    result = bench.plan(rule(LOCALE))
    assert result.tree == {f"{LOCALES}/{spelt}/LC_CTYPE": "ctype"}
    assert result.plan.env == (("LANG", "C.UTF-8"),)


@pytest.mark.parametrize("variable", ["LANG", "LC_ALL"])
def test_the_locale_of_the_users_variable_comes_and_the_variable_is_theirs(bench, variable):
    bench.fill({f"{LOCALES}/C.utf8/LC_CTYPE": "", f"{LOCALES}/de_DE.utf8/LC_CTYPE": "de"})
    result = bench.plan(rule(LOCALE), env=(f"{variable}=de_DE.UTF-8",))
    assert result.tree == {f"{LOCALES}/de_DE.utf8/LC_CTYPE": "de"}
    assert result.plan.env == ()


@pytest.mark.parametrize("value", ["C", "POSIX"])
def test_a_locale_that_is_built_in_needs_nothing(bench, value):
    result = bench.plan(rule(LOCALE), env=(f"LANG={value}",))
    assert (result.tree, result.plan.findings) == ({}, ())
    assert bench.plan(rule(LOCALE), with_=(f"one={value}",)).plan.env == (("LANG", value),)


def test_a_locale_that_is_not_here_sets_no_variable(bench):
    result = bench.plan(rule(LOCALE))
    assert (result.tree, result.plan.env) == ({}, ())
    assert result.said("warning") == ["one brings nothing: make it (prog calls frob)"]


@pytest.mark.parametrize("value", ["../../../etc", "/etc", ".", "..", "*", "", "C.utf8/../C.utf8"])
def test_no_locale_leads_out_of_the_locales(bench, value):
    bench.fill({"/etc/f": "f", f"{LOCALES}/C.utf8/LC_CTYPE": ""})
    found = bench.plan(rule(LOCALE.partition("\n")[2].replace("C.UTF-8", value) + CALLS)).tree
    assert found == {}


def test_a_locale_out_of_the_archive(bench, tmp_path):
    if not os.path.exists("/usr/share/i18n/locales/C"):
        pytest.skip("needs the sources of locales: apt-get install locales")
    directory = bench.root / LOCALES[1:]
    directory.mkdir(parents=True)
    charmap = ["-i", "C", "-f", "UTF-8"]
    subprocess.run(["localedef", f"--prefix={bench.root}", *charmap, "C.UTF-8"], check=True, **TEXT)
    subprocess.run(["localedef", "--no-archive", *charmap, tmp_path / "C.utf8"], check=True, **TEXT)
    assert os.listdir(directory) == ["locale-archive"]
    result = bench.plan(rule(LOCALE))
    made = {
        f"{LOCALES}/C.utf8/{path.relative_to(tmp_path / 'C.utf8')}": path.read_bytes()
        for path in (tmp_path / "C.utf8").rglob("*")
        if path.is_file()
    }
    found = {
        entry.path: entry.content.data
        for entry in result.plan.entries
        if entry.path.startswith(LOCALES) and entry.kind == "file"
    }
    assert found == made
    assert result.plan.env == (("LANG", "C.UTF-8"),)


# --- the name service switch ---

SWITCH = "# of the machine\npasswd:\tfiles extra # users\nhosts: files [!UNAVAIL=return] more dns\n"


@pytest.fixture
def names(bench):
    """A root that looks names up by two services with a module each, and knows a third."""
    modules = {f"libnss_{one}.so.2" for one in ("extra", "more", "third")}
    bench.fill({f"{LIB}/{name}": library(name) for name in modules})
    bench.fill({"/etc/nsswitch.conf": SWITCH})

    def switched(*body, **options):
        result = bench.plan(
            rule("\n".join((CALLS, 'generates = "nsswitch"', *body)), "nsswitch"), **options
        )
        modules = {os.path.basename(path) for path in result.paths if "libnss_" in path}
        return result.tree["/etc/nsswitch.conf"], modules, result.said("warning")

    return switched


@pytest.mark.parametrize("options", [{}, {"nss": "files"}, {"nss": "files,dns"}], ids=str)
def test_names_are_looked_up_in_files_and_by_dns_not_as_this_machine_does(names, options):
    text, modules, warnings = names(**options)
    assert (modules, warnings) == (set(), [])
    assert "passwd: files\n" in text
    assert "hosts: files dns\n" in text
    assert "extra" not in text


def test_a_service_that_is_named_has_its_module(names):
    text, modules, warnings = names(nss="third")
    assert (modules, warnings) == ({"libnss_third.so.2"}, [])
    assert "passwd: files third\n" in text
    assert "hosts: files third dns\n" in text


def test_keep_is_what_the_root_says_with_its_modules(names):
    text, modules, warnings = names(nss="keep")
    assert (modules, warnings) == ({"libnss_extra.so.2", "libnss_more.so.2"}, [])
    assert text == "passwd: files extra\nhosts: files [!UNAVAIL=return] more dns\n"


def test_keep_is_no_service_beside_others(names):
    with pytest.raises(UsageError, match="keep means the root's own file"):
        names(nss="keep,third")


def test_a_service_without_a_module_is_not_found(names):
    with pytest.raises(NotFoundError, match="--nss nosuch: libnss_nosuch"):
        names(nss="nosuch")


# --- the account of --user ---


def test_the_user_has_a_line_in_each_file_and_a_home(bench):
    text = rule('when = { user = true }\ngenerates = "user"')
    result = bench.plan(text, user="nonroot")
    assert result.tree == {
        "/etc/passwd": "nonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n",
        "/etc/group": "nonroot:x:65532:\n",
    }
    home = result.directories["/home/nonroot"]
    assert (home.mode, home.uid, home.gid) == (0o700, 65532, 65532)
    home = bench.plan(text, user="1000").directories["/home/user"]
    assert (home.mode, home.uid, home.gid) == (0o700, 1000, 0)
    assert bench.plan(text).tree == {}
    assert bench.plan(text, user="0").tree == {}


# --- follow ---

FOLLOW = """\
when = { imports = ["frob"] }
values = ["a"]
copy = ["/etc/c/{value}"]
load = ["{module}"]
follow = [
  { file = "/etc/c/{value}", text = '(?m)^include (?P<value>\\w+)' },
  { file = "/etc/c/{value}", text = '(?m)^module (?P<module>\\S+)' },
]
"""


@pytest.fixture
def configured(bench):
    bench.fill({f"{LIB}/{name}.so": library(f"{name}.so") for name in ("m", "n", "o")})
    bench.fill({"/etc/c/a": "include b\nmodule m.so\n", "/etc/c/b": "include a\ninclude c\n"})
    bench.fill({"/etc/c/c": "module n.so\ninclude c\ninclude no\n", "/etc/c/d": "module o.so\n"})
    return bench


def test_what_a_file_names_comes_too_in_circles_as_well(configured):
    result = configured.plan(rule(FOLLOW))
    assert set(result.tree) == {"/etc/c/a", "/etc/c/b", "/etc/c/c"}
    assert {f"{LIB}/m.so", f"{LIB}/n.so"} <= result.paths
    assert f"{LIB}/o.so" not in result.paths
    assert result.said("warning") == []


def test_what_is_named_is_followed_from_what_is_asked_for(configured):
    result = configured.plan(rule(FOLLOW), with_=("one=c,d",))
    assert set(result.tree) == {"/etc/c/c", "/etc/c/d"}
    assert {f"{LIB}/n.so", f"{LIB}/o.so"} <= result.paths


def test_what_is_asked_for_is_missed_even_if_another_file_names_it(configured):
    with pytest.raises(NotFoundError, match="--with one=no: not on this machine"):
        configured.plan(rule(FOLLOW), with_=("one=a,no",))


def test_a_module_that_is_named_and_not_here_is_a_warning(configured):
    configured.fill({"/etc/c/a": "module missing.so\n"})
    (text,) = configured.plan(rule(FOLLOW)).said("warning")
    assert text.startswith("one: missing.so was not found")


# --- dlopen notes ---


def noting(*entries):
    """C that puts notes into an ELF file."""
    text = json.dumps(json.dumps(entries))
    return (
        "static const struct { unsigned a, b, c; char owner[4]; char text[sizeof "
        f"{text}]; }} note __attribute__((used, aligned(4), section("
        f'".note.dlopen"))) = {{ 4, sizeof {text}, 0x407c0c0a, "FDO", {text} }};'
    )


PRIORITIES = ("required", "recommended", "suggested")


@pytest.fixture
def noted(bench):
    """PROGRAM has a note of each priority; a library of the same name is here."""
    notes = [
        {"soname": [f"lib{one}.so.1"], "feature": one, "description": f"d-{one}", "priority": one}
        for one in PRIORITIES
    ]
    bench.fill({PROGRAM: program("frob", source=noting(*notes))})
    bench.fill({f"{LIB}/lib{one}.so.1": library(f"lib{one}.so.1") for one in PRIORITIES})
    return bench


def brought(result):
    return {one for one in PRIORITIES if f"{LIB}/lib{one}.so.1" in result.paths}


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 2),
        ({"dlopen": "none"}, 0),
        ({"dlopen": "required"}, 1),
        ({"dlopen": "recommended"}, 2),
        ({"dlopen": "suggested"}, 3),
    ],
    ids=str,
)
def test_a_note_is_followed_down_to_a_priority(noted, options, count):
    result = noted.plan("", **options)
    assert brought(result) == set(PRIORITIES[:count])
    hint = ", ".join(sorted(f"lib{one}.so.1" for one in PRIORITIES[count:]))
    assert len(result.said("hint")) == (count < 3)
    assert all(hint in text for text in result.said("hint"))


def test_a_note_says_why_its_library_is_there(noted):
    result = noted.plan("")
    said = "librequired.so.1: d-required (prog has a note of it, required)"
    assert said in result.said("added")
    path = f"{LIB}/librequired.so.1"
    assert result.chain(path) == [(path, "rule"), (PROGRAM, "executable")]


def test_without_leaves_out_the_library_of_a_note(noted):
    result = noted.plan("", without=("librecommended.so.1",))
    assert brought(result) == {"required"}
    assert not any("librecommended" in one.text for one in result.plan.findings)
    with pytest.raises(UsageError, match=r"--without librecomended.so.1: .* librecommended.so.1\?"):
        noted.plan("", without=("librecomended.so.1",))


def test_of_a_notes_names_the_first_that_is_here_is_taken(bench):
    note = noting({"soname": ["libno.so.3", "libb.so.2", "liba.so.1"]})
    bench.fill({PROGRAM: program("frob", source=note)})
    bench.fill({f"{LIB}/{name}": library(name) for name in ("liba.so.1", "libb.so.2")})
    result = bench.plan("")
    assert f"{LIB}/libb.so.2" in result.paths
    assert f"{LIB}/liba.so.1" not in result.paths
    other = bench.plan("", without=("libb.so.2",))
    assert f"{LIB}/liba.so.1" in other.paths
    assert f"{LIB}/libb.so.2" not in other.paths


@pytest.mark.parametrize("priority", PRIORITIES)
def test_a_note_whose_library_is_not_here_is_a_warning_if_it_is_required(bench, priority):
    note = noting({"soname": ["libno.so.3", "libno.so.2"], "feature": "f", "priority": priority})
    bench.fill({PROGRAM: program("frob", source=note)})
    for dlopen in ("recommended", "suggested"):
        result = bench.plan("", dlopen=dlopen)
        assert result.said("hint") == []
        assert len(result.said("warning")) == (priority == "required")
        for text in result.said("warning"):
            assert text.startswith("prog requires one of libno.so.3, libno.so.2 (f)")


def test_the_note_of_a_library_is_followed_by_the_librarys_own_path(bench):
    host = library("libhost.so.1", runpath="/opt/host", source=noting({"soname": ["p.so"]}))
    bench.fill({PROGRAM: program("frob", libraries=(host,)), f"{LIB}/libhost.so.1": host})
    bench.fill({"/opt/host/p.so": library("p.so", source=noting({"soname": ["q.so"]}))})
    bench.fill({f"{LIB}/q.so": library("q.so", "twist")})
    result = bench.plan(rule('when = { imports = ["twist"] }\n' + X))
    assert {"/opt/host/p.so", f"{LIB}/q.so", "/x"} <= result.paths


def test_notes_that_name_each_other_come_to_an_end(bench):
    bench.fill({PROGRAM: program("frob", source=noting({"soname": ["a.so"]}))})
    for one, other in (("a.so", "b.so"), ("b.so", "a.so")):
        bench.fill({f"{LIB}/{one}": library(one, source=noting({"soname": [other]}))})
    assert {f"{LIB}/a.so", f"{LIB}/b.so"} <= bench.plan("").paths


def test_a_static_programs_note_is_none(bench, cc):
    cc(
        STATIC + noting({"soname": ["a.so"], "priority": "required"}),
        name="static",
        where=bench.root / "app",
        args=("-nostdlib", "-static"),
    )
    bench.fill({f"{LIB}/a.so": library("a.so")})
    result = bench.plan("", "/app/static")
    assert result.paths == {"/app/static"}


def test_values_that_lead_to_the_same_file_are_all_answered(bench):
    """What the one has brought already is there for the other too, through any number of files."""
    files = {"/etc/c/a": "see m", "/etc/c/b": "see m", "/etc/c/m": "use x", "/m/x": ""}
    bench.fill(files)
    text = rule(
        'when = { env = ["A", "B"] }\n'
        'missing = "get it"\n'
        'copy = ["/m/{name}"]\n'
        "follow = [\n"
        '{ file = "/etc/c/{value}", text = "see (?P<value>\\\\w+)" },\n'
        '{ file = "/etc/c/{value}", text = "use (?P<name>\\\\w+)" },\n'
        "]"
    )
    result = bench.plan(text, env=("A=a", "B=b"))
    assert "/m/x" in result.paths
    assert not result.said("warning")
    assert bench.plan(text, env=("A=a", "B=no")).said("warning")


@pytest.mark.parametrize(
    ("globs", "spelt", "brought"),
    [
        ("['*/share/one']", "\\0/usr/share/one\\0", {"/usr/share/one/x"}),
        ("['*/share/one']", "--with-data=/usr/share/one/:", {"/usr/share/one/x"}),
        (
            "['*/one', '*/two']",
            "/usr/share/two\\0/usr/share/one",
            {"/usr/share/one/x", "/usr/share/two/x"},
        ),
        ("['*/share/one']", "\\0/usr/share/one/%s\\0", set()),  # the directory is not what it says
        ("['*/share/one']", "\\0/usr/share/ones\\0", set()),
        ("['/usr/share/o*']", "\\0/usr/share/ones\\0", set()),  # which is not there
    ],
)
def test_paths_that_an_object_spells_out(bench, globs, spelt, brought):
    bench.fill({PROGRAM: program("frob", source=f'const char t[] = "{spelt}";')})
    bench.fill({f"/usr/share/{one}/x": one for one in ("one", "two")})
    result = bench.plan(rule(CALLS + f"find = {{ paths = {{ d = {globs} }} }}\ncopy = ['{{d}}']"))
    assert {path for path in result.paths if path.startswith("/usr/share")} == brought


@pytest.mark.parametrize(("most", "comes"), [(0, 3), (3, 3), (2, 0)])
def test_where_more_is_found_than_most_it_is_a_table_and_none_of_it_counts(bench, most, comes):
    bench.fill({f"/data/{one}": "" for one in "abc"})
    source = "const char *names[] = {" + ", ".join(f'"name-{one}"' for one in "abc") + "};"
    bench.fill({PROGRAM: program("frob", source=source)})
    find = rf"find = {{ most = {most}, text = ['\x00name-(?P<value>\w)(?=\x00)'] }}"
    result = bench.plan(rule(f"{CALLS}{find}\ncopy = ['/data/{{value}}']"))
    assert len({one for one in result.paths if one.startswith("/data")}) == comes


@pytest.mark.parametrize(("arguments", "comes"), [("abc", 3), ("abcd", 0)])
def test_the_same_counts_for_words(bench, arguments, comes):
    bench.fill({f"/data/{one}": "" for one in "abcd"})
    find = r"find = { most = 3, words = ['name-(?P<value>\w)'] }"
    given = tuple(f"name-{one}" for one in arguments)
    result = bench.plan(rule(f"{CALLS}{find}\ncopy = ['/data/{{value}}']"), command=given)
    assert len({one for one in result.paths if one.startswith("/data")}) == comes


def test_services_are_those_of_the_root_else_the_common_ones(bench):
    text = rule(CALLS + 'generates = "services"')
    tree = bench.plan(text).tree
    assert "https 443/tcp\n" in tree["/etc/services"]
    assert "udp 17 UDP\n" in tree["/etc/protocols"]
    bench.fill({"/etc/services": "# mine\nloom  22/tcp\tweave # a loom\n\n"})
    tree = bench.plan(text).tree
    assert tree["/etc/services"] == "loom 22/tcp weave\n"
    assert "udp 17 UDP\n" in tree["/etc/protocols"]


@pytest.mark.parametrize(("runpath", "times"), [("", 1), ("/opt/one", 2)])
def test_plugins_are_looked_at_once_for_programs_that_search_alike(bench, runpath, times):
    """What they need is found in the same places: Samba's two hundred, by forty programs."""
    other = "/usr/bin/other"
    bench.fill({other: program("frob", runpath=runpath) if runpath else program("frob")})
    bench.fill({"/opt/plug/p.so": library("p.so", "twist")})
    brings = rule(CALLS + f'copy = ["/opt/plug", "{other}"]')
    trees = bench.plan(brings).closure.supply.trees
    assert sum(len(one.plugins) for one in trees if one.source == "/opt/plug") == times
