"""Which files are secrets: the machine's by path and inode, credentials by name, keys by content.

The keys are made by openssl, ssh-keygen and gpg; what must not be taken for one is this machine's.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from rootfs_builder.errors import ChangedError, PolicyError
from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import DirectoryRoot, tree
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.needs import secrets as sensitive
from tests import package_roots
from tests.faults.secrets import of_github

OF_THE_MACHINE = [
    "/etc/passwd",
    "/etc/passwd-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/sudoers.d/admins",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/ld.so.preload",
    "/etc/machine-id",
    "/etc/krb5.keytab",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssl/private/a/b.key",
    "/var/lib/dbus/machine-id",
]
HARMLESS = [
    "/etc/group",
    "/etc/passwd.d",
    "/etc/hosts.allow",
    "/etc/ssh/sshd_config",
    "/etc/ssh/ssh_host_rsa_key.pub",
    "/etc/ssl/certs/ca.pem",
    "/etc/ssl/openssl.cnf",
    "/usr/share/hosts",
]
ANYWHERE = [
    "/home/me/.ssh/id_ed25519",
    "/srv/app/.ssh/deep/er",
    "/home/me/.gnupg/pubring.kbx",
    "/home/me/.netrc",
    "/home/me/_netrc",
    "/home/me/.pgpass",
    "/home/me/.git-credentials",
    "/home/me/.pypirc",
    "/home/me/.aws/credentials",
    "/home/me/.docker/config.json",
    "/home/me/.kube/config",
    "/home/me/.config/gcloud/credentials.db",
]
NOT_ANYWHERE = [
    "/home/me/.ssh/config",
    "/home/me/.ssh/known_hosts",
    "/home/me/.ssh/known_hosts.old",
    "/home/me/.ssh/authorized_keys",
    "/home/me/.ssh/id_ed25519.pub",
    "/home/me/ssh/config",
    "/home/me/x.ssh/config",
    "/home/me/.ssh2",
    "/home/me/.netrc.example",
    "/home/me/my.netrc",
    "/home/me/.aws/config",
    "/home/me/.docker/plugins",
    "/home/me/credentials",
    "/home/me/config.json",
]


def fill(directory, paths):
    for path in paths:
        (directory / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (directory / path[1:]).write_text(f"this is {path}\n")
    return directory


def sources(machine, sysroot=None):
    inside = None if sysroot is None else DirectoryRoot(str(machine / sysroot[1:]))
    return Sources(DirectoryRoot(str(machine)), inside, sysroot or "/")


def secrets(where, path="/"):
    """The secrets below a path, as `--add` would resolve it."""
    real = Walker(where).walk(where.locate(path)).real
    return {Sources.display(one.path) for one in sensitive.Secrets(where).among(tree(where, real))}


def is_secret(tmp_path, content, name="file"):
    (tmp_path / name).write_bytes(content)
    return bool(secrets(sources(tmp_path), f"/{name}"))


def test_the_machines_own_files(tmp_path):
    fill(tmp_path, OF_THE_MACHINE + HARMLESS)
    assert secrets(sources(tmp_path)) == set(OF_THE_MACHINE)


def test_what_tools_keep_credentials_in(tmp_path):
    fill(tmp_path, ANYWHERE + NOT_ANYWHERE)
    assert secrets(sources(tmp_path)) == set(ANYWHERE)


@pytest.mark.parametrize("path", ANYWHERE)
def test_a_file_alone_is_known_by_where_it_lies(tmp_path, path):
    fill(tmp_path, [path])
    assert secrets(sources(tmp_path), path) == {path}


def test_each_comes_in_the_trees_order_and_once(tmp_path):
    fill(tmp_path, OF_THE_MACHINE + ANYWHERE)
    (tmp_path / "home/me/.ssh/shadow").hardlink_to(tmp_path / "etc/shadow")
    where = sources(tmp_path)
    nodes = tuple(tree(where))
    found = [one.path for one in sensitive.Secrets(where).among(nodes)]
    assert found == [path for path, _ in nodes if path in found]
    assert len(found) == len(set(found))


def test_the_sysroots_files_and_the_machines(tmp_path):
    fill(tmp_path, OF_THE_MACHINE)
    fill(tmp_path / "root", OF_THE_MACHINE)
    both = sources(tmp_path, "/root")
    assert secrets(both, "/root/etc") == {p for p in OF_THE_MACHINE if p.startswith("/etc")}
    assert secrets(both, "/etc/shadow") == {"/etc/shadow"}
    (tmp_path / "link").symlink_to("/root/etc/shadow")
    assert secrets(both, "/link") == {"/root/etc/shadow"}


def test_another_roots_files_are_the_users_own(tmp_path):
    fill(tmp_path, OF_THE_MACHINE)
    fill(tmp_path / "root", OF_THE_MACHINE)
    assert secrets(sources(tmp_path), "/root") == set()


def test_a_file_that_only_goes_to_such_a_path_is_none(tmp_path):
    fill(tmp_path, ["/etc/passwd", "/home/me/conf/passwd", "/home/me/conf/etc/shadow"])
    assert secrets(sources(tmp_path), "/home/me/conf") == set()


def test_an_added_symlink_is_followed(tmp_path):
    fill(tmp_path, OF_THE_MACHINE)
    fill(tmp_path, ["/home/me/.ssh/other"])
    for name, target in [("a", "etc/passwd"), ("b", "/etc"), ("c", "b"), ("d", "/home/me/.ssh")]:
        (tmp_path / name).symlink_to(target)
    where = sources(tmp_path)
    assert secrets(where, "/a") == {"/etc/passwd"}
    assert secrets(where, "/b") == secrets(where, "/c") == secrets(where, "/etc")
    assert secrets(where, "/b/shadow") == {"/etc/shadow"}
    assert secrets(where, "/d/other") == {"/home/me/.ssh/other"}


def test_a_symlink_in_an_added_tree_is_kept_and_gives_nothing_away(tmp_path):
    fill(tmp_path, OF_THE_MACHINE)
    (tmp_path / "tree").mkdir()
    for name, target in [("a", "/etc/passwd"), ("b", "../etc"), (".ssh", "/etc"), ("c", "nowhere")]:
        (tmp_path / "tree" / name).symlink_to(target)
    assert secrets(sources(tmp_path), "/tree") == set()


def test_a_hard_link_is_the_file(tmp_path):
    fill(tmp_path, OF_THE_MACHINE)
    (tmp_path / "escape_control").hardlink_to(tmp_path / "etc/shadow")
    (tmp_path / "key").hardlink_to(tmp_path / "etc/ssl/private/a/b.key")
    assert {"/escape_control", "/key"} < secrets(sources(tmp_path))


def test_where_the_machines_file_really_is(tmp_path):
    fill(tmp_path, ["/run/resolve/stub.conf", "/run/resolve/other.conf", "/data/private/x.key"])
    (tmp_path / "etc/ssl").mkdir(parents=True)
    (tmp_path / "etc/resolv.conf").symlink_to("../run/resolve/stub.conf")
    (tmp_path / "etc/ssl/private").symlink_to("/data/private")
    found = {"/run/resolve/stub.conf", "/data/private/x.key"}
    assert secrets(sources(tmp_path)) == found


@pytest.mark.skipif(os.geteuid() != 0, reason="mount(2) is for root")
def test_a_bind_mount_is_the_file(tmp_path):
    fill(tmp_path, [*OF_THE_MACHINE, "/one", "/all/x"])
    code = "from tests.unit.needs.test_secrets import *; print(secrets(sources(Path('.'))))"
    binds = "mount --bind etc/shadow one && mount --bind etc all"  # they end with the namespace
    script = [f'{binds} && exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", *script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    if "not permitted" in done.stderr or "denied" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert "'/one'" in done.stdout
    assert "'/all/passwd'" in done.stdout


def test_an_empty_file_shares_its_inode_with_no_secret(tmp_path):
    """Tools that save space link all equal files, so all empty ones, to each other."""
    fill(tmp_path, ["/usr/share/x"])
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.preload").touch()
    (tmp_path / "usr/share/empty").hardlink_to(tmp_path / "etc/ld.so.preload")
    assert secrets(sources(tmp_path)) == {"/etc/ld.so.preload"}


def made(command, cwd):
    """Run a tool of the machine, where it has it."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True).stdout


