"""Files that do not exist on this machine: what a loader's configuration has."""

import os

import pytest

from rootfs_builder.filesystem.content import read
from rootfs_builder.loader import ld_cache
from tests.loader.oracle import GLIBC
from tests.rule_bench import LIB, PROGRAM, Bench, libc, library, program, rule

pytestmark = pytest.mark.skipif(not os.path.exists(GLIBC), reason="needs the glibc of x86-64")
LOADS = 'when = { libc = ["glibc"] }\nload = ["libx.so.1"]\n'
CACHE = "/etc/ld.so.cache"


@pytest.fixture
def bench(linker, tmp_path):
    bench = Bench(tmp_path / "root", linker)
    bench.fill({f"{LIB}/libc.so.6": libc("frob"), f"{LIB}/libx.so.1": library("libx.so.1")})
    bench.fill({PROGRAM: program("frob"), "/sbin/ldconfig": program("frob")})
    return bench


def test_what_prints_the_cache_finds_all_libraries_in_it(bench):
    result = bench.plan(rule(LOADS + 'copy = ["/sbin/ldconfig"]'))
    (entry,) = (one for one in result.plan.entries if one.path == CACHE)
    names = {one.name for one in ld_cache.parse(read(entry.content), little=True)}
    assert names >= {b"libx.so.1", b"libc.so.6"}


def test_without_it_the_default_directories_are_enough(bench):
    assert CACHE not in bench.plan(rule(LOADS)).paths
