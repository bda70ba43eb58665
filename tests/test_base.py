"""`--base IMAGE` and `--sysroot IMAGE`: images of others as roots, and below what is packed."""

import io
import json
import shutil
import subprocess
import sys
import tarfile

import pytest

from tests import base_images, layouts
from tests.base_images import DOCKER, OCI, layer, members, of_tree, read
from tests.loader import oracle

SAY = r"""
#include <math.h>
#include <stdio.h>
int main(int argc, char **argv) { return printf("%g\n", cbrt(argc * 27.0)) < 0; }
"""
SETTINGS = {
    "Env": ["PATH=/usr/bin:/app/bin", "A=base", "B=base"],
    "Entrypoint": ["/bin/base"],
    "Cmd": ["serve"],
    "User": "app",
    "WorkingDir": "/srv",
    "Labels": {"a": "base", "b": "base"},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
    "StopSignal": "SIGQUIT",
    "Shell": ["/bin/zsh", "-c"],
    "OnBuild": ["RUN make"],
}
PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n"
ETC = (("etc/", 0o755), ("etc/passwd", PASSWD))


@pytest.fixture
def say(cc):
    return cc(SAY, name="say", args=("-lm",))


@pytest.fixture
def ubuntu(tmp_path):
    """A tar of a root with a merged /usr and this machine's glibc."""
    root = tmp_path / "ubuntu"
    root.mkdir()
    layouts.ubuntu(root)
    return of_tree(root)


@pytest.fixture
def alpine(tmp_path):
    root = tmp_path / "alpine"
    root.mkdir()
    layouts.alpine(root)
    return of_tree(root)


@pytest.fixture
def packs(cli, tmp_path):
    """Pack over base.tar: the config, the manifest, and the members of each layer of our own."""

    def pack(*words, base="base.tar", check=True):
        done = cli("pack", *words, "--base", base, "-o", "x.tar", check=check)
        config, manifest, blobs = read(tmp_path / "x.tar")
        return done, config, manifest, blobs

    return pack


def unpacked(manifest, blobs, folder):
    """The container's tree, by Python's tarfile alone; whiteouts are not in these tests' images."""
    folder.mkdir()
    for one in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(blobs[one["digest"]])) as tar:
            tar.extractall(folder, filter="tar")
    return folder


def above(manifest, blobs, below=1):
    """The members of the layers that are not the base's."""
    return {
        name: one
        for layer_ in manifest["layers"][below:]
        for name, one in members(blobs[layer_["digest"]]).items()
    }


# --- layers ---


@pytest.mark.parametrize(
    ("kind", "compression"),
    [(OCI, "gzip"), (OCI, "none"), (OCI, "zstd"), (DOCKER, "gzip"), (DOCKER, "none")],
)
def test_the_layers_of_the_base_come_first_byte_for_byte(
    say, ubuntu, packs, tmp_path, kind, compression
):
    layers = [ubuntu, layer(*ETC)]
    digests = base_images.write(tmp_path / "base.tar", layers, kind=kind, compression=compression)
    _, _, before = read(tmp_path / "base.tar")
    _, config, manifest, blobs = packs(say)
    assert [one["digest"] for one in manifest["layers"]][:2] == digests
    assert [blobs[one] for one in digests] == [before[one] for one in digests]
    assert config["rootfs"]["diff_ids"][:2] == [base_images._digest(one) for one in layers]
    assert len(manifest["layers"]) == 3
    own = members(blobs[manifest["layers"][2]["digest"]])
    assert {name for name, (kind, *_) in own.items() if kind == "file"} == {"usr/local/bin/say"}
    root = unpacked(manifest, {**blobs}, tmp_path / "whole") if compression != "zstd" else None
    if root is not None:
        done = oracle.in_root(root, ["/usr/local/bin/say"])
        assert (done.returncode, done.stdout) == (0, "3\n"), done


