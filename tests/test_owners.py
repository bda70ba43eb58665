"""Who owns a file, by the package managers themselves: dpkg -S here, rpm -qf of roots."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from rootfs_builder import packages
from rootfs_builder.filesystem.root import DirectoryRoot

STATES = (Path("/var/lib/dpkg/status"), Path("/var/lib/dpkg/info"), Path("/var/lib/dpkg/updates"))
FOLDERS = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/etc")
ALIASES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
SETTLED = 3  # tries, if somebody installs packages meanwhile

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no dpkg here")


def settled(work):
    """What `work` gives while no package is installed or removed."""
    for _ in range(SETTLED):
        before = [one.stat().st_mtime_ns for one in STATES]
        result = work()
        if [one.stat().st_mtime_ns for one in STATES] == before:
            return result
    pytest.skip("packages are being installed")


def by_dpkg(paths):
    """{path: labels of the packages that have it}, in whichever spelling."""
    spelt = {}
    for path in paths:
        spelt[path] = path
        if path.removeprefix("/usr/").split("/")[0] in ALIASES:
            spelt[path.removeprefix("/usr")] = path
    asked = [re.sub(r"([\\*?\[])", r"\\\1", one) for one in spelt]
    said = subprocess.run(
        ["dpkg-query", "--search", *asked],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    assert said.returncode in (0, 1), said.stderr
    found = {}
    for line in said.stdout.splitlines():
        names, _, path = line.partition(": ")
        if path in spelt and not line.startswith("diversion by "):
            found.setdefault(spelt[path], set()).update(names.split(", "))
    return found


def by_us(paths):
    found = packages.owners(DirectoryRoot()).of_all(paths)
    assert found.warnings == ()
    return {path: one for path, one in found.packages.items() if one is not None}


def differences(theirs, ours):
    """What is not the same; of several owners, of one name, any will do."""
    for path in sorted(theirs.keys() | ours.keys()):
        labels, one = theirs.get(path, set()), ours.get(path)
        said = set() if one is None else {one.name, f"{one.name}:{one.architecture}"}
        agreed = labels & said or labels == said or (not labels and diverted(path, one))
        if not agreed:
            yield path, sorted(labels), one


def diverted(path, package):
    """Whether dpkg says so of a file where --search names nobody."""
    label = f"{package.name}:{package.architecture}"
    command = ["dpkg-query", "--listfiles", label]
    environment = {**os.environ, "LC_ALL": "C"}
    said = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return f" to: {path}\n" in said.stdout


def files(folders):
    """Files, and links to files, right in these folders, by their resolved paths."""
    for folder in folders:
        for one in os.scandir(folder) if os.path.isdir(folder) else ():
            if not one.is_dir():
                yield os.path.join(os.path.realpath(folder), one.name)


SAMPLE = 30  # programs, however many there are


@pytest.mark.long
@needs_dpkg
def test_every_file_of_the_system_folders_is_whose_dpkg_says():
    paths = sorted(set(files(FOLDERS)))
    theirs, ours = settled(lambda: (by_dpkg(paths), by_us(paths)))
    assert list(differences(theirs, ours)) == []
    assert len(ours) > 500
    assert len(ours) < len(paths)  # links that alternatives made, and what ldconfig wrote


@pytest.mark.long
@needs_dpkg
def test_what_programs_need_is_whose_dpkg_says(cli):
    """The sources of plans, links and libraries in any folder."""
    there = filter(os.path.isfile, files(["/usr/bin"]))  # some links lead nowhere
    programs = [one for one in there if Path(one).read_bytes()[:4] == b"\x7fELF"]
    programs = sorted(programs)[:: max(1, len(programs) // SAMPLE)]
    trees = json.loads(cli("tree", "--json", *programs, check=True).stdout)["executables"]
    maps = [m for one in trees for m in one["link_maps"]]
    paths = sorted({one["real"] for m in maps for one in m["objects"]})
    theirs, ours = settled(lambda: (by_dpkg(paths), by_us(paths)))
    assert list(differences(theirs, ours)) == []
    assert len(ours) > 20


@pytest.mark.long
@needs_dpkg
def test_what_dpkg_knows_of_each_package():
    fields = r"${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"

    def work():
        said = subprocess.run(
            ["dpkg-query", "--show", "--showformat", fields],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return set(by_us(sorted(set(files(FOLDERS)))).values()), said

    ours, said = settled(work)
    theirs = {tuple(line.split("\t")) for line in said.splitlines()}
    facts = {(p.name, p.version, p.architecture, p.source, p.source_version) for p in ours}
    assert facts - theirs == set()
    assert len(facts) > 100


# --- rpm ---

SPEC = """
Name: {name}
Version: 1.2
Release: 3.fc42
{more}
Summary: {name}
License: none
%description
{name}
%install
for file in {files}; do
    mkdir -p %{{buildroot}}$(dirname $file)
    echo {name} > %{{buildroot}}$file
