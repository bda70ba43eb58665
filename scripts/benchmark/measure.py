"""A packer and a program → one run of the job: seconds, memory, bytes, the image's digest."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from scripts.benchmark.packers import Packer
from scripts.benchmark.programs import Program

DAEMONS = ("/var/run/docker.pid", "/var/run/docker/containerd/containerd.pid")
SILENCE = 3  # how often docker is asked again: a busy one loses all that a short container says
STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{0}/root"\nrunroot = "{0}/run"\n'
PODMAN = ("podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs")


class JobError(Exception):
    """A job, or its image, does not do what it should."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a job."""

    wall: float  # seconds
    cpu: float  # seconds, of all its processes, and of docker's daemons where the job uses them
    memory: int  # bytes, the peak of its largest process
    read: int  # bytes, of all its processes
    written: int
    size: int | None = None  # bytes of what it wrote
    digest: str | None = None  # of the manifest; of the config, where no manifest is


class Bench:
    """A working folder, and in it the packers' commands and a store for podman and buildah."""

    def __init__(self, folder: Path, image: str) -> None:
        self.folder = folder
        self.image = image
        self.commands = folder / "commands"
        self.commands.mkdir()
        (folder / "storage.conf").write_text(STORAGE.format(folder / "store"))
        self.environment = {
            **{name: value for name, value in os.environ.items() if name[:6] != "PYTHON"},
            "PATH": f"{self.commands}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        }
        self.tool("gcc", "-O2", Path(__file__).with_name("stopwatch.c"), "-o", folder / "stopwatch")

    def close(self) -> None:
        """Let go of the store, which podman mounts."""
        subprocess.run(
            ["umount", self.folder / "store/root/overlay"], capture_output=True, check=False
        )

    def install(self, requirement: str | Path, command: str) -> None:
        """Install a packer."""
        commands = venv(self.folder / f"venv-{command}", requirement)
        (self.commands / command).symlink_to(commands / command)

    def tool(
        self, *words: str | Path, check: bool = True, stdin: str = "", **variables: str
    ) -> str:
        """Run a command in the working folder; its stdout."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={**self.environment, **variables},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise JobError(f"{' '.join(map(str, words))}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    @contextmanager
    def job(self, packer: Packer, program: Path, files: Path) -> Iterator[tuple[Run, Path]]:
        """Run a job in an empty folder; what it made is there until the end of the context."""
        folder, cache = self.folder / "job", self.folder / "cache"
        folder.mkdir()
        cache.mkdir()
        try:
            yield self._run(packer, program, files, folder), folder
        finally:
            shutil.rmtree(folder)
            shutil.rmtree(cache)
            if packer.gives == "podman":
                self.tool(*PODMAN, "image", "rm", "--force", self.image, check=False)
            elif packer.is_image:
                self.tool("docker", "image", "rm", "--force", self.image, check=False)
            os.sync()  # or the next job waits for this one's bytes

    def _run(self, packer: Packer, program: Path, files: Path, folder: Path) -> Run:
        variables = {
            "program": str(program),
            "name": program.name,
            "files": str(files),
            "image": self.image,
        }
        if packer.before:
            self._timed(packer.before, folder, variables)
        used = daemons()
        wall, cpu, peak, read, written = self._timed(packer.job, folder, variables)
        if packer.gives == "docker":
            cpu += daemons() - used
        return Run(
            wall=wall,
            cpu=cpu,
            memory=int(peak) * 1024,
            read=int(read),
            written=int(written),
            size=(folder / packer.output).stat().st_size if packer.output else None,
            digest=self._digest(packer, folder),
        )

    def _timed(self, job: str, folder: Path, variables: dict[str, str]) -> list[float]:
        """Run a job: what the stopwatch says of it."""
        done = subprocess.run(
            [self.folder / "stopwatch", "sh", "-eu", "-c", job],
            cwd=folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        said, _, figures = done.stderr.strip().rpartition("\n")
        if done.returncode:
            raise JobError(f"exit {done.returncode}: {' '.join(said.split())[-200:]}")
        return [float(figure) for figure in figures.split()]

    def _digest(self, packer: Packer, folder: Path) -> str | None:
        if packer.gives == "archive":
            return archive_digest(folder / packer.output)
        if packer.gives in {"docker", "podman"}:
            words = ("image", "inspect", "--format", "{{.Id}}", self.image)
            return self.tool(packer.gives, *words).strip()
        return None

    def check(self, packer: Packer, program: Program, folder: Path) -> str:
        """Run the image that a job made; how docker got it."""
        if packer.gives == "podman":
            self._check_says(PODMAN, program)
            return "no: is in podman"
        way = "is there"
        if packer.gives == "archive":
            way = self._load(folder / packer.output)
        self._check_says(("docker",), program)
        return way

    def _load(self, archive: Path) -> str:
        try:
            self.tool("docker", "load", "-q", "-i", archive)
        except JobError:
            copy = ("skopeo", "--insecure-policy", "copy")
            self.tool(*copy, f"oci-archive:{archive}", f"docker-daemon:{self.image}")
            return "by skopeo"
        return "yes"

    def _check_says(self, engine: tuple[str, ...], program: Program) -> None:
        words = (*engine, "run", "--rm", "--network", "none", self.image, *program.arguments)
        said = ""
        for _ in range(SILENCE):
            said = said or self.tool(*words)
        if not re.search(program.says, said, re.MULTILINE):
            raise JobError(f"the container says {said[:80]!r}")


def venv(folder: Path, requirement: str | Path) -> Path:
    """Install a package with pip as its users do, in a venv of its own; its folder of commands."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = (folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check")
    subprocess.run((*pip, requirement), check=True)
    return folder / "bin"


def archive_digest(archive: Path) -> str:
    """The digest of the image in an archive: its manifest's, or its config's in docker's format."""
    with tarfile.open(archive) as tar:
        members = {os.path.normpath(member.name): member for member in tar.getmembers()}

        def read(name: str) -> bytes:
            file = tar.extractfile(members[name])
            return file.read() if file else b""

        if "index.json" in members:
            return str(json.loads(read("index.json"))["manifests"][0]["digest"])
        config = json.loads(read("manifest.json"))[0]["Config"]
        return f"sha256:{sha256(read(config)).hexdigest()}"


def daemons() -> float:
    """The CPU seconds that docker's daemons and their children have used so far."""
    ticks = 0
    for file in DAEMONS:
        try:
            stat = Path(f"/proc/{int(Path(file).read_text())}/stat").read_text()
        except OSError:  # docker is another machine's, or is started in another way
            continue
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))  # proc(5): utime … cstime
    return ticks / os.sysconf("SC_CLK_TCK")
