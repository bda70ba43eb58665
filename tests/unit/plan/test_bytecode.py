"""Python takes the bytecode of an image, where it would take it at the source."""

import importlib.util
import io
import os
import py_compile
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.image import layers
from rootfs_builder.paths import ImagePath
from rootfs_builder.plan import Entry, bytecode, stage
from tests import trees

EPOCH = 1_234_567
LARGE = "x = [" + "".join(f"'{number}', " for number in range(20_000)) + "]\n"


def made(top, text="x = 1\n", time=1_700_000_000, mode=py_compile.PycInvalidationMode.TIMESTAMP):
    """A module in a folder `app` below `top`, and its bytecode."""
    source = top / "app/a.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(text)
    os.utime(source, (time, time))
    py_compile.compile(str(source), dfile="/app/a.py", doraise=True, invalidation_mode=mode)
    return source, Path(importlib.util.cache_from_source(str(source)))


def dated(top, *, epoch=EPOCH):
    """The plan of all files below `top`."""
    root = DirectoryRoot(str(top))
    paths = [ImagePath(f"/{one.relative_to(top)}") for one in top.rglob("*") if one.is_file()]
    entries = [Entry(path, "file", 0o644, (), root.open(path)) for path in paths]
    return bytecode.plan(trees.of_entries(entries), epoch)


def imported(folder):
    """What Python says about the bytecode of the module."""
    words = (sys.executable, "-B", "-v", "-c", "import a")
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        words, cwd=folder / "app", env=env, check=True, capture_output=True, text=True
    )
    return [line for line in done.stderr.splitlines() if "a.cpython" in line and "# " in line]


def taken(plan, folder):
    """Whether Python takes the bytecode, from the directory and from the layer of a plan."""
    folder.mkdir()
    (folder / "staged").mkdir()
    stage.write(plan, str(folder / "staged"), epoch=EPOCH)
    data = b"".join(unit.data for unit in layers.units(plan, epoch=EPOCH))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(folder / "layer", filter="tar")
    found = {
        any(" matches " in line for line in imported(folder / place))
        for place in ("staged", "layer")
    }
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize("text", ["x = 1\n", LARGE], ids=["small", "a unit of its own"])
def test_python_takes_it(tmp_path, text):
    made(tmp_path / "top", text)
    assert taken(dated(tmp_path / "top"), tmp_path / "out")


def test_the_time_of_the_installation_leaves_no_trace(tmp_path):
    plans = []
    for time in (1_700_000_000, 1_600_000_000):
        made(tmp_path / str(time), time=time)
        plans.append(dated(tmp_path / str(time)))
    first, second = ([read(one.content) for one in plan.entries if one.content] for plan in plans)
    assert first == second


def stale(top):
    source, _ = made(top)
    os.utime(source, (1_700_000_001, 1_700_000_001))


def of_another_size(top):
    source, _ = made(top)
    source.write_text("x = 10\n")
    os.utime(source, (1_700_000_000, 1_700_000_000))


def of_no_source(top):
    source, _ = made(top)
    source.unlink()


def no_bytecode(top):
    _, compiled = made(top)
    compiled.write_bytes(b"short")


@pytest.mark.parametrize("spoil", [stale, of_another_size, of_no_source, no_bytecode])
def test_what_python_would_not_take_stays_as_it_is(tmp_path, spoil):
    spoil(tmp_path / "top")
    compiled = next((tmp_path / "top").rglob("*.pyc"))
    (found,) = [one for one in dated(tmp_path / "top").entries if one.path.endswith(".pyc")]
    assert read(found.content) == compiled.read_bytes()


def test_bytecode_that_names_no_time_stays_as_it_is(tmp_path):
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    _, compiled = made(tmp_path / "top", mode=mode)
    (found,) = [one for one in dated(tmp_path / "top").entries if one.path.endswith(".pyc")]
    assert read(found.content) == compiled.read_bytes()


def test_a_file_that_changes_meanwhile_is_an_error(tmp_path):
    _, compiled = made(tmp_path / "top")
    plan = dated(tmp_path / "top")
    compiled.write_bytes(compiled.read_bytes() + b"x")
    (found,) = [one for one in plan.entries if one.path.endswith(".pyc")]
    with pytest.raises(Exception, match="changed"):
        read(found.content)
