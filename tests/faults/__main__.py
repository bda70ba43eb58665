"""scripts/fuzz: every part, by hand, with a table of what was tried and what survived."""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults import handmade, mutations, roots, runs, scenarios, system_calls

MUTANTS = {"elf": 24_000, "archives": 2_600, "texts": 7_200, "cache": 300, "ld.so": 1_500}
SITES = 800  # of one scenario


@dataclass(frozen=True)
class How:
    """What the command line says; `count` is None where it says nothing."""

    count: int | None
    seconds: int
    seed: int
    first: int
    jobs: int
    folder: str
    keep: str | None
    calls: tuple[str, ...]


def _calls(scenario, how):
    count = SITES if how.count is None else how.count
    options = {"count": count, "seed": how.seed, "jobs": how.jobs, "folder": how.folder}
    return system_calls.rows(only=(scenario,), calls=how.calls, **options)


def _mutants(short, how):
    return mutations.rows(
        count=MUTANTS[short] if how.count is None else how.count,
        seed=how.seed,
        only=(short,),
        jobs=how.jobs,
        seconds=how.seconds,
        first=how.first,
        folder=how.folder,
        keep=how.keep,
    )


def _roots(how):
    return roots.rows(count=how.count or 0, seed=how.seed, jobs=how.jobs, folder=how.folder)


def _by_hand(name, how):
    return handmade.PARTS[name](count=how.count or 0, seed=how.seed, folder=how.folder)


PARTS = {
    **{f"calls:{one.name}": partial(_calls, one.name) for one in scenarios.SCENARIOS},
    **{f"mutations:{short}": partial(_mutants, short) for short in MUTANTS},
    "roots": _roots,
    **{f"by hand:{name}": partial(_by_hand, name) for name in handmade.PARTS},
}


def _chosen(only):
    """The parts that some words name: all of it, or what stands before or behind the colon."""
    if not only:
        return list(PARTS)
    return [name for name in PARTS if {name, *name.split(":")} & set(only)]


def main():
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    names = ", ".join(PARTS)
    parser.add_argument("--only", action="append", metavar="PART", help=f"one of: {names}")
    parser.add_argument("--count", type=int, metavar="N", help="cases of a part; 0: all there are")
    parser.add_argument("--seconds", type=int, default=0, metavar="N", help="time for mutations")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another choice of cases")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of a mutation")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--jobs", type=int, default=cores, metavar="N", help="runs at a time")
    calls = {"action": "append", "default": [], "choices": system_calls.ERRORS}
    parser.add_argument("--call", **calls, metavar="CALL", help="of all system calls, this")
    parser.add_argument("--keep", metavar="DIR", help="where failing input is copied to")
    options = parser.parse_args()
    chosen = _chosen(options.only)
    if not chosen:
        parser.error(f"--only takes one of: {names}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was found is still printed
    found = []
    with (
        contextlib.suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="rootfs-builder-fuzz.") as folder,
    ):
        for name in chosen:
            top = Path(folder) / name.replace(":", "-").replace(" ", "-")
            top.mkdir()
            how = How(
                *(options.count, options.seconds, options.seed, options.first, options.jobs),
                *(str(top), options.keep, tuple(options.call)),
            )
            for row in PARTS[name](how):
                found.append(row)
                print(f"{row.what}: {row.survived:,} of {row.tried:,}", file=sys.stderr, flush=True)
    print(*runs.table(found), sep="\n")
    return int(any(row.failures for row in found))


if __name__ == "__main__":
    sys.exit(main())
