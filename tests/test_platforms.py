"""Where users are: roots with the layouts of Fedora, Ubuntu and Alpine.

Each root is the sysroot of a pack, and the program then runs in the root itself and in what was
packed of it, both times with no other file in sight. docs/platforms.md says what that leaves out.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests import layouts
from tests.loader import oracle

HELLO = '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }'
GREET = """
#include <stdio.h>
const char *greeting(void);
int main(void) { return puts(greeting()) < 0; }
"""
GREETING = 'const char *greeting(void) { return "hello from a library"; }'
LATIN1 = r"""
#include <iconv.h>
#include <stdio.h>
int main(void) {
    char in[] = "\xfc", out[4] = "", *from = in, *to = out;
    size_t left = 1, room = sizeof out - 1;
    iconv_t both = iconv_open("UTF-8", "ISO-8859-1");
    return both == (iconv_t)-1 || iconv(both, &from, &left, &to, &room) || puts(out) < 0;
}
"""
THROW = """
#include <iostream>
#include <stdexcept>
int main() try { throw std::runtime_error("caught"); }
catch (const std::exception &error) { std::cout << error.what() << std::endl; }
"""
CANCEL = """
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *wait(void *unused) { for (;;) pause(); return unused; }
int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, 0, wait, 0) || pthread_cancel(thread)) return 1;
    return pthread_join(thread, 0) || puts("joined") < 0;
}
"""
GLIBC_PROGRAMS = {
    "C": (HELLO, "gcc", "hello\n"),
    "C++ that throws": (THROW, "g++", "caught\n"),
    "a thread that is cancelled": (CANCEL, "gcc", "joined\n"),
    "iconv": (LATIN1, "gcc", "\N{LATIN SMALL LETTER U WITH DIAERESIS}\n"),
}


def says(root, program):
    """What a program says in a root, where it finds nothing else; it must succeed."""
    done = oracle.in_root(root, [program])
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def unpacked(archive, folder):
    """The files of a packed image, in a directory."""
    with tarfile.open(archive) as image:
        (manifest,) = json.load(image.extractfile("manifest.json"))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(image.extractfile(layer).read())) as files:
                files.extractall(folder, filter="tar")
    return folder


@pytest.fixture
def packs(cli, tmp_path):
    """Pack and stage a program of a root: both run, and say the same as it does in the root."""

    def check(root, program, *options, outside=None):
        words = (outside or f"{root}{program}", "--sysroot", root, *options)
        cli("pack", *words, "-o", "x.tar", check=True)
        cli("stage", *words, "-o", "staged", check=True)
        cli("verify", "x.tar", check=True)
        places = [tmp_path / "staged", unpacked(tmp_path / "x.tar", tmp_path / "unpacked")]
        (said,) = {says(place, program) for place in places}
        files = {
            f"/{path.relative_to(places[0])}"
            for path in places[0].rglob("*")
            if path.is_symlink() or not path.is_dir()
        }
        return said, files

    return check


@pytest.fixture
def packs_compiled(cc, packs, tmp_path):
    """The files of an image with one of GLIBC_PROGRAMS, which lies in a root or on this machine."""

    def check(where, root, program):
        source, compiler, expected = program
        if where == "outside":
            outside = cc(source, compiler=compiler, where=tmp_path)
            said, files = packs(root, "/usr/local/bin/hello", outside=outside)
        else:
            cc(source, compiler=compiler, where=root / where)
            said, files = packs(root, "/usr/bin/hello")
            assert says(root, "/usr/bin/hello") == expected
        assert said == expected
        return files

    return check


@pytest.fixture
def fedora(tmp_path):
    root = tmp_path / "fedora"
    root.mkdir()
    layouts.fedora(root)
    layouts.ldconfig(root, "/lib64", "/usr/lib64")
    return root


@pytest.fixture
def ubuntu(tmp_path):
    root = tmp_path / "ubuntu"
    root.mkdir()
    layouts.ubuntu(root)
    layouts.ldconfig(root)
    return root


@pytest.fixture
def alpine(tmp_path):
    for file, package in ((layouts.MUSL, "musl-tools"), (layouts.BUSYBOX, "busybox-static")):
        if not file.exists():
            pytest.skip(f"needs {file}: apt-get install {package}")
    root = tmp_path / "alpine"
    root.mkdir()
    layouts.alpine(root)
    return root


# --- Fedora ---


def test_the_loader_of_fedoras_root_has_fedoras_directories(fedora):
    """The test's own ground: else it would be Debian's loader that is asked."""
    said = oracle.in_root(fedora, [oracle.GLIBC, "--list-diagnostics"]).stdout
    found = re.findall(r'system_dirs\[\w+\]="(.*)"', said)
    assert [re.sub("/+", "/", one) for one in found[:2]] == ["/lib64/", "/usr/lib64/"]
    assert 'dl_dst_lib="lib64"' in said
    assert not (fedora / "usr/lib/x86_64-linux-gnu").exists()


@pytest.mark.parametrize("cache", [True, False], ids=["by the cache", "by default directories"])
def test_fedora_loads_what_its_loader_loads(fedora, cc, cache):
    cc(THROW, compiler="g++", where=fedora / "usr/bin")
    if not cache:
        (fedora / "etc/ld.so.cache").unlink()
    theirs = oracle.glibc(fedora, "/usr/bin/hello")
    assert oracle.ours(oracle.start(fedora, "/usr/bin/hello")) == theirs
    opened = {name: re.sub("/+", "/", path) for name, path in theirs.found}
    assert opened["libc.so.6"] == "/lib64/libc.so.6"
    assert not theirs.missing


@pytest.mark.parametrize("where", ["usr/bin", "outside"])
@pytest.mark.parametrize("program", GLIBC_PROGRAMS.values(), ids=GLIBC_PROGRAMS)
def test_fedora(fedora, packs_compiled, program, where):
    files = packs_compiled(where, fedora, program)
    assert {"/lib64", "/usr/lib64/ld-linux-x86-64.so.2", "/usr/lib64/libc.so.6"} <= files
    assert not [path for path in files if "x86_64-linux-gnu" in path]


def test_fedora_finds_by_ld_so_conf(fedora, cc, packs):
    """A directory of ld.so.conf.d is known by the cache alone, which the image then has."""
    shared = ("-shared", "-fPIC", "-Wl,-soname,libgreeting.so.1")
    library = cc(GREETING, name="libgreeting.so.1", where=fedora / "usr/lib64/mysql", args=shared)
    cc(GREET, where=fedora / "usr/bin", args=(library,))
    layouts.ldconfig(fedora, "/lib64", "/usr/lib64")
    said, files = packs(fedora, "/usr/bin/hello")
    assert said == says(fedora, "/usr/bin/hello") == "hello from a library\n"
    assert {"/etc/ld.so.cache", "/usr/lib64/mysql/libgreeting.so.1"} <= files


LABELS = ("security.selinux", "user.rootfs-builder")
LABEL = b"system_u:object_r:bin_t:s0\0"


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_never_copied(cli, cc, tmp_path, name):
    """SELinux keeps a file's label in an extended attribute."""
    program = cc(HELLO)
    added = tmp_path / "added"
    added.mkdir()
    (added / "file").write_text("content")
    for path in (program, added, added / "file"):
        try:
            os.setxattr(path, name, LABEL)
        except OSError as error:
            pytest.skip(f"{name} cannot be set here: {error.strerror}")
    words = (program, "--add", "added:/data")
    cli("pack", *words, "-o", "x.tar", "--layers", "single", check=True)
    cli("stage", *words, "-o", "staged", check=True)
    assert os.getxattr(program, name) == LABEL
    members = []
    with tarfile.open(tmp_path / "x.tar") as image:
        (manifest,) = json.load(image.extractfile("manifest.json"))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=image.extractfile(layer)) as files:
                members += files.getmembers()
    assert "data/file" in [member.name for member in members]
    assert [member.pax_headers for member in members if member.pax_headers] == []
    for path in (tmp_path / "staged").rglob("*"):
        # Where SELinux runs the kernel itself labels what is written, by its place.
        found = {one: os.getxattr(path, one) for one in os.listxattr(path, follow_symlinks=False)}
        assert LABEL not in found.values(), path


