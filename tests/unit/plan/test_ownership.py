"""Whose a file is, by where it was read, what brought it, and what package databases say."""

import pytest

from rootfs_builder.filesystem.content import BytesSource, FileSource
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, warning
from rootfs_builder.packages import Owned, Package
from rootfs_builder.plan import Entry, Reason, ownership

LIBC = Package("libc6", "2.41", "amd64", "glibc", "2.41", "deb")
NEEDED = Reason("NEEDED", "/hello", "libx.so", "RUNPATH")
RULE = Reason("rule", "/hello", "ca-certificates", "it checks certificates")


UNREAD = warning(Code.OWNERS_UNKNOWN, "/db: no database", "/db")


class Owners:
    """A database of one package."""

    def __init__(self, *paths):
        self._paths = paths

    def of_all(self, paths):
        known = {path: LIBC if path in self._paths else None for path in paths}
        return Owned(known, (UNREAD,))


OWNED = Owners("/usr/lib/libc.so.6", "/usr/lib/link")


def content(path):
    return FileSource(path.encode(), (1, hash(path), 1, 1, 1))


def settled(origin, reasons, owners, *, loaders=(), **facts):
    """Whose a file is that was read at `origin`, beside a libc."""
    origins = {"/usr/lib/libc.so.6": "/usr/lib/libc.so.6"}
    if origin is not None:
        origins["/x"] = origin
    facts = {"kind": "file", "content": content("/x"), **facts}
    entries = (
        Entry("/usr/lib/libc.so.6", "file", 0o755, (NEEDED,), content("/libc")),
        Entry("/x", mode=0o755, reasons=reasons, **facts),
    )
    sources = Sources(DirectoryRoot())
    found, warnings = ownership.assign_owners(
        entries, origins, sources, owners, loaders=frozenset(loaders)
    )
    assert warnings == (() if owners is None else (UNREAD,))
    return found[1]


@pytest.mark.parametrize(
    ("origin", "reasons", "facts", "own"),
    [
        ("/home/me/x", (NEEDED,), {}, True),
        ("/usr/local/lib/libx.so", (NEEDED,), {}, True),
        ("/usr/lib/libx.so", (NEEDED,), {}, True),
        ("/usr/lib/libx.so", (Reason("added", None, "/x"),), {}, True),
        ("/etc/ssl/certs/ca-certificates.crt", (RULE,), {}, False),
        ("/usr/lib/libx.so", (NEEDED, RULE), {}, False),
        (
            "/usr/lib/ld.so",
            (Reason("interpreter", "/hello", "/lib/ld.so", "PT_INTERP"),),
            {"loaders": ["/x"]},
            False,
        ),
        ("/usr/local/bin/python", (Reason("interpreter", "/s", "python", "first line"),), {}, True),
        ("/usr/local/bin/python", (Reason("interpreter", "/s", "python", "PT_INTERP"),), {}, True),
        (None, (RULE,), {"content": BytesSource(b"")}, False),
        ("/usr/x", (RULE,), {"content": BytesSource(b"")}, False),
        ("/lib", (NEEDED,), {"kind": "symlink", "content": None, "target": "usr/lib"}, False),
        ("/home/lib", (NEEDED,), {"kind": "symlink", "content": None, "target": "x"}, True),
        ("/usr/data", (RULE,), {"kind": "dir", "content": None}, False),
        ("/srv/data", (RULE,), {"kind": "dir", "content": None}, True),
    ],
)
def test_what_no_package_brought_is_the_users_own_unless_the_system_needs_it(
    origin, reasons, facts, own
):
    found = settled(origin, reasons, OWNED, **facts)
    assert (found.first_party, found.package) == (own, None)


@pytest.mark.parametrize("kind", ["file", "symlink"])
def test_what_a_package_brought_is_its_own_whatever_brought_it_here(kind):
    added = (Reason("added", None, "/x"),)
    found = settled("/usr/lib/link", added, OWNED, kind=kind, content=None)
    assert (found.first_party, found.package) == (False, LIBC)


@pytest.mark.parametrize("owners", [None, Owners()])
def test_without_known_packages_the_systems_directories_are_the_systems(owners):
    assert not settled("/usr/lib/libx.so", (NEEDED,), owners).first_party
    assert settled("/home/me/x", (NEEDED,), owners).first_party
