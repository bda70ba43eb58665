"""One fact that makes a rule hold, in words, with the paths that the words name."""

from collections.abc import Iterable

from msgspec import Struct


class Clue(Struct, frozen=True, order=True):
    """Why a rule holds, for a person; `paths` are the absolute paths in the text."""

    text: str
    paths: tuple[str, ...] = ()


def joined(clues: Iterable[Clue]) -> Clue:
    """Several clues as one."""
    clues = tuple(clues)
    paths = dict.fromkeys(path for one in clues for path in one.paths)
    return Clue(", ".join(one.text for one in clues), tuple(paths))
