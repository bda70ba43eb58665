"""FileFacts: known as long as a file stays as it was, and no longer."""

import errno
import os
import time
from mmap import mmap

import pytest

from rootfs_builder.cache import file_facts, write_back
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import ReadError
from rootfs_builder.filesystem.content import BytesSource, FileSource, read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.paths import ImagePath

SECOND = 10**9  # nanoseconds
LATER = 71 * SECOND  # pages are written back after 30 to 35, and some more


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file on a disk, with the kernel's own times of writing back, wherever the tests run."""
    monkeypatch.setattr(write_back, "in_memory", lambda _: False)
    monkeypatch.setattr(write_back, "_KERNEL", "/nowhere/{}")
    path = tmp_path / "file"
    path.write_text("content")
    return path


def source(path):
    return DirectoryRoot().open(ImagePath(str(path)))


def counted(facts, which, name="fact"):
    """The fact as `find` would find it, and how often it was looked for."""
    calls = []

    def find():
        calls.append(1)
        return b"found"

    return facts.get_or_compute(which, name, bytes, find), len(calls)


def saved(facts, file, after=LATER):
    return facts.serialize(file.stat().st_ctime_ns + after)


def test_a_fact_is_found_once_in_a_run(file):
    facts = FileFacts()
    assert counted(facts, source(file)) == (b"found", 1)
    assert counted(facts, source(file)) == (b"found", 0)
    assert counted(facts, source(file), name="another") == (b"found", 1)


def test_generated_bytes_have_facts_for_one_run(file):
    facts = FileFacts()
    assert counted(facts, BytesSource(b"x")) == (b"found", 1)
    assert counted(facts, BytesSource(b"x")) == (b"found", 0)
    assert counted(facts, BytesSource(b"y")) == (b"found", 1)
    assert counted(FileFacts(saved(facts, file)), BytesSource(b"x")) == (b"found", 1)


def test_the_next_run_knows_them(file):
    facts = FileFacts()
    counted(facts, source(file))
    again = FileFacts(saved(facts, file))
    assert counted(again, source(file)) == (b"found", 0)
    assert again.get(source(file), "fact", bytes) == b"found"
    assert again.serialize(LATER) is None  # nothing new


