"""What a person at the terminal is shown besides the result: the summary, warnings, progress."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from rootfs_builder.paths import HIDDEN, printable

if TYPE_CHECKING:  # msgspec comes with it: --help must be quick
    from rootfs_builder.findings import Finding
    from rootfs_builder.pipeline import Progress
    from rootfs_builder.plan import Plan

_LONG = 64 << 20  # bytes from which packing is long enough for a progress bar
_ROWS = {  # by the ReasonKind of the first reason for a file; the others bring libraries too
    "executable": "programs",
    "interpreter": "loaders and interpreters",
    "NEEDED": "libraries",
    "added": "added files",
    "generated": "generated files",
    "rule": "what rules add",
    "image": "without a reason",
}


def escape_control(text: str) -> str:
    """A text of an image, which must neither steer a terminal nor be read as another one."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(f"[{HIDDEN}]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004


def defect(error: BaseException) -> str:
    """The message for an exception that no code expects, and how to report it."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    return (
        f"internal error: {type(error).__name__}: {error}; this is a defect of rootfs-builder: "
        "please report it with the output of the same command with --debug"
    )


def summary_lines(plan: "Plan", image: str = "") -> list[str]:
    """A table of what is in the image, by kind, and the findings."""
    return [
        *kinds((one.reasons[0].kind, one.size) for one in plan.unique_files),
        *([image] if image else []),
        *finding_lines(plan.findings),
    ]


def kinds(files: "Iterable[tuple[str, int]]") -> Iterator[str]:
    """A table of files, given as (kind of the first reason, bytes)."""
    rows: dict[str, list[int]] = {label: [] for label in _ROWS.values()}
    for kind, size in files:
        rows[_ROWS.get(kind, "libraries")].append(size)
    rows["all files"] = [size for found in rows.values() for size in found]
    for label, found in rows.items():
        if found or label == "all files":
            yield f"{label:<24} {len(found):>6} {sum(found):>15,} bytes"


def findings(found: "Iterable[Finding]") -> None:
    """What rules added, what they could add, and warnings: a line each."""
    for line in finding_lines(found):
        click.echo(line, err=True)


def finding_lines(found: "Iterable[Finding]") -> Iterator[str]:
    """The same as lines."""
    from rootfs_builder.findings import Code, Level

    kinds, last = set(), []
    for finding in found:
        kinds.add(finding.level)
        colon = " " if finding.level is Level.ADDED else ": "  # its text begins with a name
        line = escape_control(f"{finding.level}{colon}{finding.text}")
        if finding.code is Code.UNSEEN:
            last.append(line)
        else:
            yield line
    if Level.ADDED in kinds:
        yield "--without NAME leaves out what was added"
    yield from last


def withheld(found: "Iterable[Finding]") -> list[str]:
    """The lines that --quiet does not hide: what the program may need and was not published."""
    from rootfs_builder.findings import WITHHELD

    return list(finding_lines(one for one in found if one.code in WITHHELD))


def show(plan: "Plan", image: str = "", *, quiet: bool) -> None:
    """The summary, or where that is to be quiet what was withheld."""
    for line in withheld(plan.findings) if quiet else summary_lines(plan, image):
        click.echo(line, err=True)


def warnings(found: "Iterable[Finding]") -> None:
    """Warnings alone, for verbs that write no image."""
    from rootfs_builder.findings import Level

    findings(one for one in found if one.level is Level.WARNING)


def reasons(plan: "Plan") -> None:
    """Every file and link, and the first reason for it."""
    for entry in plan.entries:
        if entry.kind == "dir":
            continue
        click.echo(f"{printable(entry.path)}: {entry.reasons[0].sentence}", err=True)


class Counter(NamedTuple):
    """Shows lines, and below them how many tasks are done."""

    say: Callable[[str], None]
    advance: Callable[[], None]


@contextmanager
def counting(total: int, *, quiet: bool) -> Iterator[Counter]:
    """A bar over `total` tasks, where stderr is a terminal; lines stand above it."""
    if quiet or not sys.stderr.isatty():
        yield Counter(lambda line: click.echo(line, err=True), lambda: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    columns = (TextColumn("building"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    # No thread draws it: processes are forked meanwhile, and a fork copies no thread.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        task = bar.add_task("building", total=total)
        bar.refresh()

        def advance() -> None:
            bar.advance(task)
            bar.refresh()

        yield Counter(lambda line: console.print(Text(line), soft_wrap=True), advance)


@contextmanager
def progress(*, quiet: bool) -> "Iterator[Progress]":
    """A bar, told bytes of all bytes, where stderr is a terminal and there is time to see it."""
    with ExitStack() as stack:
        bars: list[Callable[[int], None]] = []

        def show(done: int, total: int) -> None:
            if quiet or total < _LONG or not sys.stderr.isatty():
                return
            if not bars:
                bars.append(stack.enter_context(_bar(total)))
            bars[0](done)

        yield show


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("packing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("packing", total=total)
        yield lambda done: bar.update(task, completed=done)
