"""A destination is as it was or complete; what dead runs left goes, what live ones hold stays."""

import contextlib
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rootfs_builder import output
from rootfs_builder.errors import OutputError, UsageError
from rootfs_builder.filesystem.content import NO_STAMP, stamp


@pytest.fixture
def out(tmp_path):
    (tmp_path / "d").mkdir()
    return tmp_path / "d" / "x.tar"


def write(out, data=b"new", *, keep=False):
    with output.file(str(out), keep=keep) as file:
        file.stream.write(data)


def beside(out):
    return sorted(os.listdir(out.parent))


def test_a_file_is_there_when_the_block_ends_and_not_before(out):
    with output.file(str(out)) as file:
        file.stream.write(b"new")
        file.stream.flush()
        assert not out.exists()
    assert out.read_bytes() == b"new"
    assert beside(out) == ["x.tar"]


@pytest.mark.parametrize(
    "error", [ZeroDivisionError, UsageError, KeyboardInterrupt, SystemExit, GeneratorExit]
)
def test_after_an_error_everything_is_as_it_was(out, error):
    out.write_bytes(b"old")
    with pytest.raises(error), output.file(str(out)) as file:  # noqa: PT012
        file.stream.write(b"half of it")
        raise error
    assert out.read_bytes() == b"old"
    assert beside(out) == ["x.tar"]


def test_the_file_can_be_read_while_it_is_written(out):
    with output.file(str(out)) as file:
        file.stream.write(b"abc")
        file.stream.seek(0)
        assert file.stream.read() == b"abc"


