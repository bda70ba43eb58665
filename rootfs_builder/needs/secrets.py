"""Added files → which of them are secrets of the machine that builds.

Three kinds: files of the machine itself and of the sysroot, by path and by inode, so that a symlink
to one, a hard link and a bind mount are ones too; what tools keep credentials in, by its usual
name; private keys, by what is in them. A file of the user's that only goes to /etc/passwd of the
image is none, and neither is a symlink inside an added tree: it is kept as a link.

The hard thing is a key: files that mention `BEGIN PRIVATE KEY` are many. A key has the marker on a
line of its own (RFC 7468, 2), perhaps header lines (RFC 1421, 4.4; RFC 9580, 6.2.2), then base64.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property

from msgspec import Struct

from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.elf import MAGIC
from rootfs_builder.errors import ChangedError, InputError, Mistake, PolicyError
from rootfs_builder.filesystem.root import Identity, Node, Source, tree
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import OpenedPath, SourcePath, join, name, parent, printable

_ACCOUNTS = "accounts of the machine"
_HASHES = "password hashes"
_NETWORK = "what the machine knows of its network"
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
    ("/etc/ssh/ssh_host_*_key", "a key by which the machine proves that it is itself"),
    ("/etc/ssl/private", _TLS_KEYS),
    ("/etc/pki/tls/private", _TLS_KEYS),
    ("/etc/wireguard", "keys of the machine's VPN"),
    ("/etc/NetworkManager/system-connections", "passwords of the machine's networks"),
)

_ANYWHERE = (  # a file or a directory of this name, or these names
    ("/.ssh/", "in a .ssh directory, where ssh keeps its keys"),
    ("/.gnupg/", "in a .gnupg directory, where GnuPG keeps its keys"),
    ("/.netrc/", "passwords for curl, ftp, git …"),
    ("/_netrc/", "passwords for curl, ftp, git …"),
    ("/.git-credentials/", "passwords for git"),
    ("/.pgpass/", "passwords for PostgreSQL"),
    ("/.pypirc/", "passwords or tokens for PyPI"),
    ("/.aws/credentials/", "keys for AWS"),
    ("/.azure/", "in .azure, where az keeps its tokens"),
    ("/.config/gcloud/", "in .config/gcloud, where gcloud keeps its tokens"),
    ("/.docker/config.json/", "passwords for image registries"),
    ("/.kube/config/", "keys for Kubernetes clusters"),
)

_MAX_SIZE = 1 << 20  # bytes: keys are small
_MARKER = rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY = (  # as text: most builds look for none of these
    rb"(?m)^(?:\xef\xbb\xbf)?[ \t]*" + _MARKER + rb"[ \t\r]*\n"  # byte order mark, indent in YAML
    rb"(?:[ \t]*[A-Za-z][A-Za-z0-9-]*: [^\n]*\n){0,8}"  # Proc-Type, DEK-Info, Version, Comment
    rb"(?:[ \t\r]*\n)?[ \t]*[A-Za-z0-9+/]{16,}={0,2}[ \t\r]*$"
)
_KEY_IN_JSON = (  # as in a cloud's service account; M is DER's first byte, b3Bl OpenSSH's
    rb'"' + _MARKER + rb"(?:\\r)?\\n(?:M|b3Bl)(?:[A-Za-z0-9+/]|\\/){56}"
)
_TOKEN = rb"(?m)^[^#;\n]*_(?:authToken|auth|password)[ \t]*=[ \t]*[^ \t\r\n$]"


class Secret(Struct, frozen=True):
    """A file that is a secret, in the paths of the source, and what makes it one."""

    path: SourcePath
    why: str


class Secrets:
    """The secrets among the files of one build; the machine's own are looked for once."""

    def __init__(self, sources: Sources, facts: FileFacts | None = None) -> None:
        self._sources = sources
        self._facts = facts or FileFacts()

    def among(self, nodes: Iterable[tuple[SourcePath, Node]]) -> tuple[Secret, ...]:
        """Those among files that are to be added, in their order; paths are resolved.

        A file that cannot be read, or has changed, is none: what packs it fails for the same
        reason.
        """
        paths, identities = self._of_the_machine
        secrets: list[Secret] = []
        for path, node in nodes:
            if node.kind != "file":
                continue
            why = paths.get(path) or identities.get(node.identity) or _by_name(path)
            why = why or self._by_content(path, node)
            if why:
                secrets.append(Secret(path, why))
        return tuple(secrets)

    @cached_property
    def _of_the_machine(self) -> tuple[dict[SourcePath, str], dict[Identity, str]]:
        """The files of the machine and of the sysroot that are secrets, by path and by inode."""
        paths: dict[SourcePath, str] = {}
        identities: dict[Identity, str] = {}
        walker = Walker(self._sources)
        for mount in self._sources.mounts:
            for pattern, why in _OF_THE_MACHINE:
                for path, node in _matching(self._sources, walker, mount.path(pattern)):
                    paths.setdefault(path, why)
                    if node.size:  # what saves space makes all empty files one inode
                        identities.setdefault(node.identity, why)
        return paths, identities

    def _by_content(self, path: SourcePath, node: Node) -> str:
        if not 0 < node.size <= _MAX_SIZE:
            return ""
        source, npm = self._sources.open(path), name(path) == ".npmrc"
        fact = "a secret of npm" if npm else "a secret"
        return self._facts.get_or_compute(source, fact, str, lambda: _in(source, npm=npm))


def refuse(secrets: Mapping[str, tuple[Secret, ...]]) -> None:
    """Stop if there are secrets; the keys are the values of `--add` that add them.

    Raises:
        PolicyError: each secret and why it is one, below its option; and the way out.
    """
    mistakes = []
    for added, those in secrets.items():
        if those:
            lines = [f"  {printable(Sources.display(one.path))}: {one.why}" for one in those]
            text = "\n".join(("secrets, which all who get the image could read:", *lines))
            mistakes.append(Mistake("--add", text, added))
    if mistakes:
        raise PolicyError(
            *mistakes,
            "mount them when the container runs, docker run -v FILE:PATH, or leave them out; "
            "--allow-sensitive packs them",
        )


def _matching(
    sources: Sources, walker: Walker, pattern: OpenedPath
) -> Iterator[tuple[SourcePath, Node]]:
    """The files that a path of the table leads to, links followed."""
    above = walker.walk(parent(pattern))
    if above.node is None or above.node.kind != "dir":
        return
    wanted = name(pattern)
    try:
        names = sources.list(above.real) if "*" in wanted else (wanted,)
        for one in names:
            walk = walker.walk(join(above.real, one))
            if walk.node is not None and fnmatchcase(one, wanted):
                each = tree(sources, walk.real)
                yield from ((SourcePath(path), node) for path, node in each if node.kind == "file")
    except OSError:  # it cannot be listed, so what is in it cannot be packed
        return


def _by_name(path: SourcePath) -> str | None:
    return next((why for names, why in _ANYWHERE if names in path + "/"), None)


def _in(source: Source, *, npm: bool) -> str:
    """What makes the bytes of a file a secret; empty for most."""
    try:
        with source.open() as content:
            if content[0 : len(MAGIC)] == MAGIC:
                return ""
            data = content[0 : len(content)]
    except (InputError, ChangedError):
        return ""
    if b"PRIVATE KEY" in data and (re.search(_KEY, data) or re.search(_KEY_IN_JSON, data)):
        return "a private key"
    return "a password or token for npm" if npm and re.search(_TOKEN, data) else ""
