"""Who owns what: databases written out here as each package manager writes them."""

import hashlib
import os
import sqlite3
import struct
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec import structs

from rootfs_builder import packages
from rootfs_builder.cache import write_back
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import ChangedError, InputError
from rootfs_builder.filesystem.depfile import Recorder
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.packages import apk, dpkg, rpm
from rootfs_builder.packages import lists as dpkg_lists
from rootfs_builder.packages.database import contents, find
from rootfs_builder.packages.wal import merged

INFO = "/var/lib/dpkg/info"


class Machine:
    """A root; a text "-> target" is a symlink, None a directory."""

    def __init__(self, folder):
        self.folder = folder
        self.owners = None

    def fill(self, tree):
        for path, content in tree.items():
            file = Path(f"{self.folder}{path}")
            file.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                file.mkdir(exist_ok=True)
            elif isinstance(content, bytes):
                file.write_bytes(content)
            elif content.startswith("-> "):
                file.symlink_to(content[3:])
            else:
                file.write_text(content, errors="surrogateescape")
        self.owners = packages.owners(DirectoryRoot(str(self.folder)))

    def of(self, path):
        return of(self.owners, path)

    def name(self, path):
        one = self.of(path)
        return None if one is None else one.name

    @property
    def warnings(self):
        """What is said of databases once everything was asked for."""
        return self.owners.of_all(()).warnings


def of(owners, path):
    """The package of what is at one path."""
    return owners.of_all((path,)).packages[path]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(write_back, "in_memory", lambda _: False)  # wherever the tests run
    return Machine(tmp_path)


def test_without_a_database_nothing_has_an_owner(machine):
    machine.fill({"/usr/bin/x": ""})
    assert machine.of("/usr/bin/x") is None
    assert machine.warnings == ()


# --- dpkg ---


def stanza(name, version="1", architecture="amd64", **more):
    fields = {"Package": name, "Status": "install ok installed", "Maintainer": "x <x@y>"}
    fields |= {"Architecture": architecture, "Version": version, **more}
    fields["Description"] = "a package\n Version: 99\n ."
    return "".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n"


def lists(**paths):
    """Lists of the packages (`__` is a colon): every path with its directories, as dpkg has it."""
    tree = {}
    for name, files in paths.items():
        lines = ["/."]
        for file in files:
            above = [str(one) for one in reversed(Path(file).parents)][1:]
            lines += [one for one in (*above, file) if one not in lines]
        tree[f"{INFO}/{name.replace('__', ':').replace('_', '-')}.list"] = "\n".join(lines) + "\n"
    return tree


def status(*stanzas):
    return {"/var/lib/dpkg/status": "".join(stanzas)}


@pytest.fixture(params=[dpkg_lists._MOST, 0], ids=["searched", "indexed"])
def _both_ways(request, monkeypatch):
    monkeypatch.setattr(dpkg_lists, "_MOST", request.param)


def test_what_dpkg_knows_of_a_package(machine):
    machine.fill(
        {
            **status(
                stanza("jq", "1.7.1-6"),
                stanza("libc6", "2.41-12", Source="glibc"),
                stanza("libgcc-s1", "14.2.0-19", Source="gcc-14 (14.2.0-19~deb13)"),
                stanza("tzdata", "2026a-1", "all"),
            ),
            **lists(
                jq=["/usr/bin/jq"],
                libc6__amd64=["/usr/lib/libc.so.6"],
                libgcc_s1__amd64=["/usr/lib/libgcc_s.so.1"],
                tzdata=["/usr/share/zoneinfo/UTC"],
            ),
            "/usr/bin/jq": "",
            "/usr/lib/libc.so.6": "",
            "/usr/lib/libgcc_s.so.1": "",
            "/usr/share/zoneinfo/UTC": "",
        }
    )
    of = machine.of
    assert of("/usr/bin/jq") == packages.Package("jq", "1.7.1-6", "amd64", "jq", "1.7.1-6", "deb")
    assert of("/usr/lib/libc.so.6") == packages.Package(
        "libc6", "2.41-12", "amd64", "glibc", "2.41-12", "deb"
    )
    assert of("/usr/lib/libgcc_s.so.1") == packages.Package(
        "libgcc-s1", "14.2.0-19", "amd64", "gcc-14", "14.2.0-19~deb13", "deb"
    )
    assert of("/usr/share/zoneinfo/UTC").architecture == "all"


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize(
    ("spelt", "real", "links"),
    [
        ("/lib/libx.so", "/usr/lib/libx.so", {"/lib": "-> usr/lib"}),
        ("/usr/lib/libx.so", "/usr/lib/libx.so", {"/lib": "-> usr/lib"}),
        ("/lib/x/libx.so", "/usr/lib/x/libx.so", {"/lib": "-> usr/lib"}),
        ("/usr/share/doc/x/README", "/srv/doc/x/README", {"/usr/share/doc": "-> /srv/doc"}),
        (
            "/usr/share/doc/x/README",
            "/big/doc/x/README",
            {"/usr/share": "-> ../big/share", "/big/share/doc": "-> ../doc"},
        ),
    ],
)
def test_a_path_is_found_however_its_package_spells_it(machine, spelt, real, links):
    machine.fill({**status(stanza("x")), **lists(x=[spelt]), real: "", **links})
    assert machine.name(real) == "x"


