"""Where a loader follows `$ORIGIN` for a program with privileges: glibc and musl differ."""

import pytest

from rootfs_builder.loader.glibc import Glibc
from rootfs_builder.loader.musl import Musl
from rootfs_builder.loader.resolution import Loaded

DEBIAN = ("/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/")
FEDORA = ("/lib64/", "/usr/lib64/")
PROGRAM = Loaded("prog", "/opt/prog", None, None, None)
LIBRARY = Loaded("libx.so", "/lib/libx.so", None, None, None, by=PROGRAM)


@pytest.mark.parametrize(
    ("system_dirs", "path", "trusted"),
    [
        (DEBIAN, "/usr/lib/x/liba.so", True),
        (DEBIAN, "/usr/lib64/liba.so", False),
        (DEBIAN, "/opt/app/lib/liba.so", False),
        (DEBIAN, "/usr/lib/../../opt/liba.so", False),
        (DEBIAN, "/opt/../usr/lib/liba.so", True),
        (DEBIAN, "/usr/libexec/liba.so", False),
        (FEDORA, "/usr/lib64/x/liba.so", True),
        (FEDORA, "/usr/lib/liba.so", False),
    ],
)
@pytest.mark.parametrize("owner", [PROGRAM, LIBRARY], ids=["program", "library"])
def test_glibc_trusts_its_own_default_directories(system_dirs, path, trusted, owner):
    loader = Glibc("/lib64/ld.so", None, system_dirs, "lib", (), "/etc/ld.so.cache", {})
    assert loader.trusts(path, owner) is trusted


@pytest.mark.parametrize("path", ["/usr/lib/liba.so", "/opt/liba.so"])
def test_musl_trusts_what_a_library_says_and_not_the_program(path):
    loader = Musl("/lib/ld-musl-x86_64.so.1", "/etc/ld-musl-x86_64.path", ("/lib",))
    assert not loader.trusts(path, PROGRAM)
    assert loader.trusts(path, LIBRARY)
