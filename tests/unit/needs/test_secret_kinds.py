"""Every kind of secret that is known by its name or content is refused; what looks like it is not.

The cases are those of `tests/faults/secrets.py`: each planted secret, and each innocent neighbour.
"""

import hashlib
import re
import shutil

import pytest

from rootfs_builder.filesystem.content import BytesSource
from rootfs_builder.needs.secrets import content, known, names
from tests.faults import secrets as faults
from tests.timing import is_linear

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, faults.TOOLS)), reason="the tools that make keys are not installed"
)


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    found = {}
    for kind, cases in (("planted", faults.planted), ("innocent", faults.innocent)):
        top = tmp_path_factory.mktemp(kind)
        files = faults.write(cases(tmp_path_factory.mktemp("keys")), top)
        found[kind] = files.keys(), faults.refused(files, top)
    return found


def test_each_planted_secret_is_refused(looked_at):
    planted, refused = looked_at["planted"]
    assert len(planted) >= faults.PLANTED_AT_LEAST
    assert planted - refused == set()


def test_no_innocent_neighbour_is_refused(looked_at):
    innocent, refused = looked_at["innocent"]
    assert len(innocent) > 25
    assert refused == set()


def why(data, path="/srv/file"):
    return content.why(BytesSource(data), path)


def test_a_key_that_everybody_has_is_known_however_it_is_written(tmp_path, monkeypatch):
    key = faults.keys(tmp_path)["pkcs8"]
    forms = (
        key,
        key.replace(b"\n", b"\r\n"),
        b'K = "' + key.replace(b"\n", b"\\n") + b'"',
        b"# " + key.replace(b"\n", b"\n# "),
    )
    ((_, evidence),) = content.evidence(BytesSource(key), "/srv/file")
    assert all(why(form) for form in forms)
    monkeypatch.setattr(known, "_known", lambda: {known.digest(evidence)})
    assert not any(why(form) for form in forms)
    another = faults.run("openssl", "genpkey", "-algorithm", "ED25519")
    assert why(key + another)


def test_the_table_of_known_keys_can_be_read():
    lines = known.known_text().splitlines()
    assert len(lines) > 20
    for line in lines[1:]:
        assert re.fullmatch(rf"[0-9a-f]{{{known.DIGITS}}} [^:]+.*: .+", line)
    digests = [line.partition(" ")[0] for line in lines[1:]]
    assert len(set(digests)) == len(digests)
    assert known.digest(b"") == hashlib.sha256(b"").hexdigest()[: known.DIGITS]


BEGIN = f"-----BEGIN {'PRIVATE'} KEY-----\n".encode()


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "path"),
    [
        (BEGIN, "/a"),
        (BEGIN + b"M" * 60 + b"\n", "/a"),
        (b"LS0tLS1CRUdJTi", "/a"),
        (b"LS0tLS1CRUdJTi\n", "/a"),
        (b"_" + b"a" * 20, "/a"),
        (b"AKIA" + b"B" * 16 + b" ", "/a"),
        (b"users:\n", "/a"),
        (b"kind: Config\nusers:\n", "/a"),
        (b"machine a login b password c\n", "/a"),
        (b'"auths": {"a": {"auth"', "/a"),
        (b"x://a:", "/a"),
        (b"a:$6$aaaa", "/a"),
        (b"secrettoken", "/.env"),
        (b"<!-- ", "/settings.xml"),
        (b"0" * 40, "/a"),
        (b"\0", "/a"),
        (b" ", "/a"),
    ],
)
def test_no_text_takes_long(text, path):
    def searched(size):
        data = text * (size // len(text)) + b"!"
        assert why(data, path) == ""
        return lambda: why(data, path)

    assert is_linear(searched, 1 << 18)


def test_what_a_name_asks_for_is_only_asked_of_such_a_name():
    line = b"APP_SECRET=abcdefgh1\n"
    assert why(line, "/srv/.env")
    assert not why(line, "/srv/env.txt")
    assert names.asked("/srv/.env.example") < 0
    assert names.kind("/srv/.env") != names.kind("/srv/prod.tfvars")