@pytest.mark.usefixtures("_both_ways")
def test_only_the_whole_path_counts(machine):
    machine.fill(
        {
            **status(stanza("x"), stanza("y")),
            **lists(x=["/usr/bin/jq", "/opt/usr/bin/xjq"], y=["/usr/bin/jq.old", "/usr/bin/jq/z"]),
            "/usr/bin/jq": "",
            "/bin/jq": "",
            "/usr/bin/q": "",
            "/usr/bin/xjq": "",
        }
    )
    assert machine.name("/usr/bin/jq") == "x"
    assert machine.name("/bin/jq") is None
    assert machine.name("/usr/bin/q") is None
    assert machine.name("/usr/bin/xjq") is None


@pytest.mark.usefixtures("_both_ways")
def test_directories_and_what_is_not_there_have_no_owner(machine):
    machine.fill({**status(stanza("x")), **lists(x=["/usr/bin/x"]), "/usr/bin": None})
    assert machine.name("/usr/bin") is None
    assert machine.name("/usr/bin/x") is None
    assert machine.name("/") is None


@pytest.mark.usefixtures("_both_ways")
def test_a_link_to_a_directory_is_nobodys_as_a_directory_is(machine):
    """Before Debian 13 the packages have /lib as a directory, and usrmerge made the link."""
    tree = {"/usr/lib/a": "", "/lib": "-> usr/lib", "/bin": "-> usr/lib", "/x": "-> nowhere"}
    known = status(stanza("a"), stanza("b"), stanza("base-files"))
    listed = lists(a=["/lib/a"], b=["/lib/b"], base_files=["/bin", "/x"])
    machine.fill({**known, **listed, **tree})
    assert machine.name("/lib") is None
    assert machine.name("/bin") is None
    assert machine.name("/x") == "base-files"


@pytest.mark.usefixtures("_both_ways")
def test_a_file_of_two_architectures_has_always_the_same_owner(machine):
    """dpkg lets packages of one name share a file, if it is the same in both (Multi-Arch: same)."""
    machine.fill(
        {
            **status(stanza("libx", "1", "i386"), stanza("libx", "1", "amd64")),
            **lists(
                libx__i386=["/usr/share/x", "/usr/lib/i386/libx.so"],
                libx__amd64=["/usr/share/x", "/usr/lib/amd64/libx.so"],
            ),
            "/usr/share/x": "",
            "/usr/lib/i386/libx.so": "",
        }
    )
    assert machine.of("/usr/share/x").architecture == "amd64"
    assert machine.of("/usr/lib/i386/libx.so").architecture == "i386"


@pytest.mark.usefixtures("_both_ways")
def test_diversions(machine):
    """dpkg-divert(1): what another package than the diverter brings stands at the other path."""
    machine.fill(
        {
            **status(*(stanza(name) for name in ("dash", "bash", "mine", "vim"))),
            **lists(
                dash=["/bin/sh"],
                bash=["/bin/sh"],
                vim=["/usr/bin/vi", "/usr/bin/view"],
                mine=["/usr/bin/other", "/opt/sh", "/opt/vi"],
            ),
            "/var/lib/dpkg/diversions": (
                "/bin/sh\n/bin/sh.distrib\ndash\n"
                "/usr/bin/vi\n/usr/bin/vi.real\n:\n"  # by the administrator
                "/usr/bin/other\n/usr/bin/elsewhere\nmine\n"
            ),
            "/bin": "-> usr/bin",
            **{
                f"/usr/bin/{name}": ""
                for name in ("sh", "sh.distrib", "vi", "vi.real", "view", "other", "elsewhere")
            },
        }
    )
    assert machine.name("/usr/bin/sh") == "dash"
    assert machine.name("/usr/bin/sh.distrib") == "bash"
    assert machine.name("/usr/bin/vi") is None
    assert machine.name("/usr/bin/vi.real") == "vim"
    assert machine.name("/usr/bin/view") == "vim"
    assert machine.name("/usr/bin/other") == "mine"
    assert machine.name("/usr/bin/elsewhere") is None


def test_alternatives_that_lead_to_files_of_a_package_are_its_own(machine):
    """update-alternatives(1): no package has the links; those that lead elsewhere are others'."""
    admin, chosen = "/var/lib/dpkg/alternatives", "/etc/alternatives"
    machine.fill(
        {
            **status(stanza("vim")),
            **lists(vim=["/usr/bin/vim", "/usr/lib/vim/x"]),
            "/usr/bin/vim": "",
            "/usr/lib/vim/x": "",
            f"{admin}/vi": "auto\n/usr/bin/vi\nview\n/usr/bin/view\nex\n/usr/bin/ex\n\n",
            f"{admin}/lib": "manual\n/usr/lib/any\n\n/usr/lib/vim\n1\n",
            f"{admin}/cut": "auto\n/usr/bin/cut",
            f"{admin}/empty": "",
            f"{admin}/plain": "auto\n/usr/bin/plain\n\n",
            f"{chosen}/vi": "-> /usr/bin/vim",
            f"{chosen}/view": "-> /usr/bin/vim",
            f"{chosen}/ex": "-> /usr/bin/nex",
            f"{chosen}/lib": "-> /usr/lib/vim",
            f"{chosen}/plain": "/usr/bin/vim",
        }
    )
    own = {"/usr/bin/vim", "/usr/lib/vim/x"}
    links = {"/usr/bin/vi", "/usr/bin/view", "/usr/lib/any"}
    assert machine.owners.files(machine.of("/usr/bin/vim")) == own | links


