"""A small root whose C library has what these tests' programs import."""

import pytest

from tests.rule_bench import LIB, Bench, libc

SYMBOLS = ("dlopen", "getpwnam", "initgroups", "mkdir", "open")


@pytest.fixture
def bench(linker, tmp_path):
    bench = Bench(tmp_path / "root", linker)
    bench.fill({f"{LIB}/libc.so.6": libc(*SYMBOLS)})
    return bench
