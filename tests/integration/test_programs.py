"""Programs of every kind run, however their image comes to the engine."""

import pytest

from tests.integration.programs import PROGRAMS, image, tree

pytestmark = pytest.mark.engines

each_program = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


@each_program
def test_runs_loaded_and_pulled(
    program, name, pack, cc, tmp_path, docker, podman, skopeo, other_registry
):
    archive = pack(*program.words(cc, tmp_path), "-t", name)
    for engine in (docker, podman):
        with image(engine, engine.load(archive.tar)) as loaded:
            program.check(engine, loaded)
    for transport in ("oci-archive", "docker-archive"):
        pushed = f"{other_registry}/{name}:{transport}"
        skopeo.push(archive.tar, transport, pushed)
        for engine in (docker, podman):
            with image(engine, engine.pull(pushed)) as pulled:
                program.check(engine, pulled)
    # A push from an OCI archive changes no byte of the manifest.
    assert (
        skopeo.inspect(f"docker://{other_registry}/{name}:oci-archive")["Digest"] == archive.digest
    )


@each_program
def test_unpacks_to_what_stage_writes(program, pack, cc, cli, tmp_path):
    words = program.words(cc, tmp_path)
    archive = pack(*words)
    cli("stage", *words, "-o", "staged", check=True)
    unpacked = tree(archive.rootfs)
    assert unpacked == tree(tmp_path / "staged")
    files = [path for path, facts in unpacked.items() if facts.startswith("-")]
    assert program.files in (None, len(files)), files
    if program.warning is None:
        assert "warning" not in archive.said
    else:
        assert program.warning in archive.said
