"""A run and how it compares with a plan → lines for a person, and a document for --json."""

import sys
from collections.abc import Iterator, Sequence

from rootfs_builder.paths import printable
from rootfs_builder.proof.difference import Difference
from rootfs_builder.proof.flags import Flag
from rootfs_builder.proof.observation import Observation
from rootfs_builder.views.documents.programs import Lacking, Left, Traced

_SHOWN = 10  # paths of a kind that are shown of many


def lines(
    command: Sequence[str],
    run: Observation,
    found: Difference,
    flags: Sequence[Flag],
    *,
    verbose: bool,
) -> Iterator[str]:
    """What a run did, for a person; of many paths the first, unless it is `verbose`."""
    most = sys.maxsize if verbose else _SHOWN
    end = f"stopped, since {run.stopped}" if run.stopped else _ended(run.code)
    yield f"{' '.join(map(printable, command))}: {end}; {len(run.seen):,} paths looked at"
    if run.left:
        yield f"warning: it left {run.left} processes running, which a container ends: stopped"
    yield f"in the image already: {found.present:,}"
    brought = [one for flag in flags for one in flag.brings]
    for one in brought[:most]:
        by = f" by {printable(one.by)}" if one.by else ""
        yield f"to include: {printable(one.source)} ({one.use.word}{by})"
    if len(brought) > most:
        yield f"to include: {len(brought) - most:,} more, with -v"
    bare = [one.destination for one in found.lacking if one.bare]
    yield from _some("directory that it needs and the image lacks", bare, most)
    yield from _some(
        "named by the command, so taken for its input; --add packs it",
        [one.source for one in found.inputs],
        most,
    )
    by_rule: dict[str, list[str]] = {}
    for kept in found.alone:
        instead = f"; {kept.rule.instead}" if kept.rule.instead else ""
        by_rule.setdefault(f"left alone, {kept.rule.because}{instead}", []).append(kept.path)
    for why, paths in by_rule.items():
        yield from _some(why, paths, 3 if not verbose else most)
    if verbose:
        yield from _some("looked for and not here", [one.path for one in run.missed()], most)


def _ended(code: int | None) -> str:
    if code is None:
        return "it did not start"
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"


def _some(what: str, paths: Sequence[str], most: int) -> Iterator[str]:
    """Lines for paths of one kind; of many the first."""
    for path in paths[:most]:
        yield f"{what}: {printable(path)}"
    if len(paths) > most:
        yield f"{what}: {len(paths) - most:,} more, with -v"


def document(run: Observation, found: Difference, flags: Sequence[Flag]) -> Traced:
    """The same for --json."""
    return Traced(
        exit_code=run.code,
        stopped=run.stopped,
        present=found.present,
        flags=tuple((flag.option, printable(flag.value)) for flag in flags),
        lacking=tuple(
            Lacking(
                path=printable(one.source),
                destination=printable(one.destination),
                use=one.use.word,
                by=printable(one.by),
                directory=one.bare,
            )
            for one in found.lacking
        ),
        inputs=tuple(printable(one.source) for one in found.inputs),
        left_alone=tuple(Left(printable(one.path), one.rule.because) for one in found.alone),
        missing=tuple(printable(one.path) for one in run.missed()),
    )
