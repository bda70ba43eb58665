"""What pack says of an interpreter: a line a rule, and what is left out with the way to get it."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.integration.programs import image

GOLDEN = Path(__file__).parent.parent / "golden" / "python3"


def test_what_is_added_to_python3_is_said_in_a_line_a_rule(cli, tmp_path):
    done = cli("stage", "/usr/bin/python3", "-o", tmp_path / "root", "-v", check=True)
    said = done.stderr[done.stderr.index("\nadded ") + 1 :]
    lines = [line.rpartition(" (")[0] if line[-1] == ")" else line for line in said.splitlines()]
    assert "\n".join(lines) + "\n" == GOLDEN.read_text()


def test_without_its_rule_an_interpreter_has_no_library(cli, tmp_path):
    words = ("stage", "/usr/bin/python3", "-o", tmp_path / "root", "--without", "python3")
    cli(*words, check=True)
    assert not list((tmp_path / "root").glob("usr/lib/python3*"))
    done = cli(*words[:3], tmp_path / "whole", check=True)
    (library,) = (tmp_path / "whole/usr/lib").glob("python3*")
    assert (library / "os.py").is_file()
    assert " python3," in done.stderr
    left_out = {"__pycache__", "test", "idlelib", "tkinter", "ensurepip", "pydoc_data", "lib2to3"}
    assert not left_out & {path.name for path in library.rglob("*")}
    assert not list(library.rglob("*.h")) + list(library.rglob("*.pyc"))


@pytest.fixture
def own_python():
    """A Python that lies below /opt with its library: the one that runs these tests, copied."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix)
    with tempfile.TemporaryDirectory(prefix="python-", dir="/opt") as folder:
        top = Path(folder)
        top.chmod(0o755)
        left_out = shutil.ignore_patterns("__pycache__", "site-packages", "dist-packages", "test")
        shutil.copytree(base / "lib" / version, top / "lib" / version, ignore=left_out)
        for library in (base / "lib").glob("libpython*.so*"):
            shutil.copy(library, top / "lib")
        (top / "bin").mkdir()
        yield Path(shutil.copy(os.path.realpath(base / "bin" / version), top / "bin" / "py"))


@pytest.mark.engines
def test_a_python_in_opt_is_packed_with_its_own_library(cli, docker, name, own_python, tmp_path):
    tar = tmp_path / "image.tar"
    cli("pack", own_python, "-o", tar, "-t", name, "-u", "1000", check=True)
    with image(docker, docker.load(tar)) as loaded:
        done = docker.run(loaded, "-c", "import ctypes, json, ssl, sys; print(ssl.__file__)")
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        assert done.stdout == f"{own_python.parent.parent}/lib/{version}/ssl.py\n", done.stderr
