"""`pack --layers`: what is where, and what stays the same when something else changes."""

import json
import tarfile

import pytest

from tests.package_roots import Package, install, stage

SAY = '#include <stdio.h>\nint main(void) { return puts("%s") < 0; }'
GREET = "int greet(void) { return 0; }"
LOADER = "ld-linux-x86-64.so.2"
LIBC = Package(
    "libc6",
    "2.41-12",
    (f"/lib64/{LOADER}", f"/lib/x86_64-linux-gnu/{LOADER}", "/lib/libc.so.6"),
    "glibc",
)
GREETING = Package("libgreet", "1:1.0-1", ("/usr/lib/libgreet.so",))
SYSTEM = Package("system", "3", ("/usr/bin/system",))


@pytest.fixture
def root(tmp_path, cc):
    """A root of a libc, a library and a program that needs both, /usr/bin/system."""
    top = tmp_path / "root"
    stage(cc(SAY % "x"), top)
    libc = next(top.rglob("libc.so.6"))
    libc.rename(top / "usr/lib/libc.so.6")
    (top / "usr/local/bin/hello").unlink()
    flags = ("-shared", "-fPIC", "-Wl,-soname,libgreet.so")
    library = cc(GREET, name="libgreet.so", where=top / "usr/lib", args=flags)
    program = "int greet(void); int main(void) { return greet(); }"
    cc(program, name="system", where=top / "usr/bin", args=(library,))
    install(top, LIBC, GREETING, SYSTEM)
    return top


@pytest.fixture
def pack(cli):
    def run(program, root, *options):
        done = cli("pack", program, "--sysroot", root, *options, "-o", "x.tar", "--json", "-q")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return run


def contents(packed):
    return [layer["content"] for layer in packed["layers"]]


def digests(packed):
    return [layer["digest"] for layer in packed["layers"]]


