"""A plan on the disk is what its layer holds, whoever writes it and whatever the umask."""

import gzip
import io
import os

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from rootfs_builder.errors import ChangedError, OutputError
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.image import layers
from rootfs_builder.image.store import Store
from rootfs_builder.plan import Plan, stage
from tests import trees

TREE = {
    "/usr/": "dir 0755",
    "/usr/lib/": "dir 0555",
    "/usr/lib/a.so": "file 0444 a",
    "/usr/lib/b.so": "hardlink /usr/lib/a.so",
    "/lib": "symlink usr/lib",
    "/gone": "symlink /nowhere/at/all",
    "/secret/": "dir 0000",
    "/secret/x": "file 0000 x",
    "/tmp/": "dir 1777",  # noqa: S108 - the tree's
    "/\udcff": "file 0755 name of no encoding",
}


@pytest.fixture
def umask_077():
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def ordinary():
    """A directory of an ordinary user, as whom the test then runs."""
    with trees.scratch() as top:
        if os.geteuid() != 0:
            yield top
            return
        os.chown(top, 65534, 65534)
        os.seteuid(65534)
        try:
            yield top
        finally:
            os.seteuid(0)


@pytest.fixture
def top():
    with trees.scratch() as made:
        yield made


def untar(plan, top):
    store = Store(io.BytesIO())
    layers.pack(plan, store, epoch=99)
    (blob,) = store.blobs.values()
    data = gzip.decompress(store.file.getvalue()[blob.offset : blob.offset + blob.size])
    with trees.opened(data) as tar:
        tar.extraction_filter = lambda member, _: member
        tar.extractall(top)


@settings(max_examples=30)
@given(plan=trees.plans())
def test_what_is_staged_is_what_the_layer_unpacks_to(plan):
    with trees.scratch() as one, trees.scratch() as other:
        stage.write(plan, one)
        untar(plan, other)
        assert trees.of_directory(one) == trees.of_directory(other) == trees.of_plan(plan)


def test_a_tree_on_the_disk_is_the_plan(top):
    plan = trees.plan(TREE)
    stage.write(plan, top)
    if os.geteuid() == 0:  # nobody else may look into /secret
        assert trees.of_directory(top) == trees.of_plan(plan)
    assert os.readlink(f"{top}/gone") == "/nowhere/at/all"
    assert os.stat(f"{top}/usr/lib/a.so").st_nlink == 2


@pytest.mark.usefixtures("umask_077")
def test_a_umask_changes_no_mode(top):
    stage.write(trees.plan(TREE), top)
    assert modes(top) == EXPECTED


EXPECTED = {"usr": 0o755, "usr/lib": 0o555, "usr/lib/a.so": 0o444, "secret": 0, "tmp": 0o1777}


def modes(top):
    return {path: os.lstat(f"{top}/{path}").st_mode & 0o7777 for path in EXPECTED}


def test_an_ordinary_user_writes_the_same_modes_and_content(ordinary):
    plan = trees.plan(TREE)
    stage.write(plan, ordinary, epoch=5)
    assert modes(ordinary) == EXPECTED
    assert {os.lstat(f"{ordinary}/{path}").st_mtime for path in EXPECTED} == {5}
    with open(f"{ordinary}/usr/lib/b.so") as stream:
        assert stream.read() == "a"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_owner_is_set_before_the_mode_that_it_would_change(top):
    entry = trees.file("/f", b"f")
    owned = trees.Entry("/g", "file", 0o4755, trees.WHY, entry.content, uid=3, gid=4)
    stage.write(Plan((entry, owned)), top)
    info = os.stat(f"{top}/g")
    assert info.st_mode & 0o7777 == 0o4755
    assert (info.st_uid, info.st_gid) == (3, 4)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            {"uid": 7, "gid": 8},
            "/%0A: its owner, 7:8, cannot be set: .*; run stage as root, .*pack",
        ),
        (
            {"capability": capabilities.parse("cap_net_raw+ep")},
            "/%0A: its capabilities, cap_net_raw=ep, cannot be set: .*--cap /%0A=none",
        ),
    ],
    ids=["owner", "capability"],
)
def test_an_ordinary_user_is_told_what_only_root_may_set(ordinary, facts, words):
    one = replace(trees.file("/\n", b"x"), **facts)
    with pytest.raises(OutputError, match=words):
        stage.write(Plan((one,)), ordinary)


def test_an_ordinary_user_sets_what_is_that_users_own(ordinary):
    own = replace(trees.file("/f", b"x"), uid=os.geteuid(), gid=os.getegid())
    stage.write(Plan((own,)), ordinary)


@pytest.mark.parametrize("epoch", [0, 1700000000, 2**33 - 1])
def test_every_time_is_the_epoch_links_and_directories_too(top, epoch):
    stage.write(trees.plan(TREE), top, epoch=epoch)
    found = [
        os.lstat(os.path.join(here, name))
        for here, directories, files in os.walk(os.fsencode(top))
        for name in directories + files
    ]
    assert len(found) >= len(TREE) - 1  # whoever is not root sees nothing in /secret
    assert {info.st_mtime_ns for info in found} == {epoch * 10**9}


def test_nothing_there_is_written_over(top):
    with open(f"{top}/f", "w") as stream:
        stream.write("old")
    with pytest.raises(FileExistsError):
        stage.write(trees.plan({"/f": "file 0644 new"}), top)
    with open(f"{top}/f") as stream:
        assert stream.read() == "old"


def test_a_file_that_changed_since_is_refused(tmp_path, top):
    (tmp_path / "f").write_text("one")
    content = DirectoryRoot(str(tmp_path)).open("/f")
    (tmp_path / "f").write_text("two!")
    with pytest.raises(ChangedError):
        stage.write(Plan((trees.Entry("/f", "file", 0o644, trees.WHY, content),)), top)
