"""Every path that a finding's text names is in its `paths`: they decide what travels in an image.

The cases are programs of this machine with the tool's own rules, and small roots in which each kind
of finding is made on purpose.
"""

import errno
import os
import re
import shutil

import pytest

from rootfs_builder import recipe
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code
from rootfs_builder.needs import rules
from rootfs_builder.paths import named_in, printable
from rootfs_builder.pipeline import planning
from tests.loader.oracle import GLIBC, MUSL
from tests.rule_bench import LIB, PROGRAM, Bench, libc, library, program, rule

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")

CALLS = 'when = { imports = ["frob"] }\n'
NEEDY = library("libneedy.so", links=(library("libgone.so.9"),))
MACHINE = ("python3", "git", "ssh", "perl", "date", "openssl", "vim", "nginx", "systemctl", "gpg")
PUNCTUATION = r"[\"'`(),;]|[.:](?!\S)"
ACTS = CALLS + 'write = { "/x" = "x" }'


def unlisted(findings):
    """Each absolute path in a finding's text that its `paths` lack."""
    return [
        (one.code, word)
        for one in findings
        for words in re.findall(r"(?<![^\s=])/\S*", re.sub(PUNCTUATION, "", one.text))
        for word in words.split(":")  # SRC:DEST
        if word not in {printable(path) for path in one.paths}
    ]


def codes(result):
    return {one.code for one in result.plan.findings}


@pytest.fixture
def bench(linker, tmp_path):
    """A root with PROGRAM, which calls frob, and its libc."""
    bench = Bench(tmp_path / "root", linker)
    bench.fill({PROGRAM: program("frob"), f"{LIB}/libc.so.6": libc("frob")})
    return bench


@pytest.mark.long
@pytest.mark.parametrize("name", MACHINE)
def test_programs_of_this_machine(name):
    path = shutil.which(name, path="/usr/bin:/usr/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    wanted = recipe.from_options(
        directory="/",
        executables=(path,),
        command=("--file=/etc/fstab", "/usr/share/zoneinfo/UTC", "exec /bin/sh -c /bin/ls"),
        env=("TZ=/usr/share/zoneinfo/Europe/Paris", "LD_PRELOAD=/opt/none.so", "PERL5LIB=/opt/p"),
        dlopen="required",
    )
    _, plan, _ = planning.plan(wanted, Sources(DirectoryRoot()), rules=rules.load())
    assert plan.findings
    assert unlisted(plan.findings) == []


def test_a_plugin_that_lacks_a_library(bench):
    bench.fill({"/plugins/a.so": NEEDY})
    result = bench.plan(rule(CALLS + 'copy = ["/plugins"]'))
    assert Code.LIBRARY_MISSING in codes(result)
    assert unlisted(result.plan.findings) == []


def test_plugins_that_lack_many_libraries_are_one_warning(bench):
    gone = {
        f"/plugins/{one}.so": library(f"{one}.so", links=(library(f"lib{one}.so"),))
        for one in "xyz"
    }
    bench.fill(gone)
    result = bench.plan(rule(CALLS + 'copy = ["/plugins"]'))
    (found,) = [one for one in result.plan.findings if one.code is Code.LIBRARY_MISSING]
    assert "x.so (libx.so), y.so (liby.so), z.so (libz.so)" in found.text
    assert set(found.paths) == {"/plugins", *gone}
    assert unlisted(result.plan.findings) == []


def test_a_library_asked_for_by_its_path(bench):
    bench.fill({"/plugins/a.so": library("a.so", links=(library("/opt/x/libgone.so"),))})
    result = bench.plan(rule(CALLS + 'copy = ["/plugins"]'))
    (found,) = [one for one in result.plan.findings if one.code is Code.LIBRARY_MISSING]
    assert {"/opt/x/libgone.so", "/plugins/a.so"} <= set(found.paths)
    assert unlisted(result.plan.findings) == []


def test_a_program_in_a_tree_without_its_loader(bench):
    bench.fill({"/bin/other": program("frob", interpreter="/opt/none/ld.so")})
    result = bench.plan(rule(CALLS + 'copy = ["/bin/other"]'))
    (found,) = [one for one in result.plan.findings if one.code is Code.LOADER_MISSING]
    assert set(found.paths) == {"/opt/none/ld.so", "/bin/other"}
    assert unlisted(result.plan.findings) == []


def test_a_program_in_a_tree_whose_loader_is_none(bench):
    bench.fill({"/bin/other": program("frob", interpreter="/opt/ld.so"), "/opt/ld.so": NEEDY})
    result = bench.plan(rule(CALLS + 'copy = ["/bin/other"]'))
    assert Code.LOADER_MISSING in codes(result)
    assert unlisted(result.plan.findings) == []