KILLED = """
import os, signal, sys
from rootfs_builder import output
with output.file(sys.argv[1]) as file:
    file.stream.write(b"half of it")
    file.stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_is_removed_by_the_next(out):
    out.write_bytes(b"old")
    subprocess.run([sys.executable, "-c", KILLED, out], check=False)
    assert len(beside(out)) == 2
    assert out.read_bytes() == b"old"
    write(out)
    assert beside(out) == ["x.tar"]
    assert out.read_bytes() == b"new"


def test_what_a_live_run_holds_is_kept(out):
    with output.file(str(out)) as file:
        file.stream.write(b"slow")
        write(out, b"quick")
        assert out.read_bytes() == b"quick"
        assert len(beside(out)) == 2
    assert out.read_bytes() == b"slow"
    assert beside(out) == ["x.tar"]


@pytest.mark.parametrize(
    "name",
    [".y.tar.01234567.tmp", ".x.tar.0123456.tmp", ".x.tar.0123456X.tmp", ".xxtar.01234567.tmp"],
)
def test_files_that_only_look_like_leftovers_are_kept(out, name):
    (out.parent / name).touch()
    write(out)
    assert beside(out) == sorted([name, "x.tar"])


@pytest.mark.parametrize("make", [os.mkdir, lambda path: os.symlink("/etc/passwd", path)])
def test_a_leftover_that_is_no_file_is_kept(out, make):
    make(out.parent / ".x.tar.01234567.tmp")
    write(out)
    assert len(beside(out)) == 2


def test_a_link_stays_and_what_it_points_to_is_replaced(out):
    real = out.parent.parent / "elsewhere"
    real.mkdir()
    (real / "y.tar").write_bytes(b"old")
    out.symlink_to("../elsewhere/y.tar")
    write(out)
    assert out.is_symlink()
    assert (real / "y.tar").read_bytes() == b"new"
    assert os.listdir(real) == ["y.tar"]
    assert beside(out) == ["x.tar"]


def test_a_link_to_nothing_makes_what_it_points_to(out):
    out.symlink_to("y.tar")
    write(out)
    assert (out.parent / "y.tar").read_bytes() == b"new"
    assert out.is_symlink()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002, 0])
def test_permissions_are_the_umasks(out, umask):
    before = os.umask(umask)
    try:
        write(out)
        with output.directory(str(out.parent / "tree")):
            pass
    finally:
        os.umask(before)
    assert out.stat().st_mode & 0o7777 == 0o666 & ~umask
    assert (out.parent / "tree").stat().st_mode & 0o7777 == 0o777 & ~umask


def test_a_relative_destination(out, monkeypatch):
    monkeypatch.chdir(out.parent)
    with output.file("x.tar"):
        pass
    with output.directory("tree/"):
        pass
    assert beside(out) == ["tree", "x.tar"]


def test_a_name_of_no_encoding(out):
    with output.file(f"{out.parent}/\udcff") as file:
        file.stream.write(b"x")
    assert os.listdir(os.fsencode(out.parent)) == [b"\xff"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkdir, "a directory; name a file"),
        (os.mkfifo, "not a regular file; to write into a pipe use -o -"),
        (lambda path: os.symlink("/dev/null", path), "not a regular file"),
        (lambda path: os.symlink(path, path), "cannot be written: "),
    ],
)
def test_a_destination_that_is_no_file_is_refused_and_kept(out, make, words):
    make(out)
    kind = os.lstat(out).st_mode
    with pytest.raises(OutputError, match=words) as refused:
        write(out)
    assert str(refused.value).startswith(f"{out}: ")
    assert os.lstat(out).st_mode == kind
    assert beside(out) == ["x.tar"]


def test_a_destination_in_no_directory_is_refused(out):
    for path, words in (
        (out / "y", "a component of its path"),
        (out.parent / "no/y", "does not exist"),
    ):
        out.touch()
        with pytest.raises(OutputError, match=words):
            write(path)
        with (
            pytest.raises(OutputError, match=words),
            output.directory(str(path)),
        ):
            pass


def test_a_full_disk_is_said_in_words_and_leaves_the_old_file(out):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    out.write_bytes(b"old")
    with (  # noqa: PT012
        pytest.raises(OutputError, match="the disk is full"),
        output.file(str(out)) as file,
        open("/dev/full", "wb") as full,
    ):
        os.dup2(full.fileno(), file.stream.fileno())
        file.stream.write(b"x" * 100_000)
    assert out.read_bytes() == b"old"
    assert beside(out) == ["x.tar"]


def test_a_name_as_long_as_names_may_be(out):
    path = out.with_name("n" * 255)
    write(path)
    assert path.read_bytes() == b"new"


def test_a_directory_is_there_when_the_block_ends_and_not_before(out):
    tree = out.parent / "tree"
    with output.directory(str(tree)) as temporary:
        assert os.path.dirname(temporary) == str(out.parent)
        with open(f"{temporary}/f", "w"):
            pass
        assert not tree.exists()
    assert os.listdir(tree) == ["f"]
    assert beside(out) == ["tree"]


def test_after_an_error_no_directory_is_there(out):
    tree = out.parent / "tree"
    with pytest.raises(KeyboardInterrupt), output.directory(str(tree)) as temporary:  # noqa: PT012
        os.mkdir(f"{temporary}/d")
        with open(f"{temporary}/d/f", "w"):
            pass
        raise KeyboardInterrupt
    assert beside(out) == []


def test_an_empty_directory_is_filled_and_a_link_to_one_kept(out):
    (out.parent / "empty").mkdir()
    (out.parent / "link").symlink_to("empty")
    with output.directory(str(out.parent / "link")) as temporary, open(f"{temporary}/f", "w"):
        pass
    assert os.listdir(out.parent / "empty") == ["f"]
    assert (out.parent / "link").is_symlink()


@pytest.mark.parametrize("make", [lambda p: (p / "f").touch(), lambda p: p.rmdir() or p.touch()])
def test_what_is_no_empty_directory_is_refused_and_kept(out, make):
    tree = out.parent / "tree"
    tree.mkdir()
    make(tree)
    with (
        pytest.raises(OutputError, match="exists and is not an empty directory"),
        output.directory(str(tree)),
    ):
        pytest.fail("it began to write")
    assert beside(out) == ["tree"]


def test_the_root_is_no_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    began = False
    with contextlib.suppress(OutputError), output.directory("/"):
        began = True
    assert not began


def layout(folder, *blobs, images=1, more=()):
    """What an OCI layout looks like from outside: an index that leads to blobs by their names."""
    (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    for name in blobs:
        (folder / "blobs/sha256" / name).write_text(name)
    for name in ("oci-layout", *more):
        (folder / name).write_text("{}")
    manifests = [{"digest": name} for name in blobs[:images]]
    (folder / "index.json").write_text(json.dumps({"manifests": manifests, "blobs": blobs}))
    return folder


def leads_to(folder):
    """The blobs of a layout, all of which must be there, whole."""
    blobs = json.loads((folder / "index.json").read_text())["blobs"]
    for name in blobs:
        assert (folder / "blobs/sha256" / name).read_text() == name
    return blobs


def replace(old, *blobs, more=()):
    with output.layout(str(old)) as new:
        layout(Path(new), *blobs, more=more)
        before = old.exists() and leads_to(old)
    assert leads_to(old) == list(blobs)
    return before


def test_a_layout_takes_the_place_of_nothing_of_an_empty_directory_and_of_a_layout(out):
    old = out.parent / "layout"
    assert replace(old, "a", "b", more=("rootfs-builder.json",)) is False
    inode = old.stat().st_ino
    assert replace(old, "b", "c") == ["a", "b"]
    assert old.stat().st_ino == inode
    assert sorted(os.listdir(old)) == ["blobs", "index.json", "oci-layout"]
    assert sorted(os.listdir(old / "blobs/sha256")) == ["b", "c"]
    assert beside(out) == ["layout"]
    (out.parent / "empty").mkdir()
    with output.layout(str(out.parent / "empty")) as new:
        layout(Path(new), "a")
    assert leads_to(out.parent / "empty") == ["a"]


def test_after_an_error_the_old_layout_is_as_it_was(out):
    old = layout(out.parent / "layout", "a", "b")
    with pytest.raises(KeyboardInterrupt), output.layout(str(old)) as new:  # noqa: PT012
        layout(Path(new), "b", "c")
        raise KeyboardInterrupt
    assert leads_to(old) == ["a", "b"]
    assert sorted(os.listdir(old / "blobs/sha256")) == ["a", "b"]
    assert beside(out) == ["layout"]


@pytest.mark.parametrize("step", range(12))
def test_whenever_it_is_killed_a_layout_is_the_old_one_or_the_new(out, step, monkeypatch):
    old = layout(out.parent / "layout", "a", "b")
    left = step

    def killed(call):
        def perform(*given, **named):
            nonlocal left
            left -= 1
            if left == -1:
                raise KeyboardInterrupt
            return call(*given, **named)

        return perform

    with contextlib.suppress(KeyboardInterrupt), output.layout(str(old)) as new:
        layout(Path(new), "b", "c")
        for name in ("rename", "unlink", "listdir"):
            monkeypatch.setattr(os, name, killed(getattr(os, name)))
    monkeypatch.undo()
    assert leads_to(old) in (["a", "b"], ["b", "c"])
    assert replace(old, "d") in (["a", "b"], ["b", "c"])
    assert os.listdir(old / "blobs/sha256") == ["d"]
    assert beside(out) == ["layout"]


@pytest.mark.parametrize(
    "make",
    [
        lambda p: layout(p, "a", "b", images=2),
        lambda p: layout(p, "a", more=("notes.txt",)),
        lambda p: p.mkdir() or (p / "f").touch(),
        lambda p: layout(p, "a") and (p / "oci-layout").unlink(),
        lambda p: layout(p, "a") and (p / "index.json").write_text("[]"),
        lambda p: p.touch(),
    ],
)
def test_what_is_no_layout_of_one_image_is_refused_and_kept(out, make):
    old = out.parent / "layout"
    make(old)
    before = sorted((str(one), one.stat().st_mtime_ns) for one in [old, *old.rglob("*")])
    with (
        pytest.raises(OutputError, match="neither an empty directory nor an OCI layout"),
        output.layout(str(old)),
    ):
        pytest.fail("it began to write")
    assert before == sorted((str(one), one.stat().st_mtime_ns) for one in [old, *old.rglob("*")])


def test_two_runs_at_one_layout_end_with_one_of_them(out):
    old = out.parent / "layout"
    with output.layout(str(old)) as slow:
        layout(Path(slow), "slow")
        assert replace(old, "quick") is False
    assert leads_to(old) == ["slow"]
    assert os.listdir(old / "blobs/sha256") == ["slow"]


@pytest.mark.parametrize("keep", [False, True])
def test_a_file_with_the_same_bytes_stays_where_it_is_to_be_kept(out, keep):
    out.write_bytes(b"new")
    os.utime(out, (1, 1))
    with output.file(str(out), keep=keep) as file:
        file.stream.write(b"new")
    assert (out.stat().st_mtime == 1) is keep
    assert beside(out) == ["x.tar"]


@pytest.mark.parametrize("old", [b"", b"ne", b"now", b"newer"])
def test_a_file_with_other_bytes_is_replaced(out, old):
    out.write_bytes(old)
    before = out.stat().st_ino
    with out.open("rb"):  # or its inode could be that of the new one
        write(out, keep=True)
    assert out.stat().st_ino != before
    assert out.read_bytes() == b"new"


def test_a_difference_behind_the_first_piece_is_seen(out):
    data = bytes(output._PIECE)
    out.write_bytes(data + b"a")
    write(out, data + b"b", keep=True)
    assert out.read_bytes() == data + b"b"


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_to_stay_stays_as_if_it_were_written_now_or_with_its_time(out, keep):
    out.write_bytes(b"old")
    os.utime(out, (1, 1))
    before = out.stat()
    with output.file(str(out), keep=keep) as file:
        assert file.stamp == stamp(before)
        file.stream.write(b"new")
        assert file.stay()
    assert (out.read_bytes(), out.stat().st_ino) == (b"old", before.st_ino)
    assert (out.stat().st_mtime == 1) is keep
    assert file.stamp == stamp(out.stat())
    assert beside(out) == ["x.tar"]


def test_nothing_can_stay_where_nothing_is(out):
    with output.file(str(out)) as file:
        assert file.stamp == NO_STAMP
        assert not file.stay()
        file.stream.write(b"new")
    assert out.read_bytes() == b"new"
    assert file.stamp == stamp(out.stat())


def test_a_file_whose_time_is_not_ours_to_set_is_replaced(out, monkeypatch):
    def refused(*_):
        raise PermissionError

    out.write_bytes(b"old")
    monkeypatch.setattr(os, "utime", refused)
    with output.file(str(out)) as file:
        assert not file.stay()
        file.stream.write(b"new")
    assert out.read_bytes() == b"new"


@pytest.mark.parametrize("keep", [False, True])
def test_what_changes_during_a_run_does_not_stay_and_is_never_stamped(out, keep):
    out.write_bytes(b"old")
    with output.file(str(out), keep=keep) as file:
        out.write_bytes(b"odd")
        assert not file.stay()
        file.stream.write(b"new")
    assert out.read_bytes() == b"new"
    with output.file(str(out), keep=keep) as file:
        assert file.stay()
        os.truncate(out, 1)
    assert file.stamp != stamp(out.stat())


def test_what_is_gone_during_a_run_is_written(out):
    out.write_bytes(b"old")
    with output.file(str(out)) as file:
        out.unlink()
        assert not file.stay()
        file.stream.write(b"new")
    assert out.read_bytes() == b"new"


def test_a_file_of_another_mode_than_a_new_one_has_is_replaced(out):
    out.write_bytes(b"old")
    out.chmod(0o600)
    with output.file(str(out)) as file:
        assert not file.stay()
        file.stream.write(b"new")
    (out.parent / "new").touch()
    assert out.stat().st_mode == (out.parent / "new").stat().st_mode


def test_the_stamp_is_never_that_of_what_another_run_put_there(out):
    out.write_bytes(b"old")
    with output.file(str(out)) as slow:
        assert slow.stay()
        write(out, b"of the other")
    assert out.read_bytes() == b"of the other"
    assert slow.stamp != stamp(out.stat())


@pytest.mark.parametrize("call", ["fsync", "dup", "rename"])
@pytest.mark.parametrize("old", [b"old", None])
def test_what_fails_before_the_rename_leaves_the_old_file(out, monkeypatch, call, old):
    if old:
        out.write_bytes(old)
    monkeypatch.setattr(os, call, failing(errno.ENOSPC))
    with pytest.raises(OutputError, match="the disk is full; the old file, if any, is untouched"):
        write(out)
    assert (out.read_bytes() if out.exists() else None) == old
    assert beside(out) == (["x.tar"] if old else [])


def failing(number, *, on=lambda *_: True, then=None):
    """A system call that fails with an error where `on` says so, after `then` is done."""

    def call(*given, **named):
        if not on(*given):
            return then(*given, **named)
        raise OSError(number, os.strerror(number))

    return call


def test_the_bytes_are_on_the_disk_and_a_descriptor_closed_before_the_rename(out, monkeypatch):
    done = []

    def noted(name):
        call = getattr(os, name)

        def perform(*given):
            done.append(name)
            return call(*given)

        return perform

    for name in ("fsync", "dup", "close", "rename"):
        monkeypatch.setattr(os, name, noted(name))
    with output.file(str(out)) as file:
        file.stream.write(b"new")
        done.clear()
    assert done[:4] == ["fsync", "dup", "close", "rename"]


def test_a_file_system_without_fsync_is_none_the_worse(out, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    write(out)
    assert out.read_bytes() == b"new"


def test_what_fails_after_the_rename_is_no_failure(out, monkeypatch):
    out.write_bytes(b"old")
    with output.file(str(out)) as file:
        file.stream.write(b"new")
        rename = os.rename

        def renamed(*names):
            rename(*names)
            monkeypatch.setattr(os, "fstat", failing(errno.EIO))
            os.close(file.stream.fileno())  # so its own close fails

        monkeypatch.setattr(os, "rename", renamed)
    monkeypatch.undo()
    assert out.read_bytes() == b"new"
    assert file.stamp == NO_STAMP


@pytest.mark.parametrize("make", [output.directory, output.layout])
def test_a_temporary_directory_that_cannot_be_opened_is_removed_at_once(out, monkeypatch, make):
    opened = os.open

    def is_temporary(path, *_, **__):
        return bytes(path).endswith(b".tmp")

    monkeypatch.setattr(os, "open", failing(errno.EMFILE, on=is_temporary, then=opened))
    with pytest.raises(OutputError, match="Too many open files"), make(str(out.parent / "new")):
        pytest.fail("it began to write")
    assert beside(out) == []


def test_a_temporary_file_that_cannot_be_looked_at_is_removed_at_once(out, monkeypatch):
    def is_temporary(path, *_, **__):
        return isinstance(path, bytes) and path.endswith(b".tmp")

    monkeypatch.setattr(os, "stat", failing(errno.EIO, on=is_temporary, then=os.stat))
    with pytest.raises(OutputError, match="Input/output error"):
        write(out)
    assert beside(out) == []


def test_a_directory_whose_directories_may_not_be_written_is_removed(out):
    with pytest.raises(KeyboardInterrupt), output.directory(str(out.parent / "new")) as new:  # noqa: PT012
        os.makedirs(f"{new}/a/b/c")
        for name in ("a/b/c", "a/b", "a"):
            os.chmod(f"{new}/{name}", 0o555)  # noqa: S103 - as in images
        raise KeyboardInterrupt
    assert beside(out) == []


def test_a_layout_whose_old_blobs_cannot_be_removed_is_there_with_a_remark(out, monkeypatch):
    old = layout(out.parent / "layout", "a", "b")
    said = []
    with output.layout(str(old), said.append) as new:
        layout(Path(new), "b", "c", more=("rootfs-builder.json",))
        monkeypatch.setattr(os, "unlink", failing(errno.EIO))
    monkeypatch.undo()
    assert leads_to(old) == ["b", "c"]
    (sentence,) = said
    assert sentence == (
        f"{old}: the new image is there, but files of the old one stay: Input/output error; "
        "the next run removes them"
    )
    assert replace(old, "d") == ["b", "c"]
    assert os.listdir(old / "blobs/sha256") == ["d"]


@pytest.mark.parametrize("name", ["c", "oci-layout", "index.json"])
def test_a_layout_that_cannot_be_replaced_is_as_it_was(out, monkeypatch, name):
    old = layout(out.parent / "layout", "a", "b", more=("rootfs-builder.json",))
    (old / "rootfs-builder.json").write_text("of the old")

    def is_it(_, place):
        return place.endswith(f"/{name}".encode())

    with pytest.raises(OutputError, match="the old file, if any, is untouched"):  # noqa: PT012, SIM117
        with output.layout(str(old)) as new:
            layout(Path(new), "b", "c", more=("rootfs-builder.json",))
            monkeypatch.setattr(os, "rename", failing(errno.ENOSPC, on=is_it, then=os.rename))
    monkeypatch.undo()
    assert leads_to(old) == ["a", "b"]
    assert sorted(os.listdir(old / "blobs/sha256")) == ["a", "b"]
    assert (old / "rootfs-builder.json").read_text() == "of the old"
    assert beside(out) == ["layout"]


@pytest.mark.parametrize("target", ["precious", "nothing"])
def test_a_link_that_is_there_for_realpath_alone_is_not_followed(out, monkeypatch, target):
    (out.parent / "precious").write_bytes(b"mine")
    realpath = os.path.realpath

    def swapped(path, *given, **named):
        if path != os.fsencode(out):
            return realpath(path, *given, **named)
        out.unlink(missing_ok=True)
        out.symlink_to(target)
        try:
            return realpath(path, *given, **named)
        finally:
            out.unlink()
            out.write_bytes(b"of the other")

    monkeypatch.setattr(os.path, "realpath", swapped)
    with pytest.raises(OutputError, match="a link that keeps changing"):
        write(out)
    assert (out.parent / "precious").read_bytes() == b"mine"
    assert beside(out) == ["precious", "x.tar"]


def test_a_link_that_the_kernel_does_not_follow_is_refused(out, monkeypatch):
    """As fs.protected_symlinks has it: tests/test_output_safety.py has the real one."""
    out.symlink_to("precious")
    opened = os.open

    def is_out(path, *_, **__):
        return path == os.fsencode(out)

    monkeypatch.setattr(os, "open", failing(errno.EACCES, on=is_out, then=opened))
    words = "a link that the kernel does not follow: Permission denied; name its target"
    for make in (output.file, output.directory, output.layout):
        with pytest.raises(OutputError, match=words), make(str(out)):
            pytest.fail("it began to write")
    assert beside(out) == ["x.tar"]


def test_runs_that_replace_what_a_link_leads_to_do_not_hinder_each_other(out, monkeypatch):
    out.symlink_to("real")
    realpath, left = os.path.realpath, [3]

    def replaced(path, *given, **named):
        try:
            return realpath(path, *given, **named)
        finally:
            if path == os.fsencode(out) and left[0]:
                left[0] -= 1
                (out.parent / "new").write_bytes(b"of the other")
                (out.parent / "new").rename(out.parent / "real")

    monkeypatch.setattr(os.path, "realpath", replaced)
    write(out)
    assert (out.parent / "real").read_bytes() == b"new"
    assert beside(out) == ["real", "x.tar"]


def test_a_pipe_that_only_proc_names_is_not_replaced():
    reader, writer = os.pipe()
    try:
        with pytest.raises(OutputError, match="not a regular file; to write into a pipe use -o -"):
            write(Path(f"/proc/self/fd/{writer}"))
    finally:
        os.close(reader)
        os.close(writer)
