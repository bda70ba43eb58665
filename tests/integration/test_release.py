"""The tool packed by itself: an image that packs, read-only and as nobody in particular."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pages import CHECKOUT

pytestmark = pytest.mark.engines

READ_ONLY = ("run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL")


@pytest.fixture
def itself(docker, rootfs_builder, wheel, tmp_path):
    """The name of the image that the recipe makes."""
    folder = tmp_path / "recipe"
    shutil.copytree(CHECKOUT / "recipes/rootfs-builder", folder, ignore=lambda *_: ["venv"])
    name = f"itself-{os.getpid()}"
    subprocess.run(
        [*rootfs_builder, "build", "-q", "--set", f"tag={name}"],
        cwd=folder,
        env={**os.environ, "SOURCE": str(wheel), "PATH": "/usr/bin:/bin"},
        check=True,
    )
    docker("load", "-q", "-i", str(folder / "rootfs-builder.tar"))
    yield name
    docker.remove(name)


def test_its_image_packs_a_program_as_the_tool_does(docker, rootfs_builder, itself, tmp_path):
    """The same libraries give the same digest, inside a container and outside."""
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    (tmp_path / "out").chmod(0o777)
    program = tmp_path / "in/hello"
    source = '#include <stdio.h>\nint main(void) { puts("hello"); }\n'
    subprocess.run(["gcc", "-x", "c", "-", "-o", program], input=source, text=True, check=True)
    mounts = ("-v", f"{program.parent}:/src:ro", "-v", f"{tmp_path}/out:/work")
    said = docker(*READ_ONLY, *mounts, itself, "pack", "/src/hello", "-o", "hello.tar", "--json")
    here = subprocess.run(
        [*rootfs_builder, "pack", program, "-o", tmp_path / "hello.tar", "--json"],
        capture_output=True,
        check=True,
    )
    inside, outside = json.loads(said.stdout), json.loads(here.stdout)
    assert inside["name"] == outside["name"]
    archive = (tmp_path / "out/hello.tar").read_bytes()
    assert archive[:0] == b"" and len(archive) == Path(tmp_path / "hello.tar").stat().st_size
    user = docker("image", "inspect", "-f", "{{.Config.User}}", itself).stdout.strip()
    assert user == "65532:65532"