def rewritten(path):
    """Other bytes of the same size, and the old mtime, as touch -r gives it."""
    before = path.stat()
    time.sleep(0.02)  # a tick of the file system's clock
    path.write_text("CONTENT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def replaced(path):
    copy = path.with_name("copy")
    copy.write_text("content")
    os.utime(copy, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    copy.rename(path)


def longer(path):
    path.write_text("content and more")


@pytest.mark.parametrize("change", [rewritten, replaced, longer])
def test_a_file_that_changed_has_none(file, change):
    facts = FileFacts()
    counted(facts, source(file))
    kept = saved(facts, file)
    change(file)
    assert counted(FileFacts(kept), source(file)) == (b"found", 1)


@pytest.mark.parametrize("change", [rewritten, replaced, longer])
def test_a_young_file_is_known_by_its_bytes(file, change):
    facts = FileFacts()
    counted(facts, source(file))
    kept = saved(facts, file, after=SECOND)
    assert counted(FileFacts(kept), source(file)) == (b"found", 0)
    change(file)
    same = file.read_text() == "content"
    assert counted(FileFacts(kept), source(file)) == (b"found", 0 if same else 1)


def test_a_file_in_memory_is_known_by_its_bytes_however_old_it_is(file, monkeypatch):
    monkeypatch.setattr(write_back, "unchanged_since", lambda _: lambda _: False)
    facts = FileFacts()
    counted(facts, source(file))
    kept = FileFacts(saved(facts, file))
    assert counted(kept, source(file)) == (b"found", 0)
    assert saved(kept, file) is None
    file.write_text("CONTENT")
    assert counted(FileFacts(saved(facts, file)), source(file)) == (b"found", 1)


def test_a_young_file_that_got_old_is_known_by_its_stamp_and_read_no_more(file, monkeypatch):
    facts = FileFacts()
    counted(facts, source(file))
    later = FileFacts(saved(facts, file, after=SECOND))
    counted(later, source(file))
    assert saved(later, file, after=SECOND) is None
    kept = FileFacts(saved(later, file))
    monkeypatch.setattr(FileSource, "open", None)
    assert counted(kept, source(file)) == (b"found", 0)
    assert saved(kept, file) is None


def test_a_young_file_that_changes_after_it_was_looked_at_is_not_kept(file):
    facts = FileFacts()
    looked_at = source(file)
    facts.put(looked_at, "fact", read(looked_at))
    rewritten(file)
    kept = FileFacts(saved(facts, file, after=SECOND))
    assert kept.get(source(file), "fact", bytes) is None


@pytest.mark.parametrize("call", ["open", "fstat", "pread"])
def test_a_young_file_that_cannot_be_read_any_more_is_not_kept(file, monkeypatch, call):
    """The output is in its place by then: whoever needs the bytes fails, and no other."""

    def fails(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    facts = FileFacts()
    looked_at = source(file)
    counted(facts, looked_at)
    with monkeypatch.context() as broken:
        broken.setattr(os, call, fails)
        with pytest.raises(ReadError, match="Input/output error"):
            read(looked_at)
        kept = saved(facts, file, after=SECOND)
    assert counted(FileFacts(kept), source(file)) == (b"found", 1)


def test_no_run_hashes_more_young_files_than_it_would_read_again(file, monkeypatch):
    monkeypatch.setattr(file_facts, "_HASHED", 10)
    other = file.with_name("other")
    other.write_text("another")
    facts = FileFacts()
    counted(facts, source(file))
    counted(facts, source(other))
    kept = FileFacts(saved(facts, file, after=SECOND))
    assert [counted(kept, source(one))[1] for one in (file, other)] == [0, 1]


@pytest.mark.parametrize("age", [-1, 0, 1, 30, 69])
def test_what_is_written_to_a_page_that_is_not_written_back_is_noticed(file, age):
    """The hole that the age is for: mmap(2) changes the bytes and not the stamp."""
    file.write_bytes(b"a" * 4096)
    with file.open("r+b") as stream, mmap(stream.fileno(), 4096) as pages:
        pages[0:1] = b"b"  # the page is dirty from now on
        seen = source(file)
        facts = FileFacts()
        assert facts.get_or_compute(seen, "fact", bytes, lambda: read(seen)) == b"b" + b"a" * 4095
        pages[0:1] = b"c"
        later = source(file)
        assert later.stamp == seen.stamp
        known = FileFacts(saved(facts, file, after=age * SECOND))
        again = known.get_or_compute(later, "fact", bytes, lambda: read(later))
    assert again == b"c" + b"a" * 4095


def test_what_no_run_wants_any_more_is_dropped(file, tmp_path):
    other = tmp_path / "other"
    other.write_text("other")
    facts = FileFacts()
    counted(facts, source(file))
    counted(facts, source(other))
    second = FileFacts(saved(facts, other))
    counted(second, source(file))
    counted(second, source(file), name="new")
    third = FileFacts(saved(second, other))
    assert counted(third, source(file)) == (b"found", 0)
    assert counted(third, source(other)) == (b"found", 1)


@pytest.mark.parametrize("kept", [b"", b"rubbish", b"\x81\xc4\1x\1", b"\x90"])
def test_what_is_no_record_of_facts_is_ignored(file, kept):
    assert counted(FileFacts(kept), source(file)) == (b"found", 1)


def test_a_fact_of_another_type_is_found_again(file):
    facts = FileFacts()
    facts.put(source(file), "fact", [1, 2])
    assert counted(FileFacts(saved(facts, file)), source(file)) == (b"found", 1)
