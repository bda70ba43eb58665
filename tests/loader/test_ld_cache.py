"""ld.so.cache: what real ldconfig writes is read as ld.so reads it; ours is read by ld.so."""

import shutil
import struct
from pathlib import Path

import pytest
from msgspec.structs import replace

from rootfs_builder.errors import ElfError
from rootfs_builder.loader import ld_cache
from tests.loader import oracle
from tests.loader.objects import library, program

ANY = library()
LDCONFIG = shutil.which("ldconfig", path="/usr/sbin:/sbin:/usr/bin")
pytestmark = pytest.mark.skipif(LDCONFIG is None, reason="needs ldconfig: apt-get install libc-bin")
CACHE = "/etc/ld.so.cache"


@pytest.fixture
def ldconfig(glibc):
    """Run this machine's ldconfig on a root, which gets what it needs."""

    def run(tree, *options, conf="/opt/lib\n"):
        glibc.fill({"/etc/ld.so.conf": conf.encode(), **tree})
        done = oracle.in_root("/", [LDCONFIG, "-r", str(glibc.root), *options])
        assert done.returncode == 0, done.stderr

    return run


def test_cache(glibc, ldconfig):
    ldconfig({"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": ANY})
    glibc.agrees({})


def test_directory_of_ld_so_conf_without_a_cache(glibc):
    glibc.agrees(
        {
            "/app/prog": program("liba.so.1"),
            "/opt/lib/liba.so.1": ANY,
            "/etc/ld.so.conf": b"/opt/lib\n",
        }
    )


def test_cache_comes_before_the_default_directories(glibc, ldconfig):
    tree = {"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": ANY}
    ldconfig({**tree, "/usr/lib/liba.so.1": library("libb.so")})
    glibc.agrees({})


def test_runpath_comes_before_the_cache(glibc, ldconfig):
    tree = {"/app/prog": program("liba.so.1", runpath="/run"), "/opt/lib/liba.so.1": ANY}
    ldconfig({**tree, "/run/liba.so.1": ANY})
    glibc.agrees({})


def test_cache_is_keyed_by_soname(glibc, ldconfig):
    tree = {"/opt/lib/libother.so": library(soname="liba.so.1"), "/opt/lib/libb.so.1": ANY}
    ldconfig({"/app/prog": program("liba.so.1", "libb.so.1", "libother.so"), **tree})
    glibc.agrees({})


def test_cache_of_many_names(glibc, ldconfig):
    names = [
        f"lib{stem}.so.{n}" for stem in ("a", "a1", "a10", "a2", "b-1", "b_1") for n in (1, 10)
    ]
    tree = {f"/opt/lib/{name}": library(soname=name) for name in names}
    ldconfig({"/app/prog": program(*names), **tree})
    glibc.agrees({})


def test_cache_entry_that_is_stale(glibc, ldconfig):
    ldconfig({"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": ANY})
    (glibc.root / "opt/lib/liba.so.1").unlink()
    glibc.agrees({"/usr/lib/liba.so.1": ANY})


def test_cache_entry_that_leads_to_another_machine(glibc, ldconfig):
    ldconfig({"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": ANY})
    (glibc.root / "opt/lib/liba.so.1").unlink()
    glibc.agrees({"/opt/lib/liba.so.1": library(bits=32), "/usr/lib/liba.so.1": ANY})


def test_cache_entry_that_leads_to_a_broken_file(glibc, ldconfig):
    ldconfig({"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": ANY})
    (glibc.root / "opt/lib/liba.so.1").unlink()
    glibc.agrees({"/opt/lib/liba.so.1": b"", "/usr/lib/liba.so.1": ANY})


def test_cache_with_both_classes(glibc, ldconfig):
    tree = {"/opt/lib32/liba.so.1": library(bits=32), "/opt/lib/liba.so.1": ANY}
    ldconfig({"/app/prog": program("liba.so.1"), **tree}, conf="/opt/lib32\n/opt/lib\n")
    glibc.agrees({})


def test_cache_with_the_other_class_only(glibc, ldconfig):
    ldconfig({"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": library(bits=32)})
    glibc.agrees({})


def test_cache_and_nodeflib(glibc, ldconfig):
    tree = {"/opt/lib/liba.so.1": ANY, "/usr/lib/libb.so.1": ANY}
    flags = {"args": ("-z", "nodefaultlib")}
    ldconfig({"/app/prog": program("liba.so.1", "libb.so.1", **flags), **tree})
    glibc.agrees({})


@pytest.mark.parametrize("layout", ["new", "compat", "old"])
def test_cache_layout(glibc, ldconfig, layout):
    tree = {"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": ANY}
    ldconfig(tree, "-c", layout)
    glibc.agrees({})


def test_cache_with_hwcaps(glibc, ldconfig):
    levels = {f"/opt/lib/glibc-hwcaps/{level}/liba.so.1": ANY for level in glibc.levels}
    ldconfig({"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": ANY, **levels})
    glibc.agrees({})


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_cache_with_hwcaps_up_to_a_level(glibc, ldconfig, level):
    levels = {f"/opt/lib/glibc-hwcaps/{one}/liba.so.1": ANY for one in glibc.levels}
    ldconfig({"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": ANY, **levels})
    glibc.agrees({}, levels=glibc.levels[level:])


def test_cache_with_an_unknown_hwcap_only(glibc, ldconfig):
    tree = {"/opt/lib/glibc-hwcaps/x86-64-v9/liba.so.1": ANY}
    ldconfig({"/app/prog": program("liba.so.1"), **tree})
    glibc.agrees({})


