"""Content-addressed bytes: digests, one place for equal bytes, a compressor that is checked."""

import gzip
import hashlib
import io
import os
import time
from threading import Thread

import pytest

from rootfs_builder.cache import Cache
from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.content import BytesSource
from rootfs_builder.image import codecs
from rootfs_builder.image.store import FRONT, Store, Unit
from rootfs_builder.recipe.codec import Codec

GZIP = Codec("gzip", 6)


@pytest.fixture
def store():
    return Store(io.BytesIO())


def units(*pieces):
    return map(Unit, pieces)


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
    assert [blob.offset - FRONT for blob in blobs] == [512, 1024, 2048, 3072]
    assert store.end == FRONT + 3072 + 1024
    assert len(store.file.getvalue()) == store.end
    assert [kept(store, blob) for blob in blobs] == [b"x" * blob.size for blob in blobs]


def test_the_same_bytes_are_kept_once(store):
    first, between, again, last = (store.add(data) for data in (b"a", b"bb", b"a", b"ccc"))
    assert again == first
    assert list(store.blobs.values()) == [first, between, last]
    assert [kept(store, blob) for blob in (first, between, last)] == [b"a", b"bb", b"ccc"]
    assert last.offset == between.offset + 1024


def test_a_stream_that_is_there_already_is_kept_once(store):
    packed = store.compress(units(b"abc", b"def"), GZIP)
    end = store.end
    assert store.compress(units(b"abc", b"def"), GZIP) == packed
    assert store.end == end


def test_a_blob_that_exists_elsewhere_is_adopted_once_and_under_its_digest_alone(store):
    blob = store.adopt(BytesSource(b"hello"), sha256(b"hello"))
    assert kept(store, blob) == b"hello"
    assert store.adopt(BytesSource(b"hello"), blob.digest) == blob
    with pytest.raises(InputError, match="other bytes"):
        store.adopt(BytesSource(b"hello"), sha256(b"another"))


def test_no_codec_keeps_the_stream_as_it_is(store):
    packed = store.compress(units(b"abc", b"", b"def"), Codec("none", 0))
    blob, digest = packed.blob, packed.diff_id
    assert kept(store, blob) == b"abcdef"
    assert blob.digest == digest == sha256(b"abcdef")


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 40])
def test_gzip_gives_the_units_back_and_both_digests(store, count):
    pieces = [os.urandom(1000) + bytes(number * 100) for number in range(count)]
    packed = store.compress(units(*pieces), GZIP)
    blob, digest = packed.blob, packed.diff_id
    assert gzip.decompress(kept(store, blob)) == b"".join(pieces)
    assert digest == sha256(b"".join(pieces))
    assert blob.digest == sha256(kept(store, blob))


def test_a_member_is_the_same_wherever_it_stands(store):
    alone = store.compress(units(b"b" * 999), GZIP).blob
    among = store.compress(units(b"a" * 999, b"b" * 999, b"c" * 999), GZIP).blob
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
    pieces = [bytes([number]) * (number * 977) for number in range(200)]
    blob = store.compress(units(*pieces), codec).blob
    assert blob.digest == f"sha256:{digest}"


def test_progress_is_told_every_unit_in_order(store):
    told = []
    store.compress(units(*(b"a" * size for size in (5, 3, 9, 1, 7))), GZIP, told.append)
    assert told == [5, 3, 9, 1, 7]


def test_an_error_in_the_stream_comes_through_and_keeps_nothing(store):
    def failing():
        yield from units(*[b"x"] * 20)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.compress(failing(), GZIP)
    assert store.blobs == {}
    blob = store.add(b"after")
    assert blob.offset == FRONT + 512
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

    def counted():
        for number in range(100):
            ahead.append(number - written)
            yield Unit(b"x")

    Store(File()).compress(counted(), GZIP)
    assert max(ahead) < 12


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_no_more_units_are_compressed_at_once_than_there_may_be_threads(threads, monkeypatch):
    running, most = [], []

    def compressor(_):
        def compress(unit):
            running.append(unit)
            most.append(len(running))
            time.sleep(0.005)
            running.remove(unit)
            return unit

        return compress

    monkeypatch.setattr(codecs, "compressor", compressor)
    pieces = [bytes([number]) for number in range(30)]
    Store(io.BytesIO(), threads=threads).compress(units(*pieces), GZIP)
    assert max(most) == threads


@pytest.mark.parametrize("there", [0, 1, 2])
def test_where_there_are_no_threads_to_be_had_the_bytes_are_the_same(there, monkeypatch):
    pieces = [bytes([number]) * 5000 for number in range(20)]
    expected = Store(io.BytesIO(), threads=3)
    expected.compress(units(*pieces), GZIP)
    start, left = Thread.start, [None] * there

    def limited(thread):
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        start(thread)

    monkeypatch.setattr(Thread, "start", limited)
    store = Store(io.BytesIO(), threads=3)
    store.compress(units(*pieces), GZIP)
    assert store.file.getvalue() == expected.file.getvalue()


@pytest.mark.parametrize("count", [1, 30])
def test_an_error_of_a_thread_is_raised_and_not_tried_again(count, monkeypatch):
    tried = []

    def compress(unit):
        tried.append(unit)
        if len(tried) == count:
            raise ZeroDivisionError
        return unit

    monkeypatch.setattr(codecs, "compressor", lambda _: compress)
    with pytest.raises(ZeroDivisionError):
        Store(io.BytesIO(), threads=2).compress(units(*[b"x"] * 30), GZIP)
    assert tried.count(b"x") <= count + 5  # what was on its way already


