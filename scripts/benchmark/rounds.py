"""A program and the packers → its part of the data: in every round each packer once."""

import glob
import shutil
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.benchmark import figures, packers
from scripts.benchmark.measure import Bench, JobError, Run
from scripts.benchmark.packers import OURS, PACKERS
from scripts.benchmark.programs import HELLO, PROGRAMS


@dataclass(kw_only=True)
class Effort:
    """When a packer has done enough rounds of a program."""

    rounds: int
    seconds: float  # from here on it is left out of the next rounds
    least: int = 2  # rounds that everybody does: whether a digest comes twice needs two

    def is_enough(self, runs: list[Run]) -> bool:
        """Whether the packer is left out from now on."""
        spent = sum(run.wall for run in runs)
        return len(runs) >= self.least and spent > self.seconds


@dataclass(kw_only=True)
class Record:
    """What a packer did with a program."""

    runs: list[Run] = field(default_factory=list)
    docker: str | None = None  # how docker got the image
    error: str = ""

    def figures(self, ours: list[Run]) -> dict[str, Any]:
        """Its part of the data."""
        if self.error or not self.runs:
            return {"error": self.error}
        return {**figures.of_packer(self.runs, ours), "docker": self.docker}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A program that is there, and a folder with the files of our image of it."""

    name: str
    path: Path
    files: Path


def subject(bench: Bench, name: str) -> Subject:
    """Compile a program, or find it, and read all that it needs."""
    program = PROGRAMS[name]
    if program.make:
        bench.tool("sh", "-c", program.make, stdin=HELLO)
    path = Path(max(glob.glob(str(bench.folder / program.path))))
    files = bench.folder / f"files-{name}"
    if not files.exists():
        bench.tool("rootfs-builder", "stage", "-q", path, "-o", files)
    return Subject(name=name, path=path, files=files)


def warm_up(bench: Bench) -> None:
    """Every packer packs hello once, unmeasured, so that none is read from the disk in a round."""
    hello = subject(bench, "hello")
    for packer in PACKERS.values():
        # What fails here fails in the rounds, and is told there.
        with suppress(JobError), bench.job(packer, hello.path, hello.files):
            pass


def of_program(bench: Bench, name: str, effort: Effort) -> dict[str, Any]:
    """Do all rounds of a program."""
    packed = subject(bench, name)
    records = {packer: Record() for packer, value in PACKERS.items() if value.packs(name)}
    for number in range(effort.rounds):
        print(f"{name}: round {number + 1} of {effort.rounds}", file=sys.stderr)
        for packer, record in records.items():
            if not record.error and not effort.is_enough(record.runs):
                once(bench, packer, packed, record)
    ours = records[OURS].runs
    return {
        **asdict(PROGRAMS[name]),
        "path": str(packed.path).removeprefix(f"{bench.folder}/"),
        "ours": contents(packed.files),
        "ldd": ldd_contents(bench, packed.path),
        "packers": {packer: record.figures(ours) for packer, record in records.items()},
    }


def once(bench: Bench, packer: str, packed: Subject, record: Record) -> None:
    """One run of one packer; its first image is run too."""
    try:
        with bench.job(PACKERS[packer], packed.path, packed.files) as (run, folder):
            record.runs.append(run)
            if PACKERS[packer].is_image and len(record.runs) == 1:
                record.docker = bench.check(PACKERS[packer], PROGRAMS[packed.name], folder)
    except JobError as error:
        record.error = str(error)
        print(f"{packed.name}: {packer}: {error}", file=sys.stderr)


def contents(folder: Path) -> dict[str, int]:
    """How many files there are in a folder, and their bytes."""
    found = [path.lstat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {"files": len(found), "bytes": sum(one.st_size for one in found)}


def ldd_contents(bench: Bench, program: Path) -> dict[str, int]:
    """What those pack that take what ldd names."""
    bench.tool("sh", "-eu", "-c", packers.COPY, program=str(program))
    found = contents(bench.folder / "root")
    shutil.rmtree(bench.folder / "root")
    return found
