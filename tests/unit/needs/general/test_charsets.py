"""The character sets that a program or its settings name."""

import pytest

from tests import package_roots
from tests.rule_bench import LIB, PROGRAM, libc, library, program, rule

GCONV = f"{LIB}/gconv"
RULE = rule(
    "when = { own-imports = ['iconv_open'] }\n"
    f"find = {{ text = ['(?P<gconv>{GCONV})'] }}\n"
    "finder = 'charsets'",
    "charsets",
)
MODULES = """# comment
alias\tISO-IR-101//\tISO-8859-2//
module\tISO-8859-2//\tINTERNAL\tISO8859-2\t1
module\tINTERNAL\tISO-8859-2//\tISO8859-2\t1
"""
EXTRA = "alias EUCJP// EUC-JP//\nmodule EUC-JP//  INTERNAL EUC-JP 1\n"


def modules(bench, text, **options):
    source = f'const char t[] = "{GCONV}\\0" "{text}";'
    bench.fill({PROGRAM: program("iconv_open", source=source)})
    bench.fill({f"{LIB}/libc.so.6": libc("iconv_open"), f"{GCONV}/gconv-modules": MODULES})
    bench.fill({f"{GCONV}/gconv-modules.d/extra.conf": EXTRA})
    bench.fill({f"{GCONV}/{one}.so": library(one) for one in ("ISO8859-2", "EUC-JP")})
    found = bench.plan(RULE, **options).paths
    return {path.rpartition("/")[2] for path in found if "/gconv/" in path and ".so" in path}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ISO-8859-2", {"ISO8859-2.so"}),
        ("iso-ir-101", {"ISO8859-2.so"}),
        ("EUCJP", {"EUC-JP.so"}),
        ("ISO-8859-3", set()),
        ("is in ISO-8859-2", set()),
    ],
)
def test_a_name_that_is_compiled_in(bench, text, expected):
    assert modules(bench, text) == expected


def test_an_argument(bench):
    assert modules(bench, "", command=("-f", "eucjp")) == {"EUC-JP.so"}
    assert modules(bench, "", command=("--from=EUC-JP",)) == {"EUC-JP.so"}


def test_a_setting(bench):
    bench.fill({"/home/my.conf": "charset = iso-8859-2;"})
    assert modules(bench, "", add=(f"{bench.root}/home/my.conf:/etc/my.conf",)) == {"ISO8859-2.so"}


@pytest.mark.parametrize(
    ("symbols", "owned", "expected"),
    [
        ((), ("/usr/bin/tool", f"{LIB}/libnames.so"), {"ISO8859-2.so", "EUC-JP.so"}),
        ((), ("/usr/bin/tool",), set()),
        (("g_convert",), ("/usr/bin/tool",), {"ISO8859-2.so"}),
        (("iconv_open",), ("/usr/bin/tool",), {"ISO8859-2.so"}),
    ],
)
def test_a_name_in_a_library(bench, symbols, owned, expected):
    """One of its source, as enca's, or one that converts, as gdk-pixbuf; EUCJP may be a word."""
    source = 'const char t[] = "\\0ISO-8859-2\\0EUCJP";'
    names = library("libnames.so", *symbols, source=source)
    tool = program("iconv_open", source=f'const char g[] = "{GCONV}";', libraries=(names,))
    calls = libc(*{"iconv_open", *symbols})
    bench.fill({"/usr/bin/tool": tool, f"{LIB}/libnames.so": names, f"{LIB}/libc.so.6": calls})
    bench.fill({f"{GCONV}/gconv-modules": MODULES, f"{GCONV}/gconv-modules.d/x.conf": EXTRA})
    bench.fill({f"{GCONV}/{one}.so": library(one) for one in ("ISO8859-2", "EUC-JP")})
    package_roots.install(bench.root, package_roots.Package("tool", "1", owned))
    found = {one for one in bench.plan(RULE, "/usr/bin/tool").paths if "/gconv/" in one}
    tables = {"gconv-modules", "x.conf"} if expected else set()
    assert {one.rpartition("/")[2] for one in found} == expected | tables
