"""scripts/benchmark: its arithmetic, its verdicts; and docs/benchmarks.* are what it writes."""

import dataclasses
import fnmatch
import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scripts.benchmark import __main__ as script
from scripts.benchmark import chart, figures, limits, page
from scripts.benchmark.limits import Limit
from scripts.benchmark.measure import Run, archive_digest
from scripts.benchmark.packers import OURS, PACKERS, definition
from scripts.benchmark.programs import PROGRAMS
from scripts.benchmark.rounds import Effort, Record

DOCS = Path(__file__).parent.parent.parent / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def run(wall, *, cpu=0.0, memory=0, read=0, written=0, size=None, digest=None):
    return Run(
        wall=wall, cpu=cpu, memory=memory, read=read, written=written, size=size, digest=digest
    )


# --- arithmetic ---


def test_a_ratio_is_of_one_round_and_the_median_is_of_the_ratios():
    """The ratio of the medians would be 1: both have 2 s."""
    theirs, ours = [run(1), run(2), run(9)], [run(4), run(2), run(1)]
    assert figures.of_packer(theirs, ours)["ratio"] == [1, 0.25, 9]
    assert figures.of_packer([run(3), run(2), run(8)], ours)["ratio"] == [1, 0.75, 8]


def test_rounds_that_only_one_did_have_no_ratio():
    assert figures.ratios([2.0, 3.0], [1.0, 1.0, 9.0]) == [2, 3]
    assert figures.ratios([2.0, 3.0, 9.0], [1.0, 1.0]) == [2, 3]


def test_figures_are_medians_and_the_memory_is_the_greatest():
    runs = [
        run(0.3, cpu=0.2, memory=5, read=3, written=1, size=7),
        run(0.1, cpu=0.6, memory=9, read=2, written=4, size=7),
        run(0.2, cpu=0.1, memory=6, size=7),
    ]
    assert figures.of_packer(runs, runs) == {
        "wall": 0.2,
        "cpu": 0.2,
        "memory": 9,
        "read": 3,
        "written": 4,
        "bytes": 7,
        "ratio": [1, 1, 1],
        "same": None,
        "rounds": [0.3, 0.1, 0.2],
    }


@pytest.mark.parametrize(("digests", "same"), [("aaa", True), ("aab", False), ((None, None), None)])
def test_the_digest_must_be_the_same_in_every_round(digests, same):
    runs = [run(1, digest=digest) for digest in digests]
    assert figures.of_packer(runs, runs)["same"] is same


def test_who_failed_has_an_error_and_no_figures():
    record = Record(runs=[run(1)], error="exit 1")
    assert record.figures([run(1)]) == {"error": "exit 1"}


def test_without_our_runs_there_is_no_ratio():
    assert Record(runs=[run(1)], docker="yes").figures([])["ratio"] is None


def test_a_slow_packer_does_two_rounds_a_quick_one_all():
    effort = Effort(rounds=9, seconds=10)
    assert not effort.is_enough([run(27)])
    assert effort.is_enough([run(27), run(27)])
    assert not effort.is_enough([run(1)] * 8)


# --- digests ---


