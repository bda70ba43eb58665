"""`verify` of images that anybody may have made: a sentence and an exit code, never a traceback."""

import io
import json
import os
import resource
import tarfile
from functools import partial

import pytest


def tar(*members):
    """A tar of (name, data, more of TarInfo's attributes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data, *more in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            for key, value in dict(*more).items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def header(name, size, kind=b"0"):
    """A tar header that claims any size."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    block[156:157] = kind
    block[124:136] = (size % 256**12 | (0x80 << 88 if size >= 0 else 0)).to_bytes(12, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def image(layer=None, *, config=None, manifest=None):
    """A `docker save` archive of one layer."""
    described = [{"Config": "c.json", "Layers": ["l.tar"]}]
    return tar(
        ("manifest.json", manifest or json.dumps(described).encode()),
        ("c.json", json.dumps({"os": "linux", "config": config or {}}).encode()),
        ("l.tar", layer or tar(("file", b"x"))),
    )


@pytest.fixture
def verified(cli, tmp_path):
    def run(archive, *, code, words=()):
        (tmp_path / "x.tar").write_bytes(archive)
        done = cli("verify", "x.tar")
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        for word in words:
            assert word in done.stderr
        return done

    return run


SPARSE = {"GNU.sparse.map": "x", "GNU.sparse.major": "0", "GNU.sparse.minor": "1"}


@pytest.mark.parametrize(
    "archive",
    [
        image(header("a", -1) + bytes(1024)),
        image(header("a", 2**80) + bytes(1024)),
        image(header("a", 2**62) + bytes(1024)),
        image(tar(("a/" * 2048 + "f", b""))),
        image(tar(("a", b"x" * 600, {"pax_headers": SPARSE}))),
        image(config={"Env": [1]}),
        image(config={"Entrypoint": [1]}),
        image(config={"WorkingDir": []}),
        image(manifest=b"[" * 100_000),
        image(manifest=b'["\xff"]'),
        header("manifest.json", -1) + bytes(1024),
        header("manifest.json", 2**80) + bytes(1024),
        b"no archive",
    ],
    ids=["negative", "large", "far", "long path", "sparse",
         "env", "entrypoint", "workdir", "deep json", "not utf-8",
         "negative member", "large member", "text"],
)  # fmt: skip
def test_a_malformed_image_is_refused(verified, archive):
    verified(archive, code=1, words=["x.tar: "])


@pytest.mark.parametrize(
    "layer",
    [
        header("a", 2**60, b"x") + bytes(1024),
        tar(("a", b"x", {"pax_headers": {"comment": "x" * (1 << 21)}})),
    ],
    ids=["claimed", "real"],
)
def test_a_header_larger_than_docker_takes_is_refused(verified, layer):
    words = ["layer 1: ", "bytes of the headers of one member", "--no-limits lifts all limits"]
    verified(image(layer), code=5, words=words)


def test_a_header_that_claims_too_much_is_damage_and_no_trouble_of_this_machine(verified):
    verified(image(header("a", 2**62) + bytes(1024)), code=1, words=["layer 1 is damaged"])


def test_an_escape_sequence_of_an_image_does_not_reach_the_terminal(verified):
    manifest = json.dumps([{"Config": "c\x1b[31m\x9b", "Layers": []}]).encode()
    said = verified(image(manifest=manifest), code=1).stderr
    assert r"c\x1b[31m\x9b is missing" in said


def test_a_path_too_deep_for_recursion_is_read(verified):
    verified(image(tar(("a/" * 2000 + "f", b""))), code=0)


@pytest.mark.parametrize("digest", ["sha256:\0", "sha256:../../../x"])
def test_a_digest_that_is_no_name_of_a_file(cli, tmp_path, digest):
    (tmp_path / "x/blobs/sha256").mkdir(parents=True)
    (tmp_path / "x/oci-layout").write_text("{}")
    (tmp_path / "x/index.json").write_text(json.dumps({"manifests": [{"digest": digest}]}))
    done = cli("verify", "x")
    assert (done.returncode, "index.json: damaged: " in done.stderr) == (1, True), done


def test_a_device_is_refused(cli):
    done = cli("verify", "/dev/zero")
    assert (done.returncode, "a device" in done.stderr) == (1, True), done


def test_a_relative_entrypoint_starts_in_the_working_directory(verified):
    layer = tar(("app/run", b"x"))
    verified(image(layer, config={"Entrypoint": ["./run"], "WorkingDir": "/app"}), code=0)
    words = ["./run: not in the image"]
    verified(image(layer, config={"Entrypoint": ["./run"]}), code=4, words=words)


def test_what_starts_must_be_executable(verified):
    layer = tar(("run", b"x", {"mode": 0o644}))
    words = ["/run: not executable in the image"]
    verified(image(layer, config={"Entrypoint": ["/run"]}), code=4, words=words)


@pytest.mark.parametrize(
    ("line", "words"),
    [("#!/bin/sh\n", "/bin/sh: not found"), ("#!/bin/env tool\n", "tool: not in PATH")],
)
def test_a_script_that_starts_must_have_its_interpreter(verified, line, words):
    layer = tar(("run", line.encode()), ("bin/env", b"x"))
    verified(image(layer, config={"Entrypoint": ["/run"]}), code=4, words=[words])


def test_a_loader_that_is_cut_off_is_a_finding(cli, tmp_path, cc):
    cc("int main(void) { return 0; }", name="prog")
    cli("stage", "prog", "-o", "root", check=True)
    for loader in (tmp_path / "root").rglob("ld-linux*"):
        if not loader.is_symlink():
            os.truncate(loader, 200_000)
    done = cli("verify", "root")
    assert done.returncode == 4, done
    assert "a damaged loader: file too short" in done.stderr


def test_a_loader_of_many_directories_costs_no_memory(cli, tmp_path, cc):
    cc("int main(void) { return 0; }", name="prog")
    cli("stage", "prog", "-o", "root", check=True)
    for loader in (tmp_path / "root").rglob("ld-linux*"):
        if not loader.is_symlink():
            loader.chmod(0o755)
            with loader.open("ab") as stream:
                stream.write(b"\0" + b"/lib/\0" * 100_000)
    limit = partial(resource.setrlimit, resource.RLIMIT_AS, (4 << 30, 4 << 30))
    done = cli("verify", "root", timeout=60, preexec_fn=limit)
    assert done.returncode == 0, done
