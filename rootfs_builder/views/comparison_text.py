"""A comparison → lines for a person at a terminal, and Markdown for a merge request.

A directory that one side alone has stands for all in it, unless everything is asked for.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rootfs_builder.paths import ancestors
from rootfs_builder.views.comparison import Changed, Comparison, File, PackageChange, Setting, Side
from rootfs_builder.views.inspection import LayerRecord
from rootfs_builder.views.summary import size

_FEW = 3  # files of a new directory that are shown one by one
_DIGEST = 12  # digits of a digest that a person is shown
_LONG = 20  # rows of a table, above which Markdown has it folded


class _Row(NamedTuple):
    """An entry, or a directory with `inside` it and no more."""

    file: File
    inside: tuple[File, ...] = ()

    @property
    def bytes(self) -> int:
        return self.file.size + sum(one.size for one in self.inside)


def lines(found: Comparison, *, verbose: bool = False) -> Iterator[str]:
    """What differs; nothing where nothing does. With `verbose` every path has a line."""
    if found.equal:
        return
    yield f"--- {_side(found.old)}"
    yield f"+++ {_side(found.new)}"
    if found.config:
        yield from ("", "config")
        yield from (f"  {one.key}: {_value(one.old)} → {_value(one.new)}" for one in found.config)
    if found.packages:
        yield from ("", "packages")
        yield from (f"  {_package(one)}" for one in found.packages)
    if _files(found):
        yield from ("", _files(found))
        yield from _paths(found, verbose=verbose)
    if found.layers.pushed or found.layers.dropped:
        yield from ("", _layers(found))
        yield from (f"  + {_layer(one)}" for one in found.layers.pushed)
        yield from (f"  - {_layer(one)}" for one in found.layers.dropped)


def _side(side: Side) -> str:
    words = [", ".join(side.names), side.platform, f"{side.files:,} files", size(side.bytes)]
    return f"{side.place}: {', '.join(one for one in words if one)}"


def _value(value: Any) -> str:
    if value is None:
        return "(not set)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _package(one: PackageChange) -> str:
    sign = "~" if one.old and one.new else "+" if one.new else "-"
    versions = " → ".join(each for each in (one.old, one.new) if each)
    return f"{sign} {one.name} {versions} ({_growth(one.growth)})"


def _growth(count: int) -> str:
    return f"{'-' if count < 0 else '+'}{size(abs(count))}"


def _files(found: Comparison) -> str:
    """How much differs, in one line; empty if no path does."""
    counts = {"added": found.added, "removed": found.removed, "changed": found.changed}
    words = [f"{len(each):,} {what}" for what, each in counts.items() if each]
    growth = _growth(found.new.bytes - found.old.bytes)
    return f"paths: {', '.join(words)}; files {growth}" if words else ""


def _paths(found: Comparison, *, verbose: bool) -> Iterator[str]:
    for sign, files in (("+", found.added), ("-", found.removed)):
        for row in rows(files, each=verbose):
            yield f"  {sign} {_row(row)}"
    for one in found.changed:
        yield f"  ~ {one.path}: {', '.join(_changes(one))}{_more(one.new)}"


def rows(files: Sequence[File], *, each: bool = False) -> Iterator[_Row]:
    """The paths, sorted, with whole directories as one, unless `each` is to be there."""
    paths = {one.path for one in files if one.kind == "dir"}
    inside: dict[str, list[File]] = {}
    for one in files:
        above = [path for path in ancestors(one.path) if path in paths]
        if above and not each:
            inside.setdefault(above[-1], []).append(one)
        else:
            inside.setdefault(one.path, []).insert(0, one)
    for path, found in inside.items():
        first, *others = found
        content = [one for one in others if one.kind != "dir"]
        if not others or len(content) > _FEW:
            yield _Row(first, tuple(others))
        else:
            yield from (_Row(one) for one in found if one.path != path or not content)


def _row(row: _Row) -> str:
    one = row.file
    if row.inside:
        count = sum(each.kind != "dir" for each in row.inside)
        return f"{one.path}/ with {count:,} files, {size(row.bytes)}"
    text = {"dir": f"{one.path}/", "symlink": f"{one.path} -> {one.target}"}.get(
        one.kind, f"{one.path} {size(one.size)}"
    )
    return f"{text}{_more(one)}"


def _more(one: File) -> str:
    """The package and the reason of a file, where they are known."""
    package = f" [{one.package}]" if one.package else ""
    return f"{package}: {one.why}" if one.why else package


def _changes(one: Changed) -> Iterator[str]:
    """What differs at a path, with both values."""
    old, new = one.old, one.new
    for what in one.what:
        if what != "content":
            yield f"{what} {getattr(old, what) or 'none'} → {getattr(new, what) or 'none'}"
        elif old.size == new.size:
            yield f"content, {size(old.size)}"
        else:
            yield f"content {size(old.size)} → {size(new.size)}"


def _layers(found: Comparison) -> str:
    pushed = found.layers.pushed
    total = len(pushed) + found.layers.kept
    moved = size(sum(one.size for one in pushed))
    return f"layers: a push moves {len(pushed)} of {total}, {moved}"


def _layer(one: LayerRecord) -> str:
    short = (one.digest or one.diff_id).rpartition(":")[2][:_DIGEST]
    return f"{short} {size(one.size)}{f' {one.created_by}' if one.created_by else ''}"


# --- Markdown ---


def markdown(found: Comparison) -> Iterator[str]:
    """The lines of a comment on a merge request."""
    yield f"### {_cell(found.old.place)} → {_cell(found.new.place)}"
    yield ""
    if found.equal:
        yield "No difference."
        return
    yield "| | old | new |"
    yield "|---|---|---|"
    yield f"| name | {_cell(_names(found.old))} | {_cell(_names(found.new))} |"
    yield f"| files | {found.old.files:,} | {found.new.files:,} |"
    growth = _growth(found.new.bytes - found.old.bytes)
    yield f"| bytes | {size(found.old.bytes)} | {size(found.new.bytes)} ({growth}) |"
    if found.layers.pushed:
        yield ""
        yield f"{_layers(found)[:1].upper()}{_layers(found)[1:]}."
    yield from _table("Config", ("key", "old", "new"), map(_setting, found.config))
    yield from _table("Packages", ("package", "old", "new", "files"), map(_cells, found.packages))
    for title, files in (("Added", found.added), ("Removed", found.removed)):
        yield from _table(title, ("path", "what"), (_path_cells(row) for row in rows(files)))
    changed = ((_code(one.path), _cell(", ".join(_changes(one)))) for one in found.changed)
    yield from _table("Changed", ("path", "what"), changed)


def _names(side: Side) -> str:
    return ", ".join(one for one in (*side.names, side.platform) if one)


def _setting(one: Setting) -> tuple[str, ...]:
    return _code(one.key), _code(_value(one.old)), _code(_value(one.new))


def _cells(one: PackageChange) -> tuple[str, ...]:
    return _cell(one.name), _cell(one.old or "–"), _cell(one.new or "–"), _growth(one.growth)  # noqa: RUF001 - a dash


def _path_cells(row: _Row) -> tuple[str, ...]:
    path = f"{row.file.path}{'/' if row.file.kind == 'dir' else ''}"
    return _code(path), _cell(_row(row).removeprefix(path).lstrip(" :"))


def _table(title: str, head: tuple[str, ...], found: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A table with a heading, nothing without rows; a long one is folded."""
    body = [f"| {' | '.join(cells)} |" for cells in found]
    if not body:
        return
    yield from ("", f"#### {title} ({len(body):,})", "")
    if len(body) > _LONG:
        yield from ("<details><summary>all</summary>", "")
    yield from (f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body)
    if len(body) > _LONG:
        yield from ("", "</details>")


def _cell(text: str) -> str:
    """A text that stays in its cell, and says nothing to Markdown or HTML."""
    for one in "\\`*_{}[]<>#|~@!":
        text = text.replace(one, f"\\{one}")
    return " ".join(text.split()) or " "


def _code(text: str) -> str:
    """A text as code: in as many backticks as it takes, and on one line."""
    longest = 1
    while "`" * longest in text:
        longest += 1
    ticks = "`" * longest
    pad = " " if "`" in text else ""
    return f"{ticks}{pad}{' '.join(text.split()) or ' '}{pad}{ticks}".replace("|", "\\|")