KEYS = {
    "RSA": "openssl genrsa -traditional -out k 1024",
    "PKCS#8": "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out k",
    "EC": "openssl ecparam -genkey -name prime256v1 -out k",
    "Ed25519": "openssl genpkey -algorithm ED25519 -out k",
    "encrypted PKCS#8": "openssl genpkey -algorithm ED25519 -aes256 -pass pass:abcd -out k",
    "encrypted RSA": "openssl genrsa -traditional -aes256 -passout pass:abcd -out k 1024",
    "with text": "openssl genpkey -algorithm ED25519 -text -out k",
    "OpenSSH": "ssh-keygen -q -t ed25519 -N  -f k",
    "encrypted OpenSSH": "ssh-keygen -q -t ed25519 -N abcdef -f k",
    "SSH PEM": "ssh-keygen -q -t rsa -m PEM -N  -f k",
}


@pytest.fixture(params=KEYS)
def key(request, tmp_path):
    where = tmp_path / "made"
    where.mkdir()
    made(KEYS[request.param].split(" "), where)
    data = (where / "k").read_bytes()
    assert b"PRIVATE KEY-----\n" in data
    return data


def test_a_private_key_is_known_by_what_is_in_it(tmp_path, key):
    marker = key.index(b"-----BEGIN")
    indented = b"key: |\n" + b"".join(b"    " + line + b"\n" for line in key.splitlines())
    for data in (
        key,
        key.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + key[marker:],
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" + key,
        b"\0\xff some other bytes\n" + key + b"\0",
        indented,
        key + b"#" * ((1 << 20) - len(key)),
        b" * " + b"\n * ".join(key[marker:].splitlines()),
        b'"' + b'\\n"\n"'.join(key[marker:].splitlines()) + b'\\n"',
        b"#\n" * (1 << 20) + key,
        b"\x7fELF" + b"\0" * 60 + b"\n" + key,
        (b"\xff\xfe" + key.decode().encode("utf-16-le")),
    ):
        assert is_secret(tmp_path, data), data[:200]


