"""What an image of others may cost: each limit where it is compared, and what is read once."""

import gzip
import json
import os
import tempfile
from collections import Counter

import pytest
import zstandard
from msgspec import Struct
from msgspec.structs import fields, replace

from rootfs_builder.errors import InputError, LimitError
from rootfs_builder.filesystem.content import BytesSource, read
from rootfs_builder.image import Descriptor, Layer, archives, digests, streams
from rootfs_builder.image.archives import members as archive_members
from rootfs_builder.image.limits import NO_LIMITS, Limits, Meter
from rootfs_builder.image.unpack import Reader
from tests.faults import archives as hostile

MiB = 1 << 20


def meter(size=None, **limits):
    return Meter(replace(Limits(), **limits), size)


def unpacked(*blobs, meter=None, diff_id=""):
    with tempfile.TemporaryFile() as scratch:
        layers = [Layer(Descriptor(), diff_id, BytesSource(blob)) for blob in blobs]
        return Reader(scratch, meter).unpacked(layers)


def tar(*names):
    return b"".join(hostile.member(name, b"x") for name in names) + bytes(1024)


def test_no_limit_is_left_without_limits():
    assert all(getattr(NO_LIMITS, one.name) > 1 << 60 for one in fields(NO_LIMITS))


def test_what_is_allowed_grows_with_the_archive_and_with_what_was_read_of_it():
    small = meter(size=1000)
    small.unpack(64 * MiB)
    with pytest.raises(LimitError, match="67,108,865 bytes that an archive of 1,000 bytes"):
        small.unpack(1)
    large = meter(size=1 << 30)
    large.unpack(8 << 30)
    with pytest.raises(LimitError):
        large.unpack(1)
    large = meter(size=1 << 30)
    large.unpack(50 << 30, 1 << 29)
    with pytest.raises(LimitError):
        meter(size=1000).unpack(65 * MiB, MiB)  # of an archive in an archive
    with pytest.raises(LimitError):
        meter(size=1 << 40).unpack((256 << 30) + 1, 1 << 40)


def test_a_preallocated_file_is_no_bomb():
    """A database of 500 MB that nobody has written to yet is 500 KB of gzip, or less."""
    ordinary = meter(size=1000)
    ordinary.unpack(64 * MiB)
    ordinary.unpack(1 << 30, 1000, zeros=True)
    with pytest.raises(LimitError, match="1,073,741,825 zero bytes that an archive of 1,000 bytes"):
        ordinary.unpack(1, zeros=True)
    zeros = gzip.compress(bytes(70 * MiB), 1)
    counted = meter(size=len(zeros), ratio=1)
    assert unpacked(gzip.compress(hostile.header(b"f", 70 * MiB)) + zeros, meter=counted)


def test_a_directory_has_the_size_of_its_layers():
    directory = meter()
    directory.blob(100 * MiB)
    directory.unpack(800 * MiB)
    with pytest.raises(LimitError):
        directory.unpack(1)


@pytest.mark.parametrize(
    ("limit", "most", "names"),
    [
        ("entries", 3, [b"a/b/c/d"]),
        ("paths", 10, [b"a/b/c"]),
        ("members", 2, [b"a", b"b", b"c"]),
    ],
)
def test_a_tree_has_its_limits(limit, most, names):
    with pytest.raises(LimitError, match=r"layer 1: .* are more than the limit of"):
        unpacked(tar(*names), meter=meter(**{limit: most}))
    assert unpacked(tar(*names), meter=meter(**{limit: most + 10}))


def test_members_of_a_blob_count_each_time_and_its_bytes_once():
    layer = gzip.compress(tar(b"a", b"b"))
    counted = meter(members=6, floor=4 * 1024, factor=1, ratio=1)
    assert unpacked(layer, meter=meter(members=2))
    with tempfile.TemporaryFile() as scratch:
        layers = [Layer(Descriptor(), "", BytesSource(layer))] * 3
        reader = Reader(scratch, counted)
        assert len(reader.unpacked(layers).plan.entries) == 2
        with pytest.raises(LimitError, match="layer 1: 8 members"):
            reader.unpacked(layers)


class Spied(Struct, frozen=True):
    """A source that counts who opens it."""

    data: bytes
    opened: Counter

    size = property(lambda self: len(self.data))
    identity = property(lambda self: id(self.opened))

    def open(self):
        self.opened[self.data] += 1
        return BytesSource(self.data).open()


