"""What a terminal shows of twelve commands: tmux at 80 and 120 columns, with and without colours.

Each file in golden/terminal is one capture, colours as escape sequences, without the times, sizes
and digests that differ from machine to machine. `UPDATE_GOLDEN=1 pytest --engines
tests/test_captures.py` writes them, to be looked at: `cat` shows one.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden/terminal"
WIDTHS = (80, 120)
HEIGHT = 100
COMMANDS = {
    "pack-curl": "pack /usr/bin/curl -o curl.tar",
    "pack": "pack ./hello -o new.tar",
    "pack-verbose": "pack ./hello -o new.tar -v",
    "pack-warning": "pack ./suid -o suid.tar --add site:/srv/site",
    "pack-mistake": "pack ./helo -o x.tar --entripoint hello",
    "pack-library-missing": "pack ./uses -o x.tar",
    "tree": "tree /usr/bin/env --depth 1",
    "why": "why ./hello libc.so.6",
    "inspect": "inspect hello.tar",
    "verify": "verify hello.tar",
    "diff": "diff hello.tar site.tar",
    "check": "check site.tar --policy policy.toml",
}
LONGEST = 8  # lines of `pack curl`
POLICY = 'non-root = true\nmax-size = "1kB"\n'
pytestmark = pytest.mark.engines


class Terminal:
    """A tmux of its own, in which commands run one by one."""

    def __init__(self, folder):
        self.folder = folder
        settings = folder / "tmux.conf"  # what was shown stays when the command has ended
        # Nor may its server end with a session, while the next one is asked for.
        settings.write_text(
            'set -g remain-on-exit on\nset -g remain-on-exit-format ""\nset -g exit-empty off\n'
        )
        self.tmux = ("tmux", "-L", f"captures-{os.getpid()}", "-f", str(settings))

    def run(self, *words):
        command = [*self.tmux, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def show(self, line, *, width, colour):
        """The lines on the screen after a command; and whether tmux had to break one."""
        setting = f"-u COLUMNS -u LINES {'FORCE_COLOR' if colour else 'NO_COLOR'}=1"
        inside = f"cd '{self.folder}' && env {setting} '{sys.executable}' -m rootfs_builder {line}"
        self.run(
            *("new-session", "-d", "-s", "one", "-x", str(width), "-y", str(HEIGHT)),
            inside,
        )
        try:
            deadline = time.monotonic() + 120
            while self.run("display", "-p", "-t", "one", "#{pane_dead}").strip() != "1":
                assert time.monotonic() < deadline
                time.sleep(0.1)
            capture = ("capture-pane", "-p", "-t", "one", *(["-e"] if colour else []))
            lines, before = self.run(*capture), None
            while lines != before:  # what the command said last may still be on its way
                time.sleep(0.3)
                lines, before = self.run(*capture), lines
            joined = self.run("capture-pane", "-p", "-J", "-t", "one")
        finally:
            self.run("kill-session", "-t", "one")
        here = str(self.folder)
        return stripped(lines.replace(here, "/folder")), stripped(joined)


def stripped(text):
    return [line.rstrip() for line in text.rstrip("\n").split("\n")]


def usual(lines):
    """The lines without what differs from machine to machine, each as long as before."""
    text = "\n".join(lines)
    text = re.sub(r"\d+\.\d(?= s\b)", "0.0", text)
    text = re.sub(r"[\d,.]*\d(?= (?:[kMG]?B|bytes)\b)", zeros, text)
    text = re.sub(r"\b\d+(?:,\d{3})+\b|\d+(?=  /)", zeros, text)
    text = re.sub(r"(?<=libc6 )\d\S+|(?<=rootfs-builder )\d+\.\d+\S*", "…", text)
    return re.sub(r"(?<=sha256:)[0-9a-f]+|\b[0-9a-f]{12,64}\b", "…", text) + "\n"


def zeros(found):
    return re.sub(r"\d", "0", found[0])


@pytest.fixture(scope="module")
def terminal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captures")
    (folder / "site").mkdir()
    (folder / "site/index.html").write_text("hello\n")
    (folder / "policy.toml").write_text(POLICY)
    for name, source, arguments in (
        ("hello", "int main(void) { return 0; }", []),
        ("libgreet.so", "int greet(void) { return 0; }", ["-shared", "-Wl,-soname,libgreet.so"]),
        ("uses", "int greet(void); int main(void) { return greet(); }", ["libgreet.so"]),
    ):
        command = ["gcc", "-x", "c", "-", "-x", "none", "-o", name, *arguments]
        subprocess.run(command, cwd=folder, input=source, text=True, check=True)
    (folder / "libgreet.so").unlink()
    shutil.copy(folder / "hello", folder / "suid")
    (folder / "suid").chmod(0o4755)
    tool = [sys.executable, "-m", "rootfs_builder", "pack", "hello", "-t", "hello"]
    subprocess.run([*tool, "-o", "hello.tar"], cwd=folder, check=True, capture_output=True)
    more = ["--add", "site:/srv/site", "-o", "site.tar"]
    subprocess.run([*tool, *more], cwd=folder, check=True, capture_output=True)
    terminal = Terminal(folder)
    yield terminal
    terminal.run("kill-server")


@pytest.mark.parametrize("colour", [False, True], ids=["plain", "colour"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_screen_is_as_it_was_looked_at(terminal, name, width, colour):
    lines, joined = terminal.show(COMMANDS[name], width=width, colour=colour)
    for line in joined:  # a word alone that is wider than the screen is broken by any terminal
        assert len(line) <= width or " " not in line
    if name == "pack-curl":
        assert len(joined) <= LONGEST
    assert bool(re.search(r"\x1b\[[\d;]*m", "\n".join(lines))) == (colour and has_colour(lines))
    golden = GOLDEN / f"{name}.{width}.{'colour' if colour else 'plain'}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(usual(lines))
    assert usual(lines) == golden.read_text()


def has_colour(lines):
    """Whether there is anything that colours are for."""
    marks = ("rootfs-builder: ", "warning: ", "hint: ", "next: ")
    plain = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(lines))
    return any(line.startswith(marks) for line in plain.split("\n"))


@pytest.mark.parametrize("name", COMMANDS)
def test_in_a_pipe_every_line_is_whole(terminal, name):
    """It does not depend on how wide a terminal is."""
    command = f"'{sys.executable}' -m rootfs_builder {COMMANDS[name]} 2>&1 | cat"
    seen = [
        subprocess.run(
            ["sh", "-c", command],
            cwd=terminal.folder,
            env={**os.environ, "COLUMNS": columns},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for columns in ("60", "200")
    ]
    assert len({usual(one.splitlines()) for one in seen}) == 1
    assert "\x1b" not in seen[0]
