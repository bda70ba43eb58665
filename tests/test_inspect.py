"""`inspect`, and `why` of an image: what Python's tar reader and `why` of the program say, too."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from hashlib import sha256

import pytest

from tests.test_bad_images import image, tar

NAME = "rootfs-builder.json"
ABSENT = "rootfs-builder.json, which says why files are there, is absent"
PLUGIN = "int plugin(void) { return 0; }"
USES_MATH = "#include <math.h>\nint main(int c, char **v) { return (int) cos(c); }"


def document(archive):
    with tarfile.open(archive) as outer:
        return outer.extractfile(NAME).read()


@pytest.fixture
def packed(cli, cc, tmp_path):
    """`prog`, and `x.tar` with it and all that it needs."""
    cc(USES_MATH, name="prog", args=["-lm"])
    cli("pack", "prog", "-o", "x.tar", "--with", "temporary", check=True)
    return tmp_path / "x.tar"


def test_why_of_the_image_is_why_of_the_program(cli, packed):
    options = ("--with", "temporary", "-q", "--json")
    entries = json.loads(document(packed))["entries"]
    assert len(entries) > 10
    for entry in entries:
        of_program = cli("why", "prog", entry["path"], *options, check=True).stdout
        assert cli("why", "x.tar", entry["path"], "-q", "--json", check=True).stdout == of_program


def test_the_document_knows_the_layers_and_packages(cli, packed):
    """The layers as inspect reads them, the packages as dpkg knows them."""
    said = json.loads(document(packed))
    (found,) = json.loads(cli("inspect", "x.tar", "--json", check=True).stdout)
    digests = {one["path"]: one.pop("digest", "") for one in found["entries"]}
    assert found["entries"] == said["entries"]
    assert {one["layer"] for one in said["entries"]} == {0, 1}
    assert digests["/usr/local/bin/prog"].startswith("sha256:")
    (libm,) = (one for one in said["entries"] if one["path"].endswith("/libm.so.6"))
    if shutil.which("dpkg-query") is None:
        pytest.skip("no dpkg-query")
    query = ["dpkg-query", "-S", libm["path"]]
    owner = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    assert owner.partition(":")[0] == libm["package"]["name"]
    assert f"[{libm['package']['name']} " in cli("inspect", "x.tar", "-v", check=True).stdout


def test_a_capability_is_shown(cli, cc):
    cc(USES_MATH, name="prog", args=["-lm"])
    cap = "prog=cap_net_bind_service+ep"
    cli("pack", "prog", "-o", "x.tar", "-q", "--cap", cap, check=True)
    (found,) = json.loads(cli("inspect", "x.tar", "--json", check=True).stdout)
    (prog,) = (one for one in found["entries"] if one["path"] == "/usr/local/bin/prog")
    assert prog["capabilities"] == "cap_net_bind_service=ep"
    assert "prog cap_net_bind_service=ep:" in cli("inspect", "x.tar", "-v", check=True).stdout


@pytest.mark.parametrize("path", ["libm.so.6", "/lib/x86_64-linux-gnu/libm.so.6", "prog"])
def test_why_takes_names_and_paths_through_links(cli, packed, path):
    said = cli("why", "x.tar", path, check=True).stdout
    assert said == cli("why", "prog", path, check=True).stdout
    assert packed.exists()


def test_every_form_in_which_an_image_lies_is_told_from_a_program(cli, packed, tmp_path):
    with tarfile.open(packed) as outer:
        outer.extractall(tmp_path / "layout", filter="data")
    subprocess.run(["gzip", "-k", packed], check=True)
    said = cli("why", "x.tar", "libm.so.6", check=True).stdout
    seen = cli("inspect", "x.tar", check=True).stdout
    assert "NEEDED libm.so.6 of /usr/local/bin/prog" in said
    for one in ("layout", "x.tar.gz"):
        assert cli("why", one, "libm.so.6", check=True).stdout == said
        assert cli("inspect", one, check=True).stdout == seen
    for verb, words, text in (("why", ["libm.so.6"], said), ("inspect", [], seen)):
        done = cli(verb, "-", *words, input=packed.read_bytes(), text=False, check=True)
        assert done.stdout.decode() == text


@pytest.mark.parametrize("shape", ["hybrid", "oci", "docker"])
def test_every_format_has_the_document(cli, packed, shape):
    cli("pack", "prog", "-o", "y.tar", "--with", "temporary", "--format", shape, "-q", check=True)
    said = cli("inspect", "y.tar", "--json", check=True)
    (found,) = json.loads(said.stdout)
    (whole,) = json.loads(cli("inspect", packed, "--json", check=True).stdout)
    assert said.stderr == ""
    assert found["entries"] == whole["entries"]
    assert found["config"] == whole["config"]


def test_a_layout_directory_has_the_document(cli, packed, tmp_path):
    cli("pack", "prog", "-o", "oci:layout", "--with", "temporary", "-q", check=True)
    assert (tmp_path / "layout" / NAME).read_bytes() == document(packed)
    cli("pack", "prog", "-o", "oci:layout", "--no-plan", "-q", check=True)
    assert not (tmp_path / "layout" / NAME).exists()


def test_the_digest_does_not_depend_on_the_document_and_the_document_on_nothing_else(cli, packed):
    options = ("--with", "temporary", "-q")
    first = cli("pack", "prog", "-o", "y.tar", *options, check=True).stdout
    without = cli("pack", "prog", "-o", "z.tar", *options, "--no-plan", check=True).stdout
    assert first == without
    assert packed.with_name("y.tar").read_bytes() == packed.read_bytes()
    with tarfile.open(packed.with_name("z.tar")) as outer:
        assert NAME not in outer.getnames()


def test_an_image_without_the_document_says_so(cli, packed, tmp_path):
    cli("pack", "prog", "-o", "y.tar", "-q", "--no-plan", check=True)
    (tmp_path / "z.tar").write_bytes(image())
    for one in ("y.tar", "z.tar"):
        done = cli("why", one, "libm.so.6")
        assert (done.returncode, done.stdout) == (3, ""), done
        assert done.stderr.startswith(f"rootfs-builder: {one}: {ABSENT}")
        done = cli("inspect", one, check=True)
        assert done.stderr.startswith(ABSENT)
        assert "without a reason" in done.stdout
        assert cli("inspect", one, "-q", check=True).stderr == ""
        assert ABSENT in json.loads(cli("inspect", one, "--json", check=True).stdout)[0]["absent"]
    assert packed.exists()


def test_the_document_of_another_image_is_not_believed(cli, packed, tmp_path):
    cli("pack", "prog", "-o", "y.tar", "-q", "-e", "A=b", check=True)
    with tarfile.open(packed) as outer, tarfile.open(tmp_path / "z.tar", "w") as mixed:
        for member in outer:
            data = outer.extractfile(member).read() if member.isfile() else b""
            if member.name == NAME:
                data = document(tmp_path / "y.tar")
                member.size = len(data)
            mixed.addfile(member, io.BytesIO(data))
    done = cli("why", "z.tar", "libm.so.6")
    assert (done.returncode, "about another image" in done.stderr) == (3, True), done
    assert "about another image" in cli("inspect", "z.tar", check=True).stderr


@pytest.mark.parametrize("option", [["-L", "/lib"], ["--add", "prog"], ["--hwcaps", "all"]])
def test_options_for_a_program_are_refused_for_an_image(cli, packed, option):
    done = cli("why", "x.tar", "libm.so.6", *option)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert "IMAGE has its files" in done.stderr
    assert packed.exists()


def test_what_is_not_in_an_image_names_the_verb_that_lists_it(cli, packed):
    done = cli("why", packed, "libnone.so")
    assert (done.returncode, "`inspect -v` shows what is" in done.stderr) == (3, True), done


CANARY = "kanarienvogel 100%"


@pytest.fixture
def cage(cc, tmp_path):
    """A directory of that name; wherever it could get into the document, it is named."""
    home = tmp_path / CANARY
    shared = ["-shared", "-fPIC", "-Wl,--no-as-needed"]
    named = [*shared, "-Wl,-soname,libown.so"]
    own = cc("int own(void) { return 1; }", name="libown.so", where=home / "lib", args=named)
    cc(PLUGIN, name="plugin.so", where=home / "plugins", args=[*shared, "-lm"])
    cc("int main(void) { return 0; }", name="tool", where=home / "plugins")
    (home / "plugins/text").write_text("/etc/services")
    (home / "plugins/link").symlink_to("tool")
    cc("int own(void); int main(void) { return own(); }", name="prog", where=home, args=[own])
    (home / "script").write_text("#!/bin/sh\n")
    for name in ("prog", "script"):
        (home / name).chmod(0o644)
    return home


@pytest.mark.long
@pytest.mark.parametrize(
    ("start", "directory"),
    [("", CANARY), (".", CANARY), (CANARY, "."), (f"../{CANARY}", CANARY), ("{home}", ".")],
)
@pytest.mark.parametrize("sysroot", [False, True])
def test_no_path_of_the_build_machine_is_in_it(cli, cage, start, directory, sysroot, tmp_path):
    def at(name):
        return os.path.join(start.format(home=cage), name)

    out = str(tmp_path / "x.tar")
    words = [at("prog"), "-L", at("lib"), "--add", f"{at('plugins')}:/usr/lib/plugins"]
    if sysroot:
        programs = ("/usr/bin/env", "/bin/sh", str(cage / "plugins/tool"))
        library = ("--include-lib", "libm.so.6")
        cli("stage", *programs, "-o", str(cage / "root"), *library, "-q", check=True)
        words += ["--sysroot", at("root")]
    words = [one if one[:1] in "/." or one[:2] in {"-L", "--"} else f"./{one}" for one in words]
    done = cli("pack", *words, at("script"), "-o", out, cwd=tmp_path / directory, check=True)
    data = document(out)
    assert b"plugin.so" in data
    assert b"kanarien" not in data
    assert b"100%" not in data
    assert "not executable here" in done.stderr  # it would have got in


def members(layer):
    """What Python's reader sees in a layer, in the words of the document."""
    kinds = {tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "symlink"}
    with tarfile.open(fileobj=io.BytesIO(layer)) as found:
        for one in found:
            entry = {
                "path": "/" + one.name,
                "kind": kinds.get(one.type, "file"),
                "mode": f"{one.mode:04o}",
                "uid": one.uid,
                "gid": one.gid,
            }
            if entry["kind"] == "file":
                data = found.extractfile(one).read()
                entry |= {"size": len(data), "digest": f"sha256:{sha256(data).hexdigest()}"}
            if one.issym():
                entry["target"] = one.linkname
            if one.islnk():
                entry["hardlink"] = "/" + one.linkname
            yield entry


