"""Roots of other machines, made of Debian's packages: packed here, run under qemu.

Each program does ordinary work in a chroot of what was packed. Names and order of the libraries are
compared with what the root's own ld.so lists.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.integration import services
from tests.integration.engines import Tool
from tests.integration.programs import image

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("foreign")]

MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "bash,ca-certificates,coreutils,curl,jq,libatomic1,libc-bin,libstdc++6,nginx,python3,"
    "redis-server"
)
MACHINES = {  # Debian's name: the release that has it, qemu's name, the cross compiler's
    "arm64": ("trixie", "aarch64", "aarch64-linux-gnu"),
    "armhf": ("trixie", "arm", "arm-linux-gnueabihf"),
    "i386": ("trixie", "i386", "i686-linux-gnu"),
    "riscv64": ("trixie", "riscv64", "riscv64-linux-gnu"),
    "ppc64el": ("bookworm", "ppc64le", "powerpc64le-linux-gnu"),
    "s390x": ("bookworm", "s390x", "s390x-linux-gnu"),
}
ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))  # else a sample
PATIENCE = 120  # seconds: qemu starts a server
SQL = (
    "import ssl, sqlite3; print(ssl.create_default_context().get_ca_certs()[0]['version'],"
    " sqlite3.connect(':memory:').execute('select 6 * 7').fetchone()[0])"
)
THROWS = """
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
int main() {
    std::string said;
    std::thread other([&said] {
        try { throw std::runtime_error("caught in a thread"); }
        catch (const std::exception &error) { said = error.what(); }
    });
    other.join();
    return std::puts(said.c_str()) < 0;
}
"""
LOCALE = """
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    if (!setlocale(LC_ALL, "")) return 1;
    int letters = mbstowcs(0, "\\xc3\\xa4\\xc3\\xb6", 0);
    return printf("%s %d\\n", setlocale(LC_CTYPE, 0), letters) < 0;
}
"""
BESIDE = """
#include <stdio.h>
int answer(void);
int main(void) { return printf("%d\\n", answer()) < 0; }
"""
NGINX = """
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    server { listen 127.0.0.1:PORT; location / { return 200 "from nginx\\n"; } }
}
"""


def _need(tool, package):
    if shutil.which(tool) is None:
        pytest.fail(f"{tool} is not installed: apt-get install {package}", False)


@pytest.fixture(scope="module", params=MACHINES if ALL else ["arm64"])
def foreign(request, tmp_path_factory):
    """A root of a machine: the name of that, the root, its qemu and its cross compiler."""
    release, machine, triplet = MACHINES[request.param]
    _need(f"qemu-{machine}", "qemu-user")
    root = tmp_path_factory.mktemp("roots") / request.param
    options = ("--quiet", "--variant=extract", f"--architectures={request.param}")
    include = f"--include={PACKAGES}"
    Tool("mmdebstrap")(*options, include, release, root, MIRROR, timeout=900)
    yield Foreign(request.param, root, shutil.which(f"qemu-{machine}"), triplet)
    shutil.rmtree(root)


class Foreign:
    """A root, and how programs for it are made and run."""

    def __init__(self, name, root, qemu, triplet):
        self.name = name
        self.root = root
        self._qemu = qemu
        self._triplet = triplet

    def compile(self, source, result, *words, language="c++"):
        """A program for the root's machine."""
        _need(f"{self._triplet}-g++", f"g++-{self._triplet}")
        result.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [f"{self._triplet}-g++", "-x", language, "-", "-x", "none", "-o", result, *words],
            input=source,
            text=True,
            check=True,
        )
        return result

    @contextmanager
    def words(self, root, *words):
        """The words that run a program in a chroot of `root`, under qemu."""
        inside = root / "qemu"
        shutil.copy(self._qemu, inside)
        try:
            yield ["chroot", root, "/qemu", *words]
        finally:
            inside.unlink()

    def run(self, root, *words):
        """Run a program in a root; how it ended."""
        with self.words(root, *words) as command:
            return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    def libraries(self, root, program):
        """What the root's own ld.so lists: name and path of each object, in its order."""
        listed = self.run(root, "-E", "LD_TRACE_LOADED_OBJECTS=1", program).stdout
        found = []
        for line in listed.splitlines():
            match = re.fullmatch(r"\s+(\S+)(?: => (\S+))? \(0x[0-9a-f]+\)", line)
            if match and not match[1].startswith("linux-"):
                found.append((match[1], match[2] or match[1]))
        return found


