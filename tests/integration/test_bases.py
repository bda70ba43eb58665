"""Bases, roots and debug twins with real distributions and real engines."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

from tests import layouts
from tests.integration.engines import Tool
from tests.integration.programs import image
from tests.integration.test_layers import pushed

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("bases")]

ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))  # else a sample
MIRROR = "http://deb.debian.org/debian"
PACKAGES = "jq,sqlite3,gawk,file,xz-utils,python3-minimal,bash,curl,grep,sed"
PROGRAMS = {  # of a release: how each is used, and what it then says
    "/usr/bin/jq": (("-n", "-r", '[1, 2] | join("-")'), "1-2\n"),
    "/usr/bin/sqlite3": ((":memory:", "select 6 * 7"), "42\n"),
    "/usr/bin/gawk": (('BEGIN { print length(ENVIRON["PATH"]) > 0 }',), None),
    "/usr/bin/file": (("-b", "/usr/bin/file"), None),
    "/usr/bin/xz": (("--robot", "--version"), None),
    "/usr/bin/python3": (("-c", "print(sum(range(10)))"), "45\n"),
}
MORE = ("/bin/bash", "/bin/grep", "/bin/sed", "/usr/bin/curl")  # of a root as an image
HELLO = '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }'
MUSL = {  # for a root with musl: their sources, and what they say
    "hello": (HELLO, "hello\n"),
    "thread": (
        """#include <pthread.h>
        #include <stdio.h>
        void *run(void *text) { puts(text); return 0; }
        int main(void) {
            pthread_t one;
            return pthread_create(&one, 0, run, "from a thread") || pthread_join(one, 0);
        }""",
        "from a thread\n",
    ),
    "number": (
        """#include <math.h>
        #include <stdio.h>
        int main(int count, char **_) { return printf("%.2f\\n", sqrt(count + 1)) < 0; }""",
        "1.41\n",
    ),
    "address": (
        """#include <netdb.h>
        #include <stdio.h>
        int main(void) {
            struct addrinfo *found;
            return getaddrinfo("localhost", "80", 0, &found) || puts("found") < 0;
        }""",
        "found\n",
    ),
    "user": (
        """#include <pwd.h>
        #include <stdio.h>
        int main(void) { return printf("%d\\n", getpwnam("root")->pw_uid) < 0; }""",
        "0\n",
    ),
    "library": (
        """#include <stdio.h>
        int answer(void);
        int main(void) { return printf("%d\\n", answer()) < 0; }""",
        "42\n",
    ),
}


@pytest.fixture(scope="session", params=["trixie", "bookworm", "bullseye"] if ALL else ["bookworm"])
def release(request, tmp_path_factory):
    """A Debian release: the tar of a small root, and a root with programs in it."""
    folder = tmp_path_factory.mktemp(request.param)
    common = ("--quiet", '--aptopt=Acquire::Check-Valid-Until "false"')
    Tool("mmdebstrap")(
        *common, "--variant=essential", request.param, folder / "base.tar", MIRROR, timeout=600
    )
    extract = ("--variant=extract", f"--include={PACKAGES}", request.param, folder / "root")
    Tool("mmdebstrap")(*common, *extract, MIRROR, timeout=600)
    return request.param, folder


@pytest.fixture
def built(docker, name):
    """An image that docker builds FROM scratch in a folder: its name and its archive."""
    found = []

    def build(folder, dockerfile):
        called = f"{name}-base{len(found)}"
        found.append(called)
        (folder / "Dockerfile").write_text(dockerfile)
        env = {**os.environ, "DOCKER_BUILDKIT": "0"}
        command = ["docker", "build", "-q", "--network", "host", "-t", called, folder]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        docker("save", called, "-o", folder / "saved.tar")
        return called, folder / "saved.tar"

    yield build
    for one in found:
        docker.remove(one)


def layers(skopeo, archive):
    manifest = skopeo.inspect(f"oci-archive:{archive}", "--raw")
    return [one["digest"] for one in manifest["layers"]]


def converted(skopeo, saved, folder):
    """A saved archive as an OCI archive, with the layers that a registry would have."""
    skopeo("copy", f"docker-archive:{saved}", f"oci-archive:{folder / 'base-oci.tar'}:base")
    return folder / "base-oci.tar"


# --- acceptance 1 ---


@pytest.fixture
def six(cli, docker, podman, skopeo, registry, name, tmp_path):
    """Pack the six programs of a root on a base, push them, and use them in each engine.

    What is pushed is the own layer alone. Gives each image while it is there, with its engine.
    A usual run takes two of the six.
    """
    programs = PROGRAMS if ALL else {one: PROGRAMS[one] for one in ("/usr/bin/jq", "/usr/bin/file")}

    def on(base, root=""):
        place = f"{registry}/{name}"
        skopeo.push(base, "oci-archive", f"{place}:base")
        below = layers(skopeo, base)
        sysroot = ("--sysroot", root) if root else ()
        for program, (words, said) in programs.items():
            packed = ("pack", f"{root}{program}", *sysroot, "--base", base)
            cli(*packed, "-o", "x.tar", "-t", name, check=True)
            all_ = layers(skopeo, tmp_path / "x.tar")
            assert all_[: len(below)] == below
            archive = type("Archive", (), {"tar": tmp_path / "x.tar"})
            uploaded, _ = pushed(skopeo, archive, f"{place}:latest")
            assert uploaded <= set(all_) - set(below)
            for engine in (docker, podman):
                with image(engine, engine.load(tmp_path / "x.tar")) as loaded:
                    done = engine.run(loaded, *words)
                    assert done.returncode == 0, (program, done)
                    assert said in (None, done.stdout)
                    yield engine, loaded

    return on


def shell(engine, loaded, words, path="/bin/sh"):
    """What a shell of the base says."""
    return engine.run(loaded, "-c", words, extra=("--entrypoint", path)).stdout


def test_six_programs_of_a_release_on_its_small_root(release, built, skopeo, six, tmp_path):
    series, folder = release
    context = tmp_path / "context"
    context.mkdir()
    shutil.copy(folder / "base.tar", context / "root.tar")
    dockerfile = f'FROM scratch\nADD root.tar /\nENV SERIES={series}\nCMD ["sh"]\n'
    _, saved = built(context, dockerfile)
    base = converted(skopeo, saved, tmp_path)
    for engine, loaded in six(base, folder / "root"):
        assert shell(engine, loaded, "echo $SERIES") == f"{series}\n"


def test_a_program_that_is_too_new_for_a_release(release, built, cli, cc, tmp_path):
    series, folder = release
    context = tmp_path / "context"
    context.mkdir()
    shutil.copy(folder / "base.tar", context / "root.tar")
    _, saved = built(context, "FROM scratch\nADD root.tar /\n")
    program = cc(
        "#define _GNU_SOURCE\n#include <stdlib.h>\n"
        "int main(int n, char **w) { return strtol(w[0], 0, 0); }",
        name="number",
    )
    done = cli("pack", program, "--base", saved, "-o", "x.tar")
    if series == "trixie":
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 4
    assert "/lib/x86_64-linux-gnu/libc.so.6 of the base is older than" in done.stderr
    assert re.search(r"version `GLIBC_2\.\d+' not found, for \w+", done.stderr)
    assert not (tmp_path / "x.tar").exists()


def test_six_musl_programs_on_a_musl_base(built, cli, docker, podman, skopeo, name, tmp_path):
    root = tmp_path / "context/root"
    root.mkdir(parents=True)
    layouts.alpine(root)
    _, saved = built(root.parent, "FROM scratch\nADD root /\nENV HERE=musl\n")
    base = converted(skopeo, saved, tmp_path)
    below = layers(skopeo, base)
    (tmp_path / "lib").mkdir()
    answer = ("-shared", "-fPIC", "-Wl,-soname,libanswer.so", "-o", tmp_path / "lib/libanswer.so")
    _musl(answer, "int answer(void) { return 42; }")
    beside = (f"-L{tmp_path}/lib", "-lanswer", "-Wl,-rpath,$ORIGIN/lib")
    for program, (source, said) in MUSL.items() if ALL else [*MUSL.items()][-2:]:
        _musl(("-o", tmp_path / program, *(beside if "answer" in source else ())), source)
        cli("pack", program, "--base", base, "-o", "x.tar", "-t", name, check=True)
        assert layers(skopeo, tmp_path / "x.tar")[: len(below)] == below
        for engine in (docker, podman):
            with image(engine, engine.load(tmp_path / "x.tar")) as loaded:
                assert engine.run(loaded).stdout == said, program
                assert shell(engine, loaded, "echo $HERE") == "musl\n"


def _musl(options, source):
    """Compile for musl."""
    words = ["musl-gcc", "-w", "-x", "c", "-", "-x", "none", *options]
    subprocess.run(words, input=source, text=True, check=True)


@pytest.fixture
def glibc_root(tmp_path):
    """The folder that a base is built from: glibc, busybox, and what is below `root`."""
    root = tmp_path / "context/root"
    root.mkdir(parents=True)
    layouts.ubuntu(root)
    shutil.copy(layouts.BUSYBOX, root / "usr/bin/busybox")
    (root / "usr/bin/sh").symlink_to("busybox")
    return root


def test_six_programs_on_busybox_with_glibc(glibc_root, built, skopeo, six, tmp_path):
    """As the image busybox:glibc is made: libraries, a static busybox, no package."""
    _, saved = built(glibc_root.parent, "FROM scratch\nADD root /\nENV HERE=glibc\n")
    for engine, loaded in six(converted(skopeo, saved, tmp_path)):
        assert shell(engine, loaded, "echo $HERE") == "glibc\n"


def test_six_programs_on_a_base_with_whiteouts_and_on_one_squashed_by_buildah(
    glibc_root, built, skopeo, buildah, six, tmp_path
):
    (glibc_root / "opt").mkdir()
    (glibc_root / "opt/old").write_text("old")
    lib = "/usr/lib/x86_64-linux-gnu"
    dockerfile = f"FROM scratch\nADD root /\nRUN busybox rm -r /opt/old {lib}/libm.so.6\n"
    _, saved = built(glibc_root.parent, dockerfile)
    base = converted(skopeo, saved, tmp_path)
    assert len(layers(skopeo, base)) == 2
    squashed = tmp_path / "squashed.tar"
    container = buildah("from", "--pull-never", f"docker-archive:{saved}").stdout.strip()
    buildah("commit", "--squash", container, f"oci-archive:{squashed}:squashed")
    assert len(layers(skopeo, squashed)) == 1
    for one in (base, squashed):
        for engine, loaded in six(one):
            assert shell(engine, loaded, "echo /opt/*") == "/opt/*\n"


# --- acceptance 5 ---


def test_an_image_as_the_sysroot_gives_the_digest_of_its_root(release, docker, cli, name, tmp_path):
    _, folder = release
    docker("import", "-", name, input=_tar(folder / "root"), text=False)
    docker("save", name, "-o", tmp_path / "root.tar")
    docker.remove(name)
    for number, program in enumerate((*PROGRAMS, *MORE)):
        for sysroot, path in (("root.tar", program), (folder / "root", f"{folder}/root{program}")):
            made = tmp_path / f"{number}.{sysroot == 'root.tar'}.tar"
            cli("pack", path, "--sysroot", sysroot, "-o", made, check=True)
            cli("inspect", made, "-q", check=True)
        one, other = sorted(tmp_path.glob(f"{number}.*.tar"))
        assert one.read_bytes() == other.read_bytes(), program


def _tar(root):
    return subprocess.run(
        ["tar", "-C", root, "--exclude=./dev", "-c", "."], capture_output=True, check=True
    ).stdout


def test_the_memory_that_an_image_of_a_gigabyte_takes(cc, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    layouts.ubuntu(root)
    for number in range(4 if ALL else 1):
        with (root / f"usr/lib/large{number}").open("wb") as file:
            for _ in range(256):
                file.write(os.urandom(1 << 16) * 16)  # 1 MiB
    with tarfile.open(tmp_path / "root.tar", "w:gz", compresslevel=1) as tar:
        tar.add(root, ".")
    program = cc(HELLO)
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = (sys.executable, "-m", "rootfs_builder", "pack", program, "-q")
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--sysroot", "root.tar", "-o", "x.tar"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout.split()[-1]) < 150 << 10  # KiB


# --- acceptance 6 ---


def test_the_debug_twin_of_nginx(cli, docker, skopeo, name, tmp_path):
    added = [word for one in ("/etc/nginx", "/usr/share/nginx") for word in ("--add", one)]
    added += ["--add", "/usr/lib/nginx"] if os.path.exists("/usr/lib/nginx") else []
    words = ("/usr/sbin/nginx", "-t", f"{name}:1", *added)
    cli("pack", *words, "-o", "x.tar", "--", "-g", "daemon off;", check=True)
    done = cli("debug", "x.tar", "-o", "y.tar", "--with-tools", "strace,curl", check=True)
    below, all_ = layers(skopeo, tmp_path / "x.tar"), layers(skopeo, tmp_path / "y.tar")
    assert all_[:-1] == below
    lines = [line.strip() for line in done.stderr.splitlines() if line.startswith("  ")]
    with image(docker, docker.load(tmp_path / "y.tar")) as loaded:
        assert loaded == f"{name}:debug"
        run = next(line for line in lines if line.startswith("docker run -d"))
        _shell(f"{run} && sleep 1", tmp_path)
        try:
            exec_ = next(line for line in lines if line.startswith("docker exec")).replace(
                "-it ", ""
            )
            said = _shell(f"{exec_} -c 'ps; strace -V; curl -sI http://localhost'", tmp_path)
            assert "nginx: master process" in said
            assert "strace -- version" in said
            assert "HTTP/1.1 " in said
            _shell(next(line for line in lines if line.startswith("docker cp")), tmp_path)
            assert (tmp_path / "nginx").stat().st_size > 100_000
            beside = next(line for line in lines if "--pid container:" in line)
            beside = beside.replace("-it ", "").replace(
                f"container:{name}", f"container:{name}-debug"
            )
            assert "nginx: master process" in _shell(f"{beside} -c ps", tmp_path)
            ns = next(line for line in lines if line.startswith("nsenter"))
            ns = ns.replace(f"' {name})", f"' {name}-debug)")
            assert "nginx" in _shell(ns, tmp_path)
        finally:
            docker("rm", "--force", f"{name}-debug", check=False)


def _shell(line, folder):
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


# --- acceptance 4 ---

ARCHITECTURES = ("amd64", "arm64", "riscv64")
GO = """
package main