LOWER = tar(
    ("app", b"", {"type": tarfile.DIRTYPE, "mode": 0o750, "uid": 7}),
    ("app/gone", b"x"),
    ("app/run", b"run", {"mode": 0o4755, "gid": 5}),
    ("app/same", b"", {"type": tarfile.LNKTYPE, "linkname": "app/run", "mode": 0o4755, "gid": 5}),
    ("link", b"", {"type": tarfile.SYMTYPE, "linkname": "app/run", "mode": 0o777}),
)
UPPER = tar(("app/.wh.gone", b""), ("new", b"new"))


def layered(*layers, config=None):
    """A `docker save` archive of several layers."""
    names = [f"{number}.tar" for number in range(len(layers))]
    described = [{"Config": "c.json", "RepoTags": ["one:1", "two:2"], "Layers": names}]
    facts = {"os": "linux", "architecture": "arm", "variant": "v7", "config": config or {}}
    return tar(
        ("manifest.json", json.dumps(described).encode()),
        ("c.json", json.dumps(facts).encode()),
        *zip(names, layers, strict=True),
    )


def inspected(cli, tmp_path, archive, *options):
    (tmp_path / "x.tar").write_bytes(archive)
    quiet = () if "-v" in options else ("-q",)
    return cli("inspect", "x.tar", *quiet, *options, check=True).stdout


