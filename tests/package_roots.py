"""Roots with a package database, made of this machine's files."""

import os
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """A package of Debian's, and its files as it spells them."""

    name: str
    version: str
    files: tuple[str, ...]
    source: str = ""


def stage(program, root):
    """What a program needs, and itself, as a root; it is at /usr/local/bin."""
    command = [sys.executable, "-m", "rootfs_builder", "stage", program, "-o", root]
    subprocess.run(command, check=True, capture_output=True)


def install(root, *packages):
    """Write dpkg's database, as if these packages had brought the root's files."""
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True, exist_ok=True)
    stanzas = []
    for package in packages:
        source = f"Source: {package.source}\n" if package.source else ""
        stanzas.append(
            f"Package: {package.name}\nStatus: install ok installed\n{source}"
            f"Version: {package.version}\nArchitecture: amd64\n"
        )
        text = "/.\n" + "".join(f"{f}\n" for f in package.files)
        (info / f"{package.name}.list").write_bytes(os.fsencode(text))
    (root / "var/lib/dpkg/status").write_text("\n".join(stanzas))
