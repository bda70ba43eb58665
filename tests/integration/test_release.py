"""The tool packed by itself: an image that packs, read-only and as nobody in particular."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.pages import CHECKOUT

pytestmark = pytest.mark.engines

READ_ONLY = ("run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL")


@pytest.fixture
def itself(docker, wheel, tmp_path):
    """The name of the image that the recipe makes."""
    folder = tmp_path / "recipe"
    shutil.copytree(CHECKOUT / "recipes/rootfs-builder", folder, ignore=lambda *_: ["venv"])
    name = f"itself-{os.getpid()}"
    subprocess.run(
        [sys.executable, "-m", "rootfs_builder", "build", "-q", "--set", f"tag={name}"],
        cwd=folder,
        env={**os.environ, "SOURCE": str(wheel), "PATH": "/usr/bin:/bin"},
        check=True,
    )
    docker("load", "-q", "-i", str(folder / "rootfs-builder.tar"))
    yield name
    docker.remove(name)


def test_the_image_of_the_tool_packs_a_program_that_then_runs(docker, itself, tmp_path):
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    (tmp_path / "out").chmod(0o777)
    source = '#include <stdio.h>\nint main(void) { puts("packed inside"); }\n'
    compiler = ["gcc", "-x", "c", "-", "-o", tmp_path / "in/hello"]
    subprocess.run(compiler, input=source, text=True, check=True)
    mounts = ("-v", f"{tmp_path}/in:/src:ro", "-v", f"{tmp_path}/out:/work")
    docker(
        *READ_ONLY, *mounts, itself, "pack", "/src/hello", "-o", "hello.tar", "-t", f"{itself}:1"
    )
    docker("load", "-q", "-i", str(tmp_path / "out/hello.tar"))
    said = docker(*READ_ONLY, f"{itself}:1").stdout
    docker.remove(f"{itself}:1")
    assert said == "packed inside\n"
    user = docker("image", "inspect", "-f", "{{.Config.User}}", itself).stdout
    assert user.strip() == "65532:65532"
