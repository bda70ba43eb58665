"""scripts/prepare: while pip replaces the package nobody can run it, so that happens once."""

import subprocess
from pathlib import Path

import pytest

PREPARE = Path(__file__).parents[2] / "scripts/prepare"
PYTHON = """\
#!/bin/sh
case $* in *install*) echo "$*" >> asked ;; esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with a .venv whose Python writes down what pip is asked to install."""
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return tmp_path


def installs(checkout, *extras):
    """How often scripts that need these extras, one after the other, install the package."""
    for extra in extras:
        command = f'. {PREPARE}; make_venv "{extra}"'
        subprocess.run(["sh", "-euc", command], cwd=checkout, check=True, capture_output=True)
    return len((checkout / "asked").read_text().splitlines())


@pytest.mark.parametrize(
    ("extras", "expected"),
    [(("test", ""), 1), (("test", "test"), 1), (("", "test"), 2), (("", "test", "", "test"), 2)],
)
def test_what_is_installed_is_left_alone(checkout, extras, expected):
    assert installs(checkout, *extras) == expected


def test_another_pyproject_is_installed(checkout):
    installs(checkout, "test")
    (checkout / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert installs(checkout, "", "test") == 3
