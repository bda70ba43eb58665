"""File capabilities: setcap(8) and getcap(8) are the oracle, over every name and over any text."""

import os
import re
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rootfs_builder.errors import InputError, UsageError
from rootfs_builder.filesystem import capabilities

SETCAP = shutil.which("setcap", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
needs_setcap = pytest.mark.skipif(
    SETCAP is None or os.geteuid() != 0, reason="needs root, and setcap of libcap2-bin"
)
RAW = "0100000200200000000000000000000000000000"  # as setcap writes cap_net_raw=ep


@pytest.fixture(scope="module")
def by_setcap(tmp_path_factory):
    """The xattr that setcap writes for a text; None where it refuses."""
    path = tmp_path_factory.mktemp("setcap") / "file"

    def write(text):
        path.unlink(missing_ok=True)
        path.touch()
        done = subprocess.run([SETCAP, text, path], capture_output=True, check=False)
        return os.getxattr(path, capabilities.ATTRIBUTE) if done.returncode == 0 else None

    return write


def parsed(text):
    try:
        return capabilities.parse(text)
    except UsageError:
        return None


@needs_setcap
@pytest.mark.parametrize("name", capabilities.NAMES)
def test_a_name_is_the_bit_that_setcap_sets(by_setcap, name):
    assert capabilities.parse(f"{name}+ep") == by_setcap(f"{name}+ep")


@needs_setcap
def test_there_are_as_many_names_as_the_kernel_knows():
    with open("/proc/sys/kernel/cap_last_cap") as stream:
        known = int(stream.read()) + 1
    assert len(capabilities.NAMES) >= min(known, 41)
    assert known <= len(capabilities.NAMES), "capabilities(7) of this kernel has new ones"


def clauses(*, wild):
    """Clauses as people write them, or wild ones, most of which setcap refuses."""
    few = st.sampled_from(["cap_chown", "cap_kill", "CAP_BPF", "all", "13"])
    names = st.sampled_from(["cap_chown", "ALL", "64", "x", ""]) if wild else few
    listed = st.lists(names, min_size=not wild, max_size=3).map(",".join)
    flags = st.text("eip", max_size=3) if wild else st.sampled_from(["p", "ip", "ep", "eip"])
    first = st.tuples(st.sampled_from("=+-"), flags).map("".join)
    second = st.tuples(st.sampled_from("=+-" if wild else "+-"), flags).map("".join)
    actions = st.tuples(first, second | st.just("")).map("".join)
    return st.tuples(listed, actions).map("".join)


TEXTS = st.lists(clauses(wild=False), min_size=1, max_size=3).map(" ".join)
WILD = st.lists(clauses(wild=True), min_size=1, max_size=2).map(" ".join)


@needs_setcap
@settings(max_examples=400)
@given(text=TEXTS | WILD)
@example("=ep cap_chown-ep")
@example("cap_net_raw=ep\tcap_chown+ep")
@example("cap_net_raw=ep cap_chown+p")
@example("cap_net_raw=p+e")
@example("cap_net_raw=p=e")
@example("cap_net_raw+p+e-p")
@example("=i+p")
@example("+ep")
@example("=")
@example("cap_chown")
@example("63=p cap_chown+p")
def test_any_text_means_what_it_means_to_setcap(by_setcap, text):
    assert parsed(text) == by_setcap(text)


def test_an_xattr_byte_by_byte():
    assert capabilities.parse("cap_net_raw+ep").hex() == RAW
    everything = capabilities.parse("all=eip").hex()
    assert everything == "01000002" + "ffffffff" * 2 + "ff010000" * 2


@given(
    st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.booleans(), st.integers(0, 9)
)
def test_the_text_of_an_xattr_means_that_xattr(permitted, inheritable, effective, rootid):
    effective = effective and bool(permitted | inheritable)
    words = [one >> shift & 0xFFFFFFFF for shift in (0, 32) for one in (permitted, inheritable)]
    data = b"".join(word.to_bytes(4, "little") for word in words)
    second = (0x02000000 | effective).to_bytes(4, "little") + data
    third = (0x03000000 | effective).to_bytes(4, "little") + data + rootid.to_bytes(4, "little")
    assert capabilities.normal(second) == capabilities.normal(third) == second
    assert capabilities.parse(capabilities.text(second)) == second


@needs_setcap
def test_getcap_shows_the_same_text(tmp_path):
    path = tmp_path / "file"
    path.touch()
    os.setxattr(path, capabilities.ATTRIBUTE, capabilities.parse("cap_setuid,cap_net_raw+ep"))
    getcap = SETCAP.replace("setcap", "getcap")
    said = subprocess.run([getcap, path], capture_output=True, text=True, check=True).stdout
    shown = capabilities.text(capabilities.parse("cap_setuid,cap_net_raw+ep"))
    assert said == f"{path} {shown}\n"


@pytest.mark.parametrize("raw", ["", RAW[:-2], RAW + "00", RAW + "00" * 4, "01000001" + RAW[8:24]])
def test_an_xattr_of_another_form_is_refused(raw):
    with pytest.raises(InputError):
        capabilities.normal(bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "net_bind_service+ep",
            "'net_bind_service' is not a capability; did you mean cap_net_bind",
        ),
        ("cap_net_bind_servce+ep", "did you mean cap_net_bind_service?"),
        ("cap_zzz=p", "capabilities(7) names them"),
        (
            "cap_net_raw",
            "'cap_net_raw' is not a valid text of capabilities: cap_net_bind_service+ep",
        ),
        ("cap_net_raw=ep cap_chown+p", "one effective bit for all"),
        (" ", "it names no capabilities"),
    ],
)
def test_a_mistake_is_answered_with_what_is_right(text, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        capabilities.parse(text)
