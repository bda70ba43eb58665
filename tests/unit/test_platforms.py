"""The table of machines: every row is whole, and answers as the psABIs and glibc's sources do."""

import re
import struct

import pytest

from rootfs_builder import elf, platforms
from rootfs_builder.elf import Header
from rootfs_builder.loader import ld_cache
from rootfs_builder.platforms import MACHINES

TOLD = {  # what the documents say: architecture, glibc's loader, flags of its cache
    (62, 64, True, 0): ("amd64", "ld-linux-x86-64.so.2", (0x303,)),
    (62, 32, True, 0): ("amd64", "ld-linux-x32.so.2", (0x803,)),
    (3, 32, True, 0): ("386", "ld-linux.so.2", (0x3, 0x1)),
    (183, 64, True, 0): ("arm64", "ld-linux-aarch64.so.1", (0xA03,)),
    (40, 32, True, 0x05000400): ("arm", "ld-linux-armhf.so.3", (0x903, 0x3)),
    (40, 32, True, 0x05000200): ("arm", "ld-linux-armhf.so.3", (0xB03,)),
    (243, 64, True, 0x5): ("riscv64", "ld-linux-riscv64-lp64d.so.1", (0x1003,)),
    (243, 64, True, 0x1): ("riscv64", "ld-linux-riscv64-lp64d.so.1", (0xF03,)),
    (22, 64, False, 0): ("s390x", "ld64.so.1", (0x403,)),
    (21, 64, True, 2): ("ppc64le", "ld64.so.2", (0x503,)),
    (258, 64, True, 0x43): ("loong64", "ld-linux-loongarch-lp64d.so.1", (0x1203,)),
    (8, 64, True, 0): ("mips64le", "ld.so.1", (0x703,)),
    (8, 64, False, 0x400): ("mips64", "ld.so.1", (0xE03,)),
    (8, 32, True, 0): ("mipsle", "ld.so.1", (0x3, 0x1)),
    (8, 32, False, 0x420): ("mips", "ld.so.1", (0xD03,)),
    (8, 32, True, 0x20): ("mipsle", "ld.so.1", (0x603,)),
    (8, 32, True, 0x400): ("mipsle", "ld.so.1", (0xC03,)),
    (21, 64, False, 1): ("ppc64", "ld64.so.1", (0x503,)),
}
VARIANTS = {
    (183, 64, True, 0): "v8",
    (40, 32, True, 0x400): "v7",
    (40, 32, True, 0x200): "v5",
    (40, 32, True, 0): "v5",
    (40, 32, True, 0x600): "v7",
    (62, 64, True, 0): "",
}
TOGETHER = [  # the header, flags of a file and of the program, whether one process has both
    (40, 32, True, 0x400, 0x400, True),
    (40, 32, True, 0x400, 0, True),
    (40, 32, True, 0x400, 0x200, False),
    (40, 32, True, 0x200, 0x400, False),
    (243, 64, True, 0x5, 0x4, True),
    (243, 64, True, 0x5, 0x1, False),
    (243, 64, True, 0x2, 0x4, False),
    (21, 64, True, 0, 1, True),
    (21, 64, True, 2, 0, True),
    (21, 64, True, 1, 0, False),
    (21, 64, True, 2, 2, True),
    (21, 64, True, 1, 2, False),
    (62, 64, True, 7, 1, True),
    (1, 64, True, 7, 1, True),
]


def made(machine, bits, little, flags=0):
    """The bytes of a header, as a file has them."""
    order = "<" if little else ">"
    ident = bytes((*b"\x7fELF", 2 if bits == 64 else 1, 1 if little else 2, 1)).ljust(16, b"\0")
    form = "HHIQQQIHHHHHH" if bits == 64 else "HHIIIIIHHHHHH"
    rest = (3, machine, 1, 0, 0, 0, flags, 64, 56, 0, 64, 0, 0)
    return elf.header((ident + struct.pack(order + form, *rest)).ljust(64, b"\0"))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda one: f"{one.triplet}-{one.header}")
