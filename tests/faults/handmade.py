"""Rows of what is made by hand: archives, planted secrets, races. Each in its module, where it is.

These have their own tests, which say exactly what each case ends with; here they are counted, in
the same words as all else.
"""

import random
import shutil
import tempfile
from pathlib import Path

from tests.faults import archives, races, runs, secrets
from tests.faults.runs import Row

PACKS = 100  # of each race


def _archives(*, count, seed, folder):
    """Archives that ask for all time, memory or disk: inspect and verify of each.

    A sample leaves out those that take long to make.
    """
    row = Row("archives by hand (inspect, verify)")
    names = sorted(name for name, case in archives.CASES.items() if not (count and case.big))
    random.Random(f"archives {seed}").shuffle(names)
    for name in names[: count or None]:
        with tempfile.TemporaryDirectory(dir=folder) as top:
            path = archives.written(name, Path(top))
            (Path(top) / "tmp").mkdir()
            for verb in ("inspect", "verify"):
                words = (*runs.TOOL, verb, path)
                outcome = runs.run(words, cwd=top, env=runs.environment(top))
                said = (outcome.stderr.strip().splitlines() or [""])[-1][:160]
                row.add(runs.ended_well(outcome), f"{verb} {name}: {said}")
    return [row]


def _secrets(*, count, seed, folder):
    """Planted secrets are refused, what is harmless is not."""
    del count, seed
    if absent := [tool for tool in secrets.TOOLS if shutil.which(tool) is None]:
        return [Row(f"secrets: {', '.join(absent)} not installed")]
    rows = []
    for kind, cases in (("planted", secrets.planted), ("innocent", secrets.innocent)):
        work = Path(folder) / f"{kind}-keys"
        work.mkdir()
        top = Path(folder) / kind
        files = secrets.write(cases(work), top)
        refused = secrets.refused(files, top)
        row, right = Row(f"secrets: {kind}"), kind == "planted"
        wrong = sorted(files.keys() - refused if right else refused)
        for name in files:
            problems = ("not refused" if right else "refused",) if name in wrong else ()
            row.add(problems, ", ".join(wrong))
        rows.append(row)
    return rows


def _races(*, count, seed, folder):
    """No image has a byte of what a directory or file was exchanged with while it was read."""
    del seed
    row = Row("races: names exchanged (packs)")
    for case in races.CASES:
        top = Path(folder) / f"race-{case}"
        top.mkdir()
        for end, number in races.Race(top, case).run(count or PACKS).items():
            for _ in range(number):
                row.add((end,) if end in ("outside", "another image") else (), case)
    return [row]


PARTS = {"archives": _archives, "secrets": _secrets, "races": _races}
