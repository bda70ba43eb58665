"""Replay the article and write docs/article.json and docs/article.md.

With --check nothing is written: it fails when a row that should run does not, one that should fail
runs, a size is more than 10 % off, or the page is not that of the data. Without --engines, --check
looks at the page alone. Named rows alone are replayed.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.quest import bases, page, replay

CHECKOUT = Path(__file__).resolve().parent.parent.parent
DATA = CHECKOUT / "docs/article.json"
PAGE = CHECKOUT / "docs/article.md"
TOLERANCE = 0.10


def measure(only: list[str]) -> dict[str, Any]:
    """All rows, replayed."""
    table, pitfalls = replay.rows()
    kinds = {"rows": table, "pitfalls": pitfalls}
    data: dict[str, Any] = {"machine": page.machine()}
    for kind, some in kinds.items():
        data[kind] = {}
        for row in some:
            if not only or row.tag in only:
                data[kind][row.tag] = replay.replay(row)
                print(f"{row.tag}: {json.dumps(data[kind][row.tag], ensure_ascii=False)}")
    data["small"] = replay.small()
    return data


def numbers(data: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """All sizes of the data, each with where it is."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from numbers(value, f"{path}/{key}")
    elif isinstance(data, int):
        yield path, data


def compare(known: Any, now: Any) -> list[str]:
    """The sizes that differ by more than the tolerance, and rows that only one has."""
    before, after = dict(numbers(known)), dict(numbers(now))
    lines = [f"{path}: only once" for path in sorted(before.keys() ^ after.keys())]
    for path in sorted(before.keys() & after.keys()):
        if abs(after[path] - before[path]) > TOLERANCE * before[path]:
            lines.append(f"{path}: was {before[path]}, is {after[path]}")
    return lines


def _with_rows(data: dict[str, Any], only: list[str]) -> dict[str, Any]:
    """The data of these rows alone, of all if none is named."""
    some = {
        kind: {tag: one for tag, one in data[kind].items() if not only or tag in only}
        for kind in ("rows", "pitfalls")
    }
    return data | some


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--engines", action="store_true", help="with --check: replay the rows")
    parser.add_argument("--keep", action="store_true", help="keep the images of the bases")
    parser.add_argument("only", nargs="*", metavar="ROW", help="replay these alone")
    options = parser.parse_args()
    if options.check and PAGE.read_text() != page.render(json.loads(DATA.read_text())):
        sys.exit("docs/article.md is not that of docs/article.json; run scripts/article")
    if options.check and not options.engines:
        return
    try:
        data = measure(options.only)
    except replay.QuestError as error:
        sys.exit(str(error))
    finally:
        replay.remove()
        if not options.keep:
            bases.remove()
    if options.check:
        wrong = compare(_with_rows(json.loads(DATA.read_text()), options.only), data)
        if wrong:
            sys.exit("\n".join(["docs/article.json: run scripts/article", *wrong]))
    elif not options.only:
        DATA.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        PAGE.write_text(page.render(data))


if __name__ == "__main__":
    main()