@pytest.fixture
def packed(foreign, cli, umoci, skopeo, tmp_path):
    """Pack and verify a program, and compare its libraries: the root of the image."""

    def pack(program, *words, at=None):
        options = ("--sysroot", foreign.root, *(("--at", at) if at else ()))
        done = cli("pack", program, *options, "-o", "x.tar", "-t", "x", *words)
        assert done.returncode == 0, done.stderr
        cli("verify", "x.tar", check=True)
        skopeo("copy", f"docker-archive:{tmp_path}/x.tar", f"oci:{tmp_path}/layout:x")
        umoci("unpack", "--image", f"{tmp_path}/layout:x", tmp_path / "bundle")
        root = tmp_path / "bundle/rootfs"
        shown = cli("tree", "--json", program, *options[:2], check=True)
        for found in json.loads(shown.stdout)["executables"]:
            objects = found["link_maps"][0]["objects"] if found["link_maps"] else ()
            ours = [(one["name"], one["opened"]) for one in objects if one["by"]]
            if ours and Path(f"{foreign.root}{found['real']}").exists():
                assert ours == foreign.libraries(foreign.root, found["real"])
            elif ours:  # not of the foreign root: its libraries are elsewhere in the image
                theirs = foreign.libraries(root, at)
                assert [name for name, _ in ours] == [name for name, _ in theirs]
        return root

    return pack


SIGTERM_TAKES = 20  # seconds, at most


