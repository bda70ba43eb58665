"""glibc-hwcaps subdirectories, in every kind of directory and at every level of this CPU."""

import pytest

from tests.loader.objects import library, program

ANY = library()
WHERE = {
    "RPATH": ({"rpath": "/l"}, "/l", None),
    "RUNPATH": ({"runpath": "/l"}, "/l", None),
    "library path": ({}, "/l", "/l"),
    "default directory": ({}, "/usr/lib", None),
    "first default directory": ({}, "/lib/x86_64-linux-gnu", None),
}


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("where", WHERE)
def test_level(glibc, where, level):
    options, directory, library_path = WHERE[where]
    tree = {f"{directory}/glibc-hwcaps/{one}/liba.so": ANY for one in glibc.levels}
    tree |= {"/app/prog": program("liba.so", **options), f"{directory}/liba.so": ANY}
    glibc.agrees(tree, library_path=library_path, levels=glibc.levels[level:])


def test_level_between_is_missing(glibc):
    best, last = glibc.levels[0], glibc.levels[-1]
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", runpath="/l"),
            f"/l/glibc-hwcaps/{best}/liba.so": ANY,
            f"/l/glibc-hwcaps/{last}/libb.so": ANY,
            "/l/liba.so": ANY,
            "/l/libb.so": ANY,
        }
    )


def test_level_without_a_plain_file(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/l"),
            f"/l/glibc-hwcaps/{glibc.levels[0]}/liba.so": ANY,
        }
    )


def test_first_directory_comes_before_the_best_level(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/1:/2"),
            "/1/liba.so": ANY,
            f"/2/glibc-hwcaps/{glibc.levels[0]}/liba.so": ANY,
        }
    )


def test_origin_of_a_library_of_a_level(glibc):
    directory = f"/l/glibc-hwcaps/{glibc.levels[0]}"
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/l"),
            f"{directory}/liba.so": library("libb.so", runpath="$ORIGIN"),
            f"{directory}/libb.so": ANY,
            "/l/libb.so": ANY,
        }
    )


def test_other_needed_names_at_a_level(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so"),
            f"/usr/lib/glibc-hwcaps/{glibc.levels[0]}/liba.so": library("libb.so"),
            "/usr/lib/liba.so": library("libd.so"),
            "/usr/lib/libb.so": ANY,
            "/usr/lib/libd.so": ANY,
        }
    )


@pytest.mark.parametrize("kind", ["wrong class", "empty file"])
def test_candidate_at_a_level(glibc, kind):
    bad = library(bits=32) if kind == "wrong class" else b""
    glibc.agrees(
        {
            "/app/prog": program("liba.so"),
            f"/usr/lib/glibc-hwcaps/{glibc.levels[0]}/liba.so": bad,
            "/usr/lib/liba.so": ANY,
        }
    )


@pytest.mark.parametrize("name", ["haswell", "tls", "x86_64", "tls/x86_64", "glibc-hwcaps/haswell"])
def test_subdirectory_of_old(glibc, name):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/l"),
            f"/l/{name}/liba.so": ANY,
            "/l/liba.so": ANY,
        }
    )