def test_what_holds_no_whole_key_is_none(tmp_path, key):
    marker = key.index(b"-----BEGIN PRIVATE") if b"-----BEGIN PRIVATE" in key else 0
    lines = [line for line in key[marker:].splitlines() if b": " not in line]
    first = next(i for i, line in enumerate(lines) if line.startswith(b"-----BEGIN"))
    for data in (
        lines[first] + b"\n...\n" + lines[-1],
        lines[first] + b"\n" + lines[-1],
        lines[first],
        lines[first] + b"\n" + lines[first + 1][:40] + b"\n...\n" + lines[-1],
        b"grep -- '" + lines[first] + b"'\n" + b"every line of a file that has a key in it\n" * 40,
    ):
        assert not is_secret(tmp_path, data), data[:200]


@pytest.mark.parametrize(
    "name",
    [
        *("a/README.md", "a/types.d.ts", "a/b/types.d.mts", "a/use.rst"),
        *("a/test/snakeoil.key", "a/tests/tls/server.pem", "@a/b/test/fixtures/ec.priv"),
    ],
)
def test_examples_in_the_documentation_and_tests_of_packages_are_none(tmp_path, key, name):
    """As those of @octokit/openapi-types and agent-base; in the user's own files are secrets."""
    path = tmp_path / "app/node_modules" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(key)
    assert secrets(sources(tmp_path), f"/{path.relative_to(tmp_path)}") == set()
    assert is_secret(tmp_path, key, path.name)


def test_what_an_archive_of_npm_has_brought_is_none(tmp_path, key):
    """As the keys of node-ipc; one beside the packages, or in one that is the user's, stays."""
    packages = {"node_modules/@a/ipc": {"integrity": "sha512-"}, "node_modules/own": {"link": True}}
    packages["node_modules/@a/ipc/node_modules/deep"] = {"integrity": "sha512-"}
    modules = tmp_path / "app/node_modules"
    modules.mkdir(parents=True)
    (modules / ".package-lock.json").write_text(json.dumps({"packages": packages}))
    found = {"@a/ipc/certs/server.key", "@a/ipc/node_modules/deep/k", "own/k", "@a/k", ".cache/k"}
    for one in found:
        (modules / one).parent.mkdir(parents=True, exist_ok=True)
        (modules / one).write_bytes(key)
    assert secrets(sources(tmp_path), "/app") == {
        f"/app/node_modules/{one}" for one in ("own/k", "@a/k", ".cache/k")
    }


