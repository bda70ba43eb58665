"""What the texts of a program in which libgirepository is import."""

import os

import pytest

from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, PROGRAM, Bench, libc, library, program, rule

RULE = rule('when = { sonames = ["libgirepository-*.so.*"] }\nfinder = "typelibs"', "girepository")
TYPELIBS = f"{LIB}/girepository-1.0"
TREE = {
    "GLib-2.0": "\0libglib-2.0.so.0\0",
    "Foo-1.0": "",
    "Foo-2.0": "\0Bar-1.0|GLib-2.0\0libfoo.so.2\0",
    "Bar-1.0": "",
    "Only-3.0": "",
    "Other-1.0": "",
}

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")


@pytest.fixture
def bench(linker, tmp_path):
    bench = Bench(tmp_path / "root", linker)
    bench.fill({f"{LIB}/libc.so.6": libc("frob")})
    own = library("libgirepository-1.0.so.1")
    bench.fill({PROGRAM: program("frob", libraries=(own,)), f"{LIB}/libgirepository-1.0.so.1": own})
    bench.fill({f"{TYPELIBS}/{one}.typelib": text for one, text in TREE.items()})
    bench.fill({f"{LIB}/{one}": library(one) for one in ("libglib-2.0.so.0", "libfoo.so.2")})
    return bench


def imported(bench, text, name="app.py"):
    """The namespaces that come for a text that is added."""
    bench.fill({f"/home/{name}": text})
    result = bench.plan(RULE, add=(f"{bench.root}/home/{name}:/srv/{name}",))
    found = {path for path in result.paths if path.startswith(f"{TYPELIBS}/")}
    return {one[len(TYPELIBS) + 1 :].removesuffix(".typelib") for one in found} - {"GLib-2.0"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import gi\ngi.require_version('Foo', '2.0')\n", {"Foo-2.0", "Bar-1.0"}),
        ("from gi.repository import Only\n", {"Only-3.0"}),
        ("foo = import_from_gi('Foo', '1.0')\n", {"Foo-1.0"}),
        ("from gi.repository import Foo\n", set()),  # of which there are two
        ("import Foo from 'gi://Foo?version=1.0'\n", {"Foo-1.0"}),
        ("const { Only } = imports.gi.Only\n", {"Only-3.0"}),
        ("import Only, Other\n", set()),
    ],
)
def test_namespaces_that_a_text_imports(bench, text, expected):
    assert imported(bench, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Glib::Object::Introspection->setup(basename => 'Foo', version => '1.0');\n",
        "my $BASENAME = 'Foo';\nmy $_FOO_VERSION = '1.0';\nGlib::Object::Introspection->setup;",
    ],
)
def test_namespaces_that_a_module_of_perl_binds(bench, text):
    assert imported(bench, text, "Foo.pm") == {"Foo-1.0"}
    assert imported(bench, text.replace("Introspection", "None"), "Foo.pm") == set()


def test_the_libraries_of_a_typelib_come_with_it(bench):
    imported(bench, "gi.require_version('Foo', '2.0')\n")
    result = bench.plan(RULE, add=(f"{bench.root}/home/app.py:/srv/app.py",))
    assert {f"{LIB}/libfoo.so.2", f"{LIB}/libglib-2.0.so.0"} <= set(result.paths)


def test_with_names_more(bench):
    result = bench.plan(RULE, with_=("girepository=Other-1.0",))
    assert f"{TYPELIBS}/Other-1.0.typelib" in result.paths
