"""Rows of what is made by hand: archives, planted secrets, races. Each in its module, where it is.

These have their own tests, which say exactly what each case ends with; here they are counted, in
the same words as all else.
"""

import importlib
import importlib.util
import random
import shutil
import tempfile
from pathlib import Path

from tests.faults import runs
from tests.faults.runs import Row

SECONDS = 20  # of each race


def _module(name):
    return importlib.import_module(f"tests.faults.{name}")


def archives(*, count, seed, folder):
    """Archives that ask for all time, memory or disk: inspect and verify of each.

    A sample leaves out those that take long to make.
    """
    module, row = _module("archives"), Row("archives by hand (inspect, verify)")
    names = sorted(name for name, case in module.CASES.items() if not (count and case.big))
    random.Random(f"archives {seed}").shuffle(names)
    for name in names[: count or None]:
        with tempfile.TemporaryDirectory(dir=folder) as top:
            path = module.written(name, Path(top))
            (Path(top) / "tmp").mkdir()
            for verb in ("inspect", "verify"):
                words = (*runs.TOOL, verb, path)
                outcome = runs.run(words, cwd=top, env=runs.environment(top))
                said = (outcome.stderr.strip().splitlines() or [""])[-1][:160]
                row.add(runs.ended_well(outcome), f"{verb} {name}: {said}")
    return [row]


def secrets(*, count, seed, folder):
    """Planted secrets are refused, what is harmless is not."""
    del count, seed
    module = _module("secrets")
    if absent := [tool for tool in module.TOOLS if shutil.which(tool) is None]:
        return [Row(f"secrets: {', '.join(absent)} not installed")]
    rows = []
    for kind, cases in (("planted", module.planted), ("innocent", module.innocent)):
        work = Path(folder) / f"{kind}-keys"
        work.mkdir()
        top = Path(folder) / kind
        files = module.write(cases(work), top)
        refused = module.refused(files, top)
        row, right = Row(f"secrets: {kind}"), kind == "planted"
        wrong = sorted(files.keys() - refused if right else refused)
        for name in files:
            problems = ("not refused" if right else "refused",) if name in wrong else ()
            row.add(problems, ", ".join(wrong))
        rows.append(row)
    return rows


def races(*, count, seed, folder):
    """No image has a byte of what a directory or file was exchanged with while it was read."""
    del seed
    module, row = _module("races"), Row("races: names exchanged (packs)")
    for case in module.CASES:
        top = Path(folder) / f"race-{case}"
        top.mkdir()
        for end, number in module.Race(top, case).run(count or SECONDS).items():
            for _ in range(number):
                row.add((end,) if end in ("outside", "another image") else (), case)
    return [row]


PARTS = {
    one.__name__: one
    for one in (archives, secrets, races)
    if importlib.util.find_spec(f"tests.faults.{one.__name__}")
}
