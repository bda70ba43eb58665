"""A row of the article → what happens here: its image, and ours, built, measured and run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scripts.quest import bases

HERE = Path(__file__).parent
NAME = "quest"  # one name with a tag for each image, as in the article
HELLO = "Hello, world!"
RUN = ("docker", "run", "--rm", "--network", "none")


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row or a pitfall: rows.toml says what its keys mean."""

    tag: str
    title: str
    article: str
    dockerfile: str
    pack: list[str]
    host: list[str] = []
    run: str = "IMAGE"
    says: str = HELLO
    build: str = ""
    fails: str | None = None
    code: int | None = None
    use: list[str] = []
    answer: str = HELLO
    note: str = ""
    also: str = ""
    also_says: str = ""
    older: bool = False


class QuestError(Exception):
    """What should run does not, or what should fail does."""


@dataclass(frozen=True)
class Said:
    """How a command ended, and all that it printed."""

    code: int
    text: str

    @property
    def last(self) -> str:
        """The line that says most: the error, or else the last one."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith(("Run 'docker", "See 'docker"))]
        return lines[-1] if lines else ""


def rows() -> tuple[list[Row], list[Row]]:
    """The rows and the pitfalls."""
    data = tomllib.loads((HERE / "rows.toml").read_text())
    return msgspec.convert(data["row"], list[Row]), msgspec.convert(data["pitfall"], list[Row])


def say(command: list[str], folder: Path) -> Said:
    """Run a command in a folder."""
    ours = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": ours, "HOME": str(folder), "CGO_ENABLED": "0", "DOCKER_BUILDKIT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Said(done.returncode, done.stdout)


def shell(lines: list[str], folder: Path) -> Said:
    """Run shell lines, which must succeed."""
    said = say(["sh", "-euc", "\n".join(lines)], folder)
    if said.code:
        raise QuestError("\n".join([*lines, said.text]))
    return said


def size(image: str) -> int:
    """Bytes of an image, as docker counts them."""
    command = ["docker", "image", "inspect", "-f", "{{.Size}}", image]
    return int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def container(image: str, run: str, folder: Path) -> Said:
    """Start an image; a busy dockerd now and then loses what a short container says."""
    command = [*RUN, *(image if word == "IMAGE" else word for word in shlex.split(run))]
    for _ in range(3):
        said = say(command, folder)
        if said.text:
            break
    return said


def replay(row: Row) -> dict[str, Any]:
    """Both images of a row."""
    with tempfile.TemporaryDirectory(prefix="quest.") as made:
        folder = Path(made)
        for path in (HERE / "programs").iterdir():
            shutil.copy(path, folder)
        if row.older:
            bases.older(folder / "older")
        theirs = article(row, folder)
        if row.also:
            said = say(["sh", "-c", row.also.replace("IMAGE", f"{NAME}:{row.tag}")], folder)
            if row.also_says not in said.text:
                raise QuestError(f"{row.tag}: {row.also}: {said.text}")
        ours = answer(row, folder)
    return {"article": row.article, "here": theirs, "ours": ours}


def article(row: Row, folder: Path) -> dict[str, Any]:
    """What the article does: the image's size and what it says, or how it fails."""
    shell(row.host, folder)
    wanted = re.findall(r"base:(\S+)", row.dockerfile)
    text = row.dockerfile
    for name in wanted:
        text = text.replace(f"base:{name}\n", f"{bases.image(name)}\n")
        text = text.replace(f"base:{name} ", f"{bases.image(name)} ")
    (folder / "Dockerfile").write_text(text)
    (folder / ".dockerignore").write_text("older\n")
    image = f"{NAME}:{row.tag}"
    built = say(["docker", "build", "-q", "-t", image, "."], folder)
    if row.build:
        if not built.code or row.build not in built.text:
            raise QuestError(
                f"{row.tag}: docker build should fail with {row.build!r}: {built.text}"
            )
        return {"runs": False, "says": built.last}
    if built.code:
        raise QuestError(f"{row.tag}: docker build failed: {built.text}")
    said = container(image, row.run, folder)
    expected = row.says if row.fails is None else row.fails
    ended = said.code == row.code if row.code else (said.code == 0) == (row.fails is None)
    if not ended or expected not in said.text:
        raise QuestError(f"{row.tag}: expected {expected!r}: {said.code}, {said.text}")
    return {"image": size(image), "runs": not said.code, "says": said.last}


def answer(row: Row, folder: Path) -> dict[str, Any]:
    """What to type instead, and what it gives."""
    *before, pack = row.pack
    shell(before, folder)
    image = f"{NAME}:{row.tag}-ours"
    use = row.use
    if not use:
        words = [f"{pack} -t {image} --json", "docker load -qi hello.tar"]
    else:
        words = [f"{pack} --json", *use[:-1]]
    packed = json.loads(shell([f"{words[0]} 2>/dev/null"], folder).text)
    try:
        shell(words[1:], folder)
        said = shell(use[-1:], folder) if use else container(image, row.run, folder)
    finally:
        if use:
            say(["docker", "rm", "-f", "quest-server"], folder)
    if said.code or row.answer not in said.text:
        raise QuestError(f"{row.tag}: should say {row.answer!r}: {said.text}")
    name = packed["name"]
    return {
        "image": size(name.partition("@")[0]),
        "archive": packed["archive_bytes"],
        "runs": True,
        "says": said.last,
    }


def small() -> dict[str, Any]:
    """A dynamic hello world below the article's static one, and the programs' own sizes."""
    with tempfile.TemporaryDirectory(prefix="quest.") as made:
        folder = Path(made)
        shutil.copy(HERE / "programs/hello.c", folder)
        programs = {}
        for command in ("gcc", "gcc -static", "musl-gcc", "musl-gcc -static"):
            shell([f"{command} -o hello hello.c"], folder)
            programs[command] = (folder / "hello").stat().st_size
        shell(["gcc -o hello hello.c"], folder)
        image = f"{NAME}:small"
        archives = {}
        for options in ("", "--compression-level 12", "--compression zstd --compression-level 19"):
            pack = f"rootfs-builder pack ./hello -o hello.tar -t {image} -q {options}"
            shell([pack, "docker load -qi hello.tar"], folder)
            said = container(image, "IMAGE", folder)
            if said.text.strip() != HELLO:
                raise QuestError(f"{options}: {said.text}")
            archives[options] = (folder / "hello.tar").stat().st_size
    return {"programs": programs, "archives": archives}


def remove() -> None:
    """Remove the images that were made, the bases excepted."""
    command = ["docker", "image", "ls", "-q", "--no-trunc", NAME]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if found:
        subprocess.run(
            ["docker", "image", "rm", "-f", *set(found)], capture_output=True, check=False
        )
