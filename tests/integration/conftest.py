"""The engines, one for each session (of each xdist worker). A test chooses its images' names."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.engines import Engine, Skopeo, Tool
from tests.integration.programs import Pack


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
def other_registry(tmp_path):
    """One more: skopeo reuses a blob that it knows to be in the same registry."""
    with serve(tmp_path) as address:
        yield address


@contextmanager
def serve(folder):
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