def test_every_row_is_whole_and_found_by_a_header(machine):
    number, bits, little = machine.header
    header = made(number, bits, little)
    assert isinstance(header, Header)
    assert header.platform is machine
    assert platforms.of(number, bits, little=little) is machine
    for flags in (0, 1, 0x200, 0x400, 0x600, 0x6, 0xFFFFFFFF):
        assert machine.abi(flags).cache
        assert machine.together(flags & ~machine.exclusive, flags & ~machine.exclusive)
    assert all(one.value & ~one.mask == 0 for one in machine.abis)
    assert machine.abis[-1].mask == 0
    assert all(re.fullmatch(r"/lib\w*/ld\S*\.so\.\d", one) for one in machine.loaders)
    assert re.fullmatch(r"[a-z]\w+-linux-gnu\w*", machine.triplet)
    assert len({*machine.platforms}) == len(machine.platforms)


def test_no_two_rows_are_for_one_header():
    assert len({one.header for one in MACHINES}) == len(MACHINES)


@pytest.mark.parametrize("header", TOLD, ids=str)
def test_what_documents_tell(header):
    *key, flags = header
    machine = made(*key, flags).platform
    loader = machine.loaders[0].rpartition("/")[2]
    found = (machine.architecture, loader, ld_cache.flags(made(*key, flags)))
    assert found == TOLD[header]


@pytest.mark.parametrize("header", VARIANTS, ids=str)
def test_the_variant_of_a_platform(header):
    *key, flags = header
    assert made(*key).platform.abi(flags).variant == VARIANTS[header]


@pytest.mark.parametrize(
    ("header", "may", "never"),
    [
        ((40, 32, True, 0x400), {"v6", "v7", "v8"}, {"v5", "v9"}),
        ((40, 32, True, 0), {"v5", "v6", "v7", "v8"}, {"v9"}),
        ((183, 64, True, 0), {"v8", "v8.2", "v9", "v9.1"}, {"v7"}),
        ((62, 64, True, 0), {"v1", "v3"}, set()),
    ],
)
def test_the_variants_that_the_user_may_say(header, may, never):
    *key, flags = header
    abi = made(*key).platform.abi(flags)
    assert {one for one in may | never if abi.may_be(one)} == may


@pytest.mark.parametrize(
    ("architecture", "variant", "triplet"),
    [
        ("amd64", "", "x86_64-linux-gnu"),
        ("386", "", "i686-linux-gnu"),
        ("arm", "v7", "arm-linux-gnueabihf"),
        ("arm", "v5", "arm-linux-gnueabi"),
        ("arm64", "", "aarch64-linux-gnu"),
        ("ppc64le", "", "powerpc64le-linux-gnu"),
        ("wasm", "", "wasm"),
    ],
)
def test_what_gnu_tools_call_an_architecture(architecture, variant, triplet):
    assert platforms.triplet(architecture, variant) == triplet


@pytest.mark.parametrize(("number", "bits", "little", "flags", "program", "both"), TOGETHER)
def test_which_files_go_together(number, bits, little, flags, program, both):
    assert platforms.of(number, bits, little=little).together(flags, program) is both


def test_an_unknown_machine_has_no_platform():
    machine = platforms.of(0xBEEF, 64, little=True)
    assert machine.architecture == machine.triplet == ""
    assert machine.abi(0).cache == (0x3, 0x1)


@pytest.mark.parametrize(
    ("names", "architecture"),
    [
        (("amd64", "x86_64"), "amd64"),
        (("386", "i386", "i686"), "386"),
        (("arm64", "aarch64"), "arm64"),
        (("arm", "armv7l", "armhf"), "arm"),
        (("riscv64",), "riscv64"),
        (("s390x",), "s390x"),
        (("ppc64le", "powerpc64le", "ppc64el"), "ppc64le"),
        (("loong64", "loongarch64"), "loong64"),
        (("mips64le", "mips64el"), "mips64le"),
        (("mipsle", "mipsel"), "mipsle"),
    ],
)
def test_an_architecture_has_the_names_that_others_call_it_by(names, architecture):
    assert {platforms.architecture(name) for name in names} == {architecture}


@pytest.mark.parametrize("name", ["mips", "mips64", "ppc64", "s390", "vax", ""])
def test_a_name_of_no_image_platform_or_of_two_byte_orders_stays(name):
    assert platforms.architecture(name) == name


def test_machines_of_one_family_share_a_strip():
    amd64, x32, i386, arm64 = (
        platforms.of(*header, little=True) for header in ((62, 64), (62, 32), (3, 32), (183, 64))
    )
    assert amd64.strip_family == x32.strip_family == i386.strip_family != arm64.strip_family