# --- Ubuntu ---


@pytest.mark.parametrize("where", ["usr/bin", "outside"])
@pytest.mark.parametrize("program", ["C", "C++ that throws", "a thread that is cancelled"])
def test_ubuntu(ubuntu, packs_compiled, program, where):
    files = packs_compiled(where, ubuntu, GLIBC_PROGRAMS[program])
    multiarch = "/usr/lib/x86_64-linux-gnu"
    links = {"/lib64", "/usr/lib64/ld-linux-x86-64.so.2", "/lib"}
    assert {*links, f"{multiarch}/ld-linux-x86-64.so.2", f"{multiarch}/libc.so.6"} <= files


CONFINED = """
set -eu
echo 0 >/proc/sys/user/max_user_namespaces  # of the user namespace that this is in
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def confined(*words, cwd):
    """Run as a user who has no capability, and no way to a user namespace that would give one."""
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", CONFINED, "sh", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_no_user_namespace_is_needed(cc, tmp_path):
    """Ubuntu 24.04 lets an ordinary program make one, but denies it every capability in it."""
    if subprocess.run(["unshare", "-r", "true"], capture_output=True, check=False).returncode:
        pytest.skip("there are no user namespaces here: the other tests prove it")
    denied = confined("unshare", "--user", "true", cwd=tmp_path)
    assert "No space left on device" in denied.stderr, denied
    program = cc(HELLO)
    for verb in (
        ("pack", program, "-o", "x.tar"),
        ("stage", program, "-o", "staged"),
        ("tree", program),
        ("why", program, "libc.so.6"),
        ("verify", "x.tar"),
        ("verify", "staged"),
        ("rules", "--match", program),
    ):
        done = confined(sys.executable, "-m", "rootfs_builder", *verb, cwd=tmp_path)
        assert done.returncode == 0, (verb, done.stderr)
    assert says(tmp_path / "staged", "/usr/local/bin/hello") == "hello\n"


# --- Alpine ---

STUB = "int puts(const char *s) { return !s; } void __libc_start_main(void) {}"


@pytest.fixture
def alpine_cc(cc, tmp_path):
    """Link as Alpine's compiler does: NEEDED says libc.musl-x86_64.so.1, not Debian's libc.so."""
    if shutil.which("musl-gcc") is None:
        pytest.skip("needs musl-gcc: apt-get install musl-tools")
    name = "libc.musl-x86_64.so.1"
    args = ("-shared", "-fPIC", "-nostdlib", "-fno-builtin", f"-Wl,-soname,{name}")
    stub = cc(STUB, name=name, where=tmp_path / "stub", args=args)
    crt = layouts.MUSL.parent

    def compile_source(source, *, libraries=(), **options):
        start = (crt / "Scrt1.o", crt / "crti.o", *libraries, stub, crt / "crtn.o")
        link = ("-nostdlib", "-pie", "-Wl,--dynamic-linker,/lib/ld-musl-x86_64.so.1")
        return cc(source, compiler="musl-gcc", args=(*link, *start), **options)

    return compile_source


@pytest.mark.parametrize("where", ["usr/bin", "outside"])
def test_alpine(alpine, alpine_cc, packs, tmp_path, where):
    if where == "outside":
        outside = alpine_cc(HELLO, where=tmp_path)
        said, files = packs(alpine, "/usr/local/bin/hello", outside=outside)
    else:
        alpine_cc(HELLO, where=alpine / where)
        said, files = packs(alpine, "/usr/bin/hello")
        assert says(alpine, "/usr/bin/hello") == said
    assert said == "hello\n"
    program = "/usr/local/bin/hello" if where == "outside" else "/usr/bin/hello"
    assert files == {program, "/lib/ld-musl-x86_64.so.1"}


@pytest.mark.parametrize("directory", ["lib", "usr/local/lib", "usr/lib"])
def test_alpine_finds_libraries_in_its_directories(alpine, alpine_cc, cc, packs, directory):
    args = ("-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libgreeting.so.1")
    library = cc(GREETING, name="libgreeting.so.1", where=alpine / directory, args=args)
    alpine_cc(GREET, where=alpine / "usr/bin", libraries=(library,))
    said, files = packs(alpine, "/usr/bin/hello")
    assert said == says(alpine, "/usr/bin/hello") == "hello from a library\n"
    expected = {"/usr/bin/hello", "/lib/ld-musl-x86_64.so.1", f"/{directory}/libgreeting.so.1"}
    assert files == expected


def test_a_script_of_alpine_gets_its_shell(alpine, packs):
    """There is no bash, and /bin/sh is an absolute link to busybox."""
    script = alpine / "usr/bin/greet"
    script.write_text('#!/bin/sh\nfor word in a b; do echo "$word"; done\n')
    script.chmod(0o755)
    said, files = packs(alpine, "/usr/bin/greet")
    assert said == says(alpine, "/usr/bin/greet") == "a\nb\n"
    assert {"/usr/bin/greet", "/bin/sh", "/bin/busybox"} <= files


def test_a_glibc_program_on_alpine_is_told_apart(alpine, cli, cc):
    """No loader of glibc is there: the message names it, and no musl is taken for it."""
    done = cli("pack", cc(HELLO), "-o", "x.tar", "--sysroot", alpine)
    assert done.returncode == 3
    assert "/lib64/ld-linux-x86-64.so.2" in done.stderr


PROJECT = Path(__file__).parent.parent
SHELL_SCRIPTS = sorted(
    path
    for path in (*(PROJECT / "scripts").iterdir(), PROJECT / ".ci/run")
    if path.is_file() and path.read_bytes().startswith((b"#!/bin/sh\n", b"# shellcheck shell=sh\n"))
)


@pytest.mark.engines
@pytest.mark.parametrize("script", SHELL_SCRIPTS, ids=lambda path: path.name)
def test_scripts_need_no_bash(script):
    """Alpine's sh is busybox, Debian's and Ubuntu's is dash."""
    for command in (
        ("dash", "-n", script),
        (layouts.BUSYBOX, "sh", "-n", script),
        ("shellcheck", "--shell=sh", "--external-sources", script),
    ):
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