def test_a_saved_image_is_a_base_with_its_plain_layers(say, ubuntu, packs, tmp_path):
    digests = base_images.save(tmp_path / "base.tar", [ubuntu])
    _, config, manifest, blobs = packs(say)
    assert manifest["layers"][0]["digest"] == digests[0] == config["rootfs"]["diff_ids"][0]
    assert manifest["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar"
    assert blobs[digests[0]] == ubuntu


def test_a_layout_directory_is_a_base(say, ubuntu, packs, tmp_path):
    base_images.write(tmp_path / "base.tar", [ubuntu])
    with tarfile.open(tmp_path / "base.tar") as tar:
        tar.extractall(tmp_path / "layout", filter="data")
    _, _, expected, _ = packs(say)
    for spelling in ("layout", "oci:layout"):
        _, _, manifest, _ = packs(say, base=spelling)
        assert manifest == expected


def test_the_base_of_docker_types_stays_so_where_the_image_has_them(say, ubuntu, cli, tmp_path):
    base_images.write(tmp_path / "base.tar", [ubuntu])
    cli("pack", say, "--base", "base.tar", "-o", "x.tar", "--format", "docker", check=True)
    base_images.write(tmp_path / "zstd.tar", [ubuntu], compression="zstd")
    done = cli("pack", say, "--base", "zstd.tar", "-o", "y.tar", "--format", "docker")
    assert done.returncode == 1
    assert "docker has no media type for this" in done.stderr
    assert not (tmp_path / "y.tar").exists()


# --- config ---


def test_the_config_is_inherited_as_from_does(say, ubuntu, packs, tmp_path):
    history = [
        {"created_by": "ADD root"},
        {"created_by": "ENV A=base", "empty_layer": True},
        {"created_by": "COPY etc", "comment": "unknown"},
        {"created_by": "CMD serve", "empty_layer": True},
    ]
    base_images.write(
        tmp_path / "base.tar",
        [ubuntu, layer(*ETC, ("srv/", 0o755, 1000))],
        SETTINGS,
        history=history,
        author="somebody",
        **{"os.version": "12"},
    )
    words = ("-e", "B=own", "-e", "C=own", "-l", "b=own", "-l", "c=own", "--expose", "81")
    done, config, manifest, _ = packs(say, *words, "--volume", "/own", "--stop-signal", "SIGINT")
    settings = config["config"]
    assert settings == {
        "Env": ["PATH=/usr/bin:/app/bin", "A=base", "B=own", "C=own"],
        "Entrypoint": ["/usr/local/bin/say"],
        "User": "app",
        "WorkingDir": "/srv",
        "Labels": {"a": "base", "b": "own", "c": "own"},
        "ExposedPorts": {"80/tcp": {}, "81/tcp": {}},
        "Volumes": {"/data": {}, "/own": {}},
        "StopSignal": "SIGINT",
        "Shell": ["/bin/zsh", "-c"],
        "OnBuild": ["RUN make"],
    }
    assert config["history"][:4] == history
    steps = [one for one in config["history"] if not one.get("empty_layer")]
    assert len(steps) == len(manifest["layers"])
    assert (config["author"], config["os.version"]) == ("somebody", "12")
    assert "ONBUILD triggers are kept and not run: RUN make" in done.stderr


def test_arguments_and_the_user_of_the_command_line_replace_those_of_the_base(
    say, ubuntu, cli, tmp_path
):
    base_images.write(tmp_path / "base.tar", [ubuntu, layer(*ETC)], SETTINGS)
    words = ("-u", "1001", "-w", "/etc", "-o", "x.tar", "--", "a", "b")
    cli("pack", say, "--base", "base.tar", *words, check=True)
    settings = read(tmp_path / "x.tar")[0]["config"]
    assert (settings["User"], settings["WorkingDir"]) == ("1001", "/etc")
    assert settings["Cmd"] == ["a", "b"]


@pytest.mark.parametrize("history", [None, [{"created_by": "only"}]])
def test_a_base_that_tells_less_of_its_history_than_it_has_layers(
    say, ubuntu, packs, tmp_path, history
):
    base_images.write(tmp_path / "base.tar", [ubuntu, layer(*ETC)], history=history)
    _, config, manifest, _ = packs(say)
    steps = [one for one in config["history"] if not one.get("empty_layer")]
    assert len(steps) == len(manifest["layers"]) == 3


# --- what the base has ---


def test_what_the_base_has_is_not_packed_again_and_why_knows_it(say, ubuntu, packs, cli, tmp_path):
    base_images.write(tmp_path / "base.tar", [ubuntu])
    done, _, manifest, _ = packs(say)
    assert "for linux/amd64: 1 file, " in done.stderr
    why = cli("why", "x.tar", "libm.so.6", check=True).stdout
    assert "libm.so.6" in why
    assert "say" in why
    whole = cli("inspect", "x.tar", "--json", check=True).stdout
    layers = {one["path"]: one["layer"] for one in json.loads(whole)[0]["entries"]}
    assert layers["/usr/lib/x86_64-linux-gnu/libm.so.6"] == 0
    assert layers["/usr/local/bin/say"] == 1
    cli("verify", "x.tar", check=True)
    again = shutil.copy(say, tmp_path / "copy")
    cli("pack", again, "--at", "/usr/local/bin/say", "--base", "x.tar", "-o", "y.tar", check=True)
    assert len(read(tmp_path / "y.tar")[1]["layers"]) == len(manifest["layers"])


def test_the_libraries_of_the_base_are_searched_first(say, packs, tmp_path):
    """This one has them only in /lib, after the directories in which this machine has them."""
    root = tmp_path / "flat"
    (root / "lib").mkdir(parents=True)
    (root / "lib64").symlink_to("lib")
    shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib")
    shutil.copy(layouts.MULTIARCH / "libc.so.6", root / "lib")
    base_images.write(tmp_path / "base.tar", [of_tree(root)])
    done, _, manifest, blobs = packs(say)
    own = above(manifest, blobs)
    files = {name for name, (kind, *_) in own.items() if kind == "file"}
    assert not [one for one in files if "libc.so" in one or "ld-linux" in one], files
    assert any(one.endswith("libm.so.6") for one in files)  # the base lacks it
    whole = unpacked(manifest, blobs, tmp_path / "whole")
    said = oracle.in_root(whole, ["/usr/local/bin/say"])
    assert (said.returncode, said.stdout) == (0, "3\n"), (said, done.stderr)


def test_the_links_of_the_base_decide_where_files_go(say, packs, tmp_path):
    """Neither /usr is merged as this machine's: /lib is a directory, /usr/local a link."""
    root = tmp_path / "root"
    for name in ("lib/x86_64-linux-gnu", "lib64", "var/local/bin", "usr", "etc"):
        (root / name).mkdir(parents=True)
    (root / "usr/local").symlink_to("../var/local")
    (root / "var/run").symlink_to("/run")
    shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib64")
    shutil.copy(layouts.MULTIARCH / "libc.so.6", root / "lib/x86_64-linux-gnu")
    base_images.write(tmp_path / "base.tar", [of_tree(root)])
    _, config, manifest, blobs = packs(say)
    own = above(manifest, blobs)
    files = {name for name, (kind, *_) in own.items() if kind == "file"}
    assert files == {"var/local/bin/say", "lib/x86_64-linux-gnu/libm.so.6"}
    assert "usr/local" not in own
    whole = unpacked(manifest, blobs, tmp_path / "whole")
    said = oracle.in_root(whole, config["config"]["Entrypoint"])
    assert (said.returncode, said.stdout) == (0, "3\n"), said


def test_whiteouts_and_opaque_directories_of_the_base_count(say, ubuntu, packs, tmp_path):
    """A library that a later layer has deleted is one that the base lacks."""
    lib = "usr/lib/x86_64-linux-gnu"
    gone = layer((f"{lib}/.wh.libm.so.6", b""), ("usr/local/bin/.wh..wh..opq", b""))
    was = layer(("usr/local/", 0o755), ("usr/local/bin/", 0o755), ("usr/local/bin/say", b"x"))
    base_images.write(tmp_path / "base.tar", [ubuntu, was, gone])
    _, _, manifest, blobs = packs(say)
    own = above(manifest, blobs, 3)
    assert {f"{lib}/libm.so.6", "usr/local/bin/say"} <= set(own)


def test_directories_keep_the_mode_and_owner_that_they_have_in_the_base(
    say, ubuntu, packs, tmp_path
):
    closed = layer(
        ("usr/local/", 0o750, 5), ("usr/local/bin/", 0o711, 7), ("tmp/", 0o1777), ("srv/", 0o700)
    )
    base_images.write(tmp_path / "base.tar", [ubuntu, closed])
    _, _, manifest, blobs = packs(say)
    own = above(manifest, blobs, 2)
    assert own["usr/local"][:3] == ("dir", 0o750, (5, 0))
    assert own["usr/local/bin"][:3] == ("dir", 0o711, (7, 0))
    assert "srv" not in own


def test_lines_that_the_base_lacks_are_added_to_its_file(say, ubuntu, packs, tmp_path):
    base_images.write(tmp_path / "base.tar", [ubuntu, layer(*ETC)])
    _, _, manifest, blobs = packs(say, "-u", "nonroot", "--with", "users")
    own = above(manifest, blobs, 2)
    text = own["etc/passwd"][3]
    assert text.startswith(PASSWD)
    assert b"\nnonroot:x:65532:" in text
    assert text.count(b"root:x:0:0") == 1


# --- refusals ---


def refused(cli, tmp_path, *words, base="base.tar", code):
    done = cli("pack", *words, "--base", base, "-o", "refused.tar")
    assert done.returncode == code, done.stderr
    assert not (tmp_path / "refused.tar").exists()
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_conflict_names_both_owners(say, ubuntu, cli, tmp_path):
    status = b"Package: sayer\nStatus: install ok installed\nVersion: 2.1\nArchitecture: amd64\n\n"
    theirs = layer(
        ("usr/local/", 0o755),
        ("usr/local/bin/", 0o755),
        ("usr/local/bin/say", b"another", 0o755),
        ("var/lib/dpkg/info/", 0o755),
        ("var/lib/dpkg/status", status),
        ("var/lib/dpkg/info/sayer.list", b"/.\n/usr/local/bin/say\n"),
    )
    base_images.write(tmp_path / "base.tar", [ubuntu, theirs])
    said = refused(cli, tmp_path, say, code=1)
    assert said == (
        "rootfs-builder: /usr/local/bin/say: two different files for one path of the image: "
        f"{say}, and that of the base base.tar, of sayer 2.1; --at or --add SRC:DEST gives it "
        "another path\n"
    )


def test_the_same_bytes_with_another_mode_are_a_conflict(say, ubuntu, cli, tmp_path):
    theirs = layer(
        ("usr/local/", 0o755), ("usr/local/bin/", 0o755), ("usr/local/bin/say", say.read_bytes())
    )
    base_images.write(tmp_path / "base.tar", [ubuntu, theirs])
    assert "two different files for one path" in refused(cli, tmp_path, say, code=1)


def test_a_file_that_is_named_is_never_the_bases_by_chance(ubuntu, cli, tmp_path):
    theirs = layer(("usr/bin/", 0o755), ("usr/bin/env", b"another", 0o755))
    base_images.write(tmp_path / "base.tar", [ubuntu, theirs])
    said = refused(cli, tmp_path, "/usr/bin/env", code=1)
    assert "/usr/bin/env: two different files" in said
    assert "of coreutils " in said
    assert "of no package" in said


@pytest.mark.usefixtures("say")
@pytest.mark.parametrize("named", ["say", "musl"])
def test_glibc_and_musl_are_not_mixed(ubuntu, alpine, cc, cli, tmp_path, named):
    if named == "say":
        base_images.write(tmp_path / "base.tar", [alpine])
        said = refused(cli, tmp_path, "say", code=2)
        ways = "build it for musl, or take a base with glibc, or none"
        assert "--base base.tar: its libraries are for musl, and say is for glibc" in said
    else:
        cc("int main(void) { return 0; }", name="musl", compiler="musl-gcc")
        base_images.write(tmp_path / "base.tar", [ubuntu])
        said = refused(cli, tmp_path, "musl", code=2)
        ways = "build it for glibc, or take a base with musl, or none"
    assert ways in said


def test_a_static_program_goes_on_any_base(alpine, cc, packs, tmp_path):
    program = cc("int main(void) { return 0; }", name="static", args=("-static",))
    base_images.write(tmp_path / "base.tar", [alpine])
    packs(program)


@pytest.mark.usefixtures("say")
def test_a_base_for_another_platform_is_refused(ubuntu, cli, tmp_path):
    base_images.write(tmp_path / "base.tar", [ubuntu], architecture="arm64", variant="v8")
    said = refused(cli, tmp_path, "say", code=2)
    assert said == (
        "rootfs-builder: --base base.tar: an image for linux/arm64/v8, and say is for linux/amd64\n"
    )


def test_a_libc_of_the_base_that_is_too_old(ubuntu, cc, cli, tmp_path):
    """The program needs a version of libm.so.6 that no release has yet."""
    script = tmp_path / "map"
    script.write_text("GLIBC_2.2.5 {};\nGLIBC_2.99 { newer; };\n")
    shared = ("-shared", "-fPIC", "-Wl,-soname,libm.so.6", f"-Wl,--version-script={script}")
    stub = cc("int newer(void) { return 0; }", name="libm.so.6", where=tmp_path / "s", args=shared)
    cc("int newer(void); int main(void) { return newer(); }", name="new", args=(stub,))
    base_images.write(tmp_path / "base.tar", [ubuntu])
    said = refused(cli, tmp_path, "new", code=4)
    assert said == (
        "rootfs-builder: /lib/x86_64-linux-gnu/libm.so.6 of the base is older than "
        f"{tmp_path}/new needs\n"
        "  version `GLIBC_2.99' not found, for newer\n"
        "take a newer base, or what was built for the release of this one: --sysroot names a root "
        "or image that has it\n"
    )


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-30000], "--base base.tar: "),
        (lambda data: data.replace(b"sha256:", b"sha256;", 1), "--base base.tar: "),
        (lambda _: b"no image", "--base base.tar: "),
    ],
)
def test_a_damaged_base(say, ubuntu, cli, tmp_path, damage, words):
    base_images.write(tmp_path / "base.tar", [ubuntu])
    data = (tmp_path / "base.tar").read_bytes()
    (tmp_path / "base.tar").write_bytes(damage(data))
    assert words in refused(cli, tmp_path, say, code=1)