def test_the_files_of_anybodys_image_are_those_of_its_layers(cli, tmp_path):
    (found,) = json.loads(inspected(cli, tmp_path, layered(LOWER, UPPER), "--json"))
    assert found["names"] == ["one:1", "two:2"]
    assert found["platform"] == "linux/arm/v7"
    expected = [{**one, "layer": 0} for one in members(LOWER) if one["path"] != "/app/gone"]
    expected += [{**one, "layer": 1} for one in members(UPPER) if one["path"] == "/new"]
    assert [{**one, "reasons": []} for one in found["entries"]] == [
        {**one, "reasons": []} for one in sorted(expected, key=lambda one: one["path"])
    ]
    assert found["totals"] == {
        "files": 2,
        "directories": 1,
        "symlinks": 1,
        "hardlinks": 1,
        "bytes": 6,
    }
    assert [(one["unpacked"], one["files"]) for one in found["layers"]] == [
        (len(LOWER), 3),
        (len(UPPER), 1),
    ]


def test_the_digests_are_those_of_the_blobs(cli, packed):
    (found,) = json.loads(cli("inspect", "x.tar", "--json", check=True).stdout)
    with tarfile.open(packed) as outer:
        blobs = {one.name: outer.extractfile(one).read() for one in outer if one.isfile()}
    manifest = json.loads(blobs["blobs/" + found["digest"].replace(":", "/")])
    assert found["config_digest"] == manifest["config"]["digest"]
    assert found["config"] == json.loads(blobs["blobs/" + found["config_digest"].replace(":", "/")])
    read = {}
    for number, layer in enumerate(found["layers"]):
        blob = blobs["blobs/" + layer["digest"].replace(":", "/")]
        plain = gzip.decompress(blob)
        assert (layer["size"], layer["unpacked"]) == (len(blob), len(plain))
        assert layer["diff_id"] == f"sha256:{sha256(plain).hexdigest()}"
        read |= {one["path"]: {**one, "layer": number} for one in members(plain)}
    for entry in found["entries"]:
        expected = read[entry["path"]]
        assert {key: entry.get(key) for key in expected} == expected
    assert len(read) == len(found["entries"])
    assert len(found["layers"]) == 2


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
@pytest.mark.parametrize("verb", ["inspect", "verify", "why"])
def test_a_blob_that_is_not_what_its_digest_says_is_refused(cli, packed, tmp_path, which, verb):
    (found,) = json.loads(cli("inspect", "x.tar", "--json", check=True).stdout)
    digests = [found["layers"][-1]["digest"], found["config_digest"], found["digest"]]
    digest = dict(zip(("layer", "config", "manifest"), digests, strict=True))[which]
    with tarfile.open(packed) as outer:
        outer.extractall(tmp_path / "layout", filter="data")
    blob = tmp_path / "layout/blobs" / digest.replace(":", "/")
    data = blob.read_bytes()
    plain = gzip.decompress(data).replace(b"prog", b"grop") if which == "layer" else data + b"\n"
    blob.write_bytes(gzip.compress(plain) if which == "layer" else plain)
    done = cli(verb, "layout", *["libm.so.6"][: verb == "why"])
    assert (done.returncode, done.stdout) == (1, ""), done
    assert f"the blob {digest} has other bytes than its digest says" in done.stderr


