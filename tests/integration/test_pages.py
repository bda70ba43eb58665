"""What the documentation says to do with engines and on a bare machine; its picture and sizes."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import pages
from tests.integration.engines import Tool
from tests.pages import CHECKOUT, PAGES

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("pages")]  # images are called "hello"

PLACES = {"", "engines", "debian"}
ALL = [page for page in PAGES if any(one.where in PLACES - {""} for one in pages.blocks(page))]
IMAGE = re.compile(r"(?:Loaded image: |Successfully tagged )(\S+)")
# Tests have no registry, and their dockerd no bridge: the base is what was made of Debian's
# packages, and the network the machine's.
DOCKER = """\
[ "$1" = build ] || exec {docker} "$@"
shift
sed 's/^FROM debian:13 /FROM {debian} /' Dockerfile >Dockerfile.tests
DOCKER_BUILDKIT=0 exec {docker} build --network host --label {debian} -f Dockerfile.tests "$@"
"""
VARIABLES = {
    # As if `make PUBLISH=…` were typed: for the same reason, a published port would lead nowhere.
    "MAKEFLAGS": " -- PUBLISH=--network\\ host",
    # What compilers keep in the home of who runs the tests.
    "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
    "GOCACHE": os.environ.get("GOCACHE", str(Path.home() / ".cache/go-build")),
}
MINUTE = 60
ALL_CASES = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))
WITHOUT_A_BASE = ("go-scratch", "static-scratch", "musl-scratch", "workdir", "no-libc", "ldd-dns")


@pytest.fixture
def reader(docker, debian, bare, tmp_path):
    """A reader whose `docker build` works here, and of whose images nothing stays."""
    one = pages.Reader(tmp_path, container=bare, variables=VARIABLES)
    one.tool("docker", DOCKER.format(docker=shutil.which("docker"), debian=debian))
    yield one
    for image in set(IMAGE.findall("".join(one.said))):
        for container in docker("ps", "-aq", "--filter", f"ancestor={image}").stdout.split():
            docker("rm", "--force", container)
        docker("image", "rm", "--force", image, check=False)
        subprocess.run(["podman", "image", "rm", "-f", image], capture_output=True, check=False)
    docker("image", "prune", "--force", "--filter", f"label={debian}")


@pytest.mark.parametrize("page", ALL, ids=str)
def test_the_commands_of_a_page_run_with_engines(page, reader, wheel):
    """README and the page on installing speak of a checkout, a recipe of its own folder."""
    folder = CHECKOUT / page.parent
    if page.parts[0] == "recipes":
        inside = "recipes" if len(page.parts) == len(("recipes", "README.md")) else ""
        shutil.copytree(folder, reader.folder / inside, dirs_exist_ok=True)
    elif str(page) in ("README.md", "docs/install.md"):
        checkout(reader.folder)
    elif str(page) == "docs/build.md":
        shutil.copy(wheel, reader.folder)
    reader.follow(page, PLACES)


def checkout(folder):
    """Put what a checkout has into a folder."""
    for name in ("rootfs_builder", "scripts"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / name, folder / name, ignore=ignored)
    for name in ("README.md", "LICENSE", "pyproject.toml", "hatch_build.py"):
        shutil.copy(CHECKOUT / name, folder)


def check(*words):
    done = subprocess.run(
        [sys.executable, CHECKOUT / "scripts" / words[0], "--check", "--engines", *words[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_picture_shows_what_happens():
    check("picture")


@pytest.mark.xdist_group("article")  # it has a dockerd of its own
def test_the_articles_rows_are_what_happens():
    """A usual run takes those without a base; ROOTFS_BUILDER_ALL_CASES=1 takes all."""
    check("article", *(() if ALL_CASES else WITHOUT_A_BASE))


def test_a_new_user_runs_a_packed_program_within_a_minute(docker, tmp_path):
    """From a checkout to a running container, with nothing in the home and no cache."""
    Tool("pipx")
    folder, home = tmp_path / "checkout", tmp_path / "home"
    home.mkdir()
    folder.mkdir()
    checkout(folder)
    env = {"HOME": str(home), "PATH": f"{home}/.local/bin:/usr/local/bin:/usr/bin:/bin"}

    def type_(command, **options):
        return subprocess.run(
            ["sh", "-c", command], cwd=folder, env=env, check=True, capture_output=True, **options
        ).stdout

    began = time.monotonic()
    type_("pipx install .")
    type_("rootfs-builder pack /usr/bin/jq -o jq.tar")
    loaded = type_("docker load -q -i jq.tar").decode()
    for _ in range(3):  # a busy dockerd now and then loses all that a short container says
        said = type_("docker run --rm -i jq .works", input=b'{"works": 1}')
        if said:
            break
    took = time.monotonic() - began
    docker.remove(IMAGE.search(loaded)[1])
    assert said == b"1\n"
    busy = max(1, os.getloadavg()[0] / os.cpu_count())  # others want the machine, too
    assert took < MINUTE * busy
