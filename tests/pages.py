"""The pages of documentation → their code blocks, run in order in a fresh folder, as readers would.

A block's first word is its language: `sh` is run and must succeed; `console` shows `$ commands`
with all that they say, which is compared. Both run wherever the tests do; with the second word
`engines` only where the engines are, with `debian` in a container of a bare Debian. In any other
language the second word is the name of the file that the block is. `text` is only read.
"""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
PAGES = sorted(
    path.relative_to(CHECKOUT)
    for path in (
        *CHECKOUT.glob("*.md"),
        *CHECKOUT.glob("docs/**/*.md"),
        *CHECKOUT.glob("recipes/**/*.md"),
    )
)
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"\b[0-9a-f]{12,}\b|\d[\d,.]*")
_TYPED = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
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

    def __init__(self, place, *, container=None, variables=None):
        self.folder = place / "folder"
        self.said = []  # all that the commands said
        self._container = container  # folder → the name of one where the blocks in debian run
        self._tools = place / "bin"
        for path in (self.folder, self._tools, place / "home"):
            path.mkdir(parents=True)
        ours = Path(sys.executable).parent / "rootfs-builder"
        (self._tools / "rootfs-builder").symlink_to(ours)
        self._env = {
            **os.environ,
            "HOME": str(place / "home"),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{self._tools}:{os.environ['PATH']}",
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
            **(variables or {}),
        }
        self.tool("python", f'exec {sys.executable} "$@"\n')

    def tool(self, name, script):
        """Put a command of this name before all others."""
        path = self._tools / name
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(0o755)

    def follow(self, page, places):
        """Do what a page says, where the blocks' second word is one of `places`."""
        for block in blocks(page):
            if block.file:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif block.where in places:
                self._do(block)

    def _do(self, block):
        if block.language == "sh":
            code, said = self.type(f"set -eu\n{block.text}", block.where)
            assert code == 0, f"{block.text}\n{said}"
            return
        for command, shown in _TYPED.findall(block.text):
            _, said = self.type(command, block.where)
            assert matches(shown, said), f"$ {command}\nshown:\n{shown}\nsaid:\n{said}"

    def type(self, script, where=""):
        """Run a script in the folder; its exit code and all that it said."""
        command = ["sh", "-c", script]
        if where == "debian":
            command = ["docker", "exec", self._container(self.folder), *command]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as out:  # what it leaves running has it
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=300,
                check=False,
            )
            out.seek(0)
            self.said.append(out.read())
        return done.returncode, self.said[-1]


def matches(shown, said):
    """What a page shows is what is said, in its shape; … stands for anything within a line."""
    pattern = "\n".join(re.escape(line).replace("…", ".*") for line in shape(shown))
    return re.fullmatch(pattern, "\n".join(shape(said))) is not None
