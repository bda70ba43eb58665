"""Which directories glibc searches, in which order."""

from tests.loader.objects import AUXILIARY, RPATH, library, program

ANY = library()


def test_rpath(glibc):
    glibc.agrees({"/app/prog": program("liba.so", rpath="/rp"), "/rp/liba.so": ANY})


def test_rpath_of_the_needer_comes_before_that_of_the_program(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", rpath="/rp"),
            "/rp/liba.so": library("libb.so", rpath="/own"),
            "/own/libb.so": ANY,
            "/rp/libb.so": ANY,
        }
    )


def test_rpath_is_inherited(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", rpath="/rp"),
            "/rp/liba.so": library("libb.so"),
            "/rp/libb.so": ANY,
        }
    )


def test_rpath_is_inherited_up_the_whole_chain(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", rpath="/1"),
            "/1/liba.so": library("libb.so", rpath="/2"),
            "/2/libb.so": library("libc1.so", rpath="/3"),
            "/3/libc1.so": library("libd.so", "libe.so"),
            "/1/libd.so": ANY,
            "/2/libd.so": ANY,
            "/2/libe.so": ANY,
        }
    )


def test_rpath_is_inherited_from_who_asked_first(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", runpath="/lib"),
            "/lib/liba.so": library("libx.so", rpath="/a"),
            "/lib/libb.so": library("libx.so", rpath="/b"),
            "/a/libx.so": library("liby.so"),
            "/a/liby.so": ANY,
            "/b/liby.so": ANY,
        }
    )


def test_runpath_of_the_needer_hides_every_rpath(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", rpath="/rp"),
            "/rp/liba.so": library("libb.so", runpath="/run"),
            "/rp/libb.so": ANY,
            "/usr/lib/libb.so": ANY,
        }
    )


def test_rpath_passes_a_needer_with_runpath_in_the_middle(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", rpath="/rp"),
            "/rp/liba.so": library("libb.so", runpath="/run"),
            "/run/libb.so": library("libd.so"),
            "/rp/libd.so": ANY,
        }
    )


def test_rpath_beside_runpath_in_one_file_is_ignored(glibc):
    both = library(
        "liba.so", runpath="/run", args=("--auxiliary=/rp",), retag=((AUXILIARY, RPATH),)
    )
    glibc.agrees({"/app/prog": both, "/rp/liba.so": ANY, "/run/liba.so": ANY})


def test_empty_runpath_hides_rpath_too(glibc):
    empty = library("libb.so", runpath="/EMPTY", patch=((b"/EMPTY\0", b"\0"),))
    glibc.agrees(
        {
            "/app/prog": program("liba.so", rpath="/rp"),
            "/rp/liba.so": empty,
            "/rp/libb.so": ANY,
            "/usr/lib/libb.so": ANY,
        }
    )


def test_empty_rpath_is_none(glibc):
    empty = program("liba.so", rpath="/EMPTY", patch=((b"/EMPTY\0", b"\0"),))
    glibc.agrees({"/app/prog": empty, "/liba.so": ANY, "/usr/lib/liba.so": ANY})


def test_runpath(glibc):
    glibc.agrees({"/app/prog": program("liba.so", runpath="/run"), "/run/liba.so": ANY})


def test_runpath_is_not_inherited(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/run"),
            "/run/liba.so": library("libb.so"),
            "/run/libb.so": ANY,
        }
    )


def test_rpath_comes_before_library_path(glibc):
    glibc.agrees(
        {"/app/prog": program("liba.so", rpath="/rp"), "/rp/liba.so": ANY, "/L/liba.so": ANY},
        library_path="/L",
    )


def test_library_path_comes_before_runpath(glibc):
    glibc.agrees(
        {"/app/prog": program("liba.so", runpath="/run"), "/run/liba.so": ANY, "/L/liba.so": ANY},
        library_path="/L",
    )


def test_library_path_is_for_every_object(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so"),
            "/L/liba.so": library("libb.so", runpath="/run"),
            "/L/libb.so": ANY,
            "/run/libb.so": ANY,
        },
        library_path="/L",
    )


def test_library_path_is_split_at_colons_and_semicolons(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", "libd.so"),
            "/1/liba.so": ANY,
            "/2/libb.so": ANY,
            "/3/libd.so": ANY,
        },
        library_path="/1;/2:/3",
    )


def test_tokens_in_library_path_stand_for_the_program(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so"),
            "/app/x/liba.so": library("libb.so"),
            "/app/x/libb.so": ANY,
            "/app/x/x/libb.so": ANY,
        },
        library_path="$ORIGIN/x",
    )


def test_library_path_comes_before_the_default_directories(glibc):
    glibc.agrees(
        {"/app/prog": program("liba.so"), "/L/liba.so": ANY, "/usr/lib/liba.so": ANY},
        library_path="/L",
    )


def test_empty_library_path_is_none(glibc):
    glibc.agrees({"/app/prog": program("liba.so"), "/usr/lib/liba.so": ANY}, library_path="")


