"""What a terminal shows: lines wrapped between words, and colours where they are wanted."""

import os
import pty
import re
import subprocess
import sys

import pytest

from rootfs_builder.commands import terminal

TOOL = (sys.executable, "-m", "rootfs_builder")
ESCAPE = re.compile(r"\x1b\[[\d;]*m")
ASKS = '#include <netdb.h>\nint main(void) { return !gethostbyname("x"); }'
RIGHT = ("pack", "./asks", "-o", "x.tar")
WRONG = ("pack", "no/where", "-o", "x.tar")


def environment(**more):
    kept = {name: one for name, one in os.environ.items() if "COLOR" not in name}
    return {**kept, "TERM": "xterm", **more}


def on_a_terminal(*words, folder, **more):
    """What a run writes on a terminal, escape sequences included."""
    master, slave = pty.openpty()
    run = subprocess.Popen(
        [*TOOL, *words],
        cwd=folder,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=slave,
    )
    os.close(slave)
    said = b""
    try:
        while piece := os.read(master, 1 << 16):
            said += piece
    except OSError:  # Linux says EIO at the end
        pass
    run.wait()
    os.close(master)
    return said.decode().replace("\r\n", "\n")


def in_a_pipe(*words, folder, **more):
    return subprocess.run(
        [*TOOL, *words],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    ).stderr


def unwrapped(said):
    return re.sub(r" in [\d.]+ s\b", "", " ".join(said.split()))


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("words", [RIGHT, WRONG], ids=" ".join)
def test_lines_are_wrapped_between_words(tmp_path, columns, words, cc):
    cc(ASKS, name="asks")
    shown = on_a_terminal(*words, folder=tmp_path, COLUMNS=str(columns))
    said = ESCAPE.sub("", shown)
    for line in said.splitlines():
        assert len(line) <= columns or " " not in line.strip(), line
    piped = in_a_pipe(*words, folder=tmp_path)
    assert unwrapped(said) == unwrapped(piped)
    assert len(piped.splitlines()) <= len(said.splitlines())


def test_there_are_colours_on_a_terminal_and_where_they_are_asked_for(tmp_path):
    assert ESCAPE.search(on_a_terminal(*WRONG, folder=tmp_path))
    assert not ESCAPE.search(on_a_terminal(*WRONG, folder=tmp_path, NO_COLOR="1"))
    assert not ESCAPE.search(in_a_pipe(*WRONG, folder=tmp_path))
    assert ESCAPE.search(in_a_pipe(*WRONG, folder=tmp_path, FORCE_COLOR="1"))


def test_the_summary_is_at_most_six_lines(tmp_path, cc):
    program = cc('#include <netdb.h>\nint main(void) { return !gethostbyname("x"); }', name="n")
    said = ESCAPE.sub("", on_a_terminal("pack", str(program), "-o", "x.tar", folder=tmp_path))
    assert len(said.splitlines()) <= 6


SLOWLY = """\
import time
from rootfs_builder.filesystem.directory import Directory
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.image.limits import Meter

left = iter(range(100))  # some machines have thousands of package lists

def slow(owner, name):
    quick = getattr(owner, name)
    def called(self, *told):
        time.sleep(0.04 if next(left, None) is not None else 0)
        return quick(self, *told)
    setattr(owner, name, called)

for owner, name in ((Directory, "lstat"), (DirectoryRoot, "lstat"), (Meter, "count")):
    slow(owner, name)
"""


@pytest.fixture
def slowly(tmp_path, cc):
    """The variable for a process in which each look at a file takes its time."""
    cc(ASKS, name="asks")
    (tmp_path / "sitecustomize.py").write_text(SLOWLY)
    return {"PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize("words", [("tree", "./asks"), pytest.param(RIGHT, marks=pytest.mark.long)])
def test_a_spinner_counts_after_a_second_of_silence(tmp_path, slowly, words):
    shown = on_a_terminal(*words, folder=tmp_path, **slowly)
    counts = [int(one) for one in re.findall(r"reading: (\d+) files", shown)]
    assert counts == sorted(counts)
    assert len(set(counts)) > 1
    after = shown.rpartition("reading: ")[2].partition(" files")[2]
    assert after.startswith("\n\x1b[?25h\r\x1b[1A\x1b[2K")  # the line is cleared


@pytest.mark.long
def test_there_is_no_spinner_in_a_pipe_nor_where_it_is_to_be_quiet(tmp_path, slowly):
    assert on_a_terminal(*RIGHT, "--no-cache", "-q", folder=tmp_path, **slowly) == ""
    assert "reading: " not in in_a_pipe(*RIGHT, folder=tmp_path, **slowly)


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        "inspect x.tar",
        "why x.tar /etc",
        "report x.tar -o x.html",
        "run x.tar",
        *("verify x.tar", "verify x"),
        *("diff x.tar old", "diff x old"),
        *("check x.tar --policy no.toml", "check x --policy no.toml"),
    ],
)
def test_a_verb_that_reads_an_image_counts_what_it_reads(tmp_path, cc, words):
    cc("int main(void) { return 0; }", name="asks")
    in_a_pipe(*RIGHT, folder=tmp_path)
    in_a_pipe("stage", "./asks", "-o", "x", folder=tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "no.toml").write_text("no-shell = true\n")
    (tmp_path / "sitecustomize.py").write_text(SLOWLY)
    shown = on_a_terminal(*words.split(), folder=tmp_path, PYTHONPATH=str(tmp_path))
    counts = [int(one) for one in re.findall(r"reading: (\d+) files", shown)]
    assert counts == sorted(counts)
    assert len(set(counts)) > 1, shown


def test_flags_are_bold_in_every_line_of_an_error(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal.say(("rootfs-builder: two are missing", "  try --library-path DIR", "/a --b"))
    said = capsys.readouterr().err
    assert "  try \x1b[1m--library-path\x1b[0m DIR\n" in said
    assert said.endswith("/a --b\n")
