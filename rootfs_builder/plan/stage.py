"""Plan → files in a directory, as the layer would have them.

An ordinary user's files are that user's, as far as they are root's in the image; another owner, a
capability, a mode or a time that cannot be set is an error. Directories get theirs last, since
writing into one changes its time and may need a mode that it does not keep.
"""

import os

from rootfs_builder.choices import EPOCH
from rootfs_builder.errors import OutputError
from rootfs_builder.filesystem import capabilities
from rootfs_builder.filesystem.content import chunks
from rootfs_builder.paths import encode, printable
from rootfs_builder.plan import Entry, Plan, hard_links, order

_UNIT = 1 << 20


def write(plan: Plan, directory: str, *, epoch: int = EPOCH, owned: bool = True) -> None:
    """Write every entry of `plan` below `directory`, which exists, is empty and becomes 0755.

    `epoch` is every file's time, in seconds since 1970. Unless they are to be `owned`, owners and
    capabilities are left out.

    Raises:
        ChangedError: a file is no longer what it was when the plan was made.
        OutputError: only root may set an owner or a capability.
        OSError: the disk is full, or the like.
    """
    base = encode(directory)
    everybody = owned and os.geteuid() == 0
    links = hard_links(plan.entries)
    for entry in order(plan.entries):
        path = base + encode(entry.path)
        if entry.path in links:
            os.link(base + encode(links[entry.path]), path)
            continue
        _create(entry, path)
        if everybody or (owned and (entry.uid, entry.gid) != (0, 0)):
            _own(entry, path)
        if owned and entry.capability:  # after the owner, whose change takes it off
            _allow(entry, path)
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


def _own(entry: Entry, path: bytes) -> None:
    try:
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    except OSError as error:
        owner = f"its owner, {entry.uid}:{entry.gid}"
        raise _denied(entry, owner, error, "leave out --owner") from error


def _allow(entry: Entry, path: bytes) -> None:
    try:
        os.setxattr(path, capabilities.ATTRIBUTE, entry.capability)
    except OSError as error:
        capability = f"its capabilities, {capabilities.text(entry.capability)}"
        advice = f"leave them out: --cap {printable(entry.path)}=none"
        raise _denied(entry, capability, error, advice) from error


def _denied(entry: Entry, what: str, error: OSError, advice: str) -> OutputError:
    return OutputError(
        f"{printable(entry.path)}: {what}, cannot be set: {error.strerror}; run stage as root, use "
        f"pack, which needs no root, or {advice}"
    )
