"""Roots of other machines, made of Debian's packages: packed here, run under qemu.

Names and order of the libraries are compared with what the root's own ld.so lists.
"""

import json
import os
import re
import shutil
import subprocess

import pytest

from tests.integration.engines import Tool

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("foreign")]

MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "curl,ca-certificates,python3,nginx,redis-server,jq,bash,busybox-static,coreutils,sqlite3,"
    "openssl,libstdc++6"
)
MACHINES = {  # Debian's name: the release that has it, qemu's name
    "arm64": ("trixie", "aarch64"),
    "armhf": ("trixie", "arm"),
    "i386": ("trixie", "i386"),
    "riscv64": ("trixie", "riscv64"),
    "ppc64el": ("bookworm", "ppc64le"),
    "s390x": ("bookworm", "s390x"),
    "mips64el": ("bookworm", "mips64el"),
}
ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))  # else a sample
SQL = (
    "import ssl, sqlite3; print(sqlite3.connect(':memory:').execute('select 6 * 7').fetchone()[0])"
)
PROGRAMS = {
    "/usr/bin/curl": (("--version",), None),
    "/usr/bin/python3": (("-c", SQL), "42\n"),
    "/usr/sbin/nginx": (("-v",), None),
    "/usr/bin/redis-server": (("--version",), None),
    "/usr/bin/jq": (("-n", "6 * 7"), "42\n"),
    "/bin/bash": (("-c", "for i in a b; do echo $i; done"), "a\nb\n"),
    "/usr/bin/sqlite3": ((":memory:", "select 6 * 7"), "42\n"),
    "/usr/bin/openssl": (("version",), None),
    "/bin/busybox": (("echo", "static"), "static\n"),
    "/usr/bin/sort": (("--version",), None),
}


@pytest.fixture(scope="module", params=MACHINES if ALL else ["arm64"])
def foreign(request, tmp_path_factory):
    """A root of a machine, the name of that, and the qemu that runs its programs."""
    release, machine = MACHINES[request.param]
    qemu = shutil.which(f"qemu-{machine}")
    if qemu is None:
        pytest.fail(f"qemu-{machine} is not installed: apt-get install qemu-user", False)
    root = tmp_path_factory.mktemp("roots") / request.param
    options = ("--quiet", "--variant=extract", f"--architectures={request.param}")
    include = f"--include={PACKAGES}"
    Tool("mmdebstrap")(*options, include, release, root, MIRROR, timeout=900)
    yield request.param, root, qemu
    shutil.rmtree(root)


def run(root, qemu, *words):
    """Run a program of a root under qemu, in a chroot of it."""
    inside = root / "qemu"
    shutil.copy(qemu, inside)
    try:
        return subprocess.run(
            ["chroot", root, "/qemu", *words],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        inside.unlink()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_a_foreign_root(foreign, cli, tmp_path, program):
    _, root, qemu = foreign
    words, said = PROGRAMS[program]
    path = f"{root}{program}"
    cli("pack", path, "--sysroot", root, "-o", "x.tar", check=True)
    cli("verify", "x.tar", check=True)
    cli("stage", path, "--sysroot", root, "-o", "staged", check=True)
    done = run(tmp_path / "staged", qemu, program, *words)
    assert done.returncode == 0, done
    assert said in (None, done.stdout)
    assert done.stdout + done.stderr
    (found,) = json.loads(cli("tree", "--json", path, "--sysroot", root, check=True).stdout)[
        "executables"
    ]
    if found["kind"] == "executable" and len(found["link_maps"][0]["objects"]) > 1:
        objects = found["link_maps"][0]["objects"]
        ours = [(one["name"], one["opened"]) for one in objects if one["by"]]
        assert ours == theirs(root, qemu, program)


def theirs(root, qemu, program):
    """What the root's own ld.so lists: name and path of each object, in its order."""
    listed = run(root, qemu, "-E", "LD_TRACE_LOADED_OBJECTS=1", program).stdout
    found = []
    for line in listed.splitlines():
        match = re.fullmatch(r"\s+(\S+)(?: => (\S+))? \(0x[0-9a-f]+\)", line)
        if match and not match[1].startswith("linux-"):
            found.append((match[1], match[2] or match[1]))
    return found


def test_a_program_without_its_root_is_told_which_it_needs(foreign, cli, tmp_path):
    name, root, _ = foreign
    shutil.copy(f"{root}/usr/bin/jq", tmp_path)
    done = cli("pack", "jq", "-o", "x.tar")
    if name == "i386" and os.path.exists("/lib/ld-linux.so.2"):
        return  # this machine may have its libc
    assert done.returncode == 3
    assert "a program for linux/" in done.stderr
    assert "name a root that has it: --sysroot DIR" in done.stderr
