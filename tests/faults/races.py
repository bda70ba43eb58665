"""A sysroot and an added tree whose directories and files turn into links to outside, and back.

Another process exchanges them for half a millisecond, again and again, while packs run. No image
may have a byte of outside.
"""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import rootfs_builder

CASES = ("directory", "above", "file", "tree", "added")
_MARK = b"of the machine, and of no image"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_TOUCHED, _UNTOUCHED = 0.0005, 0.1  # seconds: so that some packs succeed


def exchange(one: str, other: str) -> None:
    """Exchange two names atomically; raises OSError where the system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    if libc.renameat2(*names, _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2", one)


@contextlib.contextmanager
def swapping(one: Path, other: Path) -> Iterator[None]:
    """Another process exchanges two names without end, and leaves them as they were."""
    command = [sys.executable, "-m", __name__, str(one), str(other)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        if process.stdout is None or not process.stdout.read(1):
            raise RuntimeError("nothing was exchanged")
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def _swap(one: str, other: str) -> None:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    chance = random.Random(0)
    exchange(one, other)
    exchange(one, other)
    print(flush=True)  # it works
    while not ended:
        time.sleep(chance.random() * _UNTOUCHED)
        exchange(one, other)
        time.sleep(_TOUCHED)
        exchange(one, other)


class Race:
    """One case in a new folder: a sysroot with a program, an added tree, and what is outside."""

    def __init__(self, folder: Path, case: str) -> None:
        self.image = folder / "image.tar"
        sysroot, outside, added = (folder / name for name in ("sys", "outside", "added"))
        rootfs_builder.stage(rootfs_builder.Recipe.of("/bin/true"), str(sysroot))
        libc = next(one for one in sysroot.rglob("libc.so.6") if one.is_file()).resolve()
        (added / "sub").mkdir(parents=True)
        (added / "sub" / "data").write_text("of the tree")
        for inside in (libc.parent, added / "sub"):
            shutil.copytree(inside, outside / inside.name)
        (outside / "sub" / "secret").touch()
        for one in outside.rglob("*"):
            if one.is_file():
                one.chmod(0o755)
                one.write_bytes(one.read_bytes() + _MARK)
        shutil.copytree(outside / libc.parent.name, outside / "above" / libc.parent.name)
        self.swapped, target = {
            "directory": (libc.parent, outside / libc.parent.name),
            "above": (libc.parent.parent, outside / "above"),
            "file": (libc, outside / libc.parent.name / libc.name),
            "tree": (added / "sub", outside / "sub"),
            "added": (added / "sub" / "data", outside / "sub" / "data"),
        }[case]
        self.link = folder / "link"
        self.link.symlink_to(target)
        self._sysroot = None if case in ("tree", "added") else str(sysroot)
        adds = () if self._sysroot else (f"{added}:/srv/added",)
        self._recipe = rootfs_builder.Recipe.of("/bin/true", add=adds, compression="none")

    def pack(self) -> str:
        """Pack once: the digest, or the kind of the error."""
        try:
            done = rootfs_builder.pack(self._recipe, str(self.image), sysroot=self._sysroot)
        except (rootfs_builder.RootfsError, OSError) as error:
            return type(error).__name__
        return "outside" if _MARK in self.image.read_bytes() else done.image.digest

    def run(self, packs: int) -> Counter[str]:
        """Pack so often while names are exchanged → how often it ended in each way."""
        right = self.pack()
        if not right.startswith("sha256:"):
            raise RuntimeError(f"the untouched root cannot be packed: {right}")
        ends: Counter[str] = Counter()
        with swapping(self.swapped, self.link):
            for _ in range(packs):
                found = self.pack()
                ends["right" if found == right else found] += 1
        return ends


if __name__ == "__main__":
    _swap(*sys.argv[1:])
