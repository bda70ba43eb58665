"""`run` and docker do the same with the corpus, stdout and exit code, in every way there is."""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration import corpus
from tests.integration.programs import image
from tests.integration.sandboxes import USER, WAYS, Sandbox, copied, installed
from tests.integration.services import Services

ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))
CASES = corpus.load()
# What a way does not give. Without a namespace of processes there is no first one: such a program
# survives the signals that it sends to itself at its end, and ps sees only its own. An ordinary
# user's namespace has that user alone, so the owner of all else is nobody.
EXCEPT = {
    *((case, "chroot", 0) for case in ("etcd", "ps", "xvfb")),
    *(("webfsd", *way) for way in (("bubblewrap", 0), ("bubblewrap", USER), ("unshare", USER))),
}
ONE_CLIENT = {"rsync-ssh", "scp", "ssh-jump"}  # their servers take one, so there is one run
MACHINE = {"node-exporter"}  # asks /sys about the machine, of which `run` shows nothing
# What a program says that wants to be another user, where an ordinary user has but one to give.
ONE_USER = re.compile(r"(chown|groups|sete?[ug]id).*(\n.*)?(not permitted|Invalid argument)")
NEEDS_DOCKER = {"--tmpfs", "--cap-add"}  # options that `run` does not have


@pytest.fixture(scope="module")
def services():
    """What {dns}, {http} … stand for."""
    if os.geteuid() != 0:
        pytest.fail("needs root: it becomes other users, and runs docker", False)
    with Services() as running:
        yield running.values


@pytest.fixture(scope="module")
def python():
    """One that the ordinary user can run."""
    with tempfile.TemporaryDirectory(prefix="python.") as folder:
        yield installed(Path(folder))


def chosen():
    """Every case with every way; for a usual run some, with one way after the other."""
    known = [case for case in CASES if case.name not in ONE_CLIENT | MACHINE]
    cases = [case for case in known if not any(NEEDS_DOCKER & set(run.docker) for run in case.run)]
    every = [(case, WAYS) for case in cases]
    return every if ALL else [(case, (WAYS[i % 5],)) for i, (case, _) in enumerate(every[3::25])]


@pytest.mark.engines
@pytest.mark.parametrize(
    ("case", "ways"),
    [pytest.param(case, ways, marks=pytest.mark.xdist_group(case.name)) for case, ways in chosen()],
    ids=[case.name for case, _ in chosen()],
)
def test_run_does_what_docker_does(case, ways, cli, docker, name, services, python, tmp_path):
    folder = tmp_path / "case"
    folder.mkdir()
    ready = case.ready(folder, services)
    with tempfile.TemporaryDirectory(prefix="archive.") as public:
        archive = Path(public) / "image.tar"
        archive.parent.chmod(0o755)
        words = (ready.program, "-o", archive, "-t", name, *ready.options)
        done = cli("pack", *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        archive.chmod(0o644)
        with image(docker, docker.load(archive)) as loaded:
            answers = Answers(docker, loaded)
            found = [
                failure(ready, archive, answers, python, *way)
                for way in ways
                if (case.name, *way) not in EXCEPT
            ]
    assert not any(found), "\n\n".join(filter(None, found))


def failure(ready, archive, answers, python, way, user):
    """What docker and one way do differently, or neither does right; "" if nothing."""
    sandbox = Sandbox(way, user, python if user else sys.executable)
    with copied(ready.folder, 0) as for_docker, copied(ready.folder, user) as for_run:
        both = Both(answers, (str(for_run), str(for_docker)), sandbox)
        try:
            moved(ready, for_run).check(both, archive)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            if user and ONE_USER.search(str(error)):
                return ""
            return f"{sandbox.name}: {error}"
    return ""


def moved(ready, folder):
    """The same with its files elsewhere."""
    return replace(ready, folder=folder, values={**ready.values, "folder": str(folder)})


class Answers:
    """What docker does with an image; the first time counts for all ways."""

    def __init__(self, docker, loaded):
        self._docker, self._loaded = docker, loaded
        self._known = {}

    def ask(self, number, args, extra, options):
        """How the run of a number ended."""
        if number not in self._known:
            self._known[number] = self.again(args, extra, options)
        return self._known[number]

    def again(self, args, extra, options):
        """How a run ends now: once, also if it says nothing, since it may have written."""
        network = () if "--network" in extra else ("--network", "none")
        words = ("run", "--rm", *network, *extra, self._loaded, *args)
        return self._docker(*words, check=False, **options)


class Both:
    """Runs a command with docker and here, and compares; daemons run here alone."""

    def __init__(self, answers, folders, sandbox):
        self._answers, self._sandbox = answers, sandbox
        self._folders = folders  # of a case's files: here, and for docker
        self._count = 0

    def run(self, archive, *args, extra=(), silent=False, **options):
        del silent
        there = [word.replace(*self._folders) for word in extra]
        self._count += 1
        wanted = self._answers.ask(self._count, args, there, options)
        got = self._sandbox.run(archive, *args, extra=extra, **options)
        pairs = [(one.returncode, one.stdout) for one in (wanted, got)]
        if pairs[0] != pairs[1]:
            again = self._answers.again(args, there, options)
            stable = (again.returncode, again.stdout) == pairs[0]
            assert not stable, f"docker: {pairs[0]}\n{wanted.stderr}\nrun: {pairs[1]}\n{got.stderr}"
        return got

    def start(self, container, output):
        return self._sandbox.start(container, output)

    def __call__(self, *words, **options):
        return self._sandbox(*words, **options)