def test_a_few_lines_say_what_is_in_it_and_none_is_cut(cli, tmp_path):
    deep = tar(*((f"{'d' * 90}/{number:03}", b"x" * number) for number in range(40)))
    config = {
        "Entrypoint": ["/app/run", "a word"],
        "Env": ["A=" + "b" * 99],
        "Labels": {"one": "1"},
        "ExposedPorts": {"80/tcp": {}},
        "Healthcheck": {"Test": ["CMD", "/app/run"]},
    }
    said = inspected(cli, tmp_path, layered(deep, LOWER, config=config))
    assert "…" not in said
    assert len(said.splitlines()) < 40
    for line in (
        "env     A=" + "b" * 99,
        f"{39:>15}  /{'d' * 90}/039",
        "image   one:1, two:2, linux/arm/v7",
        "starts  /app/run 'a word'",
        "label   one=1",
        "port    80/tcp",
        'health  Test=["CMD", "/app/run"]',
    ):
        assert line in said.splitlines()
    assert "32  more files; -v lists all" in said
    whole = inspected(cli, tmp_path, layered(deep, LOWER, config=config), "-v")
    assert "A=" + "b" * 99 in whole
    assert "-4755 0:5" in whole
    assert sum("/" + "d" * 90 + "/" in line for line in whole.splitlines()) == 40


