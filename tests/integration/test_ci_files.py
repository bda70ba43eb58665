"""The action for GitHub and the component for GitLab, each as its runner would read it."""

import re
import shutil

import pytest
import yaml

from tests.integration.test_pages import checkout
from tests.pages import CHECKOUT

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("ci")]  # of one machine

INPUT = re.compile(r"\$\{\{ inputs\.(\w+) \}\}")


@pytest.fixture
def machine(docker, bare, equipped, tmp_path, wheel, private_registry):
    """Runs a script in a bare Debian, in a folder with a program and the package."""
    address, user, password = private_registry
    checkout(tmp_path / "action")
    shutil.copy(wheel, tmp_path)
    container = bare(tmp_path, equipped)

    def run(script, **variables):
        options = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        return docker("exec", *options, container, "bash", "-eo", "pipefail", "-c", script).stdout

    run("echo 'int main(void) { return 0; }' >hello.c && gcc -o hello hello.c")
    entry = f'[[registry]]\nlocation = "{address}"\ninsecure = true\n'
    run('mkdir -p /etc/containers/registries.conf.d && echo "$E" >$_/tests.conf', E=entry)
    run('skopeo login -u "$U" -p "$P" "$A"', U=user, P=password, A=address)
    return run


def pushed(machine, name):
    """The digest that the registry has for a name."""
    return machine(f"skopeo inspect --format '{{{{.Digest}}}}' docker://{name}").strip()


def test_the_action_packs_verifies_and_pushes(machine, private_registry):
    action = yaml.safe_load((CHECKOUT / "action.yml").read_text())
    given = {name: one.get("default", "") for name, one in action["inputs"].items()}
    target = f"{private_registry[0]}/team/action:1"
    given |= {
        "program": "./hello",
        "tag": "team/action:1",
        "options": "-u\nnonroot\n",
        "push": target,
    }
    path = "/root/.local/bin:/usr/local/bin:/usr/bin:/bin"
    fixed = {"GITHUB_ACTION_PATH": "/src/action", "GITHUB_OUTPUT": "/src/outputs", "PATH": path}
    for step in action["runs"]["steps"]:
        own = {name: INPUT.sub(lambda m: given[m[1]], one) for name, one in step["env"].items()}
        machine(step["run"], **fixed, **own)
    name = machine("sed -n 's/^name=//p' outputs").strip()
    assert name.startswith("docker.io/team/action:1@sha256:")
    assert name.partition("@")[2] == pushed(machine, target)


def test_the_component_packs_verifies_and_pushes(machine, private_registry, tmp_path):
    head, text = (CHECKOUT / "templates/pack.yml").read_text().split("\n---\n")
    inputs = yaml.safe_load(head)["spec"]["inputs"]
    address, user, password = private_registry
    target = f"{address}/team/component:1"
    (wheel,) = tmp_path.glob("*.whl")
    given = {name: one.get("default") for name, one in inputs.items()} | {
        "program": "./hello",
        "options": "-u nonroot -t team/component:1",
        "push": target,
        "package": f"./{wheel.name}",
    }
    (job,) = yaml.safe_load(
        re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda found: given[found[1]], text)
    ).values()
    variables = {
        "CI_REGISTRY": address,
        "CI_REGISTRY_USER": user,
        "CI_REGISTRY_PASSWORD": password,
    }
    machine("\n".join([*job["before_script"], *job["script"]]), **variables)
    assert all((tmp_path / path).is_file() for path in job["artifacts"]["paths"])
    assert pushed(machine, target).startswith("sha256:")