import (
	"fmt"
	"runtime"
)

func main() { fmt.Println(runtime.GOARCH) }
"""


def test_an_index_in_every_consumer(
    cli, docker, podman, skopeo, oras, umoci, registry, name, tmp_path
):
    (tmp_path / "main.go").write_text(GO)
    for arch in ARCHITECTURES:
        env = {**os.environ, "GOARCH": arch, "GO111MODULE": "off", "CGO_ENABLED": "0"}
        words = ["go", "build", "-o", f"go-{arch}", "main.go"]
        subprocess.run(words, cwd=tmp_path, env=env, check=True)
        at = ("--at", "/usr/local/bin/say", "-t", f"{name}:1")
        cli("pack", f"go-{arch}", *at, "-o", f"{arch}.tar", check=True)
    archives = [tmp_path / f"{arch}.tar" for arch in ARCHITECTURES]
    done = cli("index", *archives, "-o", "x.tar", check=True)
    digest = done.stdout.strip().rpartition("@")[2]
    index = skopeo.inspect(f"oci-archive:{tmp_path}/x.tar", "--raw")
    alone = [
        skopeo.inspect(f"oci-archive:{path}", "--format", "{{json .Digest}}") for path in archives
    ]
    assert [one["digest"] for one in index["manifests"]] == alone
    for engine in (docker, podman):
        with image(engine, engine.load(tmp_path / "x.tar")) as loaded:
            assert engine.run(loaded).stdout == "amd64\n"
    place = f"{registry}/{name}:1"
    source = f"oci-archive:{tmp_path}/x.tar"
    skopeo("copy", "--all", "--dest-tls-verify=false", source, f"docker://{place}")
    raw = skopeo("inspect", "--tls-verify=false", "--raw", f"docker://{place}", text=False).stdout
    assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == digest
    for engine in (docker, podman):
        engine.pull(place)
        with image(engine, place) as pulled:
            assert engine.run(pulled).stdout == "amd64\n"
    cli("index", *archives, "-o", "oci:layout", check=True)
    copied = oras(
        "cp",
        "-r",
        "--from-oci-layout",
        tmp_path / "layout:1",
        "--to-oci-layout",
        "c:1",
        cwd=tmp_path,
    )
    assert digest in copied.stdout
    refused = umoci("stat", "--image", f"{tmp_path}/layout:1", check=False)
    assert "tag is ambiguous" in refused.stderr