def test_a_base_that_is_not_there(say, cli, tmp_path):
    assert "--base base.tar: no such file" in refused(cli, tmp_path, say, code=3)
    assert "--base -: name a file" in refused(cli, tmp_path, say, base="-", code=2)


def test_the_base_is_not_overwritten(say, ubuntu, cli, tmp_path):
    base_images.write(tmp_path / "base.tar", [ubuntu])
    done = cli("pack", say, "--base", "base.tar", "-o", "./base.tar")
    assert done.returncode == 2
    assert "the image is made of it" in done.stderr


def test_an_archive_of_two_images_asks_which(say, ubuntu, cli, tmp_path):
    base_images.save(tmp_path / "base.tar", [ubuntu])
    with tarfile.open(tmp_path / "base.tar") as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar}
    (saved,) = json.loads(files["manifest.json"])
    files["c2.json"] = files["c.json"][:-1] + b" }"
    both = [saved, {**saved, "Config": "c2.json", "RepoTags": ["base:2"]}]
    files["manifest.json"] = json.dumps(both).encode()
    base_images._tar(tmp_path / "base.tar", files)
    said = refused(cli, tmp_path, say, code=2)
    assert "it has 2 images (base:1, base:2); save the one that is meant by itself" in said


# --- stage, recipes, depfiles ---


