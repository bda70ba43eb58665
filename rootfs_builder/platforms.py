"""Every machine that Linux programs are built for, a row each: what others call it, what it needs.

A row is known by three fields of an ELF header: e_machine, 32 or 64 bits, the byte order. To add a
CPU, add a row. Sources: the psABI supplement of each CPU; glibc sysdeps/*/dl-cache.h and
ldsodefs.h; `go tool dist list`.
"""

from msgspec import Struct


class Abi(Struct, frozen=True):
    """What the flags of an ELF header decide: where `flags & mask` is `value`, the rest is so.

    `variant` is the image platform's, and the user may say one of `others`: a header does not tell
    all. `cache` are the numbers in ld.so.cache that a loader accepts, its own first.
    """

    cache: tuple[int, ...]
    variant: str = ""
    mask: int = 0
    value: int = 0
    others: tuple[str, ...] = ()

    def may_be(self, variant: str) -> bool:
        """Whether a program can be for this variant, as far as its header tells."""
        return not self.variant or variant == self.variant or variant in self.others


class Machine(Struct, frozen=True):
    """One kind of machine.

    `header` has the three fields. `architecture` is the image platform's, "" where none is defined;
    `triplet` is what GNU tools for it are called. `loaders` are the PT_INTERP of glibc and of musl.
    `abis` are tried in order. `platforms` are what AT_PLATFORM may be, or what glibc makes of it,
    the most common first.

    Two files may be in one process if the flags in `equal` are the same, if not both of the flags
    in `exclusive` are set, and if the flags in `version` are the same; a file's 0 goes with any
    version, and a program's 0 stands for `newest`.

    `os_abis` are taken besides those of System V and GNU, and of System V the ABI versions up to
    `abi_version`; `wide_hash` is for 64-bit words in
    DT_HASH, `counts_symbols` for a machine that has DT_MIPS_SYMTABNO. `family` is set for machines
    that share one strip(1).
    """

    header: tuple[int, int, bool]
    architecture: str
    triplet: str
    loaders: tuple[str, ...]
    abis: tuple[Abi, ...]
    platforms: tuple[str, ...] = ()
    equal: int = 0
    exclusive: int = 0
    version: int = 0
    newest: int = 0
    os_abis: tuple[int, ...] = ()
    abi_version: int = 0
    wide_hash: bool = False
    counts_symbols: bool = False
    family: str = ""

    @property
    def strip_family(self) -> str:
        """Equal for machines of which one strip(1) is for all."""
        return self.family or self.architecture

    def abi(self, flags: int) -> Abi:
        """What a header's flags decide."""
        return next(one for one in self.abis if flags & one.mask == one.value)

    def together(self, flags: int, program: int) -> bool:
        """Whether a program with some flags can load a file with others."""
        if flags & self.equal != program & self.equal:
            return False
        if self.exclusive and (flags | program) & self.exclusive == self.exclusive:
            return False
        version = flags & self.version
        return not version or version == (program & self.version or self.newest)