def test_a_blob_is_verified_and_unpacked_once_for_all_images():
    blob = gzip.compress(tar(b"a"))
    source = Spied(blob, Counter())
    layer = Layer(Descriptor(digest=digests.of_bytes(blob)), "", source)
    with tempfile.TemporaryFile() as scratch:
        reader = Reader(scratch)
        for _ in range(5):
            (entry,) = reader.unpacked([layer, layer]).plan.entries
            assert reader.digest(entry.content) == digests.of_bytes(b"x")
    assert source.opened[blob] == 2  # to be hashed, and to be decompressed


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, bytes])
def test_a_layer_that_is_not_what_the_config_says_is_named(compress):
    good, bad = digests.of_bytes(tar(b"a")), digests.of_bytes(b"")
    assert unpacked(compress(tar(b"a")), diff_id=good)
    with pytest.raises(InputError, match="layer 1 is not what the config says") as raised:
        unpacked(compress(tar(b"a")), diff_id=bad)
    assert good in str(raised.value)
    assert bad in str(raised.value)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_bytes_behind_the_end_of_a_tar_count_and_are_part_of_its_digest(compress):
    padded = tar(b"a") + bytes(10_000)
    found = unpacked(compress(padded), diff_id=digests.of_bytes(padded))
    assert found.tars[0].size == len(padded)


def test_zeros_cost_no_disk_and_decompression_ends_at_the_limit():
    data = gzip.compress(hostile.header(b"f", 30 * MiB) + bytes(30 * MiB) + bytes(1024))
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as scratch:
        file.write(data)
        assert streams.decompressed(file, scratch, Meter()) is scratch
        assert len(scratch.read()) == 512 + 30 * MiB + 1024
        assert blocks(scratch) < MiB
    data = gzip.compress(b"A" * 30 * MiB)
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as scratch:
        file.write(data)
        with pytest.raises(LimitError):
            streams.decompressed(file, scratch, meter(size=len(data), floor=MiB))
        assert blocks(scratch) < 4 * MiB


def blocks(file):
    return os.fstat(file.fileno()).st_blocks * 512


def test_a_file_is_read_in_pieces_and_not_at_once():
    found = unpacked(tar(b"a"), meter=meter(whole=0))
    with pytest.raises(LimitError, match="1 bytes of /a, read at once, are more than"):
        read(found.plan.entries[0].content)


def layout(tmp_path, index, *blobs):
    path = tmp_path / "x.tar"
    path.write_bytes(b"".join(hostile.layout(index, *blobs)))
    return path


def read_layout(path, **limits):
    with path.open("rb") as file:
        return archives.read(archive_members.of_archive(file, meter(**limits)))


def named(data, kind, name):
    return {**hostile.described(data, kind), "annotations": {hostile.NAME: name}}


def test_an_image_that_is_listed_many_times_is_one_with_all_its_names(tmp_path):
    manifest, *blobs = hostile.small_image()
    inner = {"manifests": [hostile.described(manifest, "manifest.v1+json")]}
    index = json.dumps(inner).encode()
    listed = [
        named(index, "index.v1+json", "a:1"),
        named(manifest, "manifest.v1+json", "b:1"),
        named(index, "index.v1+json", "c:1"),
        hostile.described(index, "index.v1+json"),
    ]
    path = layout(tmp_path, {"manifests": listed}, index, manifest, *blobs)
    (image,) = read_layout(path)
    assert image.names == ("a:1", "b:1", "c:1")


@pytest.mark.parametrize(
    ("limit", "most"), [("images", 1), ("depth", 0), ("document", 50), ("documents", 300)]
)
def test_an_index_has_its_limits(tmp_path, limit, most):
    manifest, *blobs = hostile.small_image()
    index = json.dumps({"manifests": [hostile.described(manifest, "manifest.v1+json")]}).encode()
    listed = {"manifests": [hostile.described(index, "index.v1+json")]}
    path = layout(tmp_path, listed, index, manifest, *blobs)
    with pytest.raises(LimitError, match="are more than the limit of"):
        read_layout(path, **{limit: most})
    assert len(read_layout(path)) == 1


def test_layers_have_a_limit(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"".join(hostile.saved(tar(b"a"), layers=4)))
    with pytest.raises(LimitError, match="4 layers of an image are more than the limit of 3"):
        read_layout(tmp_path / "x.tar", layers=3)