NPM, WHEEL = "node_modules/.package-lock.json", "site-packages/a-1.dist-info/RECORD"
DAMAGED = [
    *((NPM, one) for one in ("", "{", "[]", '{"packages": []}', "[" * 200_000)),
    (NPM, '{"packages": {"node_modules/a": 1}}'),
    *((WHEEL, one) for one in ("", "a/k", 'a/k,"', "\0", f'a/k,"{"x" * 200_000}"')),
]


@pytest.mark.parametrize(("place", "text"), DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_list_of_files_excuses_nothing(tmp_path, key, place, text):
    listed = tmp_path / place
    own = tmp_path / place.partition("/")[0] / "a/k"
    for one in (listed, own):
        one.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text(text)
    own.write_bytes(key)
    path = f"/{own.relative_to(tmp_path)}"
    assert secrets(sources(tmp_path), path) == {path}


def test_what_a_wheel_has_brought_is_none(tmp_path, key):
    """As its digest in RECORD says."""
    site = tmp_path / "venv/lib/python3/site-packages"
    (site / "tls-1.dist-info").mkdir(parents=True)
    digest = base64.urlsafe_b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
    names = ("tls/certs/a.key", "tls/certs/changed.key", "tls/certs/other.key")
    code = ("tls/self.py", "tls/own.py", "tls/__pycache__/self.cpython-313.pyc")
    for one in (*names, *code, "tls/__pycache__/own.cpython-313.pyc"):
        (site / one).parent.mkdir(parents=True, exist_ok=True)
        (site / one).write_bytes(key if one in (names[0], *code) else key + b"\n")
    record = "".join(f"{one},sha256={digest},{len(key)}\n" for one in (*names[:2], code[0]))
    (site / "tls-1.dist-info/RECORD").write_text(record)
    own = (*names[1:], "tls/own.py", "tls/__pycache__/own.cpython-313.pyc")
    left = {f"/{(site / one).relative_to(tmp_path)}" for one in own}
    assert secrets(sources(tmp_path), "/venv") == left


def test_a_word_with_the_form_of_a_token_of_github_is_none(tmp_path):
    """As in READMEs; in a token the end is a checksum."""
    token = of_github("p")
    assert is_secret(tmp_path, token.encode())
    assert not is_secret(tmp_path, f"{token[:-1]}{'0' if token[-1] != '0' else '1'}".encode())


def test_a_key_in_json_as_a_cloud_gives_it_to_a_service_account(tmp_path):
    made(KEYS["PKCS#8"].split(), tmp_path)
    escaped = (tmp_path / "k").read_bytes().replace(b"\n", b"\\n")
    assert is_secret(tmp_path, b'{"type": "service_account", "private_key": "' + escaped + b'"}')
    assert not is_secret(tmp_path, b'{"a": "-----BEGIN PRIVATE KEY-----\\nEXAMPLE\\n"}')


def test_a_pgp_private_key(tmp_path):
    home = tmp_path / "g"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", home, "--batch", "--passphrase", "", "--armor"]
    made([*gpg, "--quick-gen-key", "me", "ed25519"], tmp_path)
    data = made([*gpg, "--export-secret-keys"], tmp_path)
    public = made([*gpg, "--export"], tmp_path)
    made(["gpgconf", "--homedir", home, "--kill", "all"], tmp_path)
    assert is_secret(tmp_path, data)
    begin, _, rest = data.partition(b"\n")
    assert is_secret(tmp_path, begin + b"\nVersion: GnuPG v1.4.11\nComment: a: b\n" + rest)
    assert b"PUBLIC KEY BLOCK" in public
    assert not is_secret(tmp_path, public)


def test_public_halves_are_none(tmp_path):
    made(KEYS["EC"].split(), tmp_path)
    made(["openssl", "ec", "-in", "k", "-pubout", "-out", "public"], tmp_path)
    request = ["openssl", "req", "-x509", "-key", "k", "-subj", "/CN=a", "-out", "certificate"]
    made(request, tmp_path)
    assert (tmp_path / "certificate").stat().st_size
    assert secrets(sources(tmp_path)) == {"/k"}


def test_a_key_that_a_package_has_brought_is_none_until_it_is_changed(tmp_path, key):
    paths = ["/usr/share/tool/key", "/usr/share/tool/other", "/etc/tool.key"]
    root = tmp_path / "root"
    root.mkdir()
    package_roots.install(root, package_roots.Package("tool", "1", tuple(paths)))
    digest = hashlib.md5(key, usedforsecurity=False).hexdigest()
    sums = "".join(f"{digest}  {path[1:]}\n" for path in paths)
    (root / "var/lib/dpkg/info/tool.md5sums").write_text(sums)
    fill(root, paths)
    for path in paths:
        (root / path[1:]).write_bytes(key)
    (root / "usr/share/tool/other").write_bytes(key + b"\n")
    assert secrets(sources(root)) == {"/usr/share/tool/other", "/etc/tool.key"}
    for path, closed, opened in (("key", 0o600, 0o644), (".", 0o700, 0o755)):
        (root / "usr/share/tool" / path).chmod(closed)  # it was not meant for all
        assert "/usr/share/tool/key" in secrets(sources(root))
        (root / "usr/share/tool" / path).chmod(opened)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("//registry.npmjs.org/:_authToken=npm_abc\n", True),
        ("registry=https://x/\n_auth = YWJj\n", True),
        ("//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n", False),
        ("# _authToken=abc\nregistry=https://x/\n_password=\n", False),
        ("save-exact=true\n", False),
    ],
)
def test_npmrc_only_with_a_token(tmp_path, text, secret):
    assert is_secret(tmp_path, text.encode(), ".npmrc") == secret
    assert not is_secret(tmp_path, text.encode(), "npmrc.md")


