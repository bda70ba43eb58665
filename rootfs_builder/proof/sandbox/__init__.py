"""A command in a root directory of its own, without an engine.

`rootfs` makes the directory of a Plan, `command` the Command of an image's config; `start` and
`run` take both. Nothing of this machine is visible but what the chosen way leaves (`ways`). When
the command has ended, or this process has, even by SIGKILL, nothing of it is left.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from msgspec.structs import replace

from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.proof.sandbox import (
    account,
    bubblewrap,
    changed_root,
    foreign,
    namespaces,
    places,
    ways,
)
from rootfs_builder.proof.sandbox.command import Command as Command
from rootfs_builder.proof.sandbox.command import Outcome as Outcome
from rootfs_builder.proof.sandbox.command import Volume as Volume
from rootfs_builder.proof.sandbox.command import Way as Way
from rootfs_builder.proof.sandbox.rootfs import Rootfs as Rootfs
from rootfs_builder.proof.sandbox.running import Running as Running


@contextmanager
def start(
    rootfs: Rootfs, command: Command, *, chosen: ways.Chosen | None = None
) -> Iterator[Running]:
    """A command that runs as long as the block does, or until it ends.

    `chosen` is the way, `ways.choose` without.

    Raises:
        InputError: a mount point is impossible in this root, or a volume is not there.
        NotFoundError: the root does not know the user, or this machine no emulator.
        RootfsError: this system allows no way to run it.
    """
    root = DirectoryRoot(rootfs.directory)
    who = account.find(command.user, root)
    way = (chosen or ways.choose(rootfs, command)).way
    if "HOME" not in dict(command.env):
        command = replace(command, env=(*command.env, ("HOME", who.home)))
    command, emulator = foreign.emulated(command, root)
    mounted = places.make(rootfs, command, emulator)
    begin = partial(_STARTS[way], mounted, command, who)
    running = Running(command, way, begin, owner=who.uid)
    try:
        yield running
    finally:
        running.end()


def run(rootfs: Rootfs, command: Command, *, chosen: ways.Chosen | None = None) -> Outcome:
    """Run a command to its end; see `start`."""
    with start(rootfs, command, chosen=chosen) as running:
        return running.wait()


_STARTS = {
    Way.BUBBLEWRAP: bubblewrap.start,
    Way.UNSHARE: namespaces.start,
    Way.CHROOT: changed_root.start,
}
