"""Which way this system allows: bubblewrap, else namespaces, else chroot, and what each leaves."""

import os

from msgspec import Struct

from rootfs_builder.errors import RootfsError
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.proof.sandbox import account, bubblewrap, changed_root, namespaces
from rootfs_builder.proof.sandbox.command import Command, Way
from rootfs_builder.proof.sandbox.rootfs import Rootfs


class Chosen(Struct, frozen=True):
    """A way, and why those before it cannot be gone."""

    way: Way
    passed: tuple[str, ...] = ()

    def sentence(self, command: Command) -> str:
        """The way in a line for the user: what it does not keep apart, and why it was taken."""
        left = list(_LEFT[self.way])
        if command.network == "host" and self.way is not Way.CHROOT:
            left.append("the network (--network host)")
        text = f"isolated by {self.way.value}"
        if left:
            text += f", except for {', '.join(left)}"
        return text + "".join(f"; {one}" for one in (*_NOTES[self.way], *self.passed))


_NOTES: dict[Way, tuple[str, ...]] = {
    Way.BUBBLEWRAP: ("set-user-id bits and file capabilities have no effect",),
    Way.UNSHARE: (),
    Way.CHROOT: (),
}
_LEFT: dict[Way, tuple[str, ...]] = {
    Way.BUBBLEWRAP: (),
    Way.UNSHARE: (),
    Way.CHROOT: ("processes", "network", "shared memory", "host name"),
}


def choose(rootfs: Rootfs, command: Command, *, wanted: Way | None = None) -> Chosen:
    """The first way that this system allows, or the wanted one.

    Raises:
        RootfsError: it allows none of them; why.
    """
    passed: list[str] = []
    for way in Way if wanted is None else (wanted,):
        problem = _problem(way, rootfs, command)
        if not problem:
            return Chosen(way, tuple(passed))
        passed.append(f"{way.value}: {problem}")
    raise RootfsError("this system does not allow any way to run it: " + "; ".join(passed))


def _problem(way: Way, rootfs: Rootfs, command: Command) -> str:
    if way is Way.BUBBLEWRAP:
        user = account.find(command.user, DirectoryRoot(rootfs.directory))
        if rootfs.discard and user.uid and os.geteuid() == 0:
            return (
                "lets no user but root write over a directory"  # owned by ids that it does not map
            )
        return bubblewrap.problem(discard=rootfs.discard)
    if way is Way.UNSHARE:
        return namespaces.problem()
    problem = changed_root.problem()
    if problem or changed_root.private_mounts():
        return problem
    if rootfs.discard:
        return "a directory would be written to; pack it, and run the image"
    if any(one for one in command.volumes):
        return "volumes need mounts"
    return ""