DAMAGE = {
    "empty": lambda data: b"" * len(data),
    "text": lambda data: b"x" * len(data),
    "cut in the header": lambda data: data[:40],
    "cut in the entries": lambda data: data[:60],
    "header alone": lambda data: data[:20] + bytes(28),
    "of the other byte order": lambda data: data[:28] + b"\3" + data[29:],
    "of no byte order": lambda data: data[:28] + b"\0" + data[29:],
    "of an invalid byte order": lambda data: data[:28] + b"\1" + data[29:],
    "flags of another kind of byte order": lambda data: data[:28] + b"\x82" + data[29:],
    "count too high": lambda data: data[:20] + b"\xff\xff" + data[22:],
    "key out of reach": lambda data: data[:52] + b"\xff\xff\xff\x7f" + data[56:],
    "value out of reach": lambda data: data[:56] + b"\xff\xff\xff\x7f" + data[60:],
    "legacy hwcap": lambda data: data[:64] + struct.pack("<Q", 1 << 3) + data[72:],
    "hwcap without a list": lambda data: data[:64] + struct.pack("<Q", 1 << 62) + data[72:],
    "extension out of reach": lambda data: data[:32] + b"\xff\xff\xff\x7f" + data[36:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_cache_that_is_damaged(glibc, ldconfig, damage):
    ldconfig({"/app/prog": program("liba.so.1"), "/opt/lib/liba.so.1": ANY})
    cache = Path(f"{glibc.root}{CACHE}")
    cache.write_bytes(DAMAGE[damage](cache.read_bytes()))
    glibc.agrees({})


NAMES = ["libx.so.1", "libx.so.10", "libx.so.9", "libx1.so", "libx-1.so", "libX.so", "libx_.so.1.2"]


def entry(name, path, *, flags=0x303, hwcap=None):
    isa = int(hwcap[-1:] or 1) - 1 if hwcap else 0
    return ld_cache.CachedLibrary(
        name.encode(), path.encode(), flags, hwcap.encode() if hwcap else None, isa
    )


def test_our_cache_is_read_by_the_loader(glibc):
    data = ld_cache.build([entry(one, f"/opt/{one}") for one in NAMES], little=True)
    tree = {f"/opt/{one}": library(soname=one) for one in NAMES}
    theirs = glibc.agrees({"/app/prog": program(*NAMES), CACHE: data, **tree})
    assert not theirs.missing


def test_our_cache_with_hwcaps_is_read_by_the_loader(glibc):
    levels = [None, *glibc.levels]
    places = {level: f"/opt/{level or 'plain'}/libx.so.1" for level in levels}
    entries = [entry("libx.so.1", places[level], hwcap=level) for level in levels]
    data = ld_cache.build(entries, little=True)
    glibc.fill(
        {"/app/prog": program("libx.so.1"), CACHE: data, **dict.fromkeys(places.values(), ANY)}
    )
    found = {glibc.agrees({}, levels=glibc.levels[i:]).found[0] for i in range(len(levels))}
    assert len(found) == len(levels)


def test_our_cache_of_other_paths_than_names(glibc):
    data = ld_cache.build([entry("libx.so.1", "/opt/y"), entry("libx.so", "/opt/y")], little=True)
    theirs = glibc.agrees(
        {"/app/prog": program("libx.so.1", "libx.so"), CACHE: data, "/opt/y": ANY}
    )
    assert not theirs.missing


def test_our_cache_is_what_ldconfig_would_write(glibc, ldconfig):
    """Entry by entry: its strings stand elsewhere, and it names no generator."""
    tree = {f"/opt/lib/{one}": library(soname=one) for one in NAMES}
    hwcaps = {
        f"/opt/lib/glibc-hwcaps/{level}/libx.so.1": library(soname="libx.so.1")
        for level in glibc.levels
    }
    ldconfig({**tree, **hwcaps, "/opt/lib/old/libz.so": library(bits=32)}, conf="/opt/lib\n")
    theirs = ld_cache.parse(Path(f"{glibc.root}{CACHE}").read_bytes(), little=True)
    ours = ld_cache.parse(ld_cache.build(reversed(theirs), little=True), little=True)
    assert ours == theirs
    assert len(ours) == len(NAMES) + len(hwcaps)


def test_our_cache_twice_is_the_same_bytes():
    entries = [entry(one, f"/opt/{one}", hwcap=level) for one in NAMES for level in (None, "z13")]
    backwards = [replace(one) for one in reversed(entries)]
    assert ld_cache.build(entries, little=False) == ld_cache.build(backwards, little=False)


def test_texts_that_have_no_end_name_no_file():
    text = b"a" * 1_000_000
    data = ld_cache.build([entry("libx.so", "/opt/x")], little=True)
    row = struct.pack("<IIIIQ", 0x303, 48 + 24 * 40_000, 48 + 24 * 40_000, 0, 0)
    header = data[:20] + struct.pack("<I", 40_000) + data[24:32] + bytes(16)
    assert ld_cache.parse(header + row * 40_000 + text, little=True) == ()


def test_texts_that_share_their_bytes_without_measure_are_refused():
    text = b"a" * 4000 + b"\0"
    data = ld_cache.build([entry("libx.so", "/opt/x")], little=True)
    row = struct.pack("<IIIIQ", 0x303, 48 + 24 * 40_000, 48 + 24 * 40_000, 0, 0)
    header = data[:20] + struct.pack("<I", 40_000) + data[24:32] + bytes(16)
    with pytest.raises(ElfError, match="has overlapping entries"):
        ld_cache.parse(header + row * 40_000 + text, little=True)