def test_packages_by_their_names(machine):
    machine.fill(
        {
            **status(stanza("x"), stanza("x", "2", "i386"), stanza("listless")),
            **lists(x=["/usr/bin/x"], x__i386=["/usr/lib/i386/x"]),
        }
    )
    assert {one.architecture for one in machine.owners.installed("x")} == {"amd64", "i386"}
    assert machine.owners.installed("listless") == ()
    assert machine.owners.installed("none") == ()


def test_dpkg_without_lists_owns_nothing(machine):
    machine.fill({**status(stanza("x")), "/usr/bin/x": ""})
    assert machine.of("/usr/bin/x") is None


def test_what_only_looks_like_a_list_is_passed_over(machine):
    """A foreign root may have anything there."""
    name = os.fsdecode(b"caf\xe9")
    machine.fill(
        {
            **status(stanza("x"), "\n", "Status: nameless\n\n", stanza("odd", "2")),
            **lists(x=["/usr/bin/x", f"/usr/share/{name}"], gone=["/usr/bin/gone"]),
            f"{INFO}/odd.list": "/usr/bin/odd",  # no newline at the end
            f"{INFO}/empty.list": "",
            f"{INFO}/folder.list": None,
            f"{INFO}/loop.list": "-> loop.list",
            f"{INFO}/x.md5sums": "/usr/bin/summed\n",
            "/var/lib/dpkg/diversions": "/usr/bin/x\n/cut/off",
            **{f"/usr/bin/{name}": "" for name in ("x", "odd", "gone", "summed")},
            f"/usr/share/{name}": "",
        }
    )
    assert machine.name("/usr/bin/x") == "x"
    assert machine.name(f"/usr/share/{name}") == "x"
    assert machine.name("/usr/bin/odd") == "odd"
    assert machine.name("/usr/bin/gone") is None  # a list, but no package in status
    assert machine.name("/usr/bin/summed") is None


class Closed(DirectoryRoot):
    """A root with a folder or file that this user may not read."""

    closed = ""

    def lstat(self, path):
        if path.startswith(f"{self.closed}/"):
            raise PermissionError(13, "Permission denied", path)
        return super().lstat(path)

    def list(self, path):
        if path == self.closed:
            raise PermissionError(13, "Permission denied", path)
        return super().list(path)


@pytest.mark.parametrize("closed", ["/var", "/var/lib/dpkg", INFO, "/big"])
def test_a_database_that_this_user_may_not_read_stops_it(machine, closed):
    """Else the layers, and with them the digest, would depend on who packs."""
    tree = {**status(stanza("x")), "/usr/bin/x": ""}
    tree |= {"/big/info": None, INFO: "-> ../../../big/info"} if closed == "/big" else {}
    machine.fill({**tree, **lists(x=["/usr/bin/x"])})
    root = Closed(str(machine.folder))
    root.closed = closed
    with pytest.raises(InputError, match="the package database cannot be read"):
        of(packages.owners(root), "/usr/bin/x")


STATUS = "/var/lib/dpkg/status"


def rewrite(file):
    other = file.with_name("status-new")
    other.write_text(stanza("x", "2"))
    other.replace(file)


def grow(file):
    file.write_text(file.read_text() + stanza("y"))


@pytest.mark.parametrize(("write", "version"), [(rewrite, "2"), (grow, "1"), (Path.unlink, None)])
def test_a_package_manager_at_work_is_waited_for(machine, write, version):
    machine.fill({**status(stanza("x")), **lists(x=["/usr/bin/x"]), "/usr/bin/x": ""})
    root = DirectoryRoot(str(machine.folder))
    assert root.lstat(STATUS)  # as it was
    write(Path(f"{machine.folder}{STATUS}"))
    found = of(packages.owners(root), "/usr/bin/x")
    assert (found and found.version) == version


def test_a_database_that_is_written_without_a_pause_stops_it(machine, monkeypatch):
    machine.fill({**status(stanza("x")), **lists(x=["/usr/bin/x"]), "/usr/bin/x": ""})
    file = Path(f"{machine.folder}{STATUS}")
    pread = os.pread

    def written(descriptor, size, offset):
        grow(file)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", written)
    with pytest.raises(ChangedError, match="status: changed while it was being read"):
        of(packages.owners(DirectoryRoot(str(machine.folder))), "/usr/bin/x")


# --- apk ---

INSTALLED = """\
C:Q1pq9k8Ts=
P:musl
V:1.2.5-r10
A:x86_64
S:407278
T:the musl c library (libc) implementation
o:musl
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1WVjh0K=
R:libc.musl-x86_64.so.1
a:0:0:777
Z:Q17yJ3Jf=

C:Q1x=
P:musl-utils
V:1.2.5-r10
A:x86_64
o:musl
F:
R:.top
F:usr
M:0:0:755
F:usr/bin
R:ldd
Z:Q1x=

P:scripts
V:3-r0
A:noarch
"""


@pytest.mark.parametrize(
    ("path", "links"),
    [
        ("/lib/apk/db/installed", {}),
        ("/usr/lib/apk/db/installed", {"/lib": "-> usr/lib"}),  # Alpine 3.23's merged /usr
    ],
)
def test_apk(machine, path, links):
    lib = "/usr/lib" if links else "/lib"
    files = (f"{lib}/ld-musl-x86_64.so.1", "/usr/bin/ldd", "/usr/bin/top", "/.top", f"{lib}/ldd")
    machine.fill({path: INSTALLED, **links, **dict.fromkeys(files, "")})
    musl = packages.Package("musl", "1.2.5-r10", "x86_64", "musl", "1.2.5-r10", "apk")
    utils = packages.Package("musl-utils", "1.2.5-r10", "x86_64", "musl", "1.2.5-r10", "apk")
    assert [machine.of(file) for file in files] == [musl, utils, None, utils, None]
    assert machine.owners.installed("musl") == (musl,)


