"""Each format and compression through each consumer; the result is the table in docs/formats.md.

UPDATE_GOLDEN=1 writes the table, to be read. A cell is what was seen: a container that said its
image's name, or a copy with the same config; or the error, whose words stand below the table.
"""

import json
import os
import re
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from tests.integration.programs import image

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("formats")]

PAGE = Path(__file__).parent.parent.parent / "docs/formats.md"
BEGIN, END = "<!-- written by tests/integration/test_formats.py -->\n", "<!-- end -->\n"
SAY = '#include <stdio.h>\nint main(void) { return puts("NAME") < 0; }'
WAIT = "#include <unistd.h>\nint main(void) { sleep(60); }"
CHECK = "#include <stdio.h>\nint main(int n, char **words) { return n != 2 || puts(words[1]) < 0; }"
ROWS = {
    **{
        f"{shape}, {compression}": (shape, "--compression", compression)
        for shape in ("hybrid", "oci", "oci:DIR", "docker")
        for compression in ("gzip", "zstd", "none")
        if (shape, compression) != ("docker", "zstd")  # pack refuses it
    },
    "hybrid, gzip, `--health-cmd`": ("hybrid", "--health-cmd", "NAME"),
    "oci, gzip, `--health-cmd`": ("oci", "--health-cmd", "NAME"),
}
NOT_FOR_IT = "-"


@dataclass(frozen=True)
class Packed:
    """An archive, or a layout directory."""

    path: Path
    shape: str
    name: str
    config: str  # its digest
    manifest: str

    def sources(self):
        """As skopeo and buildah call it."""
        kinds = {
            "hybrid": ("docker-archive", "oci-archive"),
            "oci": ("docker-archive", "oci-archive"),
            "oci:DIR": ("oci",),
            "docker": ("docker-archive", "oci-archive"),
        }
        return {kind: f"{kind}:{self.path}" for kind in kinds[self.shape]}


class RefusalError(Exception):
    """What a consumer said against an archive, or what it did wrong."""


def told(done):
    """What a consumer said that took an archive."""
    if done.returncode != 0:
        raise RefusalError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def engine_runs(engine):
    """docker or podman: load it, and run what was loaded."""

    def run(packed):
        if packed.path.is_dir() and engine.command[0] == "docker":
            return NOT_FOR_IT
        said = told(engine("load", "-q", "-i", packed.path, check=False))
        with image(engine, said.splitlines()[-1].partition(": ")[2]) as loaded:
            assert told(engine.run(loaded)) == f"{packed.name}\n"
        return "runs"

    return run


def ctr_runs(ctr):
    def run(packed):
        if packed.path.is_dir():
            return NOT_FOR_IT
        told(ctr("images", "import", packed.path, check=False))
        full = f"docker.io/library/{packed.name}:latest"
        try:
            for _ in range(3):  # under load what a short container says can get lost, as in docker
                said = told(ctr("run", "--rm", full, packed.name, check=False))
                if said:
                    break
            assert said == f"{packed.name}\n"
        finally:
            ctr("images", "rm", full)
        return "runs"

    return run


def buildah_unpacks(buildah):
    """By any transport that there is for the file or directory."""

    def unpack(packed):
        refusals = []
        for source in packed.sources().values():
            try:
                container = told(buildah("from", source, check=False)).strip()
            except RefusalError as refusal:
                refusals.append(refusal)
                continue
            rootfs = Path(buildah("mount", container).stdout.strip())
            assert (rootfs / "usr/local/bin" / packed.name).is_file()
            buildah("rm", container)
            return "unpacks"
        raise refusals[0]

    return unpack


