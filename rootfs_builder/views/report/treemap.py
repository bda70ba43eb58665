"""Groups of files with their bytes → rectangles whose areas are the bytes: a treemap of two levels.

Each treemap is laid out twice, for a wide and for a tall page. A box is in parts of 10,000 of what
holds it: a group's of the map, a tile's of its group below the heading. What would be too small to
be seen is folded: small files of a group into one tile, small groups into one group.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import squarify
from msgspec import Struct

_SHAPES = ((1200, 740), (360, 560))  # pixels of the map, about: wide, tall
_HEADING = 20  # pixels of a group's heading
_WHOLE = 10_000
_FINEST = 10**7  # parts of the whole; none that is smaller can be seen
_SEEN = 0.0016  # of all bytes: a group of 34 by 34 pixels
_MOST_GROUPS = 48
_TILES = 600  # in all, shared by the bytes of the groups
_LEAST_TILES, _MOST_TILES = 8, 400  # of a group
MORE = -1  # in the place of a file's number: several small ones


class Weight(NamedTuple):
    """A file, by its number, and its bytes."""

    number: int
    size: int


class Box(Struct, frozen=True, array_like=True):
    """A rectangle in parts of 10,000 of what holds it."""

    x: int
    y: int
    width: int
    height: int


class Tile(Struct, frozen=True, array_like=True):
    """A file, or `count` small ones where `file` is MORE."""

    file: int
    size: int
    count: int
    wide: Box
    tall: Box


class Group(Struct, frozen=True, array_like=True):
    """Files that belong together; `members` are all their numbers, the largest first."""

    label: str
    size: int
    members: tuple[int, ...]
    wide: Box
    tall: Box
    tiles: tuple[Tile, ...]


def groups(files: Mapping[str, Sequence[Weight]], *, rest: str) -> tuple[Group, ...]:
    """Lay out groups of files by their labels; `rest` is the label of the small groups together."""
    found = {
        label: sorted(some, key=lambda one: (-one.size, one.number))
        for label, some in files.items()
    }
    large, small = _folded(found)
    if small:
        some = sorted((one for each in small for one in found[each]), key=lambda one: -one.size)
        label = f"{len(small)} {rest}"
        found[label] = some
        large = [*large, label]
    sizes = [sum(one.size for one in found[label]) for label in large]
    total = sum(sizes)
    boxes = [_boxes(sizes, *shape) for shape in _SHAPES]
    return tuple(
        _group(label, found[label], total, (boxes[0][number], boxes[1][number]))
        for number, label in enumerate(large)
        if sizes[number]
    )


def _folded(found: Mapping[str, Sequence[Weight]]) -> tuple[list[str], list[str]]:
    """The labels of the groups that are shown, the largest first, and of those that are folded."""
    sizes = {label: sum(one.size for one in some) for label, some in found.items()}
    total = sum(sizes.values())
    ranked = sorted(sizes, key=lambda label: (-sizes[label], label))
    large = [label for label in ranked[:_MOST_GROUPS] if sizes[label] >= total * _SEEN]
    small = ranked[len(large) :]
    return (ranked, []) if len(small) == 1 else (large, small)


def _group(
    label: str, files: Sequence[Weight], total: int, boxes: tuple["_Area", "_Area"]
) -> Group:
    whole = sum(one.size for one in files)
    many = max(_LEAST_TILES, min(_MOST_TILES, _TILES * whole // max(total, 1)))
    shown = [one for one in files[:many] if one.size]
    folded = files[len(shown) :]
    tiles = [(one.number, one.size, 1) for one in shown]
    size = sum(one.size for one in folded)
    if size:
        tiles.append((MORE, size, len(folded)))
        tiles.sort(key=lambda one: -one[1])
    inner = [_boxes([one[1] for one in tiles], *_below_heading(box)) for box in boxes]
    return Group(
        label,
        whole,
        tuple(one.number for one in files),
        boxes[0].box,
        boxes[1].box,
        tuple(
            Tile(file, size, count, wide.box, tall.box)
            for (file, size, count), wide, tall in zip(tiles, *inner, strict=True)
        ),
    )


class _Area(NamedTuple):
    box: Box
    width: float  # pixels
    height: float


def _below_heading(area: _Area) -> tuple[float, float]:
    return area.width, max(area.height - _HEADING, area.height / 2)


def _boxes(sizes: Sequence[int], width: float, height: float) -> list[_Area]:
    """The boxes of sizes that fall from one to the next; of 0 bytes it has no area.

    What is too small for floating point beside the others is taken for larger than it is.
    """
    least = sum(sizes) / _FINEST
    some = [max(one, least) for one in sizes if one]
    rectangles = squarify.squarify(
        squarify.normalize_sizes(some, width, height), 0, 0, width, height
    )
    found = [_area(one, width, height) for one in rectangles]
    return found + [_Area(Box(0, 0, 0, 0), 0, 0)] * (len(sizes) - len(some))


def _area(one: Mapping[str, float], width: float, height: float) -> _Area:
    x, y = round(one["x"] / width * _WHOLE), round(one["y"] / height * _WHOLE)
    right = round((one["x"] + one["dx"]) / width * _WHOLE)
    bottom = round((one["y"] + one["dy"]) / height * _WHOLE)
    return _Area(Box(x, y, right - x, bottom - y), one["dx"], one["dy"])
