"""What LD_PRELOAD of the image names: it comes along, and what it needs, as the loader takes it."""

import os

import pytest

from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.plan import verify
from tests.loader.oracle import GLIBC, MUSL
from tests.rule_bench import LIB, PROGRAM, Bench, libc, library, program

NOTHING = ""
DEEP = library("libdeep.so.1")
WISHED = library("libwished.so.1", links=(DEEP,))

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")


@pytest.fixture
def bench(linker, tmp_path):
    """A root with PROGRAM, and two libraries that it does not ask for."""
    bench = Bench(tmp_path / "root", linker)
    bench.fill({PROGRAM: program("frob"), f"{LIB}/libc.so.6": libc("frob")})
    bench.fill({f"{LIB}/libwished.so.1": WISHED, f"{LIB}/libdeep.so.1": DEEP})
    return bench


@pytest.mark.parametrize(
    "text",
    [
        "libwished.so.1",
        f"{LIB}/libwished.so.1",
        "libdeep.so.1 libwished.so.1",
        f":libdeep.so.1::{LIB}/libwished.so.1 ",
    ],
)
def test_what_ld_preload_names_comes_with_what_it_needs(bench, text):
    result = bench.plan(NOTHING, env=(f"LD_PRELOAD={text}",))
    assert {f"{LIB}/libwished.so.1", f"{LIB}/libdeep.so.1"} <= result.paths
    assert result.chain(f"{LIB}/libwished.so.1")[0] == (f"{LIB}/libwished.so.1", "preload")
    assert not result.said("warning")


def test_without_the_variable_nothing_is_preloaded(bench, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "libwished.so.1")
    assert f"{LIB}/libwished.so.1" not in bench.plan(NOTHING).paths


def test_what_is_not_there_is_a_warning(bench):
    (said,) = bench.plan(NOTHING, env=("LD_PRELOAD=libgone.so",)).said("warning")
    assert said.startswith("LD_PRELOAD names libgone.so, which cannot be loaded")


def test_what_is_added_there_is_not_missed(bench):
    bench.fill({"/mine/libown.so": library("libown.so", links=(DEEP,))})
    result = bench.plan(
        NOTHING, env=("LD_PRELOAD=/opt/own/libown.so",), add=(f"{bench.root}/mine:/opt/own",)
    )
    assert {"/opt/own/libown.so", f"{LIB}/libdeep.so.1"} <= result.paths
    assert not result.said("warning")


@pytest.mark.skipif(not os.path.exists(MUSL), reason="needs musl")
def test_musl_preloads_too(bench):
    bench.fill({PROGRAM: program("frob", interpreter=MUSL)})
    bench.fill({"/lib/libwished.so.1": library("libwished.so.1")})
    bench.fill({"/lib/libc.so.6": libc("frob")})
    paths = bench.plan(NOTHING, env=("LD_PRELOAD=libwished.so.1",)).paths
    assert "/lib/libwished.so.1" in paths


def test_verify_knows_that_a_preloaded_library_lacks_one(bench):
    os.remove(f"{bench.root}{LIB}/libdeep.so.1")
    root = DirectoryRoot(str(bench.root))
    assert not verify.check(root).problems
    assert not verify.check(root, preload=("libgone.so",)).problems
    (problem,) = verify.check(root, preload=("libwished.so.1",)).problems
    assert problem.startswith("libdeep.so.1: not found\n  needed by")
