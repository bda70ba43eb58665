"""The layout: every file is in one group, areas are bytes, and nothing overlaps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootfs_builder.views.report import treemap
from rootfs_builder.views.report.treemap import MORE, Weight

SIZES = st.dictionaries(
    st.text(max_size=3),
    st.lists(st.integers(0, 1 << 30) | st.just(1 << 63), min_size=1, max_size=40),
    max_size=80,
)


def numbered(sizes):
    count = iter(range(10**6))
    return {label: [Weight(next(count), one) for one in some] for label, some in sizes.items()}


def area(box):
    return box.width * box.height / 10_000**2


@settings(max_examples=60)
@given(SIZES)
def test_a_file_with_bytes_is_in_one_group_and_every_byte_is_in_a_tile(sizes):
    files = numbered(sizes)
    some = treemap.groups(files, rest="small groups")
    members = [number for group in some for number in group.members]
    assert len(members) == len(set(members))
    with_bytes = {one.number for each in files.values() for one in each if one.size}
    assert with_bytes <= set(members)
    for group in some:
        assert group.size == sum(tile.size for tile in group.tiles)
    assert sum(group.size for group in some) == sum(map(sum, sizes.values()))


@settings(max_examples=60)
@given(SIZES)
def test_areas_are_bytes_and_nothing_lies_on_another(sizes):
    some = treemap.groups(numbered(sizes), rest="small groups")
    whole = sum(group.size for group in some)
    for shape in ("wide", "tall"):
        disjoint([getattr(group, shape) for group in some])
        for group in some:
            assert area(getattr(group, shape)) == pytest.approx(group.size / whole, abs=0.002)
            disjoint([getattr(tile, shape) for tile in group.tiles])
            for tile in group.tiles:
                part = area(getattr(tile, shape))
                assert part == pytest.approx(tile.size / group.size, abs=0.002)


def disjoint(boxes):
    for one in boxes:
        assert 0 <= one.x <= one.x + one.width <= 10_000
        assert 0 <= one.y <= one.y + one.height <= 10_000
    total = sum(map(area, boxes))
    assert total == pytest.approx(1, abs=0.01) or not boxes
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            beside = one.x + one.width <= other.x + 1 or other.x + other.width <= one.x + 1
            below = one.y + one.height <= other.y + 1 or other.y + other.height <= one.y + 1
            assert beside or below


def test_small_files_are_one_tile_and_small_groups_one_group():
    files = numbered({"large": [10**6] * 9 + [1] * 500, "a": [5], "b": [6]})
    large, small = treemap.groups(files, rest="small groups")
    assert (large.label, small.label) == ("large", "2 small groups")
    (folded,) = (tile for tile in large.tiles if tile.file == MORE)
    assert folded.count == folded.size == 509 - (len(large.tiles) - 1)
    assert len(large.members) == 509


def test_an_image_of_thousands_of_files_has_hundreds_of_tiles():
    files = numbered({str(number): [1000] * 100 for number in range(50)})
    tiles = sum(len(group.tiles) for group in treemap.groups(files, rest="small groups"))
    assert 300 < tiles < 1000
