"""What a person at the terminal is shown besides the result: the summary, warnings, progress."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from rootfs_builder.paths import escape_control, printable

if TYPE_CHECKING:  # msgspec comes with it: --help must be quick
    from rootfs_builder.findings import Finding
    from rootfs_builder.pipeline.writing import Progress
    from rootfs_builder.plan import Plan

_LONG = 64 << 20  # bytes from which packing is long enough for a progress bar
_NARROW = 40  # columns, below which nothing is wrapped to fit
_MARKS = r"rootfs-builder: |(?:hint|warning|next): "
_COLOURS: dict[str, dict[str, Any]] = {
    "rootfs-builder": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "hint": {"fg": "cyan"},
    "next": {"fg": "green"},
}
_FLAG = r"(?<![\w/-])--?[a-z][\w-]*"


def defect(error: BaseException) -> str:
    """The message for an exception that no code expects, and how to report it."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    return (
        f"internal error: {type(error).__name__}: {error}; this is a defect of rootfs-builder: "
        "please report it with the output of the same command with --debug"
    )


def say(lines: Iterable[str]) -> None:
    """Lines on stderr: as they are, or wrapped and coloured where it is a terminal."""
    for line in lines:
        shown = escape_control(line)
        text = wrapped(shown) if sys.stderr.isatty() else shown
        click.echo(_coloured(text) if _has_colour() else text, err=True, color=True)


def wrapped(line: str, indent: str = "  ") -> str:
    """The line in as many as it takes; no word is broken, so a path can be copied.

    `indent` is before all but the first.
    """
    import shutil
    import textwrap

    width = max(shutil.get_terminal_size().columns, _NARROW)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _has_colour() -> bool:
    """Whether stderr takes colours: no-color.org, force-color.org."""
    if os.environ.get("FORCE_COLOR"):
        return True
    return not os.environ.get("NO_COLOR") and sys.stderr.isatty()


def _coloured(line: str) -> str:
    """The first word by what it means; flags bold there, and in what is indented below."""
    found = re.match(rf"({_MARKS})|  ", line)
    if found is None:
        return line
    rest = line[found.end() :]
    bold = re.sub(_FLAG, lambda flag: click.style(flag[0], bold=True), rest)
    mark = found[1]
    return (click.style(mark, **_COLOURS[mark.rstrip(": ")]) if mark else found[0]) + bold


def show(
    lines: Iterable[str],
    found: "Iterable[Finding]",
    *,
    quiet: bool,
    verbose: bool,
    ending: Iterable[str] = (),
) -> None:
    """The lines, the findings and the ending, or where that is to be quiet what was withheld.

    A run that would show what no file does is the very last line.
    """
    from rootfs_builder.findings import Code
    from rootfs_builder.views import summary

    if quiet:
        say(summary.withheld(found))
        return
    last = [one for one in found if one.code is Code.UNSEEN]
    others = [one for one in found if one.code is not Code.UNSEEN]
    say((*lines, *summary.findings(others, verbose=verbose, flag="-v"), *ending))
    say(summary.findings(last))


def warnings(found: "Iterable[Finding]") -> None:
    """Warnings alone, for verbs that write no image."""
    from rootfs_builder.findings import Level
    from rootfs_builder.views import summary

    say(summary.findings(one for one in found if one.level is Level.WARNING))


def reasons(plan: "Plan") -> None:
    """Every file and link, and the first reason for it."""
    say(
        f"{printable(entry.path)}: {entry.reasons[0].sentence}"
        for entry in plan.entries
        if entry.kind != "dir"
    )


class Counter(NamedTuple):
    """Shows lines, and below them how many tasks are done."""

    say: Callable[[str], None]
    advance: Callable[[], None]


@contextmanager
def counting(total: int, *, quiet: bool) -> Iterator[Counter]:
    """A bar over `total` tasks, where stderr is a terminal; lines stand above it."""
    if quiet or not sys.stderr.isatty():
        yield Counter(lambda line: say((line,)), lambda: None)
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


@contextmanager
def tally(what: str, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows how many of something there were, in the plural, where stderr is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    column = TextColumn(f"{what}: {{task.completed:,}}")
    # No thread draws it, as above.
    with Progress(column, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(what)

        def counted(count: int) -> None:
            bar.update(task, completed=count, refresh=True)

        yield counted