_GENERIC = (0x0003, 0x0001)  # FLAG_ELF_LIBC6, FLAG_ELF
_ARM_HARD, _ARM_SOFT = 0x400, 0x200
_ARM_FLOAT = ("v6", "v8")  # what a program with floating point may be for besides v7
_ARM_ANY = ("v6", "v7", "v8")  # Go's, of any GOARM, tell nothing
_ARM_ABIS = (
    Abi((0x0B03,), "v7", _ARM_HARD | _ARM_SOFT, _ARM_HARD | _ARM_SOFT, _ARM_FLOAT),
    Abi((0x0903, 0x0003), "v7", _ARM_HARD, _ARM_HARD, _ARM_FLOAT),
    Abi((0x0B03,), "v5", _ARM_SOFT, _ARM_SOFT, _ARM_ANY),
    Abi((0x0903, 0x0003), "v5", others=_ARM_ANY),
)
_ARM64_LATER = tuple(f"v{major}.{minor}" for major in (8, 9) for minor in range(10))
_MIPS_N32, _MIPS_NAN2008 = 0x20, 0x400  # EF_MIPS_ABI2, EF_MIPS_NAN2008
_MIPS_ABIS = (
    Abi((0x0D03,), "", _MIPS_N32 | _MIPS_NAN2008, _MIPS_N32 | _MIPS_NAN2008),
    Abi((0x0603,), "", _MIPS_N32, _MIPS_N32),
    Abi((0x0C03,), "", _MIPS_NAN2008, _MIPS_NAN2008),
    Abi(_GENERIC),
)
_MIPS64_ABIS = (Abi((0x0E03,), "", _MIPS_NAN2008, _MIPS_NAN2008), Abi((0x0703,)))
_MIPS_XHASH = 5  # LIBC_ABI_MIPS_XHASH, the newest that glibc's loader takes
_RISCV_FLOAT = 0x6
_RISCV_ABIS = (Abi((0x0F03,), mask=_RISCV_FLOAT), Abi((0x1003,)))
_PPC64_ABI, _PPC64_V2 = 3, 2
_Z = ("z13", "z14", "z15", "z16", "z17", "z900", "z990", "z9-109", "z10", "z196", "zEC12")