# --- rpm ---

DATABASE = "/usr/lib/sysimage/rpm/rpmdb.sqlite"
INT32, STRING, ARRAY, CHAR = 4, 6, 8, 1


def header(tags):
    """rpm's header: {tag: (type, values)}."""
    index, data = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        if kind == INT32:
            data += bytes(-len(data) % 4)
        index += struct.pack(">4I", tag, kind, len(data), len(values))
        for value in values:
            if kind == INT32:
                data += struct.pack(">I", value)
            else:
                data += bytes([value]) if kind == CHAR else value.encode() + b"\0"
    return struct.pack(">2I", len(tags), len(data)) + index + data


def rpm_package(name, files, *, epoch=None, source=None, states=None, arch="x86_64", more=None):
    folders = sorted({file.rpartition("/")[0] + "/" for file in files})
    tags = {
        1000: (STRING, [name]),
        1001: (STRING, ["1.2"]),
        1002: (STRING, ["3.fc42"]),
        1022: (STRING, [arch]),
        1029: (CHAR, states or [0] * len(files)),
        1116: (INT32, [folders.index(file.rpartition("/")[0] + "/") for file in files]),
        1117: (ARRAY, [file.rpartition("/")[2] for file in files]),
        1118: (ARRAY, folders),
    }
    if epoch is not None:
        tags[1003] = (INT32, [epoch])
    if source is not None:
        tags[1044] = (STRING, [source])
    return header(tags | (more or {})), [file.rpartition("/")[2] for file in files]


def rpm_tables(connection, *found):
    connection.execute("create table if not exists Packages (hnum integer primary key, blob blob)")
    connection.execute("create table if not exists Basenames (key text, hnum integer, idx integer)")
    for blob, names in found:
        (number,) = connection.execute(
            "insert into Packages (blob) values (?) returning hnum", (blob,)
        ).fetchone()
        rows = [(name, number, index) for index, name in enumerate(names)]
        connection.executemany("insert into Basenames values (?, ?, ?)", rows)
    connection.commit()


def rpm_database(*found):
    connection = sqlite3.connect(":memory:")
    rpm_tables(connection, *found)
    data = connection.serialize()
    connection.close()
    return data


@pytest.mark.parametrize(
    ("path", "links"),
    [
        (DATABASE, {}),
        ("/var/lib/rpm/rpmdb.sqlite", {}),
        (DATABASE, {"/var/lib/rpm": "-> ../../usr/lib/sysimage/rpm"}),
    ],
)
def test_rpm(machine, path, links):
    database = rpm_database(
        rpm_package(
            "glibc", ["/lib64/libc.so.6", "/etc/ld.so.conf"], source="glibc-2.41-3.fc42.src.rpm"
        ),
        rpm_package(
            "perl-libs", ["/usr/lib64/libperl.so.5"], epoch=4, source="perl-5.40-1.nosrc.rpm"
        ),
        rpm_package("gpg-pubkey", []),
        rpm_package("plain", ["/usr/share/plain", "/libc.so.6"], arch="noarch"),
    )
    files = ("/usr/lib64/libc.so.6", "/usr/lib64/libperl.so.5", "/usr/share/plain", "/usr/lib64/x")
    links = {"/lib64": "-> usr/lib64", **links}
    machine.fill({path: database, **links, **dict.fromkeys(files, "")})
    assert [machine.of(file) for file in files] == [
        packages.Package("glibc", "1.2-3.fc42", "x86_64", "glibc", "2.41-3.fc42", "rpm"),
        packages.Package("perl-libs", "4:1.2-3.fc42", "x86_64", "perl", "5.40-1", "rpm"),
        packages.Package("plain", "1.2-3.fc42", "noarch", "plain", "1.2-3.fc42", "rpm"),
        None,
    ]
    assert machine.owners.installed("glibc") == (machine.of(files[0]),)
    assert machine.warnings == ()


def test_rpm_files_that_a_package_does_not_have_here(machine):
    """States: 1 replaced by another package's, 2 not installed, 4 of another colour."""
    names = ["/usr/bin/normal", "/usr/bin/replaced", "/usr/bin/absent", "/usr/bin/colour"]
    database = rpm_database(
        rpm_package("a", names, states=[0, 1, 2, 4]), rpm_package("b", ["/usr/bin/replaced"])
    )
    machine.fill({DATABASE: database, **dict.fromkeys(names, "")})
    assert [machine.name(name) for name in names] == ["a", "b", None, None]


@pytest.mark.parametrize("order", [("glibc-doc", "glibc"), ("glibc", "glibc-doc")])
def test_rpm_a_file_of_two_packages_has_always_the_same_owner(machine, order):
    """They may share what is the same in both; which came first is no property of files."""
    file = "/usr/share/licenses/COPYING"
    found = [rpm_package(name, [file]) for name in order]
    machine.fill({DATABASE: rpm_database(*found), file: ""})
    assert machine.name(file) == "glibc"


