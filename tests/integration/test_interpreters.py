"""What pack says of an interpreter: a line a rule, and what is left out with the way to get it."""

from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "golden" / "python3"


def test_what_is_added_to_python3_is_said_in_a_line_a_rule(cli, tmp_path):
    done = cli("stage", "/usr/bin/python3", "-o", tmp_path / "root", check=True)
    said = done.stderr[done.stderr.index("added ") :]
    lines = [line.rpartition(" (")[0] if line[-1] == ")" else line for line in said.splitlines()]
    assert "\n".join(lines) + "\n" == GOLDEN.read_text()


def test_without_its_rule_an_interpreter_has_no_library(cli, tmp_path):
    words = ("stage", "/usr/bin/python3", "-o", tmp_path / "root", "--without", "python3")
    cli(*words, check=True)
    assert not list((tmp_path / "root").glob("usr/lib/python3*"))
    done = cli(*words[:3], tmp_path / "whole", check=True)
    (library,) = (tmp_path / "whole/usr/lib").glob("python3*")
    assert (library / "os.py").is_file()
    assert "added python3: " in done.stderr
    left_out = {"__pycache__", "test", "idlelib", "tkinter", "ensurepip", "pydoc_data", "lib2to3"}
    assert not left_out & {path.name for path in library.rglob("*")}
    assert not list(library.rglob("*.h")) + list(library.rglob("*.pyc"))
