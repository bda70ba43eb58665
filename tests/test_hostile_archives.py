"""Archives that want all memory, time or disk: one sentence, soon, and nothing left behind.

A usual run takes a sample; ROOTFS_BUILDER_ALL_CASES=1 takes all.
"""

import os

import pytest

from tests.faults import archives, runs
from tests.faults.runs import TOOL, Limits

ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))
SAMPLE = ("sparse_old_extended_eof", "sparse_8eb", "pax_global_chain_1000")
LIMITS = Limits(cpu=10, memory=300_000_000, disk=100_000_000)
VERBS = {"inspect": (), "report": ("-o", "x.html"), "verify": (), "why": ("/nothing",)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("archives")


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        pytest.param(name, verb, id=f"{name}-{verb}")
        for name in archives.CASES
        for verb in VERBS
        if ALL or (name in SAMPLE and verb == "verify")
    ],
)
def test_an_archive_that_wants_everything_gets_a_sentence(name, verb, folder, tmp_path):
    case = archives.CASES[name]
    (tmp_path / "tmp").mkdir()
    command = (*TOOL, verb, archives.written(name, folder), *VERBS[verb])
    found = runs.run(command, cwd=tmp_path, env=runs.environment(tmp_path), limits=LIMITS)
    assert not runs.ended_well(found), found
    code = case.verify if verb == "verify" and case.verify != -1 else case.code
    if verb != "why" and code is not None:
        assert found.code == code, found
    if found.code == code and code:
        assert case.words in found.stderr
        assert found.stderr.count("\n") == 1
    assert not list((tmp_path / "tmp").iterdir())
