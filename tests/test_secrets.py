"""Secrets of the build machine get into an image by nobody's accident: exit 5, each of them named.

The machine is made up: a sysroot. What this machine has is looked at once, and never written.
"""

import json
import os
import stat
import tarfile
from functools import partial
from pathlib import Path

import pytest

from tests.test_bad_input import ordinary, snapshot
from tests.timing import of_children

OF_THE_MACHINE = (
    *("passwd", "passwd-", "shadow", "gshadow", "sudoers", "hosts", "resolv.conf", "machine-id"),
    *("nsswitch.conf", "ld.so.preload", "krb5.keytab", "ssh/ssh_host_rsa_key", "ssl/private/a.key"),
)
KEY = """\
-----BEGIN {} KEY-----
MC4CAQAwBQYDK2VwBCIEIHRoaXMgaXMgbm8ga2V5OyBhIHRlc3QgbWFkZSBpdCEh
-----END {} KEY-----
""".replace("{}", "PRIVATE")  # or this file would be one
FILES = 5000


@pytest.fixture
def prog(cc):
    return cc("int main(void) { return 0; }", name="prog", args=["-static"])


@pytest.fixture
def machine(prog, tmp_path):
    for path in OF_THE_MACHINE:
        write(tmp_path / "root/etc" / path, f"this is {path}\n")
    write(tmp_path / "root/etc/group", "root:x:0:\n")
    return prog


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def refused(cli, machine, tmp_path):
    """Pack something into an older x.tar, which must be refused with exit 5 and leave it alone."""
    (tmp_path / "x.tar").write_bytes(b"an older output")

    def run(*args, words, run=cli, **options):
        before = snapshot(tmp_path)
        command = [machine, "--sysroot", "root", *args]
        done = run("pack", *command, "-o", "x.tar", **options)
        assert done.returncode == 5, done
        assert not done.stdout
        assert done.stderr.startswith("rootfs-builder: --add ")
        for word in (*words, "docker run -v", "--allow-sensitive"):
            assert word in done.stderr
        assert snapshot(tmp_path) == before
        return done.stderr

    return run


def named(said):
    """The files that a refusal names."""
    return [line.partition(": ")[0][2:] for line in said.splitlines() if line.startswith("  ")]


def test_a_directory_with_the_machines_files(refused):
    said = refused("--add", "root/etc:/conf", words=["/root/etc: ", "password hashes"])
    assert named(said) == sorted(f"/etc/{path}" for path in OF_THE_MACHINE)


@pytest.mark.parametrize("path", OF_THE_MACHINE)
def test_one_of_them(refused, path):
    assert named(refused("--add", f"root/etc/{path}:/data", words=[])) == [f"/etc/{path}"]


def test_through_symlinks(refused, tmp_path):
    (tmp_path / "one").symlink_to("root/etc/shadow")
    (tmp_path / "two").symlink_to("root/etc/ssl")
    (tmp_path / "root/srv").symlink_to("etc")
    for source, path in [
        ("one", f"{tmp_path}/root/etc/shadow"),
        ("two/private", "/etc/ssl/private/a.key"),
        ("root/srv/passwd", "/etc/passwd"),
    ]:
        assert named(refused("--add", source, words=[f"/{source}: "])) == [path]


def test_all_that_all_options_add_is_named_at_once(refused, tmp_path):
    write(tmp_path / "home/.netrc", "password x")
    write(tmp_path / "home/.ssh/other", "Host x")
    write(tmp_path / "home/project/deep/server.pem", KEY)
    write(tmp_path / "home/project/README", "ssh-keygen writes -----BEGIN PRIVATE KEY-----")
    args = ["--add", "home", "--add", "root/etc/hosts", "--add", "root/etc/group", "--add", "prog"]
    found = named(refused(*args, words=[f"--add {tmp_path}/home: ", "/root/etc/hosts: "]))
    home = [".netrc", ".ssh/other", "project/deep/server.pem"]
    assert found == [*(f"{tmp_path}/home/{path}" for path in home), "/etc/hosts"]


def test_one_that_cannot_be_read_gets_no_advice_to_chmod_it(refused, tmp_path):
    (tmp_path / "root/etc/shadow").chmod(0)
    said = refused("--add", "root/etc", words=["/etc/shadow"], run=ordinary, cwd=tmp_path)
    assert "chmod" not in said


@pytest.mark.parametrize("verb", ["stage", "tree", "why"])
def test_the_other_verbs_refuse_too(cli, machine, tmp_path, verb):
    rest = {"stage": ["-o", "out"], "tree": [], "why": ["/usr/local/bin/prog"]}[verb]
    command = [verb, machine, *rest, "--sysroot", "root", "--add", "root/etc/shadow"]
    done = cli(*command)
    assert done.returncode == 5
    assert named(done.stderr) == ["/etc/shadow"]
    assert not (tmp_path / "out").exists()
    assert cli(*command, "--allow-sensitive").returncode == 0


def test_what_is_allowed_is_packed(cli, machine, tmp_path):
    write(tmp_path / "home/.ssh/id_rsa", KEY)
    args = [
        "--sysroot",
        "root",
        "--add",
        "root/etc:/etc",
        "--add",
        "home:/root",
        "--allow-sensitive",
        "--layers",
        "single",
    ]
    cli("pack", machine, "-o", "x.tar", *args, check=True)
    assert {f"etc/{path}" for path in OF_THE_MACHINE} | {"root/.ssh/id_rsa"} <= members(tmp_path)


def members(directory):
    """The names in the layers of x.tar."""
    names = set()
    with tarfile.open(directory / "x.tar") as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as tar:
                names |= set(tar.getnames())
    return names


