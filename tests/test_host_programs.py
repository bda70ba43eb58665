"""`tree --json` against the real loader, over the programs in /usr/bin and /usr/sbin.

A usual run takes a sample of them; ROOTFS_BUILDER_ALL_CASES=1 takes all.
"""

import json
import os
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))
SAMPLE = 40
TOLERATED = 5  # disagreements, each printed


def programs():
    """ELF programs, by their resolved paths."""
    found = set()
    for folder in ("/usr/bin", "/usr/sbin"):
        for path in Path(folder).iterdir():
            if path.is_file() and os.access(path, os.X_OK):
                real = path.resolve()
                with real.open("rb") as file:
                    if file.read(4) == b"\x7fELF":
                        found.add(str(real))
    each = sorted(found)
    return each if ALL else sorted(random.Random(1).sample(each, min(SAMPLE, len(each))))


def interpreter(path):
    """PT_INTERP as the program spells it, by binutils; None for a static program."""
    said = subprocess.run(
        ["readelf", "-lW", path], capture_output=True, text=True, check=True
    ).stdout
    match = re.search(r"Requesting program interpreter: (.*)\]", said)
    return match[1] if match else None


def loaded(path):
    """The real files that the real loader maps for a program; None where it finds no library."""
    loader = interpreter(path)
    if loader is None:
        return {path}
    if "musl" in loader:
        said = subprocess.run([loader, "--list", path], capture_output=True, text=True, check=False)
    else:
        said = subprocess.run(
            [loader, path],
            env={"LD_TRACE_LOADED_OBJECTS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if "not found" in said.stdout or said.returncode:
        return None
    files = re.findall(r"(?:=> |^\t)(/\S+) \(0x", said.stdout, re.MULTILINE)
    return {os.path.realpath(file) for file in (path, loader, *files)}


@pytest.mark.long
def test_tree_names_the_files_that_the_loader_maps(cli, capsys):
    paths = programs()
    with ThreadPoolExecutor(2) as pool:
        expected = dict(zip(paths, pool.map(loaded, paths), strict=True))
    complete = [path for path in paths if expected[path] is not None]
    answer = json.loads(cli("tree", "--json", *complete, check=True).stdout)
    ours = {
        one["path"]: {o["real"] for m in one["link_maps"] if not m["calls"] for o in m["objects"]}
        for one in answer["executables"]
    }
    differing = {
        path: ours[path] ^ expected[path] for path in complete if ours[path] != expected[path]
    }
    broken = [path for path in paths if expected[path] is None]
    with capsys.disabled():
        print(
            f"\ntree agrees with ld.so on {len(complete) - len(differing)}/{len(complete)} programs"
        )
        for path, files in differing.items():
            print(f"  {path}: {sorted(files)}")
    for path in broken:  # where the real loader gives up, so do we
        assert cli("tree", "--json", path).returncode == 3, path
    assert len(differing) <= TOLERATED
