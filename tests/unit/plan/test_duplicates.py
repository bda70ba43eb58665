"""Files with the same bytes are one file in a layer, where nothing changes them apart."""

import pytest
from msgspec.structs import replace

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.image import layers
from rootfs_builder.plan import Reason, duplicates, hard_links
from tests import trees

BLOCK = b"x" * 4096
LARGE = b"x" * (layers.UNIT + 1)


def linked(*entries, parts=None):
    """The further names of the files in the whole plan, and those in each part."""
    whole = trees.of_entries(entries)
    parts = (whole,) if parts is None else tuple(map(trees.of_entries, parts))
    whole, parts = duplicates.linked(whole, parts, unit=layers.UNIT, facts=FileFacts())
    return hard_links(whole.entries), [hard_links(part.entries) for part in parts]


@pytest.mark.parametrize("data", [BLOCK, LARGE], ids=["a block", "two units"])
def test_equal_files_are_links_to_the_first_by_path(data):
    entries = [trees.file(path, data) for path in ("/usr/c", "/usr/a/b", "/usr/b", "/lib/x")]
    found = dict.fromkeys(("/usr/a/b", "/usr/b", "/usr/c"), "/lib/x")
    assert linked(*entries) == (found, [found])


@pytest.mark.parametrize(
    "other",
    [
        trees.file("/usr/b", b"x" * 4095 + b"y"),
        trees.file("/usr/b", BLOCK, mode=0o755),
        replace(trees.file("/usr/b", BLOCK), uid=1),
        replace(trees.file("/usr/b", BLOCK), gid=1),
        replace(trees.file("/usr/b", BLOCK), capability=b"c" * 20),
        trees.file("/etc/b", BLOCK),
        trees.file("/var/lib/b", BLOCK),
        trees.file("/home/b", BLOCK),
        replace(trees.file("/usr/b", BLOCK), reasons=(Reason("NEEDED", "/usr/a", "libb.so"),)),
    ],
    ids=["bytes", "mode", "owner", "group", "capability", "/etc", "/var", "/home", "a library"],
)
def test_files_stay_apart(other):
    assert linked(trees.file("/usr/a", BLOCK), other) == ({}, [{}])


def test_files_below_a_block_stay_apart():
    assert linked(*(trees.file(path, BLOCK[1:]) for path in ("/usr/a", "/usr/b"))) == ({}, [{}])


def test_the_last_byte_of_a_large_file_counts():
    other = trees.file("/usr/b", LARGE[:-1] + b"y")
    assert linked(trees.file("/usr/a", LARGE), other) == ({}, [{}])


def test_no_link_leads_into_another_layer():
    below = [trees.file(path, BLOCK) for path in ("/usr/a", "/usr/c")]
    above = [trees.file(path, BLOCK) for path in ("/usr/b", "/usr/d")]
    found = {"/usr/c": "/usr/a"}, {"/usr/d": "/usr/b"}
    assert linked(*below, *above, parts=(below, above)) == (found[0] | found[1], list(found))


def test_names_of_a_file_stay_its_names():
    one = trees.file("/usr/b", BLOCK)
    entries = [one, replace(one, path="/usr/c"), trees.file("/usr/a", BLOCK)]
    assert linked(*entries)[0] == {"/usr/b": "/usr/a", "/usr/c": "/usr/a"}


def test_the_size_counts_the_bytes_once():
    whole = trees.of_entries(trees.file(path, BLOCK) for path in ("/usr/a", "/usr/b"))
    assert whole.size == 8192
    whole, _ = duplicates.linked(whole, (whole,), unit=layers.UNIT, facts=FileFacts())
    assert whole.size == 4096
