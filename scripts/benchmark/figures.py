"""Runs → figures: medians, and ratios round by round."""

import statistics
from collections.abc import Sequence
from typing import Any

from scripts.benchmark.measure import Run

DIGITS = 4


def ratios(some: Sequence[float], others: Sequence[float]) -> list[float]:
    """Round by round; a packer that was left out of the last rounds has a shorter list."""
    return [one / other for one, other in zip(some, others, strict=False)]


def spread(values: Sequence[float]) -> list[float]:
    """Median, least and greatest."""
    found = statistics.median(values), min(values), max(values)
    return [round(value, DIGITS) for value in found]


def of_packer(runs: Sequence[Run], ours: Sequence[Run]) -> dict[str, Any]:
    """What the data file says of a packer's runs of one program."""
    walls = [run.wall for run in runs]
    digests = {run.digest for run in runs}
    return {
        "wall": round(statistics.median(walls), DIGITS),
        "cpu": round(statistics.median(run.cpu for run in runs), DIGITS),
        "memory": max(run.memory for run in runs),
        "read": max(run.read for run in runs),
        "written": max(run.written for run in runs),
        "bytes": runs[-1].size,
        "ratio": spread(ratios(walls, [run.wall for run in ours])) if ours else None,
        "same": None if None in digests else len(digests) == 1,
        "rounds": [round(wall, DIGITS) for wall in walls],
    }