def test_stage_writes_only_what_is_above_the_base(say, ubuntu, cli, tmp_path):
    base_images.write(tmp_path / "base.tar", [ubuntu])
    cli("stage", say, "--base", "base.tar", "-o", "staged", check=True)
    found = {str(one.relative_to(tmp_path / "staged")) for one in (tmp_path / "staged").rglob("*")}
    assert found == {"usr", "usr/local", "usr/local/bin", "usr/local/bin/say"}


def test_a_recipe_names_its_base(say, ubuntu, cli, packs, tmp_path):
    (tmp_path / "there").mkdir()
    base_images.write(tmp_path / "there/base.tar", [ubuntu])
    recipe = 'executables = ["../say"]\nbase = "base.tar"\noutput = "y.tar"\n'
    (tmp_path / "there/rootfs.toml").write_text(recipe)
    cli("build", "there", check=True)
    packs(say, base="there/base.tar")
    assert read(tmp_path / "there/y.tar")[1] == read(tmp_path / "x.tar")[1]


def test_a_depfile_names_the_base_and_the_sysroot(say, ubuntu, cli, tmp_path):
    base_images.write(tmp_path / "base.tar", [ubuntu])
    for option in ("--base", "--sysroot"):
        words = ("-o", "x.tar", "--depfile", "x.d", option, "base.tar")
        cli("pack", say, *words, check=True)
        assert " base.tar" in (tmp_path / "x.d").read_text()


