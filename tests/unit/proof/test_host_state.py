"""What stays on the machine, by rules in data."""
# ruff: noqa: S108 - paths that are judged, not used

import pytest

from rootfs_builder.proof.host_state import HostState

STATE = HostState(home="/home/me", run="/tmp/run")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/proc/self/maps", "every engine mounts it"),
        ("/procession", None),
        ("/etc/passwd", "accounts of this machine"),
        ("/etc/passwd.d/x", None),
        ("/home/me/.cache/fontconfig/x", "a cache, which is made again"),
        ("/home/me/project/data", None),
        ("/tmp/run/home/.config", "the run's own HOME or TMPDIR, which were empty"),
        ("/usr/share/../../proc/cpuinfo", "every engine mounts it"),
        ("/usr/lib/python3/dist-packages/a/__pycache__/a.pyc",
         "Python's cache of a module whose source is included"),
        ("/usr/share/dict/words", None),
    ],
)  # fmt: skip
def test_a_path_stays_by_the_rule_that_says_so(path, why):
    found = STATE.why(path)
    assert (found and found.because) == why


def test_a_project_in_a_place_that_stays_is_the_users_own():
    assert STATE.why("/tmp/project/data") is not None
    assert STATE.why("/tmp/project/data", ["/tmp/project"]) is None
    assert STATE.why("/proc/1/maps", ["/tmp/project"]) is not None
