"""Owners, modes, capabilities, hard links, holes, long paths: what `pack` and `stage` make of them.

The layer is read by Python's tarfile, what is staged by the kernel and by getcap(8).
"""

import gzip
import json
import os
import shutil
import subprocess
import tarfile

import pytest

from rootfs_builder.filesystem import capabilities

MAIN = "int main(void) { return 0; }"
CAPABILITY = f"SCHILY.xattr.{capabilities.ATTRIBUTE}"
MIB = 1 << 20
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root sets owners and capabilities")


@pytest.fixture
def folder(cc, tmp_path):
    """A program, and a tree to add."""
    cc(MAIN, name="prog", args=["-static"])
    (tmp_path / "data/sub").mkdir(parents=True)
    (tmp_path / "data/sub/file").write_text("x")
    (tmp_path / "data/link").symlink_to("sub/file")
    return tmp_path


@pytest.fixture
def members(cli, folder):
    """Pack `prog` with options: path → member of the layer, and what was said on stderr."""

    def pack(*options, program="./prog"):
        done = cli("pack", program, "-o", "x.tar", "--json", *options, check=True)
        digest = json.loads(done.stdout)["layers"][0]["digest"].replace(":", "/")
        with tarfile.open(folder / "x.tar") as archive:
            blob = archive.extractfile(f"blobs/{digest}")
            with gzip.open(blob) as layer, tarfile.open(fileobj=layer) as tar:
                return {f"/{one.name}": one for one in tar}, done.stderr

    return pack


def owner(member):
    return member.uid, member.gid


def capability(member):
    """The text of a member's capabilities."""
    raw = member.pax_headers.get(CAPABILITY)
    return raw and capabilities.text(raw.encode("utf-8", "surrogateescape"))


def give(path, text):
    os.setxattr(path, capabilities.ATTRIBUTE, capabilities.parse(text))


PROG = "/usr/local/bin/prog"


@pytest.mark.parametrize("name", ["./prog", PROG], ids=["as typed", "in the image"])
def test_each_option_names_the_program_either_way(members, name):
    given = ("--owner", f"{name}=7:8", "--mode", f"{name}=4750", "--cap", f"{name}=cap_chown+ep")
    found, said = members(*given)
    assert owner(found[PROG]) == (7, 8)
    assert found[PROG].mode == 0o4750
    assert capability(found[PROG]) == "cap_chown=ep"
    assert "warning" not in said
    assert owner(found["/usr/local/bin"]) == (0, 0)


def test_an_option_follows_the_links_of_the_image(members):
    given = ("--add", "data:/srv", "--mode", "/srv/link=600", "--owner", "/srv/link=5")
    found, _ = members(*given)
    assert found["/srv/sub/file"].mode == 0o600
    assert owner(found["/srv/sub/file"]) == (5, 5)
    assert (found["/srv/link"].mode, *owner(found["/srv/link"])) == (0o777, 0, 0)


def test_an_owner_is_that_of_all_below_and_the_nearest_counts(members):
    given = ("--add", "data:/srv", "--owner", "/srv/sub=0:0", "--owner", "/srv=1000:2000")
    found, _ = members(*given)
    assert owner(found["/srv"]) == owner(found["/srv/link"]) == (1000, 2000)
    assert owner(found["/srv/sub"]) == owner(found["/srv/sub/file"]) == (0, 0)
    assert owner(found[PROG]) == (0, 0)


