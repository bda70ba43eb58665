"""`init` asks on a terminal, and only there."""

import os
import pty
import subprocess
import sys

import pytest

TOOL = (sys.executable, "-m", "rootfs_builder")


def answered(folder, *words, answers):
    """The exit code, stdout, and what was asked on a terminal on which these lines are typed."""
    master, slave = pty.openpty()
    run = subprocess.Popen(
        [*TOOL, "init", *words], cwd=folder, stdin=slave, stdout=subprocess.PIPE, stderr=slave
    )
    os.close(slave)
    os.write(master, answers.encode())
    shown = b""
    try:
        while piece := os.read(master, 1 << 16):
            shown += piece
    except OSError:  # Linux says EIO at the end
        pass
    os.close(master)
    out, _ = run.communicate()
    return run.returncode, out.decode(), shown.decode()


def test_it_asks_for_what_a_recipe_most_often_has(tmp_path, cli, cc):
    cc("int main(void) { return 0; }")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").touch()
    answers = "\n./hello\nnobody:no:no\n1000\n8080 99999\n8080 53/udp\nsite:/srv/site\n"
    code, out, shown = answered(tmp_path, answers=answers)
    assert (code, out) == (0, "./rootfs.toml\n")
    assert shown.count("User that runs it") == shown.count("Ports that it listens on") == 2
    text = (tmp_path / "rootfs.toml").read_text()
    for line in ('user = "1000"', 'expose = ["8080", "53/udp"]', 'add = ["site:/srv/site"]'):
        assert f"\n{line}\n" in text
    assert "# user" not in text
    done = cli("build", "--json", check=True)
    assert '"output": "hello.tar"' in done.stdout


def test_enter_takes_what_is_usual(tmp_path):
    code, _, shown = answered(tmp_path, "./hello", "--", "-v", answers="\n\n\n")
    assert code == 0
    assert "Program" not in shown
    lines = (tmp_path / "rootfs.toml").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        'executables = ["./hello"]',
        'command = ["-v"]',
        'output = "hello.tar"',
    ]


@pytest.mark.parametrize(("typed", "code"), [("\x04", 130), ("./hello\n\x04", 130)], ids=ascii)
def test_nothing_is_written_where_somebody_goes_away(tmp_path, typed, code):
    assert answered(tmp_path, answers=typed)[0] == code
    assert not (tmp_path / "rootfs.toml").exists()


def test_a_recipe_that_is_there_stays_before_anything_is_asked(tmp_path):
    (tmp_path / "rootfs.toml").write_text("mine\n")
    code, _, shown = answered(tmp_path, answers="")
    assert code == 1
    assert "rootfs.toml: already exists" in shown
    assert "Program" not in shown


def test_a_pipe_is_not_asked(cli):
    done = cli("init", stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert done.stderr.startswith("rootfs-builder: EXECUTABLE: missing; name the compiled program")
    assert cli("init", "./hello", input="").stderr == ""