def test_rpm_what_stands_in_the_log_counts(machine, tmp_path):
    """A database in use, or of a process that was killed: the file alone is old."""
    writer = sqlite3.connect(tmp_path / "rpmdb.sqlite")
    writer.execute("pragma journal_mode = wal")
    writer.execute("pragma wal_autocheckpoint = 0")
    rpm_tables(writer, rpm_package("first", ["/usr/bin/first"]))
    writer.execute("pragma wal_checkpoint(truncate)")
    many = [rpm_package(f"p{i}", [f"/usr/bin/p{i}"]) for i in range(200)]
    rpm_tables(writer, *many)
    alone, log = ((tmp_path / f"rpmdb.sqlite{end}").read_bytes() for end in ("", "-wal"))
    writer.execute("begin")
    writer.execute("delete from Packages")
    writer.rollback()
    files = dict.fromkeys(["/usr/bin/first", "/usr/bin/p0", "/usr/bin/p199"], "")
    machine.fill({DATABASE: alone, f"{DATABASE}-wal": log, **files})
    assert [machine.name(file) for file in files] == ["first", "p0", "p199"]
    machine.fill({f"{DATABASE}-wal": b"", **files})
    assert [machine.name(file) for file in files] == ["first", None, None]
    writer.close()


def test_a_log_that_was_begun_anew_ends_where_its_salt_does(tmp_path):
    """SQLite writes over a log that it has copied; behind the new frames stand old ones."""
    path = tmp_path / "db"
    writer = sqlite3.connect(path)
    for pragma in ("journal_mode = wal", "wal_autocheckpoint = 0"):
        writer.execute(f"pragma {pragma}")
    writer.execute("create table t (a)")
    writer.executemany("insert into t values (?)", [("x" * 3000,)] * 100)
    writer.commit()
    writer.execute("pragma wal_checkpoint(restart)")
    writer.execute("update t set a = 'y' where rowid = 1")
    writer.commit()
    alone, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    reader = sqlite3.connect(":memory:")
    reader.deserialize(merged(alone, log))
    expected = writer.execute("select rowid, a from t").fetchall()
    assert reader.execute("select rowid, a from t").fetchall() == expected
    assert reader.execute("pragma integrity_check").fetchall() == [("ok",)]
    reader.close()
    writer.close()


@pytest.mark.parametrize(
    "log",
    [
        b"x",
        bytes(31),
        bytes(1 << 16),
        bytes(32) + struct.pack(">6I", 1, 0xFFFFFFFF, 0, 0, 0, 0) * 9,
        struct.pack(">8I", 0x377F0682, 3007000, 4096, 0, 1, 2, 0, 0)
        + struct.pack(">6I", 0, 0xFFFFFFFF, 1, 2, 0, 0)
        + bytes(4096),
        struct.pack(">8I", 0x377F0682, 3007000, 4096, 0, 1, 2, 0, 0)
        + struct.pack(">6I", 99, 2, 3, 2, 0, 0)
        + bytes(4096),
        struct.pack(">8I", 0x377F0682, 3007000, 1 << 31, 0, 1, 2, 0, 0) + bytes(99),
    ],
)
def test_a_log_that_is_none_changes_nothing(log):
    database = rpm_database(rpm_package("x", ["/usr/bin/x"]))
    assert merged(database, log) == database


@pytest.mark.parametrize(("name", "kind"), [("Packages", "Berkeley DB"), ("Packages.db", "ndb")])
@pytest.mark.parametrize("folder", ["/var/lib/rpm", "/usr/lib/sysimage/rpm"])
def test_rpm_an_older_database_is_a_warning(machine, folder, name, kind):
    machine.fill({f"{folder}/{name}": "", "/usr/bin/x": ""})
    assert machine.of("/usr/bin/x") is None
    (found,) = machine.warnings
    assert found.text.startswith(f"{folder}/{name}: ")
    assert found.paths == (f"{folder}/{name}",)
    assert kind in found.text


BLOB, _ = rpm_package("x", ["/usr/bin/x"])


def rpm_altered(statement):
    connection = sqlite3.connect(":memory:")
    rpm_tables(connection, (BLOB, ["x"]))
    connection.execute(statement)
    connection.commit()
    return connection.serialize()


@pytest.mark.parametrize(
    "database",
    [
        b"",
        b"no database at all",
        rpm_database()[:5000],
        rpm_database((b"", ["x"])),
        rpm_database((BLOB[:50], ["x"])),
        rpm_database((struct.pack(">2I", 1 << 30, 1), ["x"])),
        rpm_database((BLOB[:20], ["x"])),
        rpm_altered("delete from Packages"),
        rpm_altered("update Basenames set hnum = 'x'"),
        rpm_altered("update Basenames set hnum = cast(x'ff' as text)"),
        rpm_altered("update Packages set blob = null"),
    ],
)
def test_rpm_a_broken_database_is_a_warning(machine, database):
    machine.fill({DATABASE: database, "/usr/bin/x": "", "/usr/bin/y": ""})
    assert machine.of("/usr/bin/x") is None
    assert machine.of("/usr/bin/y") is None
    assert [one.paths for one in machine.warnings] == [(DATABASE,)]
    assert DATABASE in machine.warnings[0].text


VIEW = """create view Basenames as with recursive n(i) as (select 1 union all select i + 1 from n)
select 'x' as key, 1 as hnum, 0 as idx from n"""
COMPUTED = """create table Basenames
(hnum integer, idx integer, key text as (hex(zeroblob(99999999))))"""
VIRTUAL = "create virtual table Basenames using fts5(key, hnum, idx)"