def skopeo_copies(skopeo, registry, kinds, folder):
    """To a registry and back: the config's bytes stay; whether the manifest's do is told."""

    def copy(packed):
        source = next((one for kind, one in packed.sources().items() if kind in kinds), None)
        if source is None:
            return NOT_FOR_IT
        there = f"{registry}/{packed.name}:{kinds[0]}"
        back = folder / f"{packed.name}-{kinds[0]}"
        told(
            skopeo(
                "copy", "-q", "--dest-tls-verify=false", source, f"docker://{there}", check=False
            )
        )
        skopeo.pull(there, f"dir:{back}")
        data = (back / "manifest.json").read_bytes()
        assert json.loads(data)["config"]["digest"] == packed.config
        same = f"sha256:{sha256(data).hexdigest()}" == packed.manifest
        return "copies, same digest" if same else "copies"

    return copy


def umoci_unpacks(umoci, folder):
    def unpack(packed):
        layout = packed.path
        if packed.path.is_file():
            layout = folder / f"{packed.name}-layout"
            with tarfile.open(packed.path) as archive:
                archive.extractall(layout, filter="data")
        bundle = folder / f"{packed.name}-bundle"
        told(umoci("unpack", "--rootless", "--image", f"{layout}:latest", bundle, check=False))
        program = bundle / "rootfs/usr/local/bin" / packed.name
        return "unpacks" if program.is_file() else pytest.fail(f"{program} is missing")

    return unpack


def oras_copies(oras, folder):
    def copy(packed):
        layout = folder / f"{packed.name}-oras"
        source = ("--from-oci-layout", f"{packed.path}:latest")
        told(oras("cp", *source, "--to-oci-layout", f"{layout}:latest", check=False))
        index = json.loads((layout / "index.json").read_text())
        assert index["manifests"][0]["digest"] == packed.manifest
        return "copies, same digest"

    return copy


@pytest.fixture
def packed(cc, cli, tmp_path):
    """Every row of the table, by its title."""
    found = {}
    for title, (shape, *options) in ROWS.items():
        name = re.sub("[^a-z]+", "-", f"rb-{title.lower()}").strip("-")
        program = cc(SAY.replace("NAME", name), name=name, where=tmp_path / "bin")
        path = tmp_path / f"{name}{'' if shape == 'oci:DIR' else '.tar'}"
        output = f"oci:{path}" if shape == "oci:DIR" else path
        words = [name if word == "NAME" else word for word in options]
        if shape in {"oci", "docker"}:
            words += ["--format", shape]
        # One layer: skopeo would take another row's layer of the same files that is there already.
        words += ["--layers", "single", "--metadata-file", "facts.json"]
        cli("pack", program, "-o", output, *words, check=True)
        facts = json.loads((tmp_path / "facts.json").read_text())
        config, manifest = facts["containerimage.config.digest"], facts["containerimage.digest"]
        found[title] = Packed(path, shape, name, config, manifest)
    return found


@pytest.fixture
def consumers(
    docker,
    docker_containerd,
    ctr,
    podman,
    buildah,
    skopeo,
    registry,
    other_registry,
    umoci,
    oras,
    tmp_path,
):
    """By their titles; what stands together shares a store, and goes in this order."""

    return [
        {"docker": engine_runs(docker)},
        {"docker with containerd": engine_runs(docker_containerd), "ctr": ctr_runs(ctr)},
        {"podman": engine_runs(podman)},
        {"buildah": buildah_unpacks(buildah)},
        {
            "skopeo `oci-archive:`, `oci:`": skopeo_copies(
                skopeo, registry, ("oci-archive", "oci"), tmp_path
            ),
            "skopeo `docker-archive:`": skopeo_copies(
                skopeo, other_registry, ("docker-archive",), tmp_path
            ),
        },
        {"umoci": umoci_unpacks(umoci, tmp_path)},
        {"oras": oras_copies(oras, tmp_path)},
    ]


def outcome(consumer, packed):
    try:
        return consumer(packed), None
    except RefusalError as refusal:
        return "no", plain(str(refusal), packed)


def plain(said, packed):
    """An error without what differs from run to run."""
    said = re.sub(r"sha256:[0-9a-f]{64}", "sha256:…", said.replace(str(packed.path), "FILE"))
    said = re.sub(r'^time="\S+" level=fatal msg="(.*)"$', r"\1", said).replace('\\"', '"')
    said = re.sub(r"/\S*/[a-z_-]+[0-9]{6,}", "…", said)
    return said.strip(" \N{VECTOR OR CROSS PRODUCT}")


