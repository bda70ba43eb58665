"""What must hold, as data; and whether it does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from scripts.benchmark import figures
from scripts.benchmark.packers import OURS

UNCACHED = f"{OURS} --no-cache"
LEVEL_1 = f"{OURS} --compression-level 1"
ZSTD = f"{OURS} --compression zstd"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A figure of one packer is at most this; times another packer's, where one is named."""

    program: str
    packer: str = OURS
    figure: Literal["wall", "bytes", "memory"]
    most: float
    times: str = ""


LIMITS = (
    Limit(program="hello", figure="wall", most=0.30, times="dockerize2 --output-oci"),
    Limit(program="hello", figure="wall", most=1.5, times="umoci"),
    Limit(program="ffmpeg", packer=UNCACHED, figure="wall", most=0.45, times="tar | pigz -6"),
    Limit(program="ffmpeg", figure="bytes", most=1, times="tar | pigz -6"),
    Limit(program="ffmpeg", packer=LEVEL_1, figure="wall", most=0.75, times="umoci"),
    Limit(program="ffmpeg", packer=LEVEL_1, figure="bytes", most=1, times="umoci"),
    Limit(program="ffmpeg", packer=ZSTD, figure="wall", most=1.6, times="tar | zstd -3 -T2"),
    Limit(program="ffmpeg", packer=f"{OURS}, warm cache, unchanged", figure="wall", most=0.20),
    Limit(
        program="ffmpeg", packer=f"{OURS}, warm cache, archive deleted", figure="wall", most=0.20
    ),
    Limit(
        program="ffmpeg", packer=f"{OURS}, warm cache, program rebuilt", figure="wall", most=0.30
    ),
    Limit(program="ffmpeg", figure="memory", most=150e6),
    Limit(program="ffmpeg", packer=LEVEL_1, figure="memory", most=150e6),
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A limit and what was measured: the median of the rounds' ratios, with least and greatest."""

    limit: Limit
    measured: float
    spread: tuple[float, float] | None = None

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.measured <= self.limit.most


def judge(data: dict[str, Any], limits: tuple[Limit, ...]) -> Iterator[Verdict]:
    """Every limit whose packers were measured."""
    for limit in limits:
        measured = data["programs"].get(limit.program, {}).get("packers", {})
        one, other = measured.get(limit.packer, {}), measured.get(limit.times, {})
        if limit.figure not in one or (limit.times and limit.figure not in other):
            continue
        if not limit.times:
            yield Verdict(limit=limit, measured=one[limit.figure])
        elif limit.figure == "wall":
            median, least, most = figures.spread(figures.ratios(one["rounds"], other["rounds"]))
            yield Verdict(limit=limit, measured=median, spread=(least, most))
        else:
            yield Verdict(limit=limit, measured=one[limit.figure] / other[limit.figure])


def sentence(verdict: Verdict) -> str:
    """A limit in words, with what was measured."""
    limit = verdict.limit
    if not limit.times:
        unit, digits, size = ("MB", 0, 1e6) if limit.figure == "memory" else ("s", 3, 1)
        said = (
            f"{verdict.measured / size:.{digits}f} {unit}, at most {limit.most / size:.{digits}f}"
        )
        return f"{limit.program}: {limit.figure} of {limit.packer} is {said}"
    said = f"{verdict.measured:.3f}, at most {limit.most:.2f}, times that of {limit.times}"
    if verdict.spread:
        least, most = verdict.spread
        said += f" ({least:.3f} to {most:.3f})"
    return f"{limit.program}: {limit.figure} of {limit.packer} is {said}"