@contextmanager
def server(foreign, root, *words):
    """A server that runs in a root until the end of the block."""
    with (
        foreign.words(root, *words) as command,
        subprocess.Popen(command, stdout=subprocess.DEVNULL) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(SIGTERM_TAKES)
            except subprocess.TimeoutExpired:  # qemu-user may lose a signal while it translates
                process.kill()


def answer(process, ask):
    """What a server says, once it listens."""
    last = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < last
            time.sleep(0.2)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_curl_speaks_tls_to_whom_the_root_trusts(foreign, packed, tmp_path):
    authority = services.authority(tmp_path, "a root's own")
    pair = services.certificate(tmp_path, authority)
    bundle = foreign.root / "etc/ssl/certs/ca-certificates.crt"
    bundle.write_text(authority[0].read_text())
    root = packed(foreign.root / "usr/bin/curl")
    with services.serving(services.http_server(b"over tls\n", pair, tmp_path)) as https:
        port = https.server_address[1]
        there = (
            "--resolve",
            f"{services.NAME}:{port}:127.0.0.1",
            f"https://{services.NAME}:{port}",
        )
        done = foreign.run(root, "/usr/bin/curl", "-sS", *there)
    assert (done.returncode, done.stdout) == (0, "over tls\n"), done.stderr


def test_python_with_tls_and_a_database(foreign, packed, tmp_path):
    authority = services.authority(tmp_path, "a root's own")
    bundle = foreign.root / "etc/ssl/certs/ca-certificates.crt"
    bundle.write_text(authority[0].read_text())
    root = packed(foreign.root / "usr/bin/python3", "--", "-c", SQL)
    done = foreign.run(root, "/usr/bin/python3", "-c", SQL)
    assert (done.returncode, done.stdout) == (0, "3 42\n"), done.stderr


def test_nginx_serves(foreign, packed, tmp_path):
    port = free_port()
    (tmp_path / "nginx.conf").write_text(NGINX.replace("PORT", str(port)))
    added = ("--add", "nginx.conf:/etc/nginx/nginx.conf")
    root = packed(foreign.root / "usr/sbin/nginx", *added, "--", "-g", "daemon off;")
    command = ("/usr/sbin/nginx", "-g", "daemon off; master_process off;")
    with server(foreign, root, *command) as process:
        said = answer(process, lambda: urlopen(f"http://127.0.0.1:{port}").read())
    assert said == b"from nginx\n"


def test_redis_answers(foreign, packed):
    port = free_port()
    root = packed(foreign.root / "usr/bin/redis-server")
    words = ("--port", str(port), "--save", "", "--bind", "127.0.0.1")
    words += ("--ignore-warnings", "ARM64-COW-BUG")  # which it takes qemu's memory for

    def ping():
        with socket.create_connection(("127.0.0.1", port)) as redis:
            redis.sendall(b"PING\r\n")
            return redis.recv(100)

    with server(foreign, root, "/usr/bin/redis-server", *words) as process:
        assert answer(process, ping) == b"+PONG\r\n"


def test_jq_computes(foreign, packed):
    root = packed(foreign.root / "usr/bin/jq")
    assert foreign.run(root, "/usr/bin/jq", "-n", "6 * 7").stdout == "42\n"


def test_a_script_of_bash(foreign, packed, tmp_path):
    """Of built-in commands: without the kernel's help qemu starts no other program."""
    script = tmp_path / "count"
    script.write_text('#!/bin/bash\nwords=(b a)\nfor one in "${words[@]}"; do echo "$one"; done\n')
    script.chmod(0o755)
    root = packed(script, at="/usr/local/bin/count")
    done = foreign.run(root, "/bin/bash", "/usr/local/bin/count")
    assert (done.stdout, done.stderr) == ("b\na\n", "")


def test_an_exception_in_a_thread(foreign, packed, tmp_path):
    program = foreign.compile(THROWS, tmp_path / "throws", "-pthread")
    root = packed(program, at="/throws")
    assert foreign.run(root, "/throws").stdout == "caught in a thread\n"


def test_a_static_program(foreign, packed, tmp_path):
    source = '#include <stdio.h>\nint main(void) { return puts("static") < 0; }'
    program = foreign.compile(source, tmp_path / "static", "-static", language="c")
    root = packed(program, at="/static")
    assert foreign.run(root, "/static").stdout == "static\n"


def test_a_library_beside_the_program(foreign, packed, tmp_path):
    library = tmp_path / "app/lib/libanswer.so"
    source = 'extern "C" int answer(void) { return 42; }'
    foreign.compile(source, library, "-shared", "-fPIC", "-Wl,-soname,libanswer.so")
    program = foreign.compile(
        BESIDE, tmp_path / "app/bin/beside", library, "-Wl,-rpath,$ORIGIN/../lib", language="c"
    )
    root = packed(program, at="/app/bin/beside")
    assert foreign.run(root, "/app/bin/beside").stdout == "42\n"


def test_a_locale(foreign, packed, tmp_path):
    program = foreign.compile(LOCALE, tmp_path / "locale", language="c")
    root = packed(program, "-e", "LC_ALL=C.UTF-8", at="/locale")
    done = foreign.run(root, "-E", "LC_ALL=C.UTF-8", "/locale")
    assert (done.returncode, done.stdout) == (0, "C.UTF-8 2\n"), done


NATIVE = {  # what docker runs of i386 without qemu: arguments, and how the output starts
    "jq": (("-n", "6 * 7"), "42\n"),
    "python3": (("-c", "import ssl, ctypes; print(ctypes.sizeof(ctypes.c_void_p))"), "4\n"),
    "redis-server": (("--version",), "Redis server v="),
    "curl": (("--version",), "curl "),
    "bash": (("-c", "words=(b a); echo ${words[1]}"), "a\n"),
}


@pytest.mark.parametrize("program", NATIVE)
@pytest.mark.parametrize("foreign", ["i386"], indirect=True)
def test_docker_runs_i386(foreign, packed, docker, name, tmp_path, program):
    words, said = NATIVE[program]
    packed(foreign.root / "usr/bin" / program, "-t", name, "--", *words)
    with image(docker, docker.load(tmp_path / "x.tar")) as loaded:
        done = docker.run(loaded, extra=("--platform", "linux/386"))
    assert done.stdout.startswith(said), done.stderr


def test_a_program_without_its_root_is_told_which_it_needs(foreign, cli, tmp_path):
    shutil.copy(foreign.root / "usr/bin/jq", tmp_path)
    done = cli("pack", "jq", "-o", "x.tar")
    if foreign.name == "i386" and os.path.exists("/lib/ld-linux.so.2"):
        return  # this machine may have its libc
    assert done.returncode == 3
    assert "a program for linux/" in done.stderr
    assert "--sysroot" in done.stderr
