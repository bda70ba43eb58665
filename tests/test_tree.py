"""`tree`: the linker's `objdump` and the files themselves are the oracle."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

ENTRY = re.compile(r"(\S+) \((/\S+), ")


@pytest.fixture
def linked(cc, tmp_path):
    """`prog`, which loads liba.so, that libb.so, and all of them libc."""
    body = "int {0}(void) {{ return 0; }}"
    cc(body.format("b"), name="libb.so", args=["-shared", "-fPIC"])
    here = ("-L.", f"-L{tmp_path}", "-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed")
    cc(body.format("a"), name="liba.so", args=["-shared", "-fPIC", *here, "-lb"])
    cc(body.format("main"), name="prog", args=[*here, "-la", "-lb"])
    return tmp_path


def said(cli, *words):
    return cli("tree", "prog", *words, check=True).stdout.splitlines()


@pytest.mark.usefixtures("linked")
def test_every_object_has_one_line_and_repeated_ones_none(cli):
    lines = said(cli)
    (facts,) = json.loads("\n".join(said(cli, "--json")))["executables"]
    loaded = [one["name"] for one in facts["link_maps"][0]["objects"][1:]]
    named = [ENTRY.search(line)[1] for line in lines[1:]]
    assert sorted(named) == sorted(one for one in loaded if "ld-linux" not in one)
    (first,) = (line for line in lines if "liba.so (" in line)
    assert first.endswith("; needs libb.so, libc.so.6 (already loaded)")
    assert not [line for line in lines if line.lstrip("│├└─ ").endswith("so (already loaded)")]


def test_sizes_are_those_of_the_files(cli, linked):
    from rootfs_builder.views.summary import size

    lines = said(cli)
    (libb,) = (line for line in lines if "libb.so (" in line)
    assert f", {size((linked / 'libb.so').stat().st_size)}" in libb
    paths = [linked / "prog", *(ENTRY.search(line)[2] for line in lines[1:])]
    whole = sum(os.stat(path).st_size for path in paths)
    assert f", {size(whole)} with {len(lines) - 1} below" in lines[0]


def test_depth_ends_the_tree_and_tells_what_is_below(cli, cc, tmp_path):
    here = (f"-L{tmp_path}", "-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed")
    for name, needs in (("c", ()), ("b", ("-lc_",)), ("a", ("-lb_",))):
        body = f"int {name}(void) {{ return 0; }}"
        cc(body, name=f"lib{name}_.so", args=["-shared", "-fPIC", *here, *needs])
    cc("int main(void) { return 0; }", name="prog", args=[*here, "-la_"])
    names = [ENTRY.search(line)[1] for line in said(cli)[1:]]
    assert {"liba_.so", "libb_.so", "libc_.so"} <= set(names)
    lines = said(cli, "--depth", "1")
    assert not [line for line in lines if "libb_.so (" in line or line.startswith(("│", " "))]
    (first,) = (line for line in lines if "liba_.so (" in line)
    assert " with 2 more;" in first
    assert cli("tree", "prog", "--depth", "0").returncode == 2


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_on_a_terminal_no_word_is_broken(cli, linked, columns):
    whole = " ".join(said(cli)).split()
    master, slave = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "rootfs_builder", "tree", "prog"],
        cwd=linked,
        env={**os.environ, "COLUMNS": columns},
        stdout=slave,
    )
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 1 << 16):
            shown += piece
    except OSError:  # Linux says EIO at the end
        pass
    assert done.wait() == 0
    os.close(master)
    words = shown.decode().split()
    assert [one for one in words if one not in "│├─└─"] == [
        one for one in whole if one not in "│├─└─"
    ]
