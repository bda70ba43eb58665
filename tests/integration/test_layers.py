"""Images of many layers: a rebuild pushes what changed, and every engine takes them."""

import re

import pytest

from rootfs_builder.recipe.values import MAX_LAYERS
from tests.integration.programs import image, tree
from tests.package_roots import Package, install, stage

pytestmark = pytest.mark.engines

SAY = '#include <stdio.h>\nint main(void) { return puts("%s") < 0; }'
WAYS = ["auto", "package", "single"]


def pushed(skopeo, archive, name):
    """What skopeo's log says of a push: the layers that it uploads, and those that it skips."""
    done = skopeo(
        *("--debug", "copy", "--dest-tls-verify=false"),
        *(f"oci-archive:{archive.tar}", f"docker://{name}"),
    )
    config = skopeo.inspect(f"oci-archive:{archive.tar}", "--raw")["config"]["digest"]
    uploaded = set(re.findall(r"Upload of layer (sha256:\w+) complete", done.stderr)) - {config}
    return uploaded, set(re.findall(r"Skipping blob (sha256:\w+) \(already present\)", done.stderr))


@pytest.mark.parametrize("layers", WAYS)
def test_a_rebuild_uploads_the_programs_layer_alone(pack, cc, skopeo, registry, name, layers):
    def packed(word):
        return pack(cc(SAY % f"{layers} {word}"), "-t", name, "--layers", layers)

    def layers_of(archive):
        manifest = skopeo.inspect(f"oci-archive:{archive.tar}", "--raw")
        return [layer["digest"] for layer in manifest["layers"]]

    place = f"{registry}/{name}:latest"
    first = packed("one")
    uploaded, skipped = pushed(skopeo, first, place)  # those that another test's image has
    assert uploaded | skipped == set(layers_of(first))
    second = packed("two")
    *lower, top = layers_of(second)
    assert lower == layers_of(first)[:-1]
    assert bool(lower) == (layers != "single")
    assert pushed(skopeo, second, place) == ({top}, set(lower))


@pytest.mark.parametrize("layers", WAYS)
def test_a_program_runs_and_its_files_are_the_same_in_any_layers(
    pack, cli, docker, podman, name, layers, tmp_path
):
    words = ("/usr/bin/sqlite3", "-t", name)
    archive = pack(*words, "--layers", layers)
    cli("stage", "/usr/bin/sqlite3", "-o", "staged", check=True)
    assert tree(archive.rootfs) == tree(tmp_path / "staged")
    for engine in (docker, podman):
        with image(engine, engine.load(archive.tar)) as loaded:
            done = engine.run(loaded, ":memory:", "select 6 * 7")
            assert (done.stdout, done.stderr) == ("42\n", "")


def test_as_many_layers_as_are_allowed(pack, cc, docker, podman, skopeo, name, tmp_path):
    root, program = tmp_path / "root", cc(SAY % "many")
    stage(program, root)
    data = root / "usr/share/data"
    data.mkdir(parents=True)
    packages = []
    for number in range(MAX_LAYERS - 2):
        (data / f"{number}").write_text(f"{number}\n")
        packages.append(Package(f"p{number}", "1", (f"/usr/share/data/{number}",)))
    install(root, *packages)
    options = ("--sysroot", root, "--add", data, "--layers", f"package:{MAX_LAYERS}")
    archive = pack(program, "-t", name, *options)
    manifest = skopeo.inspect(f"oci-archive:{archive.tar}", "--raw")
    assert len(manifest["layers"]) == MAX_LAYERS
    for engine in (docker, podman):
        with image(engine, engine.load(archive.tar)) as loaded:
            done = engine.run(loaded)
            assert (done.stdout, done.stderr) == ("many\n", "")
