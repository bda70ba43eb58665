"""What a running program gets from dlopen: it prints its link map behind the call."""

import pytest

from tests.loader import oracle
from tests.loader.objects import library, program

ANY = library()
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
PRINTER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
void *load(const char *name);
%s
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) if (!load(argv[i])) { puts(dlerror()); return 127; }
    struct link_map *map = dlopen(0, RTLD_NOW);
    for (map = map->l_next; map; map = map->l_next) puts(map->l_name);
    return 0;
}
"""
LOAD = "void *dlopen(const char *, int); void *load(const char *name) { return dlopen(name, 2); }"
LOADER = library(soname="libload.so", source=LOAD)


@pytest.fixture
def dlopen(glibc):
    """Start /app/prog, let it or its libload.so dlopen names, and compare the link maps."""
    oracle.copy(glibc.root, LIBC)

    def run(tree, *names, by="libload.so"):
        glibc.fill(tree)
        done = oracle.in_root(glibc.root, ["/app/prog", *names])
        link_map = oracle.start(
            glibc.root,
            "/app/prog",
            hwcaps=glibc.levels,
            platform=glibc.platform,
            dlopen=(names[0], by),
        )
        found = [one.opened for one in link_map.objects if one.by]
        if done.returncode:
            lost = [one.request.name for one in link_map.resolutions if one.found is None]
            assert done.stdout.partition(":")[0] in lost, (done, found)
            return None
        # The real list has the loader where it was asked for, or at the end of the start-up.
        assert found == [line for line in done.stdout.splitlines() if "vdso" not in line]
        return found

    return run


def caller(*needed, **options):
    """A library whose load() calls dlopen."""
    return library(*needed, source=LOAD, soname="libload.so", **options)


def printer(*needed, loads=False, **options):
    source = PRINTER % (LOAD.partition(";")[2] if loads else "")
    links = () if loads else (LOADER,)
    return program(*needed, source=source, libc=(LIBC,), links=links, **options)


def test_runpath_of_the_program_is_used_for_its_own_call(dlopen):
    dlopen(
        {"/app/prog": printer(loads=True, runpath="/l"), "/l/libx.so": ANY},
        "libx.so",
        by="/app/prog",
    )


def test_runpath_of_the_program_is_not_used_for_a_call_of_a_library(dlopen):
    tree = {"/app/prog": printer(runpath="/l"), "/l/libload.so": caller()}
    dlopen({**tree, "/l/libx.so": ANY, "/usr/lib/libx.so": ANY}, "libx.so")


def test_rpath_of_the_program_is_used_for_a_call_of_a_library(dlopen):
    tree = {"/app/prog": printer(rpath="/l"), "/l/libload.so": caller()}
    dlopen({**tree, "/l/libx.so": ANY, "/usr/lib/libx.so": ANY}, "libx.so")


def test_runpath_of_the_calling_library(dlopen):
    tree = {"/app/prog": printer(runpath="/l"), "/l/libload.so": caller(runpath="/m")}
    dlopen({**tree, "/m/libx.so": ANY, "/usr/lib/libx.so": ANY}, "libx.so")


def test_rpath_of_the_calling_library_is_not_inherited(dlopen):
    tree = {"/app/prog": printer(runpath="/l"), "/l/libload.so": caller(rpath="/m")}
    dlopen(
        {
            **tree,
            "/m/libx.so": library("liby.so"),
            "/m/liby.so": ANY,
            "/usr/lib/liby.so": ANY,
        },
        "libx.so",
    )


def test_rpath_of_the_program_is_inherited(dlopen):
    tree = {"/app/prog": printer(rpath="/l"), "/l/libload.so": caller()}
    tree |= {"/l/libx.so": library("liby.so"), "/l/liby.so": ANY, "/usr/lib/liby.so": ANY}
    dlopen(tree, "libx.so")


def test_rpath_of_what_was_opened_is_inherited(dlopen):
    tree = {"/app/prog": printer(runpath="/l"), "/l/libload.so": caller()}
    dlopen(
        {
            **tree,
            "/usr/lib/libx.so": library("liby.so", rpath="/m"),
            "/m/liby.so": library("libz.so"),
            "/m/libz.so": ANY,
        },
        "libx.so",
    )


def test_what_is_loaded_is_reused_by_soname(dlopen):
    tree = {"/app/prog": printer("liba.so", runpath="/l"), "/l/libload.so": caller()}
    tree |= {"/l/liba.so": library(soname="libx.so.1"), "/usr/lib/libx.so.1": ANY}
    dlopen(tree, "libx.so.1")


def test_path(dlopen):
    tree = {"/app/prog": printer(runpath="/l"), "/l/libload.so": caller()}
    dlopen(
        {**tree, "/p/plugin": library("libx.so", runpath="$ORIGIN"), "/p/libx.so": ANY}, "/p/plugin"
    )


def test_token_in_the_name_is_that_of_the_caller(dlopen):
    tree = {"/app/prog": printer(runpath="/l"), "/l/libload.so": caller()}
    dlopen({**tree, "/l/p/libx.so": ANY, "/app/p/libx.so": ANY}, "$ORIGIN/p/libx.so")


def test_missing(dlopen):
    dlopen({"/app/prog": printer(runpath="/l"), "/l/libload.so": caller()}, "libx.so")


def test_missing_dependency(dlopen):
    tree = {"/app/prog": printer(runpath="/l"), "/l/libload.so": caller()}
    dlopen({**tree, "/usr/lib/libx.so": library("liby.so")}, "libx.so")


def test_auxiliary(dlopen):
    tree = {"/app/prog": printer(runpath="/l"), "/l/libload.so": caller()}
    extra = library("libz.so", args=("--auxiliary=liby.so",))
    dlopen(
        {**tree, "/usr/lib/libx.so": extra, "/usr/lib/liby.so": ANY, "/usr/lib/libz.so": ANY},
        "libx.so",
    )
