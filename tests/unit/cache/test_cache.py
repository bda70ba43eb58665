"""The cache: it may forget, and never gives bytes that it did not get."""

import os
import shutil
import subprocess
import sys
import zlib

import pytest

from rootfs_builder.cache import Cache

HOUR = 3600


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def cache(directory):
    return Cache(str(directory), limit=1000)


def the_file(directory):
    (found,) = [path for path in directory.rglob("*") if path.is_file()]
    return found


def test_what_was_put_is_got_by_this_run_and_the_next(cache, directory):
    cache.put("member", b"\1key", b"data")
    assert cache.get("member", b"\1key") == b"data"
    assert Cache(str(directory)).get("member", b"\1key") == b"data"


def test_what_is_longer_than_the_buffer_is_read_while_what_was_read_before_is_in_use(cache):
    cache.put("member", b"one", b"first")
    cache.put("member", b"two", b"second" * 100)
    buffer = bytearray(10)
    first = cache.get("member", b"one", buffer)
    assert first == b"first"
    assert cache.get("member", b"two", buffer) == b"second" * 100


def test_kinds_and_keys_are_told_apart(cache):
    cache.put("member", b"key", b"data")
    assert cache.get("layer", b"key") is None
    assert cache.get("member", b"another") is None


def place(directory, kind, key):
    name = key.hex()
    return directory / kind / name[:2] / name[2:]


@pytest.mark.parametrize("other", [("member", b"two"), ("layer", b"one"), ("layer", b"two")])
def test_an_entry_in_the_place_of_another_is_absent(cache, directory, other):
    cache.put("member", b"one", b"data")
    cache.put(*other, b"other")
    shutil.copy(place(directory, *other), place(directory, "member", b"one"))
    assert cache.get("member", b"one") is None
    assert cache.get(*other) == b"other"


def test_a_later_value_replaces_an_earlier(cache):
    cache.put("facts", b"key", b"old")
    cache.put("facts", b"key", b"new")
    assert cache.get("facts", b"key") == b"new"


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:-1] + bytes([data[-1] ^ 0x80]),
        lambda data: bytes(len(data)),
        lambda _: bytes(4),
        lambda data: data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little"),
    ],
    ids=[
        "empty",
        "cut",
        "longer",
        "a bit of the data",
        "a bit of the check",
        "zeros",
        "four zeros",
        "of an earlier version",
    ],
)
def test_a_damaged_entry_is_absent_and_can_be_put_again(cache, directory, damage):
    cache.put("member", b"key", b"some data")
    path = the_file(directory)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get("member", b"key") is None
    assert not path.exists()
    cache.put("member", b"key", b"some data")
    assert cache.get("member", b"key") == b"some data"


def directory_of(path):
    path.mkdir()


def unreadable(path):
    path.write_bytes(b"")
    path.chmod(0)


def sparse(path):
    path.write_bytes(b"")
    os.truncate(path, 1 << 42)


@pytest.mark.parametrize("make", [directory_of, os.mkfifo, unreadable, sparse])
def test_what_is_no_entry_at_an_entrys_place_is_absent(cache, directory, make):
    cache.put("member", b"key", b"some data")
    path = place(directory, "member", b"key")
    path.unlink()
    make(path)
    assert cache.get("member", b"key") is None
    cache.put("member", b"key", b"some data")
    assert cache.get("member", b"key") == b"some data"


def test_a_link_to_an_entry_is_absent_and_what_it_leads_to_stays(cache, directory, tmp_path):
    cache.put("member", b"key", b"some data")
    path = place(directory, "member", b"key")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.get("member", b"key") is None
    assert (tmp_path / "elsewhere").exists()


def given_away(path):
    os.chown(path, 12345, -1)


def opened_to_all(path):
    path.chmod(0o666)


@pytest.mark.parametrize("change", [given_away, opened_to_all])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_entry_that_others_may_write_is_absent(cache, directory, change):
    cache.put("member", b"key", b"some data")
    change(place(directory, "member", b"key"))
    assert cache.get("member", b"key") is None


def test_what_is_forgotten_is_absent(cache):
    cache.put("member", b"key", b"data")
    cache.forget("member", b"key")
    cache.forget("member", b"another")
    assert cache.get("member", b"key") is None


def test_without_a_directory_nothing_is_remembered_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").mkdir()
    (tmp_path / "member" / "ab").mkdir(parents=True)
    (tmp_path / "member" / "ab" / "cd").touch()
    before = sorted(tmp_path.rglob("*"))
    cache = Cache()
    assert not cache
    cache.put("member", b"key", b"data")
    cache.tidy()
    cache.clear()
    cache.forget("member", b"\xab\xcd")
    assert list(cache.entries()) == []
    assert cache.get("member", b"key") is None
    assert sorted(tmp_path.rglob("*")) == before


def test_a_directory_that_others_may_write_is_not_used(directory):
    directory.mkdir(mode=0o755)
    assert Cache(str(directory))
    directory.chmod(0o777)
    assert not Cache(str(directory))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_not_used(directory):
    directory.mkdir()
    os.chown(directory, 12345, 12345)
    assert not Cache(str(directory))


def test_a_path_that_cannot_be_a_directory_is_not_used(tmp_path):
    (tmp_path / "file").write_text("")
    assert not Cache(str(tmp_path / "file" / "cache"))