def libraries():
    found = [Path("/usr/bin/ssh-keygen"), Path("/usr/bin/openssl"), Path("/usr/bin/ssh")]
    for pattern in ("libssl*", "libcrypto*", "libgnutls*", "libssh*", "libmbedcrypto*", "libgio*"):
        found += Path(f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}").glob(pattern)
    return [one for one in found if one.is_file()]


def test_programs_and_libraries_that_know_keys_are_none():
    where = Sources(DirectoryRoot())
    marked = [path for path in libraries() if b"PRIVATE KEY-----" in path.read_bytes()]
    if not marked:
        pytest.skip("no program or library here mentions keys")
    for path in marked:
        assert secrets(where, str(path)) == set()


def test_sources_that_mention_keys_are_none():
    """This file, and the module that looks for them."""
    where = Sources(DirectoryRoot())
    assert secrets(where, __file__) == set()
    assert secrets(where, sensitive.__file__) == set()


def test_files_that_go_or_change_meanwhile_hide_no_other(tmp_path):
    """What packs such a file fails."""
    fill(tmp_path, ["/etc/shadow", "/a", "/b"])
    where = sources(tmp_path)
    nodes = tuple(tree(where))
    (tmp_path / "a").unlink()
    (tmp_path / "b").write_text("another")
    assert [one.path for one in sensitive.Secrets(where).among(nodes)] == ["/etc/shadow"]
    with pytest.raises(ChangedError):
        read(where.open("/b"))


def test_the_refusal_names_each_below_the_option_that_adds_it():
    sensitive.refuse({})
    sensitive.refuse({"a": ()})
    one = sensitive.Secret("/etc/shadow", "password hashes")
    beside = Sources(DirectoryRoot(), DirectoryRoot()).mounts[1]
    two = sensitive.Secret(beside.path("/b\n"), "a private key")
    with pytest.raises(PolicyError) as error:
        sensitive.refuse({"a": (), "b": (one,), "c": (one, two)})
    *lines, advice = str(error.value).splitlines()
    assert lines == [
        "--add b: secrets, which all who get the image could read:",
        "  /etc/shadow: password hashes",
        "--add c: secrets, which all who get the image could read:",
        "  /etc/shadow: password hashes",
        "  /b%0A: a private key",
    ]
    assert "docker run -v" in advice
    assert "--allow-sensitive" in advice