# --- --sysroot IMAGE ---


def test_a_sysroot_may_be_an_image(say, ubuntu, cli, tmp_path):
    base_images.write(tmp_path / "root.tar", [ubuntu, layer(*ETC)])
    shutil.copytree(tmp_path / "ubuntu", tmp_path / "dir", symlinks=True)
    (tmp_path / "dir/etc/passwd").write_bytes(PASSWD)
    for root, out in (("root.tar", "x.tar"), ("dir", "y.tar")):
        cli("pack", say, "--sysroot", root, "-u", "app", "-o", out, check=True)
    assert (tmp_path / "x.tar").read_bytes() == (tmp_path / "y.tar").read_bytes()


def test_an_absolute_path_is_that_of_the_image_if_it_has_one(say, ubuntu, cli, tmp_path):
    inside = layer(("opt/", 0o755), ("opt/say", say.read_bytes(), 0o755), ("opt/say.conf", b"1"))
    base_images.write(tmp_path / "root.tar", [ubuntu, inside])
    shutil.copytree(tmp_path / "ubuntu", tmp_path / "dir", symlinks=True)
    (tmp_path / "dir/opt").mkdir()
    shutil.copy(say, tmp_path / "dir/opt/say")
    (tmp_path / "dir/opt/say.conf").write_text("1")
    image = ("--sysroot", "root.tar", "--add", "/opt/say.conf")
    cli("pack", "/opt/say", *image, "-o", "x.tar", check=True)
    spelt = ("--sysroot", "root.tar", "--add", "root.tar/opt/say.conf:/opt/say.conf")
    cli("pack", "root.tar/opt/say", *spelt, "-o", "z.tar", check=True)
    tree = ("--sysroot", "dir", "--add", "dir/opt/say.conf:/opt/say.conf")
    cli("pack", "dir/opt/say", *tree, "-o", "y.tar", check=True)
    archives = {(tmp_path / f"{one}.tar").read_bytes() for one in "xyz"}
    assert len(archives) == 1
    for verb in (("tree", "/opt/say"), ("why", "/opt/say", "libm.so.6")):
        cli(*verb, "--sysroot", "root.tar", check=True)


