"""The `#!` line, with env(1) as it really reads its one argument."""

import subprocess

import pytest

from rootfs_builder.loader.executable import Script

SPLIT = {
    "bash": "bash",
    "-S bash": "bash",
    "-Sbash -e": "bash",
    '-S"bash" -e': "bash",
    "--split-string=bash -e": "bash",
    "-S -u HOME bash -e": "bash",
    "-S -C / bash -e": "bash",
    "-S A=1 B=2 bash": "bash",
    "-iS bash": "bash",
    "-S -i bash": "bash",
    "bash -e": "bash -e",
    "-S": None,
    "-i": None,
    "": None,
    "-S 'not closed": None,
}


@pytest.mark.parametrize("argument", SPLIT)
def test_what_env_looks_up(argument):
    assert Script("/usr/bin/env", argument).looked_up == SPLIT[argument]


def test_another_interpreter_looks_nothing_up():
    assert Script("/bin/sh", "-e").looked_up is None


@pytest.mark.parametrize("argument", [one for one in SPLIT if SPLIT[one] == "bash"])
def test_env_itself_agrees(argument, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!/usr/bin/env {argument}\n" + 'echo "${BASH_VERSION:+bash}"\n')
    script.chmod(0o755)
    done = subprocess.run([script], capture_output=True, text=True, check=False)
    assert done.stdout == "bash\n", done.stderr
