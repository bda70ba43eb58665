"""A sample of scripts/fuzz, with a fixed seed; ROOTFS_BUILDER_ALL_CASES=1 takes more of each.

Each harness is also shown something that does not survive: it must see it.
"""

import os
import shutil
import sys

import pytest

from tests.faults import documents, mutations, roots, runs, scenarios, system_calls
from tests.faults.against_ld_so import AgainstLdSo
from tests.faults.runs import MIB, Limits, Outcome
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.subjects import chance
from tests.loader.oracle import Trace

ALL = bool(os.environ.get("ROOTFS_BUILDER_ALL_CASES"))
USUAL = ("nocache", "stage", "oci-replaced", "beside", "warm")
SITES, MUTANTS, ROOTS = (100, 500, 0) if ALL else (8, 40, 6)
SEED = 7

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def survived(rows):
    """Every case of every row did."""
    rows = list(rows)
    assert not any(row.failures for row in rows), "\n".join(runs.table(rows))
    assert any(row.survived for row in rows)


@pytest.mark.long
@needs_strace
@pytest.mark.parametrize("name", [one.name for one in SCENARIOS if ALL or one.name in USUAL])
def test_a_fault_at_a_system_call(tmp_path, name):
    survived(system_calls.rows(count=SITES, seed=SEED, only=(name,), folder=tmp_path))


@pytest.mark.long
@pytest.mark.parametrize("short", mutations.ALL)
def test_damaged_input(tmp_path, short):
    count = MUTANTS // 4 if short == "cache" else MUTANTS
    survived(mutations.rows(count=count, seed=SEED, only=(short,), folder=tmp_path, keep=tmp_path))


@pytest.mark.long
def test_hostile_roots(tmp_path):
    survived(roots.rows(count=ROOTS, seed=SEED, folder=tmp_path))


# --- the harnesses themselves ---

TORN = """\
echo one >out/x.tar
echo two >>out/x.tar
echo x
"""


@needs_strace
def test_an_output_that_is_written_in_place_does_not_survive_a_kill(tmp_path, monkeypatch):
    script = tmp_path / "torn"
    script.write_text(TORN)
    monkeypatch.setattr(runs, "TOOL", ("sh", script))
    scenario = Scenario("torn", ("--no-cache",))
    monkeypatch.setattr(system_calls, "SCENARIOS", (scenario,))
    monkeypatch.setattr(system_calls, "ERRORS", {"write": (system_calls.KILL,)})
    rows = list(system_calls.rows(count=0, seed=SEED, folder=tmp_path / "bench"))
    found = {kind for row in rows for kind in row.failures}
    assert any("x.tar is neither old nor new" in kind for kind in found), found


@needs_strace
def test_a_site_of_every_call_is_seen(tmp_path):
    bench = scenarios.Bench(tmp_path / "bench", SCENARIOS[0])
    found = system_calls.sites(bench)
    assert {"write", "openat", "read", "close", "rename", "newfstatat", "mmap"} <= found.keys()
    assert any(not one.imports for one in found["openat"])
    assert any(one.imports for one in found["openat"])


LIBRARY = "/usr/lib/python3.13/lib-dynload/_datetime.cpython-313-x86_64-linux-gnu.so"


@pytest.mark.parametrize(
    ("path", "problem", "exception"),
    [
        (LIBRARY, "exit -11", system_calls.CRASHES),
        ("/usr/lib/python3.13/__pycache__/datetime.pyc", "exit -11", system_calls.CRASHES),
        ("/case/in/hello", "exit -11", ""),
        ("/case/datetime.d/hello", "exit -11", ""),
        (LIBRARY, "x.tar is neither old nor new", ""),
    ],
)
def test_a_crash_is_excepted_where_it_is_of_one_import(path, problem, exception):
    site = system_calls.Site("fstat", 130, "ENOMEM", imports=False)
    line = f"7 fstat(3<{path}>, 0x7f) = -1 ENOMEM (Cannot allocate memory) (INJECTED)"
    injected = system_calls.Injected((line,), Outcome(-11, "", "", 0.1, 0, 0))
    assert system_calls.excepted(site, injected, [problem, "no sentence"]) == exception