def test_a_file_with_two_names_is_counted_once(cli, tmp_path):
    said = inspected(cli, tmp_path, layered(LOWER))
    assert "all files                     2               4 bytes" in said


def test_an_escape_sequence_of_an_image_does_not_reach_the_terminal(cli, tmp_path):
    layer = tar(("a\x1b[31m", b"x"), ("b\nc", b"x"))
    config = {"Env": ["A=\x1b[31m\nB"], "Labels": {"\x9b": "x"}, "User": "\x1b]0;x"}
    said = inspected(cli, tmp_path, layered(layer, config=config), "-v")
    assert "\x1b" not in said
    assert "\x9b" not in said
    assert r"A=\x1b[31m\nB" in said
    assert "/a%1B[31m" in said
    assert "/b%0Ac" in said


def test_an_escape_sequence_of_a_document_does_not_reach_the_terminal(cli, packed, tmp_path):
    with tarfile.open(packed) as outer:
        outer.extractall(tmp_path / "layout", filter="data")
    said = json.loads(document(packed))
    ours = said["tool"]["version"]
    for entry in said["entries"]:
        entry["reasons"] = [{"kind": "rule", "found_by": "f\x1b[31m", "asked": "a\x1b[31m"}] * 2
    said["findings"] = [{"level": "warning", "code": "build-path", "text": "\x1b[31m"}]
    said["tool"]["version"] = "\x1b[31m"
    (tmp_path / "layout" / NAME).write_text(json.dumps(said))
    for words in (
        ("inspect", "layout"),
        ("inspect", "layout", "-v"),
        ("inspect", "layout", "--json"),
        ("why", "layout", "prog"),
        ("why", "layout", "prog", "--json"),
    ):
        done = cli(*words, check=True)
        assert "[31m" in done.stdout
        assert "\x1b" not in done.stdout + done.stderr
    said["entries"][0]["reasons"] = [{"kind": "k\x1b[31m"}]
    for version, code, words in (("\x1b[31m", 3, "does not read"), (ours, 1, "damaged")):
        said["tool"]["version"] = version
        (tmp_path / "layout" / NAME).write_text(json.dumps(said))
        done = cli("why", "layout", "prog")
        assert done.returncode == code
        assert f"{words}: Invalid enum value" in done.stderr
        assert "\x1b" not in done.stdout + done.stderr