def table(results):
    """The results as a table, and the errors below it, each once."""
    columns = list(next(iter(results.values())))
    notes = []
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for title, cells in results.items():
        shown = []
        for consumer in columns:
            text, why = cells[consumer]
            if why is not None:
                note = f"{consumer}: `{why}`"
                notes += [] if note in notes else [note]
                text = f"{text} ({notes.index(note) + 1})"
            shown.append(text)
        lines.append(f"| {title} | {' | '.join(shown)} |")
    return "\n".join([*lines, "", *(f"{at}. {note}" for at, note in enumerate(notes, 1)), ""])


def test_the_table_is_what_every_consumer_does(packed, consumers):
    def ask(group):
        return {
            name: {title: outcome(consumer, one) for title, one in packed.items()}
            for name, consumer in group.items()
        }

    with ThreadPoolExecutor(3) as pool:
        columns = {
            name: cells for group in pool.map(ask, consumers) for name, cells in group.items()
        }
    found = table({title: {name: columns[name][title] for name in columns} for title in packed})
    before, _, rest = PAGE.read_text().partition(BEGIN)
    written, _, after = rest.partition(END)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(f"{before}{BEGIN}{found}{END}{after}")
        return
    assert written == found
    for title in ("hybrid, gzip", "hybrid, none"):
        assert "no (" not in re.search(rf"(?m)^\| {title} \|.*", found)[0]  # README's promise


HEALTH = (
    *("--health-cmd", "check 'two words'", "--health-interval", "1s", "--health-timeout", "2s"),
    *("--health-start-period", "500ms", "--health-retries", "2"),
)
KEPT = {
    "Test": ["CMD", "check", "two words"],
    "Interval": 10**9,
    "Timeout": 2 * 10**9,
    "StartPeriod": 5 * 10**8,
    "Retries": 2,
}


@pytest.mark.parametrize(
    ("shape", "engines"),
    [
        ("hybrid", {"docker", "docker_containerd", "podman"}),
        ("docker", {"docker", "docker_containerd", "podman"}),
        ("oci", {"docker_containerd"}),  # docker's classic store takes no OCI layout
    ],
)
def test_a_health_check_is_kept(cc, cli, request, name, tmp_path, shape, engines):
    words = (cc(WAIT, name="wait"), cc(CHECK, name="check"), "-t", name, "--format", shape, *HEALTH)
    done = cli("pack", *words, "-o", "x.tar", check=True)
    assert ("--health-cmd: docker alone" in done.stderr) == (shape == "oci")
    kept = set()
    for engine in ("docker_containerd", "podman", *(["docker"] if shape != "oci" else [])):
        engine_ = request.getfixturevalue(engine)
        with image(engine_, engine_.load(tmp_path / "x.tar")) as loaded:
            seen = engine_.inspect(loaded)
        if (health := seen["Config"].get("Healthcheck", seen.get("Healthcheck"))) is not None:
            assert health == KEPT
            kept.add(engine)
    assert kept == engines


def test_a_health_check_is_run(cc, cli, docker, name, tmp_path):
    words = (cc(WAIT, name="wait"), cc(CHECK, name="check"), "-t", name, *HEALTH)
    cli("pack", *words, "-o", "x.tar", check=True)
    with image(docker, docker.load(tmp_path / "x.tar")) as loaded:
        docker("run", "--detach", "--network", "none", "--name", name, loaded)
        try:
            state = "{{.State.Health.Status}} {{range .State.Health.Log}}{{.Output}}{{end}}"
            deadline = time.monotonic() + 60
            while (seen := docker("inspect", "-f", state, name).stdout).startswith("starting"):
                assert time.monotonic() < deadline
                time.sleep(0.2)
        finally:
            docker("rm", "--force", name)
    assert seen.startswith("healthy two words")