def names(folder):
    """The members of each layer of x.tar, directories left out."""
    found = []
    with tarfile.open(folder / "x.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
        for layer in manifest[0]["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as tar:
                found.append({one.name for one in tar if not one.isdir()})
    return found


def test_the_program_lies_on_the_system(pack, root, cc, tmp_path):
    packed = pack(cc(SAY % "x"), root)
    assert contents(packed) == ["libc6 2.41-12 amd64", "own files: /usr/local/bin/hello"]
    lower, upper = names(tmp_path)
    assert {"lib64", "usr/lib/libc.so.6", f"usr/lib/x86_64-linux-gnu/{LOADER}"} <= lower
    assert upper == {"usr/local/bin/hello"}


def test_another_build_of_the_program_leaves_the_other_layers(pack, root, cc):
    for layers in ("auto", "package"):
        before = pack(cc(SAY % "one"), root, "--layers", layers)
        after = pack(cc(SAY % "two"), root, "--layers", layers)
        assert digests(before)[:-1] == digests(after)[:-1] != []
        assert digests(before)[-1] != digests(after)[-1]


def test_a_program_of_the_system_is_one_layer(pack, root):
    assert len(pack(root / "usr/bin/system", root)["layers"]) == 1


def test_each_package_is_a_layer(pack, root):
    packed = pack(root / "usr/bin/system", root, "--layers", "package")
    assert contents(packed)[:4] == [
        f"libc6 2.41-12 amd64: /usr/lib/x86_64-linux-gnu/{LOADER}",
        "libc6 2.41-12 amd64: /usr/lib/libc.so.6",
        "libgreet 1:1.0-1 amd64: /usr/lib/libgreet.so",
        "system 3 amd64: /usr/bin/system",
    ]


def test_images_share_the_layers_of_equal_files(pack, root, cc):
    """Here libc6; the one has a generated file, and the other packages."""
    program = pack(cc(SAY % "x"), root, "--layers", "package", "-u", "nonroot")
    system = pack(root / "usr/bin/system", root, "--layers", "package")
    assert digests(program)[:2] == digests(system)[:2]
    assert not {*digests(program)[2:]} & {*digests(system)[2:]}


def test_a_version_changes_the_history_and_no_layer(pack, root):
    def packed():
        return pack(root / "usr/bin/system", root, "--layers", "package")

    before = packed()
    install(root, LIBC, Package("libgreet", "1:1.1-1", GREETING.files), SYSTEM)
    after = packed()
    assert "libgreet 1:1.1-1" in str(contents(after))
    assert digests(before) == digests(after)
    assert before["digest"] != after["digest"]


def test_what_else_is_installed_does_not_matter(pack, root):
    def packed(layers):
        return pack(root / "usr/bin/system", root, "--layers", layers)["digest"]

    ways = ("auto", "package", "package:3")
    before = [packed(way) for way in ways]
    others = (Package(f"other{number}", "1", (f"/usr/lib/{number}.so",)) for number in range(100))
    install(root, *others, LIBC, GREETING, SYSTEM)
    assert [packed(way) for way in ways] == before


def test_a_library_that_no_package_brought_lies_on_top(pack, root, tmp_path):
    install(root, LIBC, SYSTEM)
    (root / "var/lib/dpkg/info/libgreet.list").unlink()
    packed = pack(root / "usr/bin/system", root)
    assert contents(packed)[1] == "own files: /usr/lib/libgreet.so"
    assert names(tmp_path)[1] == {"usr/lib/libgreet.so"}


def test_single_asks_no_database(pack, root, cc):
    (root / "var/lib/dpkg/status").write_bytes(b"\xff" * 100)
    before = pack(cc(SAY % "x"), root, "--layers", "single")
    assert contents(before) == ["own files, files of the system"]
    install(root, LIBC)
    assert pack(cc(SAY % "x"), root, "--layers", "single")["digest"] == before["digest"]


@pytest.mark.parametrize(("layers", "most"), [("package:1", 1), ("package:2", 2), ("package:3", 3)])
def test_the_budget_is_kept(pack, root, cc, layers, most):
    packed = pack(cc(SAY % "x"), root, "--layers", layers, "--include-lib", "libgreet.so")
    assert len(packed["layers"]) == most


@pytest.mark.parametrize("layers", ["", "package:", "package:0", "package:121", "auto:2", "two"])
def test_what_is_no_way_to_split_is_refused(cli, root, layers):
    done = cli("pack", root / "usr/bin/system", "--layers", layers, "-o", "x.tar")
    assert done.returncode == 2
    assert f"--layers: {layers!r} is none of: auto, single, package" in done.stderr


def test_equal_files_are_links_in_a_layer_and_two_files_in_a_directory(cc, cli, tmp_path):
    """Each name answers as before; what people may edit keeps its own inode."""
    (tmp_path / "data").mkdir()
    for name in ("a", "b"):
        (tmp_path / "data" / name).write_bytes(b"x" * 100_000)
    words = (cc(SAY % "x", args=["-static"]), "--add", "data:/usr/share/data")
    cli("stage", *words, "-o", "staged", check=True)
    packed = cli("pack", *words, "-o", "x.tar", "--json", "-q", check=True)
    with tarfile.open(tmp_path / "x.tar") as archive:
        layer = next(one for one in archive if one.name.startswith("blobs/") and one.size > 8192)
        with tarfile.open(fileobj=archive.extractfile(layer)) as tar:
            found = {one.name: one.linkname for one in tar if "/data/" in one.name}
    assert found == {"usr/share/data/a": "", "usr/share/data/b": "usr/share/data/a"}
    staged = [tmp_path / "staged/usr/share/data" / name for name in ("a", "b")]
    assert [one.stat().st_nlink for one in staged] == [1, 1]
    limit = json.loads(packed.stdout)["bytes"]
    files = [one for one in (tmp_path / "staged").rglob("*") if one.is_file()]
    assert sum(one.stat().st_size for one in files) == limit + 100_000
    cli("pack", *words, "-o", "y.tar", "--max-size", str(limit), check=True)
    cli("verify", "x.tar", check=True)
