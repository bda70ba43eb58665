"""`index` and `platforms`: images for several platforms in one archive."""

import json
import tarfile

import pytest

from tests import base_images
from tests.base_images import layer

HELLO = '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }'
SPEC = "application/vnd.oci.image"


@pytest.fixture
def archives(tmp_path):
    """An image for each of three platforms, and the digests of their manifests."""
    found = {}
    for arch in ("amd64", "arm64", "riscv64"):
        layers = [layer(("etc/", 0o755), ("etc/same", b"x")), layer((f"{arch}", b"1"))]
        name = "docker.io/library/x:1"
        base_images.write(tmp_path / f"{arch}.tar", layers, architecture=arch, name=name)
        with tarfile.open(tmp_path / f"{arch}.tar") as tar:
            (top,) = json.load(tar.extractfile("index.json"))["manifests"]
        found[arch] = top["digest"]
    return found


def documents(path):
    with tarfile.open(path) as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar if one.isfile()}
    (top,) = json.loads(files["index.json"])["manifests"]
    return files, top, json.loads(files[f"blobs/sha256/{top['digest'][7:]}"])


def test_an_index_is_one_descriptor_and_each_image_keeps_its_digest(archives, cli, tmp_path):
    names = [f"{one}.tar" for one in archives]
    done = cli("index", *names, "-o", "x.tar", check=True)
    files, top, index = documents(tmp_path / "x.tar")
    assert top["mediaType"] == index["mediaType"] == f"{SPEC}.index.v1+json"
    assert top["annotations"] == {
        "io.containerd.image.name": "docker.io/library/x:1",
        "org.opencontainers.image.ref.name": "1",
    }
    found = {one["platform"]["architecture"]: one["digest"] for one in index["manifests"]}
    assert found == archives
    (saved,) = json.loads(files["manifest.json"])
    config = json.loads(files[saved["Config"]])
    assert config["architecture"] == "amd64"
    assert saved["RepoTags"] == ["docker.io/library/x:1"]
    assert done.stdout == f"docker.io/library/x:1@{top['digest']}\n"
    assert "for linux/amd64, linux/arm64, linux/riscv64: " in done.stderr
    seen = json.loads(cli("inspect", "x.tar", "--json", check=True).stdout)
    assert [one["platform"] for one in seen] == [f"linux/{one}" for one in archives]
    assert [one["digest"] for one in seen] == list(archives.values())
    said = json.loads(cli("index", *names, "-o", "y.tar", "--json", check=True).stdout)
    assert (said["digest"], len(said["images"])) == (top["digest"], 3)
    assert (tmp_path / "x.tar").read_bytes() == (tmp_path / "y.tar").read_bytes()


def test_an_index_in_a_directory_and_in_oci_form_and_of_an_index(archives, cli, tmp_path):
    amd64, arm64, riscv64 = (f"{one}.tar" for one in archives)
    cli("index", amd64, arm64, "-o", "oci:two", check=True)
    cli("index", "two", riscv64, "-o", "x.tar", check=True)
    cli("index", amd64, arm64, riscv64, "-o", "y.tar", check=True)
    assert (tmp_path / "x.tar").read_bytes() == (tmp_path / "y.tar").read_bytes()
    cli("index", amd64, arm64, "-o", "z.tar", "--format", "oci", check=True)
    with tarfile.open(tmp_path / "z.tar") as tar:
        assert "manifest.json" not in tar.getnames()
        assert len(tar.getnames()) == len(set(tar.getnames()))


def test_the_base_of_many_platforms_is_that_of_the_program(archives, cli, cc, tmp_path):
    program = cc(HELLO, args=("-static",))
    cli("index", *(f"{one}.tar" for one in archives), "-o", "base.tar", check=True)
    cli("pack", program, "--base", "base.tar", "-o", "x.tar", check=True)
    config, manifest, _ = base_images.read(tmp_path / "x.tar")
    assert config["architecture"] == "amd64"
    _, expected, _ = base_images.read(tmp_path / "amd64.tar")
    assert manifest["layers"][:2] == expected["layers"]
    done = cli("pack", program, "--sysroot", "base.tar", "-o", "y.tar")
    assert done.returncode == 0, done.stderr
    done = cli("pack", "/nothing", "--sysroot", "base.tar", "-o", "y.tar")
    assert done.returncode == 2
    assert "--sysroot base.tar: it has images for linux/amd64, linux/arm64" in done.stderr
    assert "--platform says which" in done.stderr


