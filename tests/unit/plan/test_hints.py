"""Programs that a program names, and that are left out: one hint, and no more."""

import os
from types import SimpleNamespace

import pytest

from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.plan import PlanRoot
from rootfs_builder.plan import hints as hints_of
from tests import trees
from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, PROGRAM, Bench, libc, program, rule

NAMES = "programs that are named in it are left out; name those you need as further EXECUTABLEs: "

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")


@pytest.fixture
def bench(linker, tmp_path):
    """A root with two programs that others may name, and a file that is none."""
    bench = Bench(tmp_path / "root", linker)
    bench.fill({f"{LIB}/libc.so.6": libc("frob"), "/usr/bin/data": "not executable"})
    bench.fill({"/usr/bin/less": program(), "/usr/libexec/aid": program()})
    return bench


def naming(*texts):
    """A program with these texts in it."""
    source = "".join(f'const char *t{number} = "{one}";' for number, one in enumerate(texts))
    return program("frob", source=source)


def hints(bench, *programs, **options):
    text = options.pop("text", "")
    return bench.plan(text, *programs, **options).said("hint")


def test_all_that_are_named_and_there_are_one_hint(bench):
    bench.fill({PROGRAM: naming("/usr/libexec/aid", "/usr/bin/less", "/usr/bin/gone")})
    named = [f"{bench.root}/usr/bin/less", f"{bench.root}/usr/libexec/aid"]
    assert hints(bench) == [NAMES + " ".join(named)]
    assert hints(bench, PROGRAM, *(one.removeprefix(str(bench.root)) for one in named)) == []


def test_modules_of_python_that_are_left_out_are_one_hint():
    """Less those that have come in all the same."""
    site, tree = "/usr/lib/python3/dist-packages", {}
    for one in ("a/__init__.py", "b.cpython-313-x.so", "c.py"):
        tree[f"{site}/{one}"] = "file 0644 x"
    out = tuple(tree)
    closure = SimpleNamespace(programs=(), supply=SimpleNamespace(left_out=out, too_large=()))
    sources = Sources(PlanRoot(trees.plan(tree)))
    (found,) = hints_of.left_out(closure, {f"{site}/c.py"}, sources=sources)
    assert found.text.endswith(": --with python3-modules=a,b")
    assert not [*hints_of.left_out(closure, {*out}, sources=sources)]


def test_what_is_started_and_too_large_is_a_warning_and_no_hint_beside():
    tree = {f"/usr/bin/{one}": "file 0755 x" for one in ("big", "here", "less")}
    out, large = ("/usr/bin/big", "/usr/bin/less"), ("/usr/bin/big", "/usr/bin/here")
    closure = SimpleNamespace(programs=(), supply=SimpleNamespace(left_out=out, too_large=large))
    sources = Sources(PlanRoot(trees.plan(tree)))
    found = [*hints_of.left_out(closure, {"/usr/bin/here"}, sources=sources)]
    assert [(one.level, one.text.rpartition(": ")[2]) for one in found] == [
        ("warning", "/usr/bin/big"),
        ("hint", "/usr/bin/less"),
    ]


@pytest.mark.parametrize(
    "text",
    ["/usr/bin/data", "/usr/bin", "see /usr/bin/less", "/usr/bin/less %s", "/bin/sh", PROGRAM],
)
def test_what_is_no_path_of_another_program_is_no_hint(bench, text):
    bench.fill({PROGRAM: naming(text), "/bin/sh": program()})
    assert hints(bench) == []


def test_what_is_in_the_image_is_no_hint(bench):
    bench.fill({PROGRAM: naming("/usr/bin/less", "/bin/pager"), "/bin/pager": "-> ../usr/bin/less"})
    brings = rule('when = { imports = ["frob"] }\ncopy = ["/usr/bin/less"]')
    assert len(hints(bench)) == 1
    assert hints(bench, text=brings) == []
    assert hints(bench, PROGRAM, "/usr/bin/less") == []
    assert hints(bench, add=(f"{bench.root}/usr/bin/less",)) == []


def test_a_program_that_a_rule_brings_names_nothing(bench):
    bench.fill({PROGRAM: program("frob"), "/usr/bin/aid": naming("/usr/bin/less")})
    brings = rule('when = { imports = ["frob"] }\ncopy = ["/usr/bin/aid"]')
    assert hints(bench, text=brings) == []
