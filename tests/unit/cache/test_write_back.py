"""Which files keep their times only as long as they keep their bytes."""

import os
import subprocess
import sys

import pytest

from rootfs_builder.cache import write_back
from rootfs_builder.filesystem.content import FileSource

SECOND = 10**9  # nanoseconds
NOW = 1_000_000 * SECOND
DISK = os.makedev(8, 1)
ANONYMOUS = os.makedev(0, 50)


@pytest.fixture
def mounts(monkeypatch):
    """Sets the kernel's files: the table of mounts, and its times of writing back."""
    files = {
        "/proc/sys/vm/dirty_expire_centisecs": b"3000\n",
        "/proc/sys/vm/dirty_writeback_centisecs": b"500\n",
    }

    def text(path):
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    def fill(*lines, **centiseconds):
        table = "".join(f"1 2 0:3 / {line}\n" for line in lines)
        files["/proc/self/mountinfo"] = table.encode()
        for name, value in centiseconds.items():
            files[f"/proc/sys/vm/dirty_{name}_centisecs"] = b"%d\n" % value

    monkeypatch.setattr(write_back, "_text", text)
    return fill


def tells(path="/a/file", *, age, device=DISK):
    at = NOW - age * SECOND
    source = FileSource(path.encode(), (device, 1, 1, at - SECOND, at))
    return write_back.unchanged_since(NOW)(source)


@pytest.mark.parametrize(
    ("centiseconds", "ages"),
    [
        ({}, (69, 71)),
        ({"expire": 60_000, "writeback": 6_000}, (1319, 1321)),
        ({"expire": 100}, (11, 13)),
        ({"writeback": 0}, (999_999, None)),
    ],
)
def test_a_file_is_older_than_the_kernel_takes_to_write_a_page_back(mounts, centiseconds, ages):
    mounts(**centiseconds)
    young, old = ages
    assert not tells(age=young)
    assert old is None or tells(age=old)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/f", True),
        ("/mem/f", False),
        ("/mem/below/f", False),
        ("/memf", True),
        ("/mem/disk/f", True),
        ("/a b/f", False),
        ("/home/f", True),
        ("/over/f", False),
        ("/container/f", True),
        ("/live/f", False),
        ("/read-only/f", True),
    ],
)
def test_a_file_in_memory_is_never_old_enough(mounts, path, known):
    mounts(
        "/ rw - btrfs /dev/vda rw,subvol=/root",
        "/mem rw shared:1 - tmpfs tmpfs rw",
        "/usr rw - tmpfs none rw",
        "/mem/disk rw - btrfs /dev/vdb rw",
        r"/a\040b rw - ramfs none rw",
        "/home rw - nfs4 host:/home rw,upperdir=/mem",
        "/over rw - ext4 /dev/vdc rw",
        "/over rw - tmpfs tmpfs rw",
        "/container rw - overlay overlay rw,lowerdir=/l,upperdir=/nowhere/upper,workdir=/w",
        "/live rw - overlay overlay rw,lowerdir=/l,upperdir=/usr,workdir=/w",
        "/read-only ro - overlay overlay ro,lowerdir=/l:/m",
    )
    assert tells(path, age=1000, device=ANONYMOUS) == known
    assert tells(path, age=1000, device=DISK)  # a disk's number: nobody looks where it is


def test_what_cannot_be_known_is_not_believed(mounts):
    del mounts
    assert not tells(age=1000, device=ANONYMOUS)
    assert tells(age=1000, device=DISK)


LOOK = """
import os, sys
from rootfs_builder.cache.write_back import in_memory
print(*(f"{os.major(os.lstat(path).st_dev) == 0} {in_memory(os.fsencode(path))}"
        for path in sys.argv[1:]))
"""
MOUNT = """
cd "$1"; shift
mkdir memory live; mount -t tmpfs none memory; mkdir memory/upper memory/work lower
touch lower/f memory/f
mount -t overlay -o lowerdir=lower,upperdir=memory/upper,workdir=memory/work none live || exit 77
cp live/f live/copied
exec "$@" memory/f live/f live/copied /proc/version
"""


def test_the_kernels_own_table_says_it_too(tmp_path):
    command = ["unshare", "-rm", "sh", "-c", MOUNT, "sh", tmp_path, sys.executable, "-c", LOOK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this kernel gives a user no overlay")
    assert (done.stderr, done.stdout) == ("", "True True True True True True True False\n")