def test_an_index_keeps_the_reasons_of_each_image(archives, cli, cc):
    assert archives
    cli("pack", cc(HELLO), "-t", "x:1", "-o", "hello.tar", check=True)
    cli("index", "arm64.tar", "hello.tar", "-o", "x.tar", check=True)
    theirs, ours = json.loads(cli("inspect", "x.tar", "--json", check=True).stdout)
    assert theirs["absent"]
    (alone,) = json.loads(cli("inspect", "hello.tar", "--json", check=True).stdout)
    assert ours == alone
    why = cli("why", "x.tar", "libc.so.6", check=True).stdout
    assert why == cli("why", "hello.tar", "libc.so.6", check=True).stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("amd64.tar", "amd64.tar"), 2, "amd64.tar and amd64.tar are both for linux/amd64"),
        (("amd64.tar", "nothing"), 3, "nothing: no such file"),
        (("amd64.tar", "text"), 1, "text: no tar archive"),
        (("amd64.tar", "root.tar"), 1, "root.tar: files without the config of an image"),
        (("amd64.tar", "arm64.tar", "--format", "docker"), 2, "--format docker: a docker archive"),
        (("amd64.tar", "other.tar"), 2, "the images are called docker.io/library/x:1, "),
        (("amd64.tar", "-t", "X"), 2, "must be lowercase"),
        (("amd64.tar", "--", "x"), 2, "index starts nothing"),
    ],
)
def test_what_cannot_be_an_index(archives, cli, tmp_path, words, code, said):
    assert archives
    (tmp_path / "text").write_text("text")
    (tmp_path / "root.tar").write_bytes(layer(("etc/", 0o755)))
    base_images.write(
        tmp_path / "other.tar", [layer(("x", b""))], architecture="s390x", name="other:1"
    )
    done = cli("index", "-o", "out.tar", *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "out.tar").exists()


def test_an_index_does_not_overwrite_what_it_is_made_of(archives, cli):
    assert archives
    done = cli("index", "amd64.tar", "arm64.tar", "-o", "arm64.tar")
    assert (done.returncode, "would be overwritten" in done.stderr) == (2, True)


RECIPE = """\
platforms = ["linux/amd64", "linux/386"]
executables = [{ from = "compile {arch}", path = "out/{arch}/hello" }]
output = "x.tar"
tag = "hello:1"
env = { FOR = "{platform}", GNU = "{triplet}" }
[[step]]
name = "compile {arch}"
run = "mkdir -p out && cp -r made/{arch} out/"
"""


def built(cli, *words, check=True):
    return cli("build", *words, check=check)


def test_a_recipe_for_platforms_makes_one_index(cli, cc, tmp_path):
    for arch, flags in (("amd64", ()), ("386", ("-m32",))):
        where = tmp_path / "made" / arch
        try:
            cc(HELLO, where=where, args=("-static", *flags))
        except AssertionError:
            pytest.skip("needs gcc -m32: apt-get install gcc-multilib")
    (tmp_path / "rootfs.toml").write_text(RECIPE)
    done = built(cli)
    assert done.returncode == 0, done.stderr
    files, _, index = documents(tmp_path / "x.tar")
    assert [one["platform"]["architecture"] for one in index["manifests"]] == ["amd64", "386"]
    for one, gnu in zip(index["manifests"], ("x86_64", "i686"), strict=True):
        manifest = json.loads(files[f"blobs/sha256/{one['digest'][7:]}"])
        config = json.loads(files[f"blobs/sha256/{manifest['config']['digest'][7:]}"])
        arch = one["platform"]["architecture"]
        assert f"FOR=linux/{arch}" in config["config"]["Env"]
        assert f"GNU={gnu}-linux-gnu" in config["config"]["Env"]
        alone = ("-t", "hello:1", "-e", f"FOR=linux/{arch}", "-e", f"GNU={gnu}-linux-gnu")
        cli("pack", f"out/{arch}/hello", *alone, "-o", f"{arch}.tar", check=True)
        with tarfile.open(tmp_path / f"{arch}.tar") as tar:
            (top,) = json.load(tar.extractfile("index.json"))["manifests"]
        assert one["digest"] == top["digest"]


def test_images_of_one_output_and_several_platforms_are_one_index(cli, cc, tmp_path):
    cc(HELLO, args=("-static",))
    text = 'output = "x.tar"\nexecutables = ["hello"]\n' + "".join(
        f'[[image]]\nplatform = "{one}"\n' for one in ("linux/amd64", "linux/arm64")
    )
    (tmp_path / "rootfs.toml").write_text(text)
    done = built(cli, check=False)
    assert done.returncode == 2  # both have the program for amd64
    assert "hello is for linux/amd64" in done.stderr
    (tmp_path / "rootfs.toml").write_text(text.replace('platform = "linux/arm64"\n', ""))
    assert "another image of rootfs.toml writes it too" in built(cli, check=False).stderr


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("platforms = []", "platforms: empty"),
        ('platforms = ["windows/amd64"]', "is not a Linux platform"),
        ('platforms = ["amd64", "linux/x86_64"]', "linux/amd64 is there twice"),
        ('platforms = "linux/amd64"', "platforms: "),
        ('platforms = ["amd64", "arm64"]\niidfile = "id"', "an index has several images"),
        ('platforms = ["amd64", "arm64"]\nformat = "docker"', "a docker archive has one platform"),
    ],
)
def test_mistakes_in_platforms(cli, cc, tmp_path, key, said):
    cc(HELLO, args=("-static",))
    (tmp_path / "rootfs.toml").write_text(f'{key}\nexecutables = ["hello"]\noutput = "x.tar"\n')
    done = built(cli, check=False)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "x.tar").exists()