def test_default_directories_in_their_order(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", "libd.so", "libe.so"),
            "/lib/x86_64-linux-gnu/liba.so": ANY,
            "/usr/lib/x86_64-linux-gnu/liba.so": ANY,
            "/usr/lib/x86_64-linux-gnu/libb.so": ANY,
            "/lib/libb.so": ANY,
            "/lib/libd.so": ANY,
            "/usr/lib/libd.so": ANY,
            "/usr/lib/libe.so": ANY,
        }
    )


def test_directory_that_is_no_default(glibc):
    glibc.agrees(
        {"/app/prog": program("liba.so"), "/usr/local/lib/liba.so": ANY, "/lib64/liba.so": ANY}
    )


def test_nothing_is_missing_twice_in_silence(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libgone.so"),
            "/usr/lib/liba.so": library("libgone.so", "liblost.so"),
        }
    )


def test_what_one_needer_misses_another_may_find(glibc):
    glibc.agrees(
        {
            "/app/prog": program("libx.so", "liba.so"),
            "/usr/lib/liba.so": library("libx.so", runpath="/run"),
            "/run/libx.so": ANY,
        }
    )


def test_trailing_slashes_are_taken_off(glibc):
    glibc.agrees({"/app/prog": program("liba.so", runpath="/run///"), "/run/liba.so": ANY})


def test_inner_slashes_and_dots_are_kept(glibc):
    glibc.agrees({"/app/prog": program("liba.so", runpath="/run//x/./../x"), "/run/x/liba.so": ANY})


def test_root_directory_in_a_path(glibc):
    glibc.agrees({"/app/prog": program("liba.so", runpath="/"), "/liba.so": library("libb.so")})


def test_two_slashes_as_a_path(glibc):
    glibc.agrees({"/app/prog": program("liba.so", runpath="//"), "/liba.so": ANY})


def test_dots_apply_behind_the_link_before_them(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/run/link/.."),
            "/run/link": "-> /other/deep",
            "/other/deep": None,
            "/other/liba.so": ANY,
            "/run/liba.so": ANY,
        }
    )


def test_directory_named_twice(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/1:/2:/1/:/2"),
            "/2/liba.so": ANY,
            "/1/liba.so": ANY,
        }
    )


def test_empty_element_is_the_working_directory(glibc):
    # Ours does not search it, nor anything relative: a container starts where its user says.
    tree = {"/app/prog": program("liba.so", runpath="/1::/2"), "/2/liba.so": ANY, "/1": None}
    glibc.agrees(tree, cwd="/1")


def test_relative_element(glibc):
    tree = {"/app/prog": program("liba.so", runpath="run:/2"), "/2/liba.so": ANY}
    glibc.agrees(tree, cwd="/app")


def test_directory_that_is_a_file_is_passed_over(glibc):
    glibc.agrees({"/app/prog": program("liba.so", runpath="/f:/2"), "/f": b"", "/2/liba.so": ANY})


def test_directory_that_is_a_symlink_to_nowhere_is_passed_over(glibc):
    glibc.agrees(
        {"/app/prog": program("liba.so", runpath="/f:/2"), "/f": "-> /g", "/2/liba.so": ANY}
    )


def test_directory_that_is_a_loop_of_symlinks_is_passed_over(glibc):
    glibc.agrees(
        {"/app/prog": program("liba.so", runpath="/f:/2"), "/f": "-> /f", "/2/liba.so": ANY}
    )


def test_library_that_is_a_loop_of_symlinks_ends_the_list(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/1:/2"),
            "/1/liba.so": "-> liba.so",
            "/2/liba.so": ANY,
            "/usr/lib/liba.so": ANY,
        }
    )


def test_loop_of_symlinks_in_a_default_directory(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so"),
            "/usr/lib/x86_64-linux-gnu/liba.so": "-> liba.so",
            "/usr/lib/liba.so": ANY,
        }
    )


def test_loop_of_symlinks_in_a_hwcaps_directory_ends_nothing(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", runpath="/1:/2"),
            f"/1/glibc-hwcaps/{glibc.levels[0]}/liba.so": "-> liba.so",
            "/2/liba.so": ANY,
        }
    )


def test_name_that_is_too_long_ends_the_list(glibc):
    name = "x" * 256
    glibc.agrees({"/app/prog": program(name, "liba.so", runpath="/1"), "/1/liba.so": ANY})


def test_path_of_forty_links(glibc):
    links = {f"/l/{i}": f"-> {i + 1}" for i in range(39)}
    glibc.agrees({"/app/prog": program("liba.so", runpath="/l/0"), **links, "/l/39/liba.so": ANY})


def test_path_of_forty_one_links(glibc):
    links = {f"/l/{i}": f"-> {i + 1}" for i in range(41)}
    glibc.agrees({"/app/prog": program("liba.so", runpath="/l/0"), **links, "/l/41/liba.so": ANY})