def test_a_sysroot_and_a_base_that_are_images(say, ubuntu, packs, tmp_path):
    """The base has the loader and libc alone; what it lacks comes from the sysroot."""
    base_images.write(tmp_path / "root.tar", [ubuntu])
    gone = layer(("usr/lib/x86_64-linux-gnu/.wh.libm.so.6", b""))
    base_images.write(tmp_path / "base.tar", [ubuntu, gone])
    _, _, manifest, blobs = packs(say, "--sysroot", "root.tar")
    own = above(manifest, blobs, 2)
    assert "usr/lib/x86_64-linux-gnu/libm.so.6" in own


def test_what_is_no_root_is_said(say, cli, tmp_path):
    (tmp_path / "file").write_text("no image")
    done = cli("pack", say, "--sysroot", "file", "-o", "x.tar")
    assert done.returncode == 1
    assert "--sysroot file: no tar archive" in done.stderr
    done = cli("pack", say, "--sysroot", "nothing", "-o", "x.tar")
    assert (done.returncode, "--sysroot nothing: no such" in done.stderr) == (3, True)


def test_an_ordinary_pack_imports_nothing_of_it(say, tmp_path):
    done = subprocess.run(
        ["python3", "-X", "importtime", "-m", "rootfs_builder", "pack", say, "-o", "x.tar"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{sys.prefix}/bin:/usr/bin", "HOME": str(tmp_path)},
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "rootfs_builder.pipeline" in loaded
    assert not loaded & {
        "rootfs_builder.pipeline.bases",
        "rootfs_builder.pipeline.compatibility",
        "rootfs_builder.image.found",
        "rootfs_builder.image.from_base",
        "rootfs_builder.image.unpack",
    }


def test_a_secret_of_this_machine_is_one_under_any_name_over_a_base(cli, cc, ubuntu, tmp_path):
    """The base has a file at the secret's path; a hard link of this machine's has another name."""
    theirs = layer(("etc/shadow", b"root:*:1::::::\n", 0o644))
    base_images.write(tmp_path / "base.tar", [ubuntu, theirs])
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/shadow").write_text("root:$6$secret:1::::::\n")
    (root / "srv").mkdir()
    (root / "srv/innocent").hardlink_to(root / "etc/shadow")
    program = cc("int main(void) { return 0; }", args=("-static",))
    words = ("--sysroot", "root", "--add", "root/srv/innocent:/srv/innocent", "-o", "x.tar")
    done = cli("pack", program, *words, "--base", "base.tar")
    assert done.returncode == 5, done.stderr
    assert "password hashes" in done.stderr
