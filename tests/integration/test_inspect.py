"""Images as engines and tools hand them on: the same files, and no reasons any more."""

import json

import pytest

from tests.integration.programs import image

pytestmark = pytest.mark.engines

ABSENT = "rootfs-builder.json, which says why files are there, is absent"
USES_MATH = "#include <math.h>\nint main(int c, char **v) { return (int) cos(c); }"


@pytest.fixture
def packed(pack, cc, name):
    return pack(cc(USES_MATH, args=["-lm"]), "-t", name, "-u", "1:1", "-l", "a=b")


def facts(cli, *words, **options):
    """The entries as layers have them, and the settings; the sentence of what is absent."""
    done = cli("inspect", *words, "--json", "-q", check=True, **options)
    (found,) = json.loads(done.stdout)
    for entry in found["entries"]:
        del entry["reasons"]
        entry.pop("package", None)
    return found["entries"], found["config"]["config"], found.get("absent", "")


def check(cli, archive, copy):
    entries, config, absent = facts(cli, archive.tar)
    assert absent == ""
    again, kept, absent = facts(cli, copy)
    assert again == entries
    assert {key: kept.get(key) for key in config} == config
    assert absent.startswith(ABSENT)
    done = cli("why", copy, "libm.so.6")
    assert (done.returncode, done.stdout, ABSENT in done.stderr) == (3, "", True), done


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_what_an_engine_saves(packed, cli, engine, request, tmp_path):
    engine = request.getfixturevalue(engine)
    with image(engine, engine.load(packed.tar)) as loaded:
        engine("save", "-o", tmp_path / "saved.tar", loaded)
    check(cli, packed, tmp_path / "saved.tar")


@pytest.mark.parametrize("form", ["dir", "oci", "docker-archive", "oci-archive"])
def test_what_comes_back_from_a_registry(packed, cli, skopeo, registry, name, form, tmp_path):
    remote = f"docker://{registry}/{name}:1"
    skopeo("copy", "--dest-tls-verify=false", f"oci-archive:{packed.tar}", remote)
    copy = tmp_path / "copy"
    skopeo("copy", "--src-tls-verify=false", remote, f"{form}:{copy}")
    check(cli, packed, copy)


def test_the_digests_are_those_that_skopeo_tells(packed, cli, skopeo):
    (found,) = json.loads(cli("inspect", packed.tar, "--json", check=True).stdout)
    told = skopeo.inspect(f"oci-archive:{packed.tar}")
    assert found["digest"] == told["Digest"]
    assert [one["digest"] for one in found["layers"]] == told["Layers"]
    assert found["config"] == skopeo.inspect(f"oci-archive:{packed.tar}", "--config")
