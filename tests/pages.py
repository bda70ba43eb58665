"""The pages of documentation → their code blocks, run in order in a fresh folder, as a reader would.

A block's first word is its language, the second says what becomes of it: `sh` is run and must succeed,
`console` shows `$ commands` with all that they say, which is compared. Both are run by every test of
the page, with `engines` only where the engines are, with `debian` in a container of a bare Debian. In
any other language the second word is the name of the file that the block is. `text` is read only.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
PAGES = sorted(
    path.relative_to(CHECKOUT)
    for path in (*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("recipes/**/*.md"))
)
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"\b[0-9a-f]{12,}\b|\d[\d,.]*")
_RUN = ("sh", "console")


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    language: str
    word: str  # the second word of its first line
    text: str

    @property
    def where(self):
        """Where it is run: "" is everywhere; None says that it is not."""
        return self.word if self.language in _RUN else None

    @property
    def file(self):
        """The name of the file that it is, if it is one."""
        return "" if self.language in (*_RUN, "text") else self.word


def blocks(page):
    """The code blocks of a page, in order."""
    text = (CHECKOUT / page).read_text()
    return [Block(*f"{first} ".split(" ")[:2], body) for first, body in FENCED.findall(text)]


def shape(said):
    """What is said, without what differs from machine to machine: numbers, digests, widths."""
    return [" ".join(_NUMBER.sub("N", line).split()) for line in said.splitlines()]


class Reader:
    """Someone with a folder and a home of their own, who types a page's commands."""

    def __init__(self, place, *, container=None):
        self.folder = place / "folder"
        self._container = container  # runs (script, folder) for the blocks in debian
        tools = place / "bin"
        for path in (self.folder, tools, place / "home"):
            path.mkdir()
        (tools / "rootfs-builder").symlink_to(Path(sys.executable).parent / "rootfs-builder")
        self._tools = tools
        self._env = {
            **os.environ,
            "HOME": str(place / "home"),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        }

    def tool(self, name, script):
        """Put a command of this name before all others."""
        path = self._tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def follow(self, page, places):
        """Do what a page says, where `places` has the blocks' second word; what was said."""
        said = []
        for block in blocks(page):
            if block.file:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif block.where in places:
                said.append(self._do(block))
        return "".join(said)

    def _do(self, block):
        if block.language == "sh":
            code, said = self.type(f"set -eu\n{block.text}", block.where)
            assert code == 0, f"{block.text}\n{said}"
            return said
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
            said = self.type(command, block.where)[1]
            assert matches(shown, said), f"$ {command}\nshown:\n{shown}\nsaid:\n{said}"
        return ""

    def type(self, script, where=""):
        """Run a script in the folder; its exit code and all that it said."""
        command = ["sh", "-c", script]
        if where == "debian":
            command = [*self._container(self.folder), *command]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout


def matches(shown, said):
    """What a page shows is what is said, in its shape; … stands for anything within a line."""
    pattern = "\n".join(re.escape(line).replace("…", ".*") for line in shape(shown))
    return re.fullmatch(pattern, "\n".join(shape(said))) is not None