UNITS = [os.urandom(40_000), b"small", b"x" * 100_000, os.urandom(100), os.urandom(70_000)]


@pytest.fixture
def cache(tmp_path):
    return Cache(str(tmp_path / "cache"), limit=10**9)


def compressed(cache, pieces=UNITS, codec=GZIP):
    """A store with these pieces in it, and what they became."""
    one = Store(io.BytesIO(), cache)
    return one, one.compress(units(*pieces), codec)


def digests(pieces=UNITS):
    return [hashlib.sha256(piece).digest() for piece in pieces]


@pytest.mark.parametrize("codec", [GZIP, Codec("gzip", 1), Codec("zstd", 3)])
def test_a_stream_is_recalled_as_it_was_compressed(cache, codec):
    first, packed = compressed(cache, codec=codec)
    plain = Store(io.BytesIO())
    assert plain.compress(units(*UNITS), codec).blob == packed.blob
    second = Store(io.BytesIO(), cache)
    second.add(b"something before it")
    again = second.recall(digests(), codec)
    assert second.fill()
    assert again.diff_id == packed.diff_id
    assert kept(second, again.blob) == kept(first, packed.blob)
    assert again.blob.digest == packed.blob.digest
    assert second.blobs[again.blob.digest] == again.blob
    assert second.recall(digests(), codec) == again  # kept once


def test_another_stream_or_codec_is_not_recalled(cache):
    compressed(cache)
    store = Store(io.BytesIO(), cache)
    assert store.recall(digests(UNITS[:-1]), GZIP) is None
    assert store.recall(digests(), Codec("gzip", 5)) is None
    assert store.blobs == {}


def test_what_is_recalled_is_written_when_it_is_filled_in_between_what_else_there_is(cache):
    _, packed = compressed(cache)
    store = Store(io.BytesIO(), cache)
    before, recalled, after = store.add(b"before"), store.recall(digests(), GZIP), store.add(b"z")
    assert kept(store, recalled.blob) != kept(*of(packed, cache))
    assert store.fill()
    assert kept(store, recalled.blob) == kept(*of(packed, cache))
    assert [kept(store, blob) for blob in (before, after)] == [b"before", b"z"]


def of(packed, cache):
    """A store that has compressed it again, and where it is there."""
    store, again = compressed(cache)
    assert again == packed
    return store, again.blob


@pytest.mark.parametrize("damage", [os.unlink, lambda path: os.truncate(path, 1000)])
def test_a_stream_of_which_something_is_lost_is_made_anew(cache, damage):
    _, packed = compressed(cache)
    damage(max(cache.entries(), key=lambda entry: entry.size).path)
    store = Store(io.BytesIO(), cache)
    assert store.recall(digests(), GZIP).blob == packed.blob
    assert not store.fill()
    store = Store(store.file, cache, rebuild=True)
    assert store.recall(digests(), GZIP) is None
    assert store.compress(units(*UNITS), GZIP) == packed
    assert store.fill()
    assert kept(store, packed.blob) == kept(*of(packed, cache))
    again = Store(io.BytesIO(), cache)
    assert again.recall(digests(), GZIP).blob == packed.blob
    assert again.fill()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x" * 200_000])
def test_members_of_another_size_are_neither_written_nor_believed_again(cache, change):
    _, packed = compressed(cache)
    largest = max(cache.entries(), key=lambda entry: entry.size)
    key = bytes.fromhex("".join(largest.path.decode().split("/")[-2:]))
    cache.put("member", key, change(bytes(cache.get("member", key))))
    store = Store(io.BytesIO(), cache)
    blob = store.recall(digests(), GZIP).blob
    after = store.add(b"what comes after it")
    assert not store.fill()
    assert kept(store, after) == b"what comes after it"
    store = Store(store.file, cache, rebuild=True)
    assert store.compress(units(*UNITS), GZIP).blob == blob == packed.blob
    assert gzip.decompress(kept(store, blob)) == b"".join(UNITS)


def test_only_what_is_new_is_compressed(cache, monkeypatch):
    compressed(cache)
    done = []
    make = codecs.compressor

    def counting(codec):
        compress = make(codec)
        return lambda unit: (done.append(unit), compress(unit))[1]

    monkeypatch.setattr(codecs, "compressor", counting)
    new = os.urandom(50_000)
    pieces = [UNITS[0], new, *UNITS[1:]]
    store, packed = compressed(cache, pieces)
    assert sorted(done, key=len) == [UNITS[1], UNITS[3], new]  # small ones are not worth a file
    assert gzip.decompress(kept(store, packed.blob)) == b"".join(pieces)


def test_what_another_version_remembered_is_not_used(cache, monkeypatch):
    compressed(cache)
    monkeypatch.setattr("rootfs_builder.image.store.__version__", "another")
    assert Store(io.BytesIO(), cache).recall(digests(), GZIP) is None


def test_a_record_that_is_none_is_not_used(cache):
    compressed(cache)
    (record,) = [entry for entry in cache.entries() if b"/layer/" in entry.path]
    key = bytes.fromhex("".join(record.path.decode().split("/")[-2:]))
    cache.put("layer", key, b"rubbish")
    assert Store(io.BytesIO(), cache).recall(digests(), GZIP) is None
