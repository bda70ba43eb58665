"""The rules of musl's loader, from programs that print what it has loaded."""

import struct

import pytest

from tests.loader.objects import flawed, library

ANY = library()
PATH_FILE = "/etc/ld-musl-x86_64.path"


def test_default_path_in_its_order(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", "libb.so", "libd.so"),
            "/lib/liba.so": ANY,
            "/usr/local/lib/liba.so": ANY,
            "/usr/local/lib/libb.so": ANY,
            "/usr/lib/libb.so": ANY,
            "/usr/lib/libd.so": ANY,
        }
    )


def test_runpath(musl):
    musl.agrees({"/app/prog": musl.program("liba.so", runpath="/l"), "/l/liba.so": ANY})


def test_rpath_is_the_same(musl):
    musl.agrees({"/app/prog": musl.program("liba.so", rpath="/l"), "/l/liba.so": ANY})


def test_runpath_is_inherited(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", runpath="/l"),
            "/l/liba.so": library("libb.so"),
            "/l/libb.so": library("libd.so"),
            "/l/libd.so": ANY,
        }
    )


def test_runpath_of_the_needer_comes_before_the_inherited(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", runpath="/l"),
            "/l/liba.so": library("libb.so", runpath="/m"),
            "/l/libb.so": ANY,
            "/m/libb.so": library("libd.so"),
            "/m/libd.so": ANY,
            "/l/libd.so": ANY,
        }
    )


def test_runpath_does_not_hide_the_inherited(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", rpath="/l"),
            "/l/liba.so": library("libb.so", runpath="/m"),
            "/l/libb.so": ANY,
            "/lib/libb.so": ANY,
        }
    )


def test_runpath_is_inherited_from_who_asked_first(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", "libb.so"),
            "/lib/liba.so": library("libx.so", runpath="/a"),
            "/lib/libb.so": library("libx.so", runpath="/b"),
            "/a/libx.so": library("liby.so"),
            "/a/liby.so": ANY,
            "/b/liby.so": ANY,
        }
    )


def test_library_path_comes_before_runpath(musl):
    tree = {"/app/prog": musl.program("liba.so", rpath="/l"), "/l/liba.so": ANY}
    musl.agrees({**tree, "/L/liba.so": ANY}, library_path="/L")


def test_library_path_is_split_at_colons_and_newlines_only(musl):
    tree = {"/app/prog": musl.program("liba.so", "libb.so"), "/1/liba.so": ANY, "/2/libb.so": ANY}
    musl.agrees({**tree, "/x;/y/libb.so": ANY}, library_path="/1:\n:/x;/y\n/2")


def test_tokens_in_library_path_are_no_tokens(musl):
    tree = {"/app/prog": musl.program("liba.so"), "/$ORIGIN/liba.so": ANY, "/lib/liba.so": ANY}
    musl.agrees(tree, library_path="/$ORIGIN")


def test_runpath_is_split_at_newlines_too(musl):
    tree = {"/1/liba.so": ANY, "/2/libb.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so", "libb.so", runpath="/1\n:/2"), **tree})


def test_path_file(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", "libb.so"),
            PATH_FILE: b"/1:/2\n/3\n",
            "/3/liba.so": ANY,
            "/2/libb.so": ANY,
            "/lib/libb.so": ANY,
        }
    )


def test_path_file_replaces_the_default(musl):
    musl.agrees({"/app/prog": musl.program("liba.so"), PATH_FILE: b"/1\n", "/lib/liba.so": ANY})


def test_path_file_that_is_empty(musl):
    musl.agrees({"/app/prog": musl.program("liba.so"), PATH_FILE: b"", "/lib/liba.so": ANY})


def test_path_file_is_where_the_interpreter_says(musl):
    """Its prefix is the PT_INTERP string less two components, wherever that leads."""
    interpreter = "/opt/musl/lib/ld-musl-x86_64.so.1"
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", interpreter=interpreter),
            "/opt/musl/lib": "-> /lib",
            f"/opt/musl{PATH_FILE}": b"/1\n",
            PATH_FILE: b"/2\n",
            "/1/liba.so": ANY,
            "/2/liba.so": ANY,
        }
    )


def test_path_file_is_named_by_the_loader_and_not_its_file(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", interpreter="/lib/loader"),
            "/lib/loader": "-> ld-musl-x86_64.so.1",
            PATH_FILE: b"/1\n",
            "/1/liba.so": ANY,
        }
    )


def test_origin_of_the_program_is_where_it_is(musl):
    tree = {"/app/prog": musl.program("liba.so", runpath="$ORIGIN/../l"), "/l/liba.so": ANY}
    musl.agrees(tree, confined=False)


def test_origin_of_a_program_behind_a_symlink(musl):
    tree = {"/app/prog": musl.program("liba.so", runpath="$ORIGIN"), "/b/prog": "-> ../app/prog"}
    musl.agrees({**tree, "/app/liba.so": ANY, "/b/liba.so": ANY}, "/b/prog", confined=False)


