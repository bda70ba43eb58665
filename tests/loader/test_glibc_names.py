"""Tokens in names and paths, names with a slash, and what is reused without a search."""

import pytest

from rootfs_builder.loader import loading
from tests.loader import oracle
from tests.loader.objects import flawed, library, program

ANY = library()


def test_origin_of_the_program(glibc):
    glibc.agrees({"/app/prog": program("liba.so", runpath="$ORIGIN/../l"), "/l/liba.so": ANY})


def test_origin_of_a_program_behind_a_symlink_is_where_it_is(glibc):
    glibc.fill({"/app/prog": program("liba.so", runpath="$ORIGIN"), "/bin/prog": "-> ../app/prog"})
    glibc.fill({"/app/liba.so": ANY, "/bin/liba.so": ANY})
    assert glibc.ours("/bin/prog") == glibc.agrees({})


def test_origin_of_a_library_is_where_it_was_opened(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/l"),
            "/l/liba.so": "-> /real/liba.so.1",
            "/real/liba.so.1": library("libb.so", runpath="$ORIGIN"),
            "/real/libb.so": ANY,
            "/l/libb.so": ANY,
        }
    )


def test_origin_of_a_library_keeps_dots(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="$ORIGIN/../l"),
            "/l/liba.so": library("libb.so", runpath="$ORIGIN/../m"),
            "/m/libb.so": ANY,
        }
    )


def test_origin_of_a_library_in_the_root_directory(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/"),
            "/liba.so": library("libb.so", runpath="$ORIGIN/m"),
            "/m/libb.so": ANY,
        }
    )


def test_origin_in_an_inherited_rpath_is_that_of_its_owner(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", rpath="$ORIGIN/l"),
            "/app/l/liba.so": library("libb.so"),
            "/app/l/libb.so": ANY,
            "/app/l/l/libb.so": ANY,
        }
    )


def test_origin_with_a_colon_in_it(glibc):
    tree = {"/a:b/prog": program("liba.so", runpath="$ORIGIN/l"), "/a:b/l/liba.so": ANY}
    glibc.agrees(tree, "/a:b/prog")


def test_origin_that_is_no_utf8(glibc):
    tree = {"/\udcff/prog": program("liba.so", runpath="$ORIGIN"), "/\udcff/liba.so": ANY}
    glibc.agrees(tree, "/\udcff/prog")


LITERALS = [
    "$ORIGIN",
    "${ORIGIN}",
    "$ORIGIN/$LIB",
    "${ORIGIN}/${LIB}",
    "$ORIGIN$LIB",
    "$ORIGIN/$PLATFORM",
    "${ORIGIN}/${PLATFORM}",
    "/app/x$LIB",
    "/app/$ORIGINAL",
    "/app/$ORIGIN_",
    "/app/$ORIGIN2",
    "/app/${ORIGIN",
    "/app/${ORIGINAL}",
    "/app/${LIB",
    "/app/$LIBS",
    "/app/$origin",
    "/app/$",
    "/app/$$",
    "/app/${}",
    "/app/$UNKNOWN",
    "$ORIGIN-x",
    "$ORIGIN.x",
]


@pytest.mark.parametrize("path", LITERALS)
def test_token(glibc, path):
    """The library is wherever any reading of the text would look for it."""
    places = set()
    for origin in ("/app", "/app/$ORIGIN", "/app/${ORIGIN}"):
        for lib in ("lib/x86_64-linux-gnu", "$LIB", "${LIB}", "lib", "lib64"):
            text = path.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", origin)
            text = text.replace("${LIB}", "$LIB").replace("$LIB", lib)
            text = text.replace("${PLATFORM}", "$PLATFORM").replace("$PLATFORM", glibc.platform)
            places |= {path, text}
    tree = {f"{place}/liba.so": ANY for place in places if place.startswith("/")}
    glibc.agrees({"/app/prog": program("liba.so", runpath=path), **tree})


def test_platform_is_not_this_machines_unless_asked(glibc):
    glibc.fill({"/app/prog": program("liba.so", runpath="/l/$PLATFORM")})
    glibc.fill({f"/l/{one}/liba.so": ANY for one in ("x86_64", glibc.platform)})
    glibc.platform = None
    assert glibc.ours().found[0] == ("liba.so", "/l/x86_64/liba.so")


@pytest.mark.parametrize("path", ["/l", "/$PLATFORM", "/l/${PLATFORM}/x"])
def test_what_depends_on_the_platform_is_known(glibc, path):
    glibc.fill({"/app/prog": program("liba.so", runpath="/l"), "/l/liba.so": library(rpath=path)})
    link_map = oracle.start(glibc.root, "/app/prog")
    assert loading.has_platforms(link_map) == ("PLATFORM" in path)


def test_name_with_a_slash(glibc):
    glibc.agrees(
        {
            "/app/prog": program("/l/liba.so", runpath="/m"),
            "/l/liba.so": ANY,
            "/m/l/liba.so": ANY,
        }
    )


def test_name_with_a_slash_is_searched_nowhere_else(glibc):
    glibc.agrees(
        {"/app/prog": program("/l/liba.so"), "/usr/lib/liba.so": ANY, "/usr/lib/l/liba.so": ANY}
    )


def test_name_with_a_slash_that_is_relative(glibc):
    glibc.agrees({"/app/prog": program("l/liba.so", runpath="/"), "/l/liba.so": ANY}, cwd="/app")


def test_token_in_a_name(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "$ORIGIN/m/libb.so", runpath="/l"),
            "/l/liba.so": library("$ORIGIN/libd.so", "/app/m/libb.so"),
            "/app/m/libb.so": ANY,
            "/l/libd.so": ANY,
        }
    )


