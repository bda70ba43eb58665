"""A plan and its image → the lines that a person is shown: what it is, and what to know of it.

A line ends where it ends: whoever shows it on a terminal wraps it.
"""

import shlex
from collections.abc import Iterable, Iterator

from rootfs_builder.findings import MINOR, WITHHELD, Code, Finding, Level
from rootfs_builder.image import Image
from rootfs_builder.plan import Plan
from rootfs_builder.recipe import reference
from rootfs_builder.recipe.destination import Destination

_ROWS = {  # by the ReasonKind of the first reason for a file; the others bring libraries too
    "executable": "programs",
    "interpreter": "loaders and interpreters",
    "NEEDED": "libraries",
    "added": "added files",
    "generated": "generated files",
    "rule": "what rules add",
    "image": "without a reason",
}
_ORDER = (Level.ADDED, Level.HINT, Level.WARNING)  # the last is what stays in sight
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000
_PRECISE = 100  # from here on no decimal is worth its place


def size(count: int) -> str:
    """A number of bytes with a unit, in powers of 1000: `1.4 MB`."""
    value = float(count)
    for unit in _UNITS:
        if round(value) < _STEP or unit == _UNITS[-1]:
            break
        value /= _STEP
    decimals = 0 if unit == "B" or value >= _PRECISE else 1
    return f"{value:,.{decimals}f} {unit}"


def packed(image: Image, plan: Plan, *, output: str, archive: int, seconds: float) -> str:
    """What was written where: `archive` bytes to `output` in `seconds`."""
    where = "stdout" if output == "-" else output
    return (
        f"{short_name(image)} for {image.platform}: {contents(plan)}, packed to {where} "
        f"({size(archive)}) in {seconds:.1f} s"
    )


def contents(plan: Plan) -> str:
    """How much the plan holds."""
    count = len(plan.unique_files)
    return f"{count:,} {'file' if count == 1 else 'files'}, {size(plan.size)}"


def short_name(image: Image) -> str:
    """The image's name as one types it after `docker run`."""
    return short(image.names[0])


def short(name: str) -> str:
    """An image's full name without what goes without saying."""
    return name.removeprefix("docker.io/").removeprefix("library/").removesuffix(":latest")


def following(image: Image, destination: Destination, shape: str) -> str:
    """The command that uses what was written; empty where another program reads it already."""
    if destination.is_stdout:
        return ""
    name = shlex.quote(short_name(image))
    several = len(image.names) > 1
    if destination.is_layout or (shape == "oci" and several):  # podman loads no OCI with two names
        which = f":{reference.parse(image.names[0]).tag}" if several else ""
        place = str(destination) if destination.is_layout else f"oci-archive:{destination}"
        return f"next: skopeo copy {shlex.quote(place + which)} docker://REGISTRY/{name}"
    engine = "podman" if shape == "oci" else "docker"
    return f"next: {engine} load -i {shlex.quote(str(destination))} && {engine} run --rm {name}"


def kinds(files: Iterable[tuple[str, int]]) -> Iterator[str]:
    """A table of files, given as (kind of the first reason, bytes)."""
    rows: dict[str, list[int]] = {label: [] for label in _ROWS.values()}
    for kind, count in files:
        rows[_ROWS.get(kind, "libraries")].append(count)
    rows["all files"] = [count for found in rows.values() for count in found]
    for label, found in rows.items():
        if found or label == "all files":
            yield f"{label:<24} {len(found):>6} {sum(found):>15,} bytes"


def of_kinds(plan: Plan) -> Iterator[str]:
    """The table of a plan's files."""
    return kinds((one.reasons[0].kind, one.size) for one in plan.unique_files)


def findings(found: Iterable[Finding], *, verbose: bool = False, flag: str = "") -> Iterator[str]:
    """What rules added, in one line or with `verbose` one each; then hints, and warnings last.

    `flag` is the option that says why.
    """
    ranked = sorted(found, key=_rank)
    names = [one.text.partition(": ")[0] for one in ranked if one.level is Level.ADDED]
    if names and not verbose:
        yield f"rules added {', '.join(names)}" + (f" ({flag} says why)" if flag else "")
    for one in ranked:
        if one.level is not Level.ADDED:
            yield f"{one.level}: {one.text}"
        elif verbose:
            yield f"added {one.text}"


def _rank(found: Finding) -> tuple[bool, int, bool]:
    """Its place: what may be needed and cannot be seen is said last, as it says what to try."""
    return found.code is Code.UNSEEN, _ORDER.index(found.level), found.code in MINOR


def withheld(found: Iterable[Finding]) -> list[str]:
    """The lines that --quiet does not hide: what the program may need and was not published."""
    return [*findings(one for one in found if one.code in WITHHELD)]
