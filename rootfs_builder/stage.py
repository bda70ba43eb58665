"""Plan → files in a directory, as the layer would have them.

Owners are set where the process may; a mode or a time that cannot be set is an error. Directories
get theirs last, since writing into one changes its time and may need a mode that it does not keep.
"""

import os

from rootfs_builder.paths import encode
from rootfs_builder.plan import Entry, Plan, hard_links, order
from rootfs_builder.root import chunks

_UNIT = 1 << 20


def write(plan: Plan, directory: str, *, epoch: int = 0) -> None:
    """Write every entry of `plan` below `directory`, which exists, is empty and becomes 0755.

    `epoch` is every file's time, in seconds since 1970.

    Raises:
        ChangedError: a file is no longer what it was when the plan was made.
        OSError: the disk is full, or the like.
    """
    base = encode(directory)
    privileged = os.geteuid() == 0
    links = hard_links(plan.entries)
    for entry in order(plan.entries):
        path = base + encode(entry.path)
        if entry.path in links:
            os.link(base + encode(links[entry.path]), path)
            continue
        _create(entry, path)
        if privileged:
            os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        if entry.kind == "file":
            os.chmod(path, entry.mode)
        if entry.kind != "dir":
            os.utime(path, (epoch, epoch), follow_symlinks=False)
    os.chmod(base, 0o755)  # noqa: S103 - as every directory of an image
    for entry in reversed(plan.entries):
        if entry.kind == "dir":
            path = base + encode(entry.path)
            os.chmod(path, entry.mode)
            os.utime(path, (epoch, epoch))


def _create(entry: Entry, path: bytes) -> None:
    if entry.kind == "dir":
        os.mkdir(path, 0o700)
    elif entry.kind == "symlink":
        os.symlink(encode(entry.target), path)
    elif entry.content is not None:
        with open(path, "xb") as stream:
            stream.writelines(chunks(entry.content, _UNIT))
