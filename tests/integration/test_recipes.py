"""Every folder of recipes/ does what its README promises, copied to a place of the user's own."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration import corpus
from tests.integration.corpus import Run
from tests.integration.programs import image

FOLDER = Path(__file__).parent.parent.parent / "recipes"


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a recipe must do. Its daemon listens at a port that no other test has."""

    run: tuple[Run, ...]
    says: str | None = None  # a regex, searched in what `make run` says; a daemon has none
    system: tuple[str, ...] = ()  # what of the system is packed
    port: tuple[str, str, int] | None = None  # (file, what stands in it, the port for it)


USES = {
    "bash-script": Use(
        run=(
            Run(stdin="to be, or not to be\n", output="2 be\n2 to\n1 not\n1 or\n"),
            Run(arguments=("1",), stdin="b a b\n", output="2 b\n"),
        ),
        says="",
        system=("/usr/bin/sort",),
    ),
    "c-static-glibc": Use(run=(Run(stdin="a\nb\n", output="2 lines\n"),), says="(?m)^0 lines$"),
    "c-static-musl": Use(run=(Run(stdin="a\nb\n", output="2 lines\n"),), says="(?m)^0 lines$"),
    "c-zlib": Use(
        run=(Run(arguments=("123456789",), output="123456789: cbf43926\n"),),
        says="(?m)^hello: 3610a686$",
    ),
    "cpp": Use(
        run=(
            Run(arguments=("1", "2", "3"), output="sum: 6\n"),
            Run(arguments=("one",), exit=1, matches="not a number"),
        ),
        says="(?m)^sum: 0$",
    ),
    "curl": Use(
        run=(
            Run(arguments=("--version",), matches="^curl [0-9]"),
            Run(
                arguments=("-sS", "file:///etc/ssl/certs/ca-certificates.crt"),
                matches="BEGIN CERTIFICATE",
            ),
        ),
        says=r"(?m)^curl [0-9]",
        system=("/usr/bin/curl",),
    ),
    "go-http": Use(
        run=(
            Run(
                daemon=True,
                arguments=("-listen", "127.0.0.1:18140"),
                ready=18140,
                client=("curl", "-sS", "http://127.0.0.1:18140/you"),
                client_output="hello from /you\n",
                stop=0,
            ),
        ),
    ),
    "nginx": Use(
        port=("nginx.conf", "8080", 18141),
        run=(
            Run(arguments=("-t",), matches="test is successful"),
            Run(
                daemon=True,
                ready=18141,
                client=("curl", "-sSi", "http://127.0.0.1:18141/"),
                client_matches=r"(?s)Content-Type: text/html.*This page is in the image",
                stop=0,
            ),
        ),
        system=("/usr/sbin/nginx",),
    ),
    "redis": Use(
        run=(
            Run(
                daemon=True,
                arguments=("/etc/redis.conf", "--port", "18142", "--bind", "127.0.0.1"),
                ready=18142,
                client=("redis-cli", "-p", "18142", "set", "word", "packed"),
                client_output="OK\n",
                stop=0,
            ),
        ),
        system=("/usr/bin/redis-server",),
    ),
    "rust": Use(
        run=(Run(arguments=("you", "me"), output="2 names\nhello, you\nhello, me\n"),),
        says="(?m)^0 names$",
    ),
}

BUILT = {  # of folders with a rootfs.toml: what each image does, by the name of its archive
    "debug-shell": {
        "shell": Use(
            run=(
                Run(stdin="ls /usr/local/bin/awk\nid -u\n", output="/usr/local/bin/awk\n0\n"),
                Run(arguments=("sh", "-c", "seq 3 | tac | xargs"), output="3 2 1\n"),
            ),
        ),
    },
    "fleet": {
        "orders": Use(run=(Run(output="orders: level info\n"),)),
        "stock": Use(run=(Run(arguments=("now",), output="stock: level info now\n"),)),
        "mail": Use(run=(Run(output="mail: level info\n"),)),
        "clock": Use(run=(Run(output="clock: level debug\n"),)),
        "gateway": Use(run=(Run(output="gateway: level info --listen 8080\n"),)),
    },
    "go-service": {
        "service": Use(
            run=(
                Run(
                    daemon=True,
                    arguments=("-listen", "127.0.0.1:18143"),
                    ready=18143,
                    client=("curl", "-sS", "http://127.0.0.1:18143/{page}"),
                    client_output="Prices\n\nbread 3\n",
                    stop=0,
                ),
            ),
        ),
    },
}


