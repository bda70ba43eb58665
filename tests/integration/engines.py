"""The container engines and tools that integration tests use, as plain objects."""

import json
import os
import re
import shutil
import subprocess
import uuid

import pytest

PACKAGES = {
    "docker": "docker-cli",
    "dockerd": "docker.io",
    "ctr": "containerd",
    "podman": "podman",
    "runc": "runc",
    "skopeo": "skopeo",
    "umoci": "umoci",
    "oras": "oras",
    "docker-registry": "docker-registry",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "pipx": "pipx",
}


class Tool:
    """A program with the options that every call of it gets."""

    def __init__(self, program, *options, env=None):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is not installed: apt-get install {PACKAGES[program]}", False)
        self.command = (program, *options)
        self.env = {**os.environ, **(env or {})}

    def __call__(self, *args, check=True, **options):
        """Run it; unless told otherwise, a failure is the test's, with all that was said.

        Other keywords, such as ``input``, are those of ``subprocess.run``.
        """
        command = [str(word) for word in (*self.command, *args)]
        options = {"capture_output": True, "text": True, "timeout": 300, **options}
        done = subprocess.run(command, env=self.env, check=False, **options)
        if check and done.returncode != 0:
            pytest.fail(
                f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}", False
            )
        return done


OWN_NAME = re.compile("[0-9a-f]{12}")  # in an id, or in what the fixture `name` gives


class Engine(Tool):
    """docker or podman."""

    def load(self, tar):
        """Load an archive; the name that the engine gave the image (its id when it gave none).

        All tests share the engine, and a name such as hello is for the pages and their picture.
        """
        said = self("load", "-q", "-i", tar).stdout
        # "Loaded image: NAME" a line, or docker's "Loaded image ID: sha256:..."
        name = said.splitlines()[-1].partition(": ")[2]
        if not OWN_NAME.search(name):
            self.remove(name)
            pytest.fail(f"{name} may be another test's image: give it the fixture `name`", False)
        return name

    def pull(self, name):
        """Pull from a registry on this machine; what the engine calls it is its name."""
        insecure = ["--tls-verify=false"] if self.command[0] == "podman" else []
        self("pull", "-q", *insecure, name)
        return name

    def run(self, name, *args, extra=(), silent=False, **options):
        """Run an image once, without a network; a failure is the caller's to look at.

        ``extra`` are options of the engine's ``run``, ``args`` the container's arguments. With
        ``input``, and ``-i`` in ``extra``, the container gets a stdin; with ``--network`` in
        ``extra``, that network. A ``silent`` one is to say nothing. What takes too long is ended.
        """
        network = () if "--network" in extra else ("--network", "none")
        for _ in range(3):
            label = f"run-{uuid.uuid4().hex}"
            command = ("run", "--rm", "--label", label, *network, *extra, name, *args)
            try:
                done = self(*command, check=False, **options)
            except subprocess.TimeoutExpired:
                left = self("ps", "-q", "--filter", f"label={label}", check=False)
                self("rm", "--force", *left.stdout.split(), check=False)
                raise
            # Under load dockerd 26.1 can lose all that a short container says, and only logs
            # "stream copy error: reading from a closed fifo": silence is asked again.
            if self.command[0] != "docker" or silent or done.stdout or done.stderr:
                break
        return done

    def start(self, container, output):
        """Start a container that was created; what it says goes to an open file, by a process."""
        options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        return subprocess.Popen(
            (*self.command, "start", "--attach", container), env=self.env, **options
        )

    def inspect(self, name):
        """What the engine knows about an image."""
        return json.loads(self("image", "inspect", name).stdout)[0]

    def remove(self, name):
        """Forget an image, all its names with it if it is given by its id."""
        self("image", "rm", "--force", name)


class Skopeo(Tool):
    """skopeo, against a registry without TLS."""

    def push(self, tar, transport, name):
        """Copy an archive (transport oci-archive or docker-archive) to a registry."""
        self("copy", "--dest-tls-verify=false", f"{transport}:{tar}", f"docker://{name}")

    def pull(self, name, destination):
        """Copy an image from a registry, to oci:DIR:TAG, docker-archive:FILE:NAME or another."""
        self("copy", "--src-tls-verify=false", f"docker://{name}", destination)

    def inspect(self, source, *options):
        """What skopeo says of an image, given with its transport."""
        insecure = ["--tls-verify=false"] if source.startswith("docker://") else []
        return json.loads(self("inspect", *insecure, *options, source).stdout)