def test_a_tar_of_a_file_system_is_one_layer(cli, tmp_path):
    (found,) = json.loads(inspected(cli, tmp_path, LOWER, "--json"))
    assert (found["names"], found["config"], len(found["layers"])) == ([], {}, 1)
    assert [one["path"] for one in found["entries"]] == [one["path"] for one in members(LOWER)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (layered(LOWER[:700]), "layer 1 is damaged"),
        (b"no image", "no tar archive"),
        (b"\x7fELF and more", "a program, not an image"),
        (layered(LOWER, config=[1]), "c.json: damaged: "),
    ],
    ids=["layer", "text", "program", "config"],
)
def test_what_is_damaged_or_no_image_is_refused(cli, tmp_path, data, words):
    (tmp_path / "x.tar").write_bytes(data)
    done = cli("inspect", "x.tar")
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.startswith("rootfs-builder: x.tar: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_document_is_an_error_of_both_verbs(cli, packed, tmp_path):
    with tarfile.open(packed) as outer:
        outer.extractall(tmp_path / "layout", filter="data")
    (tmp_path / "layout" / NAME).write_text("{")
    for words in (("why", "layout", "libm.so.6"), ("inspect", "layout")):
        done = cli(*words)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert f"layout: {NAME} is damaged" in done.stderr


def test_where_nothing_is_or_no_image(cli, tmp_path):
    done = cli("inspect", "alpine")
    assert (done.returncode, "docker save alpine | rootfs-builder inspect -" in done.stderr) == (
        3,
        True,
    )
    (tmp_path / "empty").mkdir()
    done = cli("inspect", "empty")
    assert (done.returncode, "empty: no image is in it" in done.stderr) == (1, True), done
    done = cli("why", "empty", "x")
    assert (done.returncode, "a directory" in done.stderr) == (1, True), done


@pytest.mark.parametrize("which", [0, 1])
def test_of_several_images_the_one_of_the_document_is_explained(cli, packed, tmp_path, which):
    """As `docker save one two` writes them, with what only we add."""
    with tarfile.open(packed) as outer:
        blobs = {one.name: outer.extractfile(one).read() for one in outer if one.isfile()}
    ours = json.loads(blobs["manifest.json"])[0]
    other = {"Config": "c.json", "Layers": ["l.tar"]}
    both = [other, other]
    both[which] = ours
    blobs |= {"manifest.json": json.dumps(both).encode(), "c.json": b"{}", "l.tar": LOWER}
    del blobs["oci-layout"]
    (tmp_path / "y.tar").write_bytes(tar(*blobs.items()))
    said = cli("why", "y.tar", "libm.so.6", check=True).stdout
    assert said == cli("why", "x.tar", "libm.so.6", check=True).stdout
    found = json.loads(cli("inspect", "y.tar", "--json", check=True).stdout)
    assert ["absent" in one for one in found] == [which != 0, which != 1]


def test_an_index_may_lead_to_images_that_are_not_there(cli, packed, tmp_path):
    """Of an image for many platforms, engines keep and save the one that they run."""
    with tarfile.open(packed) as outer:
        blobs = {one.name: outer.extractfile(one).read() for one in outer if one.isfile()}
    (ours,) = json.loads(blobs["index.json"])["manifests"]
    absent = {**ours, "digest": f"sha256:{'0' * 64}", "size": 1}
    annotations = ours.pop("annotations")  # engines name the index, not each image
    inner = json.dumps({"manifests": [absent, ours]}).encode()
    digest = hashlib.sha256(inner).hexdigest()
    index = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{digest}"}
    index["annotations"] = annotations
    blobs |= {
        "index.json": json.dumps({"manifests": [index]}).encode(),
        f"blobs/sha256/{digest}": inner,
    }
    (tmp_path / "y.tar").write_bytes(tar(*blobs.items()))
    for words in (["--json"], []):
        said = [cli("inspect", name, *words, check=True).stdout for name in ("x.tar", "y.tar")]
        assert said[0] == said[1]
    blobs["index.json"] = json.dumps({"manifests": [absent]}).encode()
    (tmp_path / "y.tar").write_bytes(tar(*blobs.items()))
    done = cli("inspect", "y.tar")
    assert (done.returncode, f"{'0' * 64} is missing" in done.stderr) == (1, True), done
