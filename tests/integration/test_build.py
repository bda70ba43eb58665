"""The path of a new user: a program, a recipe for it, an image of that, loaded and run."""

import re

import pytest

from tests.integration import corpus
from tests.integration.programs import image

PROGRAM = '#include <stdio.h>\nint main(int argc, char **argv) { printf("hello, %s\\n", argv[1]); }'


@pytest.mark.engines
def test_init_build_load_run(cc, cli, docker, name, tmp_path):
    cc(PROGRAM, where=tmp_path)
    cli("init", "./hello", "--", "world", check=True)
    recipe = tmp_path / "rootfs.toml"
    written = recipe.read_text()
    recipe.write_text(re.sub(r'(?m)^# tag = ".*?"', f'tag = "{name}"', written, count=1))
    assert recipe.read_text() != written
    built = cli("build", check=True).stdout
    docker("load", "-i", tmp_path / "hello.tar")
    with image(docker, name):
        assert f"/{name}:latest@sha256:" in built
        for _ in range(corpus.SILENCE):  # a busy docker loses all that a container says
            if said := docker.run(name).stdout:
                break
        assert said == "hello, world\n"