def test_origin_of_a_library_is_where_it_was_opened(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", runpath="/l"),
            "/l/liba.so": "-> /real/liba.so.1",
            "/real/liba.so.1": library("libb.so", runpath="${ORIGIN}/x"),
            "/real/x/libb.so": ANY,
            "/l/x/libb.so": ANY,
        }
    )


@pytest.mark.parametrize("root", ["/", "/l/.."])
def test_origin_of_a_library_in_the_root_directory(musl, root):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", runpath=root),
            "/liba.so": library("libb.so", runpath="$ORIGIN/l"),
            "/l/libb.so": ANY,
        }
    )


def test_origin_of_a_library_asked_for_in_the_root_directory(musl):
    tree = {"/liba.so": library("libb.so", runpath="$ORIGIN/l"), "/l/libb.so": ANY}
    musl.agrees({"/app/prog": musl.program("/liba.so"), **tree})


@pytest.mark.parametrize("token", ["$LIB", "${LIB}", "$PLATFORM", "$", "$origin", "${ORIGIN", "$$"])
def test_any_other_token_makes_the_whole_path_ignored(musl, token):
    musl.agrees(
        {
            "/app/prog": musl.program("libq.so", runpath="/l"),
            "/l/libq.so": library("liba.so", "libb.so", rpath=f"/m:/{token}"),
            "/m/liba.so": ANY,
            f"/{token}/libb.so": ANY,
            "/lib/liba.so": ANY,
            "/lib/libb.so": ANY,
        }
    )


@pytest.mark.parametrize("text", ["$ORIGINAL", "$ORIGIN_x", "${ORIGIN}x", "$ORIGIN$ORIGIN"])
def test_origin_is_replaced_whatever_follows(musl, text):
    tree = {
        f"{text.replace('${ORIGIN}', '$ORIGIN').replace('$ORIGIN', origin)}/liba.so": ANY
        for origin in ("/l", "/$ORIGIN")
    }
    musl.agrees(
        {
            "/app/prog": musl.program("libq.so", runpath="/l"),
            "/l/libq.so": library("liba.so", rpath=text),
            "/lib/liba.so": ANY,
            **tree,
        }
    )


def test_soname_is_ignored(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("/l/liba.so", "liba.so.1"),
            "/l/liba.so": library(soname="liba.so.1"),
            "/lib/liba.so.1": ANY,
        }
    )


def test_soname_alone_is_missing(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("/l/liba.so", "liba.so.1"),
            "/l/liba.so": library(soname="liba.so.1"),
        }
    )


def test_reuse_by_the_name_it_was_searched_under(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", "libb.so", runpath="/l"),
            "/l/liba.so": ANY,
            "/l/libb.so": library("liba.so", runpath="/m"),
            "/m/liba.so": ANY,
        }
    )


def test_reuse_by_inode(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", "libb.so", "/lib/libd.so"),
            "/lib/liba.so": ANY,
            "/lib/libb.so": "-> liba.so",
            "/lib/libd.so": "/lib/liba.so",
        }
    )


def test_alias_of_an_inode_is_searched_again(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", "libb.so", "libq.so"),
            "/lib/liba.so": ANY,
            "/lib/libb.so": "-> liba.so",
            "/lib/libq.so": library("libb.so", runpath="/m"),
            "/m/libb.so": ANY,
        }
    )


def test_one_loaded_by_path_is_known_by_its_last_component_once_it_was_searched(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("/lib/liba.so", "libb.so", "libq.so"),
            "/lib/liba.so": ANY,
            "/lib/libb.so": "-> liba.so",
            "/lib/libq.so": library("liba.so", "libb.so", runpath="/m"),
            "/m/liba.so": ANY,
            "/m/libb.so": ANY,
        }
    )


def test_one_loaded_by_path_has_no_name(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("/l/liba.so", "liba.so"),
            "/l/liba.so": ANY,
            "/lib/liba.so": ANY,
        }
    )


@pytest.mark.parametrize(
    "name",
    ["libc.so.6", "libc.musl-x86_64.so.1", "libpthread.so.0", "libm.so.6", "librt.so.1"],
)
def test_reserved_name_is_the_loader(musl, name):
    musl.agrees(
        {"/app/prog": musl.program(name, "liba.so"), f"/lib/{name}": ANY, "/lib/liba.so": ANY}
    )


@pytest.mark.parametrize("name", ["libcx.so", "libmm.so", "libresolv.so.2", "xlibc.so"])
def test_name_that_is_not_reserved(musl, name):
    musl.agrees({"/app/prog": musl.program(name), f"/lib/{name}": ANY})


def test_interpreter_as_a_needed_path(musl):
    path = "/lib/ld-musl-x86_64.so.1"
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", path, "libb.so"),
            "/lib/liba.so": ANY,
            "/lib/libb.so": ANY,
        }
    )


def test_loader_by_another_path_is_the_loader(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("/l/libc.so", "libb.so"),
            "/l/libc.so": "-> /lib/ld-musl-x86_64.so.1",
            "/lib/libb.so": ANY,
        }
    )


