"""What a rule finds in the user's words, and in files that --add puts in the place of others."""

import os

import pytest

from rootfs_builder.errors import UsageError
from rootfs_builder.needs import rules
from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, PROGRAM, Bench, libc, library, program, rule

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")

CALLS = 'when = { imports = ["frob"] }\n'
NAMED = CALLS + "find = { words = ['module (?P<module>\\w+)'] }\ncopy = ['/usr/m/{module}']\n"
PLACED = CALLS + (
    "copy = ['/etc/c/main', '/usr/m/{module}']\n"
    "[[one.follow]]\n"
    "file = ['/etc/c/main', '/etc/c/more/*']\n"
    "text = 'module (?P<module>\\w+)'\n"
)


@pytest.fixture
def bench(linker, tmp_path):
    """A root with PROGRAM, which calls frob, its modules and their configuration."""
    bench = Bench(tmp_path / "root", linker)
    bench.fill({PROGRAM: program("frob"), f"{LIB}/libc.so.6": libc("frob")})
    bench.fill({f"/usr/m/{name}": name for name in ("one", "two", "three")})
    bench.fill({"/etc/c/main": "module one\n", "/etc/c/more/x": "module three\n"})
    bench.fill({"/home/main": "module two\n", "/home/tree/more/y": "module two\n"})
    return bench


def modules(result):
    return {path.removeprefix("/usr/m/") for path in result.paths if path.startswith("/usr/m/")}


def test_arguments_are_words_with_a_nul_around_each(bench):
    text = rule(
        CALLS + "find = { words = ['\\x00-m\\x00(?P<m>\\w+)(?=\\x00)'] }\ncopy = ['/usr/m/{m}']\n"
    )
    result = bench.plan(text, command=("-m", "two", "-m", "one"))
    assert modules(result) == {"one", "two"}
    assert result.applied == {"one": "an argument names two"}
    assert modules(bench.plan(text, command=("-mtwo",))) == set()
    assert modules(bench.plan(text)) == set()


def test_the_arguments_of_the_entrypoint_are_words_but_not_the_program(bench):
    text = rule(CALLS + "find = { words = ['\\x00(?P<m>\\w+)\\x00'] }\ncopy = ['/usr/m/{m}']\n")
    assert modules(bench.plan(text, entrypoint='["/one", "two"]')) == {"two"}


def test_added_files_are_words(bench):
    result = bench.plan(rule(NAMED), add=(f"{bench.root}/home/main:/srv/main",))
    assert modules(result) == {"two"}
    assert result.applied == {"one": "main names two"}
    assert bench.plan(rule(NAMED)).applied == {}


def test_the_places_of_added_files_are_words(bench):
    text = rule(
        CALLS + "find = { words = ['\\x00/etc/s/(?P<m>\\w+)\\x00'] }\ncopy = ['/usr/m/{m}']\n"
    )
    result = bench.plan(text, add=(f"{bench.root}/home/main:/etc/s/three",))
    assert modules(result) == {"three"}
    assert result.applied == {"one": "--add names three"}


def test_each_match_of_words_goes_with_each_of_the_program(bench):
    bench.fill({PROGRAM: program("frob", source='const char *t = "DIR=/usr/m";')})
    find = "find = { text = ['DIR=(?P<d>[/\\w]+)'], words = ['module (?P<m>\\w+)'] }\n"
    text = rule(CALLS + find + "copy = ['{d}/{m}']\n")
    assert modules(bench.plan(text, command=("module one, module two",))) == {"one", "two"}
    bench.fill({PROGRAM: program("frob")})
    assert modules(bench.plan(text, command=("module one",))) == set()


def test_beside_is_the_directory_of_a_library(bench):
    lib = library("libx.so.1", "frob")
    bench.fill({PROGRAM: program("frob", libraries=(lib,)), f"{LIB}/libx.so.1": lib})
    bench.fill({f"{LIB}/plugins/p": "p"})
    find = "find = { soname = 'libx.so.*', text = ['libc'] }\ncopy = ['{beside}/plugins']\n"
    assert f"{LIB}/plugins/p" in bench.plan(rule(CALLS + find)).paths


def test_a_hint_that_the_words_answer_acts_and_is_not_said(bench):
    text = rule(
        CALLS + "hint = 'more'\ncopy = ['/usr/m/{value}']\n"
        "find = [{ text = ['ELF'] }, { words = ['module (?P<value>\\w+)'] }]\n"
    )
    assert bench.plan(text).said("hint") == ["more: --with one (prog calls frob)"]
    result = bench.plan(text, command=("module two",))
    assert (modules(result), result.said("hint")) == ({"two"}, [])
    result = bench.plan(text, command=("module two",), with_=("one=three",))
    assert modules(result) == {"two", "three"}


