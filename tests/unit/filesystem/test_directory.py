"""What the system answers of a path, what it could not tell, and links that lead out."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from rootfs_builder.errors import ChangedError, InputError, ReadError
from rootfs_builder.filesystem.content import latest, read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.walk import Walker

ANSWERS = ("ENOENT", "EACCES", "EPERM", "ELOOP", "ENAMETOOLONG")
FAILURES = ("EIO", "ENOMEM", "EMFILE", "ENFILE", "ESTALE", "EINTR", "ENOTCONN")


@pytest.fixture
def top(tmp_path):
    (tmp_path / "top" / "d").mkdir(parents=True)
    (tmp_path / "top" / "d" / "f").write_text("inside")
    (tmp_path / "top" / "d" / "l").symlink_to("f")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").write_text("outside")
    return tmp_path / "top"


def fail(monkeypatch, call, number):
    def failing(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, failing)


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize(
    ("call", "ask"),
    [
        ("lstat", lambda root: Walker(root).walk("/d/f")),
        ("open", lambda root: Walker(root).walk("/d/f")),
        ("readlink", lambda root: Walker(root).walk("/d/l")),
        ("listdir", lambda root: root.list("/d")),
        ("open", lambda root: root.list("/d")),
        ("open", lambda root: read(root.open("/d/f"))),
        ("pread", lambda root: read(root.open("/d/f"))),
        ("getxattr", lambda root: root.capability("/d/f")),
    ],
)
def test_what_the_system_cannot_tell_is_no_answer(top, monkeypatch, name, call, ask):
    root = DirectoryRoot(str(top))
    number = getattr(errno, name)
    fail(monkeypatch, call, number)
    with pytest.raises(ReadError, match=f"^{top}.*: cannot be read: {os.strerror(number)}"):
        ask(root)
    assert not issubclass(ReadError, (InputError, OSError))  # which many take for an answer


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_lstat_is_where_a_walk_ends(top, monkeypatch, name):
    root = DirectoryRoot(str(top))
    fail(monkeypatch, "lstat", getattr(errno, name))
    assert Walker(root).walk("/d").errno == getattr(errno, name)


@pytest.mark.parametrize("name", ["EACCES", "EPERM", "ENOENT"])
def test_a_link_that_cannot_be_read_is_where_a_walk_ends(top, monkeypatch, name):
    root = DirectoryRoot(str(top))
    fail(monkeypatch, "readlink", getattr(errno, name))
    walk = Walker(root).walk("/d/l/x")
    assert (walk.errno, walk.steps) == (getattr(errno, name), ("/", "/d", "/d/l"))


def test_an_answer_names_the_whole_path(top, monkeypatch):
    root = DirectoryRoot(str(top))
    fail(monkeypatch, "listdir", errno.EACCES)
    with pytest.raises(PermissionError) as caught:
        root.list("/d")
    assert os.fsdecode(caught.value.filename) == f"{top}/d"


def swap(top):
    os.rename(top / "d", top / "old")
    (top / "d").symlink_to(top.parent / "outside")


@pytest.mark.parametrize(
    "ask",
    [
        lambda root: root.lstat("/d/f"),
        lambda root: root.list("/d"),
        lambda root: root.readlink("/d/l"),
    ],
)
def test_a_directory_that_became_a_link_is_not_entered(top, ask):
    root = DirectoryRoot(str(top))
    assert Walker(root).walk("/d").node.kind == "dir"
    swap(top)
    with pytest.raises((ChangedError, NotADirectoryError)):
        ask(root)


@pytest.mark.parametrize("ask", [read, lambda one: one.open()])
def test_a_file_below_a_link_that_was_a_directory_is_not_read(top, ask):
    seen = DirectoryRoot(str(top)).open("/d/f")
    swap(top)
    with pytest.raises(ChangedError):
        ask(seen)


def test_the_latest_of_a_file_is_never_outside(top):
    seen = DirectoryRoot(str(top)).open("/d/f")
    swap(top)
    with pytest.raises(ChangedError):
        latest(seen)


def test_the_latest_of_a_file_is_the_one_of_its_name(top):
    seen = DirectoryRoot(str(top)).open("/d/f")
    (top / "new").write_text("newer")
    os.rename(top / "new", top / "d" / "f")
    assert read(latest(seen)) == b"newer"
    os.unlink(top / "d" / "f")
    assert read(latest(seen)) == b""


def test_a_link_that_became_a_file_is_a_change(top):
    root = DirectoryRoot(str(top))
    root.lstat("/d/l")
    os.unlink(top / "d" / "l")
    Path(top / "d" / "l").touch()
    with pytest.raises(ChangedError):
        root.readlink("/d/l")


def test_a_root_keeps_one_descriptor_and_gives_it_back(top):
    root = DirectoryRoot(str(top))
    for path in ("/d/f", "/d/l", "/x", "/d"):
        root.lstat(path)
        root.list("/d")
    assert opened_below(top) == [str(top)]
    del root
    assert opened_below(top) == []


def opened_below(top):
    """The files below a directory that this process has open; others come and go."""
    paths = []
    for one in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            paths.append(os.readlink(f"/proc/self/fd/{one}"))
    return [one for one in paths if one == str(top) or one.startswith(f"{top}/")]