def test_a_program_in_a_tree_whose_loader_cannot_be_read(bench, monkeypatch):
    bench.fill({"/bin/other": program("frob", interpreter="/opt/ld.so"), "/opt/ld.so": NEEDY})
    real = os.pread

    def pread(descriptor, *where):
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("/opt/ld.so"):
            raise OSError(errno.EACCES, "Permission denied")
        return real(descriptor, *where)

    monkeypatch.setattr(os, "pread", pread)
    result = bench.plan(rule(CALLS + 'copy = ["/bin/other"]'))
    (found,) = [one for one in result.plan.findings if one.code is Code.LOADER_MISSING]
    assert found.paths == (f"{bench.root}/opt/ld.so",)
    assert unlisted(result.plan.findings) == []


def test_a_library_that_a_program_with_privileges_does_not_find(bench):
    shared = library("libx.so.1")
    bench.fill({"/srv/prog": program("frob", libraries=(shared,), runpath="$ORIGIN/l")})
    bench.fill({"/srv/l/libx.so.1": shared})
    result = bench.plan(rule(ACTS), "/srv/prog", mode=("/srv/prog=4755",))
    assert Code.PRIVILEGED_ORIGIN in codes(result)
    assert unlisted(result.plan.findings) == []


def test_a_relative_runpath(bench):
    shared = library("libx.so.1")
    bench.fill({PROGRAM: program("frob", libraries=(shared,), runpath="rel")})
    bench.fill({f"{LIB}/libx.so.1": shared})
    result = bench.plan(rule(ACTS))
    assert Code.RELATIVE_RUNPATH in codes(result)
    assert unlisted(result.plan.findings) == []


def test_a_preload_of_the_root_and_one_of_the_image(bench):
    bench.fill({"/etc/ld.so.preload": "/opt/spy.so libspy.so\n"})
    result = bench.plan(rule(ACTS), env=("LD_PRELOAD=/opt/gone.so",))
    assert {Code.PRELOAD_NOT_COPIED, Code.LIBRARY_MISSING} <= codes(result)
    assert unlisted(result.plan.findings) == []


@pytest.mark.skipif(not os.path.exists(MUSL), reason="needs musl")
def test_files_for_another_libc(bench):
    foreign = library("f.so", links=(library("libc.musl-x86_64.so.1"),))
    bench.fill({"/plugins/f.so": foreign})
    result = bench.plan(rule(CALLS + 'copy = ["/plugins"]'))
    assert Code.FOREIGN_FILES in codes(result)
    assert unlisted(result.plan.findings) == []


def test_a_secret(bench):
    bench.fill({"/etc/app/key": "x"})
    os.chmod(f"{bench.root}/etc/app/key", 0o600)
    result = bench.plan(rule(CALLS + 'copy = ["/etc/app"]'))
    assert Code.SECRET_LEFT_OUT in codes(result)
    assert unlisted(result.plan.findings) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('hint = "see /opt/doc, or (/opt/more)"\n', Code.RULE_HINT),
        ('missing = "install /opt/x; or --add /opt/y"\ncopy = ["/no"]', Code.RULE_FOUND_NOTHING),
        ('load = ["/opt/none.so"]', Code.RULE_LIBRARY_MISSING),
        ('write = { "/x" = "x" }', Code.RULE_ADDED),
    ],
)
@pytest.mark.parametrize(
    "when",
    [
        'imports = ["frob"]',
        'env = ["WHERE"]',
        r'text = ["\u0000/opt/named\u0000"]',
        'text = ["/srv/argument"]',
    ],
)
def test_what_rules_say(bench, when, body, code):
    bench.fill({PROGRAM: program("frob", source='const char t[] = "\\0/opt/named";')})
    text = rule(f"when = {{ {when} }}\n{body}").replace('"of one"', '"it is in /opt/because"')
    result = bench.plan(text, env=("WHERE=/srv/where",), command=("/srv/argument",))
    assert code in codes(result)
    assert unlisted(result.plan.findings) == []


def test_what_a_pattern_finds_in_the_users_words(bench):
    found = rule(CALLS + "find = { words = ['(?P<m>/srv/\\w+)'] }\nwrite = { '/x' = '{m}' }")
    result = bench.plan(found, command=("/srv/argument",))
    assert Code.RULE_ADDED in codes(result)
    assert unlisted(result.plan.findings) == []


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("", ()),
        ("a b/c ./d", ()),
        ("see /a, /b; and (/c) `/d'. /a", ("/a", "/b", "/c", "/d")),
        ("the argument --conf=/home/me/x names 7", ("/home/me/x",)),
        ("-e A=/a --b=/b.c, -I/c -/d", ("/a", "/b.c", "/c")),
        (
            """see "/my own/a b", '/c d'; and `/e f`. --x='/g h'""",
            ("/my own/a b", "/c d", "/e f", "/g h"),
        ),
        ("""the program's /a and "b" /c""", ("/a", "/c")),
        (
            """["/a","/b c"] {/d} </e> x:/f /g:/h |/i""",
            ("/a", "/b c", "/d", "/e", "/f", "/g:/h", "/i"),
        ),
        ("https://host/a http://b file:///c ~/d $HOME/e ../f and/or", ("/c",)),
        ('an open quote: "/a b', ("/a",)),
    ],
)
def test_the_paths_in_a_text(text, paths):
    assert named_in(text) == paths
