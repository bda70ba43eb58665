"""A program that looks for all that a container must not see finds none of it."""

import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.sandboxes import USER, WAYS, installed

PROBE = Path(__file__).parent / "hostile_probe.c"
# What the last way says itself that it does not keep apart.
OF_CHROOT = re.compile(r"process|root of a process|kill|network|interface")
_ADD_KEY, _KEYCTL, _JOIN, _SESSION = 248, 250, 1, -3


@pytest.fixture
def archive(cc, cli, tmp_path):
    """An image of the probe, with a set-user-id copy and one that has capabilities."""
    program = cc(PROBE.read_text(), name="probe", args=("-static", "-w"))
    archive = tmp_path / "probe.tar"
    cli("pack", program, "-o", archive, check=True)
    return archive


@contextmanager
def host(folder):
    """The secret that a machine has everywhere, its port, and a process of its."""
    secret = f"secret-{uuid.uuid4().hex}"
    (folder / secret).write_text(secret)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as abstract,
        subprocess.Popen(["sleep", "1000"], env={"A": secret, "PATH": os.environ["PATH"]}) as other,
    ):
        abstract.bind(f"\0{secret}")
        abstract.listen()
        try:
            yield secret, server.getsockname()[1], other.pid
        finally:
            other.kill()


def with_key(secret):
    """Have a session of keys with one that tells the secret: for a child, before it begins."""

    def begin():
        libc = ctypes.CDLL(None)
        libc.syscall(_KEYCTL, _JOIN, None)
        libc.syscall(_ADD_KEY, b"user", secret.encode(), b"x", ctypes.c_size_t(1), _SESSION)

    return begin


def seen(archive, way, folder, start):
    """What the probe has seen, and how many files there were."""
    outside = os.open("/", os.O_RDONLY)
    with host(folder) as (secret, port, process):
        words = ["run", "-q", "--way", way, archive, "--", secret, str(port), str(process)]
        done = subprocess.run(
            [*start, *words],
            cwd="/",
            env={**os.environ, "SECRET": secret},
            pass_fds=(outside,),
            preexec_fn=with_key(secret),
            capture_output=True,
            text=True,
            check=False,
        )
    os.close(outside)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    return lines, int(last.removeprefix("files "))


def available(way):
    """The ways that this machine has for this user; with --engines a skip is a failure."""
    if way == "bubblewrap" and shutil.which("bwrap") is None:
        pytest.skip("no bubblewrap")
    if way == "chroot" and os.geteuid() != 0:
        pytest.skip("only root can change its root")


@pytest.mark.parametrize("way", ["bubblewrap", "unshare", "chroot"])
def test_nothing_of_the_host_is_seen(way, archive, tmp_path):
    available(way)
    lines, files = seen(archive, way, tmp_path, [sys.executable, "-m", "rootfs_builder"])
    left = [line for line in lines if way != "chroot" or not OF_CHROOT.match(line)]
    assert left == []
    assert 10 < files < 100


@pytest.mark.engines
def test_nor_by_an_ordinary_user(archive, tmp_path):
    with tempfile.TemporaryDirectory(prefix="python.") as folder:
        python = installed(Path(folder))
        public = shutil.copy(archive, folder)
        for way, user in WAYS:
            if user:
                drop = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
                start = [*drop, python, "-m", "rootfs_builder"]
                assert seen(public, way, tmp_path, start)[0] == []


@pytest.mark.engines
def test_the_probe_itself_sees_what_there_is(cc, tmp_path):
    """In a root with the host's /proc, a device and a secret, it finds each of them."""
    root = tmp_path / "root"
    (root / "proc").mkdir(parents=True)
    program = cc(PROBE.read_text(), name="probe", where=root, args=("-static", "-w"))
    script = f'mount --rbind /proc {root}/proc && exec chroot {root} /probe "$@"'
    alone = ["unshare", "--mount", "--uts"]
    with host(root) as (secret, port, process):  # its file is in the root
        done = subprocess.run(
            [*alone, "sh", "-c", script, "sh", secret, str(port), str(process)],
            env={**os.environ, "SECRET": secret},
            preexec_fn=with_key(secret),
            capture_output=True,
            text=True,
            check=False,
        )
    assert program.exists()
    kinds = "file content variable process kill ptrace network interface writable mount keyring"
    for what in (*kinds.split(), "escape", "host name"):
        assert re.search(f"(?m)^{what}: ", done.stdout), (what, done.stdout, done.stderr)
