"""What is shown before anything is done: help, each with an example, and the shell's completion."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_builder.commands import VERBS
from tests.timing import of_children

HEAVY = ("msgspec", "elftools", "rich", "deflate", "zstandard", "tempfile", "subprocess")
BASH = """\
eval "$(rootfs-builder completion bash)"
COMP_WORDS=({words}) COMP_CWORD={at}
_rootfs_builder_completion rootfs-builder 2>&1
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_has_one_example(cli, verb):
    said = cli(verb, "--help", check=True).stdout
    assert len(re.findall(r"Example: .*rootfs-builder " + verb, said)) == 1


def test_every_option_of_pack_stands_in_a_group_of_few(cli):
    said = cli("pack", "--help", check=True).stdout
    assert len(said.splitlines()) <= 120, "three screens of forty lines"
    groups = dict(re.findall(r"(?ms)^(\w[\w ]*):\n(.*?)\n(?=\n|\Z)", said))
    wanted = ["Output", "Image config", "Files", "Ownership", "Libraries", "Rules"]
    assert [*groups] == [*wanted, "Exercise", "Build", "Diagnostics"]
    last = re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", groups["Diagnostics"])
    assert last == ["--json", "--schema", "--quiet", "--verbose", "--debug", "--help"]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "pack"])
def test_the_help_of_other_verbs_fits_two_screens(cli, verb):
    assert len(cli(verb, "--help", check=True).stdout.splitlines()) <= 80


def test_tree_takes_options_that_change_nothing_and_does_not_list_them(cli):
    assert "--owner" not in cli("tree", "--help", check=True).stdout
    cli("tree", shutil.which("env"), "--owner", "/usr/bin/env=1", check=True)


def test_help_and_version_may_be_typed_as_commands(cli):
    assert cli("help", check=True).stdout == cli("--help", check=True).stdout
    assert cli("help", "tree", check=True).stdout == cli("tree", "--help", check=True).stdout
    for words in (["version"], ["-V"]):
        assert cli(*words, check=True).stdout == cli("--version", check=True).stdout


def test_a_dry_run_writes_nothing_and_says_what_would_be_there(cli, tmp_path):
    program = shutil.which("cat")
    packed = cli("pack", program, "-o", "x.tar", "--json", check=True)
    (tmp_path / "x.tar").unlink()
    before = sorted(tmp_path.iterdir())
    done = cli("pack", program, "--dry-run", "--json", check=True)
    assert sorted(tmp_path.iterdir()) == before
    told, wanted = json.loads(done.stdout), json.loads(packed.stdout)
    assert told == {key: wanted[key] for key in ("platform", "files", "bytes", "findings")}
    assert done.stderr.startswith(f"would be packed for {told['platform']}: {told['files']} files")


def test_without_arguments_help_goes_to_stderr_and_the_exit_code_is_that_of_usage(cli):
    done = cli()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == cli("--help", check=True).stdout
    for what_to_do in ("rootfs-builder pack ./hello -o hello.tar ", "docker load -i hello.tar "):
        assert f"\n    {what_to_do}" in done.stderr


def test_help_takes_less_than_an_eighth_of_a_second(cli):
    """Of CPU time, which a busy machine does not stretch as it does the clock's."""
    assert min(of_children(lambda: cli("--help", check=True)) for _ in range(5)) < 0.12


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_imports_nothing_heavy(verb, tmp_path):
    words = [verb, "--help"] if verb else ["--help"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rootfs_builder", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert imported & set(HEAVY) == set()


def completed(tmp_path, *words):
    """What bash would offer for the last of the words."""
    shutil.copy(shutil.which("env"), tmp_path / "program")
    stub = tmp_path / "bin/rootfs-builder"
    stub.parent.mkdir()
    stub.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m rootfs_builder \"$@\"\n")
    stub.chmod(0o755)
    every = ("rootfs-builder", *words)
    script = BASH.format(words=" ".join(f"'{word}'" for word in every), at=len(words))
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": f"{stub.parent}:/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parent.parent),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["pa"], {"pack"}),
        (["pack", "--outp"], {"--output"}),
        (["pack", "./hello", "--hwcaps", "b"], {"baseline"}),
        (["completion", "f"], {"fish"}),
    ],
    ids=str,
)
def test_bash_completes_verbs_options_and_choices(tmp_path, words, offered):
    assert set(completed(tmp_path, *words).split()) == offered


@pytest.mark.parametrize(
    "words", [["pack", "./h"], ["pack", "./hello", "-o", ""], ["pack", "./hello", "--", "--p"]]
)
def test_bash_completes_paths_itself_also_behind_the_dashes(tmp_path, words):
    # compopt complains where no completion runs: that it is reached is what this shows
    assert "compopt" in completed(tmp_path, *words)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_accept_their_scripts(cli, shell):
    script = cli("completion", shell, check=True).stdout
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    "check", [["groff", "-man", "-ww", "-Tutf8", "-z"], ["mandoc", "-T", "lint", "-W", "warning"]]
)
def test_the_man_page_has_every_verb_and_no_warning(check):
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "scripts/man"],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.findall(r"(?m)^\.SS (\w+)", done.stdout) == list(VERBS)
    if shutil.which(check[0]) is None:
        pytest.skip(f"no {check[0]}")
    said = subprocess.run(check, input=done.stdout, capture_output=True, text=True, check=False)
    assert said.stdout + said.stderr == ""


def test_a_module_in_the_users_directory_is_none_of_pythons(tmp_path):
    (tmp_path / "signal.py").write_text("raise SystemExit('of the user')")
    command = [sys.executable, "-m", "rootfs_builder", "tree", "/bin/true"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