ELSEWHERE = {"rootfs-builder"}  # by test_release: it needs the package


def test_every_recipe_has_a_test_and_a_line_in_the_list():
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert folders == {*USES, *BUILT, *ELSEWHERE}
    assert set(re.findall(r"\]\(([\w-]+)\)", (FOLDER / "README.md").read_text())) == folders


def test_a_recipe_is_explained_in_fifteen_lines():
    for name in (*USES, *BUILT, *ELSEWHERE):
        assert len((FOLDER / name / "README.md").read_text().splitlines()) <= 15, name


def test_no_daemon_listens_at_another_tests_port():
    uses = [*USES.values(), *(use for uses in BUILT.values() for use in uses.values())]
    ours = {run.ready for use in uses for run in use.run} - {None}
    assert not ours & {run.ready for case in corpus.load() for run in case.run}


class Make:
    """make in a copy of a recipe, with the rootfs-builder of this Python and an image's name."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name

    def __call__(self, *words, code=0):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["make", f"IMAGE={self.name}", *words],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, f"make {words}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.mark.engines
@pytest.mark.parametrize("recipe", USES)
def test_is_made_loaded_and_run(recipe, docker, name, tmp_path):
    use = USES[recipe]
    folder = tmp_path / recipe
    shutil.copytree(FOLDER / recipe, folder)
    own = {path.relative_to(folder) for path in folder.rglob("*")}
    if use.port:
        file, old, new = use.port
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, str(new)))

    make = Make(folder, name)
    make()
    assert make() == "make: Nothing to be done for 'all'.\n"
    for path in sorted(own - {Path("README.md")}) + list(use.system):
        make("-q", "-W", str(path), code=1)  # when this has changed there is something to do
    for path in own:
        (folder / path).touch()
    make()
    make("-q")  # a compiler that finds its result unchanged dates it anew

    make("load")
    with image(docker, name) as loaded:
        assert docker.inspect(loaded)["Config"]["Entrypoint"][0] != "/bin/sh"
        case = corpus.Case(name=recipe, about="a recipe", program=recipe, run=use.run)
        corpus.Ready(case, folder, {}, folder).check(docker, loaded)
        if use.says is None:
            said = make("-s", "run", "PUBLISH=-d --network none")
            docker("rm", "-f", said.splitlines()[-1])
        else:
            for _ in range(corpus.SILENCE):  # a busy docker loses all that a container says
                said = make("-s", "run")
                if re.search(use.says, said):
                    break
            assert re.search(use.says, said), said

    make("clean")
    assert {path.relative_to(folder) for path in folder.rglob("*")} == own


@pytest.mark.engines
@pytest.mark.parametrize("recipe", BUILT)
def test_is_built_loaded_and_run(recipe, docker, name, cli, tmp_path):
    folder = tmp_path / recipe
    shutil.copytree(FOLDER / recipe, folder)
    said = cli("build", cwd=folder, check=True).stdout
    assert cli("build", "-j", "1", cwd=folder, check=True).stdout == said
    assert {path.stem for path in folder.glob("*.tar")} == set(BUILT[recipe])
    for archive, use in BUILT[recipe].items():
        docker("load", "-i", folder / f"{archive}.tar")
        tag = re.search(rf'tag = "(.*{archive}|{recipe})"', (folder / "rootfs.toml").read_text())[1]
        own = f"{name}-{archive}"
        docker("tag", tag, own)
        docker("rmi", tag)
        with image(docker, own) as loaded:
            case = corpus.Case(name=recipe, about="a recipe", program=recipe, run=use.run)
            corpus.Ready(case, folder, {"page": "prices.txt"}, folder).check(docker, loaded)
