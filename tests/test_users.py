"""`--user` by name: digits in the image, by the accounts of the root that is packed."""

import json
import tarfile

import pytest

ACCOUNTS = "root:x:0:0::/root:/bin/sh\npostgres:x:105:109::/var/lib/postgresql:/bin/sh\n"
ASKS = "#include <pwd.h>\nint main(void) { return getpwuid(0) == 0; }"


@pytest.fixture
def root(cc, tmp_path):
    cc("int main(void) { return 0; }", name="prog", args=["-static"])
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text(ACCOUNTS)
    (tmp_path / "root/etc/group").write_text("root:x:0:\nssl-cert:x:108:\n")
    (tmp_path / "bare").mkdir()
    return tmp_path


def user(cli, directory, *args):
    """What the config of the image says."""
    done = cli("pack", "prog", "-o", "x.tar", "--json", *args, check=True)
    name = json.loads(done.stdout)["config"].replace(":", "/")
    with tarfile.open(directory / "x.tar") as archive:
        return json.load(archive.extractfile(f"blobs/{name}"))["config"].get("User")


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("postgres", "105:109"),
        ("postgres:ssl-cert", "105:108"),
        ("1000", "1000"),
        ("1000:1000", "1000:1000"),
        ("1000:ssl-cert", "1000:108"),
        ("nonroot", "65532:65532"),
        ("root", "0:0"),
        ("nobody", "65534:65534"),
    ],
)
def test_a_name_is_digits_in_the_image(cli, root, text, digits):
    assert user(cli, root, "--sysroot", "root", "--user", text) == digits


def test_a_home_that_is_no_utf8_keeps_its_bytes(cli, cc, root):
    """The program is a dynamic one: its image gets an /etc/passwd."""
    line = b"me:x:1000:1000::/home/\xe9\xff:/bin/sh\n"
    cc(ASKS, name="asks")
    cli("stage", "asks", "-o", "root2", check=True)
    accounts = root / "root2/etc/passwd"
    accounts.parent.mkdir(exist_ok=True)
    accounts.write_bytes(line)
    program = "root2/usr/local/bin/asks"
    words = ("--sysroot", "root2", "-u", "me", "--compression", "none")
    cli("pack", program, *words, "-o", "x.tar", check=True)
    found = (root / "x.tar").read_bytes()
    assert b"me:x:1000:1000::/home/\xe9\xff:/sbin/nologin\n" in found


def test_without_a_user_the_image_names_none(cli, root):
    assert user(cli, root) is None


def test_a_name_of_this_machine(cli, root):
    assert user(cli, root, "-u", "daemon:daemon") == "1:1"


@pytest.mark.parametrize("text", ["nonroot", "root", "1000:1000", "nobody:nogroup"])
def test_a_root_without_accounts_needs_none_for_these(cli, root, text):
    assert user(cli, root, "--sysroot", "bare", "--user", text)


@pytest.mark.parametrize(
    ("sysroot", "text", "words"),
    [
        ("root", "postgre", ["no user postgre in /etc/passwd", "did you mean postgres?"]),
        ("root", "1:ssl", ["no group ssl in /etc/group", "digits always work"]),
        ("bare", "postgres", ["has no /etc/passwd", "digits always work"]),
        ("bare", "1:postgres", ["has no /etc/group", "digits always work"]),
    ],
)
def test_an_unknown_name_stops_it(cli, root, sysroot, text, words):
    (root / "x.tar").write_bytes(b"an older output")
    done = cli("pack", "prog", "-o", "x.tar", "--sysroot", sysroot, "--user", text)
    assert done.returncode == 3
    assert done.stderr.startswith(f"rootfs-builder: --user {text}: ")
    for word in words:
        assert word in done.stderr
    assert (root / "x.tar").read_bytes() == b"an older output"