def test_order_is_breadth_first(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("liba.so", "libb.so"),
            "/lib/liba.so": library("libd.so", "libe.so"),
            "/lib/libb.so": library("libf.so", "libd.so"),
            "/lib/libd.so": library("liba.so"),
            "/lib/libe.so": library("libb.so"),
            "/lib/libf.so": ANY,
        }
    )


def test_auxiliary_and_filter_are_not_read(musl):
    extra = library("libb.so", args=("--auxiliary=libx.so", "--filter=libgone.so"))
    tree = {"/lib/liba.so": extra, "/lib/libb.so": ANY, "/lib/libx.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so"), **tree})


def test_hwcaps_are_not_read(musl):
    tree = {"/lib/glibc-hwcaps/x86-64-v2/liba.so": ANY, "/lib/liba.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so"), **tree})


def test_preload_file_is_not_read(musl):
    tree = {"/etc/ld.so.preload": b"libp.so", "/lib/libp.so": ANY, "/lib/liba.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so"), **tree})


def test_nodeflib_is_not_read(musl):
    flags = {"args": ("-z", "nodefaultlib")}
    musl.agrees({"/app/prog": musl.program("liba.so", **flags), "/lib/liba.so": ANY})


def test_all_that_is_missing_is_said(musl):
    musl.agrees(
        {
            "/app/prog": musl.program("libgone.so", "liba.so", "/l/none.so"),
            "/lib/liba.so": library("liblost.so"),
        }
    )


FIRST = {
    "empty file": b"",
    "linker script": b"/* GNU ld script */\nGROUP ( /lib/liba.so.1 AS_NEEDED ( /lib/libb.so ) )\n",
    "short text": b"INPUT(-lfoo)\n",
    "cut in the ELF header": flawed(ANY, cut=63),
    "relocatable": flawed(ANY, (16, b"\1")),
    "core": flawed(ANY, (16, b"\4")),
    "directory": None,
    "no program headers": flawed(ANY, (56, b"\0\0")),
    "program headers out of reach": flawed(ANY, (32, struct.pack("<Q", 1 << 40))),
}


@pytest.mark.parametrize("kind", FIRST)
def test_first_file_that_is_there_is_the_end(musl, kind):
    tree = {"/1/liba.so": FIRST[kind], "/2/liba.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so", runpath="/1:/2"), **tree})


def test_wrong_class_is_not_passed_over(musl):
    tree = {"/1/liba.so": library(bits=32), "/2/liba.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so", runpath="/1:/2"), **tree})


@pytest.mark.parametrize("kind", ["OSABI", "ident", "version"])
def test_what_glibc_would_refuse_and_musl_does_not_read(musl, kind):
    place = {"OSABI": (7, b"\x09"), "ident": (6, b"\2"), "version": (20, b"\2")}[kind]
    musl.agrees({"/app/prog": musl.program("liba.so"), "/lib/liba.so": flawed(ANY, place)})


def test_loop_of_symlinks_ends_the_search(musl):
    tree = {"/1/liba.so": "-> liba.so", "/2/liba.so": ANY, "/lib/liba.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so", runpath="/1:/2"), **tree})


def test_directory_that_is_a_loop_of_symlinks_ends_the_search(musl):
    tree = {"/1": "-> 1", "/2/liba.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so", runpath="/1:/2"), **tree})


def test_directory_that_is_a_file_is_passed_over(musl):
    tree = {"/1": b"", "/2/liba.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so", runpath="/1:/2"), **tree})


def test_path_that_is_too_long_is_passed_over(musl):
    long = "/" + "/".join(["x" * 100] * 6)
    tree = {f"{long}/liba.so": ANY, "/2/liba.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so", runpath=f"{long}:/2"), **tree})


@pytest.mark.parametrize("length", [503, 504])
def test_longest_path(musl, length):
    long = "/" + "/".join(["x" * 100] * 4)
    long += "/" + "y" * (length - 1 - len(long) - len("/liba.so") + 8)
    tree = {f"{long}/liba.so": ANY, "/2/liba.so": ANY}
    musl.agrees({"/app/prog": musl.program("liba.so", runpath=f"{long}:/2"), **tree})


def test_dlopen_is_searched_for_the_program(musl):
    load = (
        "void *dlopen(const char *, int); void *load(const char *name) { return dlopen(name, 2); }"
    )
    tree = {
        "/l/libload.so": library(source=load, runpath="/m"),
        "/m/libx.so": ANY,
        "/lib/libx.so": ANY,
    }
    program = musl.program("libload.so", runpath="/l")
    musl.agrees({"/app/prog": program, **tree}, dlopen=("libx.so", "libload.so"))


def test_dlopen_inherits_the_runpath_of_the_program(musl):
    tree = {"/l/libx.so": library("liby.so"), "/l/liby.so": ANY}
    program = musl.program(runpath="/l")
    musl.agrees({"/app/prog": program, **tree}, dlopen=("libx.so", "/app/prog"))
