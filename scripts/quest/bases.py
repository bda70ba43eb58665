"""The article's base images, made on this machine, since it has no registry.

Debian's packages replace Ubuntu's and Docker's own images: the sizes differ from those of
the article, and what works and what fails does not. Packages are unpacked and not configured.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
PREFIX = "quest-base"
ESSENTIAL = "?essential"
PACKAGES = {
    "debian": (ESSENTIAL,),  # for `ubuntu`
    "compiler": (ESSENTIAL, "gcc", "libc6-dev"),  # for `ubuntu` with a compiler
    "gcc": (ESSENTIAL, "build-essential", "autoconf", "libssl-dev"),
    "golang": (ESSENTIAL, "golang-go", "ca-certificates"),
}
OLDER = ("bullseye", "libc6", "libc-bin")  # glibc 2.31, for what newer ones have mended


def unpack(suite: str, *packages: str) -> bytes:
    """A root with packages and what they depend on, as a tar."""
    return subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=extract"),
            *(f"--include={name}" for name in packages),
            *(suite, "-", f"deb {MIRROR} {suite} main"),
        ],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


def older(folder: Path) -> None:
    """Unpack the older root into a folder."""
    folder.mkdir()
    command = ["tar", "-x", "-C", str(folder), "--exclude=./dev/*"]
    subprocess.run(command, input=unpack(*OLDER), check=True)


def busybox(root: Path) -> None:
    """A busybox that needs no library, with its links."""
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin")
    for name in ("sh", "ls", "cat", "ps", "ping"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")


def alpine(root: Path) -> None:
    """Busybox and musl, as alpine has them, and no glibc."""
    busybox(root)
    (root / "lib").mkdir()
    shutil.copy("/lib/ld-musl-x86_64.so.1", root / "lib")


def busybox_glibc(root: Path) -> None:
    """Busybox and glibc with its name services, as the image of that name has them."""
    busybox(root)
    for folder in ("lib", "lib64"):
        (root / folder).mkdir()
    libraries = Path("/lib/x86_64-linux-gnu")
    for pattern in ("libc.so.6", "libm.so.6", "libpthread.so.0", "libresolv.so.2", "libnss_*.so.2"):
        for path in libraries.glob(pattern):
            shutil.copy(path, root / "lib")
    shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib64")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")


MADE: dict[str, Callable[[Path], None]] = {
    "busybox": busybox,
    "alpine": alpine,
    "busybox-glibc": busybox_glibc,
}


def image(name: str) -> str:
    """The image of a base, made if it is not there yet."""
    known = f"{PREFIX}:{name}"
    if subprocess.run(
        ["docker", "image", "inspect", known], capture_output=True, check=False
    ).returncode:
        if name in PACKAGES:
            load(known, unpack("trixie", *PACKAGES[name]))
        else:
            with tempfile.TemporaryDirectory() as made:
                MADE[name](Path(made))
                tar = subprocess.run(
                    ["tar", "-c", "-C", made, "."], stdout=subprocess.PIPE, check=True
                )
            load(known, tar.stdout)
    return known


def load(name: str, tar: bytes) -> None:
    """Make an image of a tar of files, with a PATH."""
    path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    subprocess.run(
        ["docker", "import", "-c", path, "-", name], input=tar, capture_output=True, check=True
    )


def remove() -> None:
    """Remove the images of all bases."""
    for name in (*PACKAGES, *MADE):
        subprocess.run(
            ["docker", "image", "rm", f"{PREFIX}:{name}"], capture_output=True, check=False
        )