def archive(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_an_archives_digest_is_its_manifests(tmp_path):
    index = json.dumps({"manifests": [{"digest": "sha256:abc"}]}).encode()
    manifest = json.dumps([{"Config": "c.json"}]).encode()
    for prefix in ("", "./"):
        members = {f"{prefix}index.json": index, "manifest.json": manifest, "c.json": b"{}"}
        assert archive_digest(archive(tmp_path / "image.tar", members)) == "sha256:abc"


def test_without_an_index_it_is_the_configs(tmp_path):
    members = {"c.json": b"{}", "manifest.json": json.dumps([{"Config": "c.json"}]).encode()}
    digest = archive_digest(archive(tmp_path / "image.tar", members))
    assert digest == f"sha256:{sha256(b'{}').hexdigest()}"


# --- limits ---

PIGZ = "tar | pigz -6"
DATA = {
    "machine": {
        "cpu": "A CPU",
        "cores": 2,
        "memory": 8e9,
        "kernel": "6.1",
        "distribution": "Debian",
        "python": "3.13",
    },
    "rounds": 3,
    "seconds": 10,
    "packers": {
        OURS: {"version": "1", "gives": "archive", "before": "", "job": 'pack "$program"\n'},
        PIGZ: {"version": "2", "gives": "file", "before": "x", "job": "tar | pigz\n"},
        "umoci": {"version": "3", "gives": "archive", "before": "", "job": "umoci\n"},
    },
    "programs": {
        "hello": {
            "about": "a <hello>",
            "path": "hello",
            "make": "gcc -x c - -o hello",
            "arguments": [],
            "says": "hello",
            "ours": {"files": 1, "bytes": 1000},
            "ldd": {"files": 2, "bytes": 2000},
            "packers": {
                OURS: {
                    **figures.of_packer(
                        [run(2, memory=10**8, read=3e6, written=7e6, size=900, digest="a")] * 3,
                        [run(2)],
                    ),
                    "docker": "yes",
                },
                PIGZ: {
                    **figures.of_packer([run(8, size=1000), run(4, size=1000)], [run(2)] * 3),
                    "docker": None,
                },
                "umoci": {"error": "exit 1"},
            },
        }
    },
}


@pytest.mark.parametrize(
    ("limit", "measured", "spread", "holds"),
    [
        (Limit(program="hello", figure="wall", most=0.375, times=PIGZ), 0.375, (0.25, 0.5), True),
        (Limit(program="hello", figure="wall", most=0.374, times=PIGZ), 0.375, (0.25, 0.5), False),
        (Limit(program="hello", figure="bytes", most=0.9, times=PIGZ), 0.9, None, True),
        (Limit(program="hello", figure="bytes", most=0.89, times=PIGZ), 0.9, None, False),
        (Limit(program="hello", figure="memory", most=10**8), 10**8, None, True),
        (Limit(program="hello", figure="memory", most=10**8 - 1), 10**8, None, False),
    ],
)
def test_a_limit_is_judged(limit, measured, spread, holds):
    (verdict,) = limits.judge(DATA, (limit,))
    assert (verdict.measured, verdict.spread, verdict.holds) == (measured, spread, holds)
    assert f"{limit.most:.2f}" in limits.sentence(verdict) or "MB" in limits.sentence(verdict)


@pytest.mark.parametrize("of", [{"program": "ffmpeg"}, {"packer": "umoci"}, {"times": "umoci"}])
def test_what_was_not_measured_is_not_judged(of):
    limit = Limit(**{"program": "hello", "figure": "wall", "most": 1, "times": PIGZ, **of})
    assert list(limits.judge(DATA, (limit,))) == []


def test_the_limits_are_about_what_there_is():
    for limit in limits.LIMITS:
        assert limit.program in PROGRAMS
        assert {limit.packer, limit.times} - {""} <= set(PACKERS)


@pytest.mark.parametrize(
    ("most", "words", "code"), [(0.4, (), 0), (0.3, (), 1), (0.3, ("--quick",), 0)]
)
def test_the_exit_code_says_whether_all_limits_hold(
    most, words, code, monkeypatch, tmp_path, capsys
):
    data = json.loads(json.dumps(DATA))
    del data["programs"]["hello"]["packers"]["umoci"]
    limit = Limit(program="hello", figure="wall", most=most, times=PIGZ)
    monkeypatch.setattr(script, "measured", lambda _names, _effort: data)
    monkeypatch.setattr(limits, "LIMITS", (limit,))
    monkeypatch.setattr("sys.argv", ["bench", "-o", str(tmp_path), *words])
    assert script.main() == code
    said = capsys.readouterr().out.removeprefix(page.tables(data))
    assert said.strip()[:6] == ("" if words else "failed" if code else "ok    ")
    assert json.loads((tmp_path / "benchmarks.json").read_text()) == data


def test_a_job_that_failed_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(script, "measured", lambda _names, _effort: DATA)
    monkeypatch.setattr("sys.argv", ["bench", "-o", str(tmp_path), "--quick"])
    assert script.main() == 1
    assert capsys.readouterr().out.endswith("\nfailed hello: umoci: exit 1\n")


# --- page and picture ---


def test_the_page_has_a_row_a_packer_and_every_job():
    text = page.text(DATA)
    assert "| rootfs-builder | 2.000 | 1 | 0.000 | 100 | 3, 7 | 900 | yes | yes | 3 |" in text
    assert r"| tar \| pigz -6 | 6.000 | 3.00 (2.00 to 4.00) | 0.000 | 0 | 0, 0 | 1,000 |" in text
    assert "| umoci | failed |" in text
    for packer in DATA["packers"].values():
        assert f"\n{packer['job']}```\n" in text
    assert "```text\n# first, not measured:\nx\n# then:\ntar | pigz\n```" in text


def test_a_bars_length_is_its_seconds():
    root = ET.fromstring(chart.svg(DATA))  # noqa: S314 - our own
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert "Seconds to pack a <hello>: 1 files, 0.0 MB" in words
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.get("x") == str(chart.LEFT)]
    found = [(bar.get("class"), float(bar.get("width"))) for bar in bars]
    full = chart.WIDTH - chart.LEFT - chart.RIGHT
    assert found[:2] == [("ours", pytest.approx(full / 3, abs=0.1)), ("floor", full)]