def test_a_mode_is_that_of_one_path(members):
    found, _ = members("--add", "data:/srv", "--mode", "/srv=700")
    assert [found[path].mode for path in ("/srv", "/srv/sub")] == [0o700, 0o755]


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        ("1000", (1000, 1000)),
        ("1000:5", (1000, 5)),
        ("nonroot", (65532, 65532)),
        ("app", (77, 78)),
        ("app:extra", (77, 79)),
        ("2147483647", (2147483647, 2147483647)),
    ],
)
def test_an_owner_is_digits_or_a_name_of_the_root_that_is_packed(members, folder, user, ids):
    (folder / "root/etc").mkdir(parents=True)
    (folder / "root/etc/passwd").write_text("app:x:77:78::/:/bin/sh\n")
    (folder / "root/etc/group").write_text("app:x:78:\nextra:x:79:\n")
    found, _ = members("--sysroot", "root", "--owner", f"./prog={user}")
    assert owner(found[PROG]) == ids


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--owner", "./prog"], 2, "--owner: './prog' is not PATH=USER[:GROUP]"),
        (["--owner", "./prog=A b"], 2, "--owner: 'A b': a name or digits"),
        (["--owner", "./prog=nosuch"], 3, "--owner /usr/local/bin/prog=nosuch: no user nosuch"),
        (["--owner", "./prog=nosuch"], 3, "--owner /usr/local/bin/prog=UID:GID"),
        (["--mode", "./prog=u+s"], 2, "--mode: 'u+s' is not a mode: write octal digits"),
        (["--mode", "./prog=10755"], 2, "'10755' is not a mode"),
        (
            ["--cap", "./prog=net_admin+ep"],
            2,
            "--cap: 'net_admin' is not a capability; did you mean",
        ),
        (["--cap", "./prog=cap_chown=ep cap_kill+p"], 2, "one effective bit for all"),
        (["--cap", "=cap_chown+ep"], 2, "is not PATH=CAPABILITIES"),
        (["--cap", "/srv=cap_chown+ep", "--add", "data:/srv"], 2, "--cap /srv: a directory"),
        (["--cap", "prog=cap_chown+ep"], 2, "--cap prog: not in the image"),
        (["--owner", "/nope=1", "--mode", "/gone=755"], 2, "/gone: not in the image"),
        (["--owner", "/=1"], 2, "--owner /: the root directory"),
        (["--mode", "./prog=755", "--mode", f"{PROG}=700"], 2, "another --mode leads there too"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_mistake(cli, tmp_path, options, code, words):
    done = cli("pack", "./prog", "-o", "y.tar", *options)
    assert done.returncode == code
    assert words in done.stderr
    assert not (tmp_path / "y.tar").exists()


def test_a_set_user_id_bit_goes_in_by_request_only(members, folder):
    (folder / "prog").chmod(0o6755)
    found, said = members()
    assert found[PROG].mode == 0o755
    assert f"set-group-id bits are dropped; --mode {PROG}=6755 keeps them" in said
    found, said = members("--mode", f"{PROG}=6755")
    assert found[PROG].mode == 0o6755
    assert "dropped" not in said
    _, said = members("--mode", f"{PROG}=755")
    assert "dropped" not in said


@as_root
def test_a_capability_is_kept_and_said_and_can_be_left_out(members, folder):
    give(folder / "prog", "cap_net_raw+ep")
    found, said = members()
    assert capability(found[PROG]) == "cap_net_raw=ep"
    assert f"hint: {PROG} keeps its capabilities, cap_net_raw=ep; --cap {PROG}=none" in said
    assert "--cap-add NET_RAW" in said
    found, said = members("--cap", f"{PROG}=none")
    assert capability(found[PROG]) is None
    assert "capabilities" not in said
    found, said = members("--cap", "./prog=cap_kill=i")
    assert capability(found[PROG]) == "cap_kill=i"
    assert "cap_net_raw" not in said


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("cap_net_bind_service,cap_setuid+ep", ""),
        ("cap_kill,cap_net_raw,cap_bpf+ep", ": --cap-add NET_RAW --cap-add BPF"),
        ("cap_net_raw+p", ""),  # what is not effective stops nothing
    ],
)
def test_what_a_container_does_not_have_of_its_own_accord_is_said(members, text, given):
    _, said = members("--cap", f"./prog={text}")
    assert (f"{PROG} starts only in a container that has " in said) == bool(given)
    assert given in said


@as_root
def test_whose_user_namespace_a_capability_was_for_changes_no_byte(members, folder):
    raw = capabilities.parse("cap_net_raw+ep")
    layers = []
    for attribute in (raw, b"\x01\0\0\x03" + raw[4:] + (1000).to_bytes(4, "little")):
        os.setxattr(folder / "prog", capabilities.ATTRIBUTE, attribute)
        layers.append(members()[0][PROG].pax_headers)
    assert layers[0] == layers[1]


@as_root
def test_other_xattrs_stay_behind(members, folder):
    os.setxattr(folder / "prog", "user.note", b"mine")
    assert members()[0][PROG].pax_headers == {}


def test_a_script_gets_no_privileges_from_the_kernel(members, folder):
    (folder / "script").write_text("#!/usr/bin/env sh\n")
    (folder / "script").chmod(0o755)
    for option in ("--cap", "./script=cap_chown+ep"), ("--mode", "./script=4755"):
        _, said = members(*option, program="./script")
        assert "script: the kernel gives a script neither capabilities nor another user" in said