@pytest.mark.parametrize(
    ("path", "said", "exception"),
    [
        ("/t/tmp/rootfs-builder.x/0.full", "x: not stripped: unknown", system_calls.STRIPS),
        ("/t/tmp/rootfs-builder.x/0.full", "", ""),
        ("/t/in/hello", "x: not stripped: unknown", ""),
    ],
)
def test_what_strip_hides_is_excepted_where_it_read(path, said, exception):
    site = system_calls.Site("read", 11, "EIO", imports=False)
    line = f"7 read(3<{path}>, 0x7f, 4096) = -1 EIO (Input/output error) (INJECTED)"
    injected = system_calls.Injected((line,), Outcome(0, "", said, 0.1, 0, 0))
    assert system_calls.excepted(site, injected, ["exit 0 and another x.tar"]) == exception


FILLS = """\
import tempfile, time
with tempfile.TemporaryFile() as stream:
    stream.write(bytes(9 << 20))
    stream.flush()
    time.sleep(9)
"""


@pytest.mark.parametrize(
    ("code", "limits", "passed"),
    [
        (
            "b = bytearray(400 << 20); import time; time.sleep(9)",
            Limits(memory=100 * MIB),
            "memory",
        ),
        ("while True: pass", Limits(cpu=1), "CPU time"),
        ("import time; time.sleep(99)", Limits(wait=1), "time"),
        (FILLS, Limits(disk=MIB), "disk"),
    ],
)
def test_a_limit_is_kept(tmp_path, code, limits, passed):
    (tmp_path / "tmp").mkdir()
    command = (sys.executable, "-c", code)
    done = runs.run(command, cwd=tmp_path, env=runs.environment(tmp_path), limits=limits)
    assert done.passed == passed
    assert runs.ended_well(done) == (f"limit of {passed}",)


@pytest.mark.parametrize(
    ("code", "stderr", "problem"),
    [
        (1, "rootfs-builder: x: no such file\n", ""),
        (0, "", ""),
        (1, "", "no sentence"),
        (7, "rootfs-builder: x\n", "exit 7"),
        (-11, "rootfs-builder: x\n", "exit -11"),
        (1, "rootfs-builder: internal error: KeyError: 1; this\n", "internal error: KeyError"),
        (1, "Traceback (most recent call last):\n  x\nValueError: x\n", "traceback: ValueError"),
    ],
)
def test_what_a_run_says_is_judged(code, stderr, problem):
    found = runs.ended_well(Outcome(code, "", stderr, 0.1, 0, 0))
    assert found == ((problem,) if problem else ())


def test_a_byte_from_outside_is_seen(tmp_path):
    (tmp_path / "tree/sub").mkdir(parents=True)
    assert not roots.leaked(tmp_path / "tree")
    (tmp_path / "tree/sub/file").write_bytes(b"x" + roots.MARK)
    assert roots.leaked(tmp_path / "tree")


def test_an_exception_is_told_with_its_place(monkeypatch):
    def broken(_words, _command):
        raise KeyError(1)

    monkeypatch.setattr(mutations.cli, "run", broken)
    _, problems = mutations.ran(("verify", "x"))
    assert problems[0].startswith("KeyError at ")


def test_what_is_kept_is_what_was_damaged(tmp_path):
    """The next case does not wait until somebody looks."""
    kept = tmp_path / "kept"
    few = {"only": ("ld.so",), "seed": 1501, "count": 40}
    [row] = mutations.rows(**few, folder=tmp_path, keep=kept)
    assert row.survived < row.tried
    again = tmp_path / "again"
    again.mkdir()
    subject = AgainstLdSo(again)
    for one in kept.iterdir():
        subject.lay(chance("ld.so", 1501, int(one.name.split("-")[2])))
        assert subject.laid.read_bytes() == one.read_bytes()


PASSED_OVER = Trace(error="cannot open shared object file: No such file or directory")


@pytest.mark.parametrize(
    ("ours", "differs"),
    [
        (Trace(missing=("libc.so.6",)), False),
        (Trace(error="libc.so.6: for another machine"), False),
        (Trace(found=(("libc.so.6", "/lib/libc.so.6"),)), True),
    ],
)
def test_a_program_of_another_machine_is_refused_by_either(tmp_path, ours, differs):
    subject = AgainstLdSo(tmp_path)
    assert bool(subject._difference(ours, PASSED_OVER)) is differs


def test_a_seed_repeats_a_mutant():
    one, two = (
        documents.written(documents.damaged(documents.small(), rng), rng)
        for rng in (chance("archives", 1, 2), chance("archives", 1, 2))
    )
    assert one == two
