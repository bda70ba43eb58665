"""The README's examples, run in a fresh folder as a reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

VERBS = ("pack", "stage", "tree", "why", "rules", "inspect", "verify")
README = Path(__file__).parent.parent / "README.md"


def blocks(language):
    """The code blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


def run(script, folder):
    """Run a block with the console script of this Python first in PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "PODMAN_IGNORE_CGROUPSV1_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_commands(tmp_path):
    found = blocks("sh")
    assert found
    said = "".join(run(block, tmp_path) for block in found)
    assert "docker.io/library/hello:latest@sha256:" in said
    assert "registry.example/team/hello:1.0@sha256:" in said


def test_the_makefile(tmp_path):
    run(blocks("sh")[0], tmp_path)
    before = (tmp_path / "hello.tar").read_bytes()
    (tmp_path / "hello.tar").unlink()
    (tmp_path / "Makefile").write_text(blocks("make")[0])
    run("make hello.tar", tmp_path)
    assert (tmp_path / "hello.tar").read_bytes() == before
    assert "up to date" in run("make hello.tar", tmp_path)


@pytest.mark.engines
def test_the_engines(tmp_path):
    run(blocks("sh")[0], tmp_path)
    (block,) = blocks("sh engines")
    for _ in range(3):  # a busy dockerd 26 now and then loses all that a short container says
        if "hello, world" in run(block, tmp_path):
            return
    pytest.fail("the container says nothing")


def test_every_option_that_is_named_exists(cli):
    """An option in the text is one that some verb takes."""
    helps = "".join(cli(verb, "--help").stdout for verb in VERBS)
    text = re.sub(
        r"scripts/\S+.*|pip\S* .*|docker run.*|podman .*|cc .*|#.*", "", README.read_text()
    )
    for option in set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text)) - {"--engines", "--from"}:
        assert option in helps, option