@pytest.mark.parametrize("statement", [VIEW, COMPUTED, VIRTUAL, "select 1"])
def test_rpm_a_database_runs_no_sql_of_its_own(machine, statement):
    connection = sqlite3.connect(":memory:")
    rpm_tables(connection, (BLOB, ["x"]))
    connection.execute("drop table Basenames")
    connection.execute(statement)
    connection.commit()
    machine.fill({DATABASE: connection.serialize(), "/usr/bin/x": ""})
    assert machine.of("/usr/bin/x") is None
    assert "it has no table Basenames of its own" in machine.warnings[0].text


def test_rpm_answers_that_take_too_long_are_given_up(machine):
    connection = sqlite3.connect(":memory:")
    rpm_tables(connection, (BLOB, ["y"] * 20_000))  # without an index, as rpm makes it
    files = [f"/usr/bin/x{number}" for number in range(3000)]
    machine.fill({DATABASE: connection.serialize(), **dict.fromkeys(files, "")})
    started = time.process_time()
    machine.owners.of_all(files)
    assert time.process_time() - started < 20
    assert "its queries take too long" in machine.warnings[0].text


def test_the_database_that_knows_the_file_answers(machine):
    """Debian has packages of rpm and of apk, and who uses them may have their databases."""
    machine.fill(
        {
            **status(stanza("x")),
            **lists(x=["/usr/bin/x"]),
            "/lib/apk/db/installed": INSTALLED,
            DATABASE: rpm_database(rpm_package("y", ["/usr/bin/y"])),
            "/usr/bin/x": "",
            "/usr/bin/y": "",
            "/usr/bin/ldd": "",
        }
    )
    kinds = [machine.of(f"/usr/bin/{name}").kind for name in ("x", "y", "ldd")]
    assert kinds == ["deb", "rpm", "apk"]


# --- what is remembered ---

LATER = 1 << 62  # nanoseconds: so that nothing here is too new to be kept


def again(machine, facts):
    """New owners of the root, with what was remembered; the facts that they add to."""
    kept = FileFacts(facts.serialize(LATER) or b"")
    return packages.Owners(DirectoryRoot(str(machine.folder)), kept), kept


def test_answers_are_remembered_as_long_as_the_databases_are_the_same(machine):
    odd = "/usr/bin/\udce9 %\n"
    paths = ["/usr/bin/x", "/usr/bin/nobodys", odd]
    machine.fill(
        {**status(stanza("x")), **lists(x=["/usr/bin/x", odd]), **dict.fromkeys(paths, "")}
    )
    owners, facts = again(machine, FileFacts())
    answers = [of(owners, path) for path in paths]
    (machine.folder / f"{INFO[1:]}/x.list").write_text("nothing\n")  # dpkg never does only this
    owners, kept = again(machine, facts)
    assert [of(owners, path) for path in paths] == answers
    assert kept.serialize(LATER) is None  # nothing is new
    (machine.folder / "var/lib/dpkg/diversions").write_text("")
    owners, _ = again(machine, facts)
    assert of(owners, "/usr/bin/x") is None
    (machine.folder / "var/lib/dpkg/diversions").unlink()
    (machine.folder / "var/lib/dpkg/status").write_text(stanza("x", "2"))
    owners, _ = again(machine, facts)
    assert of(owners, "/usr/bin/x") is None


def test_what_is_of_no_encoding_is_remembered_as_what_can_be_written(machine):
    machine.fill(
        {
            **status(stanza("x", "1\udcff")),
            **lists(x=["/usr/bin/x"]),
            "/lib/apk/db/installed": "P:y\nV:\udcff\nF:usr/bin\nR:y\n",
            "/usr/bin/x": "",
            "/usr/bin/y": "",
        }
    )
    owners, facts = again(machine, FileFacts())
    answers = [of(owners, f"/usr/bin/{name}") for name in "xy"]
    assert [one.version for one in answers] == ["1\ufffd", "\ufffd"]
    owners, _ = again(machine, facts)
    assert [of(owners, f"/usr/bin/{name}") for name in "xy"] == answers


def test_what_a_database_that_cannot_be_read_says_is_not_remembered(machine):
    machine.fill({"/var/lib/rpm/rpmdb.sqlite": b"none", "/usr/bin/x": ""})
    for _ in range(2):
        owners, facts = again(machine, FileFacts())
        assert of(owners, "/usr/bin/x") is None
        assert owners.of_all(()).warnings
        assert facts.serialize(LATER) is None


def test_a_change_in_a_directory_that_tells_of_changes_is_seen(machine, monkeypatch):
    """A database of directories, one a package: only the folder of them has a new time."""
    monkeypatch.setattr(packages, "_MANAGERS", (folders,))
    machine.fill({"/db/x/files": "/usr/bin/x", "/usr/bin/x": "", "/usr/bin/y": ""})
    owners, facts = again(machine, FileFacts())
    assert of(owners, "/usr/bin/x").name == "x"
    assert of(owners, "/usr/bin/y") is None
    owners, kept = again(machine, facts)
    assert of(owners, "/usr/bin/x").name == "x"
    assert of(owners, "/usr/bin/y") is None
    assert kept.serialize(LATER) is None
    machine.fill({"/db/y/files": "/usr/bin/y"})
    owners, _ = again(machine, facts)
    assert of(owners, "/usr/bin/y").name == "y"