done
%files
{lines}
"""


class Rpm:
    """A root with rpm's database; packages are built and installed by rpm itself."""

    def __init__(self, folder, dbpath):
        self.root = folder / "root"
        self.options = ("--root", self.root, "--dbpath", dbpath)
        self.database = Path(f"{self.root}{dbpath}/rpmdb.sqlite")
        self._folder = folder
        (self.root / "usr/lib64").mkdir(parents=True)
        (self.root / "lib64").symlink_to("usr/lib64")

    def install(self, name, files, more="", *options, arch="x86_64"):
        spec = self._folder / f"{name}.spec"
        lines = "\n".join(files)
        spec.write_text(SPEC.format(name=name, more=more, files=" ".join(files), lines=lines))
        defines = (f"_topdir {self._folder}", "debug_package %{nil}", "_build_id_links none")
        define = [word for one in defines for word in ("--define", one)]
        self.run("rpmbuild", "-bb", "--target", arch, *define, spec)
        built = self._folder / f"RPMS/{arch}/{name}-1.2-3.fc42.{arch}.rpm"
        self.run("rpm", *self.options, "--install", "--nodeps", "--ignorearch", *options, built)

    def run(self, *words):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    def owner(self, path):
        """Of one file; rpm compares by directory, whichever way it is spelt."""
        shown = "%{name} %{evr} %{arch} %{sourcerpm}\n"
        said = self.run("rpm", *self.options, "--query", "--file", "--queryformat", shown, path)
        return {tuple(line.split()) for line in said.splitlines()}

    def ours(self, path):
        one = packages.owners(DirectoryRoot(str(self.root))).of_all((path,)).packages[path]
        source = f"{one.source}-{one.source_version}.src.rpm"
        return one.name, one.version, one.architecture, source


@pytest.fixture(params=["/usr/lib/sysimage/rpm", "/var/lib/rpm"])
def rpm(request, tmp_path):
    for tool in ("rpm", "rpmbuild"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt-get install rpm")
    return Rpm(tmp_path, request.param)


@pytest.mark.engines
def test_what_rpm_installed_is_whose_rpm_says(rpm):
    rpm.install("glibc", ["/lib64/libc.so.6", "/etc/ld.so.conf"])
    rpm.install("perl", ["/usr/lib64/libperl.so.5", "/usr/bin/perl"], "Epoch: 4")
    rpm.install("tzdata", ["/usr/share/zoneinfo/UTC"], arch="noarch")
    for path in (
        "/usr/lib64/libc.so.6",
        "/etc/ld.so.conf",
        "/usr/lib64/libperl.so.5",
        "/usr/bin/perl",
        "/usr/share/zoneinfo/UTC",
    ):
        assert {rpm.ours(path)} == rpm.owner(path), path


@pytest.mark.engines
def test_the_licence_is_the_one_that_rpm_says(rpm):
    rpm.install("perl", ["/usr/bin/perl"])
    said = rpm.run("rpm", *rpm.options, "--query", "--queryformat", "%{license}", "perl")
    owners = packages.owners(DirectoryRoot(str(rpm.root)))
    owner = owners.of_all(("/usr/bin/perl",)).packages["/usr/bin/perl"]
    assert owners.licences(owner) == (said,)


@pytest.mark.engines
def test_what_rpm_replaced_belongs_to_who_replaced_it(rpm):
    rpm.install("zold", ["/usr/bin/tool", "/usr/bin/other"])
    rpm.install("new", ["/usr/bin/tool"], "", "--replacefiles")
    rpm.install("aaa", ["/usr/bin/other"], "", "--replacefiles")
    names = [rpm.ours(f"/usr/bin/{name}")[0] for name in ("tool", "other")]
    assert names == ["new", "aaa"]


@pytest.mark.engines
def test_what_stands_in_rpms_log_is_seen(rpm):
    """While somebody reads the database, what is installed stays in the log beside it."""
    rpm.install("first", ["/usr/bin/first"])
    reader = sqlite3.connect(rpm.database)
    try:
        reader.execute("begin")
        reader.execute("select count(*) from Packages").fetchone()
        rpm.install("second", ["/usr/bin/second"])
        assert Path(f"{rpm.database}-wal").stat().st_size > 0
        for name in ("first", "second"):
            assert {rpm.ours(f"/usr/bin/{name}")} == rpm.owner(f"/usr/bin/{name}")
    finally:
        reader.close()
