"""The jobs in the documentation, without privileges: what GitLab and GitHub would run of them."""

import re
import shlex
import shutil

import pytest
import yaml

from tests import pages
from tests.integration.engines import Skopeo

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("ci")]  # of one machine

PAGE = "docs/build.md"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISION = "org.opencontainers.image.revision"


@pytest.fixture
def files(tmp_path, wheel):
    """The page's files in a folder, the wheel with them."""
    reader = pages.Reader(tmp_path / "reader")
    reader.follow(PAGE, ())
    shutil.copy(wheel, reader.folder)
    return reader.folder


@pytest.fixture
def machine(docker, bare, files, private_registry):
    """Makes a machine of an image: it runs scripts, and takes the registry without TLS."""
    address, _, _ = private_registry
    entry = f'[[registry]]\nlocation = "{address}"\ninsecure = true\n'
    place = "/etc/containers/registries.conf.d"

    def start(image):
        container = bare(files, image)

        def run(script, *, by=("sh", "-e"), user="root", variables=()):
            options = [word for name, value in variables for word in ("-e", f"{name}={value}")]
            return docker("exec", "-u", user, *options, container, *by, "-c", script)

        run(f"mkdir -p {place} && echo {shlex.quote(entry)} >{place}/tests.conf")
        return run

    return start


def pushed(registry, name):
    """What skopeo says of an image in the registry."""
    address, user, password = registry
    skopeo = Skopeo("skopeo", "--insecure-policy")
    return skopeo.inspect(f"docker://{address}/{name}", "--creds", f"{user}:{password}")


def test_the_job_for_gitlab_packs_and_pushes(files, machine, debian, private_registry):
    """Its docker executor: root in a container of the job's image, both scripts in one shell."""
    address, user, password = private_registry
    job = yaml.safe_load((files / ".gitlab-ci.yml").read_text())
    assert job.pop("image") == "debian:13"
    variables = job.pop("variables") | {
        "CI_COMMIT_SHA": COMMIT,
        "CI_COMMIT_SHORT_SHA": COMMIT[:8],
        "CI_REGISTRY": address,
        "CI_REGISTRY_IMAGE": f"{address}/team/project",
        "CI_REGISTRY_USER": user,
        "CI_REGISTRY_PASSWORD": password,
    }
    ((_, job),) = job.items()
    run = machine(debian)
    run("\n".join(job["before_script"] + job["script"]), variables=variables.items())
    assert all((files / path).exists() for path in job["artifacts"]["paths"])
    assert pushed(private_registry, f"team/project/hello:{COMMIT[:8]}")["Labels"] == {
        REVISION: COMMIT
    }


def test_the_job_for_github_packs_and_pushes_as_an_ordinary_user(
    files, machine, equipped, private_registry
):
    address, user, password = private_registry
    (job,) = yaml.safe_load((files / ".github/workflows/image.yml").read_text())["jobs"].values()
    run = machine(equipped)
    run("useradd -m runner && chown -R runner .")
    assert set(job["env"]) == {"ROOTFS_BUILDER", "REGISTRY"}
    fixed = job["env"] | {
        "REGISTRY": address,
        "GITHUB_ACTOR": user,
        "GITHUB_REPOSITORY": "Team/Project",
        "GITHUB_SHA": COMMIT,
        "PATH": "/home/runner/.local/bin:/usr/bin:/bin",
    }
    known = {"secrets.GITHUB_TOKEN": password, "runner.temp": "/home/runner"}
    for step in job["steps"]:
        if "run" in step:
            own = {
                name: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: known[found[1]], value)
                for name, value in step.get("env", {}).items()
            }
            run(step["run"], by=("bash", "-e"), user="runner", variables=(fixed | own).items())
    assert pushed(private_registry, f"team/project:{COMMIT}")["Labels"] == {REVISION: COMMIT}