def test_the_users_own_files_may_go_to_such_paths(cli, machine, tmp_path):
    write(tmp_path / "conf/passwd", "app:x:1000:1000::/:/sbin/nologin\n")
    write(tmp_path / "conf/hosts", "127.0.0.1 localhost\n")
    write(tmp_path / "conf/app.npmrc", "registry=https://example/\n")
    (tmp_path / "conf/shadow").symlink_to("/etc/shadow")
    args = ["--add", "conf/passwd:/etc/passwd", "--add", "conf:/etc", "--sysroot", "root"]
    cli("pack", machine, "-o", "x.tar", *args, check=True)
    assert {"etc/passwd", "etc/hosts", "etc/shadow"} <= members(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into all of /etc")
def test_this_machines_own_etc(cli, prog):
    done = cli("stage", prog, "-o", "out", "--add", "/etc")
    assert done.returncode == 5
    there = [f"/etc/{path}" for path in OF_THE_MACHINE if regular(f"/etc/{path}")]
    assert "/etc/passwd" in there
    assert set(there) <= set(named(done.stderr))
    for path in there:
        assert named(cli("stage", prog, "-o", "out", "--add", path).stderr) == [path]


def regular(path):
    return os.path.lexists(path) and stat.S_ISREG(os.lstat(path).st_mode)


def test_no_rule_brings_one(cli, tmp_path):
    """Programs that read them, with all that they need: no file of the image has their content."""
    there = [Path("/etc", path) for path in OF_THE_MACHINE if regular(f"/etc/{path}")]
    secrets = {one.read_bytes() for one in there if os.access(one, os.R_OK)} - {b""}
    assert secrets
    cli("stage", "/usr/bin/id", "/bin/sh", "/usr/bin/getent", "-o", "out", check=True)
    files = [one for one in (tmp_path / "out").rglob("*") if regular(one)]
    assert len(files) > 4
    assert not [one for one in files if one.read_bytes() in secrets]


@pytest.mark.long
def test_many_files_take_no_time_to_check(cli, prog, tmp_path):
    for number in range(FILES):
        write(tmp_path / f"data/{number % 50}/{number}", f"{number}\n" * 500)
    plain = ["tree", prog, "--add", "data"]
    took = []
    for args in plain, [*plain, "--allow-sensitive"]:
        cli(*args, check=True)
        took.append(min(of_children(partial(cli, *args, check=True)) for _ in range(2)))
    assert took[0] < 2 * took[1]


def test_these_tests_are_no_secrets(cli, prog):
    cli("tree", prog, "--add", Path(__file__).parent, check=True)


def allowed(said):
    """The options that a refusal offers."""
    return [word for word in said.split() if word.startswith("--allow-sensitive")]


def test_one_secret_is_allowed_by_its_path_and_no_other(cli, refused, machine, tmp_path):
    write(tmp_path / "home/a.pem", KEY)
    write(tmp_path / "home/deep/b.pem", KEY)
    arguments = ["--add", "home"]
    both = allowed(refused(*arguments, words=[]))
    assert both == [f"--allow-sensitive={tmp_path}/home/{one}" for one in ("a.pem", "deep/b.pem")]
    (rest,) = allowed(refused(*arguments, "--allow-sensitive=home/a.pem", words=["it"]))
    assert rest == both[1]
    for flags in (both, ["--allow-sensitive=./home/"], ["--allow-sensitive"]):
        cli("tree", machine, "--sysroot", "root", *arguments, *flags, check=True)
    # without = the next word is the program, as ever
    cli("tree", "--allow-sensitive", machine, "--sysroot", "root", *arguments, check=True)


def test_a_secret_is_allowed_by_its_place_in_the_image_too(cli, refused, machine, tmp_path):
    write(tmp_path / "home/a.pem", KEY)
    added = ["--add", "home:/srv/keys"]
    for place in ("/srv/keys/a.pem", "/srv/keys"):
        cli("tree", machine, "--sysroot", "root", *added, f"--allow-sensitive={place}", check=True)
    refused(*added, "--allow-sensitive=/srv/key", words=["a.pem"])
    own = tmp_path / "own"  # exists here, so it is not the directory of that name in the image
    own.mkdir()
    refused("--add", f"home:{own}", f"--allow-sensitive={own}", words=["a.pem"])


def test_what_a_refusal_offers_allows_what_it_refused(cli, refused, machine):
    for added in ("root/etc/shadow", "root/etc/ssl"):
        flags = allowed(refused("--add", added, words=[]))
        assert len(flags) == 1
        cli("tree", machine, "--sysroot", "root", "--add", added, *flags, check=True)


def test_a_path_that_is_allowed_must_have_a_name(cli, machine):
    done = cli("tree", machine, "--allow-sensitive=")
    assert done.returncode == 2
    assert "the path after = is empty" in done.stderr


RULE = """\
[keys]
because = "it reads them"
source = "a test"
when = { sonames = ["none"] }
copy = ["/etc/app"]
"""


def test_what_a_warning_offers_includes_the_file_of_the_sysroot(cli, machine, tmp_path):
    write(tmp_path / "root/etc/app/key.pem", KEY)
    write(tmp_path / "rules.toml", RULE)
    words = ["stage", machine, "--sysroot", "root", "--rules", "rules.toml", "--with", "keys"]
    said = cli(*words, "-o", "without", check=True).stderr
    assert not (tmp_path / "without/etc/app/key.pem").exists()
    flags = said.partition("to include it: ")[2].splitlines()[0].split()
    assert flags[0].startswith("--allow-sensitive=")
    cli(*words, *flags, "-o", "with", check=True)
    assert (tmp_path / "with/etc/app/key.pem").read_text() == KEY
