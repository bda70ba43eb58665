"""Content-addressed bytes: digests, one place for equal bytes, a compressor that is checked."""

import gzip
import hashlib
import io
import os

import pytest

from rootfs_builder.codecs import Codec
from rootfs_builder.store import Store

GZIP = Codec("gzip", 6)


@pytest.fixture
def store():
    return Store(io.BytesIO())


def kept(store, blob):
    return store.file.getvalue()[blob.offset : blob.offset + blob.size]


def sha256(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_blob_is_named_by_its_digest(store):
    blob = store.add(b"hello")
    assert (blob.digest, blob.size) == (sha256(b"hello"), 5)
    assert store.blobs == {blob.digest: blob}
    assert kept(store, blob) == b"hello"


def test_blobs_leave_room_for_a_tar_header_and_end_on_a_block(store):
    blobs = [store.add(b"x" * size) for size in (0, 1, 512, 513)]
    assert [blob.offset for blob in blobs] == [512, 1024, 2048, 3072]
    assert store.end == 3072 + 1024
    assert len(store.file.getvalue()) == store.end
    assert [kept(store, blob) for blob in blobs] == [b"x" * blob.size for blob in blobs]


def test_the_same_bytes_are_kept_once(store):
    first, between, again, last = (store.add(data) for data in (b"a", b"bb", b"a", b"ccc"))
    assert again == first
    assert list(store.blobs.values()) == [first, between, last]
    assert [kept(store, blob) for blob in (first, between, last)] == [b"a", b"bb", b"ccc"]
    assert last.offset == between.offset + 1024


def test_a_stream_that_is_there_already_is_kept_once(store):
    blob, digest = store.compress([b"abc", b"def"], GZIP)
    end = store.end
    assert store.compress([b"abc", b"def"], GZIP) == (blob, digest)
    assert store.end == end


def test_no_codec_keeps_the_stream_as_it_is(store):
    blob, digest = store.compress([b"abc", b"", b"def"], Codec("none", 0))
    assert kept(store, blob) == b"abcdef"
    assert blob.digest == digest == sha256(b"abcdef")


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 40])
def test_gzip_gives_the_units_back_and_both_digests(store, count):
    units = [os.urandom(1000) + bytes(number * 100) for number in range(count)]
    blob, digest = store.compress(iter(units), GZIP)
    assert gzip.decompress(kept(store, blob)) == b"".join(units)
    assert digest == sha256(b"".join(units))
    assert blob.digest == sha256(kept(store, blob))


def test_a_member_is_the_same_wherever_it_stands(store):
    alone, _ = store.compress([b"b" * 999], GZIP)
    among, _ = store.compress([b"a" * 999, b"b" * 999, b"c" * 999], GZIP)
    assert kept(store, alone) in kept(store, among)


@pytest.mark.parametrize("cores", [1, 2, 3, 64])
@pytest.mark.parametrize(
    ("codec", "digest"),
    [
        (GZIP, "6c165972c81a7720b52ce963563c18cb40f7875603b77071c47c6e142f73489e"),
        (Codec("zstd", 3), "f20ec8091cd61ccb3295eb2d3cfd571a7afc50d9a20419d6e864e2930e3fc2cf"),
    ],
)
def test_the_number_of_cores_changes_no_byte(store, monkeypatch, cores, codec, digest):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    units = [bytes([number]) * (number * 977) for number in range(200)]
    blob, _ = store.compress(units, codec)
    assert blob.digest == f"sha256:{digest}"


def test_progress_is_told_every_unit_in_order(store):
    told = []
    store.compress([b"a" * size for size in (5, 3, 9, 1, 7)], GZIP, told.append)
    assert told == [5, 3, 9, 1, 7]


def test_an_error_in_the_stream_comes_through_and_keeps_nothing(store):
    def units():
        yield from [b"x"] * 20
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.compress(units(), GZIP)
    assert store.blobs == {}
    blob = store.add(b"after")
    assert blob.offset == 512
    assert kept(store, blob) == b"after"


def test_units_are_not_all_held_at_once(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    written = 0
    ahead = []

    class File(io.BytesIO):
        def write(self, data):
            nonlocal written
            written += 1
            return super().write(data)

    def units():
        for number in range(100):
            ahead.append(number - written)
            yield b"x"

    Store(File()).compress(units(), GZIP)
    assert max(ahead) < 12
