"""Layers: the rules of facts/oci-archives.md ("Layer tar"), and the same bytes every time."""

import gzip
import io
import os
import random
import zlib

import pytest
from msgspec.structs import replace

from rootfs_builder.errors import InputError
from rootfs_builder.findings import Code, hint
from rootfs_builder.image import LAYER, LAYER_GZIP, LAYER_ZSTD, layers
from rootfs_builder.image.store import Store
from rootfs_builder.image.tar import MAX_TIME
from rootfs_builder.plan import Plan
from rootfs_builder.recipe.codec import DEFAULT_LEVELS, Codec
from tests import trees

KIB, MIB = 1 << 10, 1 << 20
MERGED = {
    "/usr/": "dir 0755",
    "/usr/lib/": "dir 0711",
    "/lib": "symlink usr/lib",
    "/usr/lib/libc.so.6": "file 0755 libc",
    "/usr/lib/libc.so": "file 0644 a linker script",
    "/a": "file 0600 first of all by path",
    "/usr/lib/m.so": "hardlink /usr/lib/libc.so.6",
    "/tmp/": "dir 1777",  # noqa: S108 - the image's
}


def blob(plan, **options):
    store = Store(io.BytesIO())
    layer = layers.pack(plan, store, **options)
    start = store.blobs[layer.descriptor.digest].offset
    return store.file.getvalue()[start : start + layer.descriptor.size]


def packed(plan, **options):
    """The tar in a layer."""
    return gzip.decompress(blob(plan, **options))


def members(plan):
    """The gzip members of a layer: (compressed, content)."""
    rest = blob(plan)
    found = []
    while rest:
        one = zlib.decompressobj(wbits=31)
        content = one.decompress(rest) + one.flush()
        found.append((rest[: len(rest) - len(one.unused_data)], content))
        rest = one.unused_data
    return found


def contents(plan):
    return [content for _, content in members(plan)]


def headers(plan, **options):
    return list(trees.opened(packed(plan, **options)))


def test_the_tree_in_a_layer_is_the_plan():
    plan = trees.plan(MERGED)
    assert trees.of_tar(packed(plan)) == trees.of_plan(plan)


def test_rule_1_no_path_twice():
    with pytest.raises(InputError, match="two entries for one path"):
        Plan((trees.file("/a", b""), trees.file("/a", b"")))


def test_rule_2_every_parent_is_written_before_what_it_holds():
    plan = trees.plan({"/a/b/c/d": "file 0644 x", "/a/b/": "dir 0700", "/e/f": "symlink x"})
    names = [header.name for header in headers(plan)]
    assert names == ["a", "a/b", "a/b/c", "e", "e/f", "a/b/c/d"]
    with pytest.raises(InputError, match="/a is not a directory"):
        Plan((trees.file("/a/b", b""),))


def test_rule_3_a_hard_link_comes_after_its_target_with_the_same_mode():
    found = {header.name: index for index, header in enumerate(headers(trees.plan(MERGED)))}
    modes = {header.name: header.mode for header in headers(trees.plan(MERGED))}
    assert found["usr/lib/m.so"] > found["usr/lib/libc.so.6"]
    assert modes["usr/lib/m.so"] == modes["usr/lib/libc.so.6"] == 0o755


def test_rule_4_directories_then_links_then_files():
    kinds = [header.type for header in headers(trees.plan(MERGED))]
    assert kinds == sorted(kinds, key=b"5201".index)
    with pytest.raises(InputError, match="/lib is not a directory"):
        trees.plan({"/lib": "symlink usr/lib", "/lib/b.so": "file 0644 x"})


def test_rule_5_no_name_that_deletes():
    with pytest.raises(InputError, match=r"starts with \.wh\."):
        trees.plan({"/usr/.wh.lib": "file 0644 x"})


def test_rule_6_pax_records_belong_to_one_entry_and_nothing_is_sparse():
    plan = trees.plan({"/" + "n" * 150: "file 0644 x", "/ä": "symlink ö", "/z": "file 0644 "})
    data = packed(plan)
    kinds = [data[start + 156 : start + 157] for start in range(0, len(data), 512)]
    assert b"g" not in kinds
    assert b"S" not in kinds
    assert [sorted(header.pax_headers) for header in headers(plan)] == [
        ["linkpath", "path"],
        ["path"],
        [],
    ]


@pytest.mark.parametrize("epoch", [0, 1, 1700000000, MAX_TIME])
def test_rule_7_every_time_is_the_epoch_as_an_integer(epoch):
    plan = trees.plan(MERGED | {"/" + "n" * 150: "file 0644 "})
    assert {header.mtime for header in headers(plan, epoch=epoch)} == {epoch}
    assert not any("mtime" in header.pax_headers for header in headers(plan, epoch=epoch))


@pytest.mark.parametrize("epoch", [-1, MAX_TIME + 1])
def test_rule_7_a_time_that_readers_take_for_another_is_refused(epoch):
    with pytest.raises(InputError, match="does not fit"):
        blob(trees.plan(MERGED), epoch=epoch)


@pytest.mark.parametrize("tree", [{}, MERGED, {"/x": "file 0644 " + "x" * 70000}])
def test_rule_7_two_zero_blocks_end_it(tree):
    data = packed(trees.plan(tree))
    assert len(data) % 512 == 0
    assert data[-1024:] == bytes(1024)
    last = data[:-1024].rstrip(b"\0")
    assert len(data) - 1024 - len(last) < 512 + 512 * bool(tree)