def test_token_in_a_name_without_a_slash(glibc):
    glibc.agrees(
        {
            "/app/prog": program("lib$PLATFORM.so", "liba.so", runpath="/l"),
            f"/l/lib{glibc.platform}.so": ANY,
            "/l/liba.so": library(f"lib{glibc.platform}.so", runpath="/m"),
            f"/m/lib{glibc.platform}.so": ANY,
        }
    )


def test_token_that_looks_like_one_in_a_name(glibc):
    glibc.agrees({"/app/prog": program("$ORIGINAL/liba.so"), "/$ORIGINAL/liba.so": ANY}, cwd="/app")


def test_reuse_by_name(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", runpath="/l"),
            "/l/liba.so": library("libb.so", runpath="/m"),
            "/l/libb.so": library("liba.so", runpath="/m"),
            "/m/liba.so": ANY,
            "/m/libb.so": ANY,
        }
    )


def test_reuse_by_soname(glibc):
    glibc.agrees(
        {
            "/app/prog": program("/l/liba.so", "liba.so.1"),
            "/l/liba.so": library(soname="liba.so.1"),
            "/usr/lib/liba.so.1": ANY,
        }
    )


def test_reuse_by_the_soname_of_the_program(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", soname="libb.so"),
            "/usr/lib/liba.so": library("libb.so"),
            "/usr/lib/libb.so": ANY,
        }
    )


def test_reuse_by_path(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "/l/liba.so", "/l/./liba.so", runpath="/l"),
            "/l/liba.so": ANY,
        }
    )


def test_reuse_by_inode_of_a_symlink(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", "libd.so"),
            "/usr/lib/liba.so": library("libe.so"),
            "/usr/lib/libb.so": "-> liba.so",
            "/usr/lib/libd.so": ANY,
        }
    )


def test_reuse_by_inode_of_a_hard_link(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libb.so": "/usr/lib/liba.so",
        }
    )


def test_alias_of_an_inode_is_a_name_for_all(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", "libd.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libb.so": "-> liba.so",
            "/usr/lib/libd.so": library("libb.so", runpath="/l"),
            "/l/libb.so": ANY,
        }
    )


def test_same_content_is_not_the_same_library(glibc):
    glibc.agrees(
        {"/app/prog": program("liba.so", "libb.so"), "/lib/liba.so": ANY, "/lib/libb.so": ANY}
    )


def test_the_loader_by_its_soname(glibc):
    glibc.agrees(
        {
            "/app/prog": program("ld-linux-x86-64.so.2", "liba.so"),
            "/usr/lib/ld-linux-x86-64.so.2": ANY,
            "/usr/lib/liba.so": ANY,
        }
    )


def test_the_loader_by_its_path(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "/lib64/ld-linux-x86-64.so.2", "libb.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libb.so": ANY,
        }
    )


def test_the_program_by_its_empty_name(glibc):
    nameless = (b"libq.so", b"\0")
    tree = {
        "/app/prog": flawed(program("libq.so", "liba.so"), nameless),
        "/usr/lib/liba.so": flawed(library("libq.so", "libb.so"), nameless),
        "/usr/lib/libb.so": library(),
    }
    theirs = glibc.agrees(tree)
    assert (len(theirs.found), theirs.missing) == (3, ())


def test_the_vdso_is_no_file(glibc):
    glibc.agrees(
        {
            "/app/prog": program("linux-vdso.so.1", "liba.so"),
            "/usr/lib/linux-vdso.so.1": ANY,
            "/usr/lib/liba.so": ANY,
        }
    )


def test_order_is_breadth_first(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so"),
            "/usr/lib/liba.so": library("libd.so", "libe.so"),
            "/usr/lib/libb.so": library("libf.so", "libd.so"),
            "/usr/lib/libd.so": library("libg.so"),
            "/usr/lib/libe.so": library("libb.so"),
            "/usr/lib/libf.so": ANY,
            "/usr/lib/libg.so": ANY,
        }
    )


def test_circular_needed(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so"),
            "/usr/lib/liba.so": library("libb.so"),
            "/usr/lib/libb.so": library("libd.so", "liba.so"),
            "/usr/lib/libd.so": library("libd.so", "libb.so"),
        }
    )


def test_library_that_needs_its_program_by_soname(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", soname="prog"),
            "/usr/lib/liba.so": library("prog"),
        }
    )


def test_nodeflib(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", runpath="/l", args=("-z", "nodefaultlib")),
            "/l/liba.so": library("libd.so"),
            "/usr/lib/libb.so": ANY,
            "/usr/lib/libd.so": ANY,
        }
    )


def test_nodeflib_of_a_library_is_its_own(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so"),
            "/usr/lib/liba.so": library("libd.so", args=("-z", "nodefaultlib")),
            "/usr/lib/libb.so": library("libe.so"),
            "/usr/lib/libd.so": ANY,
            "/usr/lib/libe.so": ANY,
        }
    )


def test_private_soname_beside_anothers(glibc):
    """Two programs in one root; each has a libp.so.1 of its own and the same libq.so.1."""
    glibc.fill(
        {
            "/one/prog": program("libp.so.1", "libq.so.1", runpath="$ORIGIN"),
            "/two/prog": program("libq.so.1", "libp.so.1", runpath="$ORIGIN"),
            "/one/libp.so.1": library("libx.so", soname="libp.so.1"),
            "/two/libp.so.1": library(soname="libp.so.1"),
            "/usr/lib/libq.so.1": library("libp.so.1", soname="libq.so.1"),
            "/usr/lib/libx.so": ANY,
        }
    )
    assert glibc.agrees({}, "/one/prog") != glibc.agrees({}, "/two/prog")
