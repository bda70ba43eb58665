"""Roots laid out as other distributions are, made of this machine's files.

A distribution shows in two ways. Its files stand elsewhere, and the loader and libc that it built
have other directories compiled in. Both are here: for Fedora, the strings of Debian's glibc are
written over with Fedora's, which are shorter.
"""

import shutil
import subprocess
from pathlib import Path

MULTIARCH = Path("/usr/lib/x86_64-linux-gnu")
MUSL = Path("/usr/lib/x86_64-linux-musl/libc.so")
BUSYBOX = Path("/usr/bin/busybox")
_LIBRARIES = ("libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6")


def fedora(root):
    """/lib64 is a link to /usr/lib64, which the loader and ld.so.cache name; no multiarch."""
    _links(root, {"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"})
    (root / "usr/sbin").symlink_to("bin")
    lib = root / "usr/lib64"
    _write(lib / "ld-linux-x86-64.so.2", fedoras(Path("/lib64/ld-linux-x86-64.so.2").read_bytes()))
    for name in _LIBRARIES:
        _write(lib / name, fedoras((MULTIARCH / name).read_bytes()))
    # Without its cache, which has the old directory in it.
    shutil.copytree(MULTIARCH / "gconv", lib / "gconv", ignore=shutil.ignore_patterns("*.cache"))
    shutil.copytree("/usr/lib/locale/C.utf8", root / "usr/lib/locale/C.utf8")
    (root / "etc/ld.so.conf.d").mkdir(parents=True)
    (root / "etc/ld.so.conf").write_text("include ld.so.conf.d/*.conf\n")
    (root / "etc/ld.so.conf.d/mysql.conf").write_text("/usr/lib64/mysql\n")


def fedoras(data):
    """The bytes of one of Debian's glibc files, with Fedora's directories in it.

    The code of the loader has the lengths of its default directories in it, so these are filled up
    with slashes: another text for the same directory.
    """
    for old, new in ((b"/lib", b"/lib64"), (b"/usr/lib", b"/usr/lib64")):
        multiarch = old + b"/x86_64-linux-gnu"
        data = data.replace(multiarch + b"/\0", new.ljust(len(multiarch), b"/") + b"/\0")
        for end in (b"\0", b"/gconv\0", b"/gconv/gconv-modules.cache\0"):
            data = _over(data, b"\0" + multiarch + end, b"\0" + new + end)
    return _over(data, b"\0lib/x86_64-linux-gnu\0", b"\0lib64\0")


def _over(data, old, new):
    return data.replace(old, new.ljust(len(old), b"\0"))


def ldconfig(root, *directories):
    """Write the root's ld.so.cache by its ld.so.conf; `directories` are ldconfig's own on it."""
    command = ["/sbin/ldconfig", "-r", root, "-X", *directories]
    subprocess.run(command, check=True, capture_output=True)


def ubuntu(root):
    """A merged /usr, libraries in the directory of their architecture: this machine's own way."""
    links = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
    _links(root, links)
    lib = root / "usr/lib/x86_64-linux-gnu"
    lib.mkdir()
    for name in ("ld-linux-x86-64.so.2", *_LIBRARIES):
        _write(lib / name, (MULTIARCH / name).read_bytes())
    loader = root / "usr/lib64/ld-linux-x86-64.so.2"
    loader.symlink_to("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    (root / "etc").mkdir()


def alpine(root):
    """An unmerged /usr, musl under its own name, busybox for a shell, and no glibc."""
    for directory in ("bin", "lib", "etc", "usr/bin", "usr/lib"):
        (root / directory).mkdir(parents=True)
    _write(root / "lib/ld-musl-x86_64.so.1", MUSL.read_bytes())
    (root / "lib/libc.musl-x86_64.so.1").symlink_to("ld-musl-x86_64.so.1")
    _write(root / "bin/busybox", BUSYBOX.read_bytes())
    (root / "bin/sh").symlink_to("/bin/busybox")


def _links(root, links):
    for name, target in links.items():
        (root / target).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)


def _write(path, data):
    path.write_bytes(data)
    path.chmod(0o755)