def test_rule_8_no_device_nodes_and_tmp_stays_sticky():
    found = {header.name: header for header in headers(trees.plan(MERGED))}
    assert found["tmp"].mode == 0o1777
    assert not any(header.isdev() for header in found.values())


def test_rule_9_everything_belongs_to_root_and_no_name_is_written():
    owners = {(h.uid, h.gid, h.uname, h.gname) for h in headers(trees.plan(MERGED))}
    assert owners == {(0, 0, "", "")}


def test_the_descriptor_says_what_the_blob_is():
    plan = trees.plan(MERGED)
    for name, media_type in (("gzip", LAYER_GZIP), ("zstd", LAYER_ZSTD), ("none", LAYER)):
        store = Store(io.BytesIO())
        layer = layers.pack(plan, store, codec=Codec(name, DEFAULT_LEVELS[name]))
        assert layer.descriptor.media_type == media_type
        assert layer.descriptor.digest in store.blobs
        assert layer.diff_id == layers.pack(plan, store).diff_id


def test_no_codec_gives_the_same_tar():
    plan = trees.plan(MERGED)
    assert blob(plan, codec=Codec("none", 0)) == packed(plan)


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_a_plans_entries_changes_no_byte(seed):
    plan = trees.plan(MERGED)
    entries = list(plan.entries)
    random.Random(seed).shuffle(entries)
    entries.sort(key=lambda entry: entry.path.count("/"))
    assert blob(Plan(tuple(entries))) == blob(plan)


def test_reasons_and_findings_change_no_byte():
    plan = trees.plan(MERGED)
    bare = tuple(replace(entry, reasons=()) for entry in plan.entries)
    finding = hint(Code.RULE_HINT, "x")
    other = Plan(bare, ("/a",), (("A", "B"),), (finding,))
    assert blob(other) == blob(plan)


def test_the_same_bytes_as_when_this_test_was_written():
    layer = layers.pack(trees.plan(MERGED), Store(io.BytesIO()))
    assert layer.diff_id == (
        "sha256:d57578f6a7820f8bd028b79f49fe0ed5837a00de0ec99f6d177ff3654c7a7ed8"
    )
    assert layer.descriptor.digest == (
        "sha256:e37c9004bcd26340762a9d12cb8bf4cc29f9b72bd017b416934b9cb37b493d16"
    )


@pytest.mark.parametrize("cores", [1, 2, 7])
def test_the_number_of_cores_changes_no_byte(monkeypatch, cores):
    plan = trees.of_entries([large(f"/{name}", 3 * MIB // 2) for name in "abcd"])
    expected = blob(plan)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert blob(plan) == expected


def large(path, size, *, edit=None):
    data = bytearray(bytes(range(256)) * (size // 256 + 1))[:size]
    if edit is not None:
        data[edit] ^= 0xFF
    return trees.file(path, bytes(data))


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (0, [512 + 1024]),
        (64 * KIB - 1, [512 + 64 * KIB + 1024]),
        (64 * KIB, [512, 64 * KIB, 1024]),
        (64 * KIB + 1, [512, 64 * KIB + 1, 511 + 1024]),
        (MIB - 1, [512, MIB - 1, 1 + 1024]),
        (MIB, [512, MIB, 1024]),
        (MIB + 1, [512, MIB, 1, 511 + 1024]),
        (2 * MIB, [512, MIB, MIB, 1024]),
    ],
)
def test_a_unit_is_at_most_a_mebibyte_of_one_file(size, sizes):
    plan = trees.of_entries([large("/f", size)])
    assert [len(content) for content in contents(plan)] == sizes
    assert trees.of_tar(packed(plan)) == trees.of_plan(plan)


def test_small_files_share_units_of_about_a_mebibyte():
    plan = trees.of_entries([trees.file(f"/{n:03}", b"x" * 60000) for n in range(40)])
    sizes = [len(content) for content in contents(plan)]
    assert len(sizes) == 3
    assert all(MIB <= size < MIB + 64 * KIB for size in sizes[:-1])


@pytest.mark.parametrize("offset", [0, MIB - 1, MIB, 3 * MIB // 2 - 1])
def test_an_edit_of_a_large_file_changes_its_own_unit_only(offset):
    others = [large("/a", 100_000), large("/c", 100_000), trees.file("/d", b"d")]
    before = members(trees.of_entries([*others, large("/b", 3 * MIB // 2)]))
    after = members(trees.of_entries([*others, large("/b", 3 * MIB // 2, edit=offset)]))
    changed = [
        index for index, (old, new) in enumerate(zip(before, after, strict=True)) if old != new
    ]
    b = 3  # the header of /a, /a, the header of /b
    assert changed == [b + offset // MIB]


def test_a_large_file_that_grows_moves_no_other_unit():
    before = contents(trees.of_entries([large("/a", 100_000), large("/b", 200_000)]))
    after = contents(trees.of_entries([large("/a", 100_001), large("/b", 200_000)]))
    assert before[3:] == after[3:]
    assert [len(one) for one in before[1::2]] == [100_000, 200_000]


def test_progress_counts_every_byte_of_the_tar():
    plan = trees.of_entries([large("/a", 3 * MIB), trees.file("/b", b"b")])
    told = []
    data = packed(plan, progress=told.append)
    assert sum(told) == len(data)