def test_a_run_with_what_an_earlier_one_left_has_a_colour_of_its_own():
    packers = {OURS: {**DATA["packers"][OURS], "before": "pack"}}
    (program,) = DATA["programs"].values()
    only = {"hello": {**program, "packers": {OURS: program["packers"][OURS]}}}
    root = ET.fromstring(chart.svg({"packers": packers, "programs": only}))  # noqa: S314 - our own
    assert next(root.iter(f"{SVG}rect")).get("class") == "again"


# --- what stands in docs ---

data = pytest.fixture(lambda: json.loads((DOCS / "benchmarks.json").read_text()))
AGAIN = "is older than the data: python3 -m scripts.benchmark --render"
MEASURE = "is not what was measured: scripts/bench"


def test_the_page_and_the_picture_show_the_data(data):
    assert (DOCS / "benchmarks.md").read_text() == page.text(data), f"benchmarks.md {AGAIN}"
    assert (DOCS / "benchmarks.svg").read_text() == chart.svg(data), f"benchmarks.svg {AGAIN}"


def test_the_data_are_of_todays_jobs_and_programs(data):
    """A job that was changed must be measured again; `scripts/release` asks for our version."""
    expected = {name: {**definition(packer)} for name, packer in PACKERS.items()}
    versions = {name: one.pop("version") for name, one in data["packers"].items()}
    assert data["packers"] == expected, MEASURE
    assert list(versions) == list(PACKERS), MEASURE
    for name, program in PROGRAMS.items():
        measured = data["programs"][name]
        for key, value in dataclasses.asdict(program).items():
            if key == "path":
                assert fnmatch.fnmatch(measured["path"], value), MEASURE
            else:
                assert measured[key] == (list(value) if key == "arguments" else value), MEASURE
    assert (data["rounds"], data["seconds"]) == (script.FULL.rounds, script.FULL.seconds), MEASURE


def test_every_packer_packed_every_program(data):
    assert list(script.failures(data)) == []
    for name, program in data["programs"].items():
        expected = [packer for packer, value in PACKERS.items() if value.packs(name)]
        assert list(program["packers"]) == expected
        for packer, found in program["packers"].items():
            assert (found["docker"] is not None) is PACKERS[packer].is_image
            assert found["wall"] == pytest.approx(figures.spread(found["rounds"])[0], abs=2e-4)
