"""Evidence for what is not there is a warning: of the program, and of each of the user's words."""

import os

import pytest

from rootfs_builder.needs import rules
from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, PROGRAM, Bench, libc, library, program, rule

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")

CALLS = 'when = { imports = ["frob"] }\n'
WORDS = "words = ['module (?P<m>[^\\s;]+)']"
NAMED = CALLS + f"find = {{ {WORDS} }}\n" + "copy = ['/usr/m/{m}', '/opt/m/{m}', '{m}']\n"
INSTALL = "install it, or give it with --add"


@pytest.fixture
def bench(linker, tmp_path):
    """A root with PROGRAM, which calls frob, and modules in two places."""
    bench = Bench(tmp_path / "root", linker)
    bench.fill({PROGRAM: program("frob"), f"{LIB}/libc.so.6": libc("frob")})
    bench.fill({"/usr/m/one": "1", "/opt/m/two": "2", "/home/conf": ""})
    return bench


def said(bench, text, conf="", **options):
    bench.fill({"/home/conf": conf})
    added = (f"{bench.root}/home/conf:/etc/conf",) if conf else ()
    return bench.plan(text, add=added, **options).said("warning")


def test_each_word_of_the_user_that_names_what_is_in_no_place(bench):
    conf = "module one\nmodule two\nmodule three\nmodule /lib/four\n"
    assert said(bench, rule(NAMED), conf) == [
        f"one finds nothing: conf names /lib/four; {INSTALL}",
        f"one finds nothing: conf names three; {INSTALL}",
    ]
    words = {"command": ("module three", "module one")}
    assert said(bench, rule(NAMED), **words) == [
        f"one finds nothing: the argument module three names three; {INSTALL}"
    ]


def test_the_words_are_the_rule_s_own_if_it_knows_what_to_install(bench):
    text = rule(NAMED + 'missing = "they come with the package m"')
    wanted = "one finds nothing: conf names three; they come with the package m"
    assert said(bench, text, "module three") == [wanted]


@pytest.mark.parametrize(
    "conf",
    [
        pytest.param("# module three\n", id="comment"),
        pytest.param("  ; module three\n", id="comment of an ini file"),
        pytest.param("// module three\n", id="comment of C++"),
        pytest.param("module conf.d/*\n", id="wildcard"),
        pytest.param("module $three\n", id="variable"),
        pytest.param("module one\n# module three\n", id="comment beside another"),
    ],
)
def test_what_names_nothing_in_particular(bench, conf):
    assert said(bench, rule(NAMED), conf) == []


def test_words_that_may_find_more_than_is_meant(bench):
    text = NAMED.replace(WORDS, f"{WORDS}, optional = true")
    assert said(bench, rule(text), "module three") == []
    assert said(bench, rule(NAMED + "optional = true"), "module three") == []


def test_one_line_however_many_programs_lack_it(bench):
    bench.fill({"/app/other": program("frob")})
    text = rule(CALLS + "copy = ['/no']\n")
    assert len(bench.plan(text, PROGRAM, "/app/other").said("warning")) == 1


def test_what_is_refused_is_told_once(bench):
    bench.fill({"/home/secret.so": "x"})
    (line,) = said(bench, rule(NAMED), "module /home/secret.so\n")
    assert "finds nothing" not in line


def test_a_library_that_is_not_there_is_told_once(bench):
    (line,) = said(bench, rule(CALLS + 'load = ["libno.so"]'))
    assert line.startswith("one: libno.so was not found")


def test_a_program_that_checks_certificates_where_there_are_none(bench):
    """As in a slim container, or a root made of packages whose triggers did not run."""
    curl = library("libcurl.so.4")
    bench.fill({f"{LIB}/libcurl.so.4": curl, PROGRAM: program("frob", libraries=(curl,))})
    own = tuple(one for one in rules.load() if one.name == "ca-certificates")
    (line,) = bench.plan_of(own).said("warning")
    assert line.startswith("ca-certificates brings nothing: ")
    assert "install ca-certificates, or --add FILE:/etc/ssl/certs/ca-certificates.crt" in line
    bench.fill({"/etc/ssl/certs/ca-certificates.crt": "-----BEGIN CERTIFICATE-----\n"})
    assert bench.plan_of(own).said("warning") == []


def test_a_module_of_nginx_that_is_not_there(bench):
    text = 'static const char built[] __attribute__((used)) = "--prefix=/usr/share/n "\n'
    text += '"--conf-path=/etc/n/n.conf "; const char *get(void) { return built; }'
    bench.fill({PROGRAM: program("frob", source=text), "/usr/share/n/modules/there.so": "x"})
    own = tuple(one for one in rules.load() if one.name == "nginx")
    bench.fill({"/home/n.conf": "load_module modules/there.so;\nload_module modules/gone.so;\n"})
    result = bench.plan_of(own, add=(f"{bench.root}/home/n.conf:/etc/n/n.conf",))
    wanted = f"nginx finds nothing: n.conf names modules/gone.so; {INSTALL}"
    assert result.said("warning") == [wanted]


def test_a_word_that_is_no_path_names_none(bench):
    """As `module = app` of another program's settings, which a rule reads too."""
    text = CALLS + 'find = { settings = { module = ["module"] } }\ncopy = ["{module}"]'
    assert said(bench, rule(text), "module = app\n") == []
    (line,) = said(bench, rule(text), "module = /opt/app.so\n")
    assert "conf names /opt/app.so" in line


REFUSES = 'const char *why(void) { return "server: cannot be run as root\\n"; }'


def test_a_program_that_does_not_run_as_root(bench):
    bench.fill({PROGRAM: program("frob", source=REFUSES)})
    own = tuple(one for one in rules.load() if one.name == "refuses-root")
    (line,) = bench.plan_of(own).said("hint")
    assert "-u nonroot" in line
    assert bench.plan_of(own, user="nonroot").said("hint") == []
    bench.fill({PROGRAM: program("frob")})
    assert bench.plan_of(own).said("hint") == []
