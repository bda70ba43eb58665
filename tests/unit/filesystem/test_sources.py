"""Sysroot and machine as one Root: what is inside, what is seen from outside, nothing by chance."""

import errno
import os
from pathlib import Path

import pytest

from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources, in_system
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import possible

BESIDE = Sources(DirectoryRoot(), DirectoryRoot()).mounts[1].point  # this machine, with a sysroot


@pytest.mark.parametrize(
    "path",
    ["/bin/x", "/sbin", "/lib/x", "/lib64/ld.so", "/libx32", "/usr", "/opt/x", "/etc/x", "/nix/x"],
)
def test_what_an_operating_system_fills_is_the_system(path):
    assert in_system(path)


@pytest.mark.parametrize(
    "path", ["/", "/home/me/usr/bin", "/run/x", "/root", "/srv", "/binary/x", "/var", "/usrlocal"]
)
def test_everything_else_is_outside(path):
    assert not in_system(path)


MACHINE = {
    "etc/passwd": "the machine's",
    "etc/only-here": "",
    "home/me/app": "app",
    "home/me/lib/x.so": "x",
    "sysroots/arm/etc/passwd": "the sysroot's",
    "sysroots/arm/usr/bin/app": "arm app",
}


@pytest.fixture
def machine(tmp_path):
    for path, text in MACHINE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "arm").symlink_to("/sysroots/arm")
    (tmp_path / "home/me/link").symlink_to("/home/me/app")
    (tmp_path / "home/me/relative").symlink_to("app")
    (tmp_path / "home/me/passwd").symlink_to("/etc/passwd")
    (tmp_path / "sysroots/arm/usr/bin/up").symlink_to("/usr/bin/app")
    (tmp_path / "sysroots/arm/usr/bin/out").symlink_to("/home/me/app")
    return tmp_path


@pytest.fixture
def plain(machine):
    return Sources(DirectoryRoot(str(machine)))


@pytest.fixture
def with_sysroot(machine):
    sysroot = DirectoryRoot(f"{machine}/sysroots/arm")
    return Sources(DirectoryRoot(str(machine)), sysroot, "/sysroots/arm")


def content(sources, path):
    walk = Walker(sources).walk(path)
    return os.strerror(walk.errno) if walk.errno else read(sources.open(walk.real)).decode()


def test_without_a_sysroot_the_machine_is_the_root(plain):
    for path in ("/home/me/app", "/etc/passwd", "/no/such"):
        assert plain.locate(path) == plain.display(path) == plain.machine_path(path) == path
    assert content(plain, "/etc/passwd") == "the machine's"
    assert content(plain, "/home/me/link") == "app"
    assert plain.outside("/home/me/app")
    assert not plain.outside("/etc/passwd")
    assert [mount.point for mount in plain.mounts] == [""]
    assert plain.list("/home/me") == ("app", "lib", "link", "passwd", "relative")


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/sysroots/arm/usr/bin/app", "/usr/bin/app"),
        ("/sysroots/arm/usr/bin/no-such", "/usr/bin/no-such"),
        ("/arm/usr/bin/app", "/usr/bin/app"),
        ("/home/../sysroots/arm/./usr/bin/../bin/app", "/usr/bin/app"),
        ("/sysroots/arm/app", "/app"),
        ("/sysroots/arm/usr/bin/out", "/usr/bin/out"),
    ],
)
def test_a_path_in_the_sysroot_keeps_its_place(with_sysroot, path, inside):
    assert with_sysroot.locate(path) == inside
    assert with_sysroot.locate(with_sysroot.machine_path(inside)) == inside
    assert not with_sysroot.outside(inside)
    assert not with_sysroot.beside(inside)


@pytest.mark.parametrize(
    "path", ["/home/me/app", "/sysroots/app", "/sysroots/armhf/app", "/usr/bin/app", "/no/such/app"]
)
def test_any_other_path_is_outside(with_sysroot, path):
    located = with_sysroot.locate(path)
    assert located == BESIDE + path
    assert with_sysroot.outside(located)
    assert with_sysroot.beside(located)
    assert with_sysroot.display(located) == with_sysroot.machine_path(located) == path
    assert located == with_sysroot.mounts[1].path(path)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/passwd", "the sysroot's"),
        ("/usr/bin/up", "arm app"),
        ("/usr/bin/out", os.strerror(errno.ENOENT)),
        ("/etc/only-here", os.strerror(errno.ENOENT)),
        ("/home/me/app", os.strerror(errno.ENOENT)),
        ("/../home/me/app", os.strerror(errno.ENOENT)),
        (BESIDE + "/home/me/app", "app"),
        (BESIDE + "/home/me/link", "app"),
        (BESIDE + "/home/me/relative", "app"),
        (BESIDE + "/home/me/passwd", "the machine's"),
        (BESIDE + "/home/me/../me/lib/x.so", "x"),
    ],
)
def test_a_link_stays_on_its_own_side(with_sysroot, path, text):
    assert content(with_sysroot, path) == text


def test_both_sides_are_listed(with_sysroot):
    assert with_sysroot.list("/") == ("etc", "usr")
    assert with_sysroot.list(BESIDE + "/home") == ("me",)
    assert with_sysroot.list(BESIDE) == ("arm", "etc", "home", "sysroots")
    assert with_sysroot.lstat(BESIDE).kind == "dir"


@pytest.mark.parametrize("path", ["/home/me/app", "/etc/passwd", "/"])
def test_without_a_sysroot_nothing_is_beside_it(plain, path):
    assert not plain.beside(path)


def test_the_same_path_is_found_on_each_side(with_sysroot):
    found = [content(with_sysroot, one.path("/etc/passwd")) for one in with_sysroot.mounts]
    assert found == ["the sysroot's", "the machine's"]


def test_the_mount_point_is_no_name_of_a_file():
    assert not possible(BESIDE)
    with pytest.raises(ValueError, match="null"):
        Path(BESIDE).touch()