def test_a_directory_that_tells_of_changes_is_recorded(machine, monkeypatch):
    monkeypatch.setattr(packages, "_MANAGERS", (folders, dpkg))
    machine.fill({"/big/db/x/files": "/usr/bin/x", "/db": "-> /big/db", **status(stanza("x"))})
    recorder = Recorder(DirectoryRoot(str(machine.folder)), str(machine.folder))
    packages.watch(recorder)
    assert recorder.inputs().listed == {f"{machine.folder}/big/db"}
    assert f"{machine.folder}/var/lib/dpkg/status" in recorder.inputs().files


@pytest.mark.parametrize(
    ("manager", "path", "states"),
    [
        (dpkg, "/var/lib/dpkg/status", {"/var/lib/dpkg/status", "/var/lib/dpkg/diversions"}),
        *((rpm, path, {path, f"{path}-wal"}) for path in (DATABASE, "/var/lib/rpm/rpmdb.sqlite")),
        *((apk, path, {path}) for path in ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")),
    ],
)
def test_all_that_changes_with_an_answer_is_watched(machine, manager, path, states):
    machine.fill({path: "a"})
    database = manager.read(Walker(DirectoryRoot(str(machine.folder))))
    assert set(database.states) == states
    assert states <= set(manager.STATES)


class Folders:
    """As a package manager could have it that writes a directory for each package."""

    states = ("/db",)

    def __init__(self, walker):
        self._walker = walker

    def likely(self, _):
        return ()

    def named(self, _):
        root = self._walker.root
        for name in root.list(find(self._walker, "/db", "dir")):
            (data,) = contents(self._walker, f"/db/{name}/files")
            yield (data.decode(), packages.Package(name, "1", "any", name, "1", "folders"))


folders = SimpleNamespace(STATES=("/db",), read=Folders)


# --- which packages belong together ---


def kin(machine, path):
    """The names of the packages of a file's source, of what its package needs, and requires."""
    related = machine.owners.related(machine.of(path))
    return tuple({one.name for one in each} for each in structs.astuple(related)[:4])


def test_dpkg_knows_the_packages_of_a_source_and_what_one_needs(machine):
    machine.fill(
        {
            **status(
                stanza(
                    "tool",
                    Source="tools (2)",
                    **{"Pre-Depends": "dpkg (>= 1)", "Depends": "liba:any (<< 9) | mta,\n gone"},
                    Recommends="data [amd64]",
                    Suggests="never",
                ),
                stanza("tool-doc", "1", "all", Source="tools"),
                stanza("tools", "1"),
                stanza("toolset", Source="tools-more"),
                stanza("dpkg"),
                stanza("liba", Depends="far"),
                stanza("postfix", Provides="x (= 1), mta"),
                stanza("data"),
                stanza("never"),
                stanza("far"),
            ),
            **lists(
                tool=["/usr/bin/tool", "/usr/lib/tool/x", "/opt/gone"],
                tool_doc=["/usr/share/doc/tool"],
                tools=[],
                toolset=[],
                dpkg=[],
                liba__amd64=[],
                postfix=[],
                data=[],
                never=[],
                far=[],
            ),
            "/usr/bin/tool": "",
            "/lib": "-> usr/lib",
        }
    )
    same, needed, required, least = kin(machine, "/usr/bin/tool")
    assert same == {"tool", "tool-doc", "tools"}
    assert needed == {"dpkg", "liba", "postfix", "data"}
    assert required == {"dpkg", "liba", "postfix"}
    assert least == {"dpkg", "liba"}
    files = machine.owners.files(machine.of("/usr/bin/tool"))
    assert files == {"/usr/bin/tool"}  # there is no /opt


def test_dpkg_answers_many_questions_as_it_answers_the_first(machine):
    """After so many that an index is worth its time."""
    names = [f"p{number}" for number in range(40)]
    files = {one: [f"/usr/bin/{one}", f"/usr/lib/{one}/same", "/lib/moved"] for one in names}
    machine.fill(
        {
            **status(*map(stanza, names)),
            **lists(**files),
            "/var/lib/dpkg/diversions": "/lib/moved\n/lib/moved.old\np7\n",
            "/lib": "-> usr/lib",
            "/usr/lib/moved": "",
            "/usr/lib/moved.old": "",
        }
        | {path: "" for each in files.values() for path in each[:2]}
    )
    assert [machine.name(path) for one in names for path in files[one][:2]] == [
        one for one in names for _ in range(2)
    ]
    assert machine.name("/usr/lib/moved.old") == "p0"
    assert machine.name("/usr/lib/moved") == "p7"
    assert machine.name("/usr/lib/none") is None


def test_dpkg_knows_whether_a_file_is_as_its_package_has_brought_it(machine):
    sums = {
        one: hashlib.md5(one.encode(), usedforsecurity=False).hexdigest()
        for one in ("same", "other")
    }
    text = f"{sums['same']}  lib/tool/same\n{sums['other']}  lib/tool/changed\n"
    paths = [f"/lib/tool/{one}" for one in ("same", "changed", "unlisted")]
    machine.fill(
        {
            **status(stanza("tool")),
            **lists(tool=paths),
            f"{INFO}/tool.md5sums": text,
            "/lib": "-> usr/lib",
            **{f"/usr{path}": path.rpartition("/")[2] for path in paths},
            "/usr/lib/none": "same",
        }
    )
    each = (*(f"/usr{path}" for path in paths), "/usr/lib/none")
    assert [machine.owners.is_published(one) for one in each] == [True, False, False, False]


def test_dpkg_knows_whether_settings_are_as_their_package_has_brought_them(machine):
    same = hashlib.md5(b"same", usedforsecurity=False).hexdigest()
    paths = ["/etc/tool/same", "/etc/tool/old", "/etc/tool/changed", "/etc/tool/new"]
    conffiles = f"\n {paths[0]} {same}\n {paths[1]} {same} obsolete\n {paths[2]} {same}"
    conffiles += f"\n {paths[3]} newconffile"
    machine.fill(
        {
            **status(stanza("tool", Conffiles=conffiles)),
            **lists(tool=paths),
            **dict.fromkeys(paths, "same"),
            "/etc/tool/changed": "changed",
        }
    )
    assert [machine.owners.is_published(one) for one in paths] == [True, True, False, False]


def test_dpkg_knows_what_a_package_runs_when_it_is_installed(machine):
    scripts = {f"{INFO}/tool.preinst": "first\n", f"{INFO}/tool.postinst": "then\n"}
    machine.fill({**status(stanza("tool")), **lists(tool=["/usr/bin/tool"]), **scripts})
    machine.fill({"/usr/bin/tool": ""})
    assert machine.owners.installation(machine.of("/usr/bin/tool")) == "first\n\nthen\n"


def test_rpm_knows_what_a_package_runs_when_it_is_installed(machine):
    more = {1024: (STRING, ["useradd tool"])}
    database = rpm_database(rpm_package("tool", ["/usr/bin/tool"], more=more))
    machine.fill({DATABASE: database, "/usr/bin/tool": ""})
    assert "useradd tool" in machine.owners.installation(machine.of("/usr/bin/tool"))


def test_files_stand_where_the_links_of_the_root_lead(machine):
    machine.fill(
        {
            **status(stanza("tool")),
            **lists(tool=["/usr/bin/tool", "/lib/tool/x", "/lib/tool/y"]),
            "/var/lib/dpkg/diversions": "/lib/tool/y\n/lib/tool/y.old\nother\n",
            "/usr/bin/tool": "",
            "/usr/lib/tool/x": "",
            "/lib": "-> usr/lib",
        }
    )
    files = machine.owners.files(machine.of("/usr/bin/tool"))
    assert files == {"/usr/bin/tool", "/usr/lib/tool/x", "/usr/lib/tool/y.old"}


def test_apk_knows_the_packages_of_an_origin_and_what_one_needs(machine):
    text = (
        "P:tool\nV:1\nA:x\no:tools\nD:so:liba.so.1 mail>1 !bad data=~2\nF:usr/bin\nR:tool\n\n"
        "P:tools-doc\nV:1\nA:x\no:tools\n\nP:liba\nV:1\nA:x\np:so:liba.so.1=1.2\nD:far\n\n"
        "P:postfix\nV:1\nA:x\np:mail\n\nP:bad\nV:1\nA:x\n\nP:data\nV:2\nA:x\n\nP:far\nV:1\nA:x\n"
    )
    machine.fill({"/lib/apk/db/installed": text, "/usr/bin/tool": ""})
    needs = {"liba", "postfix", "data"}
    assert kin(machine, "/usr/bin/tool") == ({"tool", "tools-doc"}, needs, needs, needs)
    assert machine.owners.files(machine.of("/usr/bin/tool")) == {"/usr/bin/tool"}


def test_rpm_knows_the_packages_of_a_source_and_what_one_needs(machine):
    source = "tools-1.2-3.fc42.src.rpm"
    needs = {1049: (ARRAY, ["liba.so.1()(64bit)", "/usr/bin/perl"]), 5046: (ARRAY, ["data"])}
    database = rpm_database(
        rpm_package(
            "tool", ["/usr/bin/tool", "/usr/gone"], source=source, states=[0, 1], more=needs
        ),
        rpm_package("tool-libs", ["/usr/lib/x"], source=source),
        rpm_package("liba", ["/usr/lib/a"], more={1047: (ARRAY, ["liba", "liba.so.1()(64bit)"])}),
        rpm_package("perl", ["/usr/bin/perl"]),
        rpm_package("data", ["/usr/share/d"], more={1047: (ARRAY, ["data"])}),
        rpm_package("far", ["/usr/lib/far"], more={1047: (ARRAY, ["far"])}),
    )
    machine.fill({DATABASE: database, "/usr/bin/tool": ""})
    same, needed, *required = kin(machine, "/usr/bin/tool")
    assert (same, needed) == ({"tool", "tool-libs"}, {"liba", "perl", "data"})
    assert required == [{"liba", "perl"}, {"liba", "perl"}]
    assert machine.owners.files(machine.of("/usr/bin/tool")) == {"/usr/bin/tool"}


def test_of_a_damaged_database_nothing_belongs_together(machine):
    one = packages.Package("tool", "1", "x86_64", "tool", "1", "rpm")
    machine.fill({DATABASE: b"nonsense"})
    assert machine.owners.related(one) == packages.Related()
    assert machine.owners.files(one) == frozenset()
    assert len(machine.warnings) == 1


def test_an_empty_database_is_of_packages_that_were_only_unpacked(machine):
    machine.fill({"/var/lib/dpkg/status": "", f"{INFO}/format": "1\n", "/usr/bin/a": "a"})
    assert not machine.owners.known
    assert machine.of("/usr/bin/a") is None
    assert machine.warnings == ()
