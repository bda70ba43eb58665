"""The data → docs/benchmarks.svg: a bar a packer, for a small and a large program."""

from collections.abc import Iterator
from html import escape
from itertools import accumulate
from typing import Any

from scripts.benchmark.packers import OURS

PROGRAMS = ("hello", "ffmpeg")
WIDTH, LEFT, RIGHT = 800, 300, 90  # pixels: all, the names, the figures
ROW, BAR, HEAD = 24, 14, 50
LEGEND = (  # a kind of bar, what it means, and the pixels until the next
    ("ours", "ours", 70),
    ("again", "ours, after an earlier run", 210),
    ("peer", "others", 85),
    ("floor", "only reads and compresses", 0),
)
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600; font-size: 15px }
.ours { fill: #0969da }
.again { fill: #80b6f0 }
.peer { fill: #8c959f }
.floor { fill: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .ours { fill: #4493f8 }
  .again { fill: #2b5a94 }
  .peer { fill: #7d8590 }
  .floor { fill: #3d444d }
}"""


def svg(data: dict[str, Any]) -> str:
    """The picture."""
    shown = [data["programs"][name] for name in PROGRAMS if name in data["programs"]]
    tops = list(accumulate((HEAD + ROW * len(_bars(one)) for one in shown), initial=0))
    height = tops[-1] + ROW
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img"',
        f'  viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        "<title>Seconds to pack a small and a large program, by packer</title>",
        f"<style>\n{STYLE}\n</style>",
    ]
    for program, top in zip(shown, tops, strict=False):
        lines += _panel(program, data["packers"], top)
    return "\n".join([*lines, *_legend(height - 8), "</svg>", ""])


def _bars(program: dict[str, Any]) -> list[tuple[str, float]]:
    """Packers with their seconds, the quickest first."""
    found = program["packers"].items()
    walls = [(name, figures["wall"]) for name, figures in found if "wall" in figures]
    return sorted(walls, key=lambda one: one[1])


def _panel(program: dict[str, Any], packers: dict[str, Any], top: int) -> Iterator[str]:
    bars = _bars(program)
    ours = program["ours"]
    size = f"{ours['files']} files, {ours['bytes'] / 1e6:.1f} MB"
    about = f"Seconds to pack {program['about']}: {size}"
    yield f'<text class="head" x="10" y="{top + 32}">{escape(about)}</text>'
    longest = max(wall for _, wall in bars)
    for number, (name, wall) in enumerate(bars):
        y = top + HEAD + ROW * number
        length = max(1, (WIDTH - LEFT - RIGHT) * wall / longest)
        kind = _kind(name, packers)
        yield f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}"/>'
        yield f'<text x="{LEFT + length + 6:.1f}" y="{y + 12}">{_seconds(wall)}</text>'


def _kind(name: str, packers: dict[str, Any]) -> str:
    if name.startswith(OURS):
        return "again" if packers[name]["before"] else "ours"
    return "floor" if packers[name]["gives"] in {"file", "nothing"} else "peer"


def _seconds(wall: float) -> str:
    return f"{wall:.3f}" if wall < 1 else f"{wall:.1f}"


def _legend(y: int) -> Iterator[str]:
    x = LEFT - 100
    for kind, meaning, width in LEGEND:
        yield f'<rect class="{kind}" x="{x}" y="{y - 11}" width="{BAR}" height="{BAR}"/>'
        yield f'<text x="{x + BAR + 6}" y="{y}">{meaning}</text>'
        x += width