def test_entries_are_for_their_owner_alone(cache, directory):
    cache.put("member", b"key", b"data")
    assert the_file(directory).stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700


def test_an_error_while_writing_ends_the_remembering_and_leaves_nothing(cache, directory):
    cache.put("member", b"key", b"data")
    (directory / "layer").write_text("a file where a directory has to be")
    cache.put("layer", b"key", b"data")
    assert not cache
    assert cache.get("member", b"key") is None
    assert list((directory / "new").iterdir()) == []


def aged(directory, kind, key, age):
    path = place(directory, kind, key)
    path_time = path.stat().st_mtime - age
    os.utime(path, (path_time, path_time))


def test_what_was_wanted_longest_ago_is_forgotten_first(cache, directory):
    for number in range(10):
        key = bytes([number])
        cache.put("member", key + b"key", bytes(96))  # and 4 bytes of its check
        aged(directory, "member", key + b"key", age=(20 - number) * HOUR)
    cache.tidy()
    assert len(list(cache.entries())) == 10  # exactly the limit
    assert cache.get("member", b"\0key") is not None  # wanted again
    cache.put("member", b"another", bytes(96))
    cache.tidy()
    left = {number for number in range(10) if cache.get("member", bytes([number]) + b"key")}
    assert left == {0, 5, 6, 7, 8, 9}
    assert cache.get("member", b"another") is not None
    assert sum(entry.size for entry in cache.entries()) <= 750


def test_a_run_that_put_nothing_looks_for_nothing_to_forget(directory, cache):
    cache.put("member", b"key", bytes(5000))
    late = Cache(str(directory), limit=1000)
    late.tidy()
    assert len(list(late.entries())) == 1
    cache.tidy()
    assert list(cache.entries()) == []


def test_entries_are_counted_once_a_day_or_when_the_limit_may_be_passed(directory, monkeypatch):
    counted = []
    entries = Cache.entries
    monkeypatch.setattr(Cache, "entries", lambda one: (counted.append(one), entries(one))[1])
    for number in range(4):
        cache = Cache(str(directory), limit=1000)
        cache.put("member", bytes([number]) + b"key", bytes(96))
        cache.tidy()
    assert len(counted) == 1
    cache.put("member", b"large", bytes(900))
    cache.tidy()
    assert len(counted) == 2
    cache.started += 25 * 3600 * 10**9
    cache.put("member", b"small", b"")
    cache.tidy()
    assert len(counted) == 3


def test_what_is_written_over_and_over_makes_no_run_count_that_need_not(directory, monkeypatch):
    first = Cache(str(directory), limit=1000)
    for number in range(9):
        first.put("member", bytes([number]) + b"key", bytes(96))
    first.tidy()
    counted = []
    entries = Cache.entries
    monkeypatch.setattr(Cache, "entries", lambda one: (counted.append(one), entries(one))[1])
    for _ in range(20):
        cache = Cache(str(directory), limit=1000)
        cache.put("member", b"\0key", bytes(96))
        cache.tidy()
    assert 0 < len(counted) <= 20 * 100 / 250 + 1  # what a sweep makes room for is a quarter
    assert 500 < sum(entry.size for entry in entries(first)) <= 1000


FUTURE = b"1 %d" % (1 << 62)


@pytest.mark.parametrize("data", [b"", b"x", b"1", b"1 2 3", b"-", b"9" * 9999, FUTURE])
def test_a_count_that_is_none_is_made_again(cache, directory, data):
    (directory / "count").write_bytes(data)
    cache.put("member", b"key", bytes(5000))
    cache.tidy()
    assert list(cache.entries()) == []


def test_what_killed_runs_left_is_removed_once_it_is_old(cache, directory):
    for name, age in (("01d0", 2 * HOUR), ("abcd", 60), ("another's", 2 * HOUR)):
        path = directory / "new" / name
        path.write_bytes(b"x")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    cache.put("member", b"key", b"data")
    cache.tidy()
    left = sorted(path.name for path in (directory / "new").iterdir())
    assert left == ["abcd", "another's"]


@pytest.mark.parametrize("forget", [Cache.tidy, Cache.clear])
def test_what_others_have_in_the_directory_stays(cache, directory, forget):
    paths = [directory / path for path in ("new/notes", "src/ab/cd", "member/one", "x")]
    for path in paths:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("mine")
    cache.put("member", b"key", b"data")
    forget(cache)
    assert all(path.read_text() == "mine" for path in paths)


def test_clear_forgets_all(cache):
    cache.put("member", b"key", b"data")
    cache.put("layer", b"key", b"data")
    cache.clear()
    assert list(cache.entries()) == []
    assert cache.get("member", b"key") is None


WRITER = """
import sys
from rootfs_builder.cache import Cache
cache = Cache(sys.argv[1], limit=40_000)
for number in range(150):
    key = bytes([number % 8])
    found = cache.get("member", key)
    assert found is None or bytes(found) == key * 9000, "other bytes"
    cache.put("member", key, key * 9000)
    if number % 10 == 0:
        cache.tidy()
"""


def test_runs_beside_each_other_never_see_half_an_entry(directory):
    command = [sys.executable, "-c", WRITER, str(directory)]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(run.communicate()[1], run.returncode) for run in runs] == [("", 0)] * 4
    assert list((directory / "new").iterdir()) == []
