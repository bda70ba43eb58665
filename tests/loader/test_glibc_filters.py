"""DT_AUXILIARY, DT_FILTER and /etc/ld.so.preload: what comes before whom."""

import pytest

from rootfs_builder.errors import ElfError, InputError
from rootfs_builder.loader import ld_so
from tests.loader.objects import library, program
from tests.timing import is_linear

ANY = library()


def auxiliary(*names, needed=(), **options):
    return library(*needed, args=tuple(f"--auxiliary={name}" for name in names), **options)


def filtering(*names, needed=(), **options):
    return library(*needed, args=tuple(f"--filter={name}" for name in names), **options)


def test_auxiliary_comes_before_who_asks(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libb.so": auxiliary("libx.so"),
            "/usr/lib/libx.so": library("liby.so"),
            "/usr/lib/liby.so": ANY,
        }
    )


def test_auxiliaries_keep_their_order(glibc):
    glibc.agrees(
        {
            "/app/prog": program("libb.so", "liba.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libb.so": auxiliary("libx.so", "liby.so", needed=("libn.so",)),
            "/usr/lib/libn.so": ANY,
            "/usr/lib/libx.so": library("libz.so"),
            "/usr/lib/liby.so": library("libw.so"),
            "/usr/lib/libz.so": ANY,
            "/usr/lib/libw.so": ANY,
        }
    )


def test_auxiliary_that_is_loaded_already_is_moved(glibc):
    glibc.agrees(
        {
            "/app/prog": program("libb.so", "liba.so", "libx.so", "libd.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libb.so": auxiliary("libx.so"),
            "/usr/lib/libd.so": ANY,
            "/usr/lib/libx.so": library("liby.so"),
            "/usr/lib/liby.so": ANY,
        }
    )


def test_auxiliary_that_is_before_already_stays(glibc):
    glibc.agrees(
        {
            "/app/prog": program("libx.so", "libb.so", "liba.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libb.so": auxiliary("libx.so"),
            "/usr/lib/libx.so": ANY,
        }
    )


def test_auxiliary_that_is_missing_is_no_error(glibc):
    glibc.agrees({"/app/prog": program("libb.so"), "/usr/lib/libb.so": auxiliary("libx.so")})


def test_auxiliary_that_is_broken_is_no_error(glibc):
    glibc.agrees(
        {
            "/app/prog": program("libb.so", "liba.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libb.so": auxiliary("libx.so"),
            "/usr/lib/libx.so": b"",
        }
    )


def test_auxiliary_is_searched_for_who_asks(glibc):
    glibc.agrees(
        {
            "/app/prog": program("libb.so", runpath="/l"),
            "/l/libb.so": auxiliary("libx.so", "$ORIGIN/liby.so", runpath="/m"),
            "/m/libx.so": ANY,
            "/l/libx.so": ANY,
            "/l/liby.so": ANY,
        }
    )


def test_filter_comes_before_who_asks(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libb.so": filtering("libx.so", needed=("libn.so",)),
            "/usr/lib/libn.so": ANY,
            "/usr/lib/libx.so": ANY,
        }
    )


def test_filter_that_is_missing_is_an_error(glibc):
    glibc.agrees({"/app/prog": program("libb.so"), "/usr/lib/libb.so": filtering("libx.so")})


def test_soname_of_an_auxiliary_hides_that_of_a_later_object(glibc):
    glibc.agrees(
        {
            "/app/prog": program("/l/libb.so", "/l/liba.so", "libd.so"),
            "/l/liba.so": library(soname="libs.so"),
            "/l/libb.so": auxiliary("/l/libx.so", needed=("libs.so",)),
            "/l/libx.so": library(soname="libs.so"),
            "/usr/lib/libd.so": library("libs.so"),
        }
    )


def test_preload_comes_behind_the_program(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so", "libb.so", runpath="/l"),
            "/l/liba.so": ANY,
            "/l/libb.so": ANY,
            "/l/libp.so": library("libq.so"),
            "/l/libq.so": ANY,
            "/usr/lib/libq.so": ANY,
            "/etc/ld.so.preload": b"libb.so libp.so\n",
        }
    )


def test_preload_file_syntax(glibc):
    names = [f"lib{letter}.so" for letter in "bdefghx"]
    glibc.agrees(
        {
            "/app/prog": program("liba.so"),
            **{f"/usr/lib/{name}": ANY for name in ("liba.so", *names)},
            "/etc/ld.so.preload": b"libb.so:libd.so\tlibe.so # libx.so\n\n :libf.so\nlibg.so",
        }
    )


def test_preload_file_with_two_comments(glibc):
    """ld.so looks for the second in too few bytes, so that it may be names."""
    glibc.fill({f"/usr/lib/lib{letter}.so": ANY for letter in "abdx"})
    text = b"# a first line\nlibb.so #libx.so\nlibd.so\n"
    glibc.fill({"/app/prog": program("liba.so"), "/etc/ld.so.preload": text})
    assert glibc.ours().found == glibc.trace().found
    (name,) = glibc.ours().missing
    assert f"object '{name}' from /etc/ld.so.preload cannot be preloaded" in glibc.trace().error


def test_preload_that_is_missing_or_broken_is_a_message(glibc):
    glibc.fill({"/app/prog": program("liba.so"), "/usr/lib/liba.so": ANY, "/bad": b""})
    before = glibc.ours()
    glibc.fill({"/etc/ld.so.preload": b"/gone.so /bad libnone.so"})
    theirs = glibc.trace()
    assert theirs.found == glibc.ours().found == before.found
    assert theirs.error.count("cannot be preloaded") == 3


def test_preload_twice_is_once(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so"),
            "/usr/lib/liba.so": ANY,
            "/usr/lib/libp.so": ANY,
            "/etc/ld.so.preload": b"libp.so liba.so /usr/lib/libp.so",
        }
    )


def test_preload_file_of_comments_takes_time_in_proportion():
    """Real ld.so loses count in such a file, so that one `#` stays."""
    assert set(ld_so.preload(b"#\n" * (4 << 20))) <= {"#"}
    assert is_linear(lambda size: lambda: ld_so.preload(b"#\n" * size), 1 << 17)


def test_preload_file_that_names_more_than_anybody_would_is_refused():
    with pytest.raises(ElfError, match="names more than 1000 libraries"):
        ld_so.preload(b" ".join(b"lib%d.so" % number for number in range(1001)))


def test_cache_larger_than_any_is_refused(glibc):
    glibc.fill({"/app/prog": program("liba.so"), "/usr/lib/liba.so": ANY})
    cache = glibc.root / "etc/ld.so.cache"
    cache.parent.mkdir(exist_ok=True)
    with cache.open("wb") as file:
        file.truncate(1 << 40)  # without a block on the disk
    with pytest.raises(InputError, match=r"/etc/ld\.so\.cache: larger than 16 MiB"):
        glibc.ours()
