"""FileFacts: known as long as a file stays as it was, and no longer."""

import os
import time

import pytest

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.filesystem.root import BytesSource, DirectoryRoot
from rootfs_builder.paths import ImagePath

LATER = 10**10  # nanoseconds


@pytest.fixture
def file(tmp_path):
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


def test_a_file_that_may_change_within_the_same_tick_is_not_kept(file):
    facts = FileFacts()
    counted(facts, source(file))
    assert counted(FileFacts(saved(facts, file, after=10**9)), source(file)) == (b"found", 1)


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