@pytest.mark.parametrize("rpath", ["$ORIGIN/lib", None])
def test_a_library_that_a_privileged_program_does_not_find(cli, cc, tmp_path, rpath):
    library = cc("int f(void) { return 0; }", name="lib/libf.so", args=["-shared", "-fPIC"])
    soname = ["-Llib", f"-L{library.parent}", "-l:libf.so"]
    flags = [f"-Wl,-rpath,{rpath}"] if rpath else []
    cc("int f(void); int main(void) { return f(); }", name="app", args=[*soname, *flags])
    options = () if rpath else ("-L", "lib")
    done = cli("pack", "./app", "-o", "x.tar", *options, "--mode", "./app=4755", check=True)
    assert ("its loader ignores $ORIGIN and does not find libf.so" in done.stderr) == bool(rpath)
    done = cli("pack", "./app", "-o", "x.tar", *options, check=True)
    assert "ORIGIN" not in done.stderr
    if os.geteuid() == 0:  # the real loader is the oracle
        cli("stage", "./app", "-o", "root", *options, "--mode", "./app=4755", check=True)
        program = "/opt/app/app" if rpath else "/usr/local/bin/app"
        run = subprocess.run(
            [shutil.which("chroot"), "--userspec=65534:65534", tmp_path / "root", program],
            capture_output=True,
            check=False,
            env={},
        )
        assert (run.returncode == 0) == (rpath is None), run.stderr


def test_two_names_of_one_file_are_one_in_the_layer(members, folder):
    (folder / "data/again").hardlink_to(folder / "data/sub/file")
    found, _ = members("--add", "data:/srv", "--cap", "/srv/again=cap_chown+p")
    assert found["/srv/again"].isreg()  # with other capabilities it is another file
    assert found["/srv/sub/file"].isreg()
    found, _ = members("--add", "data:/srv", "--owner", "/srv=5", "--mode", "/srv/again=644")
    assert found["/srv/sub/file"].islnk()
    assert found["/srv/sub/file"].linkname == "srv/again"
    assert owner(found["/srv/sub/file"]) == (5, 5)


def test_a_further_name_repeats_the_capabilities(members, folder):
    (folder / "data/again").hardlink_to(folder / "data/sub/file")
    both = (f"/srv/{name}=cap_chown+p" for name in ("again", "sub/file"))
    given = [word for one in both for word in ("--cap", one)]
    found, _ = members("--add", "data:/srv", *given)
    assert found["/srv/sub/file"].islnk()
    assert capability(found["/srv/sub/file"]) == capability(found["/srv/again"]) == "cap_chown=p"


def test_a_sparse_file_is_whole(members, cli, folder):
    with (folder / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(70 * MIB)
        file.write(b"end")
    assert os.stat(folder / "sparse").st_blocks < MIB
    found, _ = members("--add", "sparse:/sparse")
    member = found["/sparse"]
    assert (member.type, member.size, member.pax_headers) == (tarfile.REGTYPE, 70 * MIB + 3, {})
    assert os.stat(folder / "x.tar").st_size < 2 * MIB
    cli("stage", "./prog", "-o", "root", "--add", "sparse:/sparse", check=True)
    compared = ["cmp", folder / "sparse", folder / "root/sparse"]
    assert subprocess.run(compared, check=False).returncode == 0


def deep(size):
    """A path of so many bytes."""
    parts = ["d" * 99] * ((size - 2) // 100)
    path = "/" + "/".join(parts)
    return f"{path}/{'f' * (size - len(path) - 1)}"


@pytest.mark.parametrize(("size", "warns"), [(3800, False), (3801, True), (4095, True)])
def test_a_long_path(members, size, warns):
    found, said = members("--add", f"data/sub/file:{deep(size)}")
    assert found[deep(size)].size == 1
    assert (f"({size:,} bytes): an engine may be unable" in said) == warns


@pytest.mark.parametrize("path", [deep(4096), "/" + "n" * 256, "/" + "ä" * 128])
@pytest.mark.usefixtures("folder")
def test_a_path_that_no_kernel_takes(cli, tmp_path, path):
    done = cli("pack", "./prog", "-o", "x.tar", "--add", f"data/sub/file:{path}")
    assert done.returncode == 1
    size = len(path.encode())
    assert f"({size:,} bytes): too long: a path may have 4,095 bytes, and a name in it 255" in (
        done.stderr
    )
    assert len(done.stderr) < 400
    assert not (tmp_path / "x.tar").exists()


@as_root
def test_what_is_staged_has_them_too(cli, folder):
    (folder / "data/again").hardlink_to(folder / "data/sub/file")
    given = ("--owner", "./prog=7:8", "--mode", "./prog=4750", "--cap", "./prog=cap_chown+ep")
    cli("stage", "./prog", "-o", "root", "--add", "data:/srv", *given, check=True)
    info = os.stat(folder / f"root{PROG}")
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (7, 8, 0o4750)
    raw = os.getxattr(folder / f"root{PROG}", capabilities.ATTRIBUTE)
    assert raw == capabilities.parse("cap_chown+ep")
    assert os.stat(folder / "root/srv/again").st_nlink == 2
