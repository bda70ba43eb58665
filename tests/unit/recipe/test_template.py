"""What `init` writes: every key with a value that is valid as it is."""

import re

import pytest

from rootfs_builder.commands import packing, recipe_files
from rootfs_builder.commands.keys import keys
from rootfs_builder.recipe import keys as recipe_keys

VALUES = {"executables": ("./hello",), "output": "hello.tar"}
TEMPLATE = recipe_keys.template(VALUES, keys())
LINES = re.findall(r"(?m)^# ([a-z-]+ = .*?)  # ", TEMPLATE)
NEEDS = {"health": 'health-cmd = "hello"', "exercise": 'exercise = ["./hello"]'}
NEEDS |= {"seccomp": NEEDS["exercise"], "security": NEEDS["exercise"]}


def test_every_key_is_there():
    named = {line.partition(" = ")[0] for line in LINES}
    assert named == {key.name for key in keys()} - {"executables", "output"}


@pytest.mark.parametrize("line", LINES)
def test_each_line_is_valid_when_it_is_uncommented(tmp_path, line):
    text = TEMPLATE.replace(f"# {line}  # ", f"{line}  # ")
    assert text != TEMPLATE
    name = line.partition(" = ")[0]
    first = NEEDS.get(name.partition("-")[0], "")
    if first and not line.startswith(first.partition(" ")[0] + " "):
        text = f"{first}\n{text}"
    (tmp_path / "rootfs.toml").write_text(text)
    (found,) = recipe_files.found(str(tmp_path / "rootfs.toml"), str(tmp_path), (), keys())
    parameter = next(key.parameter for key in keys() if key.name == name)
    assert found.task.values[parameter] not in (None, (), False)
    packing.recipe(found.task.values, directory=str(tmp_path))
