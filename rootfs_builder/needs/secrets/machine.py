"""The files of the machine and of the sysroot that are secrets, by path and by inode.

So a symlink to one, a hard link and a bind mount are secrets too.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from rootfs_builder.filesystem.root import Identity, Node, Root, tree
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import OpenedPath, SourcePath, join, name, parent

_ACCOUNTS = "accounts of the host"
_HASHES = "password hashes"
_NETWORK = "the host's network configuration"
_ID = "what identifies the machine"
_TLS_KEYS = "where the machine keeps the keys of its certificates"

_OF_THE_MACHINE = (  # a directory stands for all in it, * for anything in a name
    ("/etc/passwd", _ACCOUNTS),
    ("/etc/passwd-", _ACCOUNTS),
    ("/etc/shadow", _HASHES),
    ("/etc/shadow-", _HASHES),
    ("/etc/gshadow", _HASHES),
    ("/etc/gshadow-", _HASHES),
    ("/etc/security/opasswd", _HASHES),
    ("/etc/sudoers", "who may become root on the machine"),
    ("/etc/sudoers.d", "who may become root on the machine"),
    ("/etc/hosts", _NETWORK),
    ("/etc/hostname", _ID),
    ("/etc/resolv.conf", _NETWORK),
    ("/etc/nsswitch.conf", "where the machine looks names up"),
    ("/etc/ld.so.preload", "what the machine loads into every program"),
    ("/etc/machine-id", _ID),
    ("/var/lib/dbus/machine-id", _ID),
    ("/etc/krb5.keytab", "the machine's Kerberos keys"),
    ("/etc/ssh/ssh_host_*_key", "a key that identifies the host"),
    ("/etc/ssl/private", _TLS_KEYS),
    ("/etc/pki/tls/private", _TLS_KEYS),
    ("/etc/wireguard", "keys of the machine's VPN"),
    ("/etc/NetworkManager/system-connections", "passwords of the machine's networks"),
)


def files(sources: Sources) -> tuple[dict[SourcePath, str], dict[Identity, str]]:
    """What makes each of the files a secret, by its path and by its inode."""
    paths: dict[SourcePath, str] = {}
    identities: dict[Identity, str] = {}
    walker = Walker(sources)
    for mount in sources.mounts:
        for pattern, why in _OF_THE_MACHINE:
            for path, node in _matching(sources, walker, mount.path(pattern)):
                paths.setdefault(path, why)
                if node.size:  # what saves space makes all empty files one inode
                    identities.setdefault(node.identity, why)
    if sources.base is not None:  # its files hide those of the machine, which have other names too
        below = Walker(sources.system)
        for pattern, why in _OF_THE_MACHINE:
            for _, node in _matching(sources.system, below, OpenedPath(pattern)):
                if node.size:
                    identities.setdefault(node.identity, why)
    return paths, identities


def _matching(root: Root, walker: Walker, pattern: OpenedPath) -> Iterator[tuple[SourcePath, Node]]:
    """The files that a path of the table leads to, links followed."""
    above = walker.walk(parent(pattern))
    if above.node is None or above.node.kind != "dir":
        return
    wanted = name(pattern)
    try:
        names = root.list(above.real) if "*" in wanted else (wanted,)
        for one in names:
            walk = walker.walk(join(above.real, one))
            if walk.node is not None and fnmatchcase(one, wanted):
                each = tree(root, walk.real)
                yield from ((SourcePath(path), node) for path, node in each if node.kind == "file")
    except OSError:  # it cannot be listed, so what is in it cannot be packed
        return
