"""Measure and write: `scripts/bench` prepares the machine and starts this.

It prints the tables and each limit with what was measured, and exits with 1 when one fails, or an
image does not run. What it writes are docs/benchmarks.{json,md,svg}; of a part of the rounds or of
the programs nothing, unless -o says where.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.benchmark import chart, limits, machine, page, rounds
from scripts.benchmark.measure import Bench, JobError
from scripts.benchmark.packers import PACKERS, definition
from scripts.benchmark.programs import PROGRAMS

CHECKOUT = Path(__file__).resolve().parent.parent.parent
FULL = rounds.Effort(rounds=9, seconds=10)
QUICK = rounds.Effort(rounds=2, seconds=0)
KEYS = {
    "machine": "where it was measured; memory in bytes",
    "rounds": "of each program; a packer that has taken so many `seconds` is left out of the later",
    "packers": "each with its version, and what scripts/benchmark/packers.py says of it",
    "programs": (
        "each with what it is; ours, ldd: the files of our image, and those that ldd names; packers"
    ),
    "programs.*.packers": (
        "wall and cpu: median seconds; memory: peak bytes of the largest process; "
        "read, written: bytes; bytes: of the archive; ratio: wall, times ours, round by round: "
        "median, least, greatest; same: whether every round gave the same digest; docker: how "
        "docker got the image; rounds: the walls. "
        "null is where there is nothing to say; error is all there is when a job failed"
    ),
}


def measured(names: list[str], effort: rounds.Effort) -> dict[str, Any]:
    """Do it all: the data."""
    with tempfile.TemporaryDirectory(prefix="bench.") as folder:
        bench = Bench(Path(folder), f"bench-{uuid.uuid4().hex}:latest")
        try:
            bench.install(CHECKOUT, "rootfs-builder")
            bench.install("dockerize2", "dockerize")
            versions = machine.versions(bench)
            rounds.warm_up(bench)
            return {
                "keys": KEYS,
                "machine": machine.about(),
                "rounds": effort.rounds,
                "seconds": effort.seconds,
                "packers": {
                    name: {"version": versions[name], **definition(packer)}
                    for name, packer in PACKERS.items()
                },
                "programs": {name: rounds.of_program(bench, name, effort) for name in names},
            }
        finally:
            bench.close()


def write(data: dict[str, Any], folder: Path) -> None:
    """The data, and what is made from it."""
    folder.mkdir(exist_ok=True)
    (folder / "benchmarks.json").write_text(json.dumps(data, indent=1) + "\n")
    (folder / "benchmarks.md").write_text(page.text(data))
    (folder / "benchmarks.svg").write_text(chart.svg(data))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", metavar="PROGRAM", help="this one (repeatable)")
    parser.add_argument("--quick", action="store_true", help="two rounds: limits are not judged")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="instead of docs")
    parser.add_argument("--render", action="store_true", help="the page and the picture anew")
    options = parser.parse_args()
    if unknown := set(options.only or ()) - set(PROGRAMS):
        parser.error(f"no program {', '.join(sorted(unknown))}; there are {', '.join(PROGRAMS)}")
    return options


def failures(data: dict[str, Any]) -> Iterator[str]:
    """What did not work."""
    for name, program in data["programs"].items():
        for packer, found in program["packers"].items():
            if "error" in found:
                yield f"{name}: {packer}: {found['error']}"


def main() -> int:
    """Measure, write, judge."""
    options = parsed()
    folder = options.output or CHECKOUT / "docs"
    if options.render:
        write(json.loads((folder / "benchmarks.json").read_text()), folder)
        return 0
    names = [name for name in PROGRAMS if not options.only or name in options.only]
    try:
        data = measured(names, QUICK if options.quick else FULL)
    except (JobError, subprocess.CalledProcessError) as error:
        sys.exit(f"scripts/bench: {error}")
    if options.output or not (options.quick or options.only):
        write(data, folder)
    print(page.tables(data))
    failed = [f"failed {line}" for line in failures(data)]
    for verdict in () if options.quick else limits.judge(data, limits.LIMITS):
        line = limits.sentence(verdict)
        if verdict.holds:
            print(f"ok     {line}")
        else:
            failed.append(f"failed {line}")
    print(*failed, sep="\n", end="\n" if failed else "")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
