"""`diff` and `check` of images that engines have: docker's own build and save, skopeo's copies."""

import json

import pytest

from tests.integration.programs import image

pytestmark = pytest.mark.engines

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }'


@pytest.fixture
def packed(cli, cc, name, tmp_path):
    cli("pack", cc(HELLO), "-o", "x.tar", "-t", name, "-u", "1000", check=True)
    return tmp_path / "x.tar"


def saved(docker, name, place):
    docker("save", "-o", place, name)
    return place.name


def test_what_docker_saves_of_our_image_does_not_differ(cli, docker, packed, tmp_path):
    with image(docker, docker.load(packed)) as loaded:
        place = saved(docker, loaded, tmp_path / "saved.tar")
    done = cli("diff", "x.tar", place)
    assert (done.returncode, done.stdout) == (0, ""), done


def test_what_docker_builds_on_top_is_the_difference(cli, docker, packed, name, tmp_path):
    (tmp_path / "words").write_text("words")
    lines = (f"FROM {name}", "ENV WORDS=1", "COPY words /srv/words", "USER 0")
    (tmp_path / "Dockerfile").write_text("\n".join(lines))
    with image(docker, docker.load(packed)):
        docker("build", "-q", "-t", f"{name}-on-top", tmp_path)
        with image(docker, f"{name}-on-top") as built:
            place = saved(docker, built, tmp_path / "saved.tar")
    found = json.loads(cli("diff", "x.tar", place, "--json").stdout)
    assert [one["path"] for one in found["added"]] == ["/srv", "/srv/words"]
    assert found["removed"] == found["changed"] == found["packages"] == []
    settings = {one["key"]: (one["old"], one["new"]) for one in found["config"]}
    assert settings.pop("created")[0] == "1970-01-01T00:00:01Z"
    assert settings == {"config.Env.WORDS": (None, "1"), "config.User": ("1000", "0")}
    assert len(found["layers"]["pushed"]) == 1
    assert not found["layers"]["dropped"]
    (tmp_path / "policy.toml").write_text("non-root = true\n")
    done = cli("check", place, "--policy", "policy.toml")
    assert (done.returncode, "the user 0 is root" in done.stderr) == (5, True)
    cli("check", "x.tar", "--policy", "policy.toml", check=True)


def test_what_skopeo_copies_into_a_layout_does_not_differ(cli, skopeo, packed, tmp_path):
    skopeo("copy", f"oci-archive:{packed}", f"oci:{tmp_path}/layout")
    done = cli("diff", "x.tar", "layout")
    assert (done.returncode, done.stdout) == (0, ""), done