MACHINES = (
    Machine(
        (62, 64, True),
        "amd64",
        "x86_64-linux-gnu",
        ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"),
        (Abi((0x0303,)),),
        ("x86_64", "haswell", "xeon_phi"),
        family="x86",
    ),
    Machine(  # x32: programs of an amd64 kernel
        (62, 32, True),
        "amd64",
        "x86_64-linux-gnu",
        ("/libx32/ld-linux-x32.so.2", "/lib/ld-musl-x32.so.1"),
        (Abi((0x0803,)),),
        ("x86_64", "haswell", "xeon_phi"),
        family="x86",
    ),
    Machine(
        (3, 32, True),
        "386",
        "i686-linux-gnu",
        ("/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"),
        (Abi(_GENERIC),),
        ("i686", "i586"),
        family="x86",
    ),
    Machine(
        (183, 64, True),
        "arm64",
        "aarch64-linux-gnu",
        ("/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"),
        (Abi((0x0A03,), "v8", others=("v9", *_ARM64_LATER)),),
        ("aarch64",),
    ),
    Machine(
        (183, 64, False),
        "",
        "aarch64_be-linux-gnu",
        ("/lib/ld-linux-aarch64_be.so.1", "/lib/ld-musl-aarch64_be.so.1"),
        (Abi((0x0A03,)),),
        ("aarch64",),
    ),
    Machine(
        (40, 32, True),
        "arm",
        "arm-linux-gnueabihf",
        ("/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armhf.so.1"),
        _ARM_ABIS,
        ("v7l", "v8l", "v6l"),
        exclusive=_ARM_HARD | _ARM_SOFT,
        os_abis=(97,),
    ),
    Machine(
        (40, 32, False),
        "",
        "armeb-linux-gnueabihf",
        ("/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armebhf.so.1"),
        _ARM_ABIS,
        ("v7l", "v8l", "v6l"),
        exclusive=_ARM_HARD | _ARM_SOFT,
        os_abis=(97,),
    ),
    Machine(
        (243, 64, True),
        "riscv64",
        "riscv64-linux-gnu",
        ("/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"),
        _RISCV_ABIS,
        equal=_RISCV_FLOAT,
    ),
    Machine(
        (243, 32, True),
        "",
        "riscv32-linux-gnu",
        ("/lib/ld-linux-riscv32-ilp32d.so.1", "/lib/ld-musl-riscv32.so.1"),
        _RISCV_ABIS,
        equal=_RISCV_FLOAT,
    ),
    Machine(
        (22, 64, False),
        "s390x",
        "s390x-linux-gnu",
        ("/lib/ld64.so.1", "/lib/ld-musl-s390x.so.1"),
        (Abi((0x0403,)),),
        _Z,
        wide_hash=True,
    ),
    Machine(
        (22, 32, False),
        "",
        "s390-linux-gnu",
        ("/lib/ld.so.1",),
        (Abi((0x0003,)),),
        _Z,
    ),
    Machine(
        (21, 64, True),
        "ppc64le",
        "powerpc64le-linux-gnu",
        ("/lib64/ld64.so.2", "/lib/ld-musl-powerpc64le.so.1"),
        (Abi((0x0503,)),),
        ("power9", "power8", "power10", "power11"),
        version=_PPC64_ABI,
        newest=_PPC64_V2,
    ),
    Machine(
        (21, 64, False),
        "ppc64",
        "powerpc64-linux-gnu",
        ("/lib64/ld64.so.1", "/lib/ld-musl-powerpc64.so.1"),
        (Abi((0x0503,)),),
        ("power9", "power8", "power10", "power11"),
        version=_PPC64_ABI,
        newest=_PPC64_V2,
    ),
    Machine(
        (258, 64, True),
        "loong64",
        "loongarch64-linux-gnu",
        ("/lib64/ld-linux-loongarch-lp64d.so.1", "/lib/ld-musl-loongarch64.so.1"),
        (Abi((0x1203,)),),
        ("loongarch",),
    ),
    Machine(
        (8, 64, True),
        "mips64le",
        "mips64el-linux-gnuabi64",
        ("/lib64/ld.so.1", "/lib/ld-musl-mips64el.so.1"),
        _MIPS64_ABIS,
        abi_version=_MIPS_XHASH,
        counts_symbols=True,
    ),
    Machine(
        (8, 32, True),
        "mipsle",
        "mipsel-linux-gnu",
        ("/lib/ld.so.1", "/lib/ld-musl-mipsel.so.1"),
        _MIPS_ABIS,
        abi_version=_MIPS_XHASH,
        counts_symbols=True,
    ),
    Machine(
        (8, 64, False),
        "mips64",
        "mips64-linux-gnuabi64",
        ("/lib64/ld.so.1", "/lib/ld-musl-mips64.so.1"),
        _MIPS64_ABIS,
        abi_version=_MIPS_XHASH,
        counts_symbols=True,
    ),
    Machine(
        (8, 32, False),
        "mips",
        "mips-linux-gnu",
        ("/lib/ld.so.1", "/lib/ld-musl-mips.so.1"),
        _MIPS_ABIS,
        abi_version=_MIPS_XHASH,
        counts_symbols=True,
    ),
    Machine(
        (0x9026, 64, True),
        "",
        "alpha-linux-gnu",
        ("/lib/ld-linux.so.2",),
        (Abi(_GENERIC),),
        wide_hash=True,
    ),
)
_SOFT = "v5"  # the variant of machines without floating point
_BY_HEADER = {one.header: one for one in MACHINES}
_BY_NAME = {one.triplet.partition("-")[0]: one.architecture for one in MACHINES} | {
    "i386": "386",
    "armv7l": "arm",
    "armhf": "arm",
    "ppc64el": "ppc64le",
}


def of(e_machine: int, bits: int, *, little: bool) -> Machine:
    """The machine of an ELF header; one that is not in the table has its numbers alone."""
    header = (e_machine, bits, little)
    return _BY_HEADER.get(header) or Machine(header, "", "", (), (Abi(_GENERIC),))


def architecture(name: str) -> str:
    """The image platform's word for an architecture that may be called as GNU, uname or dpkg do.

    A name that is not known stays.
    """
    return _BY_NAME.get(name) or name


def triplet(architecture: str, variant: str = "") -> str:
    """What GNU tools call the machines of an image platform; its own word where they have none."""
    if architecture == "arm" and variant == _SOFT:
        return "arm-linux-gnueabi"
    return next((one.triplet for one in MACHINES if one.architecture == architecture), architecture)
