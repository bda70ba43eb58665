"""The engines, one for each session (of each xdist worker). A test chooses its images' names."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.integration.engines import Engine, Skopeo, Tool
from tests.integration.programs import Pack

# "somebody" and "a password", as `htpasswd -B` writes it
HTPASSWD = "somebody:$2a$05$Fhv9OPFe0YukVy6H8/qWe.VVp6MaSNcRRmS.IN9GCLJ8QAclSSMiC\n"


@pytest.fixture(scope="session")
def docker():
    """The machine's docker: all workers share it, so a test takes a name of its own."""
    engine = Engine("docker")
    if engine("info", check=False).returncode != 0:
        pytest.fail("dockerd does not answer: start it with scripts/engines", False)
    return engine


@pytest.fixture(scope="session")
def containerd():
    """A second dockerd, with its images in containerd: its folder, with `docker.sock`."""
    Tool("dockerd")
    folder = Path(tempfile.mkdtemp(prefix="dockerd."))  # short, for the paths of its sockets
    config = {
        "features": {"containerd-snapshotter": True},
        "data-root": str(folder / "data"),
        "exec-root": str(folder / "exec"),
        "pidfile": str(folder / "pid"),
        "hosts": [f"unix://{folder}/docker.sock"],
        "iptables": False,
        "bridge": "none",
    }
    (folder / "daemon.json").write_text(json.dumps(config))
    log = folder / "log"
    with log.open("w") as out:
        daemon = subprocess.Popen(
            ["dockerd", "--config-file", folder / "daemon.json"],
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C is for the tests, which then need it to clean up
        )
    try:
        deadline = time.monotonic() + 60
        while "API listen on" not in log.read_text():
            if daemon.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the second dockerd does not answer:\n{log.read_text()}", False)
            time.sleep(0.1)
        yield folder
    finally:
        daemon.terminate()
        daemon.wait()
        subprocess.run(["umount", folder / "data"], capture_output=True, check=False)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def docker_containerd(containerd):
    """A docker that keeps its images in containerd."""
    return Engine("docker", "--host", f"unix://{containerd}/docker.sock")


@pytest.fixture(scope="session")
def ctr(containerd):
    """The command line of the containerd below `docker_containerd`, in a namespace of its own."""
    socket = containerd / "exec/containerd/containerd.sock"
    return Tool("ctr", "--address", socket, "--namespace", "tests")


@pytest.fixture(scope="session")
def podman():
    """A podman with a store of its own."""
    Tool("runc")
    Tool("podman")  # before there is a folder to clean up
    # Not in pytest's folder: podman makes sockets below it, whose paths must be short.
    store = Path(tempfile.mkdtemp(prefix="podman."))
    engine = Engine(
        "podman",
        *("--root", store / "root", "--runroot", store / "run"),
        *("--runtime", "runc", "--cgroup-manager", "cgroupfs"),
        env={"PODMAN_IGNORE_CGROUPSV1_WARNING": "1"},
    )
    yield engine
    engine("rm", "--all", "--force", check=False)
    subprocess.run(["umount", store / "root" / "overlay"], capture_output=True, check=False)
    shutil.rmtree(store)


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """An empty registry without TLS: its address, 127.0.0.1:PORT."""
    with serve(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def private_registry(tmp_path):
    """A registry that wants a login: its address, the name and the password."""
    accounts = tmp_path / "accounts"
    accounts.write_text(HTPASSWD)
    with serve(tmp_path, auth={"htpasswd": {"realm": "tests", "path": str(accounts)}}) as address:
        yield address, "somebody", "a password"


@pytest.fixture
def other_registry(tmp_path):
    """One more: skopeo reuses a blob that it knows to be in the same registry."""
    with serve(tmp_path) as address:
        yield address


@contextmanager
def serve(folder, **more):
    """A registry whose files are in a folder: its address."""
    Tool("docker-registry")
    config = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "storage")},
            "delete": {"enabled": True},
        },
        # Port 0: the kernel picks one that is free, the log says which.
        "http": {"addr": "127.0.0.1:0"},
        **more,
    }
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    log = folder / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"]},  # REGISTRY_* would change the configuration
        )
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait()


def _address(server, log):
    deadline = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    pytest.fail(f"docker-registry does not listen:\n{log.read_text()}", False)


@pytest.fixture(scope="session")
def debian(docker):
    """A bare Debian, made of its packages: as debian:13 is, but with this machine's authorities."""
    made = subprocess.run(
        [
            *(Tool("mmdebstrap").command[0], "--quiet", "--variant=apt"),
            "--include=ca-certificates",
            "--customize-hook=copy-in /usr/local/share/ca-certificates /usr/local/share",
            "--customize-hook=chroot $1 update-ca-certificates",
            *("trixie", "-", "http://deb.debian.org/debian"),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.fail(made.stderr.decode(), False)
    name = f"debian-{uuid.uuid4().hex}"
    docker("import", "-", name, input=made.stdout, text=False)
    yield name
    docker.remove(name)


@pytest.fixture(scope="session")
def equipped(docker, debian):
    """The same with what CI's machines have: a compiler, pipx and skopeo."""
    install = "apt-get update -qq && apt-get install -qq --no-install-recommends"
    script = f"{install} gcc libc6-dev pipx skopeo >/dev/null"
    name = f"equipped-{uuid.uuid4().hex}"
    docker("run", "--name", name, "--network", "host", debian, "sh", "-ec", script)
    docker("commit", name, name)
    docker("rm", name)
    yield name
    docker.remove(name)


@pytest.fixture
def bare(docker, debian):
    """Starts a container of a bare Debian, once, with a folder as its /src; its name.

    It has the machine's network, what an unprivileged container has, and no way to more.
    """
    name = f"bare-{uuid.uuid4().hex}"

    @cache
    def start(folder, image=debian):
        options = ("--network", "host", "--security-opt", "no-new-privileges")
        mount = ("-v", f"{folder}:/src", "-w", "/src")
        docker("run", "-d", "--init", "--name", name, *options, *mount, image, "sleep", "infinity")
        return name

    yield start
    docker("rm", "--force", name, check=False)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """This package as one file."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder)
    subprocess.run([*pip, Path(__file__).parent.parent.parent], check=True)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="session")
def skopeo():
    """Copies images between archives, directories and the registry."""
    return Skopeo("skopeo", "--insecure-policy")


@pytest.fixture(scope="session")
def umoci():
    """Reads OCI layouts, and checks all that it reads."""
    return Tool("umoci")


@pytest.fixture(scope="session")
def oras():
    """Copies OCI layouts, and checks digests and sizes."""
    return Tool("oras")


@pytest.fixture(scope="session")
def buildah():
    """Reads what podman reads, with other code for archives."""
    Tool("buildah")
    store = Path(tempfile.mkdtemp(prefix="buildah."))
    yield Tool(
        "buildah",
        *("--root", store / "root", "--runroot", store / "run", "--storage-driver", "vfs"),
    )
    shutil.rmtree(store)


@pytest.fixture
def pack(cli, umoci, oras, tmp_path):
    """Run ``rootfs-builder pack``; every archive is checked by all outside readers."""
    return Pack(cli, umoci, oras, tmp_path)


@pytest.fixture
def name():
    """A name that no other test gives to an image."""
    return f"image-{uuid.uuid4().hex}"