def test_what_is_added_is_followed_in_the_place_of_the_roots_file(bench):
    assert modules(bench.plan(rule(PLACED))) == {"one", "three"}
    result = bench.plan(rule(PLACED), add=(f"{bench.root}/home/main:/etc/c/main",))
    assert modules(result) == {"two", "three"}
    assert result.tree["/etc/c/main"] == "module two\n"


def test_what_is_added_beside_the_roots_files_is_followed_too(bench):
    result = bench.plan(rule(PLACED), add=(f"{bench.root}/home/tree:/etc/c",))
    assert modules(result) == {"one", "two", "three"}


def test_what_is_added_is_followed_where_a_link_of_the_root_leads(bench):
    bench.fill({"/etc/real": "module one\n", "/etc/d/link": "-> ../real"})
    text = rule(
        CALLS
        + "copy = ['/usr/m/{m}']\n"
        + "follow = [{ file = '/etc/d/link', text = 'module (?P<m>\\w+)' }]\n"
    )
    assert modules(bench.plan(text)) == {"one"}
    result = bench.plan(text, add=(f"{bench.root}/home/main:/etc/real",))
    assert modules(result) == {"two"}


def test_a_link_in_an_added_tree_is_what_it_leads_to(bench):
    bench.fill({"/home/links/main": "-> ../main"})
    result = bench.plan(rule(NAMED), add=(f"{bench.root}/home/links:/srv",))
    assert modules(result) == {"two"}


def test_accounts_are_those_of_the_root_and_others_bring_nothing(bench):
    bench.fill({"/etc/passwd": "box:x:77:78:Box:/srv/box:/bin/sh\n", "/etc/group": "boxes:x:78:\n"})
    text = rule(CALLS + "find = { words = ['user (?P<u>\\w+)'] }\naccounts = ['{u}']\n")
    result = bench.plan(text, command=("user box", "user other", "user root"))
    assert result.tree == {
        "/etc/passwd": "box:x:77:78::/srv/box:/sbin/nologin\n",
        "/etc/group": "boxes:x:78:\n",
    }
    said = "one finds nothing: an argument names other; install it, or give it with --add"
    assert bench.plan(text, command=("user other",)).said("warning") == [said]


def test_words_are_checked_as_text_is():
    text = rule(CALLS + "find = { words = ['(?P<x>'] }\ncopy = ['/{x}']\n")
    with pytest.raises(UsageError, match=r"find\.words: .* is not a valid regular expression"):
        rules.read(text, "my.toml")


@pytest.mark.parametrize("pattern", ["(?P<x>/a)?", "(?P<x>/a)|", "(?P<x>[/a]*)"])
def test_a_pattern_that_finds_nothing_at_every_byte_is_a_mistake(pattern):
    text = rule(CALLS + f"find = {{ text = ['{pattern}'] }}\ncopy = ['/{{x}}']\n")
    with pytest.raises(UsageError, match=r"find\.text: .* finds nothing at every byte"):
        rules.read(text, "my.toml")
    rules.read(text.replace(pattern, "(?P<x>/a)|\\A"), "my.toml")


def test_many_files_of_a_directory_that_a_text_names_are_one_line(bench):
    bench.fill({f"/srv/many/{n}": "" for n in range(9)})
    bench.fill({f"/srv/few/{n}": "" for n in range(3)})
    text = rule(CALLS + "find = { words = ['in (?P<x>/\\S+)'] }\ncopy = ['{x}/*']\n")
    bench.fill({"/home/settings": "in /srv/many\nin /srv/few\n"})
    result = bench.plan(text, add=(f"{bench.root}/home/settings:/etc/x",))
    said = [one for one in result.said("warning") if "not included" in one]
    assert len(said) == len(("many", *range(3)))
    (many,) = (one for one in said if "/srv/many" in one)
    assert many.startswith("9 paths in /srv/many were not included: ")
    assert many.endswith(f"to include one: --add {bench.root}/srv/many/0:/srv/many/0")


def test_what_is_added_stands_where_the_root_has_a_link(bench):
    bench.fill({"/etc/d/link": "-> ../c/main"})
    text = rule(CALLS + "copy = ['/etc/d/link']\n")
    assert set(bench.plan(text).tree) == {"/etc/d/link", "/etc/c/main"}
    result = bench.plan(text, add=(f"{bench.root}/home/main:/etc/d/link",))
    assert result.tree == {"/etc/d/link": "module two\n"}


def test_what_not_everybody_may_read_is_left_out(bench):
    bench.fill({"/etc/key": "secret", "/etc/d/open": "o", "/etc/d/closed": "c"})
    (bench.root / "etc/key").chmod(0o640)
    (bench.root / "etc/d/closed").chmod(0o600)
    result = bench.plan(rule(CALLS + "copy = ['/etc/key', '/etc/d']\n"))
    assert result.tree == {"/etc/d/open": "o"}
    assert set(result.said("warning")) == {
        f"{path} was not included: it is not readable by everyone on this machine; "
        f"to include it: --add {bench.root}{path}:{path}"
        for path in ("/etc/d/closed", "/etc/key")
    }
