"""`debug`: the same layers with one more, in which there is a shell."""

import io
import tarfile

import pytest

from tests import base_images, layouts
from tests.base_images import layer, members, of_tree, read
from tests.loader import oracle

SETTINGS = {"Env": ["A=1"], "Cmd": ["/bin/server"], "User": "5", "Labels": {"a": "b"}}


@pytest.fixture
def image(tmp_path):
    """A saved image with a config and two layers."""
    if not layouts.BUSYBOX.exists():
        pytest.skip("needs busybox: apt-get install busybox-static")
    root = tmp_path / "root"
    root.mkdir()
    layouts.ubuntu(root)
    layers = [of_tree(root), layer(("etc/", 0o755), ("etc/x", b"x"))]
    return base_images.write(
        tmp_path / "x.tar", layers, SETTINGS, name="docker.io/library/server:1", author="me"
    )


def test_a_twin_has_the_same_layers_and_a_shell_on_top(image, cli, tmp_path):
    done = cli("debug", "x.tar", "-o", "y.tar", check=True)
    before, _, _ = read(tmp_path / "x.tar")
    config, manifest, blobs = read(tmp_path / "y.tar")
    assert [one["digest"] for one in manifest["layers"]][:-1] == image
    assert done.stdout.startswith("docker.io/library/server:debug@sha256:")
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/busybox"
    assert config["config"] == {**before["config"], "Env": [path, "A=1"]}
    assert config["author"] == "me"
    own = members(blobs[manifest["layers"][-1]["digest"]])
    assert {name: kind for name, (kind, *_) in own.items()} == {
        "busybox": "dir",
        "busybox/busybox": "file",
        "busybox/sh": "link",
    }
    whole = tmp_path / "whole"
    for one in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(blobs[one["digest"]])) as tar:
            tar.extractall(whole, filter="tar")
    said = oracle.in_root(whole, ["/busybox/sh", "-c", "echo $((1 + 2))"])
    assert (said.returncode, said.stdout) == (0, "3\n")
    for line in ("docker exec -it -u 0 server-debug /busybox/sh", "kubectl debug", "nsenter -t"):
        assert line in done.stderr
    assert "docker cp server-debug:/bin/server ." in done.stderr


def test_tools_come_with_what_they_need_and_use_what_the_image_has(image, cli, tmp_path):
    assert image
    cli("debug", "x.tar", "-o", "y.tar", "--with-tools", "ldd,/usr/bin/env", check=True)
    _, manifest, blobs = read(tmp_path / "y.tar")
    own = members(blobs[manifest["layers"][-1]["digest"]])
    assert {"usr/bin/ldd", "usr/bin/env", "busybox/sh"} <= set(own)
    assert not [one for one in own if one.endswith("libc.so.6")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--with-tools", "no-such-tool"), 3, "--with-tools no-such-tool: no such program in"),
        (("--with-tools", "env,,ldd"), 1, "--with-tools: an empty name"),
        (("-t", "X"), 2, "must be lowercase"),
        (("--", "x"), 2, "debug starts nothing"),
        (("--sysroot", "empty"), 3, "busybox: there is none here; a static one for linux/amd64"),
    ],
)
def test_mistakes(image, cli, tmp_path, words, code, said):
    assert image
    (tmp_path / "empty").mkdir()
    assert "the image is made of it" in cli("debug", "x.tar", "-o", "x.tar").stderr
    done = cli("debug", "x.tar", "-o", "y.tar", *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "y.tar").exists()


def test_a_busybox_for_another_machine_is_not_taken(cli, tmp_path):
    base_images.write(tmp_path / "x.tar", [layer(("etc/", 0o755))], architecture="arm64")
    done = cli("debug", "x.tar", "-o", "y.tar")
    assert done.returncode == 3
    assert "/usr/bin/busybox is for linux/amd64; a static one for linux/arm64 is" in done.stderr
